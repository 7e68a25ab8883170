//! A training run as the analyses see it: its settings, its outcome and its curve.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Error;

/// How a run ended. Divergence is a result, no failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The whole budget was trained.
    Finished,
    /// Loss or weights stopped being finite, or the loss left the bound for divergence.
    Diverged {
        /// The update at which it happened.
        step: u64,
    },
    /// Stopped on purpose because nothing reads what is left of the budget.
    Stopped {
        /// Updates made.
        step: u64,
    },
}

/// Loss and accuracy at one step. `None`: the data set has no such part, or the value was not finite.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Evaluation {
    /// Updates made so far; 0 is before the first.
    pub step: u64,
    /// Training examples seen so far.
    pub examples: u64,
    /// Mean loss over the training set, nats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_loss: Option<f64>,
    /// Accuracy on the training set, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_accuracy: Option<f64>,
    /// Mean loss over the validation part, nats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_loss: Option<f64>,
    /// Accuracy on the validation part, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_accuracy: Option<f64>,
    /// Mean loss over the test set, nats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_loss: Option<f64>,
    /// Accuracy on the test set, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_accuracy: Option<f64>,
}

/// Curvature at one step of a K-FAC run: quantiles of the eigenvalues of the Kronecker-factored Fisher
/// matrix over all layers that it preconditions, without damping.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Curvature {
    /// Updates made before the factors were decomposed.
    pub step: u64,
    /// Median eigenvalue.
    pub median: f64,
    /// Largest eigenvalue.
    pub largest: f64,
}

/// Noise of the gradient at one step: unbiased estimates of the two parts of the gradient noise scale.
/// Single measurements scatter widely, and either may be negative.
///
/// Source: McCandlish et al. 2018, appendix A.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GradientNoise {
    /// Updates made before.
    pub step: u64,
    /// Estimate of the trace of the covariance of one example's gradient.
    pub trace: f64,
    /// Estimate of the squared norm of the gradient of the whole loss.
    pub gradient: f64,
}

/// One training run. Not a table: its curve may hold NaN, which JSON cannot.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Name of the stage that declares it, such as `kfac`.
    pub stage: String,
    /// Name of the input, `STAGE/COORDINATES`.
    pub label: String,
    /// The settings of the train stage, as its manifest has them.
    pub settings: Value,
    /// How it ended.
    pub outcome: Outcome,
    /// Examples in the training set.
    pub train_examples: u64,
    /// Updates in one pass over the training set.
    pub steps_per_epoch: u64,
    /// Updates that the budget allows.
    pub budget_steps: u64,
    /// Steps after which the learning rate falls.
    pub rate_drops: Vec<u64>,
    /// Trainable parameters of the network.
    pub parameters: u64,
    /// Mini-batch loss before update i + 1, nats: `[steps]`.
    pub loss: Vec<f32>,
    /// Learning rate of update i + 1: `[steps]`.
    pub learning_rate: Vec<f64>,
    /// Evaluations by ascending step.
    pub evaluations: Vec<Evaluation>,
    /// Curvature by ascending step; empty if the run recorded none. Values that are not finite are
    /// left out.
    pub curvature: Vec<Curvature>,
    /// Gradient noise by ascending step; empty if the run recorded none. Values that are not finite
    /// are left out.
    pub noise: Vec<GradientNoise>,
}

impl Run {
    /// Checks the settings that the accessors below rely on.
    ///
    /// # Errors
    /// [`Error::Setting`] if `optimizer` is no object with a single key, or `batch_size`,
    /// `learning_rate` or `seed` is no number of its kind.
    pub fn check(&self) -> Result<(), Error> {
        let missing = |setting: &str| {
            Err(Error::Setting {
                label: self.label.clone(),
                setting: setting.into(),
            })
        };
        if self.settings["optimizer"]
            .as_object()
            .is_none_or(|optimizer| optimizer.len() != 1)
        {
            return missing("optimizer");
        }
        if self.settings["batch_size"]
            .as_u64()
            .is_none_or(|batch| batch == 0)
        {
            return missing("batch_size");
        }
        if self.settings["learning_rate"]
            .as_f64()
            .is_none_or(|rate| !rate.is_finite())
        {
            return missing("learning_rate");
        }
        if self.settings["seed"].as_u64().is_none() {
            return missing("seed");
        }
        Ok(())
    }

    /// The optimiser's name: `sgd`, `kfac`.
    ///
    /// # Panics
    /// If the settings do not pass [`Run::check`].
    pub fn method(&self) -> &str {
        self.settings["optimizer"]
            .as_object()
            .and_then(|optimizer| optimizer.keys().next())
            .expect("a checked run names its optimizer")
    }

    /// Examples in a batch.
    ///
    /// # Panics
    /// If the settings do not pass [`Run::check`].
    pub fn batch_size(&self) -> u64 {
        self.settings["batch_size"]
            .as_u64()
            .expect("a checked run has a batch size")
    }

    /// The learning rate of the settings, before the schedule acts on it.
    ///
    /// # Panics
    /// If the settings do not pass [`Run::check`].
    pub fn learning_rate(&self) -> f64 {
        self.settings["learning_rate"]
            .as_f64()
            .expect("a checked run has a learning rate")
    }

    /// The seed.
    ///
    /// # Panics
    /// If the settings do not pass [`Run::check`].
    pub fn seed(&self) -> u64 {
        self.settings["seed"]
            .as_u64()
            .expect("a checked run has a seed")
    }

    /// A setting by its plain name: one at the top (`learning_rate`) or one of the optimiser's
    /// (`damping`). `None` if the settings leave it to its default.
    pub fn parameter(&self, name: &str) -> Option<&Value> {
        self.settings.get(name).or_else(|| {
            self.settings["optimizer"]
                .as_object()?
                .values()
                .next()?
                .get(name)
        })
    }

    /// The evaluation at exactly this step.
    pub(crate) fn evaluation_at(&self, step: u64) -> Option<&Evaluation> {
        let index = self
            .evaluations
            .binary_search_by_key(&step, |evaluation| evaluation.step);
        index.ok().map(|index| &self.evaluations[index])
    }

    /// The step at which it diverged, if it did.
    pub(crate) fn diverged_at(&self) -> Option<u64> {
        match self.outcome {
            Outcome::Diverged { step } => Some(step),
            _ => None,
        }
    }
}
