//! One file a command.

pub(crate) mod cache;
pub(crate) mod cancel;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod draw;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod failures;
pub(crate) mod freeze;
pub(crate) mod graph;
pub(crate) mod init;
pub(crate) mod logs;
pub(crate) mod man;
pub(crate) mod plan;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod status;
pub(crate) mod submit;
pub(crate) mod worker;

use std::path::Path;

use engine::{Build, Graph, Store};
use study::Study;

use crate::cli::{Cli, StudyFile};
use crate::site::{Site, Use};
use crate::{Failure, seen, version};

/// Reads a study, shows its warnings, and refuses it with all its mistakes.
fn load(file: &StudyFile) -> Result<Study, Failure> {
    let study = Study::load_with(&file.study, &file.set).map_err(Failure::Mistakes)?;
    print_diagnostics(study.warnings().iter());
    Ok(study)
}

/// A study by the name it has, or by its file.
fn name_of(study: &str) -> Result<String, Failure> {
    let path = Path::new(study);
    if !path.is_file() {
        return Ok(study.to_owned());
    }
    let study = Study::load(path).map_err(Failure::Mistakes)?;
    Ok(study.name().to_owned())
}

/// The graph of a study beside what its earlier reports in the cache had seen.
fn expand(study: &Study, store: &Store) -> Result<Graph, Failure> {
    let mut graph = study.expand();
    seen::mark(&mut graph, study.name(), store)?;
    Ok(graph)
}

/// Prints diagnostics to stderr, each with its line and underline.
pub(crate) fn print_diagnostics<'a>(diagnostics: impl Iterator<Item = &'a study::Diagnostic>) {
    for diagnostic in diagnostics {
        errln!("{:?}", miette::Report::new(diagnostic.clone()));
    }
}

/// Opens the cache that holds for a study, or for none, and makes it where there is none.
fn open(cli: &Cli, study: Option<&StudyFile>) -> Result<Store, Failure> {
    let site = Site::find(cli, study.map(|file| file.study.as_path()))?;
    match study {
        Some(_) => site.store(Use::Read),
        None => Ok(Store::open(&site.cache)?),
    }
}

/// Which program this is. Two builds differ in the size or the time of the executable.
fn build() -> Result<Build, Failure> {
    let program = std::env::current_exe()?;
    let metadata = program.metadata()?;
    let age = metadata.modified()?.duration_since(std::time::UNIX_EPOCH)?;
    Ok(Build {
        id: format!("{}-{}-{}", version::SHORT, metadata.len(), age.as_nanos()),
        program: format!("pipeline {}", version::SHORT),
        commit: version::COMMIT.map(str::to_owned),
    })
}

/// `1 run`, `2 runs`.
pub(crate) fn counted(count: usize, what: &str) -> String {
    if count == 1 {
        format!("1 {what}")
    } else {
        format!("{count} {what}s")
    }
}

/// An error without the path that `tempfile` adds to it, which is no name that anybody gave.
pub(crate) fn reason(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(code) => std::io::Error::from_raw_os_error(code).to_string(),
        None => error.kind().to_string(),
    }
}
