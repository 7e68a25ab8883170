//! Where the numbers of each layer lie in the buffers that hold those of all.

use crate::DampingMethod;
use crate::gradient::Parameters;

use super::products::TILE;

/// Where the numbers of one layer lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) rows: usize,
    pub(super) cols: usize,
    /// Columns of the weight.
    pub(super) inputs: usize,
    /// Lower triangles in the averages.
    pub(super) a: usize,
    pub(super) g: usize,
    /// In V, row by row with the bias last.
    pub(super) v: usize,
    /// In U.
    pub(super) weight: usize,
    pub(super) bias: usize,
    /// In the inverses: what multiplies from the left and from the right, and their eigenvalues.
    pub(super) left: usize,
    pub(super) right: usize,
    pub(super) left_values: usize,
    pub(super) right_values: usize,
    /// The cube after its last of a product.
    pub(super) tiles: usize,
}

/// Where the numbers of all layers lie, and how many there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) layers: Vec<Place>,
    pub(super) averages: usize,
    pub(super) v: usize,
    pub(super) u: usize,
    pub(super) inverses: usize,
}

/// Entries of a lower triangle.
pub(super) fn triangle(dim: usize) -> usize {
    dim * (dim + 1) / 2
}

/// Takes `count` places.
fn take(from: &mut usize, count: usize) -> usize {
    let begin = *from;
    *from += count;
    begin
}

impl Layout {
    /// `alignment`: of what is to be a tensor of its own, in values.
    pub(super) fn new<'a>(
        layers: impl Iterator<Item = &'a Parameters>,
        method: DampingMethod,
        alignment: usize,
    ) -> Self {
        let [mut averages, mut v, mut u, mut inverses, mut tiles] = [0; 5];
        let place = |of: &Parameters| {
            let (rows, cols) = (of.rows, of.cols);
            let inputs = cols - usize::from(of.bias.is_some());
            let (side, values): (fn(usize) -> usize, fn(usize) -> usize) = match method {
                DampingMethod::Eigen => (|dim| dim * dim, |dim| dim),
                DampingMethod::Factored(_) => (triangle, |_| 0),
            };
            tiles += rows.div_ceil(TILE) * cols.div_ceil(TILE);
            Place {
                rows,
                cols,
                inputs,
                a: take(&mut averages, triangle(cols)),
                g: take(&mut averages, triangle(rows)),
                v: take(&mut v, rows * cols),
                weight: take(&mut u, (rows * inputs).next_multiple_of(alignment)),
                bias: take(&mut u, rows.next_multiple_of(alignment)),
                left: take(&mut inverses, side(rows)),
                right: take(&mut inverses, side(cols)),
                left_values: take(&mut inverses, values(rows)),
                right_values: take(&mut inverses, values(cols)),
                tiles,
            }
        };
        let layers = layers.map(place).collect();
        Self {
            layers,
            averages,
            v,
            u,
            inverses,
        }
    }

    /// Cubes of a product.
    pub(super) fn tiles(&self) -> usize {
        self.layers.last().map_or(0, |last| last.tiles)
    }

    /// For [`multiply`](super::products::multiply).
    pub(super) fn table(&self) -> Vec<u32> {
        let row = |it: &Place| {
            [
                it.tiles,
                it.rows,
                it.cols,
                it.inputs,
                it.v,
                it.weight,
                it.bias,
                it.left,
                it.right,
                it.left_values,
                it.right_values,
            ]
        };
        let all = self.layers.iter().flat_map(row);
        all.map(|place| u32::try_from(place).expect("less than 4 billion numbers"))
            .collect()
    }
}
