//! Why a verdict is what it is, in sentences: what was found, what is missing, what to know beside it.

use analysis::claims::{
    Claim, ClaimVerdict, Missing, Reason, Remark, SEEDS_TO_DECIDE, Slopes, Tally,
};
use analysis::control::LARGE;
use analysis::targets::ADMISSIBLE_STEPS;

use super::tallies::{Equal, Signs};
use super::{capital, goal, list, method};
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

fn slopes(slopes: Slopes) -> &'static str {
    match slopes {
        Slopes::KfacDepartsFurther => {
            "With both methods a batch twice as large saves less than half of the steps, and K-FAC saves less than SGD."
        }
        Slopes::KfacDepartsFurtherOneMayBeIdeal => {
            "K-FAC is further from ideal scaling than SGD. But the interval of a slope contains −1, which is ideal, so it is not shown that both methods have diminishing returns."
        }
        Slopes::SgdDepartsFurther => {
            "SGD is further from ideal scaling: K-FAC gains more from a larger batch."
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
            "No target is reached by all common seeds of both methods at {needed} or more batch sizes."
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

pub(super) fn remark(remark: &Remark) -> String {
    match remark {
        Remark::WinnerDiverged {
            method: name,
            batch_size,
            diverged,
            seeds,
        } => format!(
            "{diverged} of {} of {} diverged at batch size {batch_size}, so the methods cannot be called equal there.",
            count(*seeds, "seed"),
            method(name)
        ),
        Remark::NotReached {
            cases,
            same_with_bounds,
        } => format!(
            "Left out: {} in which a seed did not reach the target. If that seed's whole budget stands for its steps (a lower bound), the verdict {}.",
            case(*cases),
            if *same_with_bounds {
                "stays the same"
            } else {
                "changes, so the claim is undecided"
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
            "At the other {} both methods diverged with every seed.",
            match cells {
                1 => "cell".into(),
                cells => format!("{cells} cells"),
            }
        ),
        Remark::OneDiverged { seeds } => format!(
            "With {} one method diverged and the other did not, so they cannot be called equal.",
            count(*seeds, "seed")
        ),
        Remark::LargestDampingTaken => {
            "These runs recorded no curvature. The largest damping with SGD runs beside it is taken for a large one.".into()
        }
    }
}

/// Cases of a batch size and a target.
fn case(cases: usize) -> String {
    format!("{} (each a batch size and a target)", count(cases, "case"))
}
