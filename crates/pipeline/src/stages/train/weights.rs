//! The weights that a run ended with, from its last kept state.

use engine::{Manifest, Record, Store};
use serde::Deserialize as _;
use serde_json::{Map, Value};
use training::models::state_dict;
use training::{Course, Data, Outcome, Run, Settings, State, Training};

use super::Failure;
use super::prefix::Prefix;

/// The weights at the end of a run, with the statistics that BatchNorm evaluated with, as safetensors with PyTorch's
/// names and layout. Nothing is trained for it.
///
/// # Errors
///
/// If the record is not that of a training run, if the run diverged, or if its last state or its data set is not kept
/// or is damaged; the message says what to do.
pub(crate) fn weights(store: &Store, record: &Record) -> Result<Vec<u8>, Failure> {
    let manifest = Manifest::parse(&record.manifest)?;
    if manifest.kind() != "train" {
        return Err(format!("a stage of kind `{}` has no weights", manifest.kind()).into());
    }
    let settings = Settings::deserialize(Value::Object(manifest.settings().clone()))?;
    let curve = record.outputs.get("curve").ok_or("a run without a curve")?;
    let run = Run::from_bytes(&store.read(curve.digest)?)?;
    if let Outcome::Diverged { step } = run.outcome {
        return Err(format!("the run diverged at step {step}: it has no weights").into());
    }
    let course = Course::new(&settings, usize::try_from(run.train_examples)?)?;
    let device = text(&record.provenance.executor, "device").ok_or("a run without a device")?;
    let last = Prefix::new(&manifest, &settings, &course, device).state(run.loss.len() as u64);
    let Some(kept) = store.read_state(last)? else {
        return Err(format!(
            "the state that the run ended with was not kept, or is gone; `pipeline run --keep-worth 0` with another \
             --cache trains again, {:.1} s for this run, and keeps it",
            record.provenance.seconds
        )
        .into());
    };
    let state = State::from_bytes(&kept.contents)?;
    let data = manifest
        .inputs()
        .get("dataset")
        .ok_or("a run without a data set")?;
    let data = Data::from_bytes(&store.read(*data)?)?;
    let (cpu, _) = training::device::open("cpu")?;
    let training = Training::resume(&settings, &course, &data, &cpu, state)?;
    Ok(state_dict::to_bytes(&training.state_dict()))
}

fn text<'a>(provenance: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    provenance.get(name).and_then(Value::as_str)
}
