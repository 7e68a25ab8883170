//! The `train` kind: the settings of a run ([`runs::settings`]), each of which a sweep or a winner may give instead.

use runs::number::{Count, Positive};
use runs::settings::{
    Augment, BatchNorm, Budget, Divergence, Evaluation, LastBatch, Model, NoiseScale, Optimizer,
    Schedule, Settings, Shape, Stop,
};
use runs::{Moment, Spanned};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Name;

/// Training runs: one, or with `sweep` one for each combination of its values.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Train {
    /// The `dataset` stage to train on. Required without `configuration`.
    pub(crate) dataset: Option<Spanned<Name>>,
    /// The `select` stage whose winners to run: one run for each winner and each combination of this
    /// stage's own sweep. Data set, model, optimizer, batch size and learning rate are the winner's; what
    /// is given here replaces the winner's setting as a whole.
    pub(crate) configuration: Option<Spanned<Name>>,
    /// The network. Required without `configuration`.
    pub(crate) model: Option<Spanned<Model>>,
    /// Examples per step. Required here or in the sweep, without `configuration`.
    pub(crate) batch_size: Option<Spanned<Count>>,
    /// The rate that the schedule starts from. Required here or in the sweep, without `configuration`.
    pub(crate) learning_rate: Option<Positive>,
    /// Seed of weights, order, augmentation and the Fisher matrix's labels. Default 0.
    pub(crate) seed: Option<u64>,
    /// Weights to start from instead of drawn ones: a safetensors file with PyTorch's names of the network's
    /// parameters, as `pipeline export` writes it; relative to the folder of the study file that says so. Its contents
    /// are part of a run's key. Default: none.
    pub(crate) initial_weights: Option<Spanned<String>>,
    /// How long to train. Required without `configuration`.
    pub(crate) budget: Option<Spanned<Budget>>,
    /// How the learning rate changes. Default `constant`.
    pub(crate) schedule: Option<Shape>,
    /// How long the learning rate rises at the beginning. If that is W steps, the rate of step i < W (counted from 0) is
    /// multiplied by (i + 1) / W. Default: none.
    pub(crate) warmup: Option<Spanned<Moment>>,
    /// The update rule. Required without `configuration`.
    pub(crate) optimizer: Option<Optimizer>,
    /// Random changes of the training images, drawn anew each epoch. Default: none.
    pub(crate) augment: Option<Augment>,
    /// When and on what to evaluate. Default: all of its defaults.
    pub(crate) evaluation: Option<Evaluation>,
    /// Which statistics BatchNorm evaluates with. Default `recompute`.
    pub(crate) batch_norm: Option<BatchNorm>,
    /// How many examples BatchNorm normalises together in training (Hoffer et al. 2017). Default: the whole batch.
    pub(crate) ghost_batch: Option<Spanned<Count>>,
    /// Measure the gradient noise scale at each evaluation (McCandlish et al. 2018, appendix A.1). Default: not measured.
    pub(crate) noise_scale: Option<NoiseScale>,
    /// When a run counts as diverged even though its numbers are finite. Default: all of its defaults.
    pub(crate) divergence: Option<Divergence>,
    /// When to end before the end of the budget. Default: never.
    pub(crate) stop: Option<Spanned<Stop>>,
    /// What happens to the examples that are left over at the end of an epoch. Default `drop`.
    pub(crate) last_batch: Option<LastBatch>,
}

impl Train {
    /// The settings of the run, if nothing is left to a sweep or a winner.
    pub(crate) fn settings(&self) -> Option<Settings> {
        Some(Settings {
            model: Model::clone(self.model.as_ref()?),
            batch_size: *self.batch_size?,
            learning_rate: self.learning_rate?,
            seed: self.seed.unwrap_or_default(),
            budget: *self.budget?,
            schedule: Schedule {
                shape: self.schedule.clone().unwrap_or(Shape::Constant {}),
                warmup: self.warmup.map(|to| *to),
            },
            optimizer: self.optimizer.clone()?,
            augment: self.augment.unwrap_or_default(),
            evaluation: self.evaluation.clone().unwrap_or_default(),
            batch_norm: self.batch_norm.unwrap_or_default(),
            ghost_batch: self.ghost_batch.map(|ghost| *ghost),
            noise_scale: self.noise_scale,
            last_batch: self.last_batch.unwrap_or_default(),
            divergence: self.divergence.unwrap_or_default(),
            stop: self.stop.map(|stop| *stop),
        })
    }
}
