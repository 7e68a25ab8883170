//! What ends a command before it has done what it was asked for.
//!
//! [`Usage`] and [`Failed`] are what commands say themselves; the crates below and `stages` have their own lists. All of
//! them are in `doc/errors.md`.

use std::io;
use std::path::{Path, PathBuf};

/// What ended a command, by what it prints and returns.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The study file or the site file has mistakes.
    Mistakes(study::Diagnostics),
    /// The command line asks for something that does not exist: a [`Usage`] in words.
    Usage(String),
    /// Anything else.
    Other(Box<dyn std::error::Error + Send + Sync>),
}

impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        match error.into().downcast::<Usage>() {
            Ok(usage) => Self::Usage(usage.to_string()),
            Err(other) => Self::Other(other),
        }
    }
}

/// The command line asks for something that does not exist.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Usage {
    /// A device needs a feature that the program was built without.
    #[error("this program was built without {device}; build it with `--features {feature}`")]
    NotBuiltIn {
        device: String,
        feature: &'static str,
    },
    /// No stage of the study, with its values of a sweep, is called so.
    #[error("no stage has `{wanted}` in its name; `pipeline plan --verbose FILE` lists all names")]
    NoStage { wanted: String },
    /// A part of a name fits several stages.
    #[error(
        "{count} stages have `{wanted}` in their names; give more of the name of one:{}",
        lines(names, *count)
    )]
    SeveralStages {
        wanted: String,
        count: usize,
        /// The first of them.
        names: Vec<String>,
    },
    /// The study file has no stage of this name.
    #[error("the study has no stage `{unknown}`; it has {}", known.join(", "))]
    NoStageToExport { unknown: String, known: Vec<String> },
    /// Nothing in the cache is of this study.
    #[error("study `{study}` never ran on this cache; `pipeline cache list` names those that did")]
    NeverRan { study: String },
    /// Nothing in the remote and nothing in the cache is of this study.
    #[error(
        "study `{study}` has run neither on this remote nor on this cache; `pipeline cache gc --in-remote` names those \
         that have"
    )]
    NeverRanThere { study: String },
    /// No results are pinned under this name.
    #[error("there is no pin `{name}`; `pipeline cache list` names them")]
    NoPin { name: String },
    /// `init` replaces no file.
    #[error("`{}` is there already; give another name: `pipeline init FILE`", path.display())]
    IsThere { path: PathBuf },
    /// No stage to export has a result.
    #[error("the cache has no result of {study} to export; `pipeline run` makes them")]
    NothingToExport { study: String },
    /// An export would replace files of another kind.
    #[error(
        "the folder `{}` has other files in it than those of an export; give `--output` a folder of its own",
        path.display()
    )]
    NotAnExport { path: PathBuf },
    /// `--against` names nothing.
    #[error(
        "`{old}` is not the file or folder of an earlier report, not a pin (`pipeline cache pin` makes one) and not \
         the key of a stage"
    )]
    NoEarlierReport { old: String },
    /// `--against` names a pin of another study.
    #[error("the pin `{name}` has no stage `{stage}`; is it of another study?")]
    PinLacksStage { name: String, stage: String },
    /// The study makes no report.
    #[error("{study} has no stage of kind `report`")]
    NoReportStage { study: String },
    /// The report's stage has no result.
    #[error(
        "the cache has no report of {study}: {done} of {runs} are done; `pipeline run` makes it, and \
         `pipeline report --so-far` draws what there is"
    )]
    NoReportYet {
        study: String,
        done: usize,
        /// With their unit.
        runs: String,
    },
}

/// As many names as are worth a line each, and how many more there are.
fn lines(names: &[String], count: usize) -> String {
    let more = match count.saturating_sub(names.len()) {
        0 => None,
        more => Some(format!("and {more} more")),
    };
    let lines: Vec<&str> = names.iter().chain(&more).map(String::as_str).collect();
    format!("\n  {}", lines.join("\n  "))
}

/// A command could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    /// The system refused to read, write or make a file or folder of the user's.
    #[error("cannot {doing} `{}`", path.display())]
    File {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// The folder of reports is tried before a run, which may be long.
    #[error("cannot write reports to `{}`: {why}", folder.display())]
    ReportsFolder { folder: PathBuf, why: String },
    /// The table of an earlier report is damaged, or of another version.
    #[error("the earlier report `{name}` cannot be read")]
    EarlierReport {
        name: String,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The key of an earlier report is not in the cache.
    #[error("the cache has no result of `{stage}` under the key {key}")]
    NoResult { stage: String, key: engine::Digest },
    /// The list of devices beside an earlier report is damaged.
    #[error("`{}` is not a list of devices", path.display())]
    Devices {
        path: PathBuf,
        source: serde_json::Error,
    },
    /// A result is not of the kind that its stage has now.
    #[error("the result of `{stage}` has no output `{output}`")]
    NoOutput { stage: String, output: String },
}

impl Failed {
    pub(crate) fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File {
            doing,
            path,
            source,
        }
    }
}
