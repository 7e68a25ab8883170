//! The result of a training run and its bytes.

use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Error, Score, Settings};

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

/// The two columns of a part in an evaluation row.
type Columns = [(&'static str, &'static str); 3];
const COLUMNS: Columns = [
    ("train_loss", "train_accuracy"),
    ("validation_loss", "validation_accuracy"),
    ("test_loss", "test_accuracy"),
];

impl Evaluated {
    fn scores(&self) -> [Option<Score>; 3] {
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

        let mut columns: BTreeMap<&str, (Dtype, Vec<u8>)> = BTreeMap::new();
        let losses = self.loss.iter().flat_map(|x| x.to_le_bytes()).collect();
        columns.insert("loss", (Dtype::F32, losses));
        columns.insert(
            "learning_rate",
            (Dtype::F64, doubles(self.learning_rate.iter().copied())),
        );
        let integers = |value: fn(&Evaluated) -> u64| {
            let bytes = self
                .evaluations
                .iter()
                .flat_map(|row| value(row).to_le_bytes())
                .collect();
            (Dtype::U64, bytes)
        };
        columns.insert("step", integers(|row| row.step));
        columns.insert("examples", integers(|row| row.examples));
        for (part, (loss, accuracy)) in COLUMNS.into_iter().enumerate() {
            let scores: Vec<Score> = self
                .evaluations
                .iter()
                .filter_map(|row| row.scores()[part])
                .collect();
            if scores.is_empty() {
                continue;
            }
            assert_eq!(
                scores.len(),
                self.evaluations.len(),
                "a part is in all rows or in none"
            );
            columns.insert(
                loss,
                (Dtype::F64, doubles(scores.iter().map(|score| score.loss))),
            );
            columns.insert(
                accuracy,
                (
                    Dtype::F64,
                    doubles(scores.iter().map(|score| score.accuracy)),
                ),
            );
        }

        let tensors = columns.iter().map(|(name, (dtype, bytes))| {
            let length = bytes.len() / (dtype.bitsize() / 8);
            let view = TensorView::new(*dtype, vec![length], bytes);
            (*name, view.expect("the length is that of the bytes"))
        });
        let metadata = [("run".to_owned(), sorted(description).to_string())].into();
        safetensors::serialize(tensors, Some(metadata))
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

        let column = |name: &str, dtype: Dtype| -> Result<Vec<u8>, Error> {
            let tensor = tensors
                .tensor(name)
                .map_err(|error| wrong(error.to_string()))?;
            if tensor.dtype() != dtype || tensor.shape().len() != 1 {
                return Err(wrong(format!(
                    "{name} is {:?} {:?}",
                    tensor.dtype(),
                    tensor.shape()
                )));
            }
            Ok(tensor.data().to_vec())
        };
        let reals = |name: &str| -> Result<Vec<f64>, Error> {
            let bytes = column(name, Dtype::F64)?;
            Ok(bytes
                .as_chunks()
                .0
                .iter()
                .map(|x| f64::from_le_bytes(*x))
                .collect())
        };
        let integers = |name: &str| -> Result<Vec<u64>, Error> {
            let bytes = column(name, Dtype::U64)?;
            Ok(bytes
                .as_chunks()
                .0
                .iter()
                .map(|x| u64::from_le_bytes(*x))
                .collect())
        };
        let (steps, examples) = (integers("step")?, integers("examples")?);
        let rows = steps.len();
        let scores = |part: usize| -> Result<Option<Vec<Score>>, Error> {
            let (loss, accuracy) = COLUMNS[part];
            if !tensors.names().contains(&loss) {
                return Ok(None);
            }
            let (losses, accuracies) = (reals(loss)?, reals(accuracy)?);
            if losses.len() != rows || accuracies.len() != rows {
                return Err(wrong(format!("{loss} or {accuracy} has not {rows} rows")));
            }
            let pairs = losses.into_iter().zip(accuracies);
            Ok(Some(
                pairs
                    .map(|(loss, accuracy)| Score { loss, accuracy })
                    .collect(),
            ))
        };
        let (train, validation, test) = (scores(0)?.unwrap_or_default(), scores(1)?, scores(2)?);
        if examples.len() != rows || train.len() != rows {
            return Err(wrong(format!("examples or train_loss has not {rows} rows")));
        }
        let evaluations = (0..rows)
            .map(|row| Evaluated {
                step: steps[row],
                examples: examples[row],
                train: train[row],
                validation: validation.as_ref().map(|scores| scores[row]),
                test: test.as_ref().map(|scores| scores[row]),
            })
            .collect();
        let loss = column("loss", Dtype::F32)?;
        Ok(Self {
            settings: description.settings,
            outcome: description.outcome,
            train_examples: description.train_examples,
            steps_per_epoch: description.steps_per_epoch,
            budget_steps: description.budget_steps,
            rate_drops: description.rate_drops,
            parameters: description.parameters,
            loss: loss
                .as_chunks()
                .0
                .iter()
                .map(|x| f32::from_le_bytes(*x))
                .collect(),
            learning_rate: reals("learning_rate")?,
            evaluations,
        })
    }
}

fn doubles(values: impl Iterator<Item = f64>) -> Vec<u8> {
    values.flat_map(f64::to_le_bytes).collect()
}

/// The same JSON with sorted keys, whatever order of keys `serde_json` was built to keep.
fn sorted(value: Value) -> Value {
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
