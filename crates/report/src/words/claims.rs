//! Claims in words: what each says, what its numbers measure, and the choices under which it is judged.

use analysis::Metric;
use analysis::claims::{
    Choice, Claim, Comparison, Control, Dampings, Direction, Level, Methods, Pair, Part, Progress,
    Quantity, Region, Scaling, TimedRuns, Verdict,
};
use analysis::heatmap::GoodRule;

use super::{distance, goal, level, list, method, slice, target};
use crate::draw::number::exact;

/// The claim as a sentence.
pub(crate) fn statement(claim: &Claim) -> String {
    match claim {
        Claim::ComparablePerformance(Comparison {
            methods,
            margin,
            metric,
        }) => {
            let within = distance(*metric, *margin);
            match two(methods) {
                Some((first, second)) => format!(
                    "After tuning, {first}'s {metric} is comparable to {second}'s: within {within} at every batch size."
                ),
                None => format!(
                    "After tuning, the {metric} of {} is comparable: of any two within {within}, averaged over the batch sizes.",
                    names(methods)
                ),
            }
        }
        Claim::DiminishingReturns(Scaling { methods, .. }) => match two(methods) {
            Some((first, second)) => format!(
                "Both methods gain less and less from larger batches (diminishing returns), and {first} is further from ideal scaling than {second}."
            ),
            None => format!(
                "As the batch size grows, each method is further from ideal scaling than those named after it: {}.",
                names(methods)
            ),
        },
        Claim::RegionShrinksAtFixedEpochs(Region { method: name, .. }) => format!(
            "After a fixed number of epochs, {}'s region of good hyperparameters shrinks as the batch size grows.",
            method(name)
        ),
        Claim::RegionGrowsAtFixedIterations(Region { method: name, .. }) => format!(
            "After a fixed number of iterations, {}'s region of good hyperparameters grows with the batch size.",
            method(name)
        ),
        Claim::RatesAndDampingsCorrelate(_) => {
            "Good learning rates and good dampings of K-FAC are positively correlated.".into()
        }
        Claim::FasterPerIteration(Progress { methods, .. }) => match two(methods) {
            Some((first, second)) => format!(
                "{first} makes more progress per iteration than {second} in reducing the training loss."
            ),
            None => format!(
                "In reducing the training loss each method makes more progress per iteration, averaged over the batch sizes, than those named after it: {}.",
                names(methods)
            ),
        },
        Claim::LargeDampingIsSgd(Control { margin, metric }) => format!(
            "Control: with a large damping, K-FAC is SGD with learning rate / damping. Their {metric} is the same within {}.",
            distance(*metric, *margin)
        ),
    }
}

/// The two methods of a claim that is on two.
fn two(Methods(methods): &Methods) -> Option<(String, String)> {
    match &methods[..] {
        [first, second] => Some((method(first), method(second))),
        _ => None,
    }
}

fn names(Methods(methods): &Methods) -> String {
    let names: Vec<String> = methods.iter().map(|name| method(name)).collect();
    list(&names)
}

/// A verdict in a word.
pub(crate) fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Supported => "supported",
        Verdict::Mixed => "mixed",
        Verdict::Contradicted => "contradicted",
        Verdict::Undecided => "undecided",
    }
}

/// What a number measures.
pub(crate) fn quantity(quantity: &Quantity) -> String {
    const LOG_SLOPE: &str = "log steps over log batch size";
    let minus = |Pair(first, second): &Pair| format!("{} minus {}", method(first), method(second));
    match quantity {
        Quantity::FinalDifference { metric, methods } => {
            format!("difference in final {metric}, {}", minus(methods))
        }
        Quantity::SlopeDifference { methods } => {
            format!(
                "difference of the slopes of {LOG_SLOPE}, {}",
                minus(methods)
            )
        }
        Quantity::ScalingSlope { method: name } => {
            format!("slope of {LOG_SLOPE}, {} (−1 is ideal)", method(name))
        }
        Quantity::ShareChange {
            method: name,
            direction,
        } => format!(
            "{} of the share of {}'s good cells per doubling of the batch size",
            match direction {
                Direction::Shrinks => "decrease",
                Direction::Grows => "increase",
            },
            method(name)
        ),
        Quantity::BandSlope => {
            "slope of the middle of the good region, log learning rate over log damping".into()
        }
        Quantity::StepsRatio {
            target,
            methods: Pair(first, second),
        } => format!(
            "steps to {}, {} divided by {}",
            goal(*target),
            method(second),
            method(first)
        ),
        Quantity::ControlDifference { metric } => {
            format!("difference in {metric}, K-FAC minus SGD at learning rate / damping")
        }
    }
}

/// The part of the data that a number is of.
pub(crate) fn part(part: &Part) -> String {
    match part {
        Part::Methods(Pair(first, second)) => format!("{} and {}", method(first), method(second)),
        Part::BatchSize(batch_size) => format!("batch size {batch_size}"),
        Part::Level(level) => good(*level),
        Part::Cell {
            batch_size,
            damping,
            learning_rate,
        } => format!(
            "batch size {batch_size}, damping {}, learning rate {}",
            exact(*damping),
            exact(*learning_rate)
        ),
    }
}

/// The same beside a figure that says the rest.
pub(crate) fn part_in_short(of: &Part) -> String {
    match of {
        Part::Methods(_) => part(of),
        Part::BatchSize(batch_size) => format!("batch {batch_size}"),
        Part::Level(Level { metric, rule }) => match rule {
            GoodRule::AtLeast(at_least) => {
                let sign = if metric.is_loss() { '≤' } else { '≥' };
                format!("{sign} {}", level(*metric, *at_least))
            }
            GoodRule::Within(margin) => {
                format!("within {} of best", distance(*metric, *margin))
            }
        },
        Part::Cell {
            batch_size,
            damping,
            learning_rate,
        } => format!(
            "{batch_size}, {}, {}",
            exact(*damping),
            exact(*learning_rate)
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
            format!("{} in `{}`, {}", target(*one), runs.targets, timed(runs))
        }
        Choice::Region {
            level,
            at,
            heatmaps,
            dampings,
        } => {
            let level = good(*level);
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
        Claim::ComparablePerformance(_) => "metric, margin or selection",
        Claim::LargeDampingIsSgd(_) => "metric or margin",
        Claim::DiminishingReturns(_) | Claim::FasterPerIteration(_) => "target or runs",
        Claim::RegionShrinksAtFixedEpochs(_) | Claim::RegionGrowsAtFixedIterations(_) => {
            "level or heatmap"
        }
        Claim::RatesAndDampingsCorrelate(_) => "level, heatmap or dampings",
    }
}
