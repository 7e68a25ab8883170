//! Curves that a program logged, CSV or JSON Lines, as those of a training run.
//!
//! The columns are those of the study file's reference (`curves` of `command`); the bytes are those that a `train`
//! stage would give for such a run (doc/design.md).

mod error;
mod json;
mod number;
mod separated;
mod table;
mod text;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{Curve, Evaluation, Metric, Outcome, Record, Updates};
pub use error::{LogError, LogProblem};
use table::{File, Pace, Row, Rows};

/// A rate that falls below this share of the one before fell by a step of a schedule, not by a slow decay.
const DROP: f64 = 0.9;

/// Rows that are shown of a file before it is run.
const PREVIEWED: usize = 3;

/// What the study says of the files with a curve, and of the run that it is a curve of.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logged {
    files: Vec<File>,
    train_examples: u64,
    steps_per_epoch: u64,
    budget_steps: u64,
    parameters: u64,
    settings: Map<String, Value>,
}

/// A curve as it is kept.
pub struct Kept {
    /// Those of a [`Record`].
    pub bytes: Vec<u8>,
    /// How the run ended.
    pub outcome: Outcome,
    /// Updates made.
    pub steps: u64,
}

impl Logged {
    /// Reads the files, of which `contents` gives the bytes by their paths.
    ///
    /// # Errors
    ///
    /// With the file and the line, if one is not of the format; and those of `contents`.
    pub fn read<E: From<LogError>>(
        &self,
        contents: impl Fn(&str) -> Result<Vec<u8>, E>,
    ) -> Result<Kept, E> {
        Ok(self.curve(&self.rows(contents)?)?)
    }

    /// The first rows of the files, in words, and how many there are.
    ///
    /// # Errors
    ///
    /// As of [`read`](Self::read).
    pub fn preview<E: From<LogError>>(
        &self,
        contents: impl Fn(&str) -> Result<Vec<u8>, E>,
    ) -> Result<Vec<String>, E> {
        let rows = self.rows(contents)?;
        let kept = self.curve(&rows)?;
        let cells = |row: &Row| {
            let cells = row
                .iter()
                .map(|(column, value)| format!("{column} {value}"));
            cells.collect::<Vec<_>>().join(", ")
        };
        let shown = rows.iter().take(PREVIEWED);
        let mut lines: Vec<String> = shown
            .map(|(step, row)| format!("step {step}: {}", cells(row)))
            .collect();
        lines.push(format!(
            "{} rows, {} steps of {}",
            rows.len(),
            kept.steps,
            self.budget_steps
        ));
        Ok(lines)
    }

    fn rows<E: From<LogError>>(
        &self,
        contents: impl Fn(&str) -> Result<Vec<u8>, E>,
    ) -> Result<Rows, E> {
        let mut rows = Rows::new();
        for file in &self.files {
            file.read(&contents(&file.path)?, self.pace(), &mut rows)?;
        }
        Ok(rows)
    }

    /// The files that the program writes.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
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

    fn curve(&self, rows: &Rows) -> Result<Kept, LogError> {
        let wrong = |problem| LogError {
            path: self.paths().collect::<Vec<_>>().join(", "),
            line: None,
            problem,
        };
        let steps = rows
            .keys()
            .last()
            .copied()
            .ok_or_else(|| wrong(LogProblem::NoRow))?;
        if steps > self.budget_steps {
            return Err(wrong(LogProblem::BeyondBudget {
                step: steps,
                budget: self.budget_steps,
                epoch: self.steps_per_epoch,
            }));
        }
        let (updates, rate_drops) = self.updates(rows);
        let mut curve = Curve {
            updates,
            evaluations: self.evaluations(rows),
            ..Curve::default()
        };
        if curve.evaluations.is_empty() {
            return Err(wrong(LogProblem::NoEvaluation));
        }
        let outcome = curve.end(steps, self.budget_steps);
        let record = Record {
            settings: &self.settings,
            outcome,
            train_examples: self.train_examples,
            steps_per_epoch: self.steps_per_epoch,
            budget_steps: self.budget_steps,
            rate_drops,
            parameters: self.parameters,
            curve,
        };
        Ok(Kept {
            bytes: record.to_bytes(),
            outcome,
            steps,
        })
    }

    /// The rows of updates, each with the rate that was last said, and the steps after which that falls.
    fn updates(&self, rows: &Rows) -> (Updates, Vec<u64>) {
        let start = self.settings.get("learning_rate").and_then(Value::as_f64);
        let mut rate = start.unwrap_or(f64::NAN);
        let (mut steps, mut losses, mut rates) = (Vec::new(), Vec::new(), Vec::new());
        let mut drops = Vec::new();
        for (&step, row) in rows {
            let (loss, now) = (row.get("loss"), row.get("learning_rate"));
            if loss.is_none() && now.is_none() {
                continue;
            }
            let now = now.copied().unwrap_or(rate);
            // Up to here it was the rate before, but for the first update, which has none before it.
            if step > 1 && now < DROP * rate {
                drops.push(step - 1);
            }
            rate = now;
            steps.push(step);
            rates.push(rate);
            losses.push(match loss {
                None => f32::NAN,
                Some(loss) if loss.is_nan() => f32::INFINITY,
                Some(loss) => *loss as f32,
            });
        }
        (Updates::at(steps, losses, rates), drops)
    }

