//! Heatmaps: one panel per method and batch size, all on one colour scale,
//! with values in the cells and the good region outlined along their edges.

mod cell;
mod legend;
mod panel;
mod shades;

use std::collections::BTreeSet;

use analysis::Slice;
use analysis::heatmap::{CellState, HeatmapTable, Panel};
use analysis::report::Named;
use maud::{Markup, html};

use self::cell::value;
use self::legend::legend;
use self::shades::Shades;
use super::figure;
use crate::book::{Book, Kind, groups};
use crate::csv::{Csv, number};
use crate::draw::number::{count, fixed};
use crate::words;

/// What fits beside each other on a wide page, in pixels.
const PAGE: f64 = 1072.0;

/// Figures of a heatmap table: one per slice and group of stages.
pub(crate) fn figures(book: &Book<'_>, index: usize, named: &Named<HeatmapTable>) -> Markup {
    let table = &named.table;
    let shades = Shades::of(table);
    let mut parts: Vec<(Slice, Vec<&Panel>)> = Vec::new();
    for slice in slices(table) {
        let here = || table.panels.iter().filter(move |p| p.at == slice);
        for group in groups(here().map(|p| (p.stage.as_str(), p.method.as_str()))) {
            let mine = |p: &&Panel| group.contains(&(p.stage.as_str(), p.method.as_str()));
            parts.push((slice, here().filter(mine).collect()));
        }
    }
    html! {
        @for (place, (slice, panels)) in parts.iter().enumerate() {
            @if place == 0 || parts[place - 1].0 != *slice { h3 { "Sensitivity " (words::slice(*slice)) } }
            (one(book, &format!("{}-{}", index + 1, place + 1), *slice, table, panels, &shades))
        }
    }
}

/// The slices of a table in its order.
pub(crate) fn slices(table: &HeatmapTable) -> Vec<Slice> {
    let mut slices: Vec<Slice> = Vec::new();
    for panel in &table.panels {
        if !slices.contains(&panel.at) {
            slices.push(panel.at);
        }
    }
    slices
}

