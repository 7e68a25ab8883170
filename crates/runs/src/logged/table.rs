//! Curves as programs log them: comma-separated values with a header, or JSON, one record a row.
//!
//! What a file means is told by the study ([`File`]): which column is which, in what steps are counted. Here it
//! becomes rows by step, with the metrics' own names. Every number is read by one rule, whatever the format.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::number::number;
use super::text::text;
use super::{LogError, LogProblem, json, separated};
use crate::Metric;

/// The columns that a curve has beside its `step`.
pub(super) fn columns() -> impl Iterator<Item = &'static str> {
    let metrics = Metric::ALL.map(Metric::name);
    ["loss", "learning_rate", "examples"]
        .into_iter()
        .chain(metrics)
}

/// How far beyond 0 and 1 an accuracy may be by rounding.
const ROUNDING: f64 = 1e-5;

/// A file with curves, as the study describes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) path: String,
    /// What a column is called in the file, where that is not its name; none if the file does not have it.
    #[serde(default)]
    columns: BTreeMap<String, Option<String>>,
    /// Columns of no use; `*` stands for any text.
    #[serde(default)]
    ignore: Vec<String>,
    #[serde(default)]
    counted_in: Unit,
    /// What the file calls the first step, or the first epoch.
    #[serde(default = "one")]
    counted_from: u64,
    #[serde(default)]
    tokens_per_example: u64,
    /// Whether accuracies are in percent.
    #[serde(default)]
    percent: bool,
}

fn one() -> u64 {
    1
}

/// What the file counts its steps in.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Unit {
    #[default]
    Steps,
    Epochs,
    Examples,
    Tokens,
}

/// How long steps and epochs are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) batch_size: u64,
    pub(super) steps_per_epoch: u64,
    pub(super) train_examples: u64,
}

impl Pace {
    /// Examples seen after a step: the last batch of an epoch may be a small one.
    pub(super) fn examples(self, step: u64) -> u64 {
        if self.steps_per_epoch * self.batch_size <= self.train_examples {
            return step * self.batch_size;
        }
        let (epochs, rest) = (step / self.steps_per_epoch, step % self.steps_per_epoch);
        epochs * self.train_examples + rest * self.batch_size
    }

    /// The step after which so many examples were seen.
    fn step_of(self, examples: f64) -> f64 {
        if self.steps_per_epoch * self.batch_size <= self.train_examples {
            return examples / self.batch_size as f64;
        }
        let epochs = (examples / self.train_examples as f64).floor();
        let rest = examples - epochs * self.train_examples as f64;
        epochs * self.steps_per_epoch as f64 + (rest / self.batch_size as f64).ceil()
    }
}

/// The cells of one step that are not empty.
pub(super) type Row = BTreeMap<&'static str, f64>;
/// Rows by the number of updates made; the loss and the rate are those of the last of these.
pub(super) type Rows = BTreeMap<u64, Row>;

/// What becomes of a column of the file.
enum Use {
    /// It has these columns of the curve.
    Is(Vec<&'static str>),
    Step,
    Ignored,
    Unknown,
}

impl File {
    /// Adds the rows of the file to those of others.
    ///
    /// # Errors
    /// What is wrong, with the line.
    pub(super) fn read(&self, bytes: &[u8], pace: Pace, rows: &mut Rows) -> Result<(), LogError> {
        let text = text(bytes).map_err(|problem| self.wrong(problem))?;
        let text = text.as_ref();
        let mut reader = Reader {
            file: self,
            pace,
            rows,
            uses: BTreeMap::new(),
        };
        let lines = if text.trim_start().starts_with(['{', '[']) {
            json::read(text, &mut reader)
        } else {
            separated::read(text, &mut reader)
        };
        lines?;
        reader.check_columns()
    }

    pub(super) fn wrong(&self, problem: LogProblem) -> LogError {
        LogError {
            path: self.path.clone(),
            line: None,
            problem,
        }
    }

    pub(super) fn at(&self, line: usize, problem: LogProblem) -> LogError {
        LogError {
            line: Some(line),
            ..self.wrong(problem)
        }
    }

    fn use_of(&self, name: &str) -> Use {
        let is = |column: &&str| match self.columns.get(*column) {
            Some(called) => called.as_deref() == Some(name),
            None => *column == name,
        };
        if is(&"step") {
            return Use::Step;
        }
        let columns: Vec<&'static str> = columns().filter(is).collect();
        if !columns.is_empty() {
            Use::Is(columns)
        } else if name.is_empty() {
            // Of pandas' index, or of a comma at the end of every line.
            Use::Ignored
        } else if self.ignore.iter().any(|pattern| fits(pattern, name)) {
            Use::Ignored
        } else {
            Use::Unknown
        }
    }

    /// Whether the study says what becomes of a column.
    pub(super) fn knows(&self, name: &str) -> bool {
        !matches!(self.use_of(name), Use::Unknown)
    }

    /// What the file calls the step.
    fn step_name(&self) -> &str {
        let called = self.columns.get("step").and_then(Option::as_deref);
        called.unwrap_or("step")
    }

