//! The settings of a training run, as they stand in its manifest.
//!
//! [`Settings`] reads and writes the JSON object of the `train` kind; unknown keys are errors. What the
//! numbers mean in steps is worked out in [`budget`], [`schedule`] and [`evaluation`].

pub mod budget;
pub mod evaluation;
pub mod schedule;

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

pub use budget::{Budget, LastBatch, Moment};
pub use evaluation::{Evaluation, Stop};
pub use schedule::{Schedule, Shape};

use crate::Error;

/// Everything that decides the result of a training run but the data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The network.
    pub model: Model,
    /// Examples a step.
    pub batch_size: usize,
    /// The rate that the schedule starts from.
    pub learning_rate: f64,
    /// Seed of all random streams of the run; default 0.
    #[serde(default)]
    pub seed: u64,
    /// How long to train.
    pub budget: Budget,
    /// How the learning rate changes; default constant.
    #[serde(default)]
    pub schedule: Schedule,
    /// The update rule.
    pub optimizer: Optimizer,
    /// Random changes of the training images; default none.
    #[serde(default, skip_serializing_if = "Augment::is_none")]
    pub augment: Augment,
    /// When and on what to evaluate.
    #[serde(default)]
    pub evaluation: Evaluation,
    /// Which statistics batch normalisation evaluates with; default `recompute`.
    #[serde(default)]
    pub batch_norm: BatchNormStatistics,
    /// What becomes of the examples left over at the end of an epoch; default `drop`.
    #[serde(default)]
    pub last_batch: LastBatch,
    /// When to end before the budget does; default never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
}

/// A network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Model {
    /// Fully connected layers with a ReLU between them.
    Mlp {
        /// Units of each hidden layer, from the input on.
        hidden: Vec<usize>,
    },
    /// 3x3 convolutions, each followed by BatchNorm and ReLU, every one but the first with stride 2;
    /// then one fully connected layer.
    Cnn {
        /// Channels of each convolution, from the input on.
        channels: Vec<usize>,
    },
    /// He et al. 2016, section 4.2, n = 3.
    ResNet20,
    /// He et al. 2016, section 4.2, n = 5.
    ResNet32,
    /// Zhang et al. 2017, appendix A, without local response normalisation.
    AlexNet,
}

/// An update rule. Both share momentum, `v = momentum v + (u + weight_decay w)`, `w -= rate v`, and
/// differ in `u` alone: the gradient, or the preconditioned gradient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Optimizer {
    /// Stochastic gradient descent.
    Sgd(Sgd),
    /// K-FAC.
    Kfac(Kfac),
}

impl Optimizer {
    /// The part that both rules share.
    pub fn sgd(&self) -> Sgd {
        match self {
            Self::Sgd(sgd) => *sgd,
            Self::Kfac(kfac) => Sgd {
                momentum: kfac.momentum,
                weight_decay: kfac.weight_decay,
            },
        }
    }
}

/// Settings of stochastic gradient descent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sgd {
    /// In `[0, 1)`; default 0.9.
    #[serde(default = "default_momentum")]
    pub momentum: f64,
    /// Of weights, biases and BatchNorm parameters alike; default 0.
    #[serde(default)]
    pub weight_decay: f64,
}

/// Settings of K-FAC; see [`burn_kfac::Settings`] for their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kfac {
    /// Added to the Fisher matrix before it is inverted.
    pub damping: burn_kfac::Damping,
    /// In `[0, 1)`; default 0.9.
    #[serde(default = "default_momentum")]
    pub momentum: f64,
    /// As for SGD; added after preconditioning; default 0.
    #[serde(default)]
    pub weight_decay: f64,
    /// How the damping enters the inverse; default `eigen`.
    #[serde(default = "default_damping_method")]
    pub damping_method: burn_kfac::DampingMethod,
    /// Whose labels the Fisher matrix is taken over; default `sampled`.
    #[serde(default = "default_fisher")]
    pub fisher: burn_kfac::Fisher,
    /// Decay of the running averages of the factors; default 0.95.
    #[serde(default = "default_factor_decay")]
    pub factor_decay: burn_kfac::FactorDecay,
    /// Steps from one update of the factors to the next; default 1.
    #[serde(default = "default_factor_every")]
    pub factor_every: NonZeroU32,
    /// Steps from one inversion to the next; default 10.
    #[serde(default = "default_inverse_every")]
    pub inverse_every: NonZeroU32,
    /// KL clipping; default off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kl_clip: Option<burn_kfac::KlClip>,
    /// What must be seen before the first inverse is used; default nothing.
    #[serde(default, skip_serializing_if = "burn_kfac::BurnIn::is_off")]
    pub burn_in: burn_kfac::BurnIn,
}

