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

    /// The side of the largest Kronecker factor, on images of `[channels, height, width]` and with this many classes.
    pub fn largest_factor(&self, image: [u64; 3], classes: u64) -> u64 {
        let layers = self.layers(image, classes);
        let sides = layers.iter().flat_map(|layer| [layer.a, layer.g]);
        sides.max().unwrap_or(0)
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
