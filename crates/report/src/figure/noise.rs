//! The gradient noise scale, which is measured, beside the critical batch size, which is fitted: two ways to
//! one number.

use std::collections::BTreeSet;

use analysis::noise::{NoiseComparison, NoiseCourse};
use analysis::targets::Bounded;
use maud::html;

use super::by_batch::{Axes, Bar, Line, Mark, Panel, Point};
use super::traces::{self, Trace};
use super::{batch_legend, entry, method_entry, panel_size};
use crate::document::{Block, Figure, Kind, Part};
use crate::draw::colour::QUIET;
use crate::draw::number::{count, grouped};
use crate::draw::scale::{Scale, Spacing};
use crate::draw::style::Style;
use crate::frame::{self, Frame, Rows};
use crate::study::Study;
use crate::words;

/// Both figures, where the runs measured their gradients' noise.
pub(crate) fn figures(study: &Study<'_>) -> Vec<Block> {
    let both = [beside_the_fit(study), against_step(study)];
    both.into_iter().flatten().map(Block::Figure).collect()
}

fn beside_the_fit(study: &Study<'_>) -> Option<Figure> {
    let all: Vec<&NoiseComparison> = study
        .table
        .noise
        .iter()
        .filter(|comparison| {
            comparison
                .at_target
                .iter()
                .any(|at| at.scale.value.is_some())
        })
        .collect();
    if all.is_empty() {
        return None;
    }
    let batches: BTreeSet<u64> = all
        .iter()
        .flat_map(|comparison| comparison.at_target.iter().map(|at| at.batch_size))
        .collect();
    let stages: BTreeSet<&str> = all
        .iter()
        .map(|comparison| comparison.stage.as_str())
        .collect();
    let span = (
        *batches.first().unwrap_or(&1) as f64,
        *batches.last().unwrap_or(&1) as f64,
    );
    let panels: Vec<Panel> = all
        .iter()
        .enumerate()
        .map(|(place, comparison)| panel(study, place, comparison, span, stages.len() > 1))
        .collect();
    let values = panels.iter().flat_map(|panel| {
        let points = panel
            .lines
            .iter()
            .flat_map(|line| line.points.iter().flat_map(Point::extent));
        let fits = panel
            .lines
            .iter()
            .flat_map(|line| line.law.iter().map(|p| p.1));
        points
            .chain(fits)
            .chain(panel.reference.iter().map(|p| p.1))
    });
    let (width, height) = panel_size(panels.len());
    let axes = Axes {
        x: Scale::of(Spacing::Log2, batches.iter().map(|b| *b as f64), 0.08),
        y: Scale::of(Spacing::Log2, values, 0.09),
        batches: batches.iter().copied().collect(),
        width,
        height,
        percent: false,
    };
    let sgd = study.look("sgd");
    let legend = vec![
        method_entry(sgd, "noise scale just before the target".to_owned()),
        entry(
            Style::Ideal.path(QUIET, "M2 7H32"),
            "fitted critical batch size",
        ),
        entry(
            Style::Law.path(sgd.colour(), "M2 3H32M2 11H32"),
            "its interval or bound",
        ),
    ];
    let report = std::iter::once((study.table.title.as_str(), study.table));
    Some(Figure {
        kind: Kind::Noise,
        parts: vec![
            Part::Legend(legend),
            Part::Panels {
                pick: Some("Target"),
                drawings: panels.iter().map(|panel| axes.draw(panel)).collect(),
            },
        ],
        caption: html! {
            "SGD's gradient noise scale tr(Σ) / |" i { "G" } "|² (large markers with 95\u{a0}% intervals; in \
             examples, measured \
             over the last half of the way to each target at each batch size) beside the critical batch size fitted \
             to \
             the steps to that target; both axes to base 2. Where the two agree, the fit is confirmed by a \
             measurement of another kind. The noise scale says something about SGD only (McCandlish et al. 2018)."
        },
        data: frame::report::noise_scale(report).named("fig-noise"),
    })
}

fn panel(
    study: &Study<'_>,
    place: usize,
    comparison: &NoiseComparison,
    span: (f64, f64),
    staged: bool,
) -> Panel {
    let points: Vec<Point> = comparison
        .at_target
        .iter()
        .filter_map(|at| {
            let value = at.scale.value?;
            Some(Point {
                batch: at.batch_size,
                value,
                bar: bar(&at.scale.bounded),
                mark: if matches!(at.scale.bounded, Bounded::Estimate(_)) {
                    Mark::Known
                } else {
                    Mark::Censored
                },
                said: words::in_line(&words::bounded(&at.scale.bounded)),
                more: count(at.runs, "run"),
            })
        })
        .collect();
    let mut line = Line::new(study.look(&comparison.method), "SGD".into(), points);
    let flat = |value: f64| vec![(span.0, value), (span.1, value)];
    let fit = comparison.critical_batch.as_ref();
    let mut reference = Vec::new();
    if let Some(Bounded::Estimate(estimate)) = fit {
        reference = flat(estimate.value);
    }
    // Both bounds as one line, there and back.
    if let Some(Bar { low, high }) = fit.and_then(bar) {
        let far = |bound: Option<f64>| bound.map(flat).unwrap_or_default();
        line.law = far(low);
        line.law.extend(far(high).into_iter().rev());
    }
    let said = fit.map_or_else(
        || "not fitted".into(),
        |fit| words::in_line(&words::bounded(fit)),
    );
    Panel {
        id: format!("noise-{}", place + 1),
        title: if staged {
            format!(
                "{} ({})",
                words::target(comparison.target),
                comparison.stage
            )
        } else {
            words::target(comparison.target)
        },
        description: format!("Critical batch size {said}. Noise scale by batch size"),
        lines: vec![line],
        reference,
        label: "examples".into(),
    }
}

