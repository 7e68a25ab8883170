//! What the page shows, but provenance: assembled from runs and tables, ready to be drawn.

mod format;
mod sketch;
mod table;
mod thinning;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::claims::{Rules, decide};
use crate::configuration::{Flat, differing, flatten};
use crate::select::Winner;
use crate::statistics::mean_interval;
use crate::{Evidence, Metric, Moment, Outcome, Run, control, noise};

pub use crate::Named;
pub use format::{FORMAT, ReadError, seeds};
pub use runs::reader::Report;
pub use sketch::{Sketch, edge, sketch};
pub use table::{LearningCurve, LossBucket, Performance, ReportTable, Role, RunRow, StageSettings};
pub use thinning::thin;

/// Buckets of a thinned curve at most.
pub const BUCKETS: usize = 240;

/// Curves at most where no selection says which to show.
pub const CURVES_WITHOUT_SELECTION: usize = 40;

/// Assembles the table. Never fails: what there is no evidence for is empty or undecided.
pub fn assemble(settings: &Report, evidence: &Evidence) -> ReportTable {
    let mut runs: Vec<&Run> = evidence.runs.iter().collect();
    runs.sort_by(|a, b| {
        (&a.stage, a.method(), a.batch_size(), a.seed(), &a.label).cmp(&(
            &b.stage,
            b.method(),
            b.batch_size(),
            b.seed(),
            &b.label,
        ))
    });
    let mut series: BTreeMap<(&str, &str), Vec<&Run>> = BTreeMap::new();
    for run in &runs {
        series
            .entry((&run.stage, run.method()))
            .or_default()
            .push(run);
    }
    let mut stages = Vec::new();
    let mut rows = Vec::new();
    for runs in series.values() {
        let flats: Vec<Flat> = runs
            .iter()
            .map(|run| named(flatten(&run.settings.all)))
            .collect();
        let varying = differing(&flats);
        stages.push(stage_settings(runs, &flats, &varying));
        rows.extend(
            runs.iter()
                .zip(&flats)
                .map(|(run, flat)| row(run, flat, &varying)),
        );
    }
    let rules = Rules {
        looks: settings.looks,
        seen: settings.seen_seeds.clone(),
    };
    let (curves, curves_left_out) = curves(evidence, &runs);
    ReportTable {
        format: FORMAT,
        title: settings.title.clone().unwrap_or_default(),
        claims: settings
            .claims
            .iter()
            .map(|claim| decide(claim, &rules, evidence))
            .collect(),
        targets: evidence.targets.clone(),
        winners: evidence.winners.clone(),
        performance: performance(evidence),
        heatmaps: evidence.heatmaps.clone(),
        noise: noise::comparisons(&evidence.targets, &evidence.runs),
        noise_courses: noise::courses(&evidence.runs),
        controls: control::controls(&evidence.runs),
        curves,
        curves_left_out,
        stages,
        runs: rows,
    }
}

/// `schedule.constant: {}` as people write it, `schedule: constant`.
fn named(flat: Flat) -> Flat {
    let named = |(path, value): (String, Value)| match (path.rsplit_once('.'), &value) {
        (Some((parent, name)), Value::Object(map)) if map.is_empty() => {
            (parent.to_owned(), Value::from(name))
        }
        _ => (path, value),
    };
    flat.into_iter().map(named).collect()
}

fn stage_settings(runs: &[&Run], flats: &[Flat], varying: &BTreeSet<String>) -> StageSettings {
    let values = |path: &String| {
        let mut values: Vec<Value> = Vec::new();
        for flat in flats {
            let value = flat.get(path).cloned().unwrap_or(Value::Null);
            if !values.contains(&value) {
                values.push(value);
            }
        }
        values.sort_by(|a, b| match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            (a_number, b_number) => {
                (a_number.is_none(), a.to_string()).cmp(&(b_number.is_none(), b.to_string()))
            }
        });
        values
    };
    let distinct = |of: fn(&Run) -> u64| {
        runs.iter()
            .map(|run| of(run))
            .collect::<BTreeSet<u64>>()
            .into_iter()
            .collect()
    };
    let count = |is: fn(&Outcome) -> bool| runs.iter().filter(|run| is(&run.outcome)).count();
    StageSettings {
        stage: runs[0].stage.clone(),
        method: runs[0].method().into(),
        common: flats[0]
            .iter()
            .filter(|(path, _)| !varying.contains(*path))
            .map(|(path, value)| (path.clone(), value.clone()))
            .collect(),
        swept: varying
            .iter()
            .map(|path| (path.clone(), values(path)))
            .collect(),
        runs: runs.len(),
        diverged: count(|outcome| matches!(outcome, Outcome::Diverged { .. })),
        stopped: count(|outcome| matches!(outcome, Outcome::Stopped { .. })),
        train_examples: distinct(|run| run.train_examples),
        parameters: distinct(|run| run.parameters),
    }
}

