//! Batch normalisation without hidden state.
//!
//! burn's own layer updates its running averages whenever it runs forward on an autodiff device. Here
//! the statistics of a batch come out of the pass and the statistics to evaluate with go into it, so
//! that recomputing them, or looking at a batch twice, cannot touch the training trajectory.
//!
//! Source: Ioffe and Szegedy 2015, algorithm 1; variances are the population's, without Bessel's
//! correction, also in the running averages. Ghost batches: Hoffer et al. 2017, algorithm 1; the statistics
//! that come out of a pass are the means over its ghost batches, instead of entering a running average one
//! after the other.

use std::num::NonZeroUsize;

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn_conv_kernels::{Follow, batch_norm, batch_norm_train};

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
    /// The statistics of the batch, or of every `ghost` examples of it by themselves; fewer examples left over
    /// at the end are a ghost batch of their own.
    Batch {
        /// Examples; none: the whole batch.
        ghost: Option<NonZeroUsize>,
    },
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

    /// Normalises x, and applies what follows. x and result: `[batch, channels, height, width]`.
    ///
    /// # Panics
    ///
    /// If the pass was given statistics of fewer layers than the network has.
    pub fn forward(&self, x: Tensor<4>, follow: Follow, pass: &mut Pass<'_>) -> Tensor<4> {
        match pass.normalisation {
            Normalisation::Batch { ghost } => {
                let [batch, ..] = x.dims();
                let (output, moments) = match ghost {
                    Some(ghost) if ghost.get() < batch => {
                        let (output, moments) = self.by_ghosts(x, ghost.get());
                        (follow.after(output), moments)
                    }
                    _ => self.by_batch(x, follow),
                };
                pass.observed.push(moments);
                output
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
                    [mean, variance],
                    EPSILON,
                    follow,
                )
            }
        }
    }

    fn by_batch(&self, x: Tensor<4>, follow: Follow) -> (Tensor<4>, Moments) {
        normalise(x, self.weight.val(), self.bias.val(), follow)
    }

    fn by_ghosts(&self, x: Tensor<4>, ghost: usize) -> (Tensor<4>, Moments) {
        let [batch, channels, height, width] = x.dims();
        let ghosts = batch / ghost;
        let whole = ghosts * ghost;
        // As so many times the channels of one ghost batch: in one operation, because the gradients at scale and
        // shift of many would be summed in no certain order.
        let side_by_side = x
            .clone()
            .narrow(0, 0, whole)
            .reshape([ghosts, ghost, channels, height, width])
            .swap_dims(0, 1)
            .reshape([ghost, ghosts * channels, height, width]);
        let repeated = |of: &Param<Tensor<1>>| {
            let of = of.val().reshape([1, channels]).repeat_dim(0, ghosts);
            of.reshape([ghosts * channels])
        };
        let (weights, biases) = (repeated(&self.weight), repeated(&self.bias));
        let (y, moments) = normalise(side_by_side, weights, biases, Follow::Nothing);
        let y = y
            .reshape([ghost, ghosts, channels, height, width])
            .swap_dims(0, 1)
            .reshape([whole, channels, height, width]);
        let mut outputs = vec![y];
        let mut means = vec![moments.mean.reshape([ghosts, channels])];
        let mut variances = vec![moments.variance.reshape([ghosts, channels])];
        if whole < batch {
            let (y, rest) = self.by_batch(x.narrow(0, whole, batch - whole), Follow::Nothing);
            outputs.push(y);
            means.push(rest.mean.reshape([1, channels]));
            variances.push(rest.variance.reshape([1, channels]));
        }
        let mean = |rows: Vec<Tensor<2>>| Tensor::cat(rows, 0).mean_dim(0).reshape([channels]);
        let moments = Moments {
            mean: mean(means),
            variance: mean(variances),
        };
        (Tensor::cat(outputs, 0), moments)
    }
}

/// x and result: `[batch, channels, height, width]`; scale, shift and moments: `[channels]`.
fn normalise(
    x: Tensor<4>,
    scale: Tensor<1>,
    shift: Tensor<1>,
    follow: Follow,
) -> (Tensor<4>, Moments) {
    let normalised = batch_norm_train(x, scale, shift, EPSILON, follow);
    let moments = Moments {
        mean: normalised.mean.inner(),
        variance: normalised.variance.inner(),
    };
    (normalised.output, moments)
}
