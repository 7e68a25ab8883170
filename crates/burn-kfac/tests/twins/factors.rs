//! Factors of layers, against loops over samples, positions and the kernel.

use burn::module::Param;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::Tensor;
use burn_kfac::Tape;
use proptest::prelude::*;

use crate::{Numbers, assert_close, backward, device, linear, mean_outer, values};

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

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
        let mut tape = Tape::on();
        let mut gradients = backward(tape.linear("fc", &layer, x.clone()), d.clone());
        let factors = tape.factors(&mut gradients).unwrap().pop().unwrap();
        assert_close(&factors.a_mean.to_dense(), &a, 1e-5, "A");
        assert_close(&factors.g_mean.to_dense(), &g, 1e-5, "G");
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
    let mut tape = Tape::on();
    let y = tape.conv2d("conv", &layer, x.clone());
    let weights = numbers.clone_at().tensor(y.dims(), &device());
    let mut gradients = backward(y, weights);
    let factors = tape.factors(&mut gradients).unwrap().pop().unwrap();
    assert_eq!(factors.positions, reference.2);
    assert_close(&factors.a_mean.to_dense(), &reference.0, 1e-5, "A");
    assert_close(&factors.g_mean.to_dense(), &reference.1, 1e-5, "G");
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
