//! Initial weights, drawn on the host in the order and layout of PyTorch's tensors.

use burn::module::Param;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, PaddingConfig2d};
use burn::tensor::{Device, Tensor, TensorData};
use burn_conv_kernels::transfer;

use datasets::random::Stream;

/// The stream that weights are drawn from and the (autodiff) device that they go to.
pub(super) struct Initial<'a> {
    pub(super) stream: &'a mut Stream,
    pub(super) device: &'a Device,
}

/// Variance times fan-in of layers that a ReLU follows. Source: He et al. 2015, eq. (10).
pub(super) const BEFORE_RELU: f64 = 2.0;
/// As [`BEFORE_RELU`] where inputs are not rectified normal numbers, of second moment 1/2, but the largest of
/// windows of nine: the second moment of the largest of nine standard normal numbers is 1.485^2 + 0.357.
/// Without it, two poolings leave logits of variance 20, and a loss of 5 instead of ln 10.
///
/// Source: He et al. 2015, eq. (7), with the moments of Teichroew 1956, Tables of expected values of order
/// statistics, n = 9.
pub(super) const AFTER_POOLING: f64 = 1.0 / 2.563;
/// Variance times fan-in of a layer that nothing follows.
pub(super) const LAST: f64 = 1.0;

impl Initial<'_> {
    /// A fully connected layer.
    pub(super) fn linear(&mut self, inputs: usize, outputs: usize, gain: f64) -> Linear {
        let weight = self.normal(&[outputs, inputs], inputs, gain);
        Linear {
            weight: Param::from_tensor(
                transfer::up::<2, _>(weight, self.device)
                    .transpose()
                    .detach(),
            ),
            bias: Some(self.constant(0.0, outputs)),
        }
    }

    /// A 3x3 convolution with padding 1, without bias: BatchNorm follows and has a shift.
    pub(super) fn conv3x3(&mut self, inputs: usize, outputs: usize, stride: usize) -> Conv2d {
        self.convolution(inputs, outputs, 3, stride, BEFORE_RELU)
    }

    /// A 5x5 convolution with padding 2 and a bias.
    pub(super) fn conv5x5(&mut self, inputs: usize, outputs: usize, gain: f64) -> Conv2d {
        let mut layer = self.convolution(inputs, outputs, 5, 1, gain);
        layer.bias = Some(self.constant(0.0, outputs));
        layer
    }

    /// Without bias; at stride 1 the output has the size of the input.
    fn convolution(
        &mut self,
        inputs: usize,
        outputs: usize,
        kernel: usize,
        stride: usize,
        gain: f64,
    ) -> Conv2d {
        let pad = kernel / 2;
        let mut layer = Conv2dConfig::new([inputs, outputs], [kernel, kernel])
            .with_stride([stride, stride])
            .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
            .with_bias(false)
            .with_initializer(burn::nn::Initializer::Zeros)
            .init(self.device);
        let shape = [outputs, inputs, kernel, kernel];
        let weight = self.normal(&shape, inputs * kernel * kernel, gain);
        layer.weight = Param::from_tensor(transfer::up(weight, self.device));
        layer
    }

    /// A vector of equal numbers.
    pub(super) fn constant(&self, value: f32, length: usize) -> Param<Tensor<1>> {
        let values = TensorData::new(vec![value; length], [length]);
        Param::from_tensor(transfer::up(values, self.device))
    }

    fn normal(&mut self, shape: &[usize], fan_in: usize, gain: f64) -> TensorData {
        let deviation = (gain / fan_in as f64).sqrt();
        let count = shape.iter().product();
        let values: Vec<f32> = (0..count)
            .map(|_| (deviation * self.stream.normal()) as f32)
            .collect();
        TensorData::new(values, shape.to_vec())
    }
}
