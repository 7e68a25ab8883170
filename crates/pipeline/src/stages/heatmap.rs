//! `heatmap`: results over two swept settings, for each method and batch size.

use engine::{Job, Output};

use super::{Failure, runs, settings, table};

pub(crate) fn execute(job: &Job<'_>) -> Result<Output, Failure> {
    let heatmap = analysis::heatmap::heatmap(&settings(job)?, &runs::read(job)?)?;
    let mut output = Output::default();
    table(&mut output, "heatmap", &heatmap)?;
    Ok(output)
}
