//! Claim 2: both methods have diminishing returns, and K-FAC departs from ideal scaling further.
//!
//! For each seed the least-squares slope of log steps over log batch size, averaged over the targets
//! compared, over the same batch sizes for both methods: -1 is ideal scaling, 0 no gain at all.
//! Supported if the interval of K-FAC's slope minus SGD's over seeds lies above zero and both slopes
//! above -1; contradicted if the difference lies below zero, or a slope below -1.
//!
//! A batch size at which a seed diverged is left out and said so. Where a seed did not reach a target,
//! the verdict must be the same with that batch size left out and with the seed's budget in place of
//! its steps (a lower bound): otherwise it is undecided.

use std::collections::BTreeMap;

use super::judge::{CONFIDENCE, Decision, above};
use super::timings::{Pairs, Seeds, Timings};
use super::{
    KFAC, Missing, Quantity, Reason, Remark, SEEDS_TO_DECIDE, SGD, Slopes, Statistic, Tally,
    Verdict,
};
use crate::Target;
use crate::statistics::{mean, mean_interval, slope};
use crate::targets::Steps;

/// Fewest batch sizes for a slope.
const BATCHES: usize = 3;

pub(super) fn decide(timings: &Timings<'_>, targets: &[Target]) -> Decision {
    let pairs: Vec<Pairs> = targets
        .iter()
        .map(|&target| timings.pairs(target))
        .collect();
    let diverged = pairs
        .iter()
        .flat_map(BTreeMap::values)
        .filter(|pair| pair.has_diverged())
        .count();
    let censored = pairs
        .iter()
        .flat_map(BTreeMap::values)
        .filter(|pair| !pair.has_diverged() && !pair.is_complete())
        .count();
    // Bounds alone say nothing of a slope.
    let Some(mut decision) = compare(&pairs, false) else {
        return Decision::without_data(Missing::BatchSizesReached { needed: BATCHES });
    };
    if censored > 0 {
        let agree = compare(&pairs, true).is_some_and(|other| other.verdict == decision.verdict);
        if !agree {
            decision.verdict = Verdict::Undecided;
        }
        decision.remarks.push(Remark::NotReached {
            cases: censored,
            same_with_bounds: agree,
        });
    }
    if diverged > 0 {
        decision
            .remarks
            .push(Remark::DivergedLeftOut { cases: diverged });
    }
    decision
}

/// The comparison over complete batch sizes, or with budgets as lower bounds. `None` without a slope.
fn compare(pairs: &[Pairs], with_bounds: bool) -> Option<Decision> {
    let mut kfac: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    let mut sgd: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    let mut used = 0;
    for target in pairs {
        let batches: Pairs = target
            .iter()
            .filter(|(_, pair)| pair.is_complete() || (with_bounds && !pair.has_diverged()))
            .map(|(batch, pair)| (*batch, pair.clone()))
            .collect();
        if batches.len() < BATCHES {
            continue;
        }
        used += 1;
        // The same seeds at every batch size, or a seed's slope would rest on other batch sizes.
        let seeds: Vec<u64> = batches
            .values()
            .next()?
            .kfac
            .keys()
            .filter(|seed| batches.values().all(|pair| pair.kfac.contains_key(seed)))
            .copied()
            .collect();
        for seed in seeds {
            let slope_of = |of: fn(&super::timings::Pair) -> &Seeds| {
                let points: Vec<(f64, f64)> = batches
                    .iter()
                    .filter_map(|(batch, pair)| {
                        Some(((*batch as f64).ln(), log_steps(of(pair)[&seed])?))
                    })
                    .collect();
                slope(&points)
            };
            if let (Some(k), Some(s)) = (slope_of(|pair| &pair.kfac), slope_of(|pair| &pair.sgd)) {
                kfac.entry(seed).or_default().push(k);
                sgd.entry(seed).or_default().push(s);
            }
        }
    }
    // A seed counts if it has a slope for every target that is used.
    let by_seed = |slopes: &BTreeMap<u64, Vec<f64>>| -> Vec<f64> {
        slopes
            .values()
            .filter(|slopes| slopes.len() == used)
            .filter_map(|slopes| mean(slopes))
            .collect()
    };
    let (kfac, sgd) = (by_seed(&kfac), by_seed(&sgd));
    let n = kfac.len();
    let differences: Vec<f64> = kfac.iter().zip(&sgd).map(|(k, s)| k - s).collect();
    let estimate = mean_interval(&differences, CONFIDENCE)?;
    let difference = Statistic {
        quantity: Quantity::SlopeDifference,
        part: None,
        estimate,
        n,
        verdict: above(&estimate, 0.0, n),
    };
    let slopes = [(KFAC, &kfac), (SGD, &sgd)]
        .into_iter()
        .filter_map(|(method, slopes)| {
            let estimate = mean_interval(slopes, CONFIDENCE)?;
            let verdict = above(&estimate, -1.0, n);
            Some(Statistic {
                quantity: Quantity::ScalingSlope {
                    method: method.into(),
                },
                part: None,
                estimate,
                n,
                verdict,
            })
        });
    let mut parts = vec![difference.clone()];
    parts.extend(slopes);
    let verdict = if parts
        .iter()
        .any(|part| part.verdict == Verdict::Contradicted)
    {
        Verdict::Contradicted
    } else if parts.iter().all(|part| part.verdict == Verdict::Supported) {
        Verdict::Supported
    } else {
        Verdict::Undecided
    };
    Some(Decision {
        verdict,
        reason: reason(verdict, &difference, n),
        remarks: Vec::new(),
        parts,
    })
}

fn reason(verdict: Verdict, difference: &Statistic, seeds: usize) -> Reason {
    Reason::Slopes(match (verdict, difference.verdict) {
        (Verdict::Supported, _) => Slopes::KfacDepartsFurther,
        (Verdict::Contradicted, Verdict::Contradicted) => Slopes::SgdDepartsFurther,
        (Verdict::Contradicted, _) => Slopes::OneIsBetterThanIdeal,
        (Verdict::Undecided, _) if seeds < SEEDS_TO_DECIDE => {
            return Reason::TooFewSeeds {
                seeds,
                estimates: Tally::of_signs(std::slice::from_ref(difference)),
            };
        }
        (Verdict::Undecided, Verdict::Supported) => Slopes::KfacDepartsFurtherOneMayBeIdeal,
        (Verdict::Undecided, _) => Slopes::NotToldApart,
    })
}

/// Log of the interval's middle, or of the budget where the target was not reached.
fn log_steps(steps: Steps) -> Option<f64> {
    let steps = match steps {
        Steps::Reached { .. } => steps.interval()?.middle(),
        Steps::NotReached { budget } => budget as f64,
        Steps::Diverged { .. } => return None,
    };
    (steps > 0.0).then(|| steps.ln())
}
