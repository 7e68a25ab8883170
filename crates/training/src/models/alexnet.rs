//! AlexNet for small images.
//!
//! Two convolutions of 5x5 with 64 channels, each followed by ReLU and overlapping max-pooling (3x3,
//! stride 2), then fully connected layers of 384, 192 and `classes` units.
//!
//! Source: Zhang et al. 2017, Understanding deep learning requires rethinking generalization, appendix A
//! ("small AlexNet"; the channels are those that give its 1,387,786 parameters on 28x28 crops of CIFAR-10).
//! Its local response normalisation is left out: it has no parameters, and later networks dropped it
//! (Krizhevsky et al. 2012, section 3.3, report 13 % test error on CIFAR-10 without and 11 % with it). There is neither
//! BatchNorm nor dropout, so examples do not depend on each other. All layers have biases, and padding
//! keeps convolutions the size of their input and halves it at each pooling, rounding up.

use burn::module::Module;
use burn::nn::Linear;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;

use super::Pass;
use super::initial::{AFTER_POOLING, BEFORE_RELU, Initial, LAST};

/// Channels of both convolutions.
const CHANNELS: usize = 64;

/// The network; its parameters have the names of PyTorch modules of these names.
#[derive(Module, Debug)]
pub struct AlexNet {
    /// 5x5, image to 64 channels.
    pub conv1: Conv2d,
    /// 5x5, 64 to 64 channels.
    pub conv2: Conv2d,
    /// `[64 * height / 4 * width / 4, 384]`.
    pub fc1: Linear,
    /// `[384, 192]`.
    pub fc2: Linear,
    /// `[192, classes]`.
    pub fc3: Linear,
    #[module(skip)]
    shape: [usize; 3],
}

impl AlexNet {
    pub(super) fn new(shape: [usize; 3], classes: usize, initial: &mut Initial<'_>) -> Self {
        let [channels, height, width] = shape;
        let pixels = height.div_ceil(2).div_ceil(2) * width.div_ceil(2).div_ceil(2);
        Self {
            conv1: initial.conv5x5(channels, CHANNELS, BEFORE_RELU),
            conv2: initial.conv5x5(CHANNELS, CHANNELS, AFTER_POOLING),
            fc1: initial.linear(CHANNELS * pixels, 384, AFTER_POOLING),
            fc2: initial.linear(384, 192, BEFORE_RELU),
            fc3: initial.linear(192, classes, LAST),
            shape,
        }
    }

    pub(super) fn forward(&self, x: Tensor<2>, pass: &mut Pass<'_>) -> Tensor<2> {
        let [batch, _] = x.dims();
        let [channels, height, width] = self.shape;
        let x = x.reshape([batch, channels, height, width]);
        let x = pooled(relu(pass.tape.conv2d("conv1", &self.conv1, x)));
        let x = pooled(relu(pass.tape.conv2d("conv2", &self.conv2, x)));
        let x = relu(pass.tape.linear("fc1", &self.fc1, x.flatten(1, 3)));
        let x = relu(pass.tape.linear("fc2", &self.fc2, x));
        pass.tape.linear("fc3", &self.fc3, x)
    }
}

/// The largest of each 3x3 window, every second pixel. x: `[batch, channels, height, width]`, result:
/// `[batch, channels, ceil(height / 2), ceil(width / 2)]`.
fn pooled(x: Tensor<4>) -> Tensor<4> {
    let options = MaxPoolOptions::new([3, 3])
        .with_stride([2, 2])
        .with_padding([1, 1]);
    max_pool2d(x, options)
}
