//! What the marks of a figure of heatmaps mean.

use analysis::heatmap::{CellState, GoodRule, Panel};
use maud::PreEscaped;

use super::panel::parts_dampings;
use crate::document::Part;
use crate::draw::style::Style;
use crate::draw::svg::cross;
use crate::figure::entry;

/// Does a mark occur, what it is drawn of, what it stands for.
type Meaning<'d> = (bool, &'d [(Style, &'d str)], &'d str);

/// What the marks mean, of those that occur.
///
/// `so_far`: a cell without a run may have one when the study is done.
pub(super) fn legend(panels: &[&Panel], so_far: bool) -> Part {
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
    let outlined = panels
        .iter()
        .any(|p| p.regions.iter().any(|r| r.good.contains(&true)));
    let touched = panels
        .iter()
        .any(|p| p.regions.first().is_some_and(|r| !r.touches.is_empty()));
    let (around, cell) = ("M9 2h16v10h-16z", "M7 1h20v12h-20z");
    let hatched = "M14 1L7 8M21 1L9 13M27 2L16 13M27 9L23 13";
    let crossed = cross(17.0, 7.0, 4.0);
    // Each with what it is drawn of.
    let marks: [Meaning<'_>; 8] = [
        (outlined, &[(Style::Outline, around)], "good region"),
        (
            several,
            &[(Style::Second, around)],
            "good by the second rule",
        ),
        (
            touched,
            &[(Style::Touch, "M14 2v10l6 -5z")],
            "region touches the edge of the grid",
        ),
        (
            panels.iter().any(|p| parts_dampings(p)),
            &[(Style::Curvature, "M17 0V14")],
            "dampings beyond it exceed the median curvature",
        ),
        (
            any(|s| matches!(s, CellState::Diverged { .. })),
            &[
                (Style::Cell, cell),
                (Style::Lost, hatched),
                (Style::Cross, &crossed),
            ],
            "diverged",
        ),
        (
            any(|s| matches!(s, CellState::StoppedEarly { .. })),
            &[(Style::Cell, cell), (Style::Lost, "M14 4h6v6h-6z")],
            "ended before the slice",
        ),
        (
            any(|s| matches!(s, CellState::NotEvaluated)),
            &[(Style::Cell, cell), (Style::Lost, "M14 7h6")],
            "not evaluated at this step",
        ),
        (
            any(|s| matches!(s, CellState::Missing)),
            &[(Style::Missing, cell)],
            if so_far {
                "no run yet"
            } else {
                "no run with these settings"
            },
        ),
    ];
    let shown = marks.into_iter().filter(|(there, ..)| *there);
    let entries = shown.map(|(_, paths, label)| {
        let drawn: String = paths.iter().map(|(style, d)| style.plain(d).0).collect();
        entry(PreEscaped(drawn), label)
    });
    Part::Legend(entries.collect())
}
