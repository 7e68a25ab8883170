//! From an interval to a verdict.

use super::{Alternative, Choice, Missing, Part, Quantity, Reason, Remark, Statistic, Verdict};
use crate::statistics::mean_interval;
use crate::{Estimate, Interval};

/// Fewest seeds that decide anything.
pub const SEEDS_TO_DECIDE: usize = 5;

/// Nominal coverage of the intervals that decide.
pub(super) const CONFIDENCE: f64 = 0.95;

/// Supported if the whole interval lies above `zero`, contradicted if it lies below.
pub(super) fn above(estimate: &Estimate, zero: f64, n: usize) -> Verdict {
    match estimate.interval {
        Some(interval) if n >= SEEDS_TO_DECIDE => {
            if interval.low.is_some_and(|low| low > zero) {
                Verdict::Supported
            } else if interval.high.is_some_and(|high| high < zero) {
                Verdict::Contradicted
            } else {
                Verdict::Undecided
            }
        }
        _ => Verdict::Undecided,
    }
}

/// The statistic "mean over seeds", judged by its sign: positive supports. `None` of no seed.
pub(super) fn positive_mean(quantity: Quantity, part: Part, seeds: &[f64]) -> Option<Statistic> {
    let estimate = mean_interval(seeds, CONFIDENCE)?;
    let n = seeds.len();
    Some(Statistic {
        quantity,
        part: Some(part),
        estimate,
        n,
        verdict: above(&estimate, 0.0, n),
    })
}

/// Whether a mean difference is nothing: supported if the 90 % interval lies within the margin on both
/// sides, which is two one-sided tests at 5 %; contradicted if the interval at 95 %, with Bonferroni's
/// correction for the number of comparisons, lies wholly beyond it. The estimate has the 90 % interval.
/// `None` of no difference.
///
/// Source: Schuirmann 1987.
pub(super) fn equivalence(
    differences: &[f64],
    margin: f64,
    comparisons: usize,
) -> Option<(Estimate, Verdict)> {
    let estimate = mean_interval(differences, 0.90)?;
    let corrected = mean_interval(differences, 1.0 - 0.05 / comparisons as f64)?;
    let within = |interval: Interval| {
        interval.low.is_some_and(|low| low > -margin)
            && interval.high.is_some_and(|high| high < margin)
    };
    let beyond = |interval: Interval| {
        interval.low.is_some_and(|low| low > margin)
            || interval.high.is_some_and(|high| high < -margin)
    };
    let verdict = if differences.len() < SEEDS_TO_DECIDE {
        Verdict::Undecided
    } else if corrected.interval.is_some_and(beyond) {
        Verdict::Contradicted
    } else if estimate.interval.is_some_and(within) {
        Verdict::Supported
    } else {
        Verdict::Undecided
    };
    Some((estimate, verdict))
}

/// Supported if every verdict is, contradicted if every one is, else undecided; also of none.
pub(super) fn unanimous(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
    let mut verdicts = verdicts.into_iter();
    let Some(first) = verdicts.next() else {
        return Verdict::Undecided;
    };
    if verdicts.all(|verdict| verdict == first) {
        first
    } else {
        Verdict::Undecided
    }
}

/// A claim or alternative judged: its numbers, its verdict and why.
#[derive(Debug, Clone)]
pub(super) struct Decision {
    pub(super) verdict: Verdict,
    pub(super) reason: Reason,
    pub(super) remarks: Vec<Remark>,
    pub(super) parts: Vec<Statistic>,
}

impl Decision {
    /// Nothing to decide on.
    pub(super) fn without_data(missing: Missing) -> Self {
        Self {
            verdict: Verdict::Undecided,
            reason: Reason::Missing(missing),
            remarks: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// Fewest seeds behind any number.
    pub(super) fn seeds(&self) -> usize {
        Self::seeds_of(&self.parts)
    }

    /// Fewest seeds behind any of some numbers.
    pub(super) fn seeds_of(parts: &[Statistic]) -> usize {
        parts.iter().map(|part| part.n).min().unwrap_or(0)
    }

    /// The number least in favour: contradicted before undecided before supported, then the smallest
    /// lower end, or the smallest value where there is none. Numbers of another kind than the first one
    /// (which their ends cannot be compared with) only if they contradict.
    pub(super) fn least_in_favour(&self) -> Option<&Statistic> {
        let rank = |verdict| match verdict {
            Verdict::Contradicted => 0,
            Verdict::Undecided => 1,
            Verdict::Supported => 2,
        };
        let end = |part: &Statistic| {
            part.estimate
                .interval
                .and_then(|interval| interval.low)
                .unwrap_or(part.estimate.value)
        };
        let is_of_first_kind = |part: &&Statistic| {
            part.quantity == self.parts[0].quantity || part.verdict == Verdict::Contradicted
        };
        self.parts.iter().filter(is_of_first_kind).min_by(|a, b| {
            rank(a.verdict)
                .cmp(&rank(b.verdict))
                .then(end(a).total_cmp(&end(b)))
        })
    }

    /// As a row of the table of other choices.
    pub(super) fn under(&self, choice: Choice) -> Alternative {
        Alternative {
            has_say: true,
            choice,
            verdict: self.verdict,
            statistic: self.least_in_favour().cloned(),
            missing: match self.reason {
                Reason::Missing(missing) => Some(missing),
                _ => None,
            },
        }
    }
}
