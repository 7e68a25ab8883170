//! One cell: its colour and value, or the mark of why it has none.

use analysis::Metric;
use analysis::heatmap::{Cell, CellState, Panel};
use maud::{Markup, html};

use super::shades::Shades;
use crate::draw::colour::cividis;
use crate::draw::number::{count, exact, fixed, grouped, significant};
use crate::draw::svg::{cross, line_through, px};
use crate::words;

/// Width and height of a cell, in pixels.
pub(super) const CELL: (f64, f64) = (37.0, 30.0);

/// The cell's value, if it has one.
pub(super) fn value(state: &CellState) -> Option<f64> {
    match state {
        CellState::Value { mean, .. } => Some(*mean),
        _ => None,
    }
}

/// Draws the cell with its upper left corner at the given place; cells of equal
/// `link` and index light up together.
pub(super) fn draw(
    link: &str,
    panel: &Panel,
    cell: &Cell,
    index: usize,
    (x, y): (f64, f64),
    metric: Metric,
    shades: &Shades,
) -> Markup {
    let (mid, centre) = (x + CELL.0 / 2.0, y + CELL.1 / 2.0);
    let area = |fill: &str, class: &str| {
        html! {
            path.cell.(class) fill=(fill) d={
                "M" (px(x)) " " (px(y)) "h" (CELL.0) "v" (CELL.1) "h-" (CELL.0) "z"
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
                    text.value.pale[colour.is_dark()].starred[panel.best == Some(index)]
                        x=(px(mid)) y=(px(centre + 4.0)) {
                        (short(metric, mean))
                        @if panel.best == Some(index) { "*" }
                    }
                }
                CellState::Diverged { .. } => {
                    (area("none", "void"))
                    path.lost d=(hatch(x, y)) {}
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
fn hatch(x: f64, y: f64) -> String {
    let strokes: Vec<String> = [0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75]
        .map(|share: f64| {
            // From the upper or right side down to the left or lower one.
            let (near, far) = (share.min(1.0), (share - 1.0).max(0.0));
            line_through([
                (x + CELL.0 * near, y + CELL.1 * far),
                (x + CELL.0 * far, y + CELL.1 * near),
            ])
        })
        .to_vec();
    strokes.concat()
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
