//! Claim 1: K-FAC's performance is comparable to SGD's, even after tuning.
//!
//! Confirmed runs only: the winners' settings on seeds that had no part in their selection. At each
//! batch size the difference of the last evaluations, seed by seed. Comparable there if the 90 %
//! interval lies within the margin on both sides, which is two one-sided tests at 5 % (Source:
//! Schuirmann 1987). Supported if that holds at every batch size: all must, so no correction is due.
//! Contradicted if at some batch size the interval lies wholly beyond the margin at 95 %, with
//! Bonferroni's correction for the number of batch sizes.

use std::collections::{BTreeMap, BTreeSet};

use super::judge::{Decision, SEEDS_TO_DECIDE, count, equivalence, too_few};
use super::{KFAC, SGD, Statistic, Unit, Verdict};
use crate::select::WinnersTable;
use crate::{Evidence, Metric, Moment, Outcome};

/// By seed, the last value; `None` for a diverged run.
type Finals = BTreeMap<u64, Option<f64>>;

pub(super) fn decide(
    evidence: &Evidence,
    winners: &WinnersTable,
    margin: f64,
    metric: Metric,
) -> Decision {
    let mut finals: BTreeMap<(&str, u64), Finals> = BTreeMap::new();
    for (winner, runs) in evidence.confirmed(winners) {
        for run in runs {
            let value = match run.outcome {
                Outcome::Diverged { .. } => None,
                _ => run
                    .evaluation_at(run.step_at(Moment::End))
                    .and_then(|last| metric.of(last)),
            };
            let seeds = finals
                .entry((&winner.method, winner.batch_size))
                .or_default();
            seeds.entry(run.seed()).or_insert(value);
        }
    }
    let batches: BTreeSet<u64> = finals.keys().map(|(_, batch)| *batch).collect();
    let pairs: Vec<(u64, &Finals, &Finals)> = batches
        .into_iter()
        .filter_map(|batch| {
            Some((
                batch,
                finals.get(&(KFAC, batch))?,
                finals.get(&(SGD, batch))?,
            ))
        })
        .collect();
    if pairs.is_empty() {
        return Decision::without_data(
            "No batch size has confirmed runs of both methods on fresh seeds.",
        );
    }
    let mut parts = Vec::new();
    let mut failures = Vec::new();
    for &(batch, kfac, sgd) in &pairs {
        let lost = |finals: &Finals| finals.values().filter(|value| value.is_none()).count();
        for (method, finals) in [("K-FAC", kfac), ("SGD", sgd)] {
            if lost(finals) > 0 {
                failures.push(format!(
                    "{} of {} seeds of {method} diverged at batch size {batch}",
                    lost(finals),
                    finals.len()
                ));
            }
        }
        let differences: Vec<f64> = kfac
            .iter()
            .filter_map(|(seed, value)| Some((*value)? - (*sgd.get(seed)?)?))
            .collect();
        let n = differences.len();
        let Some((estimate, verdict)) = equivalence(&differences, margin, pairs.len()) else {
            continue;
        };
        let verdict = match verdict {
            Verdict::Supported if lost(kfac) + lost(sgd) > 0 => Verdict::Undecided,
            verdict => verdict,
        };
        parts.push(Statistic {
            name: format!("difference of final {metric}, K-FAC minus SGD"),
            part: Some(format!("batch size {batch}")),
            estimate,
            unit: if metric.is_loss() {
                Unit::Plain
            } else {
                Unit::Points
            },
            n,
            verdict,
        });
    }
    conclude(parts, &failures, pairs.len(), metric, margin)
}

fn conclude(
    parts: Vec<Statistic>,
    failures: &[String],
    batches: usize,
    metric: Metric,
    margin: f64,
) -> Decision {
    let of = |verdict| parts.iter().filter(|part| part.verdict == verdict).count();
    let (equal, different) = (of(Verdict::Supported), of(Verdict::Contradicted));
    let seeds = parts.iter().map(|part| part.n).min().unwrap_or(0);
    let verdict = if different > 0 {
        Verdict::Contradicted
    } else if equal == batches {
        Verdict::Supported
    } else {
        Verdict::Undecided
    };
    let within = metric.distance(margin);
    let sizes = count(batches, "batch size");
    let mut reason = match verdict {
        Verdict::Supported => format!(
            "The methods are equal within {within} at all {sizes}: the 90 % interval of the difference lies inside the margin at each."
        ),
        Verdict::Contradicted => beyond(&parts, metric, &within, &sizes),
        Verdict::Undecided if seeds < SEEDS_TO_DECIDE => {
            let near = parts
                .iter()
                .filter(|part| part.estimate.value.abs() < margin)
                .count();
            format!(
                "{} So far the mean difference is under {within} at {near} of {sizes}.",
                too_few(seeds)
            )
        }
        Verdict::Undecided if equal == 0 => format!(
            "The seeds scatter too much to tell whether the methods are equal within {within}, at all {sizes}."
        ),
        Verdict::Undecided => format!(
            "The methods are equal within {within} at {equal} of {sizes}; at the others the seeds scatter too much to tell."
        ),
    };
    if !failures.is_empty() {
        reason = format!(
            "{reason} A seed that diverged is a failure and forbids the verdict equal: {}.",
            failures.join("; ")
        );
    }
    Decision {
        verdict,
        reason,
        parts,
    }
}

/// Where the difference is beyond the margin, and for whom.
fn beyond(parts: &[Statistic], metric: Metric, within: &str, sizes: &str) -> String {
    let places = |better: bool| -> Vec<&str> {
        parts
            .iter()
            .filter(|part| part.verdict == Verdict::Contradicted)
            .filter(|part| (metric.goodness(part.estimate.value) > 0.0) == better)
            .filter_map(|part| part.part.as_deref()?.strip_prefix("batch size "))
            .collect()
    };
    let clause = |better: bool| {
        let places = places(better);
        let word = if better { "better" } else { "worse" };
        (!places.is_empty()).then(|| {
            format!(
                "K-FAC is {word} than SGD by more than {within} at {} of {sizes} ({})",
                places.len(),
                places.join(", ")
            )
        })
    };
    let clauses: Vec<String> = [clause(false), clause(true)]
        .into_iter()
        .flatten()
        .collect();
    format!("{}.", clauses.join("; "))
}
