//! Heatmaps: one panel per method and batch size, all on one colour scale,
//! with values in the cells and the good region outlined along their edges.

mod cell;
mod legend;
mod panel;
mod shades;

use std::collections::BTreeSet;

use analysis::Moment;
use analysis::heatmap::{HeatmapTable, Panel};
use analysis::report::Named;
use maud::{Markup, html};

use self::legend::legend;
use self::panel::Frame;
use self::shades::Shades;
use crate::document::{Block, Figure, Kind, Maps, Part};
use crate::draw::drawing::Drawing;
use crate::draw::number::count;
use crate::frame::tables::cells;
use crate::study::{Study, groups};
use crate::words;

/// Figures of a heatmap table: one per slice and group of stages.
pub(crate) fn figures(study: &Study<'_>, index: usize, named: &Named<HeatmapTable>) -> Vec<Block> {
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
    let mut blocks = Vec::new();
    for (place, (slice, panels)) in parts.iter().enumerate() {
        if place == 0 || parts[place - 1].0 != *slice {
            blocks.push(html! { h3 { "Sensitivity " (words::slice(*slice)) } }.into());
        }
        let tag = format!("{}-{}", index + 1, place + 1);
        blocks.push(Block::Figure(one(
            study, &tag, *slice, named, panels, &shades,
        )));
    }
    blocks
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
    study: &Study<'_>,
    tag: &str,
    slice: Moment,
    named: &Named<HeatmapTable>,
    panels: &[&Panel],
    shades: &Shades,
) -> Figure {
    let table = &named.table;
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
    // The data lists the panels' cells one after the other.
    let firsts: Vec<usize> = panels
        .iter()
        .scan(0, |next, panel| {
            let first = *next;
            *next += panel.cells.len();
            Some(first)
        })
        .collect();
    let level = table.good.at_least;
    let drawn = |row: &[(usize, &Panel)]| -> Vec<Drawing> {
        let leading = row[0].1;
        let drawings = row.iter().enumerate();
        drawings
            .map(|(place, &(index, panel))| {
                let alike = (&leading.y, &leading.y_values) == (&panel.y, &panel.y_values);
                let cells = panel.cells.iter();
                let configurations: Vec<Option<usize>> = cells
                    .map(|cell| study.configuration(cell.runs.first()?))
                    .collect();
                let place = panel::Place {
                    id: &panel::id(tag, index),
                    named: place == 0 || !alike,
                    first: firsts[index],
                    configurations: &configurations,
                };
                panel::draw(&frame, &place, panel, table.value, shades)
            })
            .collect()
    };
    let maps = Maps {
        label: format!("Heatmaps {}", words::slice(slice)),
        columns: frame.columns,
        width: frame.page(),
        rows: rows
            .iter()
            .map(|(method, stage, row)| {
                let stage = (method != stage).then(|| (*stage).to_owned());
                (words::method(method), stage, drawn(row))
            })
            .collect(),
    };
    let scale = shades.bar(&format!("scale-{tag}"), level).map(Part::Scale);
    let parts = [legend(panels, study.so_far.is_some())]
        .into_iter()
        .chain(scale)
        .chain([Part::Maps(maps)]);
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
        "A triangle beside an edge of the grid marks that good cells touch this edge. The region may go on beyond \
         it, so its share is a lower bound. Nothing is interpolated. Compare the size and place of the outline \
         between panels."
        (curvature(panels))
    };
    let mine = panels.iter();
    let mine = mine.map(|panel| (named.stage.as_str(), table.value, *panel));
    Figure {
        kind: Kind::Heatmap,
        parts: parts.collect(),
        caption,
        data: cells(mine).named(&format!("fig-heatmap-{tag}")),
    }
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
            " Beyond the dotted line dampings exceed the median eigenvalue of the curvature. There K-FAC is nearly \
             SGD with learning rate / damping, so a diagonal edge of the region is no finding."
        }
        @if all > 0 {
            " "
            @if all == told().count() { "All dampings" }
            @else if all == 1 { "In one panel without a line all dampings" }
            @else { "In " (all) " panels without a line all dampings" }
            " exceed " @if some { "it" } @else {
                "the median eigenvalue of the curvature. There K-FAC is nearly SGD with learning rate / damping, so \
                 a diagonal edge of the region is no finding"
            } "."
        }
    }
}