    /// The number of updates made, of what the file says.
    fn step(&self, said: f64, pace: Pace) -> Option<u64> {
        let done = said - self.counted_from as f64 + 1.0;
        let (steps, exact) = match self.counted_in {
            Unit::Steps => (done, true),
            Unit::Epochs => (done * pace.steps_per_epoch as f64, false),
            Unit::Examples => (pace.step_of(said), false),
            Unit::Tokens => (pace.step_of(said / self.tokens_per_example as f64), false),
        };
        let whole = if exact { steps } else { steps.round() };
        is_whole(whole).then_some(whole as u64)
    }
}

/// Whether a pattern, in which `*` stands for any text, is this name.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(rest) = name.strip_prefix(before) else {
        return false;
    };
    let mut ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    ends.any(|at| fits(after, &rest[at..]))
}

fn is_whole(number: f64) -> bool {
    number >= 0.0 && number.fract() == 0.0 && number < 2f64.powi(53)
}

/// Takes in records one by one.
pub(super) struct Reader<'a> {
    pub(super) file: &'a File,
    pace: Pace,
    rows: &'a mut Rows,
    /// What becomes of each column met so far.
    uses: BTreeMap<String, Use>,
}

impl Reader<'_> {
    pub(super) fn meet(&mut self, name: &str) {
        if !self.uses.contains_key(name) {
            self.uses.insert(name.to_owned(), self.file.use_of(name));
        }
    }

    /// Takes in one record: names of columns with what stands there.
    pub(super) fn record<'c>(
        &mut self,
        line: usize,
        decimal_comma: bool,
        cells: impl Iterator<Item = (&'c str, &'c str)>,
    ) -> Result<(), LogError> {
        let file = self.file;
        let mut step = None;
        let mut row = Row::new();
        for (name, cell) in cells {
            self.meet(name);
            let columns = match &self.uses[name] {
                Use::Ignored | Use::Unknown => continue,
                Use::Step => &[][..],
                Use::Is(columns) => columns,
            };
            let no_number = |help| LogProblem::NotANumber {
                cell: cell.to_owned(),
                column: name.to_owned(),
                help,
            };
            let Some(value) =
                number(cell, decimal_comma).map_err(|help| file.at(line, no_number(help)))?
            else {
                continue;
            };
            if columns.is_empty() {
                let made = file.step(value, self.pace);
                step = Some(made.ok_or_else(|| file.at(line, no_step(value, file)))?);
            }
            for column in columns {
                let value = file.fitting(column, value).map_err(|help| {
                    let problem = LogProblem::OutOfRange {
                        value,
                        column,
                        help,
                    };
                    file.at(line, problem)
                })?;
                row.insert(column, value);
            }
        }
        if row.is_empty() {
            return Ok(());
        }
        let step = step.ok_or_else(|| {
            let problem = LogProblem::NoStep {
                step: file.step_name().to_owned(),
                column: row.keys().next().unwrap_or(&"loss"),
            };
            file.at(line, problem)
        })?;
        let known = self.rows.entry(step).or_default();
        for (column, value) in row {
            if step == 0 && matches!(column, "loss" | "learning_rate") {
                let help = match file.counted_from {
                    1 => "; where the file calls that one 0, say `counted_from: 0`",
                    _ => "",
                };
                return Err(file.at(line, LogProblem::UpdateAtZero { column, help }));
            }
            if known.insert(column, value).is_some() {
                return Err(file.at(line, LogProblem::ValueTwice { column, step }));
            }
        }
        Ok(())
    }

    /// Every column of the file is one that the study knows, and every one that it names is there.
    fn check_columns(&self) -> Result<(), LogError> {
        let missing: BTreeSet<&String> = self
            .file
            .columns
            .values()
            .flatten()
            .filter(|name| !self.uses.contains_key(*name))
            .collect();
        if !missing.is_empty() {
            return Err(self.file.wrong(LogProblem::NoColumn {
                missing: missing.into_iter().cloned().collect(),
                known: self.uses.keys().cloned().collect(),
            }));
        }
        let unknown = self.uses.iter();
        let unknown = unknown.filter(|(_, of)| matches!(of, Use::Unknown));
        let unknown: Vec<String> = unknown.map(|(name, _)| name.clone()).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        Err(self.file.wrong(LogProblem::UnknownColumns { unknown }))
    }
}

impl File {
    /// The value as it is kept, if it can be one of the column.
    fn fitting(&self, column: &str, value: f64) -> Result<f64, &'static str> {
        match column {
            "examples" if !is_whole(value) => Err("; it counts"),
            "learning_rate" if !(value.is_finite() && value >= 0.0) => Err(""),
            metric if Metric::named(metric).is_some_and(|metric| !metric.is_loss()) => {
                let value = if self.percent { value / 100.0 } else { value };
                if value.is_nan() || (-ROUNDING..=1.0 + ROUNDING).contains(&value) {
                    return Ok(value.clamp(0.0, 1.0));
                }
                Err(match value {
                    1.0..=100.0 => {
                        ", a fraction; where the file has percentages, say `percent: true`"
                    }
                    _ => ", a fraction",
                })
            }
            _ => Ok(value),
        }
    }
}

fn no_step(value: f64, file: &File) -> LogProblem {
    LogProblem::NotAStep {
        value,
        column: file.step_name().to_owned(),
        help: match file.counted_in {
            Unit::Steps if value.fract() != 0.0 => {
                "; where it counts epochs, say `counted_in: epochs`"
            }
            _ => "",
        },
    }
}

pub(super) fn quoted(names: &[String]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests;
