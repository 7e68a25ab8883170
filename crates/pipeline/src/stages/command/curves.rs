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

/// The metrics of an evaluation.
const METRICS: [&str; 6] = [
    "train_loss",
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
    "test_loss",
    "test_accuracy",
];
/// The other columns.
const OTHERS: [&str; 4] = ["step", "examples", "loss", "learning_rate"];

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
    pub(super) path: String,
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

/// The cells of one step that are not empty.
type Row = BTreeMap<&'static str, f64>;

impl Settings {
    /// Reads the file's text.
    ///
    /// # Errors
    /// With the line, if it is not of the format.
    pub(super) fn read(&self, text: &str) -> Result<Curve, Failure> {
        let rows = if [".jsonl", ".ndjson"]
            .iter()
            .any(|end| self.path.ends_with(end))
        {
            self.json_lines(text)?
        } else {
            self.csv(text)?
        };
        self.curve(&rows)
    }

    fn at(&self, line: usize, message: &str) -> Failure {
        format!("{}, line {line}: {message}", self.path).into()
    }

    fn column(&self, line: usize, name: &str) -> Result<&'static str, Failure> {
        let mut known = OTHERS.into_iter().chain(METRICS);
        known.find(|known| *known == name).ok_or_else(|| {
            let known = [&OTHERS[..], &METRICS].concat().join(", ");
            self.at(line, &format!("no such column `{name}`; known are {known}"))
        })
    }

    fn csv(&self, text: &str) -> Result<BTreeMap<u64, Row>, Failure> {
        let mut lines = text.lines().enumerate();
        let (_, header) = lines
            .next()
            .ok_or_else(|| format!("{} is empty", self.path))?;
        let columns: Vec<&'static str> = cells(header)
            .map(|name| self.column(1, name))
            .collect::<Result<_, _>>()?;
        let mut rows = BTreeMap::new();
        for (index, text) in lines {
            let line = index + 1;
            if text.trim().is_empty() {
                continue;
            }
            let written: Vec<&str> = cells(text).collect();
            if written.len() != columns.len() {
                let (found, wanted) = (written.len(), columns.len());
                return Err(self.at(line, &format!("{found} cells under {wanted} columns")));
            }
            let mut row = Row::new();
            for (column, cell) in columns
                .iter()
                .zip(written)
                .filter(|(_, cell)| !cell.is_empty())
            {
                let number = cell.parse().map_err(|_| {
                    self.at(line, &format!("`{cell}` is no number, under `{column}`"))
                })?;
                row.insert(*column, number);
            }
            self.add(line, row, &mut rows)?;
        }
        Ok(rows)
    }

    fn json_lines(&self, text: &str) -> Result<BTreeMap<u64, Row>, Failure> {
        let mut rows = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let object: Map<String, Value> = serde_json::from_str(line)
                // Python writes numbers that JSON has not.
                .or_else(|error| {
                    let quoted = line
                        .replace("-Infinity", "Infinity")
                        .replace("NaN", "\"nan\"");
                    serde_json::from_str(&quoted.replace("Infinity", "\"inf\"")).map_err(|_| error)
                })
                .map_err(|error| self.at(index + 1, &error.to_string()))?;
            let mut cells = Row::new();
            for (name, value) in &object {
                let column = self.column(index + 1, name)?;
                let number = match value {
                    Value::Null => continue,
                    Value::Number(number) => number.as_f64(),
                    Value::String(text) => text.parse().ok(),
                    _ => None,
                };
                let number = number.ok_or_else(|| {
                    self.at(index + 1, &format!("{value} is no number, under `{name}`"))
                })?;
                cells.insert(column, number);
            }
            self.add(index + 1, cells, &mut rows)?;
        }
        Ok(rows)
    }

    /// Adds a line to the row of its step.
    fn add(
        &self,
        line: usize,
        mut cells: Row,
        rows: &mut BTreeMap<u64, Row>,
    ) -> Result<(), Failure> {
        let whole = |number: f64| number >= 0.0 && number.fract() == 0.0 && number < 2f64.powi(53);
        let step = match cells.remove("step") {
            Some(step) if whole(step) => step as u64,
            Some(step) => return Err(self.at(line, &format!("{step} is no step"))),
            None => return Err(self.at(line, "no `step`")),
        };
        for (column, value) in &cells {
            let fits = match *column {
                "examples" => whole(*value),
                "learning_rate" => value.is_finite() && *value >= 0.0,
                accuracy if accuracy.ends_with("_accuracy") => {
                    value.is_nan() || (0.0..=1.0).contains(value)
                }
                _ => true,
            };
            if !fits {
                return Err(self.at(line, &format!("{value} is no value of `{column}`")));
            }
            if step == 0 && matches!(*column, "loss" | "learning_rate") {
                return Err(self.at(
                    line,
                    &format!("`{column}` at step 0; the first update is step 1"),
                ));
            }
            if rows.get(&step).is_some_and(|row| row.contains_key(column)) {
                return Err(self.at(
                    line,
                    &format!("`{column}` of step {step} for the second time"),
                ));
            }
        }
        rows.entry(step).or_default().extend(cells);
        Ok(())
    }

    fn curve(&self, rows: &BTreeMap<u64, Row>) -> Result<Curve, Failure> {
        let path = &self.path;
        let steps = rows
            .keys()
            .last()
            .copied()
            .ok_or_else(|| format!("{path} has no row"))?;
        if steps > self.budget_steps {
            return Err(format!(
                "{path} goes on to step {steps}; the budget is {} steps",
                self.budget_steps
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
        let batch = self
            .settings
            .get("batch_size")
            .and_then(Value::as_u64)
            .unwrap_or(1);

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
                .map_or(step * batch, |seen| *seen as u64)
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

/// The cells of a line of CSV. They are numbers or names of columns: none has a comma in it.
fn cells(line: &str) -> impl Iterator<Item = &str> {
    line.split(',').map(|cell| cell.trim().trim_matches('"'))
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
            "path": path, "train_examples": 100, "steps_per_epoch": 10, "budget_steps": 3, "parameters": 7,
            "settings": {"batch_size": 10, "learning_rate": 0.5, "seed": 1, "optimizer": {"sgd": {"momentum": 0.9}}},
        }))
        .expect("settings")
    }

    fn run(path: &str, text: &str) -> Run {
        let curve = settings(path)
            .read(text)
            .unwrap_or_else(|error| panic!("{error}"));
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
    fn what_is_no_curve_is_refused_with_its_line() {
        let error = |text: &str| {
            settings("c.csv")
                .read(text)
                .err()
                .expect("refused")
                .to_string()
        };
        assert!(error("step,los\n1,1\n").contains("line 1: no such column `los`"));
        assert!(error("step,loss\n1,x\n").contains("line 2: `x` is no number, under `loss`"));
        assert!(error("loss\n1\n").contains("line 2: no `step`"));
        assert!(error("step,loss\n0,1\n").contains("the first update is step 1"));
        assert!(error("step,test_accuracy\n1,93\n").contains("93 is no value of `test_accuracy`"));
        assert!(
            error("step,train_loss\n1,1\n1,2\n")
                .contains("line 3: `train_loss` of step 1 for the second time")
        );
        assert!(error("step,train_loss\n4,1\n").contains("the budget is 3 steps"));
        assert!(error("step,loss\n1,1\n").contains("no evaluation"));
        assert!(error("step,loss\n").contains("has no row"));
    }
}
