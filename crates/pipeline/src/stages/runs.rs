//! The curves that a stage reads: every input named `STAGE/COORDINATES`.

use analysis::heatmap::Awaited;
use engine::Job;
use runs::settings::Settings;
use runs::{Run, RunSettings};
use serde::Deserialize as _;
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
        let mut run = Run::from_bytes(label, &bytes)?;
        run.curve.updates.learning_rate = Vec::new();
        Ok(run)
    });
    runs.collect()
}

/// The runs that are not done, of which it is known what they are runs of: some where a page so far is drawn, else none.
pub(crate) fn awaited(job: &Job<'_>) -> Vec<Awaited> {
    let runs = job.absent().iter().filter_map(|absent| {
        let settings = settings(&absent.kind, absent.settings.as_ref()?)?.clone();
        let settings = whole(&absent.kind, Value::Object(settings));
        Some(Awaited {
            stage: absent.name.split('/').next()?.to_owned(),
            label: absent.name.clone(),
            settings: RunSettings::new(settings).ok()?,
        })
    });
    runs.collect()
}

/// The settings as the curve of a run has them: with those that a manifest leaves out because they are at their default.
fn whole(kind: &str, settings: Value) -> Value {
    if kind != "train" {
        return settings;
    }
    let whole = Settings::deserialize(&settings).ok();
    let whole = whole.and_then(|whole| serde_json::to_value(whole).ok());
    whole.unwrap_or(settings)
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
