//! Training curves of each batch size's winner: loss and accuracy per
//! iteration, a panel per method.

use std::collections::{BTreeMap, BTreeSet};

use analysis::report::{LearningCurve, Role};
use analysis::{Metric, Outcome, Target};
use maud::html;

use super::traces::{Panel, Trace};
use super::{batch_legend, drawn_once, entry, panel_size};
use crate::document::{Block, Entry, Figure, Kind, Part};
use crate::draw::colour::QUIET;
use crate::draw::number::{count, significant};
use crate::draw::scale::{Scale, Spacing};
use crate::draw::style::Style;
use crate::frame::{self, Frame};
use crate::study::Study;
use crate::words;

/// Most batch sizes whose bands can be told apart.
const BANDS: usize = 10;

/// How far below the lowest final accuracy the axis begins.
const CLIMB: f64 = 0.25;

/// The curves of one method and batch size: the one drawn thick, then its
/// further seeds.
type Chosen<'a> = BTreeMap<(&'a str, u64), Vec<&'a LearningCurve>>;

/// Both figures for each selection whose winners' curves there are, or why
/// there are none.
pub(crate) fn figures(study: &Study<'_>) -> Vec<Block> {
    let table = study.table;
    if table.curves.is_empty() {
        return vec![html! { p.empty { "No training curves were kept for this report." } }.into()];
    }
    let of = |stage: &str| -> Vec<&LearningCurve> {
        let curves = table.curves.iter();
        curves
            .filter(|curve| curve.winners.iter().any(|s| s == stage))
            .collect()
    };
    let mut parts: Vec<(&str, Vec<&LearningCurve>)> = table
        .winners
        .iter()
        .map(|named| (named.stage.as_str(), of(&named.stage)))
        .filter(|(_, curves)| !curves.is_empty())
        .collect();
    if parts.is_empty() {
        parts.push(("", table.curves.iter().collect()));
    }
    // First the curves of the runs that are timed to targets.
    let timed: BTreeSet<&str> = table
        .targets
        .iter()
        .flat_map(|named| named.table.runs.iter().map(|run| run.stage.as_str()))
        .collect();
    parts.sort_by_key(|(_, curves)| {
        !curves
            .iter()
            .any(|curve| timed.contains(curve.stage.as_str()))
    });
    let several = parts.len() > 1;
    let parts = parts.iter();
    let parts = parts.map(|(stage, curves)| ((*stage).to_owned(), chosen(curves)));
    let drawn = drawn_once(parts, alike);
    let mut blocks = Vec::new();
    for (index, (stages, curves)) in drawn.iter().enumerate() {
        let heading = html! {
            @if several { h3 { "Winners of " (words::name(&words::list(stages))) } }
            @if stages.len() > 1 { p.note { "These selections chose the same configurations." } }
        };
        let tag = if index == 0 {
            String::new()
        } else {
            format!("-{}", index + 1)
        };
        blocks.push(heading.into());
        blocks.extend(both(study, &tag, curves));
    }
    blocks
}

/// Are these the same trainings, whatever their stages are called?
fn alike(one: &Chosen<'_>, other: &Chosen<'_>) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|((of, curves), (at, others))| {
            let training = |c: &&LearningCurve| (c.seed, c.outcome);
            of == at
                && curves.iter().map(training).eq(others.iter().map(training))
                && curves.iter().zip(others).all(|(curve, other)| {
                    curve.loss == other.loss && curve.evaluations == other.evaluations
                })
        })
}

/// Loss and accuracy; `tag` makes their ids unique.
fn both(study: &Study<'_>, tag: &str, chosen: &Chosen<'_>) -> [Block; 2] {
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
    let accuracy = match accuracy {
        Some(metric) => one(study, tag, chosen, metric),
        None => html! { p.empty { "No accuracy was measured." } }.into(),
    };
    [one(study, tag, chosen, Metric::TrainLoss), accuracy]
}

