//! From samples to a verdict: the one rule for all claims.
//!
//! A claim is on [`Piece`]s: batch sizes, cells, or the statements that it joins. Each has a sample over seeds and a
//! condition with two tests: that the condition holds, and that its opposite does. The verdict is the first of these
//! that applies:
//!
//! 1. supported: the condition holds at every piece, each at the level `alpha`; all must, so no correction is due
//!    (an intersection-union test);
//! 2. mixed: after Holm's correction over all tests of the claim, some piece is decided for it and some against it;
//! 3. contradicted: so decided, some piece is against it and none for it. Where the pieces are statements that the
//!    claim joins ([`Rule::Joined`]), one against it is enough;
//! 4. undecided.
//!
//! Source: Holm 1979; Schuirmann 1987; Berger 1982 (intersection-union tests).

use std::collections::BTreeSet;

use super::look::{Look, Rules};
use super::need::{Need, need};
use super::sample::Sample;
use super::{
    Alternative, Choice, Missing, Part, Quantity, Reason, Remark, Statistic, Tally, Verdict,
};

/// Fewest seeds that decide anything.
pub const SEEDS_TO_DECIDE: usize = 5;

/// The level of all tests of a claim together, with one look at the data.
pub const LEVEL: f64 = 0.05;

/// What is claimed of a mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Condition {
    /// It is above this.
    Above(f64),
    /// It is within a margin of zero on both sides; the opposite: it is beyond it on one side.
    Within(f64),
}

/// A part of what a claim is on.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) quantity: Quantity,
    pub(super) part: Option<Part>,
    pub(super) sample: Sample,
    pub(super) condition: Condition,
}

/// How pieces make a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// The same condition at every one; the effect is their mean.
    Every,
    /// Statements that must all be true; the effect is the first.
    Joined,
}

/// What there is to judge.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) pieces: Vec<Piece>,
    pub(super) rule: Rule,
    /// What the effect over all pieces measures; `None` where pieces are of different things, and there is none.
    pub(super) overall: Option<Quantity>,
    pub(super) remarks: Vec<Remark>,
    /// Numbers that are shown beside those that decide.
    pub(super) beside: Vec<Piece>,
    /// Whether a part that the claim is on could not be looked at, so that it is not shown to hold at all of them.
    pub(super) is_incomplete: bool,
}

/// Levels at which a piece's condition, and its opposite, would just be shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tests {
    pub(super) holds: f64,
    pub(super) fails: f64,
    /// Whether both are tested: two one-sided tests and one for the opposite. Else one two-sided test is both.
    are_two: bool,
}

impl Tests {
    pub(super) fn of(sample: &Sample, condition: Condition) -> Self {
        match condition {
            Condition::Above(zero) => Self {
                holds: (2.0 * sample.p_above(zero)).min(1.0),
                fails: (2.0 * sample.p_below(zero)).min(1.0),
                are_two: false,
            },
            Condition::Within(margin) => Self {
                holds: sample.p_above(-margin).max(sample.p_below(margin)),
                fails: (2.0 * sample.p_above(margin).min(sample.p_below(-margin))).min(1.0),
                are_two: true,
            },
        }
    }
}

/// What each piece says after Holm's correction over all tests: the smallest p first, each at `alpha` over the number
/// of tests that are left, until one fails.
pub(super) fn holm(tests: &[Tests], alpha: f64) -> Vec<Verdict> {
    let mut ordered: Vec<(f64, usize, Verdict)> = Vec::new();
    for (index, test) in tests.iter().enumerate() {
        let both = [
            (test.holds, index, Verdict::Supported),
            (test.fails, index, Verdict::Contradicted),
        ];
        if test.are_two {
            ordered.extend(both);
        } else {
            ordered.extend(both.into_iter().min_by(|a, b| a.0.total_cmp(&b.0)));
        }
    }
    ordered.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut said = vec![Verdict::Undecided; tests.len()];
    let count = ordered.len();
    for (place, (p, index, verdict)) in ordered.into_iter().enumerate() {
        if p > alpha / (count - place) as f64 {
            break;
        }
        said[index] = verdict;
    }
    said
}

