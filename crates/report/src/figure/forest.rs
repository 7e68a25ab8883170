//! The forest plot of a claim: its effect over all parts, then each part, with their intervals.

use analysis::Interval;
use analysis::claims::{
    Choice, Claim, ClaimVerdict, Part as Of, Quantity, Statistic, Unit, Verdict,
};
use maud::{Markup, html};

use crate::document::{Figure, Kind, Part};
use crate::draw::colour::{BAD, INK, QUIET};
use crate::draw::drawing::Drawing;
use crate::draw::number::{percent, significant};
use crate::draw::scale::{Scale, Spacing};
use crate::draw::style::Style;
use crate::draw::svg::{Shape, fitting, px, width};
use crate::frame;
use crate::section::claims::written;
use crate::study::Study;
use crate::words::{self, claims};

/// Narrow enough that letters can be read on a phone and in the column of a paper.
const WIDTH: f64 = 440.0;
const RIGHT: f64 = WIDTH - 14.0;
/// Room for the names of the rows: what they need, within these.
const LABELS: (f64, f64) = (104.0, 216.0);
const ROW: f64 = 23.0;
const TOP: f64 = 12.0;
const AXIS: f64 = 42.0;

/// A row: its name, its number, and whether it is the effect, decides, or stands beside.
struct Row<'c> {
    label: String,
    statistic: &'c Statistic,
    weight: Weight,
}

#[derive(Clone, Copy, PartialEq)]
enum Weight {
    Effect,
    Decides,
    Beside,
}

/// The figure of a claim; nothing where no number has an interval.
pub(crate) fn one(study: &Study<'_>, index: usize, claim: &ClaimVerdict) -> Option<Figure> {
    let rows = rows(claim);
    if !rows
        .iter()
        .any(|row| row.statistic.estimate.interval.is_some())
    {
        return None;
    }
    let first = &rows.first()?.statistic.quantity;
    let shared = rows.iter().all(|row| row.statistic.quantity == *first);
    let unit = first.unit();
    let ends = |row: &Row<'_>| {
        let estimate = &row.statistic.estimate;
        let (low, high) = estimate
            .interval
            .map_or((None, None), |interval| (interval.low, interval.high));
        [Some(estimate.value), low, high]
    };
    let marks = references(claim);
    let values = rows
        .iter()
        .flat_map(ends)
        .flatten()
        .chain(marks.iter().copied())
        .map(|value| shown(unit, value));
    let spacing = match unit {
        Unit::LogRatio => Spacing::Log10,
        Unit::Plain | Unit::Share => Spacing::Linear,
    };
    let labels = rows
        .iter()
        .map(|row| width(&row.label, 12.0) + 14.0)
        .fold(LABELS.0, f64::max)
        .min(LABELS.1);
    let scale = Scale::of(spacing, values, 0.08).onto(labels, RIGHT);
    let height = TOP + ROW * rows.len() as f64 + AXIS;
    let bottom = height - AXIS;
    let name = if shared {
        words::capital(&claims::quantity(first))
    } else {
        "Estimate".into()
    };
    let label = match unit {
        Unit::Share => "percentage points",
        Unit::LogRatio => "ratio of steps",
        Unit::Plain if is_slope(first) => "slope",
        Unit::Plain => "difference",
    };
    let drawing = Drawing {
        id: format!("effect-{}", index + 1),
        class: Some("forest"),
        title: format!("Claim {}: {name}", index + 1),
        description: Some(spoken(&rows)),
        width: WIDTH,
        height,
        grid: None,
        marks: html! {
            (grid(&scale, bottom))
            @for mark in &marks {
                @if let Some(x) = scale.at(shown(unit, *mark)) {
                    (Style::Ideal.plain(&format!("M{} {}V{}", px(x), px(TOP - 6.0), px(bottom))))
                }
            }
            @for (place, row) in rows.iter().enumerate() {
                (draw(row, labels, &scale, unit, TOP + ROW * (place as f64 + 0.5)))
            }
            text.label text-anchor="middle" fill=(QUIET) x=(px(f64::midpoint(labels, RIGHT))) y=(px(height - 7.0)) {
                (label)
            }
        },
    };
    Some(Figure {
        kind: Kind::Effect,
        parts: vec![Part::Panels {
            pick: None,
            drawings: vec![drawing],
        }],
        caption: caption(study, index, claim, &rows),
        data: frame::report::numbers_of(claim).named(&format!("fig-effect-{}", index + 1)),
    })
}