/// Per method and batch size the curves of the most telling role: confirmed,
/// else winners, else all.
fn chosen<'a>(curves: &[&'a LearningCurve]) -> Chosen<'a> {
    let mut chosen: Chosen<'_> = BTreeMap::new();
    for &curve in curves {
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

fn one(study: &Study<'_>, part: &str, chosen: &Chosen<'_>, metric: Metric) -> Block {
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
    if all().all(|curve| evaluated(curve).is_empty()) {
        return html! {
            p.empty { "No run has a " (metric) " after its first step, so there is no curve of it to draw." }
        }
        .into();
    }
    let x = Scale::of(
        Spacing::Log10,
        all().flat_map(|c| c.evaluations.iter().map(|e| e.step.max(1) as f64)),
        0.03,
    );
    let y = if loss {
        let low_high = all().flat_map(|c| c.loss.iter().filter_map(|b| Some(f64::from(b.low?))));
        // The range of what evaluations measured; single mini-batches may leave it below by decades.
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
        .no_further(0.0, 1.0)
    };
    let mut methods: Vec<&str> = chosen.keys().map(|(method, _)| *method).collect();
    methods.dedup();
    let mut batches: Vec<u64> = chosen.keys().map(|(_, batch)| *batch).collect();
    batches.sort_unstable();
    batches.dedup();
    let banded = loss && batches.len() <= BANDS;
    let (width, height) = panel_size(methods.len());
    let label = words::axis(metric);
    let tag = format!("{}{part}", metric.name().replace('_', "-"));
    let levels = levels(study, metric);
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
            levels: levels.clone(),
            cuts: Vec::new(),
            traces: mine()
                .flat_map(|((_, batch), curves)| {
                    curves.iter().enumerate().map(|(place, curve)| {
                        trace(study, *batch, place, curve, evaluated(curve), banded)
                    })
                })
                .collect(),
        }
    });
    let parts = vec![
        batch_legend(study, &batches),
        Part::Legend(marks_legend(
            all().count() > chosen.len(),
            banded,
            !levels.is_empty(),
        )),
        Part::Panels {
            pick: None,
            drawings: panels.map(|panel| panel.draw()).collect(),
        },
    ];
    let seeds = all().count();
    let thinned = all().map(|c| c.steps_per_bucket).max().unwrap_or(1);
    let from = match all().map(|c| c.role).min() {
        Some(Role::Confirmed) => "the winner of each batch size on its fresh seeds",
        Some(Role::Winner) => "the winner of each batch size on its tuning seeds",
        _ => "each run",
    };
    let cut = study.table.curves_left_out;
    let diverged = all().any(|c| matches!(c.outcome, Outcome::Diverged { .. }));
    let drops = all().any(|c| !c.rate_drops.is_empty());
    let caption = html! {
        @if loss {
            "Training loss per iteration of " (from) " (" (count(seeds, "run")) ", a panel per method); \
             both axes to base 10. Lines: loss over " (evaluated_on(study, all())) " at each evaluation, strong for \
             the first seed, faint for the others. "
            @if banded {
                "Bands: the first seed's mini-batch loss"
                @if thinned > 1 { ", smallest to largest in buckets of up to " (count(thinned as usize, "step")) }
                "; it scatters most with small batches. "
            } @else { "Mini-batch losses are not drawn, because there are too many batch sizes. " }
            @if !levels.is_empty() { "Horizontal dashed lines: the targets to which steps are counted. " }
            "The further left and the lower a line, the more progress per iteration."
        } @else {
            (words::capital(&metric.to_string())) " per iteration of the same runs, strong for the first seed, faint for the others. \
             The axis begins 25 points below the lowest final value, or at 0. Nothing is smoothed. Where lines end \
             at the same height, a larger batch costs no accuracy. The further left a line gets there, the fewer iterations it takes."
        }
        @if diverged { " A cross ends a run that diverged." }
        @if drops { " Triangles along the top mark where the learning rate falls." }
        @if cut > 0 { " " (count(cut, "further run")) " not drawn." }
    };
    Block::Figure(Figure {
        kind: Kind::Curves,
        parts,
        caption,
        data: data(chosen, metric).named(&format!("fig-{tag}")),
    })
}

/// What the training loss at evaluations is the mean over.
fn evaluated_on<'a>(study: &Study<'_>, curves: impl Iterator<Item = &'a LearningCurve>) -> String {
    let subsets: BTreeSet<Option<u64>> = curves
        .map(|curve| {
            let mut stages = study.table.stages.iter();
            let stage = stages.find(|it| it.stage == curve.stage && it.method == curve.method)?;
            stage.common.get("evaluation.train_subset")?.as_u64()
        })
        .collect();
    let subsets: Vec<Option<u64>> = subsets.into_iter().collect();
    match subsets[..] {
        [None] | [] => "the training set".to_owned(),
        [Some(subset)] => count(subset as usize, "training example"),
        _ => "the training set or the declared part of it".to_owned(),
    }
}

/// The targets of a metric, each once.
fn levels(study: &Study<'_>, metric: Metric) -> Vec<(f64, String)> {
    let mut levels: Vec<f64> = study
        .table
        .targets
        .iter()
        .flat_map(|named| named.table.targets.iter().map(|note| note.target))
        .filter(|target| target.metric == metric)
        .map(|target| target.level)
        .collect();
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    let name = |level: f64| {
        let target = words::target(Target { metric, level });
        target.replacen(&metric.to_string(), "target", 1)
    };
    levels
        .into_iter()
        .map(|level| (level, name(level)))
        .collect()
}

/// What strong and faint lines, bands and lines across are.
fn marks_legend(several_seeds: bool, banded: bool, levels: bool) -> Vec<Entry> {
    let across = "M1 7H33";
    let all = [
        (several_seeds, Style::Line, across, "first seed"),
        (several_seeds, Style::Further, across, "other seeds"),
        (
            banded,
            Style::Band,
            "M1 2H33V12H1Z",
            "range of the mini-batch loss",
        ),
        (levels, Style::Level, across, "target"),
    ];
    let shown = all.into_iter().filter(|(there, ..)| *there);
    shown
        .map(|(_, style, d, label)| entry(style.path(QUIET, d), label))
        .collect()
}

fn trace(
    study: &Study<'_>,
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
        colour: study.batch_colour(batch).0,
        shape: study.batch_look(batch).shape(),
        points,
        band,
        thin: place > 0,
        diverged: matches!(curve.outcome, Outcome::Diverged { .. }),
        drops: curve.rate_drops.iter().map(|s| *s as f64).collect(),
        rings: Vec::new(),
        tip: format!(
            "{}, batch {batch}, seed {}\n{}{last}",
            words::method(&curve.method),
            curve.seed,
            words::outcome(curve.outcome)
        ),
    }
}

/// A row a step, a column a run, as a plot wants it.
fn data(chosen: &Chosen<'_>, metric: Metric) -> Frame {
    let curves: Vec<&LearningCurve> = chosen.values().flatten().copied().collect();
    let names = curves.iter().map(|curve| {
        format!(
            "{} batch {} seed {}",
            curve.method, curve.batch_size, curve.seed
        )
    });
    let columns = curves.iter().enumerate().flat_map(|(column, curve)| {
        let evaluations = curve.evaluations.iter();
        evaluations.map(move |e| (e.step, column, metric.of(e)))
    });
    frame::by_step(names, columns)
}
