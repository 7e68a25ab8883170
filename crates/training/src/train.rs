//! The training loop, in pieces: a run can be taken down after any update and go on from there later, elsewhere, or
//! as the beginning of another run.

use burn::tensor::Device;

use crate::batches::Batches;
use crate::device;
use crate::examples::Sets;
use crate::learner::{Learner, Update};
use crate::models::Weight;
use crate::stopping::Stopping;
use crate::{Checkpoint, Course, Curve, Data, Error, Outcome, Run, Settings};
use runs::{Correct, Curvature};

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Updates made.
    pub step: u64,
    /// Updates that the budget allows.
    pub steps: u64,
    /// The last mini-batch loss that is known, in nats: on a CPU that of the last update, on a GPU one of at most
    /// [`LOSSES_KEPT`](crate::LOSSES_KEPT) updates before; `None` if none is known yet.
    pub loss: Option<f64>,
}

/// Trains a network and measures it. `observe` is called after every update.
///
/// A run has diverged when a mini-batch loss, an evaluation, a parameter or a Kronecker factor is not
/// finite, or the mini-batch loss stays too high ([`Divergence`](runs::settings::Divergence)); it then ends with what
/// was measured before, as [`Outcome::Diverged`].
///
/// # Errors
///
/// Those of [`Training::new`] and [`Training::advance`].
pub fn train(
    settings: &Settings,
    data: &Data,
    device: &Device,
    observe: &mut dyn FnMut(Progress),
) -> Result<Run, Error> {
    let course = Course::new(settings, data.train.len())?;
    let mut training = Training::new(settings, &course, data, device)?;
    while let Some(progress) = training.advance()? {
        observe(progress);
    }
    Ok(training.into_run())
}

/// A run under way.
pub struct Training<'a> {
    settings: &'a Settings,
    course: &'a Course,
    data: &'a Data,
    device: Device,
    sets: Sets<'a>,
    batches: Batches,
    learner: Learner,
    stopping: Option<Stopping>,
    /// With the updates whose losses are known.
    curve: Curve,
    /// The last loss that is known.
    loss: Option<f64>,
    /// Updates made.
    step: u64,
    /// How the run ended, if it has.
    outcome: Option<Outcome>,
}

impl<'a> Training<'a> {
    /// A run before its first update.
    ///
    /// # Errors
    ///
    /// [`Error::ImageShape`] for a network that cannot take the images.
    pub fn new(
        settings: &'a Settings,
        course: &'a Course,
        data: &'a Data,
        device: &Device,
    ) -> Result<Self, Error> {
        device::gives_memory_back(device);
        let stopping = settings.stop;
        let sets = Sets::new(data, settings.augment.pad_crop as usize, device);
        Ok(Self {
            settings,
            data,
            device: device.clone(),
            batches: Batches::new(settings, data.train.len()),
            learner: Learner::new(settings, data, &sets, device)?,
            sets,
            stopping: stopping.map(|stop| Stopping::new(stop, course.steps_per_epoch)),
            course,
            curve: Curve::default(),
            loss: None,
            step: 0,
            outcome: None,
        })
    }

    /// The run, before its first update, with these weights instead of its initial ones; names and layout are those
    /// of [`models::state_dict`](crate::models::state_dict). Statistics among them are what running averages start
    /// from, if the run keeps those.
    ///
    /// # Errors
    ///
    /// [`Error::MissingWeight`], [`Error::WeightShape`], [`Error::SurplusWeights`] if they are not those of the network.
    ///
    /// # Panics
    ///
    /// If updates were made.
    pub fn with_initial_weights(mut self, state: &[Weight]) -> Result<Self, Error> {
        assert_eq!(self.step, 0, "weights are initial before the first update");
        self.learner.load(state)?;
        Ok(self)
    }

    /// Weights, and the statistics that BatchNorm evaluates with, as they are now; names and layout are PyTorch's.
    pub fn state_dict(&self) -> Vec<Weight> {
        self.learner.state_dict(&self.sets)
    }

    /// The run after the updates that led to `checkpoint`. Where they passed what this run ends at, its targets or its
    /// budget, it has ended there.
    ///
    /// # Errors
    ///
    /// [`Error::NotACheckpoint`] if the checkpoint is not one of this run: the rates or the evaluations before it are others, or
    /// it holds what the network or the update rule does not have. Else as [`new`](Self::new).
    pub fn resume(
        settings: &'a Settings,
        course: &'a Course,
        data: &'a Data,
        device: &Device,
        checkpoint: Checkpoint,
    ) -> Result<Self, Error> {
        let Checkpoint {
            step,
            curve,
            memory,
        } = checkpoint;
        let unusable = Error::NotACheckpoint;
        course.check(step, &curve).map_err(unusable)?;
        let mut run = Self::new(settings, course, data, device)?;
        run.learner.restore(memory).map_err(unusable)?;
        let steps = run.course.steps();
        let stopped = run.stopping.as_mut().and_then(|stopping| {
            let rows = curve.evaluations.iter();
            let mut known = rows.filter(|row| row.step <= steps);
            known.find(|row| stopping.is_due(row))
        });
        run.outcome = match stopped {
            Some(row) => Some(Outcome::Stopped { step: row.step }),
            None => (step > steps).then_some(Outcome::Finished),
        };
        run.curve = curve;
        run.step = step;
        Ok(run)
    }

    /// Updates made.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// What it does at which step.
    pub fn course(&self) -> &Course {
        self.course
    }