    fn evaluations(&self, rows: &Rows) -> Vec<Evaluation> {
        let pace = self.pace();
        let evaluation = |(&step, row): (&u64, &Row)| {
            let seen = row.get("examples").map(|seen| *seen as u64);
            let mut evaluation = Evaluation {
                step,
                examples: seen.unwrap_or_else(|| pace.examples(step)),
                ..Evaluation::default()
            };
            let mut measured = false;
            for metric in Metric::ALL {
                let value = row.get(metric.name()).copied();
                measured |= value.is_some();
                *metric.of_mut(&mut evaluation) = value;
            }
            measured.then_some(evaluation)
        };
        rows.iter().filter_map(evaluation).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Run;

    fn settings(path: &str) -> Logged {
        serde_json::from_value(json!({
            "files": [{"path": path}], "train_examples": 100, "steps_per_epoch": 10, "budget_steps": 3,
            "parameters": 7,
            "settings": {"batch_size": 10, "learning_rate": 0.5, "seed": 1, "optimizer": {"sgd": {"momentum": 0.9}}},
        }))
        .expect("settings")
    }

    fn read(settings: &Logged, text: &str) -> Result<Kept, LogError> {
        settings.read(|_| Ok(text.as_bytes().to_vec()))
    }

    fn run(path: &str, text: &str) -> Run {
        let curve = read(&settings(path), text).unwrap_or_else(|error| panic!("{error}"));
        Run::from_bytes("sgd/seed=1", &curve.bytes).expect("a curve")
    }

    #[test]
    fn csv_and_json_lines_give_the_run_that_a_train_stage_would() {
        let csv = "step,loss,learning_rate,test_accuracy,train_loss\n0,,,0.1,2.5\n1,2.5,0.5,,\n2,1.5,0.5,,\n3,1.0,0.05,0.6,0.9\n";
        let lines = "{\"step\": 0, \"test_accuracy\": 0.1, \"train_loss\": 2.5}\n{\"step\": 1, \"loss\": 2.5}\n\
                     {\"step\": 2, \"loss\": 1.5, \"train_loss\": null}\n{\"step\": 3, \"loss\": 1, \"learning_rate\": 0.05}\n\
                     {\"step\": 3, \"test_accuracy\": 0.6, \"train_loss\": 0.9}\n";
        let run_of_csv = run("c.csv", csv);
        assert_eq!(run_of_csv, run("c.jsonl", lines));
        assert_eq!(run_of_csv.outcome, Outcome::Finished);
        let updates: Vec<_> = run_of_csv.curve.updates.rows().collect();
        assert_eq!(updates, [(1, 2.5, 0.5), (2, 1.5, 0.5), (3, 1.0, 0.05)]);
        assert_eq!(run_of_csv.rate_drops, [2]);
        let read: Vec<_> = run_of_csv
            .curve
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
        assert_eq!(diverged.outcome, Outcome::Diverged { step: 2 });
        let diverged = run("c.csv", "step,train_loss\n0,1\n1,inf\n");
        assert_eq!(diverged.outcome, Outcome::Diverged { step: 1 });
        let stopped = run("c.csv", "step,train_loss\n0,1\n2,0.5\n");
        assert_eq!(stopped.outcome, Outcome::Stopped { step: 2 });
    }

    #[test]
    fn a_step_that_loss_scaling_skips_is_no_divergence() {
        let skipped = run(
            "c.csv",
            "step,loss,train_loss\n0,,2\n1,2,\n2,inf,\n3,1,0.5\n",
        );
        assert_eq!(skipped.outcome, Outcome::Finished);
        assert_eq!(skipped.curve.evaluations.len(), 2);
    }

    #[test]
    fn a_test_loss_that_is_not_finite_is_kept_as_such_and_is_no_divergence() {
        let run = run(
            "c.csv",
            "step,loss,train_loss,test_loss\n0,,2,\n3,1,0.5,nan\n",
        );
        assert_eq!(run.outcome, Outcome::Finished);
        let measured = run
            .curve
            .evaluations
            .iter()
            .map(|at| Metric::TestLoss.measured(at));
        assert!(
            matches!(measured.collect::<Vec<_>>()[..], [None, Some(loss)] if !loss.is_finite())
        );
        assert_eq!(Metric::TestLoss.of(&run.curve.evaluations[1]), None);
    }

    #[test]
    fn rows_far_apart_cost_no_more_than_rows_in_a_row() {
        let mut settings = settings("c.csv");
        settings.budget_steps = 100_000_000;
        let text = "step,loss,train_loss\n0,,3\n50000000,2,2\n100000000,1,1\n";
        let kept = read(&settings, text).unwrap_or_else(|error| panic!("{error}"));
        assert!(kept.bytes.len() < 2000, "{} bytes", kept.bytes.len());
        let run = Run::from_bytes("sgd/seed=1", &kept.bytes).expect("a curve");
        let losses: Vec<_> = run.curve.updates.losses().collect();
        assert_eq!(losses, [(50_000_000, 2.0), (100_000_000, 1.0)]);
        assert_eq!(run.outcome, Outcome::Finished);
    }

    #[test]
    fn a_rate_that_falls_between_rows_falls_before_the_row_that_says_so() {
        let drops = |text: &str| run("c.csv", text).record.rate_drops;
        let header = "step,learning_rate,train_loss\n";
        assert_eq!(drops(&format!("{header}0,,3\n1,0.5,\n3,0.05,1\n")), [2]);
        assert_eq!(drops(&format!("{header}0,,3\n3,0.05,1\n")), [2]);
        assert!(drops(&format!("{header}0,,3\n1,0.05,\n3,0.05,1\n")).is_empty());
    }

    #[test]
    fn what_is_no_curve_of_the_run_is_refused() {
        let error = |text: &str| {
            let read = read(&settings("c.csv"), text);
            read.err().expect("refused").to_string()
        };
        assert!(error("step,train_loss\n4,1\n").contains("the budget is 3 steps"));
        assert!(error("step,loss\n1,1\n").contains("no evaluation"));
        assert!(error("step,loss\n").contains("has no row"));
    }
}
