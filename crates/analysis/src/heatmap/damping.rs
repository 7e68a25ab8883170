//! How large the dampings of a grid are beside the curvature that its runs recorded.

use super::DampingLevel;
use super::grid::Grid;
use crate::statistics::median;
use crate::{Moment, Run};

/// The levels of the axis `damping` with the curvature of their runs up to a slice, ascending. Empty
/// without such an axis, or if no run recorded its curvature.
pub(super) fn levels(grid: &Grid<'_>, at: Moment) -> Vec<DampingLevel> {
    let dampings = match (grid.x.as_str(), grid.y.as_str()) {
        ("damping", _) => &grid.x_values,
        (_, "damping") => &grid.y_values,
        _ => return Vec::new(),
    };
    let is_at = |(x, y): (f64, f64), damping: f64| {
        let own = if grid.x == "damping" { x } else { y };
        own.total_cmp(&damping).is_eq()
    };
    let level = |&damping: &f64| {
        let typical: Vec<(f64, f64)> = grid
            .cells
            .iter()
            .filter(|(x, y, _)| is_at((*x, *y), damping))
            .flat_map(|(_, _, runs)| runs)
            .filter_map(|run| typical(run, at))
            .collect();
        let of = |which: fn(&(f64, f64)) -> f64| median(typical.iter().map(which).collect());
        Some(DampingLevel {
            damping,
            median: of(|run| run.0)?,
            largest: of(|run| run.1)?,
            runs: typical.len(),
        })
    };
    dampings.iter().filter_map(level).collect()
}

/// Medians over a run's records up to a slice of the (median, largest) eigenvalue.
pub(crate) fn typical(run: &Run, at: Moment) -> Option<(f64, f64)> {
    let step = run.step_at(at);
    let records = || {
        run.curve
            .curvature
            .iter()
            .filter(|record| record.step <= step)
    };
    Some((
        median(records().map(|record| record.median).collect())?,
        median(records().map(|record| record.largest).collect())?,
    ))
}
