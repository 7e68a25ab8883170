//! The networks.
//!
//! Every network maps a batch of images, `[batch, channels * height * width]`, to logits,
//! `[batch, classes]`. Linear layers and convolutions go through the K-FAC tape, so that one forward
//! pass serves every optimiser. A convolution is followed by BatchNorm or has a bias.

mod alexnet;
mod batch_norm;
mod cnn;
mod initial;
mod mlp;
mod resnet;
pub mod state_dict;
mod weights;

use std::num::NonZeroUsize;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burn_kfac::Tape;
use runs::number::Count;
use runs::settings::Model;

pub use alexnet::AlexNet;
pub use batch_norm::{BatchNorm, Moments, Normalisation};
pub use cnn::Cnn;
pub use mlp::Mlp;
pub use resnet::{Block, ResNet};
pub use runs::Weight;

use crate::{Data, Error};
use datasets::random::{Purpose, Stream};
use initial::Initial;

/// What goes beside the activations through one forward pass.
pub struct Pass<'a> {
    /// Records what K-FAC needs, or nothing.
    pub tape: Tape,
    normalisation: Normalisation<'a>,
    observed: Vec<Moments>,
    normalised: usize,
}

impl<'a> Pass<'a> {
    /// A pass in which BatchNorm normalises with the statistics of the whole batch and notes them.
    pub fn training(tape: Tape) -> Self {
        Self::new(tape, Normalisation::Batch { ghost: None })
    }

    /// A pass in which BatchNorm normalises every `ghost` examples by themselves; none: the whole batch.
    #[must_use]
    pub fn by_ghosts(mut self, ghost: Option<NonZeroUsize>) -> Self {
        self.normalisation = Normalisation::Batch { ghost };
        self
    }

    /// A pass in which BatchNorm normalises with the given statistics, one entry a layer in the order
    /// of the forward pass.
    pub fn evaluation(statistics: &'a [Moments]) -> Self {
        Self::new(Tape::off(), Normalisation::Stored(statistics))
    }

    fn new(tape: Tape, normalisation: Normalisation<'a>) -> Self {
        Self {
            tape,
            normalisation,
            observed: Vec::new(),
            normalised: 0,
        }
    }

    /// The tape, and the batch statistics that each BatchNorm layer saw.
    pub fn finish(self) -> (Tape, Vec<Moments>) {
        (self.tape, self.observed)
    }
}

/// One of the networks.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "a run holds one network")]
pub enum Network {
    /// Fully connected.
    Mlp(Mlp),
    /// Small, convolutional.
    Cnn(Cnn),
    /// Residual.
    ResNet(ResNet),
    /// AlexNet for small images.
    AlexNet(AlexNet),
}

impl Network {
    /// The network for a data set, with the initial weights of a seed, ready for training on `device`.
    ///
    /// Weights are normal with variance 2 / fan-in before a ReLU (He et al. 2015, eq. 10) and
    /// 1 / fan-in in the last layer, which no ReLU follows; after max-pooling, 0.39 / fan-in, so that
    /// variances stay what they are. Biases and BatchNorm shifts are 0, BatchNorm scales 1.
    ///
    /// # Errors
    ///
    /// [`Error::ImageShape`].
    pub fn new(model: &Model, data: &Data, seed: u64, device: &Device) -> Result<Self, Error> {
        let mut stream = Stream::new(seed, Purpose::InitialWeights, 0);
        let device = device.clone().autodiff();
        let initial = &mut Initial {
            stream: &mut stream,
            device: &device,
        };
        let shape = [data.channels, data.height, data.width];
        Ok(match model {
            Model::Mlp(mlp) => {
                Self::Mlp(Mlp::new(shape, &sizes(&mlp.hidden), data.classes, initial))
            }
            Model::Cnn(cnn) => Self::Cnn(Cnn::new(
                shape,
                &sizes(&cnn.channels),
                data.classes,
                initial,
            )),
            Model::ResNet20 => Self::ResNet(ResNet::new(shape, 3, data.classes, initial)?),
            Model::ResNet32 => Self::ResNet(ResNet::new(shape, 5, data.classes, initial)?),
            Model::AlexNet => Self::AlexNet(AlexNet::new(shape, data.classes, initial)),
        })
    }

    /// The logits, `[batch, classes]`, of images `x`: `[batch, channels * height * width]`.
    pub fn forward(&self, x: Tensor<2>, pass: &mut Pass<'_>) -> Tensor<2> {
        match self {
            Self::Mlp(mlp) => mlp.forward(x, pass),
            Self::Cnn(cnn) => cnn.forward(x, pass),
            Self::ResNet(resnet) => resnet.forward(x, pass),
            Self::AlexNet(alexnet) => alexnet.forward(x, pass),
        }
    }
}

fn sizes(counts: &[Count]) -> Vec<usize> {
    counts.iter().map(|count| count.size()).collect()
}
