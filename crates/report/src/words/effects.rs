//! The effect of a claim as a sentence: how large it is, and how sure that is.

use analysis::claims::{ClaimVerdict, Direction, Pair, Part, Quantity, Statistic, Unit, Verdict};
use analysis::{Interval, Metric};

use super::{goal, method};
use crate::draw::number::{count, significant};

/// The effect over all parts. `None` where there is none.
pub(crate) fn effect(claim: &ClaimVerdict) -> Option<String> {
    let effect = claim.effect.as_ref()?;
    let value = effect.estimate.value;
    let parts = claim.deciding;
    let averaged = match (&effect.quantity, claim.parts.first().map(|part| &part.part)) {
        (Quantity::ScalingSlope { .. } | Quantity::SlopeDifference { .. }, _) => String::new(),
        (_, Some(Some(Part::BatchSize(_)))) if parts > 1 => {
            format!(", averaged over {}", count(parts, "batch size"))
        }
        (_, Some(Some(Part::Cell { .. }))) if parts > 1 => {
            format!(", averaged over {}", count(parts, "cell"))
        }
        _ => String::new(),
    };
    let sure = sure(effect);
    let said = match &effect.quantity {
        Quantity::FinalDifference {
            methods: Pair(first, second),
            metric,
        } => difference(*metric, &method(first), &method(second), effect),
        Quantity::ControlDifference { metric } => difference(*metric, "K-FAC", "SGD", effect),
        Quantity::StepsRatio {
            methods: Pair(first, second),
            target,
        } => format!(
            "To reach {}, {} needs {} times the steps of {}",
            goal(*target),
            method(second),
            bound(effect).to_owned() + &significant(value.exp(), 3),
            method(first)
        ),
        Quantity::SlopeDifference {
            methods: Pair(first, second),
        } => slopes(claim, &method(first), &method(second)),
        Quantity::ScalingSlope { method: name } => format!(
            "{}'s slope of log steps over log batch size is {}{}",
            method(name),
            bound(effect),
            significant(value, 3)
        ),
        Quantity::ShareChange {
            method: name,
            direction,
        } => {
            let falls = matches!(direction, Direction::Shrinks) == (value >= 0.0);
            format!(
                "With each doubling of the batch size the share of {}'s good cells {} by {}",
                method(name),
                if falls { "falls" } else { "rises" },
                points(value.abs())
            )
        }
        Quantity::BandSlope => format!(
            "With a damping ten times as large, K-FAC's good learning rates are {} times as large",
            significant(10f64.powf(value), 3)
        ),
    };
    let mixed = if claim.verdict == Verdict::Mixed {
        match effect.quantity {
            Quantity::FinalDifference { .. } | Quantity::ControlDifference { .. } => {
                " This averages parts that differ."
            }
            _ => " This averages opposite effects.",
        }
    } else {
        ""
    };
    Some(format!("{said}{averaged} ({sure}).{mixed}"))
}

fn difference(metric: Metric, first: &str, second: &str, effect: &Statistic) -> String {
    let value = effect.estimate.value;
    let size = if metric.is_loss() {
        significant(value.abs(), 3)
    } else {
        points(value.abs())
    };
    // A difference of at least -2 is at most 2 below.
    let (side, bound) = match (value < 0.0, bound(effect)) {
        (false, bound) => ("above", bound),
        (true, "at least ") => ("below", "at most "),
        (true, "at most ") => ("below", "at least "),
        (true, bound) => ("below", bound),
    };
    format!("{first}'s {metric} is {bound}{size} {side} {second}'s")
}

/// What stands before a mean that runs only bound, which ended before they could tell.
fn bound(effect: &Statistic) -> &'static str {
    match effect.estimate.interval.map(|it| (it.low, it.high)) {
        Some((Some(_), None)) => "at least ",
        Some((None, Some(_))) => "at most ",
        _ => "",
    }
}

/// What a batch twice as large saves with two methods.
fn slopes(claim: &ClaimVerdict, first: &str, second: &str) -> String {
    let of = |place: usize| claim.parts.get(place);
    let difference = of(0).map_or_else(String::new, |part| {
        format!(
            "the difference of the slopes of log steps over log batch size is {}{}",
            bound(part),
            significant(part.estimate.value, 3)
        )
    });
    match (of(1), of(2)) {
        (Some(own), Some(other)) => format!(
            "With a batch twice as large, {first} needs {} of the steps and {second} {} (ideal: 50\u{a0}%); {difference}",
            percent(own),
            percent(other)
        ),
        _ => super::capital(&difference),
    }
}

