//! Why a verdict is what it is, in sentences: what was found, what is missing, what to know beside it.

use analysis::claims::{
    Claim, ClaimVerdict, Missing, Part, Quantity, Reason, Remark, SEEDS_TO_DECIDE, Slopes,
    Statistic, Tally, Verdict,
};
use analysis::control::LARGE;
use analysis::targets::ADMISSIBLE_STEPS;

use super::{capital, distance, goal, list, method};
use crate::draw::number::{count, exact};

/// What was found, and what a reader must know beside it.
pub(crate) fn found(claim: &ClaimVerdict) -> String {
    let reason = match &claim.reason {
        Reason::Missing(missing) => self::missing(missing, &claim.claim),
        Reason::TooFewSeeds { seeds, estimates } => format!(
            "{}, which needs {SEEDS_TO_DECIDE}. So far{}.",
            match seeds {
                1 => "1 seed is too few for a verdict".into(),
                seeds => format!("{seeds} seeds are too few for a verdict"),
            },
            so_far(claim, *estimates)
        ),
        Reason::Parts(tests) => parts(claim, *tests),
        Reason::Slopes(slopes) => self::slopes(*slopes).into(),
    };
    let remarks = claim.remarks.iter().map(remark);
    std::iter::once(reason)
        .chain(remarks)
        .collect::<Vec<_>>()
        .join(" ")
}

/// What the claim's parts say, each by its own test.
fn parts(claim: &ClaimVerdict, tests: Tally) -> String {
    if let Some(equal) = Equal::of(&claim.claim) {
        return equal.said(claim, tests);
    }
    let signs = Signs::of(claim);
    let said = signs.said(tests);
    format!("{}.", capital(&said))
}

/// Where the estimates lie, after "so far".
fn so_far(claim: &ClaimVerdict, estimates: Tally) -> String {
    if let Claim::DiminishingReturns {} = claim.claim {
        let further = if estimates.supported > 0 {
            "K-FAC"
        } else {
            "SGD"
        };
        return format!(" {further} is further from ideal scaling");
    }
    match Equal::of(&claim.claim) {
        Some(equal) => format!(
            " the mean difference is below {} at {} of {}",
            equal.margin,
            estimates.supported,
            count(estimates.of, equal.each)
        ),
        None => format!(", {}", Signs::of(claim).said(estimates)),
    }
}

/// How to say that two methods are equal.
struct Equal {
    /// Which two.
    both: &'static str,
    /// `1 point`.
    margin: String,
    /// What there is a number for.
    each: &'static str,
}

impl Equal {
    /// `None` if the claim is on something else.
    fn of(claim: &Claim) -> Option<Self> {
        let (both, metric, margin, each) = match claim {
            Claim::ComparablePerformance { margin, metric } => {
                ("the methods", metric, margin, "batch size")
            }
            Claim::LargeDampingIsSgd { margin, metric } => ("the two", metric, margin, "cell"),
            _ => return None,
        };
        Some(Self {
            both,
            margin: distance(*metric, *margin),
            each,
        })
    }

