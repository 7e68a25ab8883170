//! A training run as its readers see it: a name, settings, outcome and curve.

use std::ops::{Deref, DerefMut};

use serde::Deserialize;
use serde_json::Value;

use crate::{Curve, Error, Evaluation, Moment, Record};

/// The settings of a run: what every reader needs, and the rest by name.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub struct RunSettings {
    /// The optimiser's name: `sgd`, `kfac`.
    pub method: String,
    /// Examples in a batch.
    pub batch_size: u64,
    /// The learning rate before the schedule acts on it.
    pub learning_rate: f64,
    /// The seed.
    pub seed: u64,
    /// All of them, as the manifest has them.
    pub all: Value,
}

impl RunSettings {
    /// From the settings of a manifest.
    ///
    /// # Errors
    ///
    /// Which setting is missing or of another kind: `optimizer` is an object with a single key, `batch_size` a
    /// whole number above 0, `learning_rate` a number, `seed` a whole number.
    pub fn new(all: Value) -> Result<Self, String> {
        let lacks = |setting: &str| format!("the settings have no valid `{setting}`");
        let optimizer = all["optimizer"].as_object().filter(|rule| rule.len() == 1);
        let method = optimizer.and_then(|rule| rule.keys().next());
        let batch_size = all["batch_size"].as_u64().filter(|batch| *batch > 0);
        Ok(Self {
            method: method.ok_or_else(|| lacks("optimizer"))?.clone(),
            batch_size: batch_size.ok_or_else(|| lacks("batch_size"))?,
            learning_rate: all["learning_rate"]
                .as_f64()
                .ok_or_else(|| lacks("learning_rate"))?,
            seed: all["seed"].as_u64().ok_or_else(|| lacks("seed"))?,
            all,
        })
    }

    /// A setting by its plain name: one at the top (`learning_rate`) or one of the optimiser's (`damping`). `None` if
    /// it is left to its default.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let top = self.all.get(name);
        top.or_else(|| self.all.get("optimizer")?.get(&self.method)?.get(name))
    }
}

impl TryFrom<Value> for RunSettings {
    type Error = String;

    fn try_from(all: Value) -> Result<Self, String> {
        Self::new(all)
    }
}

/// A training run with its name: what it gave, as its readers see it. Not a table: its curve may hold NaN, which JSON
/// cannot.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Name of the stage that declares it, such as `kfac`.
    pub stage: String,
    /// Name of the input, `STAGE/COORDINATES`.
    pub label: String,
    /// What it gave. Of curvature and gradient noise, values that are not finite are left out.
    pub record: Record<RunSettings>,
}

impl Deref for Run {
    type Target = Record<RunSettings>;

    fn deref(&self) -> &Record<RunSettings> {
        &self.record
    }
}

impl DerefMut for Run {
    fn deref_mut(&mut self) -> &mut Record<RunSettings> {
        &mut self.record
    }
}

impl Run {
    /// A run by its name, that of the input: `STAGE/COORDINATES`. The stage's name is the part before the first slash.
    pub fn new(label: impl Into<String>, record: Record<RunSettings>) -> Self {
        let label = label.into();
        let stage = label.split('/').next().unwrap_or(&label).to_owned();
        Self {
            stage,
            label,
            record,
        }
    }

    /// Reads a curve; `label` is the run's name.
    ///
    /// # Errors
    ///
    /// [`Error::NotACurve`] if the bytes are not of the format, or the settings lack what [`RunSettings::new`] wants.
    pub fn from_bytes(label: &str, bytes: &[u8]) -> Result<Self, Error> {
        let mut record = Record::from_bytes(bytes).map_err(|reason| Error::NotACurve {
            label: label.into(),
            reason,
        })?;
        let Curve {
            curvature, noise, ..
        } = &mut record.curve;
        curvature.retain(|at| at.median.is_finite() && at.largest.is_finite());
        noise.retain(|at| at.trace.is_finite() && at.gradient.is_finite());
        Ok(Self::new(label, record))
    }

    /// The optimiser's name: `sgd`, `kfac`.
    pub fn method(&self) -> &str {
        &self.settings.method
    }

    /// Examples in a batch.
    pub fn batch_size(&self) -> u64 {
        self.settings.batch_size
    }

    /// The learning rate of the settings, before the schedule acts on it.
    pub fn learning_rate(&self) -> f64 {
        self.settings.learning_rate
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.settings.seed
    }

    /// A setting by its plain name, as of [`RunSettings::get`].
    pub fn parameter(&self, name: &str) -> Option<&Value> {
        self.settings.get(name)
    }

    /// The evaluation at exactly this step.
    pub fn evaluation_at(&self, step: u64) -> Option<&Evaluation> {
        let index = self
            .curve
            .evaluations
            .binary_search_by_key(&step, |evaluation| evaluation.step);
        index.ok().map(|index| &self.curve.evaluations[index])
    }

    /// The step at which it diverged, if it did.
    pub fn diverged_at(&self) -> Option<u64> {
        self.outcome.diverged_at()
    }

    /// The step to look at for a moment, as training rounds; the end is the last evaluation.
    pub fn step_at(&self, moment: Moment) -> u64 {
        let end = self.curve.evaluations.last().map_or(0, |last| last.step);
        moment.step(self.steps_per_epoch, end)
    }

    /// Whether the run diverged before the moment: there is no evaluation to look at any more. At the end, every
    /// diverged run did.
    pub fn has_diverged_by(&self, moment: Moment) -> bool {
        self.diverged_at()
            .is_some_and(|step| moment == Moment::End || step <= self.step_at(moment))
    }
}
