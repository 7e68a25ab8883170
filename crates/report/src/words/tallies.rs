//! Which way the parts of a claim point, in sentences: where two methods are equal, and where which one is ahead.

use analysis::claims::{
    Claim, ClaimVerdict, Comparison, Control, Pair, Part, Quantity, Statistic, Tally, Verdict,
};

use super::{distance, goal, list, method};
use crate::draw::number::count;

/// Names of the parts with a verdict: `16, 32`; nothing where parts have no short names.
fn places(claim: &ClaimVerdict, wanted: impl Fn(&Statistic) -> bool) -> Vec<String> {
    let parts = claim.parts.iter().take(claim.deciding);
    parts
        .filter(|part| wanted(part))
        .filter_map(|part| match &part.part {
            Some(Part::BatchSize(batch_size)) => Some(batch_size.to_string()),
            Some(Part::Methods(Pair(first, second))) => {
                Some(format!("{} with {}", method(first), method(second)))
            }
            _ => None,
        })
        .collect()
}

/// ` (16 and 32)`.
fn bracketed(places: &[String]) -> String {
    match places {
        [] => String::new(),
        places => format!(" ({})", places.join(", ")),
    }
}

/// How to say that methods are equal.
pub(super) struct Equal {
    /// `1 point`.
    pub(super) margin: String,
    /// What there is a number for.
    pub(super) each: &'static str,
    /// `K-FAC and SGD`.
    who: String,
    first: String,
    second: String,
    is_loss: bool,
    is_control: bool,
}

impl Equal {
    /// `None` if the claim is on something else.
    pub(super) fn of(claim: &Claim) -> Option<Self> {
        let (metric, margin, each) = match claim {
            Claim::ComparablePerformance(Comparison {
                margin,
                metric,
                methods,
            }) => {
                let each = if methods.0.len() > 2 {
                    "pair of methods"
                } else {
                    "batch size"
                };
                (metric, margin, each)
            }
            Claim::LargeDampingIsSgd(Control { margin, metric }) => (metric, margin, "cell"),
            _ => return None,
        };
        let names: Vec<String> = claim.methods().into_iter().map(method).collect();
        Some(Self {
            margin: distance(*metric, *margin),
            each,
            who: list(&names),
            first: names[0].clone(),
            second: names[1].clone(),
            is_loss: metric.is_loss(),
            is_control: matches!(claim, Claim::LargeDampingIsSgd(_)),
        })
    }

    fn is_of_pairs(&self) -> bool {
        self.each == "pair of methods"
    }

    pub(super) fn said(&self, claim: &ClaimVerdict, tests: Tally) -> String {
        let Self {
            margin, each, who, ..
        } = self;
        let all = if self.is_of_pairs() {
            match tests.of {
                1 => "1 pair of methods".into(),
                of => format!("{of} pairs of methods"),
            }
        } else {
            count(tests.of, each)
        };
        let equal = format!("{who} are equal within {margin}");
        let unclear = format!("the seeds do not show whether {who} are equal within {margin}");
        match claim.verdict {
            Verdict::Supported if tests.of == 1 => {
                format!("{equal}{}.", self.side(claim))
            }
            Verdict::Supported => format!("{equal} at all {all}{}.", self.side(claim)),
            Verdict::Contradicted if self.is_control => format!(
                "{who} differ by more than {margin} at {} of {all}: an implementation is wrong, or the comparison is.",
                tests.contradicted
            ),
            Verdict::Contradicted => self.beyond(claim, &all),
            Verdict::Mixed if self.is_control => format!(
                "{equal} at {} of {all}, and differ by more than that at {}: an implementation is wrong, or the comparison is.",
                tests.supported, tests.contradicted
            ),
            Verdict::Mixed => {
                let here = places(claim, |part| part.verdict == Verdict::Supported);
                format!(
                    "{equal} at {} of {all}{}. {}",
                    tests.supported,
                    bracketed(&here),
                    self.beyond(claim, &all)
                )
            }
            Verdict::Undecided if tests.supported == 0 && tests.of == 1 => {
                format!("{}.", super::capital(&unclear))
            }
            Verdict::Undecided if tests.supported == 0 => {
                format!(
                    "At none of {all}, corrected for their number, {unclear_if}.",
                    unclear_if =
                        format_args!("do the seeds show whether {who} are equal within {margin}")
                )
            }
            Verdict::Undecided => format!(
                "{equal} at {} of {all}{}. At the others the seeds do not show whether they are.",
                tests.supported,
                bracketed(&places(claim, |part| part.verdict == Verdict::Supported))
            ),
        }
    }

    /// On which side of zero a difference within the margin lies, if the interval of the mean says so.
    fn side(&self, claim: &ClaimVerdict) -> String {
        let interval = claim
            .effect
            .as_ref()
            .and_then(|effect| effect.estimate.interval);
        let Some(interval) = interval else {
            return String::new();
        };
        let above = interval.low.is_some_and(|low| low > 0.0);
        let below = interval.high.is_some_and(|high| high < 0.0);
        if !above && !below {
            return String::new();
        }
        let ahead = if above == self.is_loss {
            &self.second
        } else {
            &self.first
        };
        format!(", and inside the margin {ahead} is ahead")
    }

    /// Where the difference is beyond the margin, and for whom.
    fn beyond(&self, claim: &ClaimVerdict, all: &str) -> String {
        let against = |part: &Statistic| part.verdict == Verdict::Contradicted;
        if self.is_of_pairs() {
            let pairs = places(claim, against);
            return format!(
                "They differ by more than {} in {} of {all}{}.",
                self.margin,
                pairs.len(),
                bracketed(&pairs)
            );
        }
        let sentences = [(false, "worse"), (true, "better")].map(|(better, word)| {
            let places = places(claim, |part| {
                against(part) && ((part.estimate.value > 0.0) != self.is_loss) == better
            });
            (!places.is_empty()).then(|| {
                format!(
                    "{} is {word} than {} by more than {} at {} of {all} ({}).",
                    self.first,
                    self.second,
                    self.margin,
                    places.len(),
                    list(&places)
                )
            })
        });
        let sentences: Vec<String> = sentences.into_iter().flatten().collect();
        sentences.join(" ")
    }
}

