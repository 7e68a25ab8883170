//! Claim 6: SGD makes more progress per iteration in reducing the loss.
//!
//! At each batch size, log steps of K-FAC to a training loss minus SGD's to the same, seed by seed.
//! Steps are known between two evaluations only: the interval of the mean starts at the t interval of
//! the smallest possible differences and ends at that of the largest. Supported (contradicted) if it
//! lies above (below) zero at every batch size. A seed that did not reach bounds the difference on one
//! side; a batch size at which a seed diverged is undecided.

use super::judge::{CONFIDENCE, Decision, above, unanimous};
use super::timings::{Pair, Timings};
use super::{Missing, Part, Quantity, Reason, Remark, Statistic, Verdict};
use crate::statistics::mean_interval;
use crate::targets::Steps;
use crate::{Estimate, Interval, Target};

pub(super) fn decide(timings: &Timings<'_>, target: Target) -> Decision {
    let pairs = timings.pairs(target);
    let mut diverged = Vec::new();
    let mut parts = Vec::new();
    for (batch, pair) in &pairs {
        if pair.has_diverged() {
            diverged.push(*batch);
        } else if let Some(estimate) = difference(pair) {
            let n = pair.kfac.len();
            parts.push(Statistic {
                quantity: Quantity::StepsRatio { target },
                part: Some(Part::BatchSize(*batch)),
                estimate,
                n,
                verdict: above(&estimate, 0.0, n),
            });
        }
    }
    if parts.is_empty() {
        return Decision::without_data(Missing::TimedPairs { target });
    }
    let verdict = if diverged.is_empty() {
        unanimous(parts.iter().map(|part| part.verdict))
    } else {
        Verdict::Undecided
    };
    let remark = (!diverged.is_empty()).then_some(Remark::DivergedAt {
        batch_sizes: diverged,
    });
    Decision {
        verdict,
        reason: Reason::of_signs(&parts),
        remarks: remark.into_iter().collect(),
        parts,
    }
}

/// The mean difference with its interval. Where a seed did not reach, its budget stands in the value.
fn difference(pair: &Pair) -> Option<Estimate> {
    let mut middles = Vec::new();
    let (mut lows, mut highs) = (Some(Vec::new()), Some(Vec::new()));
    for (seed, kfac) in &pair.kfac {
        let (kfac, sgd) = (LogSteps::of(*kfac)?, LogSteps::of(pair.sgd[seed])?);
        middles.push(kfac.middle - sgd.middle);
        lows = lows.zip(sgd.high).map(|(mut all, high)| {
            all.push(kfac.low - high);
            all
        });
        highs = highs.zip(kfac.high).map(|(mut all, high)| {
            all.push(high - sgd.low);
            all
        });
    }
    let value = mean_interval(&middles, CONFIDENCE)?.value;
    let interval = |of: Option<Vec<f64>>| mean_interval(&of?, CONFIDENCE)?.interval;
    let low = interval(lows).and_then(|interval| interval.low);
    let high = interval(highs).and_then(|interval| interval.high);
    let bounded = low.is_some() || high.is_some();
    Some(Estimate {
        value,
        interval: bounded.then_some(Interval {
            low,
            high,
            confidence: CONFIDENCE,
        }),
    })
}

/// Natural logs of steps.
struct LogSteps {
    low: f64,
    middle: f64,
    /// `None` if not reached.
    high: Option<f64>,
}

impl LogSteps {
    fn of(steps: Steps) -> Option<Self> {
        // Before step 1 nothing can have been crossed that training did.
        let log = |steps: u64| (steps.max(1) as f64).ln();
        match steps {
            Steps::Reached { after, by } => Some(Self {
                low: log(after),
                middle: steps.interval()?.middle().max(1.0).ln(),
                high: Some(log(by)),
            }),
            Steps::NotReached { budget } => Some(Self {
                low: log(budget),
                middle: log(budget),
                high: None,
            }),
            Steps::Diverged { .. } => None,
        }
    }
}
