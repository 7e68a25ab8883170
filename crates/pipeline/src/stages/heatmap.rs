//! `heatmap`: results over two swept settings, for each method and batch size.

use engine::{Job, Output};

use super::{Failure, runs, settings, table};

pub(crate) fn execute(job: &Job<'_>) -> Result<Output, Failure> {
    let runs = (runs::read(job)?, runs::awaited(job));
    let heatmap = analysis::heatmap::so_far(&settings(job)?, &runs.0, &runs.1)?;
    let mut output = Output::default();
    table(&mut output, "heatmap", &heatmap)?;
    Ok(output)
}