fn rows(claim: &ClaimVerdict) -> Vec<Row<'_>> {
    let joined = claim.deciding > 1 && claim.parts[0].part.is_none();
    let effect = claim
        .effect
        .as_ref()
        .filter(|_| claim.deciding > 1 && !joined);
    let effect = effect.map(|statistic| Row {
        label: "all, averaged".into(),
        statistic,
        weight: Weight::Effect,
    });
    let parts = claim
        .parts
        .iter()
        .enumerate()
        .map(|(place, statistic)| Row {
            label: match &statistic.part {
                Some(part) => claims::part_in_short(part),
                None => short(&statistic.quantity),
            },
            statistic,
            weight: if place < claim.deciding {
                Weight::Decides
            } else {
                Weight::Beside
            },
        });
    effect.into_iter().chain(parts).collect()
}

/// What a statement that a claim joins is on.
fn short(quantity: &Quantity) -> String {
    match quantity {
        Quantity::SlopeDifference { .. } => "difference of the slopes".into(),
        Quantity::ScalingSlope { method } => format!("slope, {}", words::method(method)),
        other => claims::quantity(other),
    }
}

fn is_slope(quantity: &Quantity) -> bool {
    matches!(
        quantity,
        Quantity::SlopeDifference { .. } | Quantity::ScalingSlope { .. } | Quantity::BandSlope
    )
}

/// Where lines stand: no effect, the margins, ideal scaling.
fn references(claim: &ClaimVerdict) -> Vec<f64> {
    match &claim.claim {
        Claim::ComparablePerformance(_) | Claim::LargeDampingIsSgd(_) => {
            let margin = claim.claim.smallest().unwrap_or(0.0);
            vec![-margin, 0.0, margin]
        }
        Claim::DiminishingReturns(_) if claim.claim.methods().len() == 2 => vec![-1.0, 0.0],
        _ => vec![0.0],
    }
}

/// A value as the axis has it.
fn shown(unit: Unit, value: f64) -> f64 {
    match unit {
        Unit::Plain => value,
        Unit::Share => value * 100.0,
        Unit::LogRatio => value.exp(),
    }
}

fn grid(scale: &Scale, bottom: f64) -> Markup {
    let ticks: Vec<(f64, String)> = scale
        .ticks(5)
        .into_iter()
        .filter_map(|tick| Some((scale.at(tick.value)?, significant(tick.value, 4))))
        .collect();
    let (from, to) = (px(TOP - 6.0), px(bottom));
    let lines: Vec<String> = ticks
        .iter()
        .map(|(x, _)| format!("M{} {from}V{to}", px(*x)))
        .collect();
    html! {
        (Style::Grid.plain(&lines.concat()))
        g.mid text-anchor="middle" {
            @for (x, label) in &ticks { text x=(px(*x)) y=(px(bottom + 16.0)) { (label) } }
        }
    }
}

fn draw(row: &Row<'_>, left: f64, scale: &Scale, unit: Unit, y: f64) -> Markup {
    let estimate = &row.statistic.estimate;
    let at = |value: f64| scale.at(shown(unit, value)).unwrap_or(left);
    let x = at(estimate.value);
    // Of several seeds that bound nothing on either side, nothing is known.
    let is_unknown = estimate.interval.is_none() && row.statistic.n > 1;
    let everything = Interval {
        low: None,
        high: None,
        confidence: 1.0,
    };
    let interval = estimate.interval.or(is_unknown.then_some(everything));
    let line = interval.map_or_else(String::new, |interval| {
        let (from, to) = (
            interval.low.map_or(left, at),
            interval.high.map_or(RIGHT, at),
        );
        let end = |x: f64, is_open: bool, inward: f64| {
            if is_open {
                let (wing, tip) = (px(x + 6.0 * inward), px(x));
                let (above, below) = (px(y - 4.0), px(y + 4.0));
                format!("M{wing} {above}L{tip} {}L{wing} {below}", px(y))
            } else {
                format!("M{} {}v8", px(x), px(y - 4.0))
            }
        };
        format!("M{} {}H{}", px(from), px(y), px(to))
            + &end(from, interval.low.is_none(), 1.0)
            + &end(to, interval.high.is_none(), -1.0)
    });
    let (shape, radius) = match row.weight {
        Weight::Effect => (Shape::Diamond, 5.5),
        Weight::Decides | Weight::Beside => (Shape::Square, 3.6),
    };
    let colour = match (row.weight, row.statistic.verdict) {
        (Weight::Beside, _) => QUIET,
        (_, Verdict::Contradicted) => BAD,
        _ => INK,
    };
    let mark = shape.path(x, y, radius);
    let bold = (row.weight == Weight::Effect).then_some("600");
    html! {
        g {
            title { (spoken_row(row)) }
            text.end text-anchor="end" x=(px(left - 10.0)) y=(px(y + 4.0)) font-weight=[bold]
                fill=[(row.weight == Weight::Beside).then_some(QUIET)] {
                (fitting(&row.label, 12.0, left - 12.0))
            }
            @if !line.is_empty() { (Style::Bar.path(colour, &line)) }
            @if !is_unknown { (if row.weight == Weight::Beside { Style::Open.path(colour, &mark) } else { Style::Mark.path(colour, &mark) }) }
        }
    }
}

