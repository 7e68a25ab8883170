//! Share of good cells against batch size: how a method's tolerance grows or
//! shrinks.

use analysis::heatmap::GoodRule;
use analysis::heatmap::HeatmapTable;
use analysis::report::Named;
use maud::html;

use super::by_batch::{Axes, Line, Mark, Panel, Point};
use super::heatmap::slices;
use super::{entry, method_legend, panel_size, ring};
use crate::document::{Block, Figure, Kind, Part};
use crate::draw::number::{percent, significant};
use crate::draw::scale::{Scale, Spacing};
use crate::frame::tables::regions;
use crate::study::{Study, groups};
use crate::words;

/// The figure of a heatmap table: a panel per slice, group of stages and rule.
pub(crate) fn one(study: &Study<'_>, index: usize, named: &Named<HeatmapTable>) -> Block {
    let table = &named.table;
    let mut panels = Vec::new();
    let rules = table
        .panels
        .iter()
        .map(|p| p.regions.len())
        .max()
        .unwrap_or(0);
    for slice in slices(table) {
        let here = || table.panels.iter().filter(move |p| p.at == slice);
        for group in groups(here().map(|p| (p.stage.as_str(), p.method.as_str()))) {
            for rule in 0..rules {
                let lines: Vec<Line> = group
                    .iter()
                    .map(|(stage, method)| {
                        let mine = here().filter(|p| p.stage == *stage && p.method == *method);
                        let points = mine.filter_map(|panel| point(panel, rule)).collect();
                        Line::new(study.look(method), words::method(method), points)
                    })
                    .collect();
                let said = here().find_map(|p| p.regions.get(rule)).map(|r| r.rule);
                let short = said.map_or_else(String::new, |r| words::rule_in_short(r, table.value));
                if lines.iter().any(|line| !line.points.is_empty()) {
                    panels.push(Panel {
                        id: format!("share-{}-{}", index + 1, panels.len() + 1),
                        title: format!("{}: {short}", words::capital(&words::slice(slice))),
                        description: "Share of good cells by batch size".into(),
                        lines,
                        reference: Vec::new(),
                        label: "share of good cells".into(),
                    });
                }
            }
        }
    }
    if panels.is_empty() {
        return html! {
            p.empty { "No panel has a cell with a known result and a rule for good cells, so there is no share to show." }
        }
        .into();
    }
    let (width, height) = panel_size(panels.len());
    let axes = Axes {
        x: Scale::of(
            Spacing::Log2,
            table.panels.iter().map(|p| p.batch_size as f64),
            0.08,
        ),
        y: Scale::of(Spacing::Linear, [0.0, 1.0], 0.03),
        batches: study
            .batches()
            .iter()
            .copied()
            .filter(|b| table.panels.iter().any(|p| p.batch_size == *b))
            .collect(),
        width,
        height,
        percent: true,
    };
    let mut legend = method_legend(study, |method| {
        table.panels.iter().any(|panel| panel.method == method)
    });
    legend.push(entry(ring(), "region touches the grid's edge: lower bound"));
    Block::Figure(Figure {
        kind: Kind::Share,
        parts: vec![
            Part::Legend(legend),
            Part::Panels {
                pick: None,
                drawings: panels.iter().map(|panel| axes.draw(panel)).collect(),
            },
        ],
        data: regions(std::slice::from_ref(named)).named(&format!("fig-share-{}", index + 1)),
        caption: html! {
            "Share of the grid's cells that are good (" (rules_in_words(table)) "), against batch size, from the \
             heatmaps above. \
             The grids: " (grids(table)) ". \
             Diverged cells count as not good; cells without a result are left out. A share depends on the grid that \
             was chosen, so compare how it changes with the batch size, not how high it is for each method. A \
             falling line means: the larger the batch, the more precisely the method must be tuned."
        },
    })
}

/// What the panels mean by good: `test accuracy ≥ 93 % or within 2 points of the best cell`.
fn rules_in_words(table: &HeatmapTable) -> String {
    let rules: Vec<String> = GoodRule::of(table.good)
        .into_iter()
        .map(|rule| words::rule(rule, table.value))
        .collect();
    rules.join(" or ")
}

/// The values of every method's grid: `K-FAC damping 0.003, 0.03 by learning
/// rate 0.1, 0.4`.
fn grids(table: &HeatmapTable) -> String {
    let mut grids: Vec<String> = Vec::new();
    for panel in &table.panels {
        let axis = |name: &str, values: &[f64]| {
            let values: Vec<String> = values.iter().map(|v| significant(*v, 2)).collect();
            format!("{} {}", words::setting(name), values.join(", "))
        };
        let grid = format!(
            "{}, {} × {} cells: {} by {}",
            words::method(&panel.method),
            panel.x_values.len(),
            panel.y_values.len(),
            axis(&panel.x, &panel.x_values),
            axis(&panel.y, &panel.y_values)
        );
        if !grids.contains(&grid) {
            grids.push(grid);
        }
    }
    grids.join("; ")
}

fn point(panel: &analysis::heatmap::Panel, rule: usize) -> Option<Point> {
    let region = panel.regions.get(rule)?;
    let value = region.share?;
    let good = region.good.iter().filter(|g| **g).count();
    let more = if region.touches.is_empty() {
        String::new()
    } else {
        format!("touches {}: a lower bound", words::sides(&region.touches))
    };
    Some(Point {
        batch: panel.batch_size,
        value,
        bar: None,
        mark: if region.touches.is_empty() {
            Mark::Known
        } else {
            Mark::Censored
        },
        said: format!("{good} of {} cells ({})", region.known, percent(value, 0)),
        more,
    })
}
