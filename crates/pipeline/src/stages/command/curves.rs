//! Curves that a program wrote, CSV or JSON Lines, as the output `curve` of a training run.
//!
//! The columns are those of the study file's reference (`curves` of `command`); the bytes are those that a `train`
//! stage would give for such a run (doc/design.md).

use std::collections::BTreeMap;

use safetensors::{Dtype, tensor::TensorView};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use training::Outcome;

use super::Failure;
use super::table::{File, Pace, Row, Rows};

/// The metrics of an evaluation.
const METRICS: [&str; 6] = [
    "train_loss",
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
    "test_loss",
    "test_accuracy",
];
/// A rate that falls below this share of the one before fell by a step of a schedule, not by a slow decay.
const DROP: f64 = 0.9;

/// What the study says of a curve.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_field_names,
    reason = "the curve's own settings are called so in the study"
)]
pub(crate) struct Settings {
    files: Vec<File>,
    train_examples: u64,
    steps_per_epoch: u64,
    budget_steps: u64,
    parameters: u64,
    settings: Map<String, Value>,
}

/// A curve as it is kept.
pub(super) struct Curve {
    pub(super) bytes: Vec<u8>,
    pub(super) outcome: Outcome,
    /// Updates made.
    pub(super) steps: u64,
}

impl Settings {
    /// Reads the files as they lie in a folder.
    ///
    /// # Errors
    /// With the file and the line, if one is not of the format.
    pub(super) fn read(
        &self,
        contents: impl Fn(&str) -> Result<Vec<u8>, Failure>,
    ) -> Result<Curve, Failure> {
        let mut rows = Rows::new();
        for file in &self.files {
            file.read(&contents(&file.path)?, self.pace(), &mut rows)?;
        }
        self.curve(&rows)
    }

    /// The files that the program writes.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| file.path.as_str())
    }

    fn pace(&self) -> Pace {
        let batch_size = self.settings.get("batch_size").and_then(Value::as_u64);
        Pace {
            batch_size: batch_size.unwrap_or(1),
            steps_per_epoch: self.steps_per_epoch,
            train_examples: self.train_examples,
        }
    }

    fn curve(&self, rows: &Rows) -> Result<Curve, Failure> {
        let path = self.paths().collect::<Vec<_>>().join(", ");
        let steps = rows
            .keys()
            .last()
            .copied()
            .ok_or_else(|| format!("{path} has no row"))?;
        if steps > self.budget_steps {
            return Err(format!(
                "{path} goes on to step {steps}; the budget is {} steps (an epoch has {} here, see `last_batch`; \
                 `counted_in` and `counted_from` say how the file counts)",
                self.budget_steps, self.steps_per_epoch
            )
            .into());
        }
        let metrics: Vec<&'static str> = METRICS
            .into_iter()
            .filter(|metric| rows.values().any(|row| row.contains_key(metric)))
            .collect();
        let evaluations: Vec<(u64, &Row)> = rows
            .iter()
            .filter(|(_, row)| metrics.iter().any(|metric| row.contains_key(metric)))
            .map(|(step, row)| (*step, row))
            .collect();
        if evaluations.is_empty() {
            return Err(format!("{path} has no evaluation: none of {}", METRICS.join(", ")).into());
        }
        let outcome = self.outcome(rows, steps);
        let cell =
            |step: u64, column: &str| rows.get(&step).and_then(|row| row.get(column)).copied();
        let start = self.settings.get("learning_rate").and_then(Value::as_f64);
        let mut rates = Vec::with_capacity(steps as usize);
        for step in 1..=steps {
            let before = rates.last().copied().or(start).unwrap_or(f64::NAN);
            rates.push(cell(step, "learning_rate").unwrap_or(before));
        }
        let drops: Vec<usize> = (1..rates.len())
            .filter(|&at| rates[at] < DROP * rates[at - 1])
            .collect();
        let pace = self.pace();

        let losses = (1..=steps).map(|step| cell(step, "loss").unwrap_or(f64::NAN) as f32);
        let mut columns: BTreeMap<&str, (Dtype, Vec<u8>)> = BTreeMap::new();
        columns.insert(
            "loss",
            (Dtype::F32, losses.flat_map(f32::to_le_bytes).collect()),
        );
        columns.insert(
            "learning_rate",
            (Dtype::F64, doubles(rates.iter().copied())),
        );
        columns.insert(
            "step",
            (
                Dtype::U64,
                integers(evaluations.iter().map(|(step, _)| *step)),
            ),
        );
        let examples = evaluations.iter().map(|(step, row)| {
            row.get("examples")
                .map_or_else(|| pace.examples(*step), |seen| *seen as u64)
        });
        columns.insert("examples", (Dtype::U64, integers(examples)));
        for metric in metrics {
            let values = evaluations
                .iter()
                .map(|(_, row)| row.get(metric).copied().unwrap_or(f64::NAN));
            columns.insert(metric, (Dtype::F64, doubles(values)));
        }
        let run = json!({
            "budget_steps": self.budget_steps,
            "outcome": outcome,
            "parameters": self.parameters,
            "rate_drops": drops,
            "settings": self.settings,
            "steps_per_epoch": self.steps_per_epoch,
            "train_examples": self.train_examples,
        });
        let tensors = columns
            .iter()
            .map(|(name, (dtype, bytes))| {
                let length = bytes.len() / (dtype.bitsize() / 8);
                Ok((*name, TensorView::new(*dtype, vec![length], bytes)?))
            })
            .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
        let bytes =
            safetensors::serialize(tensors, Some([("run".to_owned(), run.to_string())].into()))?;
        Ok(Curve {
            bytes,
            outcome,
            steps,
        })
    }

    fn outcome(&self, rows: &BTreeMap<u64, Row>, steps: u64) -> Outcome {
        let infinite = |row: &Row| {
            ["loss", "train_loss"]
                .iter()
                .any(|loss| row.get(loss).is_some_and(|value| !value.is_finite()))
        };
        if let Some((step, _)) = rows.iter().find(|(_, row)| infinite(row)) {
            Outcome::Diverged { step: *step }
        } else if steps < self.budget_steps {
            Outcome::Stopped { step: steps }
        } else {
            Outcome::Finished
        }
    }
}

