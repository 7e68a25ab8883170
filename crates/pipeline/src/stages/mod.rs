//! What each stage kind does: one file a kind, each binding a crate below to the engine.
//!
//! An executor sees the manifest, the verified inputs and the site; nothing else can change its output.

mod command;
mod dataset;
mod download;
mod error;
mod heatmap;
mod report;
mod runs;
mod select;
mod steps_to_target;
#[cfg(test)]
mod tests;
mod train;

use engine::{Execute, Job, Kinds, Output, Record};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub(crate) use command::preview as preview_curves;
pub(crate) use error::Error;
pub(crate) use report::{from_json as report_from_json, read as read_report, text as report_text};
pub(crate) use runs::settings as run_settings;
pub(crate) use train::{Weights, notes_say_diverged};

/// Why a stage failed.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The kinds with the versions of their code. A change that can change a kind's outputs raises its number.
pub(crate) const KINDS: [(&str, &str); 8] = [
    ("download", "1"),
    ("dataset", "1"),
    ("train", "4"),
    ("command", "2"),
    ("select", "3"),
    ("steps_to_target", "4"),
    ("heatmap", "3"),
    ("report", "6"),
];

/// The kinds that compute what a study is about; the others only read that, in seconds.
pub(crate) const TRAINS: [&str; 2] = ["train", "command"];

/// The kinds as the engine wants them.
pub(crate) fn kinds() -> Kinds {
    KINDS
        .iter()
        .fold(Kinds::new(), |kinds, (kind, code)| kinds.with(kind, code))
}

/// Executes stages of every kind; lives as long as its worker process.
#[derive(Default)]
pub(crate) struct Stages {
    trainer: train::Trainer,
    commander: command::Commander,
}

impl Execute for Stages {
    fn execute(&mut self, job: &Job<'_>) -> Result<Output, Failure> {
        match job.manifest().kind() {
            "download" => download::execute(job),
            "dataset" => dataset::execute(job),
            "train" => self.trainer.execute(job),
            "command" => self.commander.execute(job),
            "select" => select::execute(job),
            "steps_to_target" => steps_to_target::execute(job),
            "heatmap" => heatmap::execute(job),
            "report" => report::execute(job),
            other => Err(Error::UnknownKind {
                kind: other.to_owned(),
            }
            .into()),
        }
    }
}

/// The manifest's settings as a kind's own type.
fn settings<T: DeserializeOwned>(job: &Job<'_>) -> Result<T, Failure> {
    parse(job.manifest().settings())
}

/// Settings as a kind's own type.
pub(crate) fn parse<T: DeserializeOwned>(settings: &Map<String, Value>) -> Result<T, Failure> {
    T::deserialize(Value::Object(settings.clone())).map_err(|error| Error::Settings(error).into())
}

/// An output: one table as JSON.
fn table(output: &mut Output, name: &str, table: &impl Serialize) -> Result<(), Failure> {
    output
        .blobs
        .insert(name.to_owned(), serde_json::to_vec(table)?.into());
    Ok(())
}

/// Whether a result is a training run that diverged.
pub(crate) fn diverged(record: &Record) -> bool {
    notes_say_diverged(&record.notes)
}
