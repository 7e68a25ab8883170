//! Share of good cells against step: fixed epochs and fixed iterations are two cuts through this picture.

use std::collections::BTreeMap;

use analysis::Moment;
use analysis::heatmap::{HeatmapTable, ShareCourse};
use analysis::report::Named;
use maud::{Markup, html};

use super::heatmap::slices;
use super::traces::{Panel, Trace};
use super::{batch_legend, data, figure, legend_drawing, panel_size};
use crate::book::{Book, Kind};
use crate::csv::{Csv, measured};
use crate::draw::number::{grouped, percent};
use crate::draw::scale::{Scale, Spacing};
use crate::words;

/// The figure of a heatmap table: a panel per stage, method and rule; nothing without a course.
pub(crate) fn one(book: &Book<'_>, index: usize, named: &Named<HeatmapTable>) -> Markup {
    let table = &named.table;
    let drawn = || {
        table
            .courses
            .iter()
            .filter(|course| course.points.len() > 1)
    };
    let mut keys: Vec<(&str, &str, String)> = drawn()
        .map(|course| {
            (
                course.method.as_str(),
                course.stage.as_str(),
                words::rule(course.rule, table.value),
            )
        })
        .collect();
    keys.sort();
    keys.dedup();
    if keys.is_empty() {
        return html! {};
    }
    let x = Scale::of(
        Spacing::Log10,
        drawn().flat_map(|course| course.points.iter().map(|p| p.step.max(1) as f64)),
        0.03,
    );
    let y = Scale::of(Spacing::Linear, [0.0, 1.0], 0.03);
    let mut batches: Vec<u64> = drawn().map(|course| course.batch_size).collect();
    batches.sort_unstable();
    batches.dedup();
    let stages: Vec<&str> = keys.iter().map(|(_, stage, _)| *stage).collect();
    let (width, height, class) = panel_size(keys.len());
    let slices = slices(table);
    let cuts: Vec<f64> = slices
        .iter()
        .filter_map(|slice| match slice {
            Moment::Iterations(steps) => Some(*steps as f64),
            _ => None,
        })
        .collect();
    let panels = keys
        .iter()
        .enumerate()
        .map(|(place, (method, stage, rule))| {
            let mine = drawn().filter(|course| {
                (course.method.as_str(), course.stage.as_str()) == (*method, *stage)
                    && words::rule(course.rule, table.value) == *rule
            });
            let traces: Vec<Trace> = mine.map(|course| trace(book, course, &slices)).collect();
            let method = words::method(method);
            let of = if stages.iter().any(|other| *other != *stage)
                && method.to_lowercase().replace('-', "") != **stage
            {
                format!(" ({stage})")
            } else {
                String::new()
            };
            let spoken: Vec<String> = traces.iter().map(|t| t.tip.replace('\n', ", ")).collect();
            Panel {
                id: format!("course-{}-{}", index + 1, place + 1),
                title: format!("{method}{of}: {rule}"),
                description: format!(
                    "Share of good cells by step, a line per batch size. {}.",
                    spoken.join(". ")
                ),
                width,
                height,
                x: (&x, "iteration"),
                y: (&y, "share of good cells"),
                percent: true,
                levels: Vec::new(),
                cuts: cuts.clone(),
                traces,
            }
        });
    let dropped = drawn().any(|course| course.first_drop.is_some());
    let epochs = slices
        .iter()
        .any(|slice| matches!(slice, Moment::Epochs(_)));
    let body = html! {
        (batch_legend(book, &batches))
        ul.legend {
            @if epochs {
                (legend_drawing(
                    &html! { g.neutral { path.open d="M13 7a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z" {} } },
                    "the step of the heatmaps at fixed epochs",
                ))
            }
            @if !cuts.is_empty() {
                (legend_drawing(&html! { path.level d="M17 0V14" {} }, "the step of the heatmaps at fixed iterations"))
            }
        }
        div class=(class) { @for panel in panels { (panel.draw()) } }
    };
    figure(
        book,
        Kind::Share,
        &format!("fig-course-{}", index + 1),
        &body,
        &html! {
            "Share of the grid's cells that are good at each step; a line per batch size. Heatmaps at fixed \
             iterations cut all lines at one step, heatmaps at fixed epochs each line at its own: whether the region \
             shrinks or grows with the batch size can hang on the cut. Points are steps at which every run of the grid \
             was evaluated."
            @if dropped { " A triangle marks where the learning rate first falls; from there on points cut schedules short." }
        },
        &data(&csv(table)),
    )
}

fn trace(book: &Book<'_>, course: &ShareCourse, slices: &[Moment]) -> Trace {
    let point = |point: &analysis::heatmap::SharePoint| (point.step.max(1) as f64, point.share);
    let at_epochs = slices.iter().filter_map(|slice| match slice {
        Moment::Epochs(epochs) => {
            let step = (epochs * course.steps_per_epoch as f64 - 1e-9).ceil();
            course.points.iter().find(|p| p.step as f64 >= step)
        }
        _ => None,
    });
    let last = course.points.last().map_or_else(String::new, |last| {
        format!(
            "\n{} of {} cells ({}) at step {}{}",
            last.good,
            last.known,
            percent(last.share, 0),
            grouped(last.step),
            if last.touches.is_empty() {
                String::new()
            } else {
                format!(", touches {}", words::sides(&last.touches))
            },
        )
    });
    Trace {
        class: book.batch_class(course.batch_size),
        shape: book.batch_look(course.batch_size).shape(),
        points: course.points.iter().map(point).collect(),
        band: Vec::new(),
        thin: false,
        diverged: false,
        drops: course.first_drop.iter().map(|step| *step as f64).collect(),
        rings: at_epochs.map(point).collect(),
        tip: format!(
            "{}, batch {}{last}",
            words::method(&course.method),
            course.batch_size
        ),
    }
}

/// A row a step, a column a line.
fn csv(table: &HeatmapTable) -> String {
    let mut head = vec!["step".to_owned()];
    head.extend(table.courses.iter().map(|course| {
        let rule = words::rule(course.rule, table.value);
        format!(
            "{} {} batch {}, {rule}",
            course.stage, course.method, course.batch_size
        )
    }));
    let mut rows: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for (column, course) in table.courses.iter().enumerate() {
        for point in &course.points {
            let row = rows
                .entry(point.step)
                .or_insert_with(|| vec![String::new(); table.courses.len()]);
            row[column] = measured(Some(point.share));
        }
    }
    let mut csv = Csv::of(&head);
    for (step, shares) in rows {
        csv.row(&[vec![step.to_string()], shares].concat());
    }
    csv.text()
}
