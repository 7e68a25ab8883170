//! Why a verdict is what it is, in sentences: what was found, what is missing, what to know beside it, and what would
//! decide it.

use analysis::claims::{
    Claim, ClaimVerdict, LEVEL, Look, Missing, Need, Pair, Quantity, Reason, Remark,
    SEEDS_TO_DECIDE, Seeds, Tally, TestSet, Verdict,
};
use analysis::control::LARGE;
use analysis::targets::ADMISSIBLE_STEPS;

use super::effects::{effect, points};
use super::tallies::{Equal, Signs};
use super::{capital, goal, list, method, sides};
use crate::draw::number::{count, exact, grouped, significant};

/// The effect, what was found, and what a reader must know beside it.
pub(crate) fn found(claim: &ClaimVerdict) -> String {
    let reason = match &claim.reason {
        Reason::Missing(missing) => self::missing(missing, &claim.claim),
        Reason::TooFewSeeds {
            seeds,
            needed,
            estimates,
        } => format!(
            "{}, which needs {needed}. So far{}.",
            match seeds {
                1 => "1 seed is too few for a verdict".into(),
                seeds => format!("{seeds} seeds are too few for a verdict"),
            },
            so_far(claim, *estimates)
        ),
        Reason::Parts(tests) => parts(claim, *tests),
    };
    effect(claim)
        .into_iter()
        .chain([reason])
        .chain(claim.look.as_ref().map(|look| self::look(*look, claim.n)))
        .chain(claim.remarks.iter().map(remark))
        .chain(claim.test_set.as_ref().map(test_set))
        .chain(claim.need.as_ref().map(|need| self::need(need, claim)))
        .collect::<Vec<_>>()
        .join(" ")
}

/// What the claim's parts say.
fn parts(claim: &ClaimVerdict, tests: Tally) -> String {
    if let Some(equal) = Equal::of(&claim.claim) {
        return equal.said(claim, tests);
    }
    if let Claim::DiminishingReturns(_) = claim.claim
        && claim.claim.methods().len() == 2
    {
        return slopes(claim);
    }
    format!("{}.", capital(&Signs::of(claim).said(claim, tests)))
}

/// Where the estimates lie, after "so far".
fn so_far(claim: &ClaimVerdict, estimates: Tally) -> String {
    if let (Claim::DiminishingReturns(_), [first, second]) =
        (&claim.claim, &claim.claim.methods()[..])
    {
        let ahead = claim.effect.as_ref().map(|effect| effect.estimate.value);
        return match ahead {
            None => " nothing can be said".into(),
            Some(ahead) => format!(
                " {} is further from ideal scaling",
                method(if ahead > 0.0 { first } else { second })
            ),
        };
    }
    match Equal::of(&claim.claim) {
        Some(equal) => format!(
            " the mean difference is below {} at {} of {}",
            equal.margin,
            estimates.supported,
            count(estimates.of, equal.each)
        ),
        None => format!(", {}", Signs::of(claim).counted(estimates, &[], &[])),
    }
}

/// What the difference of the slopes and each slope say: the claim joins all three.
fn slopes(claim: &ClaimVerdict) -> String {
    let said = |place: usize| claim.parts.get(place).map(|part| part.verdict);
    let names: Vec<String> = claim.parts[1..]
        .iter()
        .filter(|part| part.verdict == Verdict::Contradicted)
        .filter_map(|part| match &part.quantity {
            Quantity::ScalingSlope { method: name } => Some(method(name)),
            _ => None,
        })
        .collect();
    let methods: Vec<String> = claim.claim.methods().into_iter().map(method).collect();
    let [first, second] = &methods[..] else {
        return String::new();
    };
    if !names.is_empty() {
        return format!(
            "With {} a batch twice as large saves more than half of the steps: the returns do not diminish.",
            list(&names)
        );
    }
    match said(0) {
        Some(Verdict::Contradicted) => format!(
            "{second} is further from ideal scaling: {first} gains more from a larger batch."
        ),
        Some(Verdict::Supported) if claim.verdict == Verdict::Supported => format!(
            "With both methods a batch twice as large saves less than half of the steps, and {first} saves less than {second}."
        ),
        Some(Verdict::Supported) => format!(
            "{first} is further from ideal scaling than {second}. But the interval of a slope contains −1, which is ideal, so it is not shown that both methods have diminishing returns."
        ),
        _ => "Which method is further from ideal scaling is not shown.".into(),
    }
}