    /// Measures the network if it is time to, then makes one update. `None`: the run has ended.
    ///
    /// # Errors
    ///
    /// [`Error::Kfac`] if K-FAC does not fit the network, [`Error::DeviceMemory`] if a GPU's memory does not suffice.
    pub fn advance(&mut self) -> Result<Option<Progress>, Error> {
        let (settings, data, device) = (self.settings, self.data, self.device.clone());
        let takes = || {
            let image = [data.channels, data.height, data.width].map(|size| size as u64);
            let examples = data.train.len() + data.validation.len() + data.test.len();
            settings.memory(image, data.classes as u64, examples as u64)
        };
        device::on_its_thread(&device, takes, || self.advance_there())
    }

    fn advance_there(&mut self) -> Result<Option<Progress>, Error> {
        if self.outcome.is_none() {
            self.outcome = self.evaluate();
        }
        if self.outcome.is_some() {
            return Ok(None);
        }
        let step = self.step;
        let rate = self.course.rates[step as usize];
        let batch = self.sets.train.batch(&self.batches.at(step));
        match self.learner.update(step, batch, rate, self.bound())? {
            Update::Made(loss) => self.push(loss),
            Update::Noted => {}
            Update::Diverged => {
                self.settle();
                self.outcome.get_or_insert(Outcome::Diverged { step });
                return Ok(None);
            }
        }
        self.step += 1;
        if self.learner.losses_are_due() {
            self.settle();
            if self.outcome.is_some() {
                return Ok(None);
            }
        }
        Ok(Some(Progress {
            step: self.step,
            steps: self.course.steps(),
            loss: self.loss,
        }))
    }

    /// The mini-batch loss above which the next one that becomes known ends the run.
    fn bound(&self) -> f64 {
        let (losses, classes) = (&self.curve.updates.loss, self.data.classes);
        self.settings.divergence.bound(classes, losses)
    }

    fn push(&mut self, loss: f64) {
        let rate = self.course.rates[self.curve.updates.len()];
        self.curve.updates.push(loss as f32, rate);
        self.loss = Some(loss);
    }

    /// Takes the losses that a GPU has kept. If one of them ends the run, it has ended before that update, and what was
    /// made since is no part of it.
    pub(crate) fn settle(&mut self) {
        for loss in self.learner.read_losses() {
            if !loss.is_finite() || loss > self.bound() {
                self.step = self.curve.updates.len() as u64;
                self.outcome = Some(Outcome::Diverged { step: self.step });
                return;
            }
            self.push(loss);
        }
    }

    /// What happens after `step` updates and before the next; how the run ends, if it does.
    fn evaluate(&mut self) -> Option<Outcome> {
        let step = self.step;
        if self.course.is_point(step) || step == self.course.steps() {
            self.settle();
            if self.outcome.is_some() {
                return self.outcome;
            }
        }
        if self.course.is_point(step) {
            let examples = self.batches.examples_before(step);
            let Some((row, correct)) = self.learner.evaluate(step, examples, &self.sets) else {
                return Some(Outcome::Diverged { step });
            };
            // A factor without eigenvalues would not have an inverse either.
            let Ok(curvature) = self.learner.spectrum() else {
                return Some(Outcome::Diverged { step });
            };
            self.curve.curvature.extend(curvature.map(|of| Curvature {
                step,
                median: of.median,
                largest: of.top,
            }));
            self.curve.noise.extend(self.settings.noise_scale.map(|of| {
                let examples = self.batches.drawn(step, of.big() as usize);
                let small = of.small.size();
                self.learner.noise_scale(step, &self.sets, &examples, small)
            }));
            self.curve.evaluations.push(row);
            if self.settings.evaluation.test_predictions && !correct.is_empty() {
                self.curve.correct.push(Correct {
                    step,
                    images: correct,
                });
            }
            if let Some(stopping) = &mut self.stopping
                && stopping.is_due(&row)
            {
                return Some(Outcome::Stopped { step });
            }
        }
        (step == self.course.steps()).then_some(Outcome::Finished)
    }

    /// The mini-batch losses that are known.
    pub(crate) fn losses(&self) -> &[f32] {
        &self.curve.updates.loss
    }

    /// The run as it is now, to go on from later; none of a run that has diverged.
    pub fn checkpoint(&mut self) -> Option<Checkpoint> {
        self.settle();
        let diverged = matches!(self.outcome, Some(Outcome::Diverged { .. }));
        (!diverged).then(|| Checkpoint {
            step: self.step,
            curve: self.curve.before(self.step),
            memory: self.learner.memory(),
        })
    }

    /// The result.
    ///
    /// # Panics
    ///
    /// If the run has not ended.
    pub fn into_run(self) -> Run {
        let outcome = self.outcome.expect("the run has ended");
        let last = match outcome {
            Outcome::Finished => self.course.steps(),
            Outcome::Diverged { step } | Outcome::Stopped { step } => step,
        };
        let mut curve = self.curve;
        // A checkpoint that it went on from may have been beyond its end.
        curve.truncate(last);
        Run {
            settings: self.settings.clone(),
            outcome,
            train_examples: self.data.train.len() as u64,
            steps_per_epoch: self.course.steps_per_epoch,
            budget_steps: self.course.steps(),
            rate_drops: self.course.rate_drops.clone(),
            parameters: self.learner.parameters(),
            curve,
        }
    }
}
