//! Convolution by the kernels for GPUs, on Vulkan's software device, against a naive twin in double precision.
//!
//! Built with the feature `wgpu` only. Where there is no software adapter (Debian: `mesa-vulkan-drivers`), the tests
//! are left out, and say so, unless `CI=true`.

mod numbers;
mod software;

use burn::tensor::{Device, Tensor, TensorData};
use burn_conv_kernels::{Geometry, conv2d, linear, probed_conv2d};
use numbers::numbers;
use software::software;

#[derive(Clone, Debug)]
struct Case {
    batch: usize,
    /// Of input and output.
    channels: [usize; 2],
    input: [usize; 2],
    kernel: [usize; 2],
    geometry: Geometry,
}

/// What the twin computes; the loss is the sum of the outputs, weighted by `g`.
struct Twin {
    output: Vec<f64>,
    x: Vec<f64>,
    weight: Vec<f64>,
    bias: Vec<f64>,
}

impl Case {
    fn new(
        batch: usize,
        channels: [usize; 2],
        input: [usize; 2],
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
    ) -> Self {
        let geometry = Geometry { stride, padding };
        Self {
            batch,
            channels,
            input,
            kernel,
            geometry,
        }
    }

    fn x_dims(&self) -> [usize; 4] {
        [self.batch, self.channels[0], self.input[0], self.input[1]]
    }

    fn weight_dims(&self) -> [usize; 4] {
        let [inputs, outputs] = self.channels;
        [outputs, inputs, self.kernel[0], self.kernel[1]]
    }

    fn output_dims(&self) -> [usize; 4] {
        let Geometry { stride, padding } = self.geometry;
        let size = |axis: usize| {
            (self.input[axis] + 2 * padding[axis] - self.kernel[axis]) / stride[axis] + 1
        };
        [self.batch, self.channels[1], size(0), size(1)]
    }

    /// Each product of a pixel and a weight, where it belongs.
    fn twin(&self, x: &[f64], weight: &[f64], bias: &[f64], g: &[f64]) -> Twin {
        let Geometry { stride, padding } = self.geometry;
        let at = |dims: [usize; 4], place: [usize; 4]| {
            place
                .iter()
                .zip(dims)
                .fold(0, |at, (index, length)| at * length + index)
        };
        let [batch, outputs, rows, columns] = self.output_dims();
        let mut twin = Twin {
            output: vec![0.0; g.len()],
            x: vec![0.0; x.len()],
            weight: vec![0.0; weight.len()],
            bias: vec![0.0; bias.len()],
        };
        for n in 0..batch {
            for o in 0..outputs {
                for (p, q) in (0..rows).flat_map(|p| (0..columns).map(move |q| (p, q))) {
                    let y = at(self.output_dims(), [n, o, p, q]);
                    twin.output[y] += bias[o];
                    twin.bias[o] += g[y];
                    for i in 0..self.channels[0] {
                        for a in 0..self.kernel[0] {
                            for b in 0..self.kernel[1] {
                                let row = (p * stride[0] + a).checked_sub(padding[0]);
                                let column = (q * stride[1] + b).checked_sub(padding[1]);
                                let (Some(row), Some(column)) = (row, column) else {
                                    continue;
                                };
                                if row >= self.input[0] || column >= self.input[1] {
                                    continue;
                                }
                                let from = at(self.x_dims(), [n, i, row, column]);
                                let by = at(self.weight_dims(), [o, i, a, b]);
                                twin.output[y] += x[from] * weight[by];
                                twin.x[from] += g[y] * weight[by];
                                twin.weight[by] += g[y] * x[from];
                            }
                        }
                    }
                }
            }
        }
        twin
    }
}

fn tensor<const D: usize>(values: &[f64], dims: [usize; D], device: &Device) -> Tensor<D> {
    let values: Vec<f32> = values.iter().map(|x| *x as f32).collect();
    Tensor::from_data(TensorData::new(values, dims), device)
}

/// The same values, channels last in memory.
fn channels_last(tensor: Tensor<4>, device: &Device) -> Tensor<4> {
    let last = tensor.permute([0, 2, 3, 1]).into_data();
    Tensor::<4>::from_data(last, device).permute([0, 3, 1, 2])
}

/// No difference is larger than so many parts of the largest value, or of 1: of a sum of terms of about 1.
#[track_caller]
fn close<const D: usize>(what: &str, ours: &Tensor<D>, expected: &[f64], tolerance: f64) {
    let ours: Vec<f32> = ours.to_data().try_into_vec().unwrap();
    assert_eq!(ours.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1.0, |a: f64, b| a.max(b.abs()));
    for (at, (ours, expected)) in ours.iter().zip(expected).enumerate() {
        let apart = (f64::from(*ours) - expected).abs() / largest;
        assert!(
            apart < tolerance,
            "{what}, {at}: {ours}, expected {expected}"
        );
    }
}