/// Which look at the data a verdict was given at.
pub(super) fn look(look: Look, n: usize) -> String {
    match look {
        Look::Declared { number: 1, other } => format!(
            "This is the first of two declared looks, tested at 1\u{a0}%; the second is at {}.",
            count(other, "seed")
        ),
        Look::Declared { other, .. } => format!(
            "This is the second of two declared looks, tested at 4\u{a0}%; the first was at {}.",
            count(other, "seed")
        ),
        Look::Extended { seen } => format!(
            "Second look: an earlier report of this study had used {}, and the extension was not declared. Only the {n} added since can decide.",
            count(seen, "seed")
        ),
    }
}

/// How exactly the test set can tell.
pub(super) fn test_set(of: &TestSet) -> String {
    format!(
        "Another test set of {} images would change the difference by about {} (one standard error), whatever the number of seeds.",
        grouped(of.images as u64),
        points(of.error)
    )
}

/// What would decide a claim.
pub(super) fn need(need: &Need, claim: &ClaimVerdict) -> String {
    match need {
        Need::Seeds(Seeds {
            smallest,
            likely,
            low,
            high,
        }) => {
            let number = |seeds: Option<usize>| {
                seeds.map_or_else(
                    || "more than a million".into(),
                    |seeds| grouped(seeds as u64),
                )
            };
            let wanted = match Equal::of(&claim.claim) {
                Some(_) => "if there is no difference".into(),
                None => format!("if the effect is {}", smallest_in_words(*smallest, claim)),
            };
            let advice = match high {
                Some(high) => {
                    let high = grouped(*high as u64);
                    match claim.look {
                        Some(Look::Declared { number: 1, .. }) => {
                            " The declared second look decides.".into()
                        }
                        _ if claim.n < SEEDS_TO_DECIDE => {
                            format!(" To be safe, give it {high} seeds in all.")
                        }
                        _ => format!(
                            " To be safe, add {high} new seeds: only those count, because the others have been seen."
                        ),
                    }
                }
                None => String::new(),
            };
            let seeds = match (likely, high) {
                (None, _) => "More than a million seeds".into(),
                (Some(_), None) => format!("{} seeds or many more", number(*likely)),
                (Some(_), Some(_)) => format!(
                    "About {} seeds (between {} and {})",
                    number(*likely),
                    number(*low),
                    number(*high)
                ),
            };
            format!("{seeds} would decide it with a probability of 80\u{a0}%, {wanted}.{advice}")
        }
        Need::Smallest => {
            "The study declares no smallest effect that matters (`smallest`), so no number of seeds can be advised.".into()
        }
        Need::Evaluations => {
            "More seeds would not decide it: steps are only known to lie between two evaluations, and these are further apart than the smallest effect that matters. A smaller `spacing` of evaluations would decide it.".into()
        }
        Need::Budget { parts } => {
            let places: Vec<String> = parts.iter().map(super::claims::part).collect();
            format!(
                "More seeds would not decide it: some runs end before they can tell, by their budget or by diverging{}.",
                if places.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", list(&places))
                }
            )
        }
    }
}

/// The smallest effect that matters, in its unit.
fn smallest_in_words(smallest: f64, claim: &ClaimVerdict) -> String {
    let quantity = claim.effect.as_ref().map(|effect| &effect.quantity);
    match quantity {
        Some(Quantity::StepsRatio { .. }) => {
            format!(
                "{}\u{a0}% more steps",
                significant(smallest.exp_m1() * 100.0, 3)
            )
        }
        Some(Quantity::ShareChange { .. }) => format!("{} per doubling", points(smallest)),
        _ => significant(smallest, 3),
    }
}

/// What is expected of tests at a level, of which some claims are true.
pub(crate) fn by_chance(claims: usize) -> String {
    let expected = claims as f64 * LEVEL;
    format!(
        "{} tested so that, if there is no effect, {}\u{a0}% of studies find one, all looks together. With no effect in any claim, {} wrong {} would be expected.",
        match claims {
            1 => "1 claim is".into(),
            claims => format!("Each of {claims} claims is"),
        },
        significant(LEVEL * 100.0, 3),
        significant(expected, 2),
        // 0.3 verdicts, 1 verdict.
        if significant(expected, 2) == "1" {
            "verdict"
        } else {
            "verdicts"
        },
    )
}

