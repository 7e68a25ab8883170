//! Training curves of each batch size's winner: loss and accuracy per
//! iteration, a panel per method.

use std::collections::BTreeMap;

use analysis::report::{LearningCurve, Role};
use analysis::{Metric, Outcome};
use maud::{Markup, html};

use super::traces::{Panel, Trace};
use super::{batch_legend, figure, panel_size};
use crate::book::{Book, Kind};
use crate::csv::Csv;
use crate::draw::number::{count, significant};
use crate::draw::scale::{Scale, Spacing};
use crate::words;

/// Most batch sizes whose bands can be told apart.
const BANDS: usize = 10;

/// How far below the lowest final accuracy the axis begins.
const CLIMB: f64 = 0.25;

/// The curves of one method and batch size: the one drawn thick, then its
/// further seeds.
type Chosen<'a> = BTreeMap<(&'a str, u64), Vec<&'a LearningCurve>>;

/// Both figures, or why there are none.
pub(crate) fn figures(book: &Book<'_>) -> Markup {
    let chosen = chosen(&book.table.curves);
    if chosen.is_empty() {
        return html! { p.empty { "No training curves were kept for this report." } };
    }
    let accuracy = [
        Metric::TestAccuracy,
        Metric::ValidationAccuracy,
        Metric::TrainAccuracy,
    ]
    .into_iter()
    .find(|metric| {
        chosen
            .values()
            .flatten()
            .any(|c| c.evaluations.iter().any(|e| metric.of(e).is_some()))
    });
    html! {
        (one(book, &chosen, Metric::TrainLoss))
        @match accuracy {
            Some(metric) => { (one(book, &chosen, metric)) }
            None => { p.empty { "No accuracy was measured." } }
        }
    }
}

/// Per method and batch size the curves of the most telling role: confirmed,
/// else winners, else all.
fn chosen(curves: &[LearningCurve]) -> Chosen<'_> {
    let mut chosen: Chosen<'_> = BTreeMap::new();
    for curve in curves {
        chosen
            .entry((&curve.method, curve.batch_size))
            .or_default()
            .push(curve);
    }
    for curves in chosen.values_mut() {
        let role = curves.iter().map(|c| c.role).min();
        curves.retain(|c| Some(c.role) == role);
        curves.sort_by(|a, b| (a.seed, &a.label).cmp(&(b.seed, &b.label)));
    }
    chosen
}

