//! Share of good cells against step: fixed epochs and fixed iterations are two cuts through this picture.

use analysis::Moment;
use analysis::heatmap::{HeatmapTable, ShareCourse};
use analysis::report::Named;
use maud::html;

use super::heatmap::slices;
use super::traces::{Panel, Trace};
use super::{batch_legend, entry, panel_size, ring};
use crate::document::{Block, Figure, Kind, Part};
use crate::draw::number::{grouped, percent};
use crate::draw::scale::{Scale, Spacing};
use crate::draw::style::Style;
use crate::frame::by_step;
use crate::study::Study;
use crate::words;

/// The figure of a heatmap table: a panel per stage, method and rule; nothing without a course.
pub(crate) fn one(study: &Study<'_>, index: usize, named: &Named<HeatmapTable>) -> Option<Block> {
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
        return None;
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
    let (width, height) = panel_size(keys.len());
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
            let traces: Vec<Trace> = mine.map(|course| trace(study, course, &slices)).collect();
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
    let at_epochs = epochs.then(|| entry(ring(), "the step of the heatmaps at fixed epochs"));
    let at_iterations = (!cuts.is_empty()).then(|| {
        let up = Style::Level.plain("M17 0V14");
        entry(up, "the step of the heatmaps at fixed iterations")
    });
    // A row a step, a column a line.
    let names = table.courses.iter().map(|course| {
        let rule = words::rule(course.rule, table.value);
        format!(
            "{} {} batch {}, {rule}",
            course.stage, course.method, course.batch_size
        )
    });
    let points = table
        .courses
        .iter()
        .enumerate()
        .flat_map(|(place, course)| {
            let points = course.points.iter();
            points.map(move |point| (point.step, place, Some(point.share)))
        });
    let data = by_step(names, points).named(&format!("fig-course-{}", index + 1));
    Some(Block::Figure(Figure {
        kind: Kind::Share,
        parts: vec![
            batch_legend(study, &batches),
            Part::Legend(at_epochs.into_iter().chain(at_iterations).collect()),
            Part::Panels {
                pick: None,
                drawings: panels.map(|panel| panel.draw()).collect(),
            },
        ],
        data,
        caption: html! {
            "Share of the grid's cells that are good at each step; a line per batch size. A heatmap at fixed \
             iterations shows all lines at one step, a heatmap at fixed epochs each line at a step of its own. So \
             whether the region shrinks or grows with the batch size can depend on where one looks. Points are steps \
             at which every run of the grid was evaluated."
            @if dropped { " A triangle marks where the learning rate first falls: points from there on show runs in the middle of their schedule." }
        },
    }))
}

fn trace(study: &Study<'_>, course: &ShareCourse, slices: &[Moment]) -> Trace {
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
        colour: study.batch_colour(course.batch_size).0,
        shape: study.batch_look(course.batch_size).shape(),
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
