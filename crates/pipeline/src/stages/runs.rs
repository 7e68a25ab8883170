//! The curves that a stage reads: every input named `STAGE/COORDINATES`.

use engine::Job;
use runs::Run;

use super::Failure;

/// All runs among the inputs, in the order of their names, without the rate of each update: no table has
/// them, and in a large study they are most of the memory.
pub(crate) fn read(job: &Job<'_>) -> Result<Vec<Run>, Failure> {
    let labels = job
        .manifest()
        .inputs()
        .keys()
        .filter(|name| name.contains('/'));
    let runs = labels.map(|label| -> Result<Run, Failure> {
        let bytes = job.read(label)?;
        let mut run =
            Run::from_bytes(label, &bytes).map_err(|error| format!("{label}: {error}"))?;
        run.curve.updates.learning_rate = Vec::new();
        Ok(run)
    });
    runs.collect()
}
