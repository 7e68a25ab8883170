//! The weights that a run ended with, from its last checkpoint. Nothing is trained for them.

use engine::{Digest, Manifest, Record, Store};
use serde::Deserialize as _;
use serde_json::Value;
use training::models::state_dict;
use training::{Checkpoint, Course, Data, Outcome, Run, Settings, Training};

use super::prefix::Prefix;
use super::{Error, Failure};

/// Reads weights; keeps the data set that was read last.
pub(crate) struct Weights<'a> {
    store: &'a Store,
    data: Option<(Digest, Data)>,
}

impl<'a> Weights<'a> {
    /// From what this cache holds.
    pub(crate) fn new(store: &'a Store) -> Self {
        Self { store, data: None }
    }

    /// A `state_dict` as safetensors: the weights at the end of the run that this is the record of, with the
    /// statistics that batch normalisation evaluates with.
    ///
    /// # Errors
    ///
    /// If the run diverged, or its last checkpoint or its data set is not in the cache; the message says what to do.
    pub(crate) fn read(&mut self, record: &Record) -> Result<Vec<u8>, Failure> {
        let manifest = Manifest::parse(&record.manifest)?;
        let settings = Settings::deserialize(Value::Object(manifest.settings().clone()))?;
        let curve = record
            .outputs
            .get("curve")
            .ok_or(Error::NotARun { lacks: "curve" })?;
        let run = Run::from_bytes(&self.store.read(curve.digest)?)?;
        if let Outcome::Diverged { step } = run.outcome {
            return Err(Error::NoWeights { step }.into());
        }
        let device = record.provenance.executor.get("device");
        let device = device
            .and_then(Value::as_str)
            .ok_or(Error::NotARun { lacks: "device" })?;
        let course = Course::new(&settings, usize::try_from(run.train_examples)?)?;
        let prefix = Prefix::new(&manifest, &settings, &course, device);
        let Some(kept) = self
            .store
            .read_checkpoint(prefix.checkpoint(run.curve.updates.last_step()))?
        else {
            return Err(Error::NoLastCheckpoint.into());
        };
        let checkpoint = Checkpoint::from_bytes(&kept.contents)?;
        let data = self.data(&manifest)?;
        let (device, _) = training::device::open("cpu")?;
        let training = Training::resume(&settings, &course, data, &device, checkpoint)?;
        Ok(state_dict::to_bytes(&training.state_dict()))
    }

    fn data(&mut self, manifest: &Manifest) -> Result<&Data, Failure> {
        let digest = *manifest
            .inputs()
            .get("dataset")
            .ok_or(Error::NotARun { lacks: "data set" })?;
        if self.data.as_ref().is_none_or(|(kept, _)| *kept != digest) {
            self.data = Some((digest, Data::from_bytes(&self.store.read(digest)?)?));
        }
        Ok(&self.data.as_ref().expect("it was just read").1)
    }
}
