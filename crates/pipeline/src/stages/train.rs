//! `train`: one training run.

use std::sync::Arc;

use burn::tensor::Device;
use engine::{Digest, Job, Output, Progress};
use serde::Deserialize as _;
use serde_json::{Map, Value, json};
use training::{Data, Outcome};

use super::{Failure, settings};

/// What is kept from one run to the next: the device, and the data set that was read last.
#[derive(Default)]
pub(crate) struct Trainer {
    device: Option<(Device, String)>,
    data: Option<(Digest, Arc<Data>)>,
}

impl Trainer {
    pub(crate) fn execute(&mut self, job: &Job<'_>) -> Result<Output, Failure> {
        let settings: training::Settings = settings(job)?;
        let data = self.data(job)?;
        let (device, name) = match &self.device {
            Some(open) => open.clone(),
            None => self
                .device
                .insert(training::device::open(&job.site().device)?)
                .clone(),
        };
        let run = training::train(&settings, &data, &device, &mut |at| {
            job.progress(|| Progress {
                done: at.step,
                total: at.steps,
                text: format!("loss {:.3}", at.loss),
            });
        })?;
        let mut output = Output::default();
        output
            .notes
            .insert("outcome".to_owned(), serde_json::to_value(run.outcome)?);
        output
            .notes
            .insert("steps".to_owned(), json!(run.loss.len()));
        output.provenance.insert("device".to_owned(), json!(name));
        output.blobs.insert("curve".to_owned(), run.to_bytes());
        Ok(output)
    }

    fn data(&mut self, job: &Job<'_>) -> Result<Arc<Data>, Failure> {
        let digest = job.manifest().inputs().get("dataset").copied();
        if let (Some(digest), Some((kept, data))) = (digest, &self.data)
            && digest == *kept
        {
            return Ok(Arc::clone(data));
        }
        let data = Arc::new(Data::from_bytes(&job.read("dataset")?)?);
        self.data = digest.map(|digest| (digest, Arc::clone(&data)));
        Ok(data)
    }
}

/// Whether a stage's notes are those of a training run that diverged.
pub(crate) fn notes_say_diverged(notes: &Map<String, Value>) -> bool {
    notes.get("outcome").is_some_and(|outcome| {
        matches!(Outcome::deserialize(outcome), Ok(Outcome::Diverged { .. }))
    })
}
