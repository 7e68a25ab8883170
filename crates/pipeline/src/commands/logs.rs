//! `pipeline logs`: what a stage wrote when it last ran, and how it failed.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _};

use engine::{Digest, Store};

use super::explain::find;
use crate::cli::Cli;
use crate::cli::cache::Logs;
use crate::commands::{counted, expand, load, open};
use crate::output::out;
use crate::{DONE, Failure, stages};

/// Bytes of a log that are shown at once, and then to the end of the line.
const PIECE: u64 = 1 << 20;

pub(crate) fn logs(cli: &Cli, arguments: &Logs) -> Result<u8, Failure> {
    let study = load(&arguments.file)?;
    let store = open(cli, Some(&arguments.file))?;
    let graph = expand(&study, &store)?;
    let id = find(&graph, &arguments.stage)?;
    let name = &graph.stage(id).name;
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
    match File::open(&path).and_then(show) {
        Ok(0) => errln!("{name} wrote nothing"),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {
            errln!("{name} has not run in this cache with the settings that the study has now");
        }
        Err(error) => return Err(format!("cannot read {}: {error}", path.display()).into()),
    }
    elsewhere(&store, study.name(), key, name)?;
    let failures = store.failures(key)?;
    if let Some(last) = failures.last() {
        let times = counted(failures.len(), "time");
        errln!("{name} failed {times}, last: {}", last.error);
    }
    Ok(DONE)
}

/// Prints the ends of the logs that a stage wrote where it failed on other machines, in the newest plan of the study.
fn elsewhere(store: &Store, study: &str, key: Digest, name: &str) -> Result<(), Failure> {
    let Some(remote) = store.remote() else {
        return Ok(());
    };
    let Some(plan) = remote.plans(Some(study))?.pop() else {
        return Ok(());
    };
    for failure in remote.failures(&plan)?.iter().filter(|it| it.key == key) {
        let copy = failure.copy.rsplit('/').next().unwrap_or_default();
        errln!(
            "{name} failed in {plan} on {copy}, attempt {}: {}",
            failure.attempt,
            failure.why
        );
        out(format!("{}\n", failure.tail.trim_end()));
    }
    Ok(())
}

/// Prints a log, which may be longer than memory; how many pieces it had.
fn show(log: File) -> io::Result<usize> {
    let mut log = BufReader::new(log);
    let (mut piece, mut pieces) = (Vec::new(), 0);
    loop {
        piece.clear();
        log.by_ref().take(PIECE).read_to_end(&mut piece)?;
        if piece.is_empty() {
            return Ok(pieces);
        }
        log.by_ref().take(PIECE).read_until(b'\n', &mut piece)?;
        out(&piece);
        pieces += 1;
    }
}
