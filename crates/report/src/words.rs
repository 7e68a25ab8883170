//! Tables in words: names of methods and settings, estimates with their
//! intervals, slices, targets and scores as a reader says them.

pub(crate) mod claims;
pub(crate) mod effects;
#[cfg(test)]
mod read_aloud;
pub(crate) mod reasons;
mod tallies;
pub(crate) mod targets;

use std::collections::BTreeMap;

use analysis::heatmap::{GoodRule, Side};
use analysis::select::{By, Score};
use analysis::targets::Bounded;
use analysis::{Estimate, Interval, Metric, Moment, Outcome, Target};
use maud::{Markup, html};
use serde_json::Value;

use crate::draw::number::{count, exact, fixed, grouped, percent, significant};

/// A name from the study, isolated from the direction of the text around it.
pub(crate) fn name(text: &str) -> Markup {
    if text.is_ascii() {
        // Nothing in ASCII turns text around.
        html! { (text) }
    } else {
        html! { bdi { (text) } }
    }
}

/// Sentences of the tables: what stands between backticks there is code here.
pub(crate) fn prose(text: &str) -> Markup {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        // A backtick without its other: part of a name.
        return name(text);
    }
    html! {
        @for (index, part) in parts.iter().enumerate() {
            @if index % 2 == 1 { code { (name(part)) } } @else { (name(part)) }
        }
    }
}

/// A symbol with its index below the line: `S_min (steps)`.
pub(crate) fn symbol(text: &str) -> Markup {
    let Some((letter, rest)) = text.split_once('_') else {
        return html! { (text) };
    };
    let (index, rest) = rest.split_at(rest.find(' ').unwrap_or(rest.len()));
    html! { i { (letter) } sub { (index) } (rest) }
}

/// A method as papers write it.
pub(crate) fn method(name: &str) -> String {
    match name {
        "kfac" => "K-FAC".into(),
        "sgd" => "SGD".into(),
        "adam" => "Adam".into(),
        "adamw" => "AdamW".into(),
        "lamb" => "LAMB".into(),
        "lion" => "Lion".into(),
        "muon" => "Muon".into(),
        other => other.into(),
    }
}

/// A setting as text: `learning_rate` is `learning rate`, the path to an
/// optimiser's setting its last part.
pub(crate) fn setting(path: &str) -> String {
    let last = match path.strip_prefix("optimizer.") {
        Some(rest) => rest.split_once('.').map_or(rest, |(_, setting)| setting),
        None => path,
    };
    last.replace('_', " ")
}

/// A setting's value as the study writes it.
pub(crate) fn value(value: &Value) -> String {
    match value {
        Value::Null => "default".into(),
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if !number.is_u64() && !number.is_i64() => exact(float),
            _ => number.to_string(),
        },
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(self::value).collect();
            format!("[{}]", values.join(", "))
        }
        other => other.to_string(),
    }
}

/// Settings in a row: `damping 0.01, learning rate 0.1`.
pub(crate) fn settings(parameters: &BTreeMap<String, Value>) -> String {
    let parts: Vec<_> = parameters
        .iter()
        .map(|(path, v)| format!("{} {}", setting(path), value(v)))
        .collect();
    if parts.is_empty() {
        "no swept settings".into()
    } else {
        parts.join(", ")
    }
}

/// A value of a metric: accuracies as percent, losses with three digits.
pub(crate) fn measured(metric: Metric, value: f64) -> String {
    if metric.is_loss() {
        significant(value, 3)
    } else {
        percent(value, 1)
    }
}

/// A metric with its unit, for an axis.
pub(crate) fn axis(metric: Metric) -> String {
    if metric.is_loss() {
        format!("{metric} (nats)")
    } else {
        metric.to_string()
    }
}

/// `train loss ≤ 0.03`, `test accuracy ≥ 93 %`.
pub(crate) fn target(target: Target) -> String {
    if target.metric.is_loss() {
        format!("{} ≤ {}", target.metric, exact(target.level))
    } else {
        format!(
            "{} ≥ {}\u{a0}%",
            target.metric,
            exact(round(target.level * 100.0))
        )
    }
}

/// A level of a metric: `93 %`, `0.03`; of losses four significant digits.
pub(crate) fn level(metric: Metric, level: f64) -> String {
    if metric.is_loss() {
        significant(level, 4)
    } else {
        format!("{}\u{a0}%", exact((level * 1e4).round() / 1e2))
    }
}

