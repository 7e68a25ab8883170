//! Initial weights, drawn on the host in the order and layout of PyTorch's tensors.

use burn::module::Param;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, PaddingConfig2d};
use burn::tensor::{Device, Tensor, TensorData};

use datasets::random::Stream;

/// The stream that weights are drawn from and the (autodiff) device that they go to.
pub(super) struct Initial<'a> {
    pub(super) stream: &'a mut Stream,
    pub(super) device: &'a Device,
}

/// Variance times fan-in of layers that a ReLU follows. Source: He et al. 2015, eq. (10).
pub(super) const BEFORE_RELU: f64 = 2.0;
/// Variance times fan-in of a layer that nothing follows.
pub(super) const LAST: f64 = 1.0;

impl Initial<'_> {
    /// A fully connected layer.
    pub(super) fn linear(&mut self, inputs: usize, outputs: usize, gain: f64) -> Linear {
        let weight = self.normal(&[outputs, inputs], inputs, gain);
        Linear {
            weight: Param::from_tensor(
                Tensor::<2>::from_data(weight, self.device)
                    .transpose()
                    .detach(),
            ),
            bias: Some(self.constant(0.0, outputs)),
        }
    }

    /// A 3x3 convolution with padding 1, without bias.
    pub(super) fn conv3x3(&mut self, inputs: usize, outputs: usize, stride: usize) -> Conv2d {
        let mut layer = Conv2dConfig::new([inputs, outputs], [3, 3])
            .with_stride([stride, stride])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_bias(false)
            .with_initializer(burn::nn::Initializer::Zeros)
            .init(self.device);
        let weight = self.normal(&[outputs, inputs, 3, 3], inputs * 9, BEFORE_RELU);
        layer.weight = Param::from_tensor(Tensor::from_data(weight, self.device));
        layer
    }

    /// A vector of equal numbers.
    pub(super) fn constant(&self, value: f32, length: usize) -> Param<Tensor<1>> {
        let values = TensorData::new(vec![value; length], [length]);
        Param::from_tensor(Tensor::from_data(values, self.device))
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
