//! One panel: the grid of one method and batch size.

use analysis::Metric;
use analysis::heatmap::{CellState, Panel, Side};
use maud::{Markup, html};

use super::cell::{self, CELL, value};
use super::shades::Shades;
use crate::draw::chart::Look;
use crate::draw::number::significant;
use crate::draw::svg::{px, shortened};
use crate::figure::outline::{outline, path};
use crate::words;

// Room around the grid, in pixels.
const LEFT: f64 = 46.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 41.0;
const RIGHT: f64 = 8.0;

/// Width and height of a panel, in pixels.
pub(super) fn size(panel: &Panel) -> (f64, f64) {
    (
        LEFT + CELL.0 * panel.x_values.len() as f64 + RIGHT,
        TOP + CELL.1 * panel.y_values.len() as f64 + BOTTOM,
    )
}

/// Draws a panel.
pub(super) fn draw(
    look: Look,
    tag: &str,
    index: usize,
    panel: &Panel,
    metric: Metric,
    shades: &Shades,
) -> Markup {
    let (width, height) = size(panel);
    let id = format!("map-{tag}-{}", index + 1);
    let (columns, rows) = (panel.x_values.len(), panel.y_values.len());
    let right = LEFT + CELL.0 * columns as f64;
    let bottom = TOP + CELL.1 * rows as f64;
    // Row 0 is the smallest y, at the bottom.
    let corner = |x: usize, y: usize| (LEFT + CELL.0 * x as f64, bottom - CELL.1 * y as f64);
    let method = words::method(&panel.method);
    let region = panel.regions.first();
    let heading = if panel.others.is_empty() {
        format!("batch {}", panel.batch_size)
    } else {
        format!(
            "batch {}, {}",
            panel.batch_size,
            words::settings(&panel.others)
        )
    };
    let share = region.map_or_else(String::new, |r| {
        let good = r.good.iter().filter(|g| **g).count();
        let bound = if r.touches.is_empty() { "" } else { "≥ " };
        format!("good: {bound}{good} of {}", r.known)
    });
    let x_name = words::setting(&panel.x);
    let y_name = words::setting(&panel.y);
    html! {
        svg id=(id) role="img" width=(px(width)) height=(px(height))
            viewBox={ "0 0 " (px(width)) " " (px(height)) } aria-labelledby={ (id) "-title " (id) "-desc" } {
            title id={ (id) "-title" } { (method) ", " (heading) }
            desc id={ (id) "-desc" } { (description(panel, metric, &x_name, &y_name)) }
            text.heading x=(px(LEFT)) y="14" { (shortened(&heading, ((width - LEFT) / 7.4) as usize)) }
            text.small.label x=(px(LEFT)) y="29" { (share) }
            @for (i, one) in panel.cells.iter().enumerate() {
                (cell::draw(&look.class(), panel, one, i, corner(i % columns.max(1), i / columns.max(1) + 1), metric, shades))
            }
            @for (i, value) in panel.x_values.iter().enumerate() {
                text.mid.small x=(px(corner(i, 0).0 + CELL.0 / 2.0)) y=(px(bottom + 17.0)) {
                    (significant(*value, 2))
                }
            }
            @for (j, value) in panel.y_values.iter().enumerate() {
                text.end.small x=(px(LEFT - 8.0)) y=(px(corner(0, j).1 - CELL.1 / 2.0 + 4.0)) {
                    (significant(*value, 2))
                }
            }
            text.mid.small.label x=(px(f64::midpoint(LEFT, right))) y=(px(height - 7.0)) {
                (shortened(&x_name, columns * 6))
            }
            text.mid.small.label transform={
                "translate(9 " (px(f64::midpoint(TOP, bottom))) ")rotate(-90)"
            } { (shortened(&y_name, rows * 5)) }
            @for (place, region) in panel.regions.iter().enumerate().rev() {
                @if region.good.len() == panel.cells.len() && columns > 0 {
                    @let d = path(&outline(&region.good, columns), corner);
                    @if !d.is_empty() {
                        path.halo d=(d) {}
                        path.outline.second[place > 0] d=(d) {}
                    }
                }
            }
            @if let Some(region) = region {
                @for side in &region.touches { (touch(*side, (LEFT, right), (TOP, bottom))) }
            }
        }
    }
}

/// A triangle outside of a side that good cells touch.
fn touch(side: Side, (left, right): (f64, f64), (top, bottom): (f64, f64)) -> Markup {
    let (x, y) = (f64::midpoint(left, right), f64::midpoint(top, bottom));
    let (d, name) = match side {
        Side::Left => (
            format!("M{} {}v10l-5 -5z", px(left - 2.5), px(y - 5.0)),
            "left",
        ),
        Side::Right => (
            format!("M{} {}v10l5 -5z", px(right + 2.5), px(y - 5.0)),
            "right",
        ),
        Side::Top => (
            format!("M{} {}h10l-5 -5z", px(x - 5.0), px(top - 2.5)),
            "top",
        ),
        Side::Bottom => (
            format!("M{} {}h10l-5 5z", px(x - 5.0), px(bottom + 2.5)),
            "bottom",
        ),
    };
    html! { path.touch d=(d) { title { "good cells touch the " (name) " side of the grid" } } }
}

fn description(panel: &Panel, metric: Metric, x: &str, y: &str) -> String {
    let of =
        |wanted: fn(&CellState) -> bool| panel.cells.iter().filter(|c| wanted(&c.state)).count();
    let best = panel.best.and_then(|i| panel.cells.get(i)).map_or_else(
        || "No cell has a value.".to_string(),
        |cell| {
            format!(
                "Best: {} at {x} {} and {y} {}.",
                value(&cell.state).map_or_else(String::new, |v| words::measured(metric, v)),
                significant(cell.x, 3),
                significant(cell.y, 3)
            )
        },
    );
    let regions: Vec<String> = panel
        .regions
        .iter()
        .map(|r| {
            let touched = if r.touches.is_empty() {
                String::new()
            } else {
                format!(", touching {}", words::sides(&r.touches))
            };
            format!(
                "{} of {} known cells are good ({}){touched}.",
                r.good.iter().filter(|g| **g).count(),
                r.known,
                words::rule(r.rule, metric)
            )
        })
        .collect();
    format!(
        "Grid of {x} by {y}, {} cells, {} diverged, {} ended early, {} not evaluated, {} without a run. {best} {}",
        panel.cells.len(),
        of(|s| matches!(s, CellState::Diverged { .. })),
        of(|s| matches!(s, CellState::StoppedEarly { .. })),
        of(|s| matches!(s, CellState::NotEvaluated)),
        of(|s| matches!(s, CellState::Missing)),
        regions.join(" ")
    )
}
