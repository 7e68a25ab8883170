//! The good region of a grid: which cells are good, their share, the edges they touch, the band's
//! centre.

use super::{CellState, CentrePoint, GoodRegion, GoodRule, Side};
use crate::Metric;
use crate::statistics::{mean, slope};

/// The values along the axes of a grid, ascending; cells come row by row from the smallest y.
pub(crate) struct Shape<'a> {
    pub(crate) x: &'a [f64],
    pub(crate) y: &'a [f64],
}

fn value(state: &CellState) -> Option<f64> {
    match *state {
        CellState::Value { mean, .. } => Some(mean),
        _ => None,
    }
}

/// Index of the best cell, the first of equal ones.
pub(crate) fn best(cells: &[CellState], metric: Metric) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (index, cell) in cells.iter().enumerate() {
        if let Some(goodness) = value(cell).map(|value| metric.goodness(value))
            && best.is_none_or(|(_, other)| goodness > other)
        {
            best = Some((index, goodness));
        }
    }
    best.map(|(index, _)| index)
}

/// The good region by a rule. Diverged cells are known and not good.
pub(crate) fn good(
    rule: GoodRule,
    cells: &[CellState],
    shape: &Shape<'_>,
    metric: Metric,
) -> GoodRegion {
    let level = match rule {
        GoodRule::AtLeast(level) => best(cells, metric).map(|_| level),
        GoodRule::Within(distance) => best(cells, metric)
            .and_then(|best| value(&cells[best]))
            .map(|best| {
                if metric.is_loss() {
                    best + distance
                } else {
                    best - distance
                }
            }),
    };
    let good: Vec<bool> = cells
        .iter()
        .map(|cell| {
            level
                .zip(value(cell))
                .is_some_and(|(level, value)| metric.is_at_or_past(value, level))
        })
        .collect();
    let known = cells.iter().filter(|cell| cell.is_known()).count();
    let count = good.iter().filter(|&&good| good).count();
    let centre = centre(&good, shape);
    let logs: Vec<(f64, f64)> = centre
        .iter()
        .map(|point| (point.x.ln(), point.y.ln()))
        .collect();
    GoodRegion {
        rule,
        level,
        known,
        share: (known > 0).then(|| count as f64 / known as f64),
        touches: touches(&good, shape),
        slope: slope(&logs),
        centre,
        good,
    }
}

/// The sides beyond which the region may go on. Below 0 there is nothing.
fn touches(good: &[bool], shape: &Shape<'_>) -> Vec<Side> {
    let columns = shape.x.len();
    let any = |is_on: &dyn Fn(usize, usize) -> bool| {
        good.iter()
            .enumerate()
            .any(|(index, &good)| good && is_on(index % columns, index / columns))
    };
    let mut sides = Vec::new();
    if columns > 1 {
        if shape.x[0] > 0.0 && any(&|i, _| i == 0) {
            sides.push(Side::Left);
        }
        if any(&|i, _| i + 1 == columns) {
            sides.push(Side::Right);
        }
    }
    if shape.y.len() > 1 {
        if shape.y[0] > 0.0 && any(&|_, j| j == 0) {
            sides.push(Side::Bottom);
        }
        if any(&|_, j| j + 1 == shape.y.len()) {
            sides.push(Side::Top);
        }
    }
    sides
}

/// Mean log y of the good cells of each column that has any, at positive x and y.
fn centre(good: &[bool], shape: &Shape<'_>) -> Vec<CentrePoint> {
    let columns = shape.x.len();
    let point = |(column, &x): (usize, &f64)| {
        let logs: Vec<f64> = shape
            .y
            .iter()
            .enumerate()
            .filter(|&(row, &y)| good[row * columns + column] && y > 0.0)
            .map(|(_, y)| y.ln())
            .collect();
        mean(&logs)
            .filter(|_| x > 0.0)
            .map(|log| CentrePoint { x, y: log.exp() })
    };
    shape.x.iter().enumerate().filter_map(point).collect()
}
