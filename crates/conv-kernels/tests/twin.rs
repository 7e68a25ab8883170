//! The convolutions against sums written out, in double precision.

use conv_kernels::{Conv2d, Kernels, Level};
use proptest::prelude::*;

/// Calls `each` with the indices and the value of every product of the convolution: input, weight,
/// output.
fn products(shape: &Conv2d, mut each: impl FnMut(usize, usize, usize)) {
    let ([height, width], [rows, columns]) = (shape.in_size(), shape.out_size());
    let (kernel, stride, padding) = (shape.kernel(), shape.stride(), shape.padding());
    for image in 0..shape.batch() {
        for out in 0..shape.out_channels() {
            for input in 0..shape.in_channels() {
                for (y, x) in (0..rows).flat_map(|y| (0..columns).map(move |x| (y, x))) {
                    for (a, b) in (0..kernel[0]).flat_map(|a| (0..kernel[1]).map(move |b| (a, b))) {
                        let (v, u) = (y * stride[0] + a, x * stride[1] + b);
                        if v < padding[0] || u < padding[1] {
                            continue;
                        }
                        let (v, u) = (v - padding[0], u - padding[1]);
                        if v >= height || u >= width {
                            continue;
                        }
                        each(
                            ((image * shape.in_channels() + input) * height + v) * width + u,
                            ((out * shape.in_channels() + input) * kernel[0] + a) * kernel[1] + b,
                            ((image * shape.out_channels() + out) * rows + y) * columns + x,
                        );
                    }
                }
            }
        }
    }
}

/// Values in [-1, 1] that look random, so that sums hardly cancel by design.
fn values(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

/// Every sum differs from the exact one by at most so many roundings of the sum of magnitudes.
#[track_caller]
fn assert_near(name: &str, found: &[f32], exact: &[f64], magnitude: &[f64]) {
    for (i, ((found, exact), magnitude)) in found.iter().zip(exact).zip(magnitude).enumerate() {
        let error = (f64::from(*found) - exact).abs();
        assert!(
            error <= 8.0 * f64::from(f32::EPSILON) * magnitude,
            "{name}[{i}]: {found} instead of {exact}"
        );
    }
}

struct Case {
    shape: Conv2d,
    input: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    gradient: Vec<f32>,
}

struct Results {
    output: Vec<f32>,
    input_gradient: Vec<f32>,
    weight_gradient: Vec<f32>,
    bias_gradient: Vec<f32>,
}

impl Case {
    fn new(shape: Conv2d) -> Self {
        Self {
            shape,
            input: values(shape.input_len(), 1),
            weight: values(shape.weight_len(), 2),
            bias: values(shape.out_channels(), 3),
            gradient: values(shape.output_len(), 4),
        }
    }

    fn run(&self, kernels: Kernels) -> Results {
        let shape = &self.shape;
        // What was there before must not matter.
        let mut results = Results {
            output: vec![f32::NAN; shape.output_len()],
            input_gradient: vec![f32::NAN; shape.input_len()],
            weight_gradient: vec![f32::NAN; shape.weight_len()],
            bias_gradient: vec![f32::NAN; shape.out_channels()],
        };
        kernels.conv2d(
            shape,
            &self.input,
            &self.weight,
            Some(&self.bias),
            &mut results.output,
        );
        kernels.conv2d_data_gradient(
            shape,
            &self.gradient,
            &self.weight,
            &mut results.input_gradient,
        );
        kernels.conv2d_weight_gradient(
            shape,
            &self.input,
            &self.gradient,
            &mut results.weight_gradient,
        );
        kernels.conv2d_bias_gradient(shape, &self.gradient, &mut results.bias_gradient);
        results
    }

    #[track_caller]
    fn check(&self, kernels: Kernels) {
        let shape = &self.shape;
        let area = shape.out_size()[0] * shape.out_size()[1];
        let channel = |index: usize| index / area % shape.out_channels();
        let mut exact = [
            shape.output_len(),
            shape.input_len(),
            shape.weight_len(),
            shape.out_channels(),
        ]
        .map(|len| (vec![0.0; len], vec![0.0; len]));
        let mut add = |which: usize, index: usize, product: f64| {
            exact[which].0[index] += product;
            exact[which].1[index] += product.abs();
        };
        products(shape, |x, w, y| {
            let [input, weight, gradient] =
                [self.input[x], self.weight[w], self.gradient[y]].map(f64::from);
            add(0, y, input * weight);
            add(1, x, gradient * weight);
            add(2, w, gradient * input);
        });
        for (index, gradient) in self.gradient.iter().enumerate() {
            add(0, index, self.bias[channel(index)].into());
            add(3, channel(index), f64::from(*gradient));
        }
        let found = self.run(kernels);
        for (name, found, (exact, magnitude)) in [
            ("output", &found.output, &exact[0]),
            ("input gradient", &found.input_gradient, &exact[1]),
            ("weight gradient", &found.weight_gradient, &exact[2]),
            ("bias gradient", &found.bias_gradient, &exact[3]),
        ] {
            let name = format!("{:?}: {name}", kernels.level());
            assert_near(&name, found, exact, magnitude);
        }
    }
}

fn shapes() -> impl Strategy<Value = Conv2d> {
    (
        1_usize..4,
        [1_usize..36, 1_usize..36],
        [1_usize..20, 1_usize..20],
        [1_usize..6, 1_usize..6],
        [1_usize..4, 1_usize..4],
        [0_usize..4, 0_usize..4],
    )
        .prop_filter_map(
            "the kernel fits",
            |(n, c, size, kernel, stride, padding)| {
                Conv2d::with(n, c, size, kernel, stride, padding).ok()
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_level_computes_the_sums_written_out(shape in shapes()) {
        let case = Case::new(shape);
        for level in Level::available() {
            case.check(Kernels::at(level).unwrap());
        }
    }
}

#[test]
fn the_layers_of_residual_networks_come_out_right() {
    for (channels, size, kernel, stride) in [
        ([3, 16], 32, 3, 1),
        ([16, 16], 32, 3, 1),
        ([16, 32], 32, 3, 2),
        ([16, 32], 32, 1, 2),
        ([64, 64], 8, 3, 1),
        ([1, 8], 8, 3, 1),
        ([8, 16], 8, 3, 2),
    ] {
        let padding = kernel / 2;
        let shape = Conv2d::with(
            2,
            channels,
            [size, size],
            [kernel, kernel],
            [stride, stride],
            [padding, padding],
        )
        .unwrap();
        let case = Case::new(shape);
        for level in Level::available() {
            case.check(Kernels::at(level).unwrap());
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let pool = |threads| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
    };
    // Large enough to be shared between threads, and no multiple of anything.
    let shape = Conv2d::with(37, [17, 19], [13, 11], [3, 3], [1, 2], [1, 1]).unwrap();
    let case = Case::new(shape);
    for level in Level::available() {
        let kernels = Kernels::at(level).unwrap();
        let one = pool(1).install(|| case.run(kernels));
        for threads in [2, 3, 5] {
            let more = pool(threads).install(|| case.run(kernels));
            assert_eq!(one.output, more.output, "{level:?}");
            assert_eq!(one.input_gradient, more.input_gradient, "{level:?}");
            assert_eq!(one.weight_gradient, more.weight_gradient, "{level:?}");
            assert_eq!(one.bias_gradient, more.bias_gradient, "{level:?}");
        }
    }
}
