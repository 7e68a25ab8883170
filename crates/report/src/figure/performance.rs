//! What the confirmed winners reach: every fresh seed, mean and interval.

use std::collections::BTreeSet;

use analysis::report::{LearningCurve, Performance, Role};
use analysis::{Metric, Outcome, Part as Of};
use maud::html;

use super::by_batch::{Axes, Bar, Line, Mark, Panel, Point, Seed};
use super::{drawn_once, method_legend, panel_size};
use crate::document::{Block, Figure, Kind, Part};
use crate::draw::drawing::Drawing;
use crate::draw::number::count;
use crate::draw::scale::{Scale, Spacing};
use crate::frame;
use crate::study::Study;
use crate::words;

/// Metrics in the order in which they are shown.
pub(crate) fn shown() -> impl Iterator<Item = Metric> {
    let accuracies = Metric::accuracies(Of::Test).chain(Metric::accuracies(Of::Validation));
    let losses = Metric::losses(Of::Train).chain(Metric::losses(Of::Test));
    accuracies.chain(losses)
}

/// A figure for each selection whose winners were confirmed; the section says
/// so where there is none.
pub(crate) fn figures(study: &Study<'_>) -> Vec<Block> {
    let selections: BTreeSet<&str> = study
        .table
        .performance
        .iter()
        .map(|row| row.winners.as_str())
        .collect();
    let reached = selections.into_iter();
    let reached = reached.map(|name| (name.to_owned(), Reached::by(study, name)));
    let drawn = drawn_once(reached, Reached::is_as);
    let figures = drawn.iter().enumerate();
    figures
        .filter_map(|(index, (selections, reached))| one(study, index, selections, &reached.rows))
        .map(Block::Figure)
        .collect()
}

/// What the winners of a selection reach, and each seed's curve.
struct Reached<'a> {
    rows: Vec<&'a Performance>,
    seeds: Vec<&'a LearningCurve>,
}

impl<'a> Reached<'a> {
    fn by(study: &Study<'a>, selection: &str) -> Self {
        let rows = study.table.performance.iter();
        let methods = study.methods().iter();
        Reached {
            rows: rows.filter(|row| row.winners == selection).collect(),
            seeds: methods
                .flat_map(|method| confirmed(study, selection, method))
                .collect(),
        }
    }

    /// Are these the same trainings, whatever their stages are called?
    fn is_as(&self, other: &Self) -> bool {
        let row = |row: &'a Performance| (&row.entry, row.seeds, row.diverged, &row.metrics);
        let seed =
            |seed: &'a LearningCurve| (&seed.method, seed.batch_size, seed.seed, &seed.evaluations);
        let (rows, seeds) = (self.rows.iter(), self.seeds.iter());
        rows.map(|r| row(r)).eq(other.rows.iter().map(|r| row(r)))
            && seeds
                .map(|s| seed(s))
                .eq(other.seeds.iter().map(|s| seed(s)))
    }
}

fn one(
    study: &Study<'_>,
    index: usize,
    selections: &[String],
    rows: &[&Performance],
) -> Option<Figure> {
    let selection = &selections[0];
    let metrics: Vec<Metric> = shown()
        .filter(|metric| rows.iter().any(|row| row.metrics.contains_key(metric)))
        .collect();
    if metrics.is_empty() {
        return None;
    }
    let (width, height) = panel_size(metrics.len());
    let mut batches: Vec<u64> = rows.iter().map(|row| row.batch_size).collect();
    batches.sort_unstable();
    batches.dedup();
    let drawings: Vec<Drawing> = metrics
        .iter()
        .map(|metric| {
            let panel = panel(study, index, selection, rows, *metric);
            let values = panel.lines.iter().flat_map(|line| {
                let seeds = line.seeds.iter().map(|s| s.value);
                let points = line.points.iter().flat_map(Point::extent);
                seeds.chain(points)
            });
            let y = if metric.is_loss() {
                Scale::of(Spacing::Log10, values, 0.08)
            } else {
                let cut = panel
                    .lines
                    .iter()
                    .flat_map(|line| &line.points)
                    .any(|p| p.bar.is_some_and(|bar| bar.high.is_none()));
                let top = cut.then_some(1.0);
                Scale::of(Spacing::Linear, values.chain(top), 0.08).no_further(0.0, 1.0)
            };
            let axes = Axes {
                x: Scale::of(Spacing::Log2, batches.iter().map(|b| *b as f64), 0.08),
                y,
                batches: batches.clone(),
                width,
                height,
                percent: !metric.is_loss(),
            };
            axes.draw(&panel)
        })
        .collect();
    let seeds: usize = rows.iter().map(|row| row.seeds + row.diverged).sum();
    let curves = study
        .methods()
        .iter()
        .flat_map(|method| confirmed(study, selection, method));
    let stopped = curves
        .filter(|c| matches!(c.outcome, Outcome::Stopped { .. }))
        .count();
    let cut = metrics
        .iter()
        .any(|metric| is_cut(rows.iter().copied(), *metric));
    let report = std::iter::once((study.table.title.as_str(), study.table));
    Some(Figure {
        kind: Kind::Performance,
        parts: vec![
            Part::Legend(method_legend(study, |method| {
                rows.iter().any(|row| row.method == method)
            })),
            Part::Panels {
                pick: None,
                drawings,
            },
        ],
        data: frame::report::performance(report)
            .rows_where(["table"], |[table]| table.is_text(selection))
            .named(&format!("fig-performance-{}", index + 1)),
        caption: html! {
            "Final performance of each batch size's winner (stage"
            @if selections.len() > 1 { "s" }
            " " (words::name(&words::list(selections)))
            @if selections.len() > 1 { ", which chose the same" }
            "), trained again on fresh seeds (" (count(seeds, "run"))
            @if stopped > 0 { ", of which " (stopped) " ended before their budget was used up" }
            "). Large markers: mean over seeds with the 95\u{a0}% t interval. "
            "Small markers: each seed at its last evaluation. "
            @if cut {
                "An arrow ends an interval that would go beyond what is possible (100\u{a0}% or a loss of 0): the t \
                 interval assumes that seeds scatter evenly to both sides, which they do not so near the limit. "
            }
            "Crosses: seeds that diverged; they are in no mean. A single seed has no interval. Whether two methods \
             are comparable is decided by the claims, not by whether bars overlap."
        },
    })
}

