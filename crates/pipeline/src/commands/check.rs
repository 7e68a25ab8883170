//! `pipeline check`: every mistake in a study file, or what it comes to.

use crate::cli::StudyFile;
use crate::commands::plan::grouped;
use crate::commands::{counted, load};
use crate::{DONE, Failure};

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
    let stages: u64 = summary.iter().map(|stage| stage.stages).sum();
    outln!(
        "{}: no mistakes, {}",
        study.name(),
        counted(usize::try_from(stages)?, "stage")
    );
    Ok(DONE)
}
