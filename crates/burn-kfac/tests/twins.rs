//! The product against brute force: loops instead of patches, a dense matrix instead of a
//! Kronecker product, a closed form instead of a recursion.

use std::num::NonZeroU32;

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use burn_kfac::{
    Arithmetic, BurnIn, Damping, DampingMethod, Error, FactorDecay, Kfac, KlClip, KroneckerFactors,
    Pi, Quantity, Settings, Symmetric, Tape,
};
use proptest::prelude::*;

/// Numbers in -1..1, the same for the same seed.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 40) as f32 / (1_u64 << 23) as f32) - 1.0
    }

    fn tensor<const D: usize>(&mut self, shape: [usize; D], device: &Device) -> Tensor<D> {
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| self.next()).collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }
}

fn device() -> Device {
    Device::flex().autodiff()
}

fn linear(inputs: usize, outputs: usize, bias: bool, numbers: &mut Numbers) -> Linear {
    let mut layer = LinearConfig::new(inputs, outputs)
        .with_bias(bias)
        .init(&device());
    layer.weight = Param::from_tensor(numbers.tensor([inputs, outputs], &device()));
    layer
}

fn settings(damping: f64) -> Settings {
    Settings {
        factor_every: NonZeroU32::MIN,
        ..Settings::new(Damping::new(damping).unwrap())
    }
}

