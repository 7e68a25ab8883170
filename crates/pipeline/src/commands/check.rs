//! `pipeline check`: every mistake in a study file, or what it comes to.

use std::collections::BTreeSet;
use std::path::Path;

use study::Study;

use crate::cli::StudyFile;
use crate::commands::plan::grouped;
use crate::commands::{counted, load};
use crate::{DONE, Failure, stages};

/// Shows how files with curves that lie beside the study are read: what a program wrote before it was a stage.
fn preview(file: &StudyFile, study: &Study) {
    let folder = file.study.parent().unwrap_or(Path::new(""));
    let graph = study.expand();
    let mut seen = BTreeSet::new();
    let commands = graph
        .stages()
        .iter()
        .filter(|stage| stage.kind == "command");
    for stage in commands.filter(|stage| seen.insert(stage.family.as_str())) {
        match stages::preview_curves(&stage.settings, folder) {
            Ok(None) => {}
            Ok(Some(lines)) => {
                outln!("the files with the curves of {} that are here:", stage.name);
                for line in lines {
                    outln!("  {line}");
                }
            }
            Err(error) => outln!(
                "the files with the curves of {} that are here cannot be read as curves: {error}",
                stage.name
            ),
        }
    }
}

pub(crate) fn check(file: &StudyFile) -> Result<u8, Failure> {
    let study = load(file)?;
    let summary = study.summary();
    let width = summary
        .iter()
        .map(|stage| stage.name.len())
        .max()
        .unwrap_or(0);
    for stage in &summary {
        let steps = match stage.steps {
            Some(steps) => format!(", at most {} steps", grouped(steps)),
            None => String::new(),
        };
        outln!(
            "{:width$}  {:>6}  {}{steps}",
            stage.name,
            stage.stages,
            stage.kind
        );
    }
    preview(file, &study);
    let stages: u64 = summary.iter().map(|stage| stage.stages).sum();
    outln!(
        "{}: no mistakes, {}",
        study.name(),
        counted(usize::try_from(stages)?, "stage")
    );
    Ok(DONE)
}
