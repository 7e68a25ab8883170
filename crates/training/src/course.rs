//! The course of a run, known before it starts: its steps, learning rates and evaluations.

use std::fmt::Write as _;

use runs::settings::NoiseScale;

use crate::checkpoint::Unusable;
use crate::{Curve, Error, Settings};

/// What a run does at which step.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// Updates a pass over the training set.
    pub steps_per_epoch: u64,
    /// Learning rate of update i + 1; `[steps]`.
    pub rates: Vec<f64>,
    /// Steps (updates made) at which the network is evaluated, ascending; first 0, last the end.
    pub points: Vec<u64>,
    /// Updates after which the rate falls at once.
    pub rate_drops: Vec<u64>,
}

impl Course {
    /// The course over a training set of so many examples.
    ///
    /// # Errors
    ///
    /// [`Error::NoiseScale`], [`Error::NoStep`], [`Error::BatchLargerThanData`].
    pub fn new(settings: &Settings, train_examples: usize) -> Result<Self, Error> {
        let batch_size = settings.batch_size;
        if batch_size.size() > train_examples {
            return Err(Error::BatchLargerThanData {
                batch_size: batch_size.size(),
                examples: train_examples,
            });
        }
        if let Some(NoiseScale { small, batches }) = settings.noise_scale
            && small.size().saturating_mul(batches.size()) > train_examples
        {
            return Err(Error::NoiseScale {
                batches: batches.size(),
                small: small.size(),
                examples: train_examples,
            });
        }
        let steps_per_epoch = settings
            .last_batch
            .steps_per_epoch(train_examples as u64, batch_size);
        let steps = settings.budget.steps(batch_size, steps_per_epoch);
        if steps == 0 {
            return Err(Error::NoStep {
                batch_size: batch_size.get(),
            });
        }
        let schedule = &settings.schedule;
        Ok(Self {
            steps_per_epoch,
            rates: schedule.rates(settings.learning_rate.get(), steps, steps_per_epoch),
            points: settings.evaluation.points(steps, steps_per_epoch),
            rate_drops: schedule.rate_drops(steps),
        })
    }

    /// Updates that the budget allows.
    pub fn steps(&self) -> u64 {
        self.rates.len() as u64
    }

    /// Whether the network is evaluated after `step` updates.
    pub(crate) fn is_point(&self, step: u64) -> bool {
        self.points.binary_search(&step).is_ok()
    }

    /// Steps where another run may well part from this one: the drops of the rate, ascending, and the end.
    pub fn segment_ends(&self) -> Vec<u64> {
        let mut ends = self.rate_drops.clone();
        ends.push(self.steps());
        ends.retain(|end| (1..=self.steps()).contains(end));
        ends.dedup();
        ends
    }

    /// Whether a curve up to `step`, before an evaluation there, is the beginning of this course, or goes beyond its
    /// end. The error says why not.
    pub(crate) fn check(&self, step: u64, curve: &Curve) -> Result<(), Unusable> {
        let steps = step.min(self.steps()) as usize;
        let bits =
            |rates: &[f64]| -> Vec<u64> { rates[..steps].iter().map(|x| x.to_bits()).collect() };
        if bits(&self.rates) != bits(&curve.updates.learning_rate) {
            return Err(Unusable::OtherRates);
        }
        let known = |point: &u64| *point < step && *point <= self.steps();
        let rows = curve.evaluations.iter().map(|row| row.step);
        if !rows
            .filter(known)
            .eq(self.points.iter().copied().filter(known))
        {
            return Err(Unusable::OtherEvaluations);
        }
        Ok(())
    }

    /// All of the course that the checkpoint after `step` updates, before an evaluation there, is a function of.
    /// Runs that agree in it and in [`Settings::acting`], on the same data, have the same checkpoint.
    ///
    /// ```text
    /// step: 480
    /// rate: 192 x 3fb999999999999a
    /// rate: 288 x 3f847ae147ae147b
    /// evaluated: 0 1 2 3
    /// ```
    ///
    /// # Panics
    ///
    /// If the run does not come to `step`.
    pub fn before(&self, step: u64) -> String {
        let mut text = format!("step: {step}\n");
        let bits = |rate: &f64| rate.to_bits();
        for equal in self.rates[..step as usize].chunk_by(|a, b| bits(a) == bits(b)) {
            writeln!(text, "rate: {} x {:016x}", equal.len(), bits(&equal[0]))
                .expect("a string takes all");
        }
        text.push_str("evaluated:");
        for point in self.points.iter().take_while(|point| **point < step) {
            write!(text, " {point}").expect("a string takes all");
        }
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn course(changes: &Value) -> Course {
        let mut settings = json!({
            "model": {"mlp": {"hidden": []}}, "batch_size": 10, "learning_rate": 0.1,
            "budget": {"iterations": 20}, "optimizer": {"sgd": {}}, "evaluation": {"spacing": 2.0},
        });
        let entries = changes.as_object().unwrap().clone();
        settings.as_object_mut().unwrap().extend(entries);
        Course::new(&serde_json::from_value(settings).unwrap(), 100).unwrap()
    }

    #[test]
    fn runs_of_any_budget_share_their_beginning_at_a_constant_rate() {
        let (short, long) = (
            course(&json!({})),
            course(&json!({"budget": {"epochs": 5}})),
        );
        for step in 0..=20 {
            assert_eq!(short.before(step), long.before(step));
        }
        assert_eq!(
            short.before(20),
            "step: 20\nrate: 20 x 3fb999999999999a\nevaluated: 0 1 2 4 8 16\n"
        );
    }

    #[test]
    fn a_changed_decay_changes_only_what_follows_it() {
        let with =
            |factor: f64| course(&json!({"schedule": {"step": {"factor": factor, "at": [0.5]}}}));
        let (a, b) = (with(0.1), with(0.2));
        assert_eq!(a.segment_ends(), [10, 20]);
        assert!((0..=10).all(|step| a.before(step) == b.before(step)));
        assert!((11..=20).all(|step| a.before(step) != b.before(step)));
    }

    #[test]
    fn whatever_happened_before_a_step_is_part_of_it() {
        let base = course(&json!({}));
        for changes in [
            json!({"learning_rate": 0.100_000_000_000_000_02}),
            json!({"schedule": {"constant": {}, "warmup": {"iterations": 2}}}),
            json!({"evaluation": {"spacing": 2.0, "iterations": [3]}}),
        ] {
            assert_ne!(course(&changes).before(4), base.before(4), "{changes}");
        }
        let later = json!({"evaluation": {"spacing": 2.0, "iterations": [4]}});
        assert_eq!(course(&later).before(4), base.before(4));
    }

    #[test]
    fn a_cosine_is_as_long_as_its_steps() {
        let course = course(&json!({"schedule": {"cosine": {}}}));
        assert_eq!(course.segment_ends(), [20]);
        assert_eq!(course.before(20).lines().count(), 22);
    }
}
