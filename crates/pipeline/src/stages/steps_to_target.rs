//! `steps_to_target`: when each run reached each target, and how that scales with the batch size.

use analysis::targets::{StepsToTarget, targets};
use engine::{Job, Output};
use serde::Deserialize;

use super::{Failure, runs, settings, table};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    targets: StepsToTarget,
}

pub(crate) fn execute(job: &Job<'_>) -> Result<Output, Failure> {
    let settings: Settings = settings(job)?;
    let mut output = Output::default();
    table(
        &mut output,
        "targets",
        &targets(&settings.targets, &runs::read(job)?)?,
    )?;
    Ok(output)
}