/// The verdict on a claim and what each piece says, at a level.
pub(super) fn verdict(tests: &[Tests], rule: Rule, alpha: f64) -> (Verdict, Vec<Verdict>) {
    if !tests.is_empty() && tests.iter().all(|test| test.holds <= alpha) {
        return (Verdict::Supported, vec![Verdict::Supported; tests.len()]);
    }
    let said = holm(tests, alpha);
    let verdict = match (
        said.contains(&Verdict::Supported),
        said.contains(&Verdict::Contradicted),
        rule,
    ) {
        (true, true, Rule::Every) => Verdict::Mixed,
        (_, true, _) => Verdict::Contradicted,
        _ => Verdict::Undecided,
    };
    (verdict, said)
}

/// A claim or an alternative judged: its numbers, its verdict and why.
#[derive(Debug, Clone)]
pub(super) struct Decision {
    pub(super) verdict: Verdict,
    pub(super) reason: Reason,
    pub(super) remarks: Vec<Remark>,
    pub(super) effect: Option<Statistic>,
    pub(super) parts: Vec<Statistic>,
    /// How many of `parts` decide.
    pub(super) deciding: usize,
    /// Seeds at the look that decides.
    pub(super) seeds: BTreeSet<u64>,
    /// Fewest seeds behind any number that decides.
    pub(super) n: usize,
    pub(super) look: Option<Look>,
    pub(super) need: Option<Need>,
}

impl Decision {
    /// Nothing to decide on.
    pub(super) fn without_data(missing: Missing) -> Self {
        Self {
            verdict: Verdict::Undecided,
            reason: Reason::Missing(missing),
            remarks: Vec::new(),
            effect: None,
            parts: Vec::new(),
            deciding: 0,
            seeds: BTreeSet::new(),
            n: 0,
            look: None,
            need: None,
        }
    }

    /// As a row of the table of other choices.
    pub(super) fn under(&self, choice: Choice) -> Alternative {
        Alternative {
            choice,
            verdict: self.verdict,
            statistic: self.effect.clone(),
            missing: match self.reason {
                Reason::Missing(missing) => Some(missing),
                _ => None,
            },
        }
    }
}