/// What is missing for a decision.
pub(crate) fn missing(missing: &Missing, claim: &Claim) -> String {
    let what = match claim {
        Claim::FasterPerIteration(_) => "training loss",
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
        Missing::BatchSizes { needed } => format!(
            "Runs of both methods with common seeds are timed at fewer than {needed} batch sizes."
        ),
        Missing::TimedPairs { target } => format!(
            "At no batch size were runs of both methods with the same seeds timed to {}.",
            goal(*target)
        ),
        Missing::Heatmap => match claim {
            Claim::RegionShrinksAtFixedEpochs(_) => {
                "No heatmap is drawn after a fixed number of epochs.".into()
            }
            _ => "No heatmap is drawn after a fixed number of iterations.".into(),
        },
        Missing::DeclaredLevel => {
            "No heatmap declares from which level on a cell is good (`good`).".into()
        }
        Missing::BatchSizesOfHeatmap => {
            "The heatmaps have the method's cells at fewer than two batch sizes.".into()
        }
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

pub(super) fn remark(remark: &Remark) -> String {
    match remark {
        Remark::WinnerDiverged {
            method: name,
            batch_size,
            diverged,
            seeds,
        } => format!(
            "{diverged} of {} of {} diverged at batch size {batch_size}; each counts as guessing or worse.",
            count(*seeds, "seed"),
            method(name)
        ),
        Remark::PairNotCompared {
            methods: Pair(first, second),
        } => format!(
            "No runs of {} and {} could be compared.",
            method(first),
            method(second)
        ),
        Remark::NoCommonSeeds => {
            "There is no effect over all parts, because no seed has a number at every part.".into()
        }
        Remark::NoOverallEffect => {
            "There is no effect over all parts, because some runs ended too early to give a number.".into()
        }
        Remark::NotReached { runs, of } => format!(
            "{runs} of {} did not reach the target; {} needs at least its budget.",
            count(*of, "run"),
            if *runs == 1 { "it" } else { "each" }
        ),
        Remark::DivergedBefore { runs, of } => format!(
            "{runs} of {} diverged before the target; {} never reaches it, and counts as one that needs at least its budget.",
            count(*of, "run"),
            if *runs == 1 { "it" } else { "each" }
        ),
        Remark::OfThisGrid { sides: touched } => format!(
            "The good region touches the edge of the grid ({}) and may go on outside: the verdict is about this grid only.",
            sides(touched)
        ),
        Remark::LevelTellsLittle { share } => format!(
            "At this level {}\u{a0}% of the cells are good on average, so it tells little.",
            significant(share * 100.0, 2)
        ),
        Remark::NoBand {
            batch_sizes,
            below_curvature,
        } => format!(
            "Left out: {} at which the good cells do not lie at two or more dampings{}.",
            count(*batch_sizes, "batch size"),
            below(*below_curvature)
        ),
        Remark::SeedsWithoutBand {
            seeds,
            of,
            below_curvature,
        } => format!(
            "Left out: {seeds} of {} (counted at each batch size that is left) whose good cells do not lie at two or more dampings{}.",
            count(*of, "seed"),
            below(*below_curvature)
        ),
        Remark::NoCurvature => format!(
            "Where the damping exceeds the curvature, {BUILT_IN}. These runs recorded no curvature, so such dampings could not be left out."
        ),
        Remark::DampingsAboveCurvature { above: 0, of, .. } => format!(
            "All {of} dampings (counted at each batch size) are below the median eigenvalue of the curvature."
        ),
        Remark::DampingsAboveCurvature {
            above,
            of,
            left_out,
        } => format!(
            "{above} of {of} dampings (counted at each batch size) are {}at or above the median eigenvalue of the curvature. There {BUILT_IN}.",
            if *left_out {
                "left out, because they are "
            } else {
                ""
            }
        ),
        Remark::BothDiverged { cells } => format!(
            "Left out: {} at which both methods diverged with every seed.",
            count(*cells, "cell")
        ),
        Remark::OneDiverged { seeds } => format!(
            "With {} one method diverged and the other did not: their difference is not known.",
            count(*seeds, "seed")
        ),
        Remark::LargestDampingTaken => {
            "These runs recorded no curvature. The largest damping with SGD runs beside it is taken for a large one.".into()
        }
    }
}