fn bar(bounded: &Bounded) -> Option<Bar> {
    match bounded {
        Bounded::Estimate(estimate) => {
            let interval = estimate.interval?;
            Some(Bar {
                low: interval.low,
                high: interval.high,
            })
        }
        Bounded::AtLeast { low } => Some(Bar {
            low: Some(*low),
            high: None,
        }),
        Bounded::AtMost { high } => Some(Bar {
            low: None,
            high: Some(*high),
        }),
        Bounded::Undetermined => None,
    }
}

fn against_step(study: &Study<'_>) -> Option<Figure> {
    let courses: Vec<&NoiseCourse> = study
        .table
        .noise_courses
        .iter()
        .filter(|course| {
            course
                .points
                .iter()
                .filter(|p| p.scale.value.is_some())
                .count()
                > 1
        })
        .collect();
    if courses.is_empty() {
        return None;
    }
    let stages: BTreeSet<&str> = courses.iter().map(|course| course.stage.as_str()).collect();
    let batches: BTreeSet<u64> = courses.iter().map(|course| course.batch_size).collect();
    let middle = |from: u64, to: u64| (from.max(1) as f64 * to.max(1) as f64).sqrt();
    let points = |course: &NoiseCourse| -> Vec<(f64, f64)> {
        let known = course.points.iter();
        known
            .filter_map(|p| Some((middle(p.from, p.to), p.scale.value?)))
            .collect()
    };
    let all = || courses.iter().flat_map(|course| points(course));
    let (x, y) = (
        Scale::of(Spacing::Log10, all().map(|p| p.0), 0.04),
        Scale::of(Spacing::Log2, all().map(|p| p.1), 0.06),
    );
    let (width, height) = panel_size(stages.len());
    let panels = stages.iter().enumerate().map(|(place, stage)| {
        let mine: Vec<Trace> = courses
            .iter()
            .filter(|course| course.stage == **stage)
            .map(|course| Trace {
                colour: study.batch_colour(course.batch_size).0,
                shape: study.batch_look(course.batch_size).shape(),
                points: points(course),
                band: Vec::new(),
                thin: false,
                diverged: false,
                drops: Vec::new(),
                rings: Vec::new(),
                tip: course.points.iter().fold(
                    format!("SGD, batch {}", course.batch_size),
                    |tip, p| {
                        format!(
                            "{tip}\nsteps {} to {}: {}",
                            grouped(p.from),
                            grouped(p.to),
                            words::in_line(&words::bounded(&p.scale.bounded))
                        )
                    },
                ),
            })
            .collect();
        let spoken: Vec<String> = mine.iter().map(|t| t.tip.replace('\n', ", ")).collect();
        traces::Panel {
            id: format!("noise-course-{}", place + 1),
            title: format!("SGD ({stage})"),
            description: format!(
                "Noise scale by step, a line per batch size. {}.",
                spoken.join(". ")
            ),
            width,
            height,
            x: (&x, "iteration"),
            y: (&y, "noise scale (examples)"),
            percent: false,
            levels: Vec::new(),
            cuts: Vec::new(),
            traces: mine,
        }
    });
    let all_batches: Vec<u64> = batches.into_iter().collect();
    Some(Figure {
        kind: Kind::Other,
        parts: vec![
            batch_legend(study, &all_batches),
            Part::Panels {
                pick: None,
                drawings: panels.map(|panel| panel.draw()).collect(),
            },
        ],
        caption: html! {
            "SGD's gradient noise scale against the step, all runs of a batch size together, in windows that double \
             in \
             length; axes to base 10 and 2. It grows as the loss falls: a batch that is too large at the start may \
             not be so near the end."
        },
        data: course_data(&courses),
    })
}

/// A row a window of steps.
fn course_data(courses: &[&NoiseCourse]) -> Frame {
    let all = courses.iter().flat_map(|course| {
        let points = course.points.iter();
        points.map(move |point| (*course, point))
    });
    Rows::new("fig-noise-course", all)
        .column("stage", |(course, _)| &course.stage)
        .column("batch_size", |(course, _)| course.batch_size)
        .column("from", |(_, point)| point.from)
        .column("to", |(_, point)| point.to)
        .column("trace", |(_, point)| point.scale.trace)
        .column("gradient", |(_, point)| point.scale.gradient)
        .columns(
            ["noise_scale", "noise_scale_low", "noise_scale_high"],
            |(_, point)| frame::tables::bounded(Some(point.scale.bounded)),
        )
        .frame()
}
