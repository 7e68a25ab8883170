//! The cells of a panel: colour and value, or the mark of why there is none. A page has thousands, so they
//! are written without an element around each: the script finds a cell by its place.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use analysis::Metric;
use analysis::heatmap::{CellState, Panel};
use maud::{Markup, PreEscaped, html};

use super::shades::Shades;
use crate::draw::colour::{PANEL, cividis};
use crate::draw::number::{fixed, significant};
use crate::draw::style::Style;
use crate::draw::svg::px;

/// Width of the smallest cell in which two digits can be read, in pixels.
pub(super) const SMALLEST: f64 = 24.0;

/// Width from which on a cell has room for a decimal, in pixels.
const ROOMY: f64 = 34.0;

/// Width and height of a cell where there is room for so much width.
pub(super) fn size(room: f64) -> (f64, f64) {
    let width = (2.0 * (room / 2.0).floor()).clamp(SMALLEST, 38.0);
    // Even, so that a cell's middle is a whole pixel.
    (width, if width < ROOMY { 24.0 } else { 30.0 })
}

/// Is there room for whole numbers only?
pub(super) fn is_small(size: (f64, f64)) -> bool {
    size.0 < ROOMY
}

/// The cell's value, if it has one.
pub(super) fn value(state: &CellState) -> Option<f64> {
    match state {
        CellState::Value { mean, .. } => Some(*mean),
        _ => None,
    }
}

/// Shades that are told apart: cells of equal shade are one path.
const SHADES: f64 = 47.0;

/// Draws all cells of a panel; `corner` is the upper left one of a cell by its index. `id`: of the drawing.
pub(super) fn all(
    id: &str,
    panel: &Panel,
    size: (f64, f64),
    corner: impl Fn(usize) -> (f64, f64) + Copy,
    metric: Metric,
    shades: &Shades,
) -> Markup {
    let (wide, high) = size;
    let small = is_small(size);
    let columns = panel.x_values.len().max(1);
    let hatch = format!("{id}-hatch");
    // What is drawn alike, each with all its cells.
    let mut looks: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut missing = String::new();
    // Pale values and others, by height from the top.
    let mut values: BTreeMap<(bool, i64), String> = BTreeMap::new();
    let (mut crosses, mut marks) = (String::new(), String::new());
    for (index, cell) in panel.cells.iter().enumerate() {
        let (x, y) = corner(index);
        let (mid, centre) = (x + wide / 2.0, y + high / 2.0);
        let look = match &cell.state {
            CellState::Value { mean, .. } => {
                let colour = cividis((shades.share(*mean) * SHADES).round() / SHADES);
                let text = if small {
                    shortest(metric, *mean)
                } else {
                    short(metric, *mean)
                };
                let (class, star) = if panel.best == Some(index) {
                    (" class=\"starred\" font-weight=\"700\"", "*")
                } else {
                    ("", "")
                };
                let row = values
                    .entry((colour.is_dark(), (centre + 4.0).round() as i64))
                    .or_default();
                let _ = write!(row, "<tspan{class} x=\"{}\">{text}{star}</tspan>", px(mid));
                format!("stroke=\"{}\"", colour.hex())
            }
            CellState::Diverged { .. } => {
                let _ = write!(
                    crosses,
                    "M{} {}l12 12m0-12l-12 12",
                    px(mid - 6.0),
                    px(centre - 6.0)
                );
                format!("stroke=\"url(#{hatch})\"")
            }
            CellState::StoppedEarly { .. } => {
                let _ = write!(marks, "M{} {}h9v9h-9z", px(mid - 4.5), px(centre - 4.5));
                format!("class=\"void\" stroke=\"{PANEL}\"")
            }
            CellState::NotEvaluated => {
                let _ = write!(marks, "M{} {}h8", px(mid - 4.0), px(centre));
                format!("class=\"void\" stroke=\"{PANEL}\"")
            }
            CellState::Missing => {
                let (wide, high) = (px(wide), px(high));
                let _ = write!(missing, "M{} {}h{wide}v{high}h-{wide}z", px(x), px(y));
                continue;
            }
        };
        looks.entry(look).or_default().push(index);
    }
    // As strokes as wide as a cell is high, neighbours in one.
    let strokes = |cells: &Vec<usize>| -> String {
        let stroke = |cells: &[usize]| {
            let (x, y) = corner(cells[0]);
            let long = wide * cells.len() as f64;
            format!("M{} {}h{}", px(x), px(y + high / 2.0), px(long))
        };
        let neighbours = cells.chunk_by(|a, b| a + 1 == *b && b % columns != 0);
        neighbours.map(stroke).collect::<Vec<String>>().concat()
    };
    html! {
        @if !crosses.is_empty() {
            pattern id=(hatch) width="9" height="9" patternUnits="userSpaceOnUse" {
                (Style::Ground.plain("M0 0h9v9h-9z"))
                (Style::Lost.plain("M-1 1L1 -1M0 9L9 0M8 10L10 8"))
            }
        }
        g.shades fill="none" stroke-width=(px(high)) {
            @for (look, cells) in &looks { (PreEscaped(format!("<path {look} d=\"{}\"/>", strokes(cells)))) }
        }
        (Style::Gaps.plain(&gaps(panel, size, corner)))
        @if !missing.is_empty() { (Style::Missing.plain(&missing)) }
        @if !marks.is_empty() { (Style::Lost.plain(&marks)) }
        @if !crosses.is_empty() { (Style::Cross.plain(&crosses)) }
        // By name, which no other surroundings change: the cells keep their colours, too.
        g.values text-anchor="middle" font-size=(if small { "9.5" } else { "10.5" }) fill="black" {
            @for ((pale, y), row) in &values { text fill=[pale.then_some("white")] y=(y) { (PreEscaped(row)) } }
        }
    }
}

/// Lines between the cells.
fn gaps(panel: &Panel, (wide, high): (f64, f64), corner: impl Fn(usize) -> (f64, f64)) -> String {
    let (columns, rows) = (panel.x_values.len(), panel.y_values.len());
    let cells = columns * rows;
    if cells == 0 {
        return String::new();
    }
    // Cells come by rows, the lowest first.
    let ((left, _), (_, top)) = (corner(0), corner(cells - 1));
    let up = (1..columns).map(|x| {
        let x = px(left + wide * x as f64);
        format!("M{x} {}v{}", px(top), px(high * rows as f64))
    });
    let across = (1..rows).map(|y| {
        let y = px(top + high * y as f64);
        format!("M{} {y}h{}", px(left), px(wide * columns as f64))
    });
    up.chain(across).collect()
}

/// A value in two digits.
fn shortest(metric: Metric, value: f64) -> String {
    if metric.is_loss() {
        significant(value, 1)
    } else {
        fixed(value * 100.0, 0)
    }
}

/// A value in three digits, as far as a cell is wide: the declared levels have as many.
fn short(metric: Metric, value: f64) -> String {
    if !metric.is_loss() {
        return fixed(value * 100.0, 1);
    }
    match value {
        v if v >= 99.95 => significant(v, 3),
        v if v >= 9.995 => fixed(v, 1),
        v if v >= 0.0995 => fixed(v, 2),
        v if v >= 0.00995 => fixed(v, 3),
        v => significant(v, 1),
    }
}
