//! From an interval to a verdict.

use super::{Alternative, Statistic, Verdict};
use crate::Estimate;
use crate::statistics::mean_interval;

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
pub(super) fn positive_mean(name: &str, part: Option<String>, seeds: &[f64]) -> Option<Statistic> {
    let estimate = mean_interval(seeds, CONFIDENCE)?;
    let n = seeds.len();
    Some(Statistic {
        name: name.into(),
        part,
        estimate,
        n,
        verdict: above(&estimate, 0.0, n),
    })
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

/// A claim or alternative before it is put in words: its numbers, its verdict and why.
#[derive(Debug, Clone)]
pub(super) struct Decision {
    pub(super) verdict: Verdict,
    pub(super) reason: String,
    pub(super) parts: Vec<Statistic>,
}

impl Decision {
    /// Nothing to decide on.
    pub(super) fn without_data(reason: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Undecided,
            reason: reason.into(),
            parts: Vec::new(),
        }
    }

    /// Fewest seeds behind any number.
    pub(super) fn seeds(&self) -> usize {
        self.parts.iter().map(|part| part.n).min().unwrap_or(0)
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
            part.name == self.parts[0].name || part.verdict == Verdict::Contradicted
        };
        self.parts.iter().filter(is_of_first_kind).min_by(|a, b| {
            rank(a.verdict)
                .cmp(&rank(b.verdict))
                .then(end(a).total_cmp(&end(b)))
        })
    }

    /// As a row of the table of other choices.
    pub(super) fn under(&self, choice: impl Into<String>) -> Alternative {
        Alternative {
            choice: choice.into(),
            verdict: self.verdict,
            statistic: self.least_in_favour().cloned(),
            reason: self.reason.clone(),
        }
    }
}

/// The reason in words for a decision by signs: what each verdict means, and, when there are too few
/// seeds, where they point.
pub(super) fn reason_by_sign(
    parts: &[Statistic],
    verdict: Verdict,
    supports: &str,
    contradicts: &str,
) -> String {
    let seeds = parts.iter().map(|part| part.n).min().unwrap_or(0);
    let of = |is: fn(&Statistic) -> bool| parts.iter().filter(|part| is(part)).count();
    let all = parts.len();
    match verdict {
        Verdict::Supported => format!("{}.", capitalised(supports)),
        Verdict::Contradicted => format!("{}.", capitalised(contradicts)),
        Verdict::Undecided if seeds < SEEDS_TO_DECIDE => {
            let (positive, negative) = (
                of(|part| part.estimate.value > 0.0),
                of(|part| part.estimate.value < 0.0),
            );
            let tendency = match (positive == all, negative == all) {
                (true, _) => format!("points towards: {supports}"),
                (_, true) => format!("points towards: {contradicts}"),
                _ => format!("points both ways, {positive} of {all} numbers to: {supports}"),
            };
            let verb = if seeds == 1 {
                "One seed".to_owned()
            } else {
                format!("{seeds} seeds")
            };
            let tendency = if seeds == 1 {
                tendency
            } else {
                tendency.replacen("points", "point", 1)
            };
            format!(
                "{verb} cannot decide (it takes {SEEDS_TO_DECIDE}); {} {tendency}.",
                if seeds == 1 { "it" } else { "they" }
            )
        }
        Verdict::Undecided => {
            let (for_it, against) = (
                of(|part| part.verdict == Verdict::Supported),
                of(|part| part.verdict == Verdict::Contradicted),
            );
            format!(
                "Of {all} comparisons, {for_it} say that {supports}, {against} that {contradicts}, the others neither."
            )
        }
    }
}

fn capitalised(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