    fn said(&self, claim: &ClaimVerdict, tests: Tally) -> String {
        let Self { both, margin, each } = self;
        let all = count(tests.of, each);
        let equal = format!("{} are equal within {margin}", capital(both));
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
                    "{} differ by more than {margin} at {} of {all}: an implementation is wrong, or the comparison is.",
                    capital(both),
                    tests.contradicted
                )
            }
            Verdict::Contradicted => self.beyond(&claim.claim, &claim.parts, &all),
            Verdict::Undecided if tests.supported == 0 => format!(
                "The seeds scatter too much: at none of {all} do they show whether {both} are equal within {margin}."
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
        let is_loss =
            matches!(claim, Claim::ComparablePerformance { metric, .. } if metric.is_loss());
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
struct Signs {
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
    fn of(claim: &ClaimVerdict) -> Self {
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

    fn said(&self, tally: Tally) -> String {
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

fn slopes(slopes: Slopes) -> &'static str {
    match slopes {
        Slopes::KfacDepartsFurther => {
            "With both methods a batch twice as large saves less than half of the steps, and K-FAC saves less than SGD."
        }
        Slopes::KfacDepartsFurtherOneMayBeIdeal => {
            "K-FAC is further from ideal scaling than SGD. But it is not shown that both have diminishing returns: the interval of a slope contains −1, which is ideal."
        }
        Slopes::SgdDepartsFurther => {
            "It is SGD that is further from ideal scaling: K-FAC gains more from a larger batch."
        }
        Slopes::OneIsBetterThanIdeal => {
            "With one of the methods a batch twice as large saves more than half of the steps: its returns do not diminish."
        }
        Slopes::NotToldApart => {
            "The seeds do not agree on which method is further from ideal scaling."
        }
    }
}

/// What is missing for a decision.
pub(crate) fn missing(missing: &Missing, claim: &Claim) -> String {
    let what = match claim {
        Claim::SgdFasterPerIteration {} => "training loss",
        _ => "target",
    };
    match missing {
        Missing::Selection => "No stage selects winners to confirm.".into(),
        Missing::ConfirmedPairs => {
            "No batch size has confirmed runs of both methods on fresh seeds.".into()
        }
        Missing::Target => format!("No stage times steps to a {what}."),
        Missing::TimeableTarget => format!(
            "No {what} can be timed: at the largest batch size each is crossed in fewer than {ADMISSIBLE_STEPS} steps."
        ),
        Missing::BatchSizesReached { needed } => format!(
            "No target is reached at {needed} batch sizes or more by every seed that both methods have."
        ),
        Missing::TimedPairs { target } => format!(
            "At no batch size were runs of both methods with the same seeds timed to {}.",
            goal(*target)
        ),
        Missing::Heatmap => match claim {
            Claim::RegionShrinksAtFixedEpochs {} => {
                "No heatmap is drawn after a fixed number of epochs.".into()
            }
            _ => "No heatmap is drawn after a fixed number of iterations.".into(),
        },
        Missing::TellingLevel => {
            "There is no level at which between 10 and 90\u{a0}% of K-FAC's cells are good at two or more batch sizes.".into()
        }
        Missing::GoodRule => "No heatmap declares which cells are good.".into(),
        Missing::Band { below_curvature } => format!(
            "At no batch size does K-FAC have good cells at two or more dampings{}, so there is no slope to judge.",
            below(*below_curvature)
        ),
        Missing::ControlPairs => {
            "No K-FAC run has an SGD run beside it with learning rate / damping and the same momentum, seed and schedule.".into()
        }
        Missing::LargeDamping { largest } => format!(
            "No damping that has SGD runs beside it is {LARGE} times the largest eigenvalue of the curvature. The largest is {}.",
            exact(*largest)
        ),
    }
}

fn below(curvature: bool) -> &'static str {
    if curvature {
        " below the curvature"
    } else {
        ""
    }
}

/// What is so where a damping exceeds the curvature.
const BUILT_IN: &str = "K-FAC is SGD with learning rate / damping, so good learning rates rise with the damping (slope 1) whatever the data are";

fn remark(remark: &Remark) -> String {
    match remark {
        Remark::WinnerDiverged {
            method: name,
            batch_size,
            diverged,
            seeds,
        } => format!(
            "At batch size {batch_size} {diverged} of {} of {} diverged, so the methods cannot be called equal there.",
            count(*seeds, "seed"),
            method(name)
        ),
        Remark::NotReached {
            cases,
            same_with_bounds,
        } => format!(
            "Left out: {} in which a seed did not reach the target. With that seed's whole budget as its steps, a lower bound, the verdict {}.",
            case(*cases),
            if *same_with_bounds {
                "is the same"
            } else {
                "is another, so the claim is undecided"
            }
        ),
        Remark::DivergedLeftOut { cases } => {
            format!("Left out: {} in which a seed diverged.", case(*cases))
        }
        Remark::DivergedAt { batch_sizes } => {
            let batch_sizes: Vec<String> = batch_sizes.iter().map(u64::to_string).collect();
            format!(
                "At batch size {} a seed diverged: nothing is decided there, and so the claim is undecided.",
                list(&batch_sizes)
            )
        }
        Remark::NoBand {
            batch_sizes,
            below_curvature,
        } => format!(
            "Left out: {} at which the good cells do not lie at two or more dampings{}.",
            count(*batch_sizes, "batch size"),
            below(*below_curvature)
        ),
        Remark::NoCurvature => format!(
            "Where the damping exceeds the curvature, {BUILT_IN}. These runs recorded no curvature, so such dampings could not be left out."
        ),
        Remark::DampingsAboveCurvature { above: 0, of, .. } => format!(
            "All {of} dampings (of every batch size) are below the median eigenvalue of the curvature."
        ),
        Remark::DampingsAboveCurvature {
            above,
            of,
            left_out,
        } => format!(
            "{above} of {of} dampings (of every batch size) are {}at or above the median eigenvalue of the curvature. There {BUILT_IN}.",
            if *left_out {
                "left out, because they are "
            } else {
                ""
            }
        ),
        Remark::BothDiverged { cells } => format!(
            "At the other {} both diverged with every seed.",
            match cells {
                1 => "cell".into(),
                cells => format!("{cells} cells"),
            }
        ),
        Remark::OneDiverged { seeds } => format!(
            "With {} one of the two diverged and the other did not, so they cannot be called equal.",
            count(*seeds, "seed")
        ),
        Remark::LargestDampingTaken => {
            "These runs recorded no curvature. The largest damping with SGD runs beside it is taken for a large one.".into()
        }
    }
}

/// Cases of a batch size and a target.
fn case(cases: usize) -> String {
    format!("{} (a batch size and a target)", count(cases, "case"))
}
