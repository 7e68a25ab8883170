//! Residual networks for 32x32 images.
//!
//! Source: He et al. 2016, Deep residual learning, section 4.2: three stages of n blocks with 16, 32 and
//! 64 channels, 6n + 2 weighted layers, shortcuts without parameters (option A).

use burn::module::Module;
use burn::nn::Linear;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;
use burn::tensor::module::avg_pool2d;
use burn::tensor::ops::AvgPoolOptions;
use burn_conv_kernels::Follow;

use super::initial::{Initial, LAST};
use super::{BatchNorm, Pass};
use crate::Error;

/// ResNet of 6n + 2 layers.
#[derive(Module, Debug)]
pub struct ResNet {
    /// Image to 16 channels.
    pub conv1: Conv2d,
    /// After `conv1`.
    pub bn1: BatchNorm,
    /// n blocks of 16 channels.
    pub layer1: Vec<Block>,
    /// n blocks of 32 channels; the first halves height and width.
    pub layer2: Vec<Block>,
    /// n blocks of 64 channels; the first halves height and width.
    pub layer3: Vec<Block>,
    /// `[64, classes]`.
    pub fc: Linear,
    #[module(skip)]
    shape: [usize; 3],
}

/// Two convolutions and a shortcut around them.
#[derive(Module, Debug)]
pub struct Block {
    /// With the stride of the block.
    pub conv1: Conv2d,
    /// After `conv1`.
    pub bn1: BatchNorm,
    /// Stride 1.
    pub conv2: Conv2d,
    /// After `conv2`, before the sum.
    pub bn2: BatchNorm,
}

impl ResNet {
    pub(super) fn new(
        shape: [usize; 3],
        blocks: usize,
        classes: usize,
        initial: &mut Initial<'_>,
    ) -> Result<Self, Error> {
        let [channels, height, width] = shape;
        if height % 4 != 0 || width % 4 != 0 {
            return Err(Error::ImageShape {
                model: "a ResNet",
                channels,
                height,
                width,
            });
        }
        let conv1 = initial.conv3x3(channels, 16, 1);
        let bn1 = BatchNorm::new(16, initial);
        let mut stage = |inputs: usize, outputs: usize| -> Vec<Block> {
            (0..blocks)
                .map(|block| match block {
                    0 => Block::new(inputs, outputs, initial),
                    _ => Block::new(outputs, outputs, initial),
                })
                .collect()
        };
        let (layer1, layer2, layer3) = (stage(16, 16), stage(16, 32), stage(32, 64));
        let fc = initial.linear(64, classes, LAST);
        Ok(Self {
            conv1,
            bn1,
            layer1,
            layer2,
            layer3,
            fc,
            shape,
        })
    }

    pub(super) fn forward(&self, x: Tensor<2>, pass: &mut Pass<'_>) -> Tensor<2> {
        let [batch, _] = x.dims();
        let [channels, height, width] = self.shape;
        let x = x.reshape([batch, channels, height, width]);
        let x = pass.tape.conv2d("conv1", &self.conv1, x);
        let mut x = self.bn1.forward(x, Follow::Relu, pass);
        for (stage, blocks) in [
            ("layer1", &self.layer1),
            ("layer2", &self.layer2),
            ("layer3", &self.layer3),
        ] {
            for (index, block) in blocks.iter().enumerate() {
                x = block.forward(&format!("{stage}.{index}"), x, pass);
            }
        }
        pass.tape.linear("fc", &self.fc, global_average(x))
    }
}

impl Block {
    fn new(inputs: usize, outputs: usize, initial: &mut Initial<'_>) -> Self {
        Self {
            conv1: initial.conv3x3(inputs, outputs, outputs / inputs),
            bn1: BatchNorm::new(outputs, initial),
            conv2: initial.conv3x3(outputs, outputs, 1),
            bn2: BatchNorm::new(outputs, initial),
        }
    }

    fn forward(&self, name: &str, x: Tensor<4>, pass: &mut Pass<'_>) -> Tensor<4> {
        let shortcut = if self.conv1.stride == [1, 1] {
            x.clone()
        } else {
            subsampled(x.clone())
        };
        let y = pass.tape.conv2d(&format!("{name}.conv1"), &self.conv1, x);
        let y = self.bn1.forward(y, Follow::Relu, pass);
        let y = pass.tape.conv2d(&format!("{name}.conv2"), &self.conv2, y);
        self.bn2.forward(y, Follow::AddRelu(shortcut), pass)
    }
}

/// Option A: every second pixel, and as many channels of zeros as there are channels, half of them
/// before and half after. x: `[batch, channels, height, width]`, result:
/// `[batch, 2 channels, height / 2, width / 2]`.
fn subsampled(x: Tensor<4>) -> Tensor<4> {
    // The average over windows of one pixel.
    let x = avg_pool2d(x, AvgPoolOptions::new([1, 1]).with_stride([2, 2]));
    let [batch, channels, height, width] = x.dims();
    let zeros = Tensor::zeros([batch, channels / 2, height, width], &x.device());
    Tensor::cat(vec![zeros.clone(), x, zeros], 1)
}

/// Mean over the pixels. x: `[batch, channels, height, width]`, result: `[batch, channels]`.
fn global_average(x: Tensor<4>) -> Tensor<2> {
    let [batch, channels, height, width] = x.dims();
    x.reshape([batch, channels, height * width])
        .mean_dim(2)
        .reshape([batch, channels])
}
