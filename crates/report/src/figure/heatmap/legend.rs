//! What the marks of a figure of heatmaps mean.

use analysis::heatmap::{CellState, GoodRule, Panel};
use maud::{Markup, html};

use super::panel::parts_dampings;
use crate::draw::svg::cross;
use crate::figure::legend_drawing;

/// What the marks mean, of those that occur.
pub(super) fn legend(panels: &[&Panel]) -> Markup {
    let any = |wanted: fn(&CellState) -> bool| {
        panels
            .iter()
            .any(|p| p.cells.iter().any(|c| wanted(&c.state)))
    };
    let rule = |wanted: fn(GoodRule) -> bool| {
        panels
            .iter()
            .any(|p| p.regions.iter().any(|r| wanted(r.rule)))
    };
    let several = panels
        .iter()
        .any(|p| p.regions.iter().skip(1).any(|r| r.good.contains(&true)))
        && rule(|r| matches!(r, GoodRule::AtLeast(_)))
        && rule(|r| matches!(r, GoodRule::Within(_)));
    html! {
        ul.legend {
            @if panels.iter().any(|p| p.regions.iter().any(|r| r.good.contains(&true))) {
                (legend_drawing(&html! { path.outline d="M9 2h16v10h-16z" {} }, "good region"))
            }
            @if several {
                (legend_drawing(&html! { path.outline.second d="M9 2h16v10h-16z" {} }, "good by the second rule"))
            }
            @if panels.iter().any(|p| p.regions.first().is_some_and(|r| !r.touches.is_empty())) {
                (legend_drawing(&html! { path.touch d="M14 2v10l6 -5z" {} }, "region touches the edge of the grid"))
            }
            @if panels.iter().any(|p| parts_dampings(p)) {
                (legend_drawing(&html! { path.curvature d="M17 0V14" {} }, "dampings beyond it exceed the median curvature"))
            }
            @if any(|s| matches!(s, CellState::Diverged { .. })) {
                (legend_drawing(&html! {
                    path.cell d="M7 1h20v12h-20z" {}
                    path.lost d="M14 1L7 8M21 1L9 13M27 2L16 13M27 9L23 13" {}
                    path.lost.thick d=(cross(17.0, 7.0, 4.0)) {}
                }, "diverged"))
            }
            @if any(|s| matches!(s, CellState::StoppedEarly { .. })) {
                (legend_drawing(&html! {
                    path.cell d="M7 1h20v12h-20z" {}
                    path.lost d="M14 4h6v6h-6z" {}
                }, "ended before the slice"))
            }
            @if any(|s| matches!(s, CellState::NotEvaluated)) {
                (legend_drawing(&html! {
                    path.cell d="M7 1h20v12h-20z" {}
                    path.lost d="M14 7h6" {}
                }, "not evaluated at this step"))
            }
            @if any(|s| matches!(s, CellState::Missing)) {
                (legend_drawing(
                    &html! { path.cell.missing d="M7 1h20v12h-20z" fill="none" {} },
                    "no run with these settings",
                ))
            }
        }
    }
}
