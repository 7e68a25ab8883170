//! Softmax cross-entropy of a batch, its gradient, and what is known of it when.
//!
//! On the CPU the loss of a step is known at once. On a GPU it stays there, and the host, which would otherwise wait for
//! every step, reads some at once. With the gradient at the logits computed here, the graph that burn differentiates
//! ends at the logits.

mod on_host;

use burn::tensor::{Device, Gradients, Tensor, TensorData};
use burn_conv_kernels::transfer::{Reading, up};
use burn_conv_kernels::{self as kernels, Descents, backward};

use crate::examples::Labels;
use on_host::Logits;

/// Losses that a GPU keeps before they are read: a run that diverges is seen to that many steps late at most.
pub const KEPT: usize = 20;

/// Where losses are computed.
#[allow(clippy::large_enum_variant, reason = "a run has one")]
pub(crate) enum Losses {
    Host,
    Gpu(kernels::Losses),
}

/// What follows from the logits of a batch.
pub(crate) struct Loss {
    /// Mean cross-entropy, in nats; not finite if a logit is not, but for one of minus infinity that is not of a label.
    /// `None`: it is noted, and [read](Losses::read) later.
    pub(crate) mean: Option<f64>,
    /// Gradients of the mean at the logits, without autodiff.
    pub(crate) descents: Descents,
}

/// How the examples of a batch do.
#[allow(clippy::large_enum_variant, reason = "one for a thousand examples")]
pub(crate) enum Scores {
    /// Sum of the cross-entropy, in nats, and of each example whether its label has the largest logit (the first of
    /// equal ones).
    Known(f64, Vec<bool>),
    /// The cross-entropy of each example, then 1 or 0: `[2, batch]`.
    Gpu(Tensor<2>),
}

impl Losses {
    /// For batches of so many examples at most.
    pub(crate) fn new(batch: usize, device: &Device) -> Self {
        kernels::Losses::new(KEPT, batch, device).map_or(Self::Host, Self::Gpu)
    }

    /// Of logits, `[batch, classes]`; a label is also drawn for each of `uniforms`, `[batch]` in `[0, 1)`. `None` if a
    /// logit is not finite where something is to be drawn; a loss that is noted is then not finite.
    pub(crate) fn of(
        &mut self,
        logits: &Tensor<2>,
        labels: &Labels,
        uniforms: Option<&[f64]>,
    ) -> Option<Loss> {
        let logits = logits.clone().inner();
        match (self, labels) {
            (Self::Gpu(losses), Labels::Gpu(labels)) => {
                let uniforms = uniforms.map(|all| all.iter().map(|x| *x as f32).collect());
                Some(Loss {
                    mean: None,
                    descents: losses.note(logits, labels, uniforms),
                })
            }
            (Self::Host, Labels::Host(labels)) => {
                let device = logits.device();
                let at_logits = |gradient: TensorData| up(gradient, &device);
                let logits = Logits::fetch(logits);
                let loss = logits.loss(labels);
                let drawn = match uniforms {
                    Some(uniforms) => Some(logits.draw(uniforms)?),
                    None => None,
                };
                Some(Loss {
                    mean: Some(loss.mean),
                    descents: Descents {
                        given: at_logits(loss.gradient),
                        drawn: drawn.map(|labels| at_logits(logits.loss(&labels).gradient)),
                    },
                })
            }
            (Self::Gpu(_), Labels::Host(_)) | (Self::Host, Labels::Gpu(_)) => {
                unreachable!("labels are where losses are computed")
            }
        }
    }

    /// Whether they have to be read before another one.
    pub(crate) fn are_due(&self) -> bool {
        match self {
            Self::Host => false,
            Self::Gpu(losses) => losses.noted() == KEPT,
        }
    }

    /// The mean losses that are noted, in their order; then none is.
    pub(crate) fn read(&mut self) -> Vec<f64> {
        match self {
            Self::Host => Vec::new(),
            Self::Gpu(losses) => losses.read(),
        }
    }
}

/// The gradients at everything that logits were made from, given that at them, without autodiff.
pub(crate) fn descend(logits: Tensor<2>, gradient: Tensor<2>) -> Gradients {
    backward(logits, Tensor::from_inner(gradient))
}

impl Scores {
    /// Of logits, `[batch, classes]`, without autodiff.
    pub(crate) fn of(logits: Tensor<2>, labels: &Labels) -> Self {
        match labels {
            Labels::Host(labels) => {
                let (sum, correct) = Logits::fetch(logits).score(labels);
                Self::Known(sum, correct)
            }
            Labels::Gpu(labels) => Self::Gpu(labels.scores(logits)),
        }
    }

    /// Adds to what is read what is not known yet.
    pub(crate) fn ask(&self, reading: &mut Reading) {
        match self {
            Self::Known(..) => {}
            Self::Gpu(scores) => reading.add(scores.clone()),
        }
    }

    /// Sum of the cross-entropy, and of each example whether it is right; `read` begins with what was asked for.
    pub(crate) fn known(self, read: &mut impl Iterator<Item = TensorData>) -> (f64, Vec<bool>) {
        match self {
            Self::Known(sum, correct) => (sum, correct),
            Self::Gpu(_) => {
                let scores = read.next().and_then(|read| read.try_into_vec().ok());
                let scores: Vec<f32> = scores.expect("scores are f32");
                let (losses, right) = scores.split_at(scores.len() / 2);
                let sum = losses.iter().map(|loss| f64::from(*loss)).sum();
                (sum, right.iter().map(|right| *right > 0.0).collect())
            }
        }
    }
}
