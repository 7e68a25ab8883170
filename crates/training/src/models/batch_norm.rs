//! Batch normalisation without hidden state.
//!
//! burn's own layer updates its running averages whenever it runs forward on an autodiff device. Here
//! the statistics of a batch come out of the pass and the statistics to evaluate with go into it, so
//! that recomputing them, or looking at a batch twice, cannot touch the training trajectory.
//!
//! Source: Ioffe and Szegedy 2015, algorithm 1; variances are the population's, without Bessel's
//! correction, also in the running averages.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::module::{batch_norm, batch_norm_train};

use super::Pass;
use super::initial::Initial;

const EPSILON: f64 = 1e-5;

/// Mean and variance of each channel at one BatchNorm layer, without gradient.
#[derive(Clone, Debug)]
pub struct Moments {
    /// `[channels]`.
    pub mean: Tensor<1>,
    /// `[channels]`.
    pub variance: Tensor<1>,
}

/// What BatchNorm normalises with.
#[derive(Clone, Copy, Debug)]
pub enum Normalisation<'a> {
    /// The statistics of the batch.
    Batch,
    /// Stored statistics, one entry a layer in the order of the forward pass.
    Stored(&'a [Moments]),
}

/// Scale and shift of a normalised activation.
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// Scale, `[channels]`.
    pub weight: Param<Tensor<1>>,
    /// Shift, `[channels]`.
    pub bias: Param<Tensor<1>>,
}

impl BatchNorm {
    pub(super) fn new(channels: usize, initial: &mut Initial<'_>) -> Self {
        Self {
            weight: initial.constant(1.0, channels),
            bias: initial.constant(0.0, channels),
        }
    }

    /// x and result: `[batch, channels, height, width]`.
    ///
    /// # Panics
    ///
    /// If the pass was given statistics of fewer layers than the network has.
    pub fn forward(&self, x: Tensor<4>, pass: &mut Pass<'_>) -> Tensor<4> {
        match pass.normalisation {
            Normalisation::Batch => {
                let normalised = batch_norm_train(x, self.weight.val(), self.bias.val(), EPSILON);
                pass.observed.push(Moments {
                    mean: normalised.mean.inner(),
                    variance: normalised.variance.inner(),
                });
                normalised.output
            }
            Normalisation::Stored(statistics) => {
                let Moments { mean, variance } = statistics
                    .get(pass.normalised)
                    .expect("statistics for every BatchNorm layer")
                    .clone();
                pass.normalised += 1;
                batch_norm(
                    x,
                    self.weight.val(),
                    self.bias.val(),
                    mean,
                    variance,
                    EPSILON,
                )
            }
        }
    }
}
