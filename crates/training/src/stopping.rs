//! When a run ends before its budget.

use runs::number::{Positive, Share};
use runs::settings::Stop;

use crate::{Evaluated, Score};

/// Watches for two evaluations in a row at the targets.
pub(crate) struct Stopping {
    stop: Stop,
    earliest: u64,
    met_before: bool,
}

impl Stopping {
    pub(crate) fn new(stop: Stop, steps_per_epoch: u64) -> Self {
        Self {
            stop,
            earliest: stop.earliest(steps_per_epoch),
            met_before: false,
        }
    }

    /// Whether the run ends with this evaluation; to be asked at each, in their order.
    pub(crate) fn is_due(&mut self, row: &Evaluated) -> bool {
        let stop = &self.stop;
        let loss = |target: Option<Positive>, score: Option<Score>| {
            target.is_none_or(|target| score.is_some_and(|score| score.loss <= target.get()))
        };
        let accuracy = |target: Option<Share>, score: Option<Score>| {
            target.is_none_or(|target| score.is_some_and(|score| score.accuracy >= target.get()))
        };
        let met = loss(stop.train_loss, Some(row.train))
            && accuracy(stop.train_accuracy, Some(row.train))
            && loss(stop.validation_loss, row.validation)
            && accuracy(stop.validation_accuracy, row.validation)
            && loss(stop.test_loss, row.test)
            && accuracy(stop.test_accuracy, row.test);
        let due = met && self.met_before && row.step >= self.earliest;
        self.met_before = met;
        due
    }
}