impl Kfac {
    /// What the preconditioner takes.
    pub fn preconditioner(&self) -> burn_kfac::Settings {
        burn_kfac::Settings {
            damping: self.damping,
            damping_method: self.damping_method,
            fisher: self.fisher,
            factor_decay: self.factor_decay,
            factor_every: self.factor_every,
            inverse_every: self.inverse_every,
            kl_clip: self.kl_clip,
            burn_in: self.burn_in,
        }
    }
}

fn default_momentum() -> f64 {
    0.9
}

/// The preconditioner's own defaults; they do not depend on the damping.
fn preconditioner_defaults() -> burn_kfac::Settings {
    let any = burn_kfac::Damping::new(1.0).expect("1 is a damping");
    burn_kfac::Settings::new(any)
}

fn default_damping_method() -> burn_kfac::DampingMethod {
    preconditioner_defaults().damping_method
}

fn default_fisher() -> burn_kfac::Fisher {
    preconditioner_defaults().fisher
}

fn default_factor_decay() -> burn_kfac::FactorDecay {
    preconditioner_defaults().factor_decay
}

fn default_factor_every() -> NonZeroU32 {
    preconditioner_defaults().factor_every
}

fn default_inverse_every() -> NonZeroU32 {
    preconditioner_defaults().inverse_every
}

/// Random changes of the training images, drawn anew each epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augment {
    /// Pixels of zeros (in normalised values) around the image before a crop to its size; 0: none.
    pub pad_crop: usize,
    /// Mirror left to right, half of the images.
    pub flip: bool,
}

impl Augment {
    /// Whether the images stay as they are.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Which statistics BatchNorm evaluates with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BatchNormStatistics {
    /// Those of a fixed training subset, put through the network as one batch before each evaluation
    /// ([`Evaluation::statistics_examples`]).
    #[default]
    Recompute,
    /// Running averages, `0.9 old + 0.1 new` each step (of the population variance), from 0 and 1.
    Running,
}

impl Settings {
    /// Checks what can be checked without the data.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for the first value that means nothing.
    pub fn check(&self) -> Result<(), Error> {
        let positive = |setting, value: f64| {
            if value.is_finite() && value > 0.0 {
                Ok(())
            } else {
                Err(Error::setting(
                    setting,
                    format!("must be a positive number, is {value}"),
                ))
            }
        };
        if self.batch_size == 0 {
            return Err(Error::setting("batch_size", "must be at least 1"));
        }
        positive("learning_rate", self.learning_rate)?;
        match &self.model {
            Model::Mlp { hidden } if hidden.contains(&0) => {
                return Err(Error::setting(
                    "model.mlp.hidden",
                    "a layer needs at least one unit",
                ));
            }
            Model::Cnn { channels } if channels.is_empty() || channels.contains(&0) => {
                return Err(Error::setting(
                    "model.cnn.channels",
                    "needs at least one convolution, of at least one channel",
                ));
            }
            _ => {}
        }
        let Sgd {
            momentum,
            weight_decay,
        } = self.optimizer.sgd();
        if !(0.0..1.0).contains(&momentum) {
            return Err(Error::setting(
                "optimizer.momentum",
                format!("must be in [0, 1), is {momentum}"),
            ));
        }
        if !(weight_decay.is_finite() && weight_decay >= 0.0) {
            return Err(Error::setting(
                "optimizer.weight_decay",
                format!("must not be negative, is {weight_decay}"),
            ));
        }
        self.schedule.check()?;
        self.evaluation.check()?;
        self.stop.as_ref().map_or(Ok(()), Stop::check)
    }
}