/// A distance between values of a metric: `1 point`, `0.5 points`, `0.02`.
pub(crate) fn distance(metric: Metric, distance: f64) -> String {
    if metric.is_loss() {
        return level(metric, distance);
    }
    let points = (distance * 1e4).round() / 1e2;
    let plural = if points.total_cmp(&1.0).is_eq() {
        ""
    } else {
        "s"
    };
    format!("{}\u{a0}point{plural}", exact(points))
}

/// A target as what is to be reached: `a train loss of 0.03`.
pub(crate) fn goal(target: Target) -> String {
    format!(
        "a {} of {}",
        target.metric,
        level(target.metric, target.level)
    )
}

/// A slice in words.
pub(crate) fn slice(slice: Moment) -> String {
    match slice {
        Moment::End => "at the end of each run".into(),
        Moment::Epochs(1.0) => "after 1 epoch".into(),
        Moment::Epochs(epochs) => format!("after {} epochs", exact(epochs)),
        Moment::Iterations(1) => "after 1 iteration".into(),
        Moment::Iterations(steps) => format!("after {} iterations", grouped(steps)),
    }
}

/// A rule for good cells in words.
pub(crate) fn rule(rule: GoodRule, metric: Metric) -> String {
    match rule {
        GoodRule::AtLeast(level) => self::target(Target { metric, level }),
        GoodRule::Within(margin) => {
            format!("within {} of the best cell", distance(metric, margin))
        }
    }
}

/// A rule for good cells where there is little room: the panel's axis says of
/// what.
pub(crate) fn rule_in_short(rule: GoodRule, metric: Metric) -> String {
    let long = self::rule(rule, metric);
    let short = long.strip_suffix(" of the best cell").unwrap_or(&long);
    short
        .strip_prefix(&metric.to_string())
        .unwrap_or(short)
        .trim()
        .to_string()
}

/// The text with a capital first.
pub(crate) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// Sides of a grid: `left, top`.
pub(crate) fn sides(sides: &[Side]) -> String {
    let names: Vec<_> = sides
        .iter()
        .map(|side| match side {
            Side::Left => "left",
            Side::Right => "right",
            Side::Bottom => "bottom",
            Side::Top => "top",
        })
        .collect();
    names.join(", ")
}

/// `1.2` and `[1.0, 1.4]`, by a given way to write each number.
pub(crate) fn estimate(
    estimate: &Estimate,
    write: impl Fn(f64) -> String,
) -> (String, Option<String>) {
    (
        write(estimate.value),
        estimate.interval.map(|range| interval(&range, &write)),
    )
}

/// An interval of a metric, cut where no value is possible; a cut end is `None`.
/// Accuracies lie between 0 and 1, losses above 0.
pub(crate) fn possible(metric: Metric, interval: &Interval) -> (Option<f64>, Option<f64>) {
    let low = interval.low.filter(|low| *low >= 0.0);
    let high = interval
        .high
        .filter(|high| metric.is_loss() || *high <= 1.0);
    (low, high)
}

/// An estimate of a metric, `95.13 %`, and its interval, `[94.82, 95.44]`. An
/// end cut at what is possible has a dagger: `[94.82, 100†]`.
pub(crate) fn estimated(metric: Metric, estimate: &Estimate) -> (String, Option<String>) {
    let (value, bound): (String, fn(f64) -> String) = if metric.is_loss() {
        (significant(estimate.value, 3), |v| significant(v, 3))
    } else {
        (percent(estimate.value, 2), |v| fixed(v * 100.0, 2))
    };
    let range = estimate.interval.map(|interval| {
        let (low, high) = possible(metric, &interval);
        let low = low.map_or("0†".into(), bound);
        let high = high.map_or("100†".into(), bound);
        format!("[{low},\u{a0}{high}]")
    });
    (value, range)
}

/// What may be said of a fit's parameter: `12 [10, 14]`, `at least 432`.
pub(crate) fn bounded(bounded: &Bounded) -> (String, Option<String>) {
    let write = |v: f64| significant(v, 3);
    match bounded {
        Bounded::Estimate(estimate) => (
            write(estimate.value),
            estimate.interval.map(|range| interval(&range, write)),
        ),
        Bounded::AtLeast { low } => (format!("at least {}", write(*low)), None),
        Bounded::AtMost { high } => (format!("at most {}", write(*high)), None),
        Bounded::Undetermined => ("undetermined".into(), None),
    }
}

/// A value and the interval below it, in a cell of a table.
pub(crate) fn stacked((value, range): &(String, Option<String>)) -> Markup {
    html! {
        (value)
        @if let Some(range) = range { " " span.range { (range) } }
    }
}

