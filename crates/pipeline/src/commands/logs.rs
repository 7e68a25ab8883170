//! `pipeline logs`: what a stage wrote when it last ran, and how it failed.

use std::io::ErrorKind;

use super::explain::find;
use crate::cli::Cli;
use crate::cli::cache::Logs;
use crate::commands::{counted, load, open};
use crate::output::out;
use crate::{DONE, Failure, stages};

pub(crate) fn logs(cli: &Cli, arguments: &Logs) -> Result<u8, Failure> {
    let study = load(&arguments.file)?;
    let graph = study.expand();
    let id = find(&graph, &arguments.stage)?;
    let name = &graph.stage(id).name;
    let store = open(cli, Some(&arguments.file))?;
    let plan = engine::plan(&graph, &store, &stages::kinds(), study.name())?;
    let (key, old) = match plan.stage(id).key {
        Some(key) => (Some(key), false),
        // As it would run now it has no key yet: what there is is from the last run.
        None => (store.results_of(study.name())?.remove(name), true),
    };
    let Some(key) = key else {
        return Err(Failure::Usage(format!("{name} never ran in this study")));
    };
    if old {
        errln!("{name} as it last ran; what it depends on may have changed since");
    }
    let path = store.log_path(key);
    match std::fs::read(&path) {
        Ok(log) if log.is_empty() => errln!("{name} wrote nothing"),
        Ok(log) => out(log),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            errln!("{name} has not run in this cache with the settings that the study has now");
        }
        Err(error) => return Err(format!("cannot read {}: {error}", path.display()).into()),
    }
    let failures = store.failures(key)?;
    if let Some(last) = failures.last() {
        let times = counted(failures.len(), "time");
        errln!("{name} failed {times}, last: {}", last.error);
    }
    Ok(DONE)
}
