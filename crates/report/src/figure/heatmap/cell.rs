//! One cell: its colour and value, or the mark of why it has none.

use analysis::Metric;
use analysis::heatmap::{Cell, CellState, Panel};
use maud::{Markup, html};

use super::shades::Shades;
use crate::draw::colour::cividis;
use crate::draw::number::{count, exact, fixed, grouped, significant};
use crate::draw::svg::{cross, line_through, px};
use crate::words;

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

/// Where a cell is drawn; cells of equal `link` and index light up together.
pub(super) struct Place<'a> {
    pub(super) link: &'a str,
    pub(super) index: usize,
    /// Its upper left corner.
    pub(super) corner: (f64, f64),
    /// Its width and height.
    pub(super) size: (f64, f64),
}

/// The cell's value, if it has one.
pub(super) fn value(state: &CellState) -> Option<f64> {
    match state {
        CellState::Value { mean, .. } => Some(*mean),
        _ => None,
    }
}

/// Draws the cell.
pub(super) fn draw(
    place: &Place<'_>,
    panel: &Panel,
    cell: &Cell,
    metric: Metric,
    shades: &Shades,
) -> Markup {
    let &Place {
        link,
        index,
        corner: (x, y),
        size: (wide, high),
    } = place;
    let (mid, centre) = (x + wide / 2.0, y + high / 2.0);
    let small = is_small(place.size);
    let area = |fill: &str, class: &str| {
        html! {
            path.cell.(class) fill=(fill) d={
                "M" (px(x)) " " (px(y)) "h" (px(wide)) "v" (px(high)) "h-" (px(wide)) "z"
            } {}
        }
    };
    html! {
        g data-link={ (link) "-" (index) } {
            title { (tip(panel, cell, metric)) }
            @match cell.state {
                CellState::Value { mean, .. } => {
                    @let colour = cividis(shades.share(mean));
                    (area(&colour.hex(), "known"))
                    text.value.tiny[small].pale[colour.is_dark()].starred[panel.best == Some(index)]
                        x=(px(mid)) y=(px(centre + 4.0)) {
                        @if small { (shortest(metric, mean)) } @else { (short(metric, mean)) }
                        @if panel.best == Some(index) { "*" }
                    }
                }
                CellState::Diverged { .. } => {
                    (area("none", "void"))
                    path.lost d=(hatch(x, y, place.size)) {}
                    path.lost.thick d=(cross(mid, centre, 6.0)) {}
                }
                CellState::StoppedEarly { .. } => {
                    (area("none", "void"))
                    path.lost d={ "M" (px(mid - 4.5)) " " (px(centre - 4.5)) "h9v9h-9z" } {}
                }
                CellState::NotEvaluated => {
                    (area("none", "void"))
                    text.mid.label x=(px(mid)) y=(px(centre + 4.0)) { "–" }
                }
                CellState::Missing => { (area("none", "missing")) }
            }
        }
    }
}

/// Strokes across a cell.
fn hatch(x: f64, y: f64, (wide, high): (f64, f64)) -> String {
    let strokes: Vec<String> = [0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75]
        .map(|share: f64| {
            // From the upper or right side down to the left or lower one.
            let (near, far) = (share.min(1.0), (share - 1.0).max(0.0));
            line_through([
                (x + wide * near, y + high * far),
                (x + wide * far, y + high * near),
            ])
        })
        .to_vec();
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

fn state(cell: &Cell, metric: Metric) -> String {
    match cell.state {
        CellState::Value { mean, seeds } => {
            format!(
                "{metric} {}, mean of {}",
                words::measured(metric, mean),
                count(seeds, "seed")
            )
        }
        CellState::Diverged { diverged, seeds } => {
            format!("{diverged} of {} diverged", count(seeds, "seed"))
        }
        CellState::StoppedEarly { step } => {
            format!("ended at step {}, before the slice", grouped(step))
        }
        CellState::NotEvaluated => "not evaluated at this step".into(),
        CellState::Missing => "no run".into(),
    }
}

fn tip(panel: &Panel, cell: &Cell, metric: Metric) -> String {
    let mut tip = format!(
        "{}, batch {}\n{} {}, {} {}\n{}",
        words::method(&panel.method),
        panel.batch_size,
        words::setting(&panel.x),
        exact(cell.x),
        words::setting(&panel.y),
        exact(cell.y),
        state(cell, metric),
    );
    if let [_, _, ..] = cell.seeds[..] {
        let words: Vec<String> = cell
            .seeds
            .iter()
            .map(|seed| match seed.state {
                CellState::Value { mean, .. } => short(metric, mean),
                CellState::Diverged { .. } => "diverged".into(),
                CellState::StoppedEarly { .. } => "ended early".into(),
                CellState::NotEvaluated => "not evaluated".into(),
                CellState::Missing => "no run".into(),
            })
            .collect();
        tip.push_str("\nseeds ");
        tip.push_str(&words.join(", "));
    }
    tip
}
