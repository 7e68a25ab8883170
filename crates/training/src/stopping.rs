//! When a run ends before its budget.

use runs::Evaluation;
use runs::settings::Stop;

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
    pub(crate) fn is_due(&mut self, row: &Evaluation) -> bool {
        let met = self.stop.levels().all(|(metric, level)| {
            let value = metric.of(row);
            value.is_some_and(|value| metric.is_at_or_past(value, level))
        });
        let due = met && self.met_before && row.step >= self.earliest;
        self.met_before = met;
        due
    }
}
