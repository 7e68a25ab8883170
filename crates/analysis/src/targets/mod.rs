//! Steps to target: when each run reached each target, summaries by batch size, scaling fits.
//!
//! Steps are counted between evaluations: a crossing is the interval `(last miss, first hit]`, which
//! the fits take as such. A run that did not reach its target is right-censored, one that diverged is
//! a failure; neither is dropped.

mod crossing;
mod fit;
mod likelihood;
mod table;
mod time;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::configuration::{compare_parameters, swept_parameters};
use crate::{Error, Run, Target};

pub(crate) use crossing::{at_constant_rate, crossing, median, steps_to};
use likelihood::Observation;
pub use runs::reader::StepsToTarget;
pub use table::{
    Bounded, CriticalBatchFit, Crossing, ExamplesInterval, FewestSteps, FitNote, RunSteps,
    ScalingFit, Steps, StepsInterval, StepsSummary, TargetNote, TargetsTable,
};
pub use time::{Pace, TimeToTarget, times_to_target};

/// Fewest steps at the largest batch size at which a target can be timed.
pub const ADMISSIBLE_STEPS: u64 = 16;

/// The table of steps to target.
///
/// # Errors
/// [`Error::NoRuns`]; [`Error::NotMeasured`] for a target whose metric no run has;
/// [`Error::NoTarget`].
pub fn targets(settings: &StepsToTarget, runs: &[Run]) -> Result<TargetsTable, Error> {
    let targets = settings.targets();
    if runs.is_empty() {
        return Err(Error::NoRuns);
    }
    if targets.is_empty() {
        return Err(Error::NoTarget);
    }
    for target in &targets {
        Error::unless_measured(target.metric, runs)?;
    }
    let mut rows = rows(&targets, runs);
    rows.sort_by(|a, b| {
        (&a.stage, &a.method, a.batch_size)
            .cmp(&(&b.stage, &b.method, b.batch_size))
            .then_with(|| compare_parameters(&a.parameters, &b.parameters))
            .then_with(|| (a.seed, &a.label).cmp(&(b.seed, &b.label)))
    });
    let large: BTreeSet<(&str, u64)> = runs
        .iter()
        .filter(|run| 10 * run.batch_size() > run.train_examples)
        .map(|run| (run.stage.as_str(), run.batch_size()))
        .collect();
    let by_label: HashMap<&str, &Run> = runs.iter().map(|run| (run.label.as_str(), run)).collect();
    let mut summaries = Vec::new();
    let mut fits = Vec::new();
    for group in rows.chunk_by(|a, b| (&a.stage, &a.method) == (&b.stage, &b.method)) {
        for (index, &target) in targets.iter().enumerate() {
            let chosen: Vec<Chosen<'_>> = group
                .chunk_by(|a, b| a.batch_size == b.batch_size)
                .map(|batch| fastest_configuration(batch, index))
                .collect();
            let summary = summarise(&chosen, target, index, &large, &by_label);
            fits.push(fit(&chosen, target, index, &summary));
            summaries.extend(summary);
        }
    }
    let targets = targets
        .into_iter()
        .map(|target| note(target, &summaries))
        .collect();
    Ok(TargetsTable {
        targets,
        runs: rows,
        summaries,
        fits,
    })
}

fn rows(targets: &[Target], runs: &[Run]) -> Vec<RunSteps> {
    let mut stages: BTreeMap<&str, Vec<&Run>> = BTreeMap::new();
    for run in runs {
        stages.entry(&run.stage).or_default().push(run);
    }
    let mut rows = Vec::new();
    for runs in stages.values() {
        for (run, parameters) in runs
            .iter()
            .zip(swept_parameters(runs, &["batch_size", "seed"]))
        {
            rows.push(RunSteps {
                label: run.label.clone(),
                stage: run.stage.clone(),
                method: run.method().into(),
                batch_size: run.batch_size(),
                seed: run.seed(),
                parameters,
                first_drop: run.rate_drops.iter().min().copied(),
                crossings: targets
                    .iter()
                    .map(|&target| crossing(run, target))
                    .collect(),
            });
        }
    }
    rows
}

