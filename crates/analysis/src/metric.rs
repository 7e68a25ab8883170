//! What an evaluation measures, when a level of it counts as reached, and where on a curve to look.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Evaluation, Run};

/// A quantity that evaluations measure. Losses are mean cross-entropies in nats, accuracies fractions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Mean loss over the training set, nats.
    TrainLoss,
    /// Accuracy on the training set, 0 to 1.
    TrainAccuracy,
    /// Mean loss over the validation part, nats.
    ValidationLoss,
    /// Accuracy on the validation part, 0 to 1.
    ValidationAccuracy,
    /// Mean loss over the test set, nats.
    TestLoss,
    /// Accuracy on the test set, 0 to 1.
    TestAccuracy,
}

impl Metric {
    /// Every metric, in the order of the curve's arrays.
    pub const ALL: [Self; 6] = [
        Self::TrainLoss,
        Self::TrainAccuracy,
        Self::ValidationLoss,
        Self::ValidationAccuracy,
        Self::TestLoss,
        Self::TestAccuracy,
    ];

    /// The name used in study files and curves, such as `test_accuracy`.
    pub fn name(self) -> &'static str {
        match self {
            Self::TrainLoss => "train_loss",
            Self::TrainAccuracy => "train_accuracy",
            Self::ValidationLoss => "validation_loss",
            Self::ValidationAccuracy => "validation_accuracy",
            Self::TestLoss => "test_loss",
            Self::TestAccuracy => "test_accuracy",
        }
    }

    /// Whether smaller is better: true of losses.
    pub fn is_loss(self) -> bool {
        matches!(
            self,
            Self::TrainLoss | Self::ValidationLoss | Self::TestLoss
        )
    }

    /// The value in an evaluation; `None` where the part is absent or the value was not finite.
    pub fn of(self, evaluation: &Evaluation) -> Option<f64> {
        match self {
            Self::TrainLoss => evaluation.train_loss,
            Self::TrainAccuracy => evaluation.train_accuracy,
            Self::ValidationLoss => evaluation.validation_loss,
            Self::ValidationAccuracy => evaluation.validation_accuracy,
            Self::TestLoss => evaluation.test_loss,
            Self::TestAccuracy => evaluation.test_accuracy,
        }
    }

    /// The place of the value in an evaluation.
    pub(crate) fn of_mut(self, evaluation: &mut Evaluation) -> &mut Option<f64> {
        match self {
            Self::TrainLoss => &mut evaluation.train_loss,
            Self::TrainAccuracy => &mut evaluation.train_accuracy,
            Self::ValidationLoss => &mut evaluation.validation_loss,
            Self::ValidationAccuracy => &mut evaluation.validation_accuracy,
            Self::TestLoss => &mut evaluation.test_loss,
            Self::TestAccuracy => &mut evaluation.test_accuracy,
        }
    }

    /// Whether `value` is at or past `level`: at most it for a loss, at least it for an accuracy.
    pub fn is_at_or_past(self, value: f64, level: f64) -> bool {
        if self.is_loss() {
            value <= level
        } else {
            value >= level
        }
    }

    /// `value` such that larger is better, for ranking: negated for losses.
    pub(crate) fn goodness(self, value: f64) -> f64 {
        if self.is_loss() { -value } else { value }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name().replace('_', " "))
    }
}

/// A level of a metric that a run is timed to. In JSON `{"train_loss": 0.03}`, as in the study file.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<Metric, f64>", into = "BTreeMap<Metric, f64>")]
pub struct Target {
    /// What is measured.
    pub metric: Metric,
    /// The level: nats for a loss, 0 to 1 for an accuracy.
    pub level: f64,
}

impl TryFrom<BTreeMap<Metric, f64>> for Target {
    type Error = String;

    fn try_from(map: BTreeMap<Metric, f64>) -> Result<Self, String> {
        match map.into_iter().collect::<Vec<_>>()[..] {
            [(metric, level)] => Ok(Self { metric, level }),
            _ => Err("a target is one metric with one level".into()),
        }
    }
}

impl From<Target> for BTreeMap<Metric, f64> {
    fn from(target: Target) -> Self {
        Self::from([(target.metric, target.level)])
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.metric, self.level)
    }
}

/// Where on a curve to look. In JSON `"end"`, `{"epochs": 12}` or `{"iterations": 300}`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Slice {
    /// The last evaluation of a run that trained its whole budget, or was stopped on purpose.
    End,
    /// The evaluation after this many passes over the training set.
    Epochs(f64),
    /// The evaluation after this many updates.
    Iterations(u64),
}

impl Slice {
    /// The step to look at in a run, in updates: `ceil(epochs * steps_per_epoch)`, as training rounds.
    pub fn step_of(self, run: &Run) -> u64 {
        match self {
            Self::End => run
                .evaluations
                .last()
                .map_or(0, |evaluation| evaluation.step),
            // A tiny slack keeps 0.1 * 30 from rounding up to 4.
            Self::Epochs(epochs) => {
                (epochs * run.steps_per_epoch as f64 - 1e-9).ceil().max(0.0) as u64
            }
            Self::Iterations(steps) => steps,
        }
    }

    /// Whether the run diverged before the slice: there is no evaluation to look at any more. At the
    /// end, every diverged run did.
    pub(crate) fn is_after_divergence(self, run: &Run) -> bool {
        match self {
            Self::End => run.diverged_at().is_some(),
            _ => run
                .diverged_at()
                .is_some_and(|step| step <= self.step_of(run)),
        }
    }
}

impl fmt::Display for Slice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::End => formatter.write_str("at the end"),
            Self::Epochs(1.0) => formatter.write_str("after 1 epoch"),
            Self::Epochs(epochs) => write!(formatter, "after {epochs} epochs"),
            Self::Iterations(1) => formatter.write_str("after 1 iteration"),
            Self::Iterations(steps) => write!(formatter, "after {steps} iterations"),
        }
    }
}
