//! The curves that a stage reads: every input named `STAGE/COORDINATES`.

use analysis::heatmap::Awaited;
use engine::Job;
use runs::{Run, RunSettings};
use serde_json::{Map, Value};

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
        run.updates.learning_rate = Vec::new();
        Ok(run)
    });
    runs.collect()
}

/// The runs that are not done, of which it is known what they are runs of: some where a page so far is drawn, else none.
pub(crate) fn awaited(job: &Job<'_>) -> Vec<Awaited> {
    let runs = job.absent().iter().filter_map(|absent| {
        let settings = settings(&absent.kind, absent.settings.as_ref()?)?;
        Some(Awaited {
            stage: absent.name.split('/').next()?.to_owned(),
            label: absent.name.clone(),
            settings: RunSettings::new(Value::Object(settings.clone())).ok()?,
        })
    });
    runs.collect()
}

/// The settings of a training run in those of the stage that trains it; none of a stage that trains nothing.
pub(crate) fn settings<'s>(
    kind: &str,
    stage: &'s Map<String, Value>,
) -> Option<&'s Map<String, Value>> {
    match kind {
        "train" => Some(stage),
        "command" => stage.get("curve")?.get("settings")?.as_object(),
        _ => None,
    }
}
