//! How many parts of the data say what, in sentences: where two methods are equal, and which way numbers point.

use analysis::claims::{
    Claim, ClaimVerdict, Comparison, Part, Quantity, Statistic, Tally, Verdict,
};

use super::{distance, goal, list};
use crate::draw::number::count;

/// How to say that two methods are equal.
pub(super) struct Equal {
    /// `1 point`.
    pub(super) margin: String,
    /// What there is a number for.
    pub(super) each: &'static str,
}

impl Equal {
    /// `None` if the claim is on something else.
    pub(super) fn of(claim: &Claim) -> Option<Self> {
        let (metric, margin, each) = match claim {
            Claim::ComparablePerformance(Comparison { margin, metric }) => {
                (metric, margin, "batch size")
            }
            Claim::LargeDampingIsSgd(Comparison { margin, metric }) => (metric, margin, "cell"),
            _ => return None,
        };
        Some(Self {
            margin: distance(*metric, *margin),
            each,
        })
    }

    pub(super) fn said(&self, claim: &ClaimVerdict, tests: Tally) -> String {
        let Self { margin, each } = self;
        let all = count(tests.of, each);
        let equal = format!("K-FAC and SGD are equal within {margin}");
        match claim.verdict {
            Verdict::Supported if tests.of == 1 => {
                format!(
                    "{equal}: the 90\u{a0}% interval of their difference lies inside the margin."
                )
            }
            Verdict::Supported if tests.supported == tests.of => format!(
                "{equal} at all {all}: each 90\u{a0}% interval of their difference lies inside the margin."
            ),
            Verdict::Supported => format!("{equal} at {} of {all}.", tests.supported),
            Verdict::Contradicted if matches!(claim.claim, Claim::LargeDampingIsSgd { .. }) => {
                format!(
                    "K-FAC and SGD differ by more than {margin} at {} of {all}: an implementation is wrong, or the comparison is.",
                    tests.contradicted
                )
            }
            Verdict::Contradicted => self.beyond(&claim.claim, &claim.parts, &all),
            Verdict::Undecided if tests.supported == 0 => format!(
                "The seeds scatter too much: at none of {all} do they show whether K-FAC and SGD are equal within {margin}."
            ),
            Verdict::Undecided if tests.supported == tests.of => format!("{equal} at {all}."),
            Verdict::Undecided => format!(
                "{equal} at {} of {all}. At the others the seeds do not show whether they are.",
                tests.supported
            ),
        }
    }

    /// Where the difference is beyond the margin, and for whom.
    fn beyond(&self, claim: &Claim, parts: &[Statistic], all: &str) -> String {
        let is_loss = matches!(claim, Claim::ComparablePerformance(Comparison { metric, .. }) if metric.is_loss());
        let places = |better: bool| -> Vec<String> {
            parts
                .iter()
                .filter(|part| part.verdict == Verdict::Contradicted)
                .filter(|part| ((part.estimate.value > 0.0) != is_loss) == better)
                .filter_map(|part| match part.part {
                    Some(Part::BatchSize(batch_size)) => Some(batch_size.to_string()),
                    _ => None,
                })
                .collect()
        };
        let sentences = [(false, "worse"), (true, "better")].map(|(better, word)| {
            let places = places(better);
            (!places.is_empty()).then(|| {
                format!(
                    "K-FAC is {word} than SGD by more than {} at {} of {all} ({}).",
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

/// How to say which way some numbers point: `as the batch size grows, the good region shrinks at 1 of 7 levels and
/// grows at 4; at 2 no change is shown`.
pub(super) struct Signs {
    /// What comes first, without a capital.
    scene: String,
    /// What a positive number says.
    positive: &'static str,
    /// What a negative one says.
    negative: &'static str,
    /// What there is none of where a number says neither.
    noun: &'static str,
    /// What there is a number for.
    each: &'static str,
}

impl Signs {
    pub(super) fn of(claim: &ClaimVerdict) -> Self {
        let region = |positive, negative| Self {
            scene: "as the batch size grows, the good region".into(),
            positive,
            negative,
            noun: "change",
            each: "level",
        };
        match claim.claim {
            Claim::RegionShrinksAtFixedEpochs {} => region("shrinks", "grows"),
            Claim::RegionGrowsAtFixedIterations {} => region("grows", "shrinks"),
            Claim::RatesAndDampingsCorrelate {} => Self {
                scene: "as the damping rises, the good learning rates".into(),
                positive: "rise",
                negative: "fall",
                noun: "slope",
                each: "batch size",
            },
            _ => {
                let target = claim.parts.iter().find_map(|part| match part.quantity {
                    Quantity::StepsRatio { target } => Some(goal(target)),
                    _ => None,
                });
                Self {
                    scene: format!("to reach {},", target.unwrap_or("the target".into())),
                    positive: "SGD needs fewer steps than K-FAC",
                    negative: "K-FAC needs fewer steps than SGD",
                    noun: "difference",
                    each: "batch size",
                }
            }
        }
    }

    pub(super) fn said(&self, tally: Tally) -> String {
        let all = count(tally.of, self.each);
        let mut clauses = Vec::new();
        for (n, says) in [
            (tally.supported, self.positive),
            (tally.contradicted, self.negative),
        ] {
            match n {
                0 => {}
                _ if tally.of == 1 => clauses.push(says.to_owned()),
                n if n == tally.of => clauses.push(format!("{says} at all {all}")),
                n if clauses.is_empty() => clauses.push(format!("{says} at {n} of {all}")),
                n => clauses.push(format!("{says} at {n}")),
            }
        }
        let neither = tally.of - tally.supported - tally.contradicted;
        match (clauses.is_empty(), neither) {
            (true, 1) => format!("no {} is shown", self.noun),
            (true, _) => format!("at none of {all} is a {} shown", self.noun),
            (false, 0) => format!("{} {}", self.scene, clauses.join(" and ")),
            (false, n) => format!(
                "{} {}; at {n} no {} is shown",
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
            scene: "as it warms, the ice".into(),
            positive: "melts",
            negative: "grows",
            noun: "change",
            each: "lake",
        };
        let said = |supported, contradicted, of| {
            let tally = Tally {
                supported,
                contradicted,
                of,
            };
            signs.said(tally).replace('\u{a0}', " ")
        };
        assert_eq!(said(2, 0, 2), "as it warms, the ice melts at all 2 lakes");
        assert_eq!(
            said(1, 4, 7),
            "as it warms, the ice melts at 1 of 7 lakes and grows at 4; at 2 no change is shown"
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
