//! What the confirmed winners reach: every fresh seed, mean and interval.

use std::collections::BTreeSet;

use analysis::report::{Performance, Role};
use analysis::{Metric, Outcome};
use maud::{Markup, html};

use super::by_batch::{Axes, Line, Mark, Panel, Point, Seed};
use super::{figure, method_entry, panel_size};
use crate::book::{Book, Kind};
use crate::csv::{Csv, number};
use crate::draw::number::count;
use crate::draw::scale::{Scale, Spacing};
use crate::words;

/// Metrics in the order in which they are shown.
pub(crate) const SHOWN: [Metric; 4] = [
    Metric::TestAccuracy,
    Metric::ValidationAccuracy,
    Metric::TrainLoss,
    Metric::TestLoss,
];

/// A figure for each selection whose winners were confirmed; the section says
/// so where there is none.
pub(crate) fn figures(book: &Book<'_>) -> Markup {
    let selections: BTreeSet<&str> = book
        .table
        .performance
        .iter()
        .map(|row| row.winners.as_str())
        .collect();
    // A curve does not say which selection it confirms.
    let seeds = selections.len() == 1;
    html! {
        @for (index, selection) in selections.iter().enumerate() {
            @let rows: Vec<&Performance> =
                book.table.performance.iter().filter(|row| row.winners == *selection).collect();
            (one(book, index, selection, &rows, seeds))
        }
    }
}

fn one(
    book: &Book<'_>,
    index: usize,
    selection: &str,
    rows: &[&Performance],
    with_seeds: bool,
) -> Markup {
    let metrics: Vec<Metric> = SHOWN
        .into_iter()
        .filter(|metric| rows.iter().any(|row| row.metrics.contains_key(metric)))
        .collect();
    if metrics.is_empty() {
        return html! {};
    }
    let (width, height, class) = panel_size(metrics.len());
    let mut batches: Vec<u64> = rows.iter().map(|row| row.batch_size).collect();
    batches.sort_unstable();
    batches.dedup();
    let drawings: Vec<Markup> = metrics
        .iter()
        .map(|metric| {
            let panel = panel(book, index, rows, *metric, with_seeds);
            let values = panel.lines.iter().flat_map(|line| {
                let seeds = line.seeds.iter().map(|s| s.value);
                let ends = |p: &Point| {
                    [
                        p.value,
                        p.bar.map_or(p.value, |b| b.0),
                        p.bar.map_or(p.value, |b| b.1),
                    ]
                };
                seeds.chain(line.points.iter().flat_map(ends))
            });
            let spacing = if metric.is_loss() {
                Spacing::Log10
            } else {
                Spacing::Linear
            };
            let axes = Axes {
                x: Scale::of(Spacing::Log2, batches.iter().map(|b| *b as f64), 0.08),
                y: Scale::of(spacing, values, 0.08),
                batches: batches.clone(),
                width,
                height,
                percent: !metric.is_loss(),
            };
            axes.draw(&panel)
        })
        .collect();
    let seeds: usize = rows.iter().map(|row| row.seeds + row.diverged).sum();
    figure(
        book,
        Kind::Performance,
        &format!("fig-performance-{}", index + 1),
        &html! {
            ul.legend {
                @for method in book.methods().iter().filter(|m| rows.iter().any(|r| r.method == **m)) {
                    (method_entry(book.look(method), &words::name(&words::method(method))))
                }
            }
            div class=(class) { @for drawing in &drawings { (drawing) } }
        },
        &html! {
            "Final performance of each batch size's winner (stage " (words::name(selection))
            "), trained again on fresh seeds (" (count(seeds, "run"))
            "). Large markers: mean over seeds with the 95\u{a0}% t interval. "
            @if with_seeds { "Small markers: each seed at its last evaluation. " }
            "Crosses: seeds that diverged, which no mean contains. Whether methods are \
             comparable is for the claims to decide, not for bars that overlap; a single seed shows no interval."
        },
        Some(&csv(rows)),
    )
}

fn panel(
    book: &Book<'_>,
    index: usize,
    rows: &[&Performance],
    metric: Metric,
    with_seeds: bool,
) -> Panel {
    let lines: Vec<Line> = book
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
            let points = mine
                .iter()
                .filter_map(|row| {
                    let estimate = row.metrics.get(&metric)?;
                    let bar = estimate.interval.and_then(|i| i.low.zip(i.high));
                    Some(Point {
                        batch: row.batch_size,
                        value: estimate.value,
                        bar,
                        mark: Mark::Known,
                        tip: format!(
                            "{label}, batch {}\n{metric} {}\n{}",
                            row.batch_size,
                            words::estimated(metric, estimate),
                            count(row.seeds, "seed")
                        ),
                    })
                })
                .collect();
            let mut line = Line::new(book.look(method), label.clone(), points);
            line.points.sort_by_key(|p| p.batch);
            if with_seeds {
                line.seeds = seeds(book, method, metric);
            }
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
    let spoken: Vec<String> = lines
        .iter()
        .flat_map(|l| l.points.iter().map(|p| p.tip.replace('\n', ", ")))
        .collect();
    Panel {
        id: format!(
            "performance-{}-{}",
            index + 1,
            metric.name().replace('_', "-")
        ),
        title: words::capital(&metric.to_string()),
        description: format!("{metric} by batch size. {}.", spoken.join(". ")),
        lines,
        reference: Vec::new(),
        label: words::axis(metric),
    }
}

fn seeds(book: &Book<'_>, method: &str, metric: Metric) -> Vec<Seed> {
    let mut curves: Vec<_> = book
        .table
        .curves
        .iter()
        .filter(|c| c.role == Role::Confirmed && c.method == method)
        .filter(|c| !matches!(c.outcome, Outcome::Diverged { .. }))
        .collect();
    curves.sort_by_key(|c| (c.batch_size, c.seed));
    curves
        .into_iter()
        .filter_map(|curve| {
            let value = metric.of(curve.evaluations.last()?)?;
            Some(Seed {
                batch: curve.batch_size,
                value,
                from: None,
                above: false,
                tip: format!(
                    "{}, batch {}, seed {}\n{metric} {}",
                    words::method(method),
                    curve.batch_size,
                    curve.seed,
                    words::measured(metric, value)
                ),
            })
        })
        .collect()
}

fn csv(rows: &[&Performance]) -> String {
    let mut csv = Csv::new([
        "method",
        "batch_size",
        "metric",
        "mean",
        "low",
        "high",
        "seeds",
        "diverged",
    ]);
    for row in rows {
        for (metric, estimate) in &row.metrics {
            csv.row(&[
                row.method.clone(),
                row.batch_size.to_string(),
                metric.name().into(),
                estimate.value.to_string(),
                number(estimate.interval.and_then(|i| i.low)),
                number(estimate.interval.and_then(|i| i.high)),
                row.seeds.to_string(),
                row.diverged.to_string(),
            ]);
        }
    }
    csv.text()
}
