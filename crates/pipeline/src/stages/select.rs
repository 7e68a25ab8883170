//! `select`: the best configuration of each group on the tuning seeds.

use engine::{Job, Output};

use super::{Failure, runs, settings, table};

pub(crate) fn execute(job: &Job<'_>) -> Result<Output, Failure> {
    let selection = analysis::select::select(&settings(job)?, &runs::read(job)?)?;
    let mut output = Output::default();
    table(&mut output, "winners", &selection.winners)?;
    table(&mut output, "configurations", &selection.configurations)?;
    Ok(output)
}
