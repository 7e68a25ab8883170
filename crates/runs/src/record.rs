//! A run's curve with what it is a curve of, as one value and its bytes: the output `curve` of a training run.

use std::collections::BTreeMap;

use safetensors::tensor::SafeTensors;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Curve, Malformed, Outcome};

/// What a training run gives. `S` is how its settings are known: as the numbers that train by them, or as the text of
/// a manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct Record<S> {
    /// What was asked for.
    pub settings: S,
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
    /// Trainable parameters of the network.
    pub parameters: u64,
    /// What was measured.
    pub curve: Curve,
}

/// The metadata entry `run`.
#[derive(Serialize, Deserialize)]
struct Description<S> {
    budget_steps: u64,
    outcome: Outcome,
    parameters: u64,
    #[serde(default)]
    rate_drops: Vec<u64>,
    settings: S,
    steps_per_epoch: u64,
    train_examples: u64,
}

impl<S: Serialize> Record<S> {
    /// Safetensors with one metadata entry; equal records give equal bytes.
    ///
    /// # Panics
    ///
    /// If the settings are not JSON.
    pub fn to_bytes(&self) -> Vec<u8> {
        let description = Description {
            budget_steps: self.budget_steps,
            outcome: self.outcome,
            parameters: self.parameters,
            rate_drops: self.rate_drops.clone(),
            settings: &self.settings,
            steps_per_epoch: self.steps_per_epoch,
            train_examples: self.train_examples,
        };
        let description = serde_json::to_value(description).expect("a run is JSON");
        let metadata = [("run".to_owned(), sorted(description).to_string())].into();
        safetensors::serialize(self.curve.columns("").views(), Some(metadata))
            .expect("every tensor was checked when it was made")
    }
}

impl<S: DeserializeOwned> Record<S> {
    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    ///
    /// What is wrong with the bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let text = header
            .metadata()
            .as_ref()
            .and_then(|metadata| metadata.get("run"))
            .ok_or(Malformed::NoMetadata)?;
        let description: Description<S> =
            serde_json::from_str(text).map_err(|error| Malformed::Metadata(error.to_string()))?;
        let tensors = SafeTensors::deserialize(bytes)?;
        Ok(Self {
            settings: description.settings,
            outcome: description.outcome,
            train_examples: description.train_examples,
            steps_per_epoch: description.steps_per_epoch,
            budget_steps: description.budget_steps,
            rate_drops: description.rate_drops,
            parameters: description.parameters,
            curve: Curve::from_columns(&tensors, "")?,
        })
    }
}

/// The same JSON with sorted keys, whatever order of keys `serde_json` was built to keep.
pub fn sorted(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let entries: BTreeMap<String, Value> = object.into_iter().collect();
            let sorted_entries = entries.into_iter().map(|(key, value)| (key, sorted(value)));
            Value::Object(sorted_entries.collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(sorted).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Evaluation, Updates};

    fn record(updates: Updates) -> Record<Value> {
        let evaluation = |step, test_loss| Evaluation {
            step,
            examples: 16 * step,
            train_loss: (step > 0).then_some(0.5),
            test_loss: Some(test_loss),
            ..Evaluation::default()
        };
        Record {
            settings: json!({"seed": 3, "optimizer": {"sgd": {}}}),
            outcome: Outcome::Stopped { step: 2 },
            train_examples: 160,
            steps_per_epoch: 10,
            budget_steps: 20,
            rate_drops: vec![15],
            parameters: 7,
            curve: Curve {
                updates,
                evaluations: vec![evaluation(0, 2.0), evaluation(2, f64::INFINITY)],
                ..Curve::default()
            },
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let every = record(Updates::of_every_step(vec![2.5, 1.5], vec![0.1, 0.01]));
        let some = record(Updates::at(
            vec![1, 1 << 40],
            vec![2.5, 1.5],
            vec![0.1, 0.01],
        ));
        for record in [every, some] {
            assert_eq!(Record::from_bytes(&record.to_bytes()).as_ref(), Ok(&record));
        }
    }

    #[test]
    fn a_row_for_every_update_has_no_steps_of_its_own() {
        let names = |updates| {
            let bytes = record(updates).to_bytes();
            let tensors = SafeTensors::deserialize(&bytes).unwrap();
            let mut names: Vec<String> = tensors.names().iter().map(ToString::to_string).collect();
            names.sort();
            names.join(" ")
        };
        assert_eq!(
            names(Updates::at(vec![1, 2], vec![2.5, 1.5], vec![0.1, 0.1])),
            "examples learning_rate loss step test_loss train_loss"
        );
        assert_eq!(
            names(Updates::at(vec![1, 3], vec![2.5, 1.5], vec![0.1, 0.1])),
            "examples learning_rate loss loss.step step test_loss train_loss"
        );
    }

    #[test]
    fn bytes_that_are_no_record_are_an_error_that_says_why() {
        let error = |bytes: &[u8]| Record::<Value>::from_bytes(bytes).expect_err("malformed");
        error(b"nonsense");
        let whole = record(Updates::of_every_step(vec![2.5], vec![0.1])).to_bytes();
        error(&whole[..whole.len() - 3]);
        let uneven = record(Updates::of_every_step(vec![2.5, 1.5], vec![0.1])).to_bytes();
        assert!(error(&uneven).to_string().contains("differ in length"));
        let settings = Record::<u64>::from_bytes(&whole).expect_err("settings are no number");
        let settings = settings.to_string();
        assert!(settings.contains("metadata entry `run`"), "{settings}");
    }
}
