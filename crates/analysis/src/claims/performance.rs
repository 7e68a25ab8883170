//! Claim 1: K-FAC's performance is comparable to SGD's, even after tuning.
//!
//! Confirmed runs only: the winners' settings on seeds that had no part in their selection. At each
//! batch size the difference of the last evaluations, seed by seed. Comparable there if the 90 %
//! interval lies within the margin on both sides, which is two one-sided tests at 5 % (Source:
//! Schuirmann 1987). Supported if that holds at every batch size: all must, so no correction is due.
//! Contradicted if at some batch size the interval lies wholly beyond the margin at 95 %, with
//! Bonferroni's correction for the number of batch sizes.

use std::collections::{BTreeMap, BTreeSet};

use super::judge::{Decision, equivalence};
use super::{KFAC, Missing, Part, Quantity, Reason, Remark, SGD, Statistic, Tally, Verdict};
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
        return Decision::without_data(Missing::ConfirmedPairs);
    }
    let mut parts = Vec::new();
    let mut remarks = Vec::new();
    for &(batch, kfac, sgd) in &pairs {
        let lost = |finals: &Finals| finals.values().filter(|value| value.is_none()).count();
        for (method, finals) in [(KFAC, kfac), (SGD, sgd)] {
            if lost(finals) > 0 {
                remarks.push(Remark::WinnerDiverged {
                    method: method.into(),
                    batch_size: batch,
                    diverged: lost(finals),
                    seeds: finals.len(),
                });
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
            quantity: Quantity::FinalDifference { metric },
            part: Some(Part::BatchSize(batch)),
            estimate,
            n,
            verdict,
        });
    }
    conclude(parts, remarks, pairs.len(), margin)
}

fn conclude(parts: Vec<Statistic>, remarks: Vec<Remark>, batches: usize, margin: f64) -> Decision {
    let tests = Tally::of_tests(&parts, batches);
    let verdict = if tests.contradicted > 0 {
        Verdict::Contradicted
    } else if tests.supported == batches {
        Verdict::Supported
    } else {
        Verdict::Undecided
    };
    let estimates = Tally::of_margin(&parts, margin, batches);
    Decision {
        verdict,
        reason: match verdict {
            Verdict::Undecided => Reason::of_parts(&parts, tests, estimates),
            _ => Reason::Parts(tests),
        },
        remarks,
        parts,
    }
}
