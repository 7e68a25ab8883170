//! When one run reached one target.

use super::{Crossing, Steps, StepsInterval};
use crate::{Run, Target};

impl Steps {
    /// The interval, if reached.
    pub fn interval(&self) -> Option<StepsInterval> {
        match *self {
            Self::Reached { after, by } => Some(StepsInterval { after, by }),
            _ => None,
        }
    }
}

impl StepsInterval {
    /// Where a single number is drawn: the geometric mean of the ends, in updates, or `by` where
    /// `after` is 0. At least 1 where `by` is.
    pub fn middle(&self) -> f64 {
        if self.after == 0 {
            self.by as f64
        } else {
            (self.after as f64 * self.by as f64).sqrt()
        }
    }
}

/// The first of two consecutive evaluations at or past the target, as the interval from the last miss
/// to that hit. One hit alone does not count, neither in between (noise) nor at the very end (nothing
/// confirms it). No smoothing: the bias of a window depends on the batch size. An evaluation without a
/// finite value misses.
pub(crate) fn steps_to(run: &Run, target: Target) -> Steps {
    let hits: Vec<bool> = run
        .curve
        .evaluations
        .iter()
        .map(|evaluation| {
            let value = target.metric.of(evaluation);
            value.is_some_and(|value| target.metric.is_at_or_past(value, target.level))
        })
        .collect();
    if let Some(first) = hits.windows(2).position(|pair| pair[0] && pair[1]) {
        let after = first
            .checked_sub(1)
            .map_or(0, |miss| run.curve.evaluations[miss].step);
        return Steps::Reached {
            after,
            by: run.curve.evaluations[first].step,
        };
    }
    if let Some(step) = run.diverged_at() {
        return Steps::Diverged { step };
    }
    let last_miss = hits.iter().rposition(|&hit| !hit);
    Steps::NotReached {
        budget: last_miss.map_or(0, |miss| run.curve.evaluations[miss].step),
    }
}

/// [`steps_to`] with its flags on drops of the learning rate.
pub(crate) fn crossing(run: &Run, target: Target) -> Crossing {
    let steps = steps_to(run, target);
    let by = steps.interval().map(|interval| interval.by);
    // The rate falls after the step of the drop: a hit at that step precedes it.
    let after = |drop: u64| by.is_some_and(|by| by > drop);
    let within = |drop: u64| {
        by.is_some_and(|by| (by - drop.min(by)) as f64 <= 0.05 * run.budget_steps as f64)
    };
    Crossing {
        steps,
        after_first_drop: run.rate_drops.iter().any(|&drop| after(drop)),
        just_after_drop: run
            .rate_drops
            .iter()
            .any(|&drop| after(drop) && within(drop)),
    }
}

/// What a crossing says of training at a constant rate: one after the first drop says only that there
/// was none before.
pub(crate) fn at_constant_rate(crossing: &Crossing, first_drop: Option<u64>) -> Steps {
    match (crossing.steps, first_drop) {
        (Steps::Reached { after, by }, Some(drop)) if by > drop => Steps::NotReached {
            budget: after.min(drop),
        },
        (Steps::NotReached { budget }, Some(drop)) => Steps::NotReached {
            budget: budget.min(drop),
        },
        (steps, _) => steps,
    }
}

/// The median of some seeds, the slower of the two in the middle: those that reached by their first
/// hit, then those that did not, then those that diverged.
///
/// # Panics
/// If there are no seeds.
pub(crate) fn median(seeds: &[Steps]) -> Steps {
    let mut sorted = seeds.to_vec();
    sorted.sort_by_key(|steps| match *steps {
        Steps::Reached { after, by } => (0, by, after),
        Steps::NotReached { budget } => (1, budget, 0),
        Steps::Diverged { step } => (2, step, 0),
    });
    sorted[sorted.len() / 2]
}
