//! The result of a training run and its bytes.

use std::collections::BTreeMap;

use safetensors::tensor::SafeTensors;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use burn_kfac::Spectrum;

use crate::noise::NoiseScale;
use crate::{Curve, Error, Score, Settings};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// With its budget.
    Finished,
    /// With a number that is not finite, or a loss beyond all bounds, after `step` updates. The curve is
    /// what was measured before.
    Diverged {
        /// Updates made.
        step: u64,
    },
    /// At its targets, after `step` updates.
    Stopped {
        /// Updates made.
        step: u64,
    },
}

/// One evaluation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluated {
    /// Updates made.
    pub step: u64,
    /// Training examples used for them.
    pub examples: u64,
    /// On the training set (or the subset that the settings name), unaugmented.
    pub train: Score,
    /// On the validation part, if the data set has one.
    pub validation: Option<Score>,
    /// On the test set, if the data set has one.
    pub test: Option<Score>,
    /// Gradient noise, if the settings ask for it.
    pub noise: Option<NoiseScale>,
    /// Quantiles of the eigenvalues of K-FAC's curvature; with K-FAC, but before its first update.
    pub curvature: Option<Spectrum>,
}

/// What a training run gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// What was asked for.
    pub settings: Settings,
    /// How it ended.
    pub outcome: Outcome,
    /// Examples in the training set.
    pub train_examples: u64,
    /// Updates a pass over the training set.
    pub steps_per_epoch: u64,
    /// Updates that the budget allows.
    pub budget_steps: u64,
    /// Updates after which the learning rate falls at once.
    pub rate_drops: Vec<u64>,
    /// Trained numbers in the network.
    pub parameters: u64,
    /// Mini-batch loss before update i + 1, in nats; `[updates made]`.
    pub loss: Vec<f32>,
    /// Learning rate of update i + 1; `[updates made]`.
    pub learning_rate: Vec<f64>,
    /// In the order of their steps.
    pub evaluations: Vec<Evaluated>,
}

/// The metadata entry `run`; fields in alphabetical order.
#[derive(Serialize, Deserialize)]
struct Description {
    budget_steps: u64,
    outcome: Outcome,
    parameters: u64,
    rate_drops: Vec<u64>,
    settings: Settings,
    steps_per_epoch: u64,
    train_examples: u64,
}

impl Evaluated {
    pub(crate) fn scores(&self) -> [Option<Score>; 3] {
        [Some(self.train), self.validation, self.test]
    }
}

impl Run {
    /// Safetensors with one metadata entry; equal runs give equal bytes.
    ///
    /// # Panics
    ///
    /// If some evaluations have a part that others lack.
    pub fn to_bytes(&self) -> Vec<u8> {
        let description = Description {
            budget_steps: self.budget_steps,
            outcome: self.outcome,
            parameters: self.parameters,
            rate_drops: self.rate_drops.clone(),
            settings: self.settings.clone(),
            steps_per_epoch: self.steps_per_epoch,
            train_examples: self.train_examples,
        };
        let description = serde_json::to_value(description).expect("a run is JSON");

        let columns = Curve::columns(&self.loss, &self.learning_rate, &self.evaluations, "");
        let metadata = [("run".to_owned(), sorted(description).to_string())].into();
        safetensors::serialize(columns.views(), Some(metadata))
            .expect("every tensor was checked when it was made")
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    ///
    /// [`Error::Format`] if the bytes are something else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let wrong = |problem: String| Error::Format {
            what: "training run",
            problem,
        };
        let (_, header) =
            SafeTensors::read_metadata(bytes).map_err(|error| wrong(error.to_string()))?;
        let text = header
            .metadata()
            .as_ref()
            .and_then(|metadata| metadata.get("run"));
        let text = text.ok_or_else(|| wrong("no metadata entry `run`".to_owned()))?;
        let description: Description =
            serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| wrong(error.to_string()))?;

        let curve = Curve::from_columns(&tensors, "").map_err(wrong)?;
        Ok(Self {
            settings: description.settings,
            outcome: description.outcome,
            train_examples: description.train_examples,
            steps_per_epoch: description.steps_per_epoch,
            budget_steps: description.budget_steps,
            rate_drops: description.rate_drops,
            parameters: description.parameters,
            loss: curve.loss,
            learning_rate: curve.learning_rate,
            evaluations: curve.evaluations,
        })
    }
}

/// The same JSON with sorted keys, whatever order of keys `serde_json` was built to keep.
pub(crate) fn sorted(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let entries: BTreeMap<String, Value> = object.into_iter().collect();
            Value::Object(
                entries
                    .into_iter()
                    .map(|(key, value)| (key, sorted(value)))
                    .collect(),
            )
        }
        Value::Array(values) => Value::Array(values.into_iter().map(sorted).collect()),
        other => other,
    }
}