/// Output and all gradients, against the twin.
fn check(case: &Case, device: &Device, last: bool, with_bias: bool) {
    let what = |of: &str| format!("{of} of {case:?}, channels last: {last}, bias: {with_bias}");
    let count = |dims: [usize; 4]| dims.iter().product::<usize>();
    let (x_dims, weight_dims, output_dims) =
        (case.x_dims(), case.weight_dims(), case.output_dims());
    let x = numbers(1, count(x_dims));
    let weight = numbers(2, count(weight_dims));
    let bias = if with_bias {
        numbers(3, case.channels[1])
    } else {
        vec![0.0; case.channels[1]]
    };
    let g = numbers(4, count(output_dims));
    let twin = case.twin(&x, &weight, &bias, &g);

    let device = device.clone().autodiff();
    let image = |values: &[f64], dims| {
        let tensor = tensor(values, dims, &device);
        if last {
            channels_last(tensor, &device)
        } else {
            tensor
        }
    };
    let x = image(&x, x_dims).require_grad();
    let weight = image(&weight, weight_dims).require_grad();
    let bias = tensor(&bias, [case.channels[1]], &device).require_grad();
    let given = with_bias.then(|| bias.clone());
    let y = conv2d(x.clone(), weight.clone(), given, case.geometry);
    assert_eq!(y.dims(), output_dims, "{}", what("output"));
    let gradients = (y.clone() * image(&g, output_dims)).sum().backward();
    close(&what("output"), &y, &twin.output, 2e-6);
    let gradient = x.grad(&gradients).expect("x requires one");
    close(&what("gradient at x"), &gradient, &twin.x, 2e-6);
    let gradient = weight.grad(&gradients).expect("the weight requires one");
    close(
        &what("gradient at the weight"),
        &gradient,
        &twin.weight,
        2e-6,
    );
    match bias.grad(&gradients) {
        Some(gradient) => close(&what("gradient at the bias"), &gradient, &twin.bias, 2e-6),
        None => assert!(!with_bias, "{}", what("gradient at the bias")),
    }
}

#[test]
fn outputs_and_gradients_are_those_of_a_naive_twin_for_odd_shapes_and_layouts() {
    let Some(device) = software() else { return };
    for case in [
        // The smallest there is, a pixel, and a fully connected layer.
        Case::new(1, [1, 1], [1, 1], [1, 1], [1, 1], [0, 0]),
        Case::new(5, [37, 11], [1, 1], [1, 1], [1, 1], [0, 0]),
        Case::new(2, [3, 5], [4, 7], [3, 3], [1, 1], [1, 1]),
        // Strides that leave pixels out, unlike ones, borders as wide as the kernel.
        Case::new(3, [4, 17], [9, 8], [3, 3], [2, 2], [1, 1]),
        Case::new(2, [7, 6], [9, 8], [3, 2], [2, 3], [1, 0]),
        Case::new(2, [5, 4], [8, 9], [1, 1], [2, 2], [0, 0]),
        Case::new(2, [2, 3], [5, 4], [2, 3], [3, 2], [2, 3]),
        Case::new(1, [3, 2], [6, 5], [5, 4], [1, 1], [4, 0]),
        // Several tiles on either side, several parts of the sum over positions.
        Case::new(3, [20, 70], [11, 13], [3, 3], [1, 1], [1, 1]),
        Case::new(2, [65, 33], [6, 6], [3, 3], [1, 1], [1, 1]),
        Case::new(9, [3, 16], [17, 19], [3, 3], [1, 1], [1, 1]),
    ] {
        for last in [false, true] {
            for with_bias in [false, true] {
                check(&case, &device, last, with_bias);
            }
        }
    }
}

