//! Claims in words: what each says, what its numbers measure, and the choices under which it is judged.

use analysis::Metric;
use analysis::claims::{
    Choice, Claim, Comparison, Dampings, Direction, Level, Part, Quantity, TimedRuns, Verdict,
};
use analysis::heatmap::GoodRule;

use super::{distance, goal, level, method, slice, target};
use crate::draw::number::exact;

/// The claim as a sentence.
pub(crate) fn statement(claim: &Claim) -> String {
    match claim {
        Claim::ComparablePerformance(Comparison { margin, metric }) => format!(
            "After tuning, K-FAC's {metric} is comparable to SGD's: within {} at every batch size.",
            distance(*metric, *margin)
        ),
        Claim::DiminishingReturns {} => {
            "Both methods gain less and less from larger batches (diminishing returns), and K-FAC is further from ideal scaling than SGD.".into()
        }
        Claim::RegionShrinksAtFixedEpochs {} => {
            "After a fixed number of epochs, K-FAC's region of good hyperparameters shrinks as the batch size grows.".into()
        }
        Claim::RegionGrowsAtFixedIterations {} => {
            "After a fixed number of iterations, K-FAC's region of good hyperparameters grows with the batch size.".into()
        }
        Claim::RatesAndDampingsCorrelate {} => {
            "Good learning rates and good dampings of K-FAC are positively correlated.".into()
        }
        Claim::SgdFasterPerIteration {} => {
            "SGD makes more progress per iteration than K-FAC in reducing the training loss.".into()
        }
        Claim::LargeDampingIsSgd(Comparison { margin, metric }) => format!(
            "Control: with a large damping, K-FAC is SGD with learning rate / damping. Their {metric} is the same within {}.",
            distance(*metric, *margin)
        ),
    }
}

/// A verdict in a word.
pub(crate) fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Supported => "supported",
        Verdict::Contradicted => "contradicted",
        Verdict::Undecided => "undecided",
    }
}

/// What a number measures.
pub(crate) fn quantity(quantity: &Quantity) -> String {
    const LOG_SLOPE: &str = "log steps over log batch size";
    match quantity {
        Quantity::FinalDifference { metric } => {
            format!("difference in final {metric}, K-FAC minus SGD")
        }
        Quantity::SlopeDifference => {
            format!("difference of the slopes of {LOG_SLOPE}, K-FAC minus SGD")
        }
        Quantity::ScalingSlope { method: name } => {
            format!("slope of {LOG_SLOPE}, {} (−1 is ideal)", method(name))
        }
        Quantity::ShareChange { direction } => format!(
            "{} of the share of good cells per doubling of the batch size",
            match direction {
                Direction::Shrinks => "decrease",
                Direction::Grows => "increase",
            }
        ),
        Quantity::BandSlope => {
            "slope of the middle of the good region, log learning rate over log damping".into()
        }
        Quantity::StepsRatio { target } => {
            format!("steps to {}, K-FAC divided by SGD", goal(*target))
        }
        Quantity::ControlDifference { metric } => {
            format!("difference in {metric}, K-FAC minus SGD at learning rate / damping")
        }
    }
}

/// The part of the data that a number is of.
pub(crate) fn part(part: &Part) -> String {
    match *part {
        Part::BatchSize(batch_size) => format!("batch size {batch_size}"),
        Part::Level(level) => good(level),
        Part::Cell {
            batch_size,
            damping,
            learning_rate,
        } => format!(
            "batch size {batch_size}, damping {}, learning rate {}",
            exact(damping),
            exact(learning_rate)
        ),
    }
}

/// From when on a cell is good: `test accuracy ≥ 95 %`.
fn good(Level { metric, rule }: Level) -> String {
    match rule {
        GoodRule::AtLeast(at_least) => {
            let sign = if metric.is_loss() { '≤' } else { '≥' };
            format!("{metric} {sign} {}", level(metric, at_least))
        }
        GoodRule::Within(margin) => format!(
            "{metric} within {} of the best cell",
            distance(metric, margin)
        ),
    }
}

/// A choice; names of stages stand between backticks.
pub(crate) fn choice(choice: &Choice) -> String {
    let within = |metric: Metric, margin| format!("{metric} within {}", distance(metric, margin));
    match choice {
        Choice::Winners {
            metric,
            margin,
            selection,
        } => format!("{}, winners of `{selection}`", within(*metric, *margin)),
        Choice::Control { metric, margin } => within(*metric, *margin),
        Choice::Steps { target: one, runs } => {
            let targets = one.map_or("all targets".into(), target);
            format!("{targets} in `{}`, {}", runs.targets, timed(runs))
        }
        Choice::Region {
            level,
            at,
            heatmaps,
            dampings,
        } => {
            let level = level.map_or("all levels".into(), good);
            let which = match dampings {
                None | Some(Dampings::AllUntold) => "",
                Some(Dampings::BelowCurvature) => ", dampings below the median curvature only",
                Some(Dampings::All) => {
                    ", all dampings, also those where the slope is 1 whatever the data are"
                }
            };
            format!("{level} {} in `{heatmaps}`{which}", slice(*at))
        }
    }
}

fn timed(runs: &TimedRuns) -> String {
    let which = match &runs.selection {
        Some(selection) => format!("confirmed winners of `{selection}`"),
        None => "the fastest configuration for each target on the tuning seeds".into(),
    };
    let drops = if runs.after_drops {
        ", also counting crossings after a drop of the learning rate"
    } else {
        ""
    };
    format!("{which}{drops}")
}

/// In what the choices of a claim differ.
pub(crate) fn choices_differ_in(claim: &Claim) -> &'static str {
    match claim {
        Claim::ComparablePerformance { .. } => "metric, margin or selection",
        Claim::LargeDampingIsSgd { .. } => "metric or margin",
        Claim::DiminishingReturns {} | Claim::SgdFasterPerIteration {} => "target or runs",
        Claim::RegionShrinksAtFixedEpochs {} | Claim::RegionGrowsAtFixedIterations {} => {
            "level or heatmap"
        }
        Claim::RatesAndDampingsCorrelate {} => "level, heatmap or dampings",
    }
}
