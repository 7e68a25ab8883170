//! A training run as its readers see it: a name, settings, outcome and curve.

use serde_json::Value;

use crate::{
    Correct, Curvature, Error, Evaluation, GradientNoise, Moment, Outcome, Record, Updates,
};

/// The settings of a run: what every reader needs, and the rest by name.
#[derive(Clone, Debug, PartialEq)]
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
    /// The setting that is missing or of another kind: `optimizer` is an object with a single key, `batch_size` a
    /// whole number above 0, `learning_rate` a number, `seed` a whole number.
    pub fn new(all: Value) -> Result<Self, &'static str> {
        let optimizer = all["optimizer"].as_object().filter(|rule| rule.len() == 1);
        let method = optimizer.and_then(|rule| rule.keys().next());
        let batch_size = all["batch_size"].as_u64().filter(|batch| *batch > 0);
        Ok(Self {
            method: method.ok_or("optimizer")?.clone(),
            batch_size: batch_size.ok_or("batch_size")?,
            learning_rate: all["learning_rate"].as_f64().ok_or("learning_rate")?,
            seed: all["seed"].as_u64().ok_or("seed")?,
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

/// One training run. Not a table: its curve may hold NaN, which JSON cannot.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Name of the stage that declares it, such as `kfac`.
    pub stage: String,
    /// Name of the input, `STAGE/COORDINATES`.
    pub label: String,
    /// The settings of the train stage.
    pub settings: RunSettings,
    /// How it ended.
    pub outcome: Outcome,
    /// Examples in the training set.
    pub train_examples: u64,
    /// Updates in one pass over the training set.
    pub steps_per_epoch: u64,
    /// Updates that the budget allows.
    pub budget_steps: u64,
    /// Steps after which the learning rate falls.
    pub rate_drops: Vec<u64>,
    /// Trainable parameters of the network.
    pub parameters: u64,
    /// Losses and rates of single updates.
    pub updates: Updates,
    /// Evaluations by ascending step.
    pub evaluations: Vec<Evaluation>,
    /// Curvature by ascending step; empty if the run recorded none. Values that are not finite are
    /// left out.
    pub curvature: Vec<Curvature>,
    /// Gradient noise by ascending step; empty if the run recorded none. Values that are not finite
    /// are left out.
    pub noise: Vec<GradientNoise>,
    /// Which test images were right, by ascending step; empty if the run did not keep it.
    pub correct: Vec<Correct>,
}

impl Run {
    /// Reads a curve. `label` is the name of the input, `STAGE/COORDINATES`; the stage's name is the
    /// part before the first slash.
    ///
    /// # Errors
    ///
    /// [`Error::NotACurve`] if the bytes are not of the format, [`Error::Setting`] if the settings lack what
    /// [`RunSettings::new`] wants.
    pub fn from_bytes(label: &str, bytes: &[u8]) -> Result<Self, Error> {
        let record = Record::<Value>::from_bytes(bytes).map_err(|reason| Error::NotACurve {
            label: label.into(),
            reason,
        })?;
        let settings = RunSettings::new(record.settings).map_err(|setting| Error::Setting {
            label: label.into(),
            setting,
        })?;
        let mut curve = record.curve;
        curve
            .curvature
            .retain(|at| at.median.is_finite() && at.largest.is_finite());
        curve
            .noise
            .retain(|at| at.trace.is_finite() && at.gradient.is_finite());
        Ok(Self {
            stage: label.split('/').next().unwrap_or(label).into(),
            label: label.into(),
            settings,
            outcome: record.outcome,
            train_examples: record.train_examples,
            steps_per_epoch: record.steps_per_epoch,
            budget_steps: record.budget_steps,
            rate_drops: record.rate_drops,
            parameters: record.parameters,
            updates: curve.updates,
            evaluations: curve.evaluations,
            curvature: curve.curvature,
            noise: curve.noise,
            correct: curve.correct,
        })
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
            .evaluations
            .binary_search_by_key(&step, |evaluation| evaluation.step);
        index.ok().map(|index| &self.evaluations[index])
    }

    /// The step at which it diverged, if it did.
    pub fn diverged_at(&self) -> Option<u64> {
        self.outcome.diverged_at()
    }

    /// The step to look at for a moment, as training rounds; the end is the last evaluation.
    pub fn step_at(&self, moment: Moment) -> u64 {
        let end = self.evaluations.last().map_or(0, |last| last.step);
        moment.step(self.steps_per_epoch, end)
    }

    /// Whether the run diverged before the moment: there is no evaluation to look at any more. At the end, every
    /// diverged run did.
    pub fn has_diverged_by(&self, moment: Moment) -> bool {
        self.diverged_at()
            .is_some_and(|step| moment == Moment::End || step <= self.step_at(moment))
    }
}
