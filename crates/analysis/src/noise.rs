//! The gradient noise scale beside the critical batch size of SGD.
//!
//! `B_simple = tr(Sigma) / |G|^2`: noise of one example's gradient over the gradient itself. Well below it,
//! twice the batch needs about half the steps; well above it, a larger batch gains little. The fit of steps
//! against batch size estimates the same number from outside, as the critical batch size. Both parts are
//! averaged before they are divided: the ratio of two noisy numbers has no mean. It takes the plain metric,
//! so it speaks for SGD only.
//!
//! Source: McCandlish et al. 2018, section 2 and appendix A.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::statistics::{ratio_interval, ratio_of_means};
use crate::targets::{Bounded, ScalingFit, Steps, TargetsTable};
use crate::{Estimate, Interval, Named, Run, Target};

/// The method whose metric is the plain one.
const SGD: &str = "sgd";

const CONFIDENCE: f64 = 0.95;

/// Fewest seeds that are the unit of an interval; with fewer it is blocks of a run's measurements.
const SEEDS: usize = 3;

/// Blocks that measurements are cut into.
const BLOCKS: usize = 8;

/// What the independent parts of an estimate are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoiseUnit {
    /// Each seed's average.
    Seeds,
    /// Averages of consecutive measurements, for want of seeds: between-seed scatter is not in the
    /// interval.
    Blocks,
}

/// A noise scale from the measurements of some runs within a window of steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoiseScale {
    /// Average estimate of `tr(Sigma)`.
    pub trace: f64,
    /// Average estimate of `|G|^2`; it may come out negative.
    pub gradient: f64,
    /// Their ratio in examples, for drawing; `None` unless both are above zero. Quote `bounded`.
    pub value: Option<f64>,
    /// What may be said of it, in examples: at least a bound where the gradient cannot be told from
    /// zero, undetermined where neither part can or where there are too few units.
    pub bounded: Bounded,
    /// What the units are.
    pub unit: NoiseUnit,
    /// How many.
    pub units: usize,
    /// Measurements.
    pub measurements: usize,
}

/// The noise scale of one batch size's runs just before they reach a target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoiseAtTarget {
    /// Examples in a batch.
    pub batch_size: u64,
    /// Runs that reached the target and measured in the window.
    pub runs: usize,
    /// The estimate.
    pub scale: NoiseScale,
}

/// The noise scale beside the critical batch size that SGD's steps to a target give.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoiseComparison {
    /// Stage of the steps to target.
    pub targets: String,
    /// Stage of the runs.
    pub stage: String,
    /// Optimiser: always SGD.
    pub method: String,
    /// Target.
    pub target: Target,
    /// The fitted critical batch size, in examples; `None` without a fit.
    pub critical_batch: Option<Bounded>,
    /// The window: measurements at steps in `(window * by, by]`, where `by` is the step by which the
    /// run reached the target.
    pub window: f64,
    /// By ascending batch size, those with a measurement.
    pub at_target: Vec<NoiseAtTarget>,
}

/// The noise scale within a range of steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoisePoint {
    /// First step of the window, in updates.
    pub from: u64,
    /// Last step of the window.
    pub to: u64,
    /// The estimate.
    pub scale: NoiseScale,
}

/// How the noise scale changes while one batch size of a stage trains, all its runs together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoiseCourse {
    /// Stage.
    pub stage: String,
    /// Optimiser.
    pub method: String,
    /// Examples in a batch.
    pub batch_size: u64,
    /// Runs with measurements.
    pub runs: usize,
    /// Windows that double in length, `[2^k, 2^(k+1))`, those with a measurement.
    pub points: Vec<NoisePoint>,
}

/// The window of [`NoiseComparison`]: the last half of the way.
pub const WINDOW: f64 = 0.5;

/// One seed's measurements `(trace, gradient)` in the order of their steps.
type OfSeed = (u64, Vec<(f64, f64)>);

/// The comparisons of every fit of SGD that has a measurement.
pub(crate) fn comparisons(targets: &[Named<TargetsTable>], runs: &[Run]) -> Vec<NoiseComparison> {
    let by_label: BTreeMap<&str, &Run> = runs
        .iter()
        .filter(|run| !run.curve.noise.is_empty())
        .map(|run| (run.label.as_str(), run))
        .collect();
    let mut comparisons = Vec::new();
    for Named { stage, table } in targets {
        for fit in table.fits.iter().filter(|fit| fit.method == SGD) {
            let at_target = at_target(table, fit, &by_label);
            if !at_target.is_empty() {
                comparisons.push(NoiseComparison {
                    targets: stage.clone(),
                    stage: fit.stage.clone(),
                    method: fit.method.clone(),
                    target: fit.target,
                    critical_batch: fit.law.map(|law| law.critical_batch),
                    window: WINDOW,
                    at_target,
                });
            }
        }
    }
    comparisons
}

