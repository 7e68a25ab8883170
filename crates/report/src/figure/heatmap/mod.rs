//! Heatmaps: one panel per method and batch size, all on one colour scale,
//! with values in the cells and the good region outlined along their edges.

mod cell;
mod legend;
mod panel;
mod shades;

use std::collections::BTreeSet;

use analysis::Moment;
use analysis::heatmap::{CellState, HeatmapTable, Panel};
use analysis::report::Named;
use maud::{Markup, html};

use self::cell::value;
use self::legend::legend;
use self::panel::Frame;
use self::shades::Shades;
use super::{data, figure};
use crate::book::{Book, Kind, groups};
use crate::csv::{Csv, measured};
use crate::draw::number::{count, exact, fixed, significant};
use crate::words;

/// Figures of a heatmap table: one per slice and group of stages.
pub(crate) fn figures(book: &Book<'_>, index: usize, named: &Named<HeatmapTable>) -> Markup {
    let table = &named.table;
    let shades = Shades::of(table);
    let mut parts: Vec<(Moment, Vec<&Panel>)> = Vec::new();
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

/// Method, stage, and the panels beside each other with their places in the
/// figure.
type Row<'p> = (&'p str, &'p str, Vec<(usize, &'p Panel)>);

/// The slices of a table in its order.
pub(crate) fn slices(table: &HeatmapTable) -> Vec<Moment> {
    let mut slices: Vec<Moment> = Vec::new();
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
    slice: Moment,
    table: &HeatmapTable,
    panels: &[&Panel],
    shades: &Shades,
) -> Markup {
    let series: BTreeSet<(&str, &str)> = panels
        .iter()
        .map(|p| (p.method.as_str(), p.stage.as_str()))
        .collect();
    let of = |key: (&str, &str)| -> Vec<(usize, &Panel)> {
        let indexed = panels.iter().copied().enumerate();
        indexed
            .filter(|(_, p)| (p.method.as_str(), p.stage.as_str()) == key)
            .collect()
    };
    let most = series.iter().map(|key| of(*key).len()).max().unwrap_or(1);
    let frame = Frame::fitting(panels, most);
    // The methods of the same batch sizes stand above each other.
    let rows: Vec<Row<'_>> = (0..most)
        .step_by(frame.columns)
        .flat_map(|from| series.iter().map(move |key| (key, from)))
        .map(|(key, from)| {
            let row = of(*key).into_iter().skip(from).take(frame.columns);
            (key.0, key.1, row.collect())
        })
        .filter(|(_, _, row): &Row<'_>| !row.is_empty())
        .collect();
    for (place, panel) in panels.iter().enumerate() {
        book.heatmap(&panel::id(tag, place), panel);
    }
    // The data lists the panels' cells one after the other.
    let first_rows: Vec<usize> = panels
        .iter()
        .scan(0, |next, panel| {
            let first = *next;
            *next += panel.cells.len();
            Some(first)
        })
        .collect();
    let level = table.good.at_least;
    let body = html! {
        (legend(panels))
        div.scroll { (shades.bar(&format!("scale-{tag}"), level)) }
        div.scroll tabindex="0" role="region" aria-label={ "Heatmaps " (words::slice(slice)) } {
            div.maps.fit-print style={
                "grid-template-columns:repeat(" (frame.columns) ",max-content);--print-zoom:"
                (fixed((680.0 / frame.page()).min(1.0), 2))
            } {
                @for (method, stage, row) in &rows {
                    p.method {
                        (words::name(&words::method(method)))
                        @if method != stage { span.quiet { " (" (words::name(stage)) ")" } }
                    }
                    @for (place, (index, panel)) in row.iter().enumerate() {
                        @let first = row[0].1;
                        @let named = place == 0 || (&first.y, &first.y_values) != (&panel.y, &panel.y_values);
                        div { (panel::draw(&frame, named, &panel::id(tag, *index), first_rows[*index], panel, table.value, shades)) }
                    }
                    // The next row starts on its own.
                    @if row.len() < frame.columns {
                        div style={ "grid-column:span " (frame.columns - row.len()) } {}
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
        @if seeds.last().is_some_and(|most| *most > 1) { "Mean " (table.value) }
        @else { (words::capital(&table.value.to_string())) }
        " " (words::slice(slice))
        @if !table.value.is_loss() {
            " in %"
            @if frame.is_small() { ", rounded," } @else { "," }
        }
        " over "
        @match (seeds.first(), seeds.last()) {
            (Some(low), Some(high)) if low != high => { (low) " to " (high) " seeds" }
            (Some(n), _) => { (count(*n, "seed")) }
            _ => { "no seeds" }
        }
        " a cell (" (count(runs, "run")) "), one panel per method and batch size, all on one colour \
         scale"
        @if !table.value.is_loss() { ", logarithmic in the errors" }
        "; lighter is better. The best cell of a panel is starred. "
        @if let Some(first) = rules.first() { "Outlined: " (first) ". " }
        @if let Some(second) = rules.get(1) { "Dashed: " (second) ". " }
        "A triangle outside of a side marks that good cells touch it: the region may go on beyond the \
         grid, so its share is a lower bound. Nothing is interpolated. Compare the size and place of \
         the outline from panel to panel."
        (curvature(panels))
    };
    figure(
        book,
        Kind::Heatmap,
        &format!("fig-heatmap-{tag}"),
        &body,
        &caption,
        &data(&csv(table, panels)),
    )
}

/// What is to be known of dampings beside the curvature; nothing where no run recorded it.
fn curvature(panels: &[&Panel]) -> Markup {
    let above = |panel: &Panel| {
        panel
            .dampings
            .iter()
            .filter(|level| !level.is_below_curvature())
            .count()
    };
    let told = || panels.iter().filter(|panel| !panel.dampings.is_empty());
    let all = told()
        .filter(|panel| above(panel) == panel.dampings.len())
        .count();
    let some = told().any(|panel| panel::parts_dampings(panel));
    html! {
        @if some {
            " Beyond the dotted line dampings exceed the median eigenvalue of the curvature: there K-FAC is nearly SGD \
             with learning rate / damping, and a diagonal edge of the region is built in."
        }
        @if all > 0 {
            " "
            @if all == told().count() { "All dampings" }
            @else if all == 1 { "In one panel without a line all dampings" }
            @else { "In " (all) " panels without a line all dampings" }
            " exceed " @if some { "it" } @else {
                "the median eigenvalue of the curvature, where K-FAC is nearly SGD with learning rate / damping, and a \
                 diagonal edge of the region is built in"
            } "."
        }
    }
}

/// A row a cell, panel by panel; a column for each setting on an axis, empty where a panel has another.
/// The state is empty where there is a value.
fn csv(table: &HeatmapTable, panels: &[&Panel]) -> String {
    let axes: BTreeSet<&str> = panels
        .iter()
        .flat_map(|p| [p.x.as_str(), p.y.as_str()])
        .collect();
    let others = panels.iter().any(|panel| !panel.others.is_empty());
    let mut head: Vec<String> = ["stage", "method", "batch_size"]
        .map(str::to_owned)
        .to_vec();
    head.extend(axes.iter().map(|axis| (*axis).to_owned()));
    head.extend(others.then(|| "others".to_owned()));
    head.extend(["state", table.value.name(), "good", "seeds"].map(str::to_owned));
    let mut csv = Csv::of(&head);
    for panel in panels {
        for (index, cell) in panel.cells.iter().enumerate() {
            let mut row = vec![
                panel.stage.clone(),
                panel.method.clone(),
                panel.batch_size.to_string(),
            ];
            row.extend(axes.iter().map(|axis| match *axis {
                axis if axis == panel.x => exact(cell.x),
                axis if axis == panel.y => exact(cell.y),
                _ => String::new(),
            }));
            row.extend(others.then(|| words::settings(&panel.others)));
            let seeds: Vec<String> = cell
                .seeds
                .iter()
                .map(|seed| match seed.state {
                    CellState::Value { mean, .. } => significant(mean, 4).replace('\u{2212}', "-"),
                    other => cell::state(&other).replace(' ', "_"),
                })
                .collect();
            let good = panel.regions.first().and_then(|r| r.good.get(index));
            row.push(match value(&cell.state) {
                Some(_) => String::new(),
                None => cell::state(&cell.state).to_owned(),
            });
            row.push(measured(value(&cell.state)));
            row.push(good.map_or_else(String::new, |good| u8::from(*good).to_string()));
            row.push(seeds.join(" "));
            csv.row(&row);
        }
    }
    csv.text()
}