/// Judges a question by the rules of the study. What would decide it is told of the one that decides the claim, for the
/// smallest effect that matters, if that is declared.
pub(super) fn judge(
    question: Question,
    rules: &Rules,
    is_deciding: bool,
    smallest: Option<f64>,
) -> Decision {
    let Question {
        mut pieces,
        rule,
        overall,
        mut remarks,
        mut beside,
        is_incomplete,
    } = question;
    let all: BTreeSet<u64> = pieces
        .iter()
        .flat_map(|piece| piece.sample.seeds())
        .collect();
    let look = rules.look(&all);
    for piece in pieces.iter_mut().chain(&mut beside) {
        piece.sample = piece.sample.only(&look.seeds);
    }
    let fewest = pieces.iter().map(|piece| piece.sample.0.len()).min();
    let n = fewest.unwrap_or(0);
    let alpha = look.alpha;
    let tests: Vec<Tests> = pieces
        .iter()
        .map(|piece| Tests::of(&piece.sample, piece.condition))
        .collect();
    let is_due = n >= look.needed;
    let (mut verdict, said) = if is_due {
        verdict(&tests, rule, alpha)
    } else {
        (Verdict::Undecided, vec![Verdict::Undecided; pieces.len()])
    };
    if is_incomplete && verdict == Verdict::Supported {
        verdict = Verdict::Undecided;
    }
    // Intervals of all pieces hold at once: Bonferroni.
    let each = 1.0 - alpha / pieces.len().max(1) as f64;
    let statistic = |piece: &Piece, confidence: f64, verdict| {
        Some(Statistic {
            quantity: piece.quantity.clone(),
            part: piece.part.clone(),
            estimate: piece.sample.estimate(confidence)?,
            n: piece.sample.0.len(),
            verdict,
        })
    };
    let mut parts: Vec<Statistic> = pieces
        .iter()
        .zip(&said)
        .filter_map(|(piece, said)| statistic(piece, each, *said))
        .collect();
    let sample = match rule {
        Rule::Every => Sample::average(pieces.iter().map(|piece| &piece.sample)),
        Rule::Joined => pieces
            .first()
            .map_or_else(Sample::default, |piece| piece.sample.clone()),
    };
    let estimate = sample.estimate(1.0 - alpha);
    let known = estimate.filter(|estimate| estimate.interval.is_some() || !sample.is_open());
    let effect = overall.and_then(|quantity| {
        if known.is_none() && !parts.is_empty() {
            remarks.push(if sample.is_open() {
                Remark::NoOverallEffect
            } else {
                Remark::NoCommonSeeds
            });
        }
        Some(Statistic {
            quantity,
            part: None,
            estimate: known?,
            n: sample.0.len(),
            verdict,
        })
    });
    let reason = if is_due {
        Reason::Parts(Tally::of(&said))
    } else {
        Reason::TooFewSeeds {
            seeds: n,
            needed: look.needed,
            estimates: Tally::of_estimates(&pieces),
        }
    };
    // Of statements that are joined, the first is the one that a smallest effect is declared for.
    let sought = match rule {
        Rule::Every => &pieces[..],
        Rule::Joined => &pieces[..pieces.len().min(1)],
    };
    let need = (is_deciding && verdict == Verdict::Undecided)
        .then(|| need(sought, smallest, alpha))
        .flatten();
    let deciding = parts.len();
    parts.extend(beside.iter().filter_map(|piece| {
        let tests = [Tests::of(&piece.sample, piece.condition)];
        let said = if is_due {
            self::verdict(&tests, rule, alpha).0
        } else {
            Verdict::Undecided
        };
        statistic(piece, 1.0 - alpha, said)
    }));
    Decision {
        verdict,
        reason,
        remarks,
        effect,
        parts,
        deciding,
        seeds: look.seeds,
        n,
        look: look.which,
        need,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directional(holds: f64) -> Tests {
        Tests {
            holds,
            fails: (2.0 - holds).min(1.0),
            are_two: false,
        }
    }

    fn against(fails: f64) -> Tests {
        Tests {
            holds: (2.0 - fails).min(1.0),
            fails,
            are_two: false,
        }
    }

    #[test]
    fn all_parts_for_it_need_no_correction_and_one_against_it_does() {
        use Verdict::{Contradicted, Mixed, Supported, Undecided};
        let of = |tests: &[Tests]| verdict(tests, Rule::Every, 0.05).0;
        assert_eq!(of(&[directional(0.04); 5]), Supported);
        assert_eq!(of(&[directional(0.04), directional(0.2)]), Undecided);
        // One of five against it: 0.05 / 5.
        let five = |first: Tests| {
            [
                first,
                directional(0.3),
                directional(0.3),
                directional(0.3),
                directional(0.3),
            ]
        };
        assert_eq!(of(&five(against(0.011))), Undecided);
        assert_eq!(of(&five(against(0.009))), Contradicted);
        // The second of two is tested at the whole level, once the first is decided.
        assert_eq!(of(&[against(0.02), directional(0.04)]), Mixed);
        assert_eq!(of(&[against(0.03), directional(0.04)]), Undecided);
        assert_eq!(of(&[]), Undecided);
    }

    #[test]
    fn statements_that_are_joined_are_false_if_one_is() {
        let tests = [directional(0.001), against(0.001)];
        assert_eq!(verdict(&tests, Rule::Joined, 0.05).0, Verdict::Contradicted);
        assert_eq!(verdict(&tests, Rule::Every, 0.05).0, Verdict::Mixed);
    }

    #[test]
    fn equality_is_corrected_over_both_kinds_of_test() {
        let test = |holds, fails| Tests {
            holds,
            fails,
            are_two: true,
        };
        // Four tests: the smallest at 0.05 / 4, the next at 0.05 / 3.
        let said = holm(&[test(0.012, 1.0), test(1.0, 0.016)], 0.05);
        assert_eq!(said, [Verdict::Supported, Verdict::Contradicted]);
        let said = holm(&[test(0.013, 1.0), test(1.0, 0.014)], 0.05);
        assert_eq!(said, [Verdict::Undecided, Verdict::Undecided]);
    }

    #[test]
    fn a_level_at_which_equality_just_holds_is_that_of_two_one_sided_tests() {
        let sample = Sample::of_values((0..8).map(|i| (i, 0.002 * (i as f64 - 3.0))));
        let tests = Tests::of(&sample, Condition::Within(0.005));
        // The interval of 1 - 2 p touches the margin.
        let interval = sample
            .estimate(1.0 - 2.0 * tests.holds)
            .and_then(|estimate| estimate.interval)
            .expect("eight seeds");
        let (low, high) = (
            interval.low.expect("bounded"),
            interval.high.expect("bounded"),
        );
        assert!((high.max(-low) - 0.005).abs() < 1e-9, "{low} {high}");
    }
}