/// Would some interval of this metric go on beyond what is possible?
pub(crate) fn is_cut<'p>(rows: impl IntoIterator<Item = &'p Performance>, metric: Metric) -> bool {
    rows.into_iter()
        .filter_map(|row| row.metrics.get(&metric)?.interval)
        .map(|interval| words::possible(metric, &interval))
        .any(|(low, high)| low.is_none() || high.is_none())
}

fn panel(
    study: &Study<'_>,
    index: usize,
    selection: &str,
    rows: &[&Performance],
    metric: Metric,
) -> Panel {
    let lines: Vec<Line> = study
        .methods()
        .iter()
        .filter(|method| rows.iter().any(|row| row.method == **method))
        .map(|method| {
            let label = words::method(method);
            let mine: Vec<&Performance> = rows
                .iter()
                .copied()
                .filter(|row| row.method == *method)
                .collect();
            let curves = confirmed(study, selection, method);
            let points = mine
                .iter()
                .filter_map(|row| {
                    let estimate = row.metrics.get(&metric)?;
                    let bar = estimate.interval.map(|interval| {
                        let (low, high) = words::possible(metric, &interval);
                        Bar { low, high }
                    });
                    Some(Point {
                        batch: row.batch_size,
                        value: estimate.value,
                        bar,
                        mark: Mark::Known,
                        said: words::in_line(&words::estimated(metric, estimate)),
                        more: curves
                            .iter()
                            .filter(|curve| curve.batch_size == row.batch_size)
                            .filter_map(|curve| {
                                let value = words::measured(metric, at_the_end(curve, metric)?);
                                Some(format!("{}: {value}", curve.seed))
                            })
                            .reduce(|all, seed| format!("{all}; {seed}"))
                            .map_or_else(String::new, |seeds| format!("seeds {seeds}")),
                    })
                })
                .collect();
            let mut line = Line::new(study.look(method), label.clone(), points);
            line.points.sort_by_key(|p| p.batch);
            line.seeds = curves
                .iter()
                .filter_map(|curve| {
                    Some(Seed {
                        batch: curve.batch_size,
                        value: at_the_end(curve, metric)?,
                        from: None,
                        above: false,
                    })
                })
                .collect();
            line.diverged = mine
                .iter()
                .filter(|row| row.diverged > 0)
                .map(|row| {
                    let of = count(row.seeds + row.diverged, "seed");
                    (
                        row.batch_size as f64,
                        format!(
                            "{label}, batch {}\n{} of {of} diverged",
                            row.batch_size, row.diverged
                        ),
                    )
                })
                .collect();
            line
        })
        .collect();
    Panel {
        id: format!(
            "performance-{}-{}",
            index + 1,
            metric.name().replace('_', "-")
        ),
        title: words::capital(&metric.to_string()),
        description: format!("Mean {metric} by batch size"),
        lines,
        reference: Vec::new(),
        label: words::axis(metric),
    }
}

/// The curves of the seeds that confirm a method's winners and did not diverge, by batch size and seed.
fn confirmed<'a>(study: &Study<'a>, selection: &str, method: &str) -> Vec<&'a LearningCurve> {
    let mut curves: Vec<&LearningCurve> = study
        .table
        .curves
        .iter()
        .filter(|c| c.role == Role::Confirmed && c.method == method)
        .filter(|c| c.winners.iter().any(|stage| stage == selection))
        .filter(|c| !matches!(c.outcome, Outcome::Diverged { .. }))
        .collect();
    curves.sort_by_key(|c| (c.batch_size, c.seed));
    curves
}

fn at_the_end(curve: &LearningCurve, metric: Metric) -> Option<f64> {
    metric.of(curve.evaluations.last()?)
}
