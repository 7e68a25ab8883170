//! Networks, and what is done to the images that they train on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::number::{Count, not_empty};

/// A network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Model {
    /// Fully connected layers with a ReLU between them.
    Mlp(Mlp),
    /// 3x3 convolutions, each with BatchNorm and ReLU, all but the first with stride 2; then one fully connected
    /// layer on all outputs of the last one.
    Cnn(Cnn),
    /// He et al. 2016, section 4.2, n = 3.
    ResNet20,
    /// He et al. 2016, section 4.2, n = 5.
    ResNet32,
    /// Zhang et al. 2017, appendix A: two 5x5 convolutions of 64 channels, each with ReLU and 3x3 max-pooling, and
    /// fully connected layers of 384 and 192 units; without local response normalisation.
    AlexNet,
}

impl Model {
    /// Whether it has BatchNorm.
    pub fn normalises(&self) -> bool {
        match self {
            Self::Cnn(_) | Self::ResNet20 | Self::ResNet32 => true,
            Self::Mlp(_) | Self::AlexNet => false,
        }
    }

    /// The side of the largest Kronecker factor, on images of `[channels, height, width]` and with this many classes. A
    /// factor of a layer's inputs has a row for the bias; convolutions before BatchNorm have none.
    pub fn largest_factor(&self, image: [u64; 3], classes: u64) -> u64 {
        let product = |factors: &[u64]| factors.iter().copied().fold(1, u64::saturating_mul);
        let halved = |size: u64, times: u32| (0..times).fold(size, |size, _| size.div_ceil(2));
        let [channels, height, width] = image;
        let sides = match self {
            Self::Mlp(mlp) => {
                let hidden = mlp.hidden.iter().map(|units| units.get());
                let inputs = [product(&image)].into_iter().chain(hidden);
                inputs.map(|units| units.saturating_add(1)).collect()
            }
            Self::Cnn(cnn) => {
                let outputs: Vec<u64> = cnn.channels.iter().map(|own| own.get()).collect();
                let poolings = outputs.len().saturating_sub(1) as u32;
                let last = outputs.last().copied().unwrap_or(channels);
                let pixels = [last, halved(height, poolings), halved(width, poolings)];
                let convolutions = [channels].into_iter().chain(outputs);
                let convolutions = convolutions.map(|inputs| product(&[inputs, 9]));
                let mut sides: Vec<u64> = convolutions.collect();
                // The last convolution's outputs go into no other one.
                sides.pop();
                sides.extend([last, product(&pixels).saturating_add(1)]);
                sides
            }
            Self::ResNet20 | Self::ResNet32 => vec![64 * 9],
            Self::AlexNet => {
                let pixels = [64, halved(height, 2), halved(width, 2)];
                let convolutions = [product(&[channels, 25]) + 1, 64 * 25 + 1];
                [&convolutions[..], &[product(&pixels) + 1]].concat()
            }
        };
        sides.into_iter().max().unwrap_or(0).max(classes)
    }
}

/// Layers of a fully connected network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mlp {
    /// Units of each hidden layer, from the input on.
    pub hidden: Vec<Count>,
}

/// Layers of a small convolutional network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cnn {
    /// Channels of each convolution, from the input on.
    #[schemars(length(min = 1))]
    #[serde(deserialize_with = "not_empty")]
    pub channels: Vec<Count>,
}

/// Random changes of the training images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Augment {
    /// Pixels of padding around the image before a crop to its size. Default 0.
    pub pad_crop: u64,
    /// Mirror left to right, half of the images. Default `false`.
    pub flip: bool,
}

impl Augment {
    /// Whether the images stay as they are.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}