/// The same in one line.
pub(crate) fn in_line((value, range): &(String, Option<String>)) -> String {
    match range {
        Some(range) => format!("{value} {range}"),
        None => value.clone(),
    }
}

/// `[1.0, 1.4]`; a side without a bound is open.
pub(crate) fn interval(interval: &Interval, write: impl Fn(f64) -> String) -> String {
    let low = interval
        .low
        .map_or("(−∞".into(), |v| format!("[{}", write(v)));
    let high = interval
        .high
        .map_or("∞)".into(), |v| format!("{}]", write(v)));
    format!("{low},\u{a0}{high}")
}

/// How a run ended.
pub(crate) fn outcome(outcome: Outcome) -> String {
    match outcome {
        Outcome::Finished => "finished".into(),
        Outcome::Diverged { step } => format!("diverged at {}", grouped(step)),
        Outcome::Stopped { step } => format!("stopped at {}", grouped(step)),
    }
}

/// By what was selected.
pub(crate) fn criterion(by: By) -> String {
    match by {
        By::Metric(metric) => metric.to_string(),
        By::StepsTo { steps_to } => format!("steps to {}", target(steps_to)),
    }
}

/// How a configuration did.
pub(crate) fn score(score: &Score, by: By) -> String {
    let metric = match by {
        By::Metric(metric) => metric,
        By::StepsTo { steps_to } => steps_to.metric,
    };
    match *score {
        Score::Value(value) => measured(metric, value),
        Score::Steps { after, by } => steps(after, by),
        Score::NotReached { value: None } => "not reached".into(),
        Score::NotReached { value: Some(value) } => {
            format!("not reached ({metric} {})", measured(metric, value))
        }
        Score::NotEvaluated => "not evaluated".into(),
        Score::Diverged { seeds } => format!("diverged ({})", count(seeds, "seed")),
    }
}

/// An interval of steps: `(40, 44]`.
pub(crate) fn steps(after: u64, by: u64) -> String {
    format!("({}, {}]", grouped(after), grouped(by))
}

/// Names in a row: `a`, `a and b`, `a, b and c`.
pub(crate) fn list(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

/// Without the noise of a product: 0.93 * 100 is 93.
fn round(value: f64) -> f64 {
    (value * 1e9).round() / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_read_as_sentences() {
        let accuracy = Target {
            metric: Metric::TestAccuracy,
            level: 0.93,
        };
        assert_eq!(target(accuracy), "test accuracy ≥ 93\u{a0}%");
        let loss = Target {
            metric: Metric::TrainLoss,
            level: 0.03,
        };
        assert_eq!(target(loss), "train loss ≤ 0.03");
        assert_eq!(slice(Moment::Epochs(1.0)), "after 1 epoch");
        assert_eq!(slice(Moment::Epochs(1.5)), "after 1.5 epochs");
        assert_eq!(slice(Moment::Iterations(1)), "after 1 iteration");
        assert_eq!(setting("optimizer.kfac.inverse_every"), "inverse every");
        assert_eq!(setting("model.mlp.hidden"), "model.mlp.hidden");
        assert_eq!(value(&serde_json::json!(1e-4)), "1e-4");
        assert_eq!(value(&serde_json::json!(16)), "16");
        assert_eq!(value(&serde_json::json!([32, 10])), "[32, 10]");
        assert_eq!(
            rule(GoodRule::Within(0.01), Metric::TestAccuracy),
            "within 1\u{a0}point of the best cell"
        );
        let open = Interval {
            low: Some(2.0),
            high: None,
            confidence: 0.95,
        };
        assert_eq!(interval(&open, |v| v.to_string()), "[2,\u{a0}∞)");
        let certain = Estimate {
            value: 0.98,
            interval: Some(Interval {
                low: Some(0.95),
                high: Some(1.01),
                confidence: 0.95,
            }),
        };
        assert_eq!(
            in_line(&estimated(Metric::TestAccuracy, &certain)),
            "98.00\u{a0}% [95.00,\u{a0}100†]"
        );
        assert_eq!(
            in_line(&estimated(Metric::TestLoss, &certain)),
            "0.98 [0.95,\u{a0}1.01]"
        );
        assert_eq!(
            prose("winners of `a<b`").into_string(),
            "winners of <code>a&lt;b</code>"
        );
        assert_eq!(prose("odd ` one").into_string(), "odd ` one");
        assert_eq!(
            symbol("S_min (steps)").into_string(),
            "<i>S</i><sub>min</sub> (steps)"
        );
        assert_eq!(list(&["a".into(), "b".into(), "c".into()]), "a, b and c");
    }
}