/// The runs behind a fit: those of the configuration that each batch size's summary names.
fn at_target(
    table: &TargetsTable,
    fit: &ScalingFit,
    runs: &BTreeMap<&str, &Run>,
) -> Vec<NoiseAtTarget> {
    let mut batches: BTreeMap<u64, Vec<OfSeed>> = BTreeMap::new();
    let place = table.place_of(fit.target);
    let of_fit = table.summaries.iter().filter(|summary| {
        (&summary.stage, &summary.method, summary.target) == (&fit.stage, &fit.method, fit.target)
    });
    for summary in of_fit {
        for row in table.runs.iter().filter(|row| {
            (&row.stage, &row.method, row.batch_size)
                == (&summary.stage, &summary.method, summary.batch_size)
                && row.parameters == summary.parameters
        }) {
            let crossing = place.and_then(|place| row.crossings.get(place));
            if let Some(Steps::Reached { by, .. }) = crossing.map(|crossing| crossing.steps)
                && let Some(run) = runs.get(row.label.as_str())
            {
                let from = WINDOW * by as f64;
                let within = measured(run, |step| step as f64 > from && step <= by);
                batches
                    .entry(row.batch_size)
                    .or_default()
                    .push((row.seed, within));
            }
        }
    }
    batches
        .into_iter()
        .filter_map(|(batch_size, seeds)| {
            Some(NoiseAtTarget {
                batch_size,
                runs: seeds
                    .iter()
                    .filter(|(_, within)| !within.is_empty())
                    .count(),
                scale: scale(&seeds)?,
            })
        })
        .collect()
}

/// The courses of all runs of SGD with measurements.
pub(crate) fn courses(runs: &[Run]) -> Vec<NoiseCourse> {
    let mut groups: BTreeMap<(&str, u64), Vec<&Run>> = BTreeMap::new();
    for run in runs {
        if run.method() == SGD && !run.curve.noise.is_empty() {
            groups
                .entry((&run.stage, run.batch_size()))
                .or_default()
                .push(run);
        }
    }
    let course = |((stage, batch_size), mut runs): ((&str, u64), Vec<&Run>)| {
        runs.sort_by_key(|run| (run.seed(), &run.label));
        let last = runs
            .iter()
            .filter_map(|run| run.curve.noise.last())
            .map(|measurement| measurement.step)
            .max();
        let doublings = std::iter::successors(Some(1u64), |from| from.checked_mul(2));
        let points = doublings
            .take_while(|&from| Some(from) <= last)
            .filter_map(|from| {
                let within: Vec<OfSeed> = runs
                    .iter()
                    .map(|run| {
                        (
                            run.seed(),
                            measured(run, |step| step >= from && step / 2 < from),
                        )
                    })
                    .collect();
                Some(NoisePoint {
                    from,
                    to: from.saturating_mul(2) - 1,
                    scale: scale(&within)?,
                })
            })
            .collect();
        NoiseCourse {
            stage: stage.to_owned(),
            method: SGD.to_owned(),
            batch_size,
            runs: runs.len(),
            points,
        }
    };
    groups.into_iter().map(course).collect()
}

fn measured(run: &Run, takes: impl Fn(u64) -> bool) -> Vec<(f64, f64)> {
    run.curve
        .noise
        .iter()
        .filter(|measurement| takes(measurement.step))
        .map(|measurement| (measurement.trace, measurement.gradient))
        .collect()
}

/// The estimate from some seeds' measurements; `None` without any.
fn scale(seeds: &[OfSeed]) -> Option<NoiseScale> {
    let all: Vec<(f64, f64)> = seeds
        .iter()
        .flat_map(|(_, within)| within)
        .copied()
        .collect();
    if all.is_empty() {
        return None;
    }
    let distinct: BTreeSet<u64> = seeds
        .iter()
        .filter(|(_, within)| !within.is_empty())
        .map(|(seed, _)| *seed)
        .collect();
    let (unit, units): (NoiseUnit, Vec<(f64, f64)>) = if distinct.len() >= SEEDS {
        let of_seed = |&seed: &u64| {
            let own = seeds.iter().filter(|(other, _)| *other == seed);
            average(own.flat_map(|(_, within)| within).copied())
        };
        (NoiseUnit::Seeds, distinct.iter().map(of_seed).collect())
    } else {
        let blocks = all.chunks(all.len().div_ceil(BLOCKS));
        let averages = blocks.map(|block| average(block.iter().copied()));
        (NoiseUnit::Blocks, averages.collect())
    };
    let (trace, gradient) = average(units.iter().copied());
    Some(NoiseScale {
        trace,
        gradient,
        value: ratio_of_means(&units),
        bounded: bounded(&units),
        unit,
        units: units.len(),
        measurements: all.len(),
    })
}

fn average(pairs: impl Iterator<Item = (f64, f64)>) -> (f64, f64) {
    let (mut trace, mut gradient, mut n) = (0.0, 0.0, 0.0);
    for pair in pairs {
        trace += pair.0;
        gradient += pair.1;
        n += 1.0;
    }
    (trace / n, gradient / n)
}

/// Two-sided where both ends hold, else a one-sided bound of the same confidence.
fn bounded(units: &[(f64, f64)]) -> Bounded {
    let one_sided = || ratio_interval(units, 2.0 * CONFIDENCE - 1.0);
    match (ratio_interval(units, CONFIDENCE), ratio_of_means(units)) {
        ((Some(low), Some(high)), Some(value)) => Bounded::Estimate(Estimate {
            value,
            interval: Some(Interval {
                low: Some(low),
                high: Some(high),
                confidence: CONFIDENCE,
            }),
        }),
        ((Some(_), None), _) => one_sided()
            .0
            .map_or(Bounded::Undetermined, |low| Bounded::AtLeast { low }),
        ((None, Some(_)), _) => one_sided()
            .1
            .map_or(Bounded::Undetermined, |high| Bounded::AtMost { high }),
        _ => Bounded::Undetermined,
    }
}