/// The share of steps that is left with a batch twice as large.
fn percent(slope: &Statistic) -> String {
    let share = 100.0 * 2f64.powf(slope.estimate.value);
    format!("{}{}\u{a0}%", bound(slope), significant(share, 3))
}

/// `95 % interval −0.2 to 0.5 points, n = 5`.
fn sure(effect: &Statistic) -> String {
    let n = format!("n\u{a0}=\u{a0}{}", effect.n);
    let Some(interval) = effect.estimate.interval else {
        return format!("{n}, no interval");
    };
    let level = significant(interval.confidence * 100.0, 3);
    let plain = |end: f64| significant(end, 3);
    // A size that is said with its side, as "0.2 points below", has its interval on that side.
    let sized = if effect.estimate.value < 0.0 {
        Interval {
            low: interval.high.map(|end| -end),
            high: interval.low.map(|end| -end),
            ..interval
        }
    } else {
        interval
    };
    let between = match &effect.quantity {
        Quantity::BandSlope => ends(interval, |end| plain(10f64.powf(end))),
        Quantity::StepsRatio { .. } => ends(interval, |end| plain(end.exp())),
        Quantity::SlopeDifference { .. } | Quantity::ScalingSlope { .. } => ends(interval, plain),
        Quantity::ShareChange { .. }
        | Quantity::FinalDifference { .. }
        | Quantity::ControlDifference { .. } => match effect.quantity.unit() {
            Unit::Share => format!("{}\u{a0}points", ends(sized, hundredths)),
            Unit::Plain | Unit::LogRatio => ends(sized, plain),
        },
    };
    format!("{level}\u{a0}% interval {between}, {n}")
}

fn ends(interval: Interval, write: impl Fn(f64) -> String) -> String {
    match (interval.low, interval.high) {
        (Some(low), Some(high)) => format!("{} to {}", write(low), write(high)),
        (Some(low), None) => format!("at least {}", write(low)),
        (None, Some(high)) => format!("at most {}", write(high)),
        (None, None) => "open".into(),
    }
}

/// A difference of shares of at most 1, in hundredths. What rounding leaves of shares that cancel is 0.
pub(crate) fn hundredths(difference: f64) -> String {
    let points = difference * 100.0;
    significant(if points.abs() < 1e-10 { 0.0 } else { points }, 3)
}

/// The same with its unit.
pub(crate) fn points(difference: f64) -> String {
    let text = hundredths(difference);
    let unit = if text == "1" { "point" } else { "points" };
    format!("{text}\u{a0}{unit}")
}

#[cfg(test)]
mod tests {
    use analysis::Estimate;

    use super::*;

    #[test]
    fn a_difference_that_is_known_on_one_side_says_so_on_the_side_that_it_names() {
        let said = |value, low, high| {
            let effect = Statistic {
                quantity: Quantity::ControlDifference {
                    metric: Metric::TestAccuracy,
                },
                part: None,
                estimate: Estimate {
                    value,
                    interval: Some(Interval {
                        low,
                        high,
                        confidence: 0.95,
                    }),
                },
                n: 5,
                verdict: Verdict::Undecided,
            };
            difference(Metric::TestAccuracy, "K-FAC", "SGD", &effect)
        };
        let end = "\u{a0}points";
        assert!(said(0.02, Some(0.01), None).contains(&format!("at least 2{end} above")));
        assert!(said(0.02, None, Some(0.03)).contains(&format!("at most 2{end} above")));
        assert!(said(-0.02, Some(-0.03), None).contains(&format!("at most 2{end} below")));
        assert!(said(-0.02, None, Some(0.01)).contains(&format!("at least 2{end} below")));
        assert!(said(-0.02, Some(-0.03), Some(0.0)).contains(&format!("is 2{end} below")));
    }

    #[test]
    fn shares_that_cancel_differ_by_nothing() {
        let cancelled = 0.1 + 0.2 - 0.3;
        assert!(cancelled > 0.0);
        assert_eq!(hundredths(cancelled), "0");
        assert_eq!(hundredths(0.001), "0.1");
        assert_eq!(points(-0.0345), "−3.45\u{a0}points");
    }
}
