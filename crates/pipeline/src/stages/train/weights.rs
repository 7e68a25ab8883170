//! The weights that a run ended with, from its last kept state.

use engine::{Manifest, Record, Store};
use safetensors::tensor::{Dtype, TensorView};
use serde::Deserialize as _;
use serde_json::{Map, Value};
use training::{Course, Outcome, Run, Settings, State};

use super::Failure;
use super::prefix::Prefix;

/// The weights at the end of a run, as safetensors with PyTorch's names and layout. Nothing is trained for it.
///
/// # Errors
///
/// If the record is not that of a training run, if the run diverged, or if its last state was not kept or is damaged;
/// the message says what to do.
pub(crate) fn weights(store: &Store, record: &Record) -> Result<Vec<u8>, Failure> {
    let weights = last_state(store, record)?.weights();
    let bytes: Vec<Vec<u8>> = weights
        .iter()
        .map(|weight| weight.values.iter().flat_map(|x| x.to_le_bytes()).collect())
        .collect();
    let mut views = Vec::new();
    for (weight, bytes) in weights.iter().zip(&bytes) {
        let view = TensorView::new(Dtype::F32, weight.shape.clone(), bytes)?;
        views.push((weight.name.as_str(), view));
    }
    // What `safetensors.torch.load_file` looks for.
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    Ok(safetensors::serialize(views, Some(metadata))?)
}

fn last_state(store: &Store, record: &Record) -> Result<State, Failure> {
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
    let device = text(&record.provenance.executor, "device").ok_or("a run without a device")?;
    let course = Course::new(&settings, usize::try_from(run.train_examples)?)?;
    let prefix = Prefix::new(&manifest, &settings, &course, device);
    let name = prefix.state(run.loss.len() as u64);
    let Some(kept) = store.read_state(name)? else {
        return Err(format!(
            "the state that the run ended with was not kept, or is gone; `pipeline run --keep-worth 0` with another \
             --cache trains again, {:.1} s for this run, and keeps it",
            record.provenance.seconds
        )
        .into());
    };
    Ok(State::from_bytes(&kept.contents)?)
}

fn text<'a>(provenance: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    provenance.get(name).and_then(Value::as_str)
}
