//! The cells of a panel: colour and value, or the mark of why there is none. A page has thousands, so they
//! are written without an element around each: the script finds a cell by its place.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use analysis::Metric;
use analysis::heatmap::{CellState, Panel};
use maud::{Markup, PreEscaped, html};

use super::shades::Shades;
use crate::draw::colour::cividis;
use crate::draw::number::{fixed, significant};
use crate::draw::svg::{cross, line_through, px};

/// Width of the smallest cell in which two digits can be read, in pixels.
pub(super) const SMALLEST: f64 = 24.0;

/// Width from which on a cell has room for a decimal, in pixels.
const ROOMY: f64 = 34.0;

/// Width and height of a cell where there is room for so much width.
pub(super) fn size(room: f64) -> (f64, f64) {
    let width = room.floor().clamp(SMALLEST, 38.0);
    (width, if width < ROOMY { 23.0 } else { 30.0 })
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

/// A cell's state in the words of the data.
pub(super) fn state(state: &CellState) -> &'static str {
    match state {
        CellState::Value { .. } => "value",
        CellState::Diverged { .. } => "diverged",
        CellState::StoppedEarly { .. } => "ended early",
        CellState::NotEvaluated => "not evaluated",
        CellState::Missing => "missing",
    }
}

/// Shades that are told apart: cells of equal shade are one path.
const SHADES: f64 = 63.0;

/// Draws all cells of a panel; `corner` is the upper left one of a cell by its index.
pub(super) fn all(
    panel: &Panel,
    size: (f64, f64),
    corner: impl Fn(usize) -> (f64, f64),
    metric: Metric,
    shades: &Shades,
) -> Markup {
    let (wide, high) = size;
    let small = is_small(size);
    // What is drawn alike, each with all its places.
    let mut areas: BTreeMap<String, String> = BTreeMap::new();
    // By height, from the top.
    let mut values: BTreeMap<i64, String> = BTreeMap::new();
    let (mut strokes, mut crosses, mut marks) = (String::new(), String::new(), String::new());
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
                let (starred, star) = if panel.best == Some(index) {
                    ("starred", "*")
                } else {
                    ("", "")
                };
                let class = match (colour.is_dark(), starred) {
                    (false, "") => String::new(),
                    (true, "") => " class=\"pale\"".into(),
                    (false, starred) => format!(" class=\"{starred}\""),
                    (true, starred) => format!(" class=\"pale {starred}\""),
                };
                let row = values.entry((centre + 4.0).round() as i64).or_default();
                let _ = write!(row, "<tspan{class} x=\"{}\">{text}{star}</tspan>", px(mid));
                format!("fill=\"{}\"", colour.hex())
            }
            CellState::Diverged { .. } => {
                strokes += &hatch((x, y), size);
                crosses += &cross(mid, centre, 6.0);
                "class=\"void\"".into()
            }
            CellState::StoppedEarly { .. } => {
                let _ = write!(marks, "M{} {}h9v9h-9z", px(mid - 4.5), px(centre - 4.5));
                "class=\"void\"".into()
            }
            CellState::NotEvaluated => {
                let _ = write!(marks, "M{} {}h8", px(mid - 4.0), px(centre));
                "class=\"void\"".into()
            }
            CellState::Missing => "class=\"missing\"".into(),
        };
        let _ = write!(
            areas.entry(look).or_default(),
            "M{} {}h{}v{}h-{}z",
            px(x),
            px(y),
            px(wide),
            px(high),
            px(wide)
        );
    }
    html! {
        g.cells { @for (look, d) in &areas { (PreEscaped(format!("<path {look} d=\"{d}\"/>"))) } }
        @if !marks.is_empty() { path.lost d=(marks) {} }
        @if !crosses.is_empty() {
            path.lost d=(strokes) {}
            path.lost.thick d=(crosses) {}
        }
        g.values.tiny[small] { @for (y, row) in &values { text y=(y) { (PreEscaped(row)) } } }
    }
}

/// Strokes across a cell.
fn hatch((x, y): (f64, f64), (wide, high): (f64, f64)) -> String {
    let strokes = [0.4_f64, 0.8, 1.2, 1.6].map(|share| {
        // From the upper or right side down to the left or lower one.
        let (near, far) = (share.min(1.0), (share - 1.0).max(0.0));
        line_through([
            (x + wide * near, y + high * far),
            (x + wide * far, y + high * near),
        ])
    });
    strokes.concat()
}

/// A value in two digits.
fn shortest(metric: Metric, value: f64) -> String {
    if metric.is_loss() {
        significant(value, 1)
    } else {
        fixed(value * 100.0, 0)
    }
}

/// A value as short as a cell is wide.
fn short(metric: Metric, value: f64) -> String {
    if metric.is_loss() {
        significant(value, 2)
    } else {
        fixed(value * 100.0, 1)
    }
}