fn doubles(values: impl Iterator<Item = f64>) -> Vec<u8> {
    values.flat_map(f64::to_le_bytes).collect()
}

fn integers(values: impl Iterator<Item = u64>) -> Vec<u8> {
    values.flat_map(u64::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use analysis::Run;

    use super::*;

    fn settings(path: &str) -> Settings {
        serde_json::from_value(json!({
            "files": [{"path": path}], "train_examples": 100, "steps_per_epoch": 10, "budget_steps": 3,
            "parameters": 7,
            "settings": {"batch_size": 10, "learning_rate": 0.5, "seed": 1, "optimizer": {"sgd": {"momentum": 0.9}}},
        }))
        .expect("settings")
    }

    fn read(path: &str, text: &str) -> Result<Curve, Failure> {
        settings(path).read(|_| Ok(text.as_bytes().to_vec()))
    }

    fn run(path: &str, text: &str) -> Run {
        let curve = read(path, text).unwrap_or_else(|error| panic!("{error}"));
        Run::from_safetensors("sgd/seed=1", &curve.bytes).expect("a curve")
    }

    #[test]
    fn csv_and_json_lines_give_the_run_that_a_train_stage_would() {
        let csv = "step,loss,learning_rate,test_accuracy,train_loss\n0,,,0.1,2.5\n1,2.5,0.5,,\n2,1.5,0.5,,\n3,1.0,0.05,0.6,0.9\n";
        let lines = "{\"step\": 0, \"test_accuracy\": 0.1, \"train_loss\": 2.5}\n{\"step\": 1, \"loss\": 2.5}\n\
                     {\"step\": 2, \"loss\": 1.5, \"train_loss\": null}\n{\"step\": 3, \"loss\": 1, \"learning_rate\": 0.05}\n\
                     {\"step\": 3, \"test_accuracy\": 0.6, \"train_loss\": 0.9}\n";
        let run_of_csv = run("c.csv", csv);
        assert_eq!(run_of_csv, run("c.jsonl", lines));
        assert_eq!(run_of_csv.outcome, analysis::Outcome::Finished);
        assert_eq!(run_of_csv.loss, [2.5, 1.5, 1.0]);
        assert_eq!(run_of_csv.learning_rate, [0.5, 0.5, 0.05]);
        assert_eq!(run_of_csv.rate_drops, [2]);
        let read: Vec<_> = run_of_csv
            .evaluations
            .iter()
            .map(|e| {
                (
                    e.step,
                    e.examples,
                    e.test_accuracy,
                    e.train_loss,
                    e.test_loss,
                )
            })
            .collect();
        assert_eq!(
            read,
            [
                (0, 0, Some(0.1), Some(2.5), None),
                (3, 30, Some(0.6), Some(0.9), None)
            ]
        );
        assert_eq!((run_of_csv.method(), run_of_csv.parameters), ("sgd", 7));
    }

    #[test]
    fn a_loss_that_is_not_finite_is_divergence_and_an_early_end_is_a_stop() {
        let diverged = run(
            "c.jsonl",
            "{\"step\": 0, \"train_loss\": 1}\n{\"step\": 2, \"loss\": NaN}\n",
        );
        assert_eq!(diverged.outcome, analysis::Outcome::Diverged { step: 2 });
        let diverged = run("c.csv", "step,train_loss\n0,1\n1,inf\n");
        assert_eq!(diverged.outcome, analysis::Outcome::Diverged { step: 1 });
        let stopped = run("c.csv", "step,train_loss\n0,1\n2,0.5\n");
        assert_eq!(stopped.outcome, analysis::Outcome::Stopped { step: 2 });
    }

    #[test]
    fn what_is_no_curve_of_the_run_is_refused() {
        let error = |text: &str| read("c.csv", text).err().expect("refused").to_string();
        assert!(error("step,train_loss\n4,1\n").contains("the budget is 3 steps"));
        assert!(error("step,loss\n1,1\n").contains("no evaluation"));
        assert!(error("step,loss\n").contains("has no row"));
    }
}
