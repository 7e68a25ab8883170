//! The curves that a stage reads: every input named `STAGE/COORDINATES`.

use analysis::Run;
use engine::Job;

use super::Failure;

/// All runs among the inputs, in the order of their names.
pub(crate) fn read(job: &Job<'_>) -> Result<Vec<Run>, Failure> {
    let labels = job
        .manifest()
        .inputs()
        .keys()
        .filter(|name| name.contains('/'));
    let runs = labels.map(|label| -> Result<Run, Failure> {
        let bytes = job.read(label)?;
        Run::from_safetensors(label, &bytes).map_err(|error| format!("{label}: {error}").into())
    });
    runs.collect()
}
