//! Whether the performance of two methods is comparable after tuning.
//!
//! Confirmed runs only: the winners' settings on seeds that had no part in their selection. At each batch size the
//! difference of the last evaluations, seed by seed; comparable there by two one-sided tests. A run that diverged was
//! worth at most guessing: it enters with everything from nothing to what the untrained network had.

use std::collections::{BTreeMap, BTreeSet};

use super::judge::{Condition, Piece, Question, Rule};
use super::sample::{Bounds, Sample};
use super::{Missing, Pair, Part, Quantity, Remark};
use crate::select::WinnersTable;
use crate::statistics::median;
use crate::{Evidence, Metric, Moment, Outcome, Run};

/// By seed, the last value, or what is known of that of a diverged run.
type Finals = BTreeMap<u64, (Bounds, bool)>;

/// The question, with the runs that it compares by batch size and seed.
pub(super) fn question(
    evidence: &Evidence,
    winners: &WinnersTable,
    methods: &Pair,
    margin: f64,
    metric: Metric,
) -> Result<Question, Missing> {
    let confirmed = evidence.confirmed(winners);
    let runs = || {
        confirmed
            .iter()
            .flat_map(|(winner, runs)| runs.iter().map(move |run| (*winner, *run)))
    };
    let guess = guessing(runs().map(|(_, run)| run), metric);
    let mut finals: BTreeMap<(&str, u64), Finals> = BTreeMap::new();
    for (winner, run) in runs() {
        let diverged = matches!(run.outcome, Outcome::Diverged { .. });
        let value = if diverged {
            Some(of_diverged(metric, guess))
        } else {
            let last = run.evaluation_at(run.step_at(Moment::End));
            last.and_then(|last| metric.of(last)).map(Bounds::exactly)
        };
        if let Some(value) = value {
            finals
                .entry((&winner.method, winner.batch_size))
                .or_default()
                .entry(run.seed())
                .or_insert((value, diverged));
        }
    }
    let Pair(first, second) = methods;
    let batches: BTreeSet<u64> = finals.keys().map(|(_, batch)| *batch).collect();
    let mut pieces = Vec::new();
    let mut remarks = Vec::new();
    for batch in batches {
        let (Some(own), Some(other)) = (
            finals.get(&(first.as_str(), batch)),
            finals.get(&(second.as_str(), batch)),
        ) else {
            continue;
        };
        for (method, finals) in [(first, own), (second, other)] {
            let diverged = finals.values().filter(|value| value.1).count();
            if diverged > 0 {
                remarks.push(Remark::WinnerDiverged {
                    method: method.clone(),
                    batch_size: batch,
                    diverged,
                    seeds: finals.len(),
                });
            }
        }
        let difference = |(seed, value): (&u64, &(Bounds, bool))| {
            Some((*seed, value.0.minus(other.get(seed)?.0)))
        };
        let sample: Sample = own.iter().filter_map(difference).collect();
        if sample.0.is_empty() {
            continue;
        }
        pieces.push(Piece {
            quantity: Quantity::FinalDifference {
                methods: methods.clone(),
                metric,
            },
            part: Some(Part::BatchSize(batch)),
            sample,
            condition: Condition::Within(margin),
        });
    }
    if pieces.is_empty() {
        return Err(Missing::ConfirmedPairs);
    }
    Ok(Question {
        overall: Some(pieces[0].quantity.clone()),
        pieces,
        rule: Rule::Every,
        remarks,
        beside: Vec::new(),
        is_incomplete: false,
    })
}

/// What an untrained network has, the median over runs; `None` if no run was evaluated before its first step.
pub(super) fn guessing<'a>(runs: impl Iterator<Item = &'a Run>, metric: Metric) -> Option<f64> {
    let at_start = |run: &Run| metric.of(run.evaluation_at(0)?);
    median(runs.filter_map(at_start).collect())
}

/// What a diverged run is worth: at most guessing.
fn of_diverged(metric: Metric, guess: Option<f64>) -> Bounds {
    if metric.is_loss() {
        Bounds {
            low: Some(guess.unwrap_or(0.0)),
            middle: guess.unwrap_or(0.0),
            high: None,
        }
    } else {
        let most = guess.unwrap_or(1.0);
        Bounds {
            low: Some(0.0),
            middle: 0.5 * most,
            high: Some(most),
        }
    }
}