/// The configuration of a batch size that counts for a target, and of how many it was the fastest.
struct Chosen<'a> {
    rows: &'a [RunSteps],
    configurations: usize,
}

/// The fewest median steps; configurations of which a seed diverged come after those of which none
/// did, those whose median seed did not reach after those whose did. Ties: the smaller learning rate.
fn fastest_configuration(batch: &[RunSteps], index: usize) -> Chosen<'_> {
    let configurations: Vec<&[RunSteps]> = batch
        .chunk_by(|a, b| a.parameters == b.parameters)
        .collect();
    let rank = |rows: &[RunSteps]| {
        let steps: Vec<Steps> = rows.iter().map(|row| row.crossings[index].steps).collect();
        let diverged = steps
            .iter()
            .filter(|steps| matches!(steps, Steps::Diverged { .. }))
            .count();
        let by = median(&steps)
            .interval()
            .map_or(u64::MAX, |interval| interval.by);
        (diverged, by)
    };
    let rows = configurations
        .iter()
        .min_by_key(|rows| rank(rows))
        .expect("a batch size has runs");
    Chosen {
        rows,
        configurations: configurations.len(),
    }
}

fn summarise(
    chosen: &[Chosen<'_>],
    target: Target,
    index: usize,
    large: &BTreeSet<(&str, u64)>,
    runs: &HashMap<&str, &Run>,
) -> Vec<StepsSummary> {
    let mut base: Option<(u64, f64)> = None;
    let summary = |Chosen {
                       rows,
                       configurations,
                   }: &Chosen<'_>| {
        let first = &rows[0];
        let crossings: Vec<Crossing> = rows.iter().map(|row| row.crossings[index]).collect();
        let steps: Vec<Steps> = crossings.iter().map(|crossing| crossing.steps).collect();
        let intervals: Vec<StepsInterval> = steps.iter().filter_map(Steps::interval).collect();
        let diverged = steps
            .iter()
            .filter(|steps| matches!(steps, Steps::Diverged { .. }))
            .count();
        let median = median(&steps).interval();
        let middle = median
            .map(|median| median.middle())
            .filter(|&middle| middle > 0.0);
        base = base.or(middle.map(|middle| (first.batch_size, middle)));
        StepsSummary {
            stage: first.stage.clone(),
            method: first.method.clone(),
            batch_size: first.batch_size,
            target,
            configurations: *configurations,
            parameters: first.parameters.clone(),
            seeds: rows.len(),
            reached: intervals.len(),
            not_reached: rows.len() - intervals.len() - diverged,
            diverged,
            median,
            examples: median.and_then(|median| examples(rows, index, median, runs)),
            fastest: intervals
                .iter()
                .min_by_key(|interval| (interval.by, interval.after))
                .copied(),
            slowest: intervals
                .iter()
                .max_by_key(|interval| (interval.by, interval.after))
                .copied(),
            ideal: base.map(|(batch, steps)| steps * batch as f64 / first.batch_size as f64),
            speed_up: base.zip(middle).map(|((_, steps), middle)| steps / middle),
            over_tenth_of_data: large.contains(&(first.stage.as_str(), first.batch_size)),
            after_first_drop: crossings
                .iter()
                .filter(|crossing| crossing.after_first_drop)
                .count(),
            just_after_drop: crossings
                .iter()
                .filter(|crossing| crossing.just_after_drop)
                .count(),
        }
    };
    chosen.iter().map(summary).collect()
}

/// Examples that the median seed had seen at the ends of its interval.
fn examples(
    rows: &[RunSteps],
    index: usize,
    median: StepsInterval,
    runs: &HashMap<&str, &Run>,
) -> Option<ExamplesInterval> {
    let is_median = |row: &&RunSteps| row.crossings[index].steps.interval() == Some(median);
    let run = runs[rows.iter().find(is_median)?.label.as_str()];
    let seen = |step: u64| match step {
        0 => Some(0),
        step => run
            .evaluation_at(step)
            .map(|evaluation| evaluation.examples),
    };
    Some(ExamplesInterval {
        after: seen(median.after)?,
        by: seen(median.by)?,
    })
}