fn one(
    book: &Book<'_>,
    tag: &str,
    slice: Slice,
    table: &HeatmapTable,
    panels: &[&Panel],
    shades: &Shades,
) -> Markup {
    let methods: BTreeSet<(&str, &str)> = panels
        .iter()
        .map(|p| (p.method.as_str(), p.stage.as_str()))
        .collect();
    let widest = panels.iter().map(|p| panel::size(p).0).fold(0.0, f64::max);
    let most = methods
        .iter()
        .map(|key| {
            panels
                .iter()
                .filter(|p| (p.method.as_str(), p.stage.as_str()) == *key)
                .count()
        })
        .max()
        .unwrap_or(1);
    // A row per method where all batch sizes fit, else a row per batch size.
    let by_method = (widest + 14.0) * most as f64 <= PAGE + 14.0;
    let columns = if by_method { most } else { methods.len() };
    let natural = (widest + 14.0) * columns as f64;
    let draw = |index: usize, panel: &Panel| {
        panel::draw(
            book.look(&panel.method),
            tag,
            index,
            panel,
            table.value,
            shades,
        )
    };
    let level = table.good.at_least;
    let body = html! {
        (legend(panels))
        div.scroll { (shades.bar(&format!("scale-{tag}"), level)) }
        div.scroll tabindex="0" role="region" aria-label={ "Heatmaps " (words::slice(slice)) } {
            div.maps.fit-print style={
                "grid-template-columns:repeat(" (columns) ",max-content);--print-zoom:"
                (fixed((680.0 / natural).min(1.0), 2))
            } {
                @if by_method {
                    @for (method, stage) in &methods {
                        p.method {
                            (words::name(&words::method(method)))
                            span.quiet { " (" (words::name(stage)) ")" }
                        }
                        @for (index, panel) in panels.iter().enumerate() {
                            @if (panel.method.as_str(), panel.stage.as_str()) == (method, stage) {
                                div { (draw(index, panel)) }
                            }
                        }
                        // The next method starts its own row.
                        @let drawn = panels.iter().filter(|p| (p.method.as_str(), p.stage.as_str()) == (*method, *stage)).count();
                        @if drawn < columns { div style={ "grid-column:span " (columns - drawn) } {} }
                    }
                } @else {
                    @for (method, stage) in &methods {
                        p.method.column {
                            (words::name(&words::method(method)))
                            span.quiet { " (" (words::name(stage)) ")" }
                        }
                    }
                    @for row in rows(panels) {
                        @for key in &methods {
                            div {
                                @for (index, panel) in &row {
                                    @if (panel.method.as_str(), panel.stage.as_str()) == *key { (draw(*index, panel)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    };
    let seeds: BTreeSet<usize> = panels
        .iter()
        .flat_map(|p| p.cells.iter().map(|c| c.seeds.len()))
        .collect();
    let runs: usize = panels
        .iter()
        .flat_map(|p| p.cells.iter().map(|c| c.runs.len()))
        .sum();
    let rules: Vec<String> = panels
        .first()
        .map(|p| {
            p.regions
                .iter()
                .map(|r| words::rule(r.rule, table.value))
                .collect()
        })
        .unwrap_or_default();
    let caption = html! {
        "Mean " (table.value) " " (words::slice(slice))
        @if !table.value.is_loss() { " in %," }
        " over "
        @match (seeds.first(), seeds.last()) {
            (Some(low), Some(high)) if low != high => { (low) " to " (high) " seeds" }
            (Some(n), _) => { (count(*n, "seed")) }
            _ => { "no seeds" }
        }
        " a cell (" (count(runs, "run")) "), one panel per method and batch size, all on one colour \
         scale; lighter is better. The best cell of a panel is starred. "
        @if let Some(first) = rules.first() { "Outlined: " (first) ". " }
        @if let Some(second) = rules.get(1) { "Dashed: " (second) ". " }
        "A triangle outside of a side marks that good cells touch it: the region may go on beyond the \
         grid, so its share is a lower bound. Nothing is interpolated. Compare the size and place of \
         the outline from panel to panel."
    };
    figure(
        book,
        Kind::Heatmap,
        &format!("fig-heatmap-{tag}"),
        &body,
        &caption,
        Some(&csv(table, panels)),
    )
}

/// Panels by batch size and other settings, ascending.
fn rows<'p>(panels: &[&'p Panel]) -> Vec<Vec<(usize, &'p Panel)>> {
    let key = |p: &Panel| {
        (
            p.batch_size,
            serde_json::Value::from_iter(p.others.clone()).to_string(),
        )
    };
    let keys: BTreeSet<_> = panels.iter().map(|p| key(p)).collect();
    keys.into_iter()
        .map(|k| {
            panels
                .iter()
                .copied()
                .enumerate()
                .filter(|(_, p)| key(p) == k)
                .collect()
        })
        .collect()
}

fn csv(table: &HeatmapTable, panels: &[&Panel]) -> String {
    let mut csv = Csv::new([
        "stage",
        "method",
        "batch_size",
        "x",
        "x_value",
        "y",
        "y_value",
        "state",
        "seeds",
        "metric",
        "mean",
        "good",
    ]);
    for panel in panels {
        for (index, cell) in panel.cells.iter().enumerate() {
            let state = match cell.state {
                CellState::Value { .. } => "value",
                CellState::Diverged { .. } => "diverged",
                CellState::StoppedEarly { .. } => "ended early",
                CellState::NotEvaluated => "not evaluated",
                CellState::Missing => "missing",
            };
            let good = panel.regions.first().and_then(|r| r.good.get(index));
            csv.row(&[
                panel.stage.clone(),
                panel.method.clone(),
                panel.batch_size.to_string(),
                panel.x.clone(),
                cell.x.to_string(),
                panel.y.clone(),
                cell.y.to_string(),
                state.into(),
                cell.seeds.len().to_string(),
                table.value.name().into(),
                number(value(&cell.state)),
                good.map_or_else(String::new, bool::to_string),
            ]);
        }
    }
    csv.text()
}