fn one(book: &Book<'_>, chosen: &Chosen<'_>, metric: Metric) -> Markup {
    let loss = metric.is_loss();
    let evaluated = |curve: &LearningCurve| -> Vec<(f64, f64)> {
        curve
            .evaluations
            .iter()
            .filter(|e| e.step > 0)
            .filter_map(|e| Some((e.step as f64, metric.of(e)?)))
            .collect()
    };
    let all = || chosen.values().flatten().copied();
    let x = Scale::of(
        Spacing::Log10,
        all().flat_map(|c| c.evaluations.iter().map(|e| e.step.max(1) as f64)),
        0.03,
    );
    let y = if loss {
        let low_high = all().flat_map(|c| c.loss.iter().filter_map(|b| Some(f64::from(b.low?))));
        // The range of what was measured on the whole training set; single
        // mini-batches may leave it below by decades.
        let values: Vec<f64> = all().flat_map(&evaluated).map(|p| p.1).collect();
        let floor = values.iter().copied().fold(f64::INFINITY, f64::min) / 3.0;
        Scale::of(
            Spacing::Log10,
            values
                .iter()
                .copied()
                .chain(low_high.filter(|v| *v > floor && *v < 1e3)),
            0.04,
        )
    } else {
        // Without the first climb the differences between batch sizes show.
        let lowest = all()
            .filter(|c| !matches!(c.outcome, Outcome::Diverged { .. }))
            .filter_map(|c| Some(evaluated(c).last()?.1))
            .fold(f64::INFINITY, f64::min);
        let shown = move |value: &f64| !lowest.is_finite() || *value >= lowest - CLIMB;
        Scale::of(
            Spacing::Linear,
            all()
                .flat_map(|c| evaluated(c).into_iter().map(|p| p.1))
                .filter(shown),
            0.04,
        )
    };
    let mut methods: Vec<&str> = chosen.keys().map(|(method, _)| *method).collect();
    methods.dedup();
    let mut batches: Vec<u64> = chosen.keys().map(|(_, batch)| *batch).collect();
    batches.sort_unstable();
    batches.dedup();
    let banded = loss && batches.len() <= BANDS;
    let (width, height, class) = panel_size(methods.len());
    let label = words::axis(metric);
    let tag = metric.name().replace('_', "-");
    let panels = methods.iter().enumerate().map(|(index, method)| {
        let mine = || chosen.iter().filter(|((m, _), _)| m == method);
        let spoken: Vec<String> = mine()
            .filter_map(|((_, batch), curves)| {
                let (step, value) = evaluated(curves.first()?).last().copied()?;
                Some(format!(
                    "Batch {batch}: {} at step {step}",
                    words::measured(metric, value)
                ))
            })
            .collect();
        Panel {
            id: format!("curve-{tag}-{}", index + 1),
            title: words::method(method),
            description: format!(
                "{metric} per iteration, one line per batch size. Last values. {}.",
                spoken.join(". ")
            ),
            width,
            height,
            x: (&x, "iteration"),
            y: (&y, &label),
            percent: !loss,
            traces: mine()
                .flat_map(|((_, batch), curves)| {
                    curves.iter().enumerate().map(|(place, curve)| {
                        trace(book, *batch, place, curve, evaluated(curve), banded)
                    })
                })
                .collect(),
        }
    });
    let body = html! {
        (batch_legend(book, &batches))
        div class=(class) { @for panel in panels { (panel.draw()) } }
    };
    let seeds = all().count();
    let thinned = all().map(|c| c.steps_per_bucket).max().unwrap_or(1);
    let from = match all().map(|c| c.role).min() {
        Some(Role::Confirmed) => "the winner of each batch size on its fresh seeds",
        Some(Role::Winner) => "the winner of each batch size on its tuning seeds",
        _ => "each run",
    };
    let cut = book.table.curves_left_out;
    let caption = html! {
        @if loss {
            "Training loss per iteration of " (from) " (" (count(seeds, "run")) ", a panel per method); \
             both axes to base 10. Lines: loss over the whole training set at each evaluation, thick for \
             the first seed, thin for the others. "
            @if banded {
                "Bands: the first seed's mini-batch loss"
                @if thinned > 1 { ", smallest to largest in buckets of up to " (count(thinned as usize, "step")) }
                ". "
            } @else { "Mini-batch losses of so many batch sizes are not drawn. " }
            "Lines further left and lower made more progress per iteration."
        } @else {
            (words::capital(&metric.to_string())) " per iteration of the same runs; thick for the first seed, thin for the others. \
             The axis leaves out the first climb, up to 25 points below the lowest final value. Nothing is smoothed. Where lines end level, the batch \
             size costs no accuracy; where they end further right, it saves iterations."
        }
        " A cross ends a run that diverged; triangles along the top mark where the learning rate falls."
        @if cut > 0 { " " (count(cut, "further run")) " not drawn." }
    };
    let data = loss.then(|| csv(chosen));
    figure(
        book,
        Kind::Curves,
        &format!("fig-{tag}"),
        &body,
        &caption,
        data.as_deref(),
    )
}

fn trace(
    book: &Book<'_>,
    batch: u64,
    place: usize,
    curve: &LearningCurve,
    points: Vec<(f64, f64)>,
    banded: bool,
) -> Trace {
    let last = points.last().map_or_else(String::new, |(step, value)| {
        format!("\n{} at step {step}", significant(*value, 3))
    });
    let band = if banded && place == 0 {
        curve
            .loss
            .iter()
            .filter_map(|b| {
                let middle = f64::midpoint(b.from as f64, b.to as f64);
                Some((middle, f64::from(b.low?).max(1e-12), f64::from(b.high?)))
            })
            .collect()
    } else {
        Vec::new()
    };
    Trace {
        class: book.batch_class(batch),
        shape: book.batch_look(batch).shape(),
        points,
        band,
        thin: place > 0,
        diverged: matches!(curve.outcome, Outcome::Diverged { .. }),
        drops: curve.rate_drops.iter().map(|s| *s as f64).collect(),
        tip: format!(
            "{}, batch {batch}, seed {}\n{}{last}",
            words::method(&curve.method),
            curve.seed,
            words::outcome(curve.outcome)
        ),
    }
}

/// The thick lines of both figures.
fn csv(chosen: &Chosen<'_>) -> String {
    let mut csv = Csv::new([
        "stage",
        "method",
        "batch_size",
        "seed",
        "step",
        "metric",
        "value",
    ]);
    for curve in chosen.values().filter_map(|curves| curves.first()) {
        for evaluation in &curve.evaluations {
            for metric in [Metric::TrainLoss, Metric::TestAccuracy] {
                if let Some(value) = metric.of(evaluation) {
                    csv.row(&[
                        curve.stage.clone(),
                        curve.method.clone(),
                        curve.batch_size.to_string(),
                        curve.seed.to_string(),
                        evaluation.step.to_string(),
                        metric.name().into(),
                        // Curves are measured in single precision.
                        (value as f32).to_string(),
                    ]);
                }
            }
        }
    }
    csv.text()
}
