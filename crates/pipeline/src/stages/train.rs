//! `train`: one training run, from the deepest checkpoint that it shares its beginning with.

mod heart;
mod keeper;
mod prefix;
mod weights;

use std::sync::Arc;

use burn::tensor::Device;
use engine::{CheckpointName, Digest, Job, Keep, Output};
use serde::Deserialize as _;
use serde_json::{Map, Value, json};
use training::models::state_dict;
use training::{Checkpoint, Course, Data, Outcome, Training};

use super::{Error, Failure, settings};
use heart::Heartbeat;
use keeper::Keeper;
use prefix::Prefix;

pub(crate) use weights::Weights;

/// What is kept from one run to the next: the device, and the data set that was read last.
#[derive(Default)]
pub(crate) struct Trainer {
    device: Option<(Device, String)>,
    data: Option<(Digest, Arc<Data>)>,
}

impl Trainer {
    pub(crate) fn execute(&mut self, job: &Job<'_>) -> Result<Output, Failure> {
        if job.site().checkpoints.keep != Keep::None {
            job.keeps_checkpoints();
        }
        let settings: training::Settings = settings(job)?;
        let data = self.data(job)?;
        let (device, name) = match &self.device {
            Some(open) => open.clone(),
            None => self
                .device
                .insert(training::device::open(&job.site().device)?)
                .clone(),
        };
        let course = Course::new(&settings, data.train.len())?;
        let prefix = Prefix::new(job.manifest(), &settings, &course, &name);
        let resumed = Resumable {
            job,
            settings: &settings,
            prefix: &prefix,
            data: &data,
            device: &device,
        }
        .resume()?;
        let (mut training, from) = if let Some((training, from)) = resumed {
            (training, Some(from))
        } else {
            let training = Training::new(&settings, &course, &data, &device)?;
            (from_given_weights(training, job)?, None)
        };

        let first = training.step();
        let mut keeper = Keeper::new(job, &prefix, from.as_ref());
        let heart = Heartbeat::new(&settings, &course, &data, first);
        heart.beat_during(job, || -> Result<(), Failure> {
            while let Some(at) = training.advance()? {
                heart.after_update(job, at);
                keeper.after_update(&mut training)?;
            }
            Ok(())
        })?;
        let trained = training.step() - first;
        keeper.at_the_end(&mut training, trained)?;

        let run = training.into_run();
        let mut output = Output::default();
        output
            .notes
            .insert("outcome".to_owned(), serde_json::to_value(run.outcome)?);
        output
            .notes
            .insert("steps".to_owned(), json!(run.curve.updates.len()));
        let provenance = &mut output.provenance;
        provenance.insert("device".to_owned(), json!(name));
        provenance.insert("trained_steps".to_owned(), json!(trained));
        if from.is_some() {
            provenance.insert("resumed_at".to_owned(), json!(first));
        }
        output
            .blobs
            .insert("curve".to_owned(), run.to_bytes().into());
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

/// The run from the weights that the study gives it, if it does.
fn from_given_weights<'a>(training: Training<'a>, job: &Job<'_>) -> Result<Training<'a>, Failure> {
    const INPUT: &str = "initial_weights";
    if !job.manifest().inputs().contains_key(INPUT) {
        return Ok(training);
    }
    let weights = state_dict::from_bytes(&job.read(INPUT)?).map_err(Error::InitialWeights)?;
    let training = training.with_initial_weights(&weights);
    Ok(training.map_err(Error::InitialWeights)?)
}

/// A checkpoint that a run goes on from.
struct From {
    name: CheckpointName,
    /// Whether this stage kept it itself, in an earlier attempt.
    own: bool,
}

/// A run that may have begun before.
struct Resumable<'a> {
    job: &'a Job<'a>,
    settings: &'a training::Settings,
    prefix: &'a Prefix<'a>,
    data: &'a Data,
    device: &'a Device,
}

impl<'a> Resumable<'a> {
    /// The run after the deepest checkpoint that it shares its beginning with.
    fn resume(&self) -> Result<Option<(Training<'a>, From)>, Failure> {
        if self.job.site().checkpoints.keep == Keep::None {
            return Ok(None);
        }
        for name in self.job.checkpoints(self.prefix.root())? {
            // Of a longer run, whether it begins with this one is in its curve.
            let beyond = name.step > self.prefix.steps();
            if !beyond && name != self.prefix.checkpoint(name.step) {
                continue;
            }
            let Some(kept) = self.job.read_checkpoint(name)? else {
                continue;
            };
            let course = self.prefix.course();
            let resumed = Checkpoint::from_bytes(&kept.contents).and_then(|checkpoint| {
                Training::resume(self.settings, course, self.data, self.device, checkpoint)
            });
            match resumed {
                Ok(training) => {
                    let own = kept.stage == self.job.manifest().key();
                    return Ok(Some((training, From { name, own })));
                }
                Err(training::Error::NotACheckpoint(_)) if beyond => {}
                Err(error @ training::Error::NotACheckpoint(_)) => {
                    errln!("the checkpoint of step {} is set aside: {error}", name.step);
                    self.job.refuse_checkpoint(name)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }
}

/// Whether a stage's notes are those of a training run that diverged.
pub(crate) fn notes_say_diverged(notes: &Map<String, Value>) -> bool {
    notes.get("outcome").is_some_and(|outcome| {
        matches!(Outcome::deserialize(outcome), Ok(Outcome::Diverged { .. }))
    })
}