/// How to say which way some numbers point: `to reach a loss of 0.1, SGD needs fewer steps at 2 of 5 batch sizes (16 and
/// 64) and K-FAC at 1 (256); at 2 no difference is shown`.
pub(super) struct Signs {
    /// What comes first, without a capital.
    scene: String,
    /// What a positive number says.
    positive: String,
    /// What a negative one says.
    negative: String,
    /// What there is none of where a number says neither.
    noun: &'static str,
    /// What there is a number for.
    each: &'static str,
}

impl Signs {
    pub(super) fn of(claim: &ClaimVerdict) -> Self {
        let region = |positive: &str, negative: &str| Self {
            scene: format!(
                "as the batch size grows, {}'s good region ",
                claim
                    .claim
                    .methods()
                    .first()
                    .copied()
                    .map(method)
                    .unwrap_or_default()
            ),
            positive: positive.into(),
            negative: negative.into(),
            noun: "change",
            each: "level",
        };
        let methods: Vec<String> = claim.claim.methods().into_iter().map(method).collect();
        let (scene, than) = match &claim.claim {
            Claim::RegionShrinksAtFixedEpochs(_) => return region("shrinks", "grows"),
            Claim::RegionGrowsAtFixedIterations(_) => return region("grows", "shrinks"),
            Claim::RatesAndDampingsCorrelate(_) => {
                return Self {
                    scene: "as the damping rises, the good learning rates ".into(),
                    positive: "rise".into(),
                    negative: "fall".into(),
                    noun: "slope",
                    each: "batch size",
                };
            }
            Claim::DiminishingReturns(_) => (
                "as the batch size grows, ".to_owned(),
                "is further from ideal scaling",
            ),
            _ => {
                let target = claim.parts.iter().find_map(|part| match part.quantity {
                    Quantity::StepsRatio { target, .. } => Some(goal(target)),
                    _ => None,
                });
                // The sentence on the effect, before this one, names the target.
                let scene = match claim.effect {
                    Some(_) => String::new(),
                    None => format!("to reach {}, ", target.unwrap_or("the target".into())),
                };
                (scene, "needs fewer steps")
            }
        };
        let (positive, negative, each) = match &methods[..] {
            [first, second] => (
                format!("{first} {than} than {second}"),
                format!("{second} {than} than {first}"),
                "batch size",
            ),
            _ => (
                format!("the one named first {than}"),
                format!("the one named second {than}"),
                "pair",
            ),
        };
        Self {
            scene,
            positive,
            negative,
            noun: "difference",
            each,
        }
    }

    /// By the verdicts of the parts.
    pub(super) fn said(&self, claim: &ClaimVerdict, tally: Tally) -> String {
        let for_it = places(claim, |part| part.verdict == Verdict::Supported);
        let against = places(claim, |part| part.verdict == Verdict::Contradicted);
        self.counted(tally, &for_it, &against)
    }

    /// By numbers alone.
    pub(super) fn counted(&self, tally: Tally, for_it: &[String], against: &[String]) -> String {
        let all = count(tally.of, self.each);
        let at = if self.each == "pair" { "in" } else { "at" };
        let mut clauses = Vec::new();
        for (n, says, places) in [
            (tally.supported, &self.positive, for_it),
            (tally.contradicted, &self.negative, against),
        ] {
            match n {
                0 => {}
                _ if tally.of == 1 => clauses.push(says.clone()),
                n if n == tally.of => clauses.push(format!("{says} {at} all {all}")),
                n if clauses.is_empty() => {
                    clauses.push(format!("{says} {at} {n} of {all}{}", bracketed(places)));
                }
                n => clauses.push(format!("{says} {at} {n}{}", bracketed(places))),
            }
        }
        let neither = tally.of - tally.supported - tally.contradicted;
        match (clauses.is_empty(), neither) {
            (true, 1) => format!("no {} is shown", self.noun),
            (true, _) => format!("{at} none of {all} is a {} shown", self.noun),
            (false, 0) => format!("{}{}", self.scene, clauses.join(" and ")),
            (false, n) => format!(
                "{}{}; {at} {n} no {} is shown",
                self.scene,
                clauses.join(" and "),
                self.noun
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_are_counted_in_one_sentence() {
        let signs = Signs {
            scene: "as it warms, the ice ".into(),
            positive: "melts".into(),
            negative: "grows".into(),
            noun: "change",
            each: "lake",
        };
        let said = |supported, contradicted, of| {
            let tally = Tally {
                supported,
                contradicted,
                of,
            };
            let first = ["Como".to_owned()];
            signs
                .counted(tally, &first[..supported.min(1)], &[])
                .replace('\u{a0}', " ")
        };
        assert_eq!(said(2, 0, 2), "as it warms, the ice melts at all 2 lakes");
        assert_eq!(
            said(1, 4, 7),
            "as it warms, the ice melts at 1 of 7 lakes (Como) and grows at 4; at 2 no change is shown"
        );
        assert_eq!(
            said(0, 3, 4),
            "as it warms, the ice grows at 3 of 4 lakes; at 1 no change is shown"
        );
        assert_eq!(said(0, 0, 5), "at none of 5 lakes is a change shown");
        assert_eq!(said(0, 1, 1), "as it warms, the ice grows");
        assert_eq!(said(0, 0, 1), "no change is shown");
    }
}
