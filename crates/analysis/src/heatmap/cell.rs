//! What is known at a cell.

use super::{CellState, SeedCell};
use crate::{Metric, Moment, Outcome, Run};

/// What one run says at a slice. Nothing is interpolated: the evaluation is at exactly that step.
pub(super) fn state(run: &Run, at: Moment, metric: Metric) -> CellState {
    if run.has_diverged_by(at) {
        return CellState::Diverged {
            diverged: 1,
            seeds: 1,
        };
    }
    let step = run.step_at(at);
    if let Some(mean) = run
        .evaluation_at(step)
        .and_then(|evaluation| metric.of(evaluation))
    {
        return CellState::Value { mean, seeds: 1 };
    }
    let made = match run.outcome {
        Outcome::Stopped { step } => step,
        Outcome::Finished => run.budget_steps,
        Outcome::Diverged { .. } => step,
    };
    if made < step {
        CellState::StoppedEarly { step: made }
    } else {
        CellState::NotEvaluated
    }
}

/// All seeds together: diverged if any is, a value only if every seed has one.
pub(super) fn together(seeds: &[SeedCell]) -> CellState {
    let mut sum = 0.0;
    let (mut values, mut diverged) = (0, 0);
    let mut stopped: Option<u64> = None;
    for seed in seeds {
        match seed.state {
            CellState::Value { mean, .. } => {
                sum += mean;
                values += 1;
            }
            CellState::Diverged { .. } => diverged += 1,
            CellState::StoppedEarly { step } => {
                stopped = Some(stopped.map_or(step, |s| s.min(step)));
            }
            CellState::NotEvaluated | CellState::Missing => {}
        }
    }
    match (seeds.len(), stopped) {
        (0, _) => CellState::Missing,
        (n, _) if diverged > 0 => CellState::Diverged { diverged, seeds: n },
        (_, Some(step)) => CellState::StoppedEarly { step },
        (n, None) if values == n => CellState::Value {
            mean: sum / n as f64,
            seeds: n,
        },
        _ => CellState::NotEvaluated,
    }
}

/// One seed's part of a cell.
pub(crate) fn of_seed(parts: &[SeedCell], seed: u64) -> CellState {
    parts
        .iter()
        .find(|part| part.seed == seed)
        .map_or(CellState::Missing, |part| part.state)
}