/// Gradients of sum(weights * y) / batch for an output y, where each sample's loss is linear in y.
fn backward<const D: usize>(y: Tensor<D>, weights: Tensor<D>) -> Gradients {
    let batch = y.dims()[0];
    (y * weights).sum().div_scalar(batch as f32).backward()
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

fn assert_close(ours: &[f32], reference: &[f64], tolerance: f64, what: &str) {
    assert_eq!(ours.len(), reference.len(), "{what}: lengths");
    let scale = reference.iter().fold(1e-12, |m: f64, x| m.max(x.abs()));
    for (at, (&a, &b)) in ours.iter().zip(reference).enumerate() {
        let error = (f64::from(a) - b).abs() / scale;
        assert!(
            error <= tolerance,
            "{what}: entry {at} is {a}, not {b} (error {error:.1e})"
        );
    }
}

/// Solves m x = b by elimination with pivoting. m: `[n, n]` row-major.
fn solve(mut m: Vec<f64>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for k in 0..n {
        let pivot = (k..n)
            .max_by(|&i, &j| m[i * n + k].abs().total_cmp(&m[j * n + k].abs()))
            .unwrap();
        (0..n).for_each(|j| m.swap(k * n + j, pivot * n + j));
        b.swap(k, pivot);
        for i in k + 1..n {
            let factor = m[i * n + k] / m[k * n + k];
            (k..n).for_each(|j| m[i * n + j] -= factor * m[k * n + j]);
            b[i] -= factor * b[k];
        }
    }
    for k in (0..n).rev() {
        let known: f64 = (k + 1..n).map(|j| m[k * n + j] * b[j]).sum();
        b[k] = (b[k] - known) / m[k * n + k];
    }
    b
}

/// A random second moment of rank `rank`.
fn moment(dim: usize, rank: usize, numbers: &mut Numbers) -> Symmetric {
    let columns: Vec<Vec<f32>> = (0..rank)
        .map(|_| (0..dim).map(|_| numbers.next()).collect())
        .collect();
    let entries: Vec<f32> = (0..dim * dim)
        .map(|at| {
            columns
                .iter()
                .map(|c| c[at / dim] * c[at % dim])
                .sum::<f32>()
                / rank as f32
        })
        .collect();
    Symmetric::from_dense(dim, &entries)
}

/// left (x) right + damping I solved for V, where V's rows go with `left`.
fn dense_solve(
    left: &[f64],
    rows: usize,
    right: &[f64],
    cols: usize,
    damping: f64,
    v: &[f32],
) -> Vec<f64> {
    let n = rows * cols;
    let mut m = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..n {
            m[i * n + j] = left[i / cols * rows + j / cols] * right[i % cols * cols + j % cols];
        }
        m[i * n + i] += damping;
    }
    solve(m, v.iter().map(|&x| f64::from(x)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn eigen_damping_solves_the_dense_kronecker_system(
        seed: u64, rows in 1..5_usize, cols in 1..7_usize, rank in 1..8_usize,
        positions in 1..10_usize, damping in 0.01..10.0_f64,
    ) {
        let mut numbers = Numbers(seed);
        let factors = KroneckerFactors {
            layer: "layer".into(),
            a_mean: moment(cols, rank, &mut numbers),
            g_mean: moment(rows, rank, &mut numbers),
            positions,
        };
        let v: Vec<f32> = (0..rows * cols).map(|_| numbers.next()).collect();
        let u = factors.preconditioner(Damping::new(damping).unwrap(), DampingMethod::Eigen).unwrap().apply(&v);
        let a: Vec<f64> = factors.a_mean.to_dense().into_iter().map(f64::from).collect();
        let g: Vec<f64> = factors.g_mean.to_dense().into_iter().map(|g| positions as f64 * f64::from(g)).collect();
        assert_close(&u, &dense_solve(&g, rows, &a, cols, damping, &v), 1e-4, "U");
    }

    #[test]
    fn factored_damping_solves_the_product_of_damped_factors(
        seed: u64, rows in 1..5_usize, cols in 1..7_usize, rank in 1..8_usize,
        positions in 1..10_usize, damping in 0.01..10.0_f64, which in 1..5_usize,
    ) {
        let mut numbers = Numbers(seed);
        let factors = KroneckerFactors {
            layer: "layer".into(),
            a_mean: moment(cols, rank, &mut numbers),
            g_mean: moment(rows, rank, &mut numbers),
            positions,
        };
        let method = DampingMethod::ALL[which];
        let DampingMethod::Factored(pi) = method else { unreachable!("the first is eigen") };
        let v: Vec<f32> = (0..rows * cols).map(|_| numbers.next()).collect();
        let u = factors.preconditioner(Damping::new(damping).unwrap(), method).unwrap().apply(&v);
        let (t, pi) = (positions as f64, factors.pi(pi).unwrap());
        let s = (damping / t).sqrt();
        let damped = |m: &Symmetric, shift: f64, scale: f64| -> Vec<f64> {
            let n = m.dim();
            (0..n * n).map(|at| {
                scale * (f64::from(m.get(at / n, at % n)) + if at / n == at % n { shift } else { 0.0 })
            }).collect()
        };
        let (g, a) = (damped(&factors.g_mean, s / pi, t), damped(&factors.a_mean, pi * s, 1.0));
        assert_close(&u, &dense_solve(&g, rows, &a, cols, 0.0, &v), 1e-4, "U");
    }

    #[test]
    fn pi_makes_the_result_independent_of_the_scale_of_the_factors(
        seed: u64, scale in 0.01..100.0_f32, which in 1..4_usize,
    ) {
        let mut numbers = Numbers(seed);
        let (a, g) = (moment(4, 6, &mut numbers), moment(3, 6, &mut numbers));
        let v: Vec<f32> = (0..12).map(|_| numbers.next()).collect();
        let by = |m: &Symmetric, scale: f32| {
            let dense: Vec<f32> = m.to_dense().iter().map(|x| x * scale).collect();
            Symmetric::from_dense(m.dim(), &dense)
        };
        let u = |scale: f32| {
            let factors = KroneckerFactors {
                layer: "layer".into(), a_mean: by(&a, scale), g_mean: by(&g, 1.0 / scale), positions: 3,
            };
            let damping = Damping::new(0.1).unwrap();
            factors.preconditioner(damping, DampingMethod::ALL[which]).unwrap().apply(&v)
        };
        let reference: Vec<f64> = u(1.0).into_iter().map(f64::from).collect();
        assert_close(&u(scale), &reference, 1e-4, "U");
    }

    #[test]
    fn factors_of_a_convolution_equal_those_by_loops(
        seed: u64, batch in 1..4_usize, channels in 1..4_usize, out in 1..4_usize,
        kernel in prop::array::uniform2(1..4_usize), stride in prop::array::uniform2(1..4_usize),
        dilation in prop::array::uniform2(1..3_usize), padding in prop::array::uniform4(0..3_usize),
        extra in prop::array::uniform2(0..5_usize), same: bool, bias: bool,
    ) {
        let reach = [0, 1].map(|i| dilation[i] * (kernel[i] - 1) + 1);
        let size = [0, 1].map(|i| reach[i] + extra[i]);
        // burn's rule for `Same` knows no dilation.
        let (padding, dilation) = if same {
            (PaddingConfig2d::Same, [1, 1])
        } else {
            (PaddingConfig2d::Explicit(padding[0], padding[1], padding[2], padding[3]), dilation)
        };
        let layer = Conv2dConfig::new([channels, out], kernel).with_stride(stride)
            .with_dilation(dilation).with_padding(padding).with_bias(bias).init(&device());
        check_convolution(layer, batch, size, seed);
    }

    #[test]
    fn factors_of_a_convolution_with_stride_one_equal_those_by_loops(
        seed: u64, batch in 1..40_usize, channels in 1..6_usize, out in 1..4_usize,
        kernel in prop::array::uniform2(1..5_usize), padding in prop::array::uniform4(0..6_usize),
        extra in prop::array::uniform2(0..5_usize), bias: bool,
    ) {
        // Large enough for the way that sums over overlapping patches once.
        let size = [0, 1].map(|i| 2 * kernel[i] + extra[i]);
        let padding = PaddingConfig2d::Explicit(padding[0], padding[1], padding[2], padding[3]);
        let layer = Conv2dConfig::new([channels, out], kernel).with_padding(padding)
            .with_bias(bias).init(&device());
        check_convolution(layer, batch, size, seed);
    }

    #[test]
    fn factors_of_a_linear_layer_equal_those_by_loops(
        seed: u64, batch in 1..6_usize, inputs in 1..6_usize, out in 1..5_usize, bias: bool,
    ) {
        let mut numbers = Numbers(seed);
        let layer = linear(inputs, out, bias, &mut numbers);
        let x = numbers.tensor([batch, inputs], &device());
        let d = numbers.tensor([batch, out], &device());
        let mut rows: Vec<Vec<f32>> = values(x.clone()).chunks(inputs).map(<[f32]>::to_vec).collect();
        if bias {
            for row in &mut rows {
                row.push(1.0);
            }
        }
        let a = mean_outer(&rows);
        let g = mean_outer(&values(d.clone()).chunks(out).map(<[f32]>::to_vec).collect::<Vec<_>>());
        for arithmetic in [Arithmetic::Host, Arithmetic::Device] {
            let mut tape = Tape::on();
            let y = tape.linear("fc", &layer, x.clone());
            let mut gradients = backward(y, d.clone());
            let factors = tape.captures(&mut gradients).unwrap().pop().unwrap().factors_by(arithmetic).unwrap();
            assert_close(&factors.a_mean.to_dense(), &a, 1e-5, "A");
            assert_close(&factors.g_mean.to_dense(), &g, 1e-5, "G");
        }
    }
}

impl Numbers {
    /// A stream of its own for output gradients, so that twins draw the same.
    fn clone_at(&self) -> Self {
        Self(self.0)
    }
}

/// Compares the factors of a convolution on random numbers with those by loops.
fn check_convolution(mut layer: Conv2d, batch: usize, size: [usize; 2], seed: u64) {
    let mut numbers = Numbers(seed);
    let shape = layer.weight.dims();
    layer.weight = Param::from_tensor(numbers.tensor(shape, &device()));
    let x = numbers.tensor([batch, shape[1], size[0], size[1]], &device());
    let reference = by_loops(&layer, &x, &mut numbers.clone_at());
    for arithmetic in [Arithmetic::Host, Arithmetic::Device] {
        let mut tape = Tape::on();
        let y = tape.conv2d("conv", &layer, x.clone());
        let weights = numbers.clone_at().tensor(y.dims(), &device());
        let mut gradients = backward(y, weights);
        let capture = tape.captures(&mut gradients).unwrap().pop().unwrap();
        let factors = capture.factors_by(arithmetic).unwrap();
        assert_eq!(factors.positions, reference.2);
        assert_close(&factors.a_mean.to_dense(), &reference.0, 1e-5, "A");
        assert_close(&factors.g_mean.to_dense(), &reference.1, 1e-5, "G");
    }
}

/// Mean of r r^T over the rows r.
fn mean_outer(rows: &[Vec<f32>]) -> Vec<f64> {
    let dim = rows[0].len();
    let entry = |i: usize, j: usize| {
        rows.iter()
            .map(|r| f64::from(r[i]) * f64::from(r[j]))
            .sum::<f64>()
    };
    (0..dim * dim)
        .map(|at| entry(at / dim, at % dim) / rows.len() as f64)
        .collect()
}

/// A, G and T, straight from the definition.
fn by_loops(layer: &Conv2d, x: &Tensor<4>, numbers: &mut Numbers) -> (Vec<f64>, Vec<f64>, usize) {
    let y = layer.forward(x.clone());
    let [batch, out, height, width] = y.dims();
    let [_, channels, in_height, in_width] = x.dims();
    let [kh, kw] = layer.kernel_size;
    let (top, left) = match layer.padding {
        PaddingConfig2d::Explicit(top, left, ..) => (top, left),
        PaddingConfig2d::Valid => (0, 0),
        PaddingConfig2d::Same => {
            let before = |size: usize, kernel: usize, stride: usize| {
                ((size.div_ceil(stride) - 1) * stride + kernel).saturating_sub(size) / 2
            };
            (
                before(in_height, kh, layer.stride[0]),
                before(in_width, kw, layer.stride[1]),
            )
        }
    };
    let pixels = values(x.clone());
    let weights = values(numbers.tensor([batch, out, height, width], &device()));
    let (mut inputs, mut gradients) = (Vec::new(), Vec::new());
    for n in 0..batch {
        for oy in 0..height {
            for ox in 0..width {
                let mut a = Vec::new();
                for c in 0..channels {
                    for ky in 0..kh {
                        for kx in 0..kw {
                            let iy =
                                (oy * layer.stride[0] + ky * layer.dilation[0]).checked_sub(top);
                            let ix =
                                (ox * layer.stride[1] + kx * layer.dilation[1]).checked_sub(left);
                            let inside = iy.zip(ix).filter(|&(y, x)| y < in_height && x < in_width);
                            a.push(inside.map_or(0.0, |(y, x)| {
                                pixels[((n * channels + c) * in_height + y) * in_width + x]
                            }));
                        }
                    }
                }
                if layer.bias.is_some() {
                    a.push(1.0);
                }
                inputs.push(a);
                gradients.push(
                    (0..out)
                        .map(|o| weights[((n * out + o) * height + oy) * width + ox])
                        .collect(),
                );
            }
        }
    }
    (mean_outer(&inputs), mean_outer(&gradients), height * width)
}

/// One linear layer, one step of the product.
struct Bench {
    layer: Linear,
    kfac: Kfac,
    numbers: Numbers,
}

impl Bench {
    fn new(settings: Settings) -> Self {
        let mut numbers = Numbers(7);
        Self {
            layer: linear(3, 2, true, &mut numbers),
            kfac: Kfac::new(settings),
            numbers,
        }
    }

    /// A step on a new batch of 4 samples. The gradients before and after, the inputs, and what
    /// happened.
    fn step(&mut self) -> (Vec<f32>, Vec<f32>, Vec<f32>, Result<burn_kfac::Step, Error>) {
        let x = self.numbers.tensor([4, 3], &device());
        let d = self.numbers.tensor([4, 2], &device());
        self.step_on(x, d)
    }

    fn step_on(
        &mut self,
        x: Tensor<2>,
        d: Tensor<2>,
    ) -> (Vec<f32>, Vec<f32>, Vec<f32>, Result<burn_kfac::Step, Error>) {
        let needs_factors = self.kfac.needs_factors();
        let mut tape = if needs_factors {
            Tape::on()
        } else {
            Tape::off()
        };
        let mut gradients = backward(tape.linear("fc", &self.layer, x.clone()), d);
        let mut of_parameters = GradientsParams::from_module(&mut gradients, &self.layer);
        let before = self.both(&of_parameters);
        let step = if needs_factors {
            self.kfac.update(tape, &mut gradients)
        } else {
            Ok(())
        }
        .and_then(|()| self.kfac.precondition(0.5, &mut of_parameters));
        let after = if step.is_ok() {
            self.both(&of_parameters)
        } else {
            Vec::new()
        };
        (before, after, values(x), step)
    }

    fn both(&self, gradients: &GradientsParams) -> Vec<f32> {
        let mut all = values(gradients.get::<2>(self.layer.weight.id).unwrap());
        let bias = self.layer.bias.as_ref().unwrap().id;
        all.extend(values(gradients.get::<1>(bias).unwrap()));
        all
    }
}

#[test]
fn a_running_average_is_the_normalised_geometric_sum_of_its_batches() {
    let decay = 0.7;
    let mut bench = Bench::new(Settings {
        factor_decay: FactorDecay::new(decay).unwrap(),
        ..settings(1.0)
    });
    let mut batches: Vec<Vec<f64>> = Vec::new();
    for _ in 0..5 {
        let (_, _, x, step) = bench.step();
        step.unwrap();
        let rows: Vec<Vec<f32>> = x.chunks(3).map(|row| [row, &[1.0]].concat()).collect();
        batches.push(mean_outer(&rows));
        let weights: Vec<f64> = (0..batches.len())
            .rev()
            .map(|age| decay.powf(age as f64))
            .collect();
        let total: f64 = weights.iter().sum();
        let mean: Vec<f64> = (0..16)
            .map(|at| {
                batches
                    .iter()
                    .zip(&weights)
                    .map(|(m, w)| w * m[at])
                    .sum::<f64>()
                    / total
            })
            .collect();
        let ours = bench.kfac.factors("fc").unwrap().a_mean.to_dense();
        assert_close(&ours, &mean, 1e-5, "A");
    }
}

#[test]
fn at_huge_damping_kfac_is_sgd_at_the_learning_rate_over_the_damping() {
    let damping = 1e6;
    // The cross terms of the factored inverse fall as 1 / sqrt(damping) only.
    for (method, tolerance) in DampingMethod::ALL
        .into_iter()
        .zip([1e-5, 0.02, 0.02, 0.02, 0.02])
    {
        let mut bench = Bench::new(Settings {
            damping_method: method,
            ..settings(damping)
        });
        let (before, after, _, step) = bench.step();
        step.unwrap();
        let reference: Vec<f64> = before.iter().map(|&v| f64::from(v) / damping).collect();
        assert_close(&after, &reference, tolerance, method.name());
    }
}

#[test]
fn factors_and_inverses_are_renewed_on_their_own_intervals() {
    let every = |n| NonZeroU32::new(n).unwrap();
    let mut bench = Bench::new(Settings {
        factor_every: every(2),
        inverse_every: every(3),
        ..settings(0.1)
    });
    // With the same gradients in, U changes exactly when the inverse does.
    let (x, d) = (
        bench.numbers.tensor([4, 3], &device()),
        bench.numbers.tensor([4, 2], &device()),
    );
    let probe = |kfac: &mut Kfac, layer: &Linear| {
        let mut gradients = backward(layer.forward(x.clone()), d.clone());
        let mut of_parameters = GradientsParams::from_module(&mut gradients, layer);
        kfac.precondition(1.0, &mut of_parameters).unwrap();
        values(of_parameters.get::<2>(layer.weight.id).unwrap())
    };
    let (mut renewed_factors, mut last, mut renewed_inverse) = (Vec::new(), Vec::new(), Vec::new());
    for t in 0..8 {
        if bench.kfac.needs_factors() {
            renewed_factors.push(t);
            let mut tape = Tape::on();
            let (x, d) = (
                bench.numbers.tensor([4, 3], &device()),
                bench.numbers.tensor([4, 2], &device()),
            );
            let mut gradients = backward(tape.linear("fc", &bench.layer, x), d);
            bench.kfac.update(tape, &mut gradients).unwrap();
        }
        let u = probe(&mut bench.kfac, &bench.layer);
        if u != last {
            renewed_inverse.push(t);
        }
        last = u;
    }
    assert_eq!(renewed_factors, [0, 2, 4, 6]);
    assert_eq!(renewed_inverse, [0, 3, 6]);
    assert_eq!(bench.kfac.step(), 8);
}

#[test]
fn burn_in_passes_gradients_through_until_both_bounds_are_met() {
    // dim(A) = 4, batches of 4: 2 examples a dimension are 2 batches; 3 batches bind.
    let burn_in = BurnIn {
        batches: 3,
        examples_per_dimension: 2,
    };
    let mut bench = Bench::new(Settings {
        burn_in,
        ..settings(0.1)
    });
    let mut preconditioned = Vec::new();
    for _ in 0..4 {
        let (before, after, _, step) = bench.step();
        let step = step.unwrap();
        assert_eq!(step.preconditioned, before != after);
        preconditioned.push(step.preconditioned);
    }
    assert_eq!(preconditioned, [false, false, true, true]);
    let burn_in = BurnIn {
        batches: 0,
        examples_per_dimension: 2,
    };
    let mut bench = Bench::new(Settings {
        burn_in,
        ..settings(0.1)
    });
    let steps = [bench.step(), bench.step()].map(|(.., step)| step.unwrap().preconditioned);
    assert_eq!(steps, [false, true]);
}

#[test]
fn clipping_bounds_the_predicted_change() {
    let mut free = Bench::new(settings(0.1));
    let (v, u, _, step) = free.step();
    let step = step.unwrap();
    let product: f64 = u
        .iter()
        .zip(&v)
        .map(|(&u, &v)| f64::from(u) * f64::from(v))
        .sum();
    assert!((step.vg - 0.25 * product).abs() < 1e-6 * step.vg && step.nu >= 1.0);
    let kappa = step.vg / 9.0;
    let mut clipped = Bench::new(Settings {
        kl_clip: Some(KlClip::new(kappa).unwrap()),
        ..settings(0.1)
    });
    let (_, shorter, _, step) = clipped.step();
    assert!((step.unwrap().nu - 1.0 / 3.0).abs() < 1e-9);
    let third: Vec<f64> = u.iter().map(|&u| f64::from(u) / 3.0).collect();
    assert_close(&shorter, &third, 1e-6, "clipped U");
}

#[test]
fn numbers_that_are_none_are_errors_that_name_layer_and_quantity() {
    let non_finite = |what| Error::NonFinite {
        layer: "fc".into(),
        what,
    };
    for bad in [f32::NAN, f32::INFINITY, f32::MAX] {
        let mut bench = Bench::new(settings(0.1));
        let x = Tensor::from_data(TensorData::new(vec![bad; 12], [4, 3]), &device());
        let d = bench.numbers.tensor([4, 2], &device());
        assert_eq!(
            bench.step_on(x, d).3.unwrap_err(),
            non_finite(Quantity::InputFactor),
            "{bad}"
        );
        let mut bench = Bench::new(settings(0.1));
        let x = bench.numbers.tensor([4, 3], &device());
        let d = Tensor::from_data(TensorData::new(vec![bad; 8], [4, 2]), &device());
        assert_eq!(
            bench.step_on(x, d).3.unwrap_err(),
            non_finite(Quantity::OutputFactor),
            "{bad}"
        );
    }
    // A gradient that turns bad between two factor updates.
    let mut bench = Bench::new(Settings {
        factor_every: NonZeroU32::new(2).unwrap(),
        ..settings(0.1)
    });
    bench.step().3.unwrap();
    let x = bench.numbers.tensor([4, 3], &device());
    let d = Tensor::from_data(TensorData::new(vec![f32::NAN; 8], [4, 2]), &device());
    assert_eq!(
        bench.step_on(x, d).3.unwrap_err(),
        non_finite(Quantity::Gradient)
    );
    // Factors made by somebody else.
    let factors = KroneckerFactors {
        layer: "fc".into(),
        a_mean: Symmetric::from_dense(2, &[f32::NAN; 4]),
        g_mean: Symmetric::zeros(2),
        positions: 1,
    };
    for method in DampingMethod::ALL {
        let made = factors.preconditioner(Damping::new(1.0).unwrap(), method);
        assert_eq!(made.unwrap_err(), non_finite(Quantity::InputFactor));
    }
}

#[test]
fn vanishing_curvature_leaves_the_gradient_over_the_damping() {
    let factors = KroneckerFactors {
        layer: "fc".into(),
        a_mean: Symmetric::from_dense(2, &[1.0, 0.0, 0.0, 1.0]),
        g_mean: Symmetric::zeros(2),
        positions: 1,
    };
    let u = factors
        .preconditioner(Damping::new(0.25).unwrap(), DampingMethod::Eigen)
        .unwrap()
        .apply(&[1.0, 2.0, 3.0, 4.0]);
    assert_close(&u, &[4.0, 8.0, 12.0, 16.0], 1e-6, "U");
    assert!((factors.pi(Pi::Trace).unwrap() - 1.0).abs() < 1e-12);
}

#[test]
fn a_spectrum_has_the_products_of_both_sides_times_the_positions() {
    let factors = KroneckerFactors {
        layer: "fc".into(),
        a_mean: Symmetric::from_dense(2, &[2.0, 0.0, 0.0, 3.0]),
        g_mean: Symmetric::from_dense(2, &[1.0, 0.0, 0.0, 5.0]),
        positions: 4,
    };
    let eigenvalues = factors.eigenvalues().unwrap();
    for (ours, reference) in eigenvalues.iter().zip([8.0, 12.0, 40.0, 60.0]) {
        assert!((ours - reference).abs() < 1e-9);
    }
    let spectrum = factors.spectrum().unwrap();
    assert!((spectrum.top - 60.0).abs() < 1e-9 && (spectrum.median - 12.0).abs() < 1e-9);
}

#[test]
fn arithmetic_on_the_device_gives_what_the_host_gives() {
    #[derive(Module, Debug)]
    struct Net {
        conv: Conv2d,
        fc: Linear,
    }
    let mut numbers = Numbers(3);
    let conv = Conv2dConfig::new([2, 3], [3, 3])
        .with_stride([2, 1])
        .init(&device());
    let net = Net {
        conv,
        fc: linear(3, 2, true, &mut numbers),
    };
    for method in [DampingMethod::Eigen, DampingMethod::Factored(Pi::Trace)] {
        let kappa = Some(KlClip::new(1e-3).unwrap());
        let settings = Settings {
            damping_method: method,
            kl_clip: kappa,
            ..settings(0.01)
        };
        let run = |arithmetic| {
            let mut numbers = Numbers(11);
            let mut kfac = Kfac::new(settings).with_arithmetic(arithmetic);
            let (mut all, mut products) = (Vec::new(), Vec::new());
            for _ in 0..3 {
                let x = numbers.tensor([5, 2, 7, 6], &device());
                let d = numbers.tensor([5, 2], &device());
                let mut tape = Tape::on();
                let h = tape
                    .conv2d("conv", &net.conv, x)
                    .mean_dim(3)
                    .mean_dim(2)
                    .flatten::<2>(1, 3);
                let mut gradients = backward(tape.linear("fc", &net.fc, h), d);
                let mut of_parameters = GradientsParams::from_module(&mut gradients, &net);
                kfac.update(tape, &mut gradients).unwrap();
                let step = kfac.precondition(0.1, &mut of_parameters).unwrap();
                products.extend([step.vg as f32, step.nu as f32]);
                all.extend(values(of_parameters.get::<4>(net.conv.weight.id).unwrap()));
                all.extend(values(of_parameters.get::<2>(net.fc.weight.id).unwrap()));
                for bias in [&net.conv.bias, &net.fc.bias] {
                    all.extend(values(
                        of_parameters.get::<1>(bias.as_ref().unwrap().id).unwrap(),
                    ));
                }
            }
            (all, products)
        };
        let (host, device) = (run(Arithmetic::Host), run(Arithmetic::Device));
        for (host, device, what) in [(host.0, device.0, "U"), (host.1, device.1, "vg and nu")] {
            let host: Vec<f64> = host.into_iter().map(f64::from).collect();
            assert_close(&device, &host, 1e-4, what);
        }
    }
}

#[test]
fn what_a_training_loop_puts_together_wrongly_is_an_error() {
    let mut numbers = Numbers(5);
    let layer = linear(3, 3, true, &mut numbers);
    let x = numbers.tensor([2, 3], &device());
    let d = numbers.tensor([2, 3], &device());
    let named = |layer: &str| layer.to_owned();

    let mut kfac = Kfac::new(settings(1.0));
    let mut gradients = backward(layer.forward(x.clone()), d.clone());
    assert_eq!(
        kfac.update(Tape::off(), &mut gradients),
        Err(Error::EmptyTape)
    );
    let mut of_parameters = GradientsParams::from_module(&mut gradients, &layer);
    assert_eq!(
        kfac.precondition(1.0, &mut of_parameters),
        Err(Error::NoFactors)
    );

    let mut tape = Tape::on();
    let y = tape.linear("a", &layer, x.clone());
    let mut gradients = backward(tape.linear("b", &layer, y), d.clone());
    assert_eq!(
        tape.captures(&mut gradients).unwrap_err(),
        Error::Repeated { layer: named("b") }
    );

    let mut tape = Tape::on();
    tape.linear("unused", &layer, x.clone());
    let mut gradients = backward(layer.forward(x.clone()), d.clone());
    let error = Error::NoOutputGradient {
        layer: named("unused"),
    };
    assert_eq!(tape.captures(&mut gradients).unwrap_err(), error);

    let mut tape = Tape::curvature_only();
    let mut gradients = backward(tape.linear("fc", &layer, x), d);
    kfac.update(tape, &mut gradients).unwrap();
    let mut none = GradientsParams::from_module(&mut gradients, &layer);
    let error = Error::NoGradient {
        layer: named("fc"),
        parameter: "weight",
    };
    assert_eq!(kfac.precondition(1.0, &mut none), Err(error));

    let grouped = Conv2dConfig::new([2, 2], [1, 1])
        .with_groups(2)
        .init(&device());
    let mut tape = Tape::on();
    let y = tape.conv2d("grouped", &grouped, numbers.tensor([1, 2, 2, 2], &device()));
    let mut gradients = y.sum().backward();
    assert_eq!(
        tape.captures(&mut gradients).unwrap_err(),
        Error::Grouped {
            layer: named("grouped")
        }
    );
}

#[test]
fn parameters_of_no_recorded_layer_keep_their_gradients() {
    #[derive(Module, Debug)]
    struct Net {
        seen: Linear,
        unseen: Linear,
    }
    let mut numbers = Numbers(9);
    let net = Net {
        seen: linear(3, 3, true, &mut numbers),
        unseen: linear(3, 2, true, &mut numbers),
    };
    let mut tape = Tape::on();
    let h = tape.linear("seen", &net.seen, numbers.tensor([4, 3], &device()));
    let mut gradients = backward(net.unseen.forward(h), numbers.tensor([4, 2], &device()));
    let mut of_parameters = GradientsParams::from_module(&mut gradients, &net);
    let before = values(of_parameters.get::<2>(net.unseen.weight.id).unwrap());
    let seen = values(of_parameters.get::<2>(net.seen.weight.id).unwrap());
    let mut kfac = Kfac::new(settings(0.1));
    kfac.update(tape, &mut gradients).unwrap();
    kfac.precondition(1.0, &mut of_parameters).unwrap();
    assert_eq!(
        before,
        values(of_parameters.get::<2>(net.unseen.weight.id).unwrap())
    );
    assert_ne!(
        seen,
        values(of_parameters.get::<2>(net.seen.weight.id).unwrap())
    );
    assert_eq!(of_parameters.len(), 4);
}

#[test]
fn a_tape_does_not_change_what_a_network_computes() {
    let mut numbers = Numbers(13);
    let layer = linear(3, 2, true, &mut numbers);
    let conv = Conv2dConfig::new([2, 3], [2, 3])
        .with_padding(PaddingConfig2d::Same)
        .init(&device());
    let (x, image) = (
        numbers.tensor([4, 3], &device()),
        numbers.tensor([2, 2, 5, 4], &device()),
    );
    let plain = (
        values(layer.forward(x.clone())),
        values(conv.forward(image.clone())),
    );
    for make in [Tape::off, Tape::on, Tape::curvature_only] {
        let mut tape = make();
        assert_eq!(plain.0, values(tape.linear("fc", &layer, x.clone())));
        assert_eq!(plain.1, values(tape.conv2d("conv", &conv, image.clone())));
    }
}

#[test]
fn the_second_look_at_a_batch_leaves_running_statistics_alone() {
    let layer = burn::nn::BatchNormConfig::new(2).init(&device());
    let x = Numbers(1).tensor([6, 2], &device());
    let mean = || values(layer.running_mean.value_sync());
    let start = mean();
    let second = Tape::curvature_only().batch_norm(&layer, x.clone());
    assert_eq!(start, mean());
    let first = Tape::off().batch_norm(&layer, x);
    assert_ne!(start, mean());
    assert_eq!(values(first), values(second));
}

#[test]
fn one_thread_and_four_give_the_same_bits() {
    #[derive(Module, Debug)]
    struct Net {
        first: Conv2d,
        second: Conv2d,
    }
    // Large enough for factors, decompositions and products to be spread over threads.
    let mut numbers = Numbers(17);
    let mut conv = || {
        let mut layer = Conv2dConfig::new([32, 32], [3, 3]).init(&device());
        layer.weight = Param::from_tensor(numbers.tensor([32, 32, 3, 3], &device()));
        layer
    };
    let net = Net {
        first: conv(),
        second: conv(),
    };
    let run = || {
        let mut numbers = Numbers(19);
        let mut tape = Tape::on();
        let x = numbers.tensor([8, 32, 10, 10], &device());
        let h = tape.conv2d("first", &net.first, x);
        let y = tape.conv2d("second", &net.second, h);
        let d = numbers.tensor(y.dims(), &device());
        let mut gradients = backward(y, d);
        let mut of_parameters = GradientsParams::from_module(&mut gradients, &net);
        let mut kfac = Kfac::new(settings(0.1));
        kfac.update(tape, &mut gradients).unwrap();
        kfac.precondition(1.0, &mut of_parameters).unwrap();
        [&net.first, &net.second]
            .map(|layer| values(of_parameters.get::<4>(layer.weight.id).unwrap()))
    };
    let with = |threads| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
            .install(run)
    };
    let (one, four) = (with(1), with(4));
    assert!(one.iter().flatten().all(|x| x.is_finite()));
    assert!(one == four);
}