fn row(run: &Run, flat: &Flat, varying: &BTreeSet<String>) -> RunRow {
    RunRow {
        label: run.label.clone(),
        stage: run.stage.clone(),
        method: run.method().into(),
        batch_size: run.batch_size(),
        learning_rate: run.learning_rate(),
        seed: run.seed(),
        settings: flat
            .iter()
            .filter(|(path, _)| varying.contains(*path))
            .map(|(path, value)| (path.clone(), value.clone()))
            .collect(),
        outcome: run.outcome,
        budget_steps: run.budget_steps,
        last: run.curve.evaluations.last().copied(),
        sketch: sketch(&run.curve.updates),
    }
}

/// The winners of all tables, each with its confirmed runs.
fn confirmed(evidence: &Evidence) -> Vec<(&str, &Winner, Vec<&Run>)> {
    evidence
        .winners
        .iter()
        .flat_map(|named| {
            let confirmed = evidence.confirmed(&named.table).into_iter();
            confirmed.map(|(winner, runs)| (named.stage.as_str(), winner, runs))
        })
        .collect()
}

fn performance(evidence: &Evidence) -> Vec<Performance> {
    let one = |(stage, winner, runs): (&str, &Winner, Vec<&Run>)| {
        let (diverged, ended): (Vec<&Run>, Vec<&Run>) = runs
            .into_iter()
            .partition(|run| run.diverged_at().is_some());
        let metric = |metric: Metric| {
            let values: Vec<f64> = ended
                .iter()
                .filter_map(|run| metric.of(run.evaluation_at(run.step_at(Moment::End))?))
                .collect();
            Some((metric, mean_interval(&values, 0.95)?))
        };
        (ended.len() + diverged.len() > 0).then(|| Performance {
            winners: stage.into(),
            method: winner.method.clone(),
            batch_size: winner.batch_size,
            entry: winner.entry.clone(),
            seeds: ended.len(),
            diverged: diverged.len(),
            metrics: Metric::ALL.into_iter().filter_map(metric).collect(),
        })
    };
    confirmed(evidence).into_iter().filter_map(one).collect()
}

/// The curves to show and how many are not: the confirmed runs of each winner; a winner's own runs
/// where nothing confirms it; every run, up to a limit, where nothing was selected.
fn curves(evidence: &Evidence, runs: &[&Run]) -> (Vec<LearningCurve>, usize) {
    let mut shown: BTreeMap<&str, (Role, Vec<String>)> = BTreeMap::new();
    for (stage, winner, confirmed) in confirmed(evidence) {
        let role = if confirmed.is_empty() {
            Role::Winner
        } else {
            Role::Confirmed
        };
        let own = runs.iter().copied().filter(|run| {
            run.stage == winner.stage
                && run.batch_size() == winner.batch_size
                && crate::configuration::without_seed(&run.settings.all) == winner.settings
        });
        let runs: Vec<&Run> = if confirmed.is_empty() {
            own.collect()
        } else {
            confirmed
        };
        for run in runs {
            let (_, winners) = shown
                .entry(&run.label)
                .or_insert_with(|| (role, Vec::new()));
            if winners.last().is_none_or(|last| last != stage) {
                winners.push(stage.to_owned());
            }
        }
    }
    let mut left_out = 0;
    if evidence.winners.is_empty() {
        left_out = runs.len().saturating_sub(CURVES_WITHOUT_SELECTION);
        shown.extend(
            runs.iter()
                .take(CURVES_WITHOUT_SELECTION)
                .map(|run| (run.label.as_str(), (Role::Other, Vec::new()))),
        );
    }
    let curves = runs
        .iter()
        .filter_map(|run| {
            let (role, winners) = shown.remove(run.label.as_str())?;
            Some(curve(run, role, winners))
        })
        .collect();
    (curves, left_out)
}

fn curve(run: &Run, role: Role, winners: Vec<String>) -> LearningCurve {
    let (loss, steps_per_bucket) = thin(&run.curve.updates);
    LearningCurve {
        label: run.label.clone(),
        stage: run.stage.clone(),
        method: run.method().into(),
        batch_size: run.batch_size(),
        seed: run.seed(),
        role,
        winners,
        outcome: run.outcome,
        loss,
        steps_per_bucket,
        rate_drops: run.rate_drops.clone(),
        steps_per_epoch: run.steps_per_epoch,
        evaluations: run.curve.evaluations.clone(),
    }
}