fn spoken_row(row: &Row<'_>) -> String {
    let (value, interval) = written(row.statistic);
    let interval = interval.map_or_else(String::new, |interval| format!(" {interval}"));
    format!(
        "{}: {value}{interval}, {}",
        row.label,
        claims::verdict(row.statistic.verdict)
    )
}

fn spoken(rows: &[Row<'_>]) -> String {
    let rows: Vec<String> = rows.iter().map(spoken_row).collect();
    format!("{}.", rows.join(". "))
}

fn caption(study: &Study<'_>, index: usize, claim: &ClaimVerdict, rows: &[Row<'_>]) -> Markup {
    let effect = claim.effect.as_ref().map(|effect| &effect.estimate);
    let level = effect.and_then(|estimate| estimate.interval);
    let percent = |confidence: f64| significant(confidence * 100.0, 3);
    let is_of = |weight| rows.iter().any(|row| row.weight == weight);
    let lines = match &claim.claim {
        Claim::ComparablePerformance(_) | Claim::LargeDampingIsSgd(_) => {
            "Dashed: no difference, and the margin on both sides."
        }
        Claim::DiminishingReturns(_) if claim.claim.methods().len() == 2 => {
            "Dashed: no difference, and −1, a slope of ideal scaling."
        }
        _ => "Dashed: no effect.",
    };
    let fixed = match &claim.claim {
        Claim::ComparablePerformance(_) => {
            "for these winners, these batch sizes and this test set; what varies is the seed"
        }
        Claim::RegionShrinksAtFixedEpochs(_)
        | Claim::RegionGrowsAtFixedIterations(_)
        | Claim::RatesAndDampingsCorrelate(_) => {
            "for this grid, these batch sizes and this test set; what varies is the seed"
        }
        Claim::LargeDampingIsSgd(_) => "for these cells and this data; what varies is the seed",
        Claim::DiminishingReturns(_) | Claim::FasterPerIteration(_) => {
            "for these winners and these batch sizes; what varies is the seed"
        }
    };
    html! {
        "The effect of " a href={ "#claim-" (index + 1) } { "claim " (index + 1) } ", " (fixed) ". "
        @if is_of(Weight::Effect) {
            "Diamond: over all parts"
            @if let Some(interval) = level { ", with its " (percent(interval.confidence)) "\u{a0}% interval" }
            ". "
        }
        @if claim.deciding > 1 { "Squares: the parts, with intervals that hold all at once. " }
        @if is_of(Weight::Beside) { "Open squares: other levels of the " (metric_of(rows)) ", with intervals of their own; they do not decide. " }
        (lines)
        @if let Some(stable) = stability(study, claim) { " " (stable) }
    }
}

/// What the levels of a claim are levels of.
fn metric_of(rows: &[Row<'_>]) -> String {
    let metric = rows.iter().find_map(|row| match row.statistic.part {
        Some(Of::Level(level)) => Some(level.metric.to_string()),
        _ => None,
    });
    metric.unwrap_or_else(|| "metric".into())
}

/// How stable the winners are that a claim is on: chosen again in which shares of samples of the tuning seeds.
fn stability(study: &Study<'_>, claim: &ClaimVerdict) -> Option<String> {
    let selection = claim.under.first().and_then(|first| match &first.choice {
        Choice::Winners { selection, .. } => Some(selection),
        Choice::Steps { runs, .. } => runs.selection.as_ref(),
        Choice::Control { .. } | Choice::Region { .. } => None,
    })?;
    let table = study
        .table
        .winners
        .iter()
        .find(|named| named.stage == *selection)?;
    let shares: Vec<f64> = table
        .table
        .winners
        .iter()
        .filter_map(|winner| winner.stability)
        .collect();
    let least = shares.iter().copied().reduce(f64::min)?;
    let most = shares.iter().copied().reduce(f64::max)?;
    Some(format!(
        "The winners of {selection} are chosen again in {} to {} of samples of the tuning seeds.",
        percent(least, 0),
        percent(most, 0)
    ))
}
