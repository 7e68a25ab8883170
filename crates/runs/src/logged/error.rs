//! What can be wrong with the curves that a program logs.

use super::table::{columns, quoted};
use crate::Metric;

/// A file with curves is not one of a training run.
#[derive(Debug, thiserror::Error)]
#[error("{path}{}: {problem}", in_line(*line))]
pub struct LogError {
    /// Its path, or those of all files of the run.
    pub path: String,
    /// The line, where it is one that is wrong.
    pub line: Option<usize>,
    /// What is wrong, and what to do.
    pub problem: LogProblem,
}

/// What is wrong with a file with curves, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum LogProblem {
    /// A file with curves is of a format that is none of text.
    #[error("it is {what}")]
    OtherFormat {
        /// The format, and what to do.
        what: &'static str,
    },
    /// A file with curves is no text.
    #[error("it is not text")]
    NotText,
    /// There is nothing in a file with curves.
    #[error("it is empty")]
    Empty,
    /// A file with curves has text in units of two bytes, and not all of it.
    #[error("it is UTF-16 that breaks off or is damaged; write UTF-8")]
    Utf16,
    /// A file with curves has text in another encoding.
    #[error("line {line} is not UTF-8; spreadsheets write that as \"CSV UTF-8\"")]
    NotUtf8 {
        /// The first line that is not.
        line: usize,
    },

    /// A file with curves in JSON has something else than objects.
    #[error(
        "`{text}` is not a record; write one object on each line, such as `{{\"step\": 1, \"loss\": 2.3}}`"
    )]
    NotARecord {
        /// What is there.
        text: String,
    },
    /// A `trainer_state.json` is not as Hugging Face writes it.
    #[error("`log_history` is not a list")]
    HistoryNotAList,
    /// A file with curves begins like JSON and goes on otherwise.
    #[error("{} where JSON has {wanted}", stands(*found))]
    NotJson {
        /// What is there; nothing at the end of the file.
        found: Option<char>,
        /// What should be.
        wanted: String,
    },
    /// A record in JSON is nested.
    #[error("nested more than {limit} deep")]
    TooDeep {
        /// What is accepted.
        limit: usize,
    },
    /// A record in JSON has the same key twice.
    #[error("`{key}` twice in one record")]
    KeyTwice {
        /// The key.
        key: String,
    },
    /// A text in JSON has no closing quote.
    #[error("a text is not closed")]
    OpenText,
    /// A text in JSON has an escape that JSON does not have.
    #[error("a text is not JSON: {0}")]
    Text(serde_json::Error),

    /// A file with curves is not CSV.
    #[error("{0}")]
    Csv(csv::Error),
    /// A file of CSV has its header a second time.
    #[error(
        "the header again: two runs wrote to one file, or a run went on in it; write each run's curve to a new file"
    )]
    HeaderAgain,
    /// A line of CSV has more or fewer cells than the header.
    #[error("{found} cells under {columns} columns")]
    Cells {
        /// Its cells.
        found: usize,
        /// Those of the header.
        columns: usize,
    },
    /// A file of CSV does not begin with the names of its columns.
    #[error("`{number}` stands where the first line names the columns, such as `step,train_loss`")]
    NoHeader {
        /// What stands there.
        number: String,
    },
    /// Nothing that is known separates the columns of a file.
    #[error("one column, `{name}`; separate columns by commas, semicolons or tabs")]
    OneColumn {
        /// The first line.
        name: String,
    },
    /// Two columns of a file have one name.
    #[error(
        "more than one column is called {}: which one is meant?",
        quoted(names)
    )]
    ColumnTwice {
        /// Such names.
        names: Vec<String>,
    },

    /// A cell of a column that is read has no number.
    #[error("`{cell}` is not a number, under `{column}`{help}")]
    NotANumber {
        /// What it has.
        cell: String,
        /// The column, as the file names it.
        column: String,
        /// What to do, where that is known.
        help: &'static str,
    },
    /// A number cannot be one of steps, epochs or examples.
    #[error("{value} is not a step, under `{column}`{help}")]
    NotAStep {
        /// The number.
        value: f64,
        /// The column, as the file names it.
        column: String,
        /// What to do, where that is known.
        help: &'static str,
    },
    /// A number is outside the range of its column.
    #[error("{value} cannot be a value of `{column}`{help}")]
    OutOfRange {
        /// The number.
        value: f64,
        /// The column of the curve.
        column: &'static str,
        /// What it should be.
        help: &'static str,
    },
    /// A record has measurements and no step.
    #[error("no `{step}` beside `{column}`")]
    NoStep {
        /// What the file calls the step.
        step: String,
        /// A measurement.
        column: &'static str,
    },
    /// A loss of a mini-batch, or a learning rate, is given before the first update.
    #[error("`{column}` at step 0; the first update is step 1{help}")]
    UpdateAtZero {
        /// Which of the two.
        column: &'static str,
        /// What to do, where that is known.
        help: &'static str,
    },
    /// Two records give the same column of the same step.
    #[error(
        "`{column}` of step {step} for the second time; did two runs write to one file, or did one go on in it?"
    )]
    ValueTwice {
        /// The column of the curve.
        column: &'static str,
        /// The step.
        step: u64,
    },
    /// `columns` names a column that the file does not have.
    #[error(
        "it has no column {}, which `columns` names; it has {}",
        quoted(missing),
        quoted(known)
    )]
    NoColumn {
        /// Such names.
        missing: Vec<String>,
        /// The columns of the file.
        known: Vec<String>,
    },
    /// A file has columns that the study does not speak of, so that one may be misspelt.
    #[error(
        "it has columns that are not known: {}; say which of step, {} they are (`columns: {{ validation_loss: {} }}`), \
         or leave them out (`ignore: [{}]`)",
        quoted(unknown),
        columns().collect::<Vec<_>>().join(", "),
        unknown[0],
        unknown.join(", ")
    )]
    UnknownColumns {
        /// Their names.
        unknown: Vec<String>,
    },

    /// A file with curves has no measurement at all.
    #[error("it has no row")]
    NoRow,
    /// A curve goes on after the budget of its run.
    #[error(
        "it goes on to step {step}; the budget is {budget} steps, an epoch {epoch} (`last_batch: keep` counts a last \
         batch that is not full; `counted_in` and `counted_from` say how the file counts)"
    )]
    BeyondBudget {
        /// Its last step.
        step: u64,
        /// Steps of the budget.
        budget: u64,
        /// Steps of an epoch.
        epoch: u64,
    },
    /// A curve has nothing that runs are compared by.
    #[error("it has no evaluation: none of {}", Metric::ALL.map(Metric::name).join(", "))]
    NoEvaluation,
}

fn in_line(line: Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!(", line {line}"))
}

fn stands(found: Option<char>) -> String {
    match found {
        Some(found) => format!("`{found}` stands"),
        None => "the file ends".to_owned(),
    }
}
