//! The outline of a region of cells, along the edges of the cells.

use crate::draw::svg::line_through;

/// A straight line between two corners of a grid.
pub(crate) type Edge = ((usize, usize), (usize, usize));

/// The lines between good cells and all else, as whole-numbered corners
/// `((x0, y0), (x1, y1))` of a grid with `columns` cells a row; neighbouring
/// edges in line are one. Cells are listed row by row.
///
/// # Panics
/// When the cells do not fill their rows.
pub(crate) fn outline(good: &[bool], columns: usize) -> Vec<Edge> {
    assert!(
        columns > 0 && good.len().is_multiple_of(columns),
        "cells must fill whole rows"
    );
    let rows = good.len() / columns;
    let inside = |column: Option<usize>, row: Option<usize>| match (column, row) {
        (Some(c), Some(r)) if c < columns && r < rows => good[r * columns + c],
        _ => false,
    };
    let mut lines = Vec::new();
    // Horizontal edges lie between row y - 1 and row y.
    for y in 0..=rows {
        let edge = |x: usize| inside(Some(x), y.checked_sub(1)) != inside(Some(x), Some(y));
        for (from, to) in stretches(columns, edge) {
            lines.push(((from, y), (to, y)));
        }
    }
    for x in 0..=columns {
        let edge = |y: usize| inside(x.checked_sub(1), Some(y)) != inside(Some(x), Some(y));
        for (from, to) in stretches(rows, edge) {
            lines.push(((x, from), (x, to)));
        }
    }
    lines
}

/// Longest stretches of places in `0..length` where `edge` holds, as
/// `from..to`.
fn stretches(length: usize, edge: impl Fn(usize) -> bool) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut start = None;
    for place in 0..=length {
        match (place < length && edge(place), start) {
            (true, None) => start = Some(place),
            (false, Some(from)) => {
                found.push((from, place));
                start = None;
            }
            _ => {}
        }
    }
    found
}

/// The outline as the `d` of a path, `corner` giving the pixels of a corner.
pub(crate) fn path(lines: &[Edge], corner: impl Fn(usize, usize) -> (f64, f64)) -> String {
    let pieces: Vec<String> = lines
        .iter()
        .map(|&((x0, y0), (x1, y1))| line_through([corner(x0, y0), corner(x1, y1)]))
        .collect();
    pieces.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Unit edges by looking at every cell's neighbours, on a grid with a border
    /// of cells that are not good.
    fn brute_force(good: &[bool], columns: usize) -> usize {
        let wide = columns + 2;
        let rows = good.len() / columns;
        let mut bordered = vec![false; wide * (rows + 2)];
        for (i, &cell) in good.iter().enumerate() {
            bordered[(i / columns + 1) * wide + i % columns + 1] = cell;
        }
        let edges_of = |i: usize| {
            [i - 1, i + 1, i - wide, i + wide]
                .into_iter()
                .filter(|&n| !bordered[n])
                .count()
        };
        (0..bordered.len())
            .filter(|&i| bordered[i])
            .map(edges_of)
            .sum()
    }

    #[test]
    fn the_outline_is_as_long_as_the_border_counted_cell_by_cell() {
        // Every region of a grid of 4 by 3.
        for bits in 0..4096_u32 {
            let good: Vec<bool> = (0..12).map(|i| bits >> i & 1 == 1).collect();
            let lines = outline(&good, 4);
            let length: usize = lines
                .iter()
                .map(|&((x0, y0), (x1, y1))| (x1 - x0) + (y1 - y0))
                .sum();
            assert_eq!(length, brute_force(&good, 4), "{good:?}");
        }
    }

    #[test]
    fn a_rectangle_has_four_lines() {
        let good = [false, true, true, false, true, true];
        let mut lines = outline(&good, 3);
        lines.sort_unstable();
        assert_eq!(
            lines,
            [
                ((1, 0), (1, 2)),
                ((1, 0), (3, 0)),
                ((1, 2), (3, 2)),
                ((3, 0), (3, 2)),
            ]
        );
    }
}