/// A fully connected layer is a convolution of images of one pixel whose weight lies the other way.
#[test]
fn a_fully_connected_layer_is_that_of_the_twin() {
    let Some(device) = software() else { return };
    let device = device.autodiff();
    // The last one: several parts of the sum over the batch.
    for [batch, inputs, outputs] in [[1, 1, 1], [7, 19, 10], [33, 70, 65], [600, 12, 5]] {
        let case = Case::new(batch, [inputs, outputs], [1, 1], [1, 1], [1, 1], [0, 0]);
        let (x, bias) = (numbers(1, batch * inputs), numbers(3, outputs));
        let (weight, g) = (numbers(2, inputs * outputs), numbers(4, batch * outputs));
        let twin = case.twin(&x, &weight, &bias, &g);
        let what = |of: &str| format!("{of} of {case:?}");
        let x = tensor(&x, [batch, inputs], &device).require_grad();
        // The twin's is `[out, in]`.
        let transposed = tensor(&weight, [outputs, inputs], &device).transpose();
        let weight = Tensor::from_data(transposed.into_data(), &device).require_grad();
        let bias = tensor(&bias, [outputs], &device).require_grad();
        let probe = Tensor::zeros([batch, outputs], &device).require_grad();
        let y = linear(
            x.clone(),
            weight.clone(),
            Some(bias.clone()),
            Some(probe.clone()),
        );
        let weighting = tensor(&g, [batch, outputs], &device);
        let gradients = (y.clone() * weighting).sum().backward();
        close(&what("output"), &y, &twin.output, 2e-6);
        let x = x.grad(&gradients).expect("x requires one");
        close(&what("gradient at x"), &x, &twin.x, 2e-6);
        let weight = weight.grad(&gradients).expect("the weight requires one");
        let weight = weight.transpose();
        close(&what("gradient at the weight"), &weight, &twin.weight, 2e-6);
        let bias = bias.grad(&gradients).expect("the bias requires one");
        close(&what("gradient at the bias"), &bias, &twin.bias, 2e-6);
        let probe = probe.grad(&gradients).expect("the probe requires one");
        close(&what("gradient at the probe"), &probe, &g, 1e-7);
    }
}

/// Images and weights in another order of dimensions, with gaps between them.
#[test]
fn views_are_read_where_they_lie() {
    let Some(device) = software() else { return };
    let case = Case::new(4, [3, 6], [8, 9], [3, 3], [1, 1], [1, 1]);
    let (x, weight) = (numbers(1, 4 * 5 * 8 * 9), numbers(2, 6 * 3 * 3 * 3));
    let images = tensor(&x, [9, 8, 5, 4], &device)
        .permute([3, 2, 1, 0])
        .narrow(1, 1, 3);
    let turned = tensor(&weight, [3, 3, 6, 3], &device).permute([2, 3, 1, 0]);
    let values = |tensor: &Tensor<4>| -> Vec<f64> {
        let values: Vec<f32> = tensor.to_data().try_into_vec().unwrap();
        values.into_iter().map(f64::from).collect()
    };
    let (x, weight) = (values(&images), values(&turned));
    let zeros = vec![0.0; 4 * 6 * 8 * 9];
    let twin = case.twin(&x, &weight, &[0.0; 6], &zeros);
    let y = conv2d(images, turned, None, case.geometry);
    close("output", &y, &twin.output, 2e-6);
}

#[test]
fn a_probe_gets_the_gradient_at_the_output_and_constants_get_none() {
    let Some(device) = software() else { return };
    let device = device.autodiff();
    let case = Case::new(3, [2, 4], [6, 5], [3, 3], [1, 1], [1, 1]);
    let x = tensor(&numbers(1, 3 * 2 * 6 * 5), case.x_dims(), &device);
    let weight = tensor(&numbers(2, 4 * 2 * 9), case.weight_dims(), &device).require_grad();
    let weighting = tensor(&numbers(3, 3 * 4 * 6 * 5), case.output_dims(), &device);
    let probe = Tensor::zeros(case.output_dims(), &device).require_grad();
    let plain = conv2d(x.clone(), weight.clone(), None, case.geometry);
    let probed = probed_conv2d(
        x.clone(),
        weight.clone().inner(),
        None,
        probe.clone(),
        case.geometry,
    );
    assert_eq!(probed.to_data(), plain.to_data());
    let gradients = (probed * weighting.clone()).sum().backward();
    let seen = probe.grad(&gradients).expect("the probe requires one");
    assert_eq!(seen.to_data(), weighting.inner().to_data());
    assert!(x.grad(&gradients).is_none() && weight.grad(&gradients).is_none());
}

#[test]
fn the_same_numbers_give_the_same_bits_each_time() {
    let Some(device) = software() else { return };
    let device = device.autodiff();
    let case = Case::new(8, [16, 32], [14, 15], [3, 3], [2, 2], [1, 1]);
    let bits = || {
        let x = tensor(&numbers(1, 8 * 16 * 14 * 15), case.x_dims(), &device).require_grad();
        let weight = tensor(&numbers(2, 32 * 16 * 9), case.weight_dims(), &device).require_grad();
        let y = conv2d(x.clone(), weight.clone(), None, case.geometry);
        let gradients = (y.clone() * y.clone()).sum().backward();
        let [x, weight] = [x, weight].map(|it| it.grad(&gradients).unwrap().into_data());
        (y.inner().into_data(), x, weight)
    };
    assert_eq!(bits(), bits());
}
