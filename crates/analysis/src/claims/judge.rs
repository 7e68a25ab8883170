//! From an interval to a verdict.

use super::{Alternative, Statistic, Unit, Verdict};
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
pub(super) fn positive_mean(
    name: &str,
    part: Option<String>,
    unit: Unit,
    seeds: &[f64],
) -> Option<Statistic> {
    let estimate = mean_interval(seeds, CONFIDENCE)?;
    let n = seeds.len();
    Some(Statistic {
        name: name.into(),
        part,
        estimate,
        unit,
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
            has_say: true,
            choice: choice.into(),
            verdict: self.verdict,
            statistic: self.least_in_favour().cloned(),
            reason: self.reason.clone(),
        }
    }
}

/// What the numbers of a decision by signs are about, to put them in words.
pub(super) struct Wording<'a> {
    /// What a positive number says: `SGD needs fewer steps`.
    pub(super) positive: &'a str,
    /// What a negative one says.
    pub(super) negative: &'a str,
    /// What there is a number for: `batch size`.
    pub(super) each: &'a str,
}

impl Wording<'_> {
    /// The reason for a decision by signs: what was found and, with too few seeds, where they point.
    pub(super) fn reason(&self, parts: &[Statistic], verdict: Verdict) -> String {
        let seeds = parts.iter().map(|part| part.n).min().unwrap_or(0);
        let of = |is: fn(&Statistic) -> bool| parts.iter().filter(|part| is(part)).count();
        let every = match parts.len() {
            1 => String::new(),
            all => format!(" at all {}", count(all, self.each)),
        };
        match verdict {
            Verdict::Supported => sentence(&format!("{}{every}", self.positive)),
            Verdict::Contradicted => sentence(&format!("{}{every}", self.negative)),
            Verdict::Undecided if seeds < SEEDS_TO_DECIDE => format!(
                "{} So far {}.",
                too_few(seeds),
                self.split(
                    of(|part| part.estimate.value > 0.0),
                    of(|part| part.estimate.value < 0.0),
                    parts.len(),
                    "there is no difference",
                )
            ),
            Verdict::Undecided => sentence(&self.split(
                of(|part| part.verdict == Verdict::Supported),
                of(|part| part.verdict == Verdict::Contradicted),
                parts.len(),
                "the seeds do not agree",
            )),
        }
    }

    /// `SGD needs fewer steps at 1 of 5 batch sizes, K-FAC needs fewer steps at 3, and at 1 neither`.
    fn split(&self, positive: usize, negative: usize, all: usize, neither: &str) -> String {
        let mut clauses = Vec::new();
        for (n, says) in [
            (positive, self.positive),
            (negative, self.negative),
            (all - positive - negative, neither),
        ] {
            match n {
                0 => {}
                _ if all == 1 => clauses.push(says.to_owned()),
                n if n == all => clauses.push(format!("{says} at all {}", count(all, self.each))),
                n if clauses.is_empty() => {
                    clauses.push(format!("{says} at {n} of {}", count(all, self.each)));
                }
                n => clauses.push(format!("{says} at {n}")),
            }
        }
        match clauses.as_slice() {
            [rest @ .., last] if !rest.is_empty() => format!("{}, and {last}", rest.join(", ")),
            _ => clauses.concat(),
        }
    }
}

/// `1 seed cannot decide: it takes 5.`
pub(super) fn too_few(seeds: usize) -> String {
    format!(
        "{} cannot decide: it takes {SEEDS_TO_DECIDE}.",
        count(seeds, "seed")
    )
}

/// A count with its noun: `1 seed`, `5 seeds`.
pub(super) fn count(n: usize, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {noun}{plural}")
}

/// With a capital first and a full stop.
pub(super) fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let mut sentence = letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    });
    sentence.push('.');
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_count_in_singular_and_plural() {
        let part = |value: f64, n: usize, verdict| Statistic {
            name: "x".into(),
            part: None,
            estimate: Estimate {
                value,
                interval: None,
            },
            unit: Unit::Plain,
            n,
            verdict,
        };
        let wording = Wording {
            positive: "it grows",
            negative: "it shrinks",
            each: "level",
        };
        let reason = |parts: &[Statistic]| wording.reason(parts, Verdict::Undecided);
        let undecided = Verdict::Undecided;
        assert_eq!(
            reason(&[part(1.0, 1, undecided), part(-1.0, 1, undecided)]),
            "1 seed cannot decide: it takes 5. So far it grows at 1 of 2 levels, and it shrinks at 1."
        );
        assert_eq!(
            reason(&[part(-1.0, 2, undecided)]),
            "2 seeds cannot decide: it takes 5. So far it shrinks."
        );
        let decided = [
            part(1.0, 5, Verdict::Supported),
            part(1.0, 5, Verdict::Supported),
            part(0.1, 5, undecided),
        ];
        assert_eq!(
            reason(&decided),
            "It grows at 2 of 3 levels, and the seeds do not agree at 1."
        );
        assert_eq!(
            wording.reason(&decided[..2], Verdict::Supported),
            "It grows at all 2 levels."
        );
    }
}