fn fit(
    chosen: &[Chosen<'_>],
    target: Target,
    index: usize,
    summaries: &[StepsSummary],
) -> ScalingFit {
    let rows = || chosen.iter().flat_map(|chosen| chosen.rows);
    let first = rows().next().expect("a group has runs");
    let steps: Vec<(u64, Steps)> = rows()
        .map(|row| {
            (
                row.batch_size,
                at_constant_rate(&row.crossings[index], row.first_drop),
            )
        })
        .collect();
    let observations: Vec<Observation> = steps
        .iter()
        .filter_map(|&(batch, steps)| Observation::new(batch, steps))
        .collect();
    let count = |is: fn(&Steps) -> bool| steps.iter().filter(|(_, steps)| is(steps)).count();
    let reached = count(|steps| matches!(steps, Steps::Reached { .. }));
    let batches_reached: BTreeSet<u64> = steps
        .iter()
        .filter(|(_, steps)| matches!(steps, Steps::Reached { .. }))
        .map(|(batch, _)| *batch)
        .collect();
    let diverged = count(|steps| matches!(steps, Steps::Diverged { .. }));
    let after_drop = rows()
        .filter(|row| row.crossings[index].after_first_drop)
        .count();
    let mut notes = Vec::new();
    if batches_reached.len() < 3 {
        notes.push(FitNote::NoLaw {
            batch_sizes: batches_reached.len(),
        });
    }
    if observations.len() <= 3 {
        notes.push(FitNote::NoIntervals);
    }
    if diverged > 0 {
        notes.push(FitNote::Diverged { runs: diverged });
    }
    if after_drop > 0 {
        notes.push(FitNote::AfterDrop { runs: after_drop });
    }
    let large = summaries.iter().filter(|row| row.over_tenth_of_data);
    let batch_sizes: Vec<u64> = large.map(|row| row.batch_size).collect();
    if !batch_sizes.is_empty() {
        notes.push(FitNote::LargeBatches { batch_sizes });
    }
    ScalingFit {
        stage: first.stage.clone(),
        method: first.method.clone(),
        target,
        batch_sizes: steps
            .iter()
            .filter(|(_, steps)| !matches!(steps, Steps::Diverged { .. }))
            .map(|(batch, _)| *batch)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
        reached,
        not_reached: steps.len() - reached - diverged,
        diverged,
        after_drop,
        law: (batches_reached.len() >= 3)
            .then(|| fit::fit_law(&observations))
            .flatten(),
        slope: (batches_reached.len() >= 2)
            .then(|| fit::fit_slope(&observations))
            .flatten(),
        notes,
    }
}

/// Whether a target can be timed, by the fewest median steps at the largest batch size at which a stage
/// and method reach it.
fn note(target: Target, summaries: &[StepsSummary]) -> TargetNote {
    let mut largest: BTreeMap<(&str, &str), &StepsSummary> = BTreeMap::new();
    for row in summaries
        .iter()
        .filter(|row| row.target == target && row.median.is_some())
    {
        // Rows of a stage and method come by ascending batch size: the last one stays.
        largest.insert((&row.stage, &row.method), row);
    }
    let fewest = largest
        .values()
        .filter_map(|row| {
            Some(FewestSteps {
                stage: row.stage.clone(),
                method: row.method.clone(),
                batch_size: row.batch_size,
                by: row.median?.by,
            })
        })
        .min_by(|a, b| (a.by, &a.stage, &a.method).cmp(&(b.by, &b.stage, &b.method)));
    TargetNote {
        target,
        admissible: fewest
            .as_ref()
            .is_none_or(|fewest| fewest.by >= ADMISSIBLE_STEPS),
        fewest,
    }
}
