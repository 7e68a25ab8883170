//! The kernels of preconditioning: U = F^-1 V of all layers at once.
//!
//! The gradients of all layers are gathered in one buffer; each product is one launch over the tiles of all layers.
//! All is `f32` with fused multiplication and addition, never a tensor core's shortened numbers.

use burn_cubecl::cubecl::{self, prelude::*};

use super::moments::in_triangle;

/// Units of a cube along each side of its tile.
pub(super) const SIDE: usize = 16;

/// Rows and columns of a tile, two for each unit.
pub(super) const TILE: usize = 2 * SIDE;

/// Numbers of a layer in the table of [`multiply`].
pub(super) const COLUMNS: usize = 11;

/// What one launch multiplies, and how.
#[expect(clippy::struct_excessive_bools, reason = "switches of a kernel")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Stage {
    /// M X, else X M.
    pub(super) from_left: bool,
    /// M^T instead of M.
    pub(super) transposed: bool,
    /// M is kept as a lower triangle.
    pub(super) packed: bool,
    /// The result is divided by its eigenvalues, damped.
    pub(super) damped: bool,
    /// The result is U.
    pub(super) last: bool,
}

/// Copies matrices of any strides, `[rows, ., ., .]`, to where they belong in V: row `i` of matrix `m` to
/// `begins[m] + i pitches[m]`. The cubes up to `ends[m]` work on it.
#[allow(
    clippy::needless_pass_by_value,
    reason = "what `CubeCL` asks of numbers"
)]
#[cube(launch, address_type = "dynamic")]
pub(super) fn gather(
    matrices: &Sequence<OwnedTensor<f32>>,
    v: &mut Tensor<f32>,
    begins: Sequence<usize>,
    pitches: Sequence<usize>,
    ends: Sequence<u32>,
) {
    let cube = CUBE_POS as u32;
    let mut begin = 0u32;
    #[unroll]
    for at in 0..matrices.len() {
        let end = ends[at];
        if cube >= begin && cube < end {
            let matrix = matrices.index(at);
            let units = (end - begin) * CUBE_DIM;
            let columns = matrix.shape(1) * matrix.shape(2) * matrix.shape(3);
            let mut place = ((cube - begin) * CUBE_DIM + UNIT_POS) as usize;
            while place < matrix.shape(0) * columns {
                let row = place / columns;
                let column = place % columns;
                let last = column % matrix.shape(3);
                let rest = column / matrix.shape(3);
                let from = row * matrix.stride(0)
                    + rest / matrix.shape(2) * matrix.stride(1)
                    + rest % matrix.shape(2) * matrix.stride(2)
                    + last * matrix.stride(3);
                v[begins[at] + row * pitches[at] + column] = matrix[from];
                place += units as usize;
            }
        }
        begin = end;
    }
}

/// An entry of the inverse's matrix that begins at `at`, `[dim, dim]` column by column or a lower triangle.
#[cube]
fn entry(
    inverses: &Tensor<f32>,
    at: usize,
    dim: usize,
    i: usize,
    j: usize,
    #[comptime] stage: Stage,
) -> f32 {
    let row = if comptime!(stage.transposed) { j } else { i };
    let column = if comptime!(stage.transposed) { i } else { j };
    if comptime!(stage.packed) {
        let high = select(row > column, row, column);
        let low = select(row > column, column, row);
        inverses[at + in_triangle(dim, high, low)]
    } else {
        inverses[at + column * dim + row]
    }
}

/// One product for all layers. A row of `table`: the cube after the layer's last; rows and columns of V; the columns
/// that are of the weight; where the layer begins in V, the weight and the bias in U; where the left and the right
/// matrix and their eigenvalues begin among the inverses.
///
/// The last product writes U to `result`, for each cube the sum of its entries of U times V, and 1 to `unfit` where
/// that is not finite.
#[cube(launch, address_type = "dynamic")]
pub(super) fn multiply(
    table: &Tensor<u32>,
    inverses: &Tensor<f32>,
    matrix: &Tensor<f32>,
    v: &Tensor<f32>,
    result: &mut Tensor<f32>,
    dots: &mut Tensor<f32>,
    unfit: &mut Tensor<f32>,
    damping: f32,
    cubes: usize,
    #[comptime] stage: Stage,
) {
    let mut of_left = Shared::<[f32]>::new_slice(comptime!(SIDE * TILE));
    let mut of_right = Shared::<[f32]>::new_slice(comptime!(SIDE * TILE));
    let mut dot = 0.0f32;
    let cube = CUBE_POS;
    let unit = UNIT_POS as usize;
    if cube < cubes {
        let mut begin = 0usize.runtime();
        let mut layer = 0usize.runtime();
        while cube >= table[layer * COLUMNS] as usize {
            begin = table[layer * COLUMNS] as usize;
            layer += 1;
        }
        let of = layer * COLUMNS;
        let rows = table[of + 1] as usize;
        let columns = table[of + 2] as usize;
        let weights = table[of + 3] as usize;
        let v_at = table[of + 4] as usize;
        let tiles = (columns - 1) / TILE + 1;
        let first_row = (cube - begin) / tiles * TILE;
        let first_column = (cube - begin) % tiles * TILE;
        let inner = if comptime!(stage.from_left) {
            rows
        } else {
            columns
        };
        let inverse_at = if comptime!(stage.from_left) {
            table[of + 7] as usize
        } else {
            table[of + 8] as usize
        };
        let mut sums = Array::<f32>::new(4usize);
        #[unroll]
        for at in 0..4usize {
            sums[at] = 0.0f32;
        }
        let mut first = 0usize.runtime();
        while first < inner {
            sync_cube();
            #[unroll]
            for load in 0..2usize {
                // Of the left factor, 32 rows of 16; of the right one, 16 rows of 32.
                let row = first_row + unit / SIDE + load * SIDE;
                let depth = first + unit % SIDE;
                let mut left = 0.0f32;
                if row < rows && depth < inner {
                    left = if comptime!(stage.from_left) {
                        entry(inverses, inverse_at, inner, row, depth, stage)
                    } else {
                        matrix[v_at + row * columns + depth]
                    };
                }
                of_left[unit % SIDE * TILE + unit / SIDE + load * SIDE] = left;
                let depth = first + unit / TILE + load * comptime!(SIDE / 2);
                let column = first_column + unit % TILE;
                let mut right = 0.0f32;
                if depth < inner && column < columns {
                    right = if comptime!(stage.from_left) {
                        matrix[v_at + depth * columns + column]
                    } else {
                        entry(inverses, inverse_at, inner, depth, column, stage)
                    };
                }
                of_right[(unit / TILE + load * comptime!(SIDE / 2)) * TILE + unit % TILE] = right;
            }
            sync_cube();
            #[unroll]
            for depth in 0..SIDE {
                #[unroll]
                for row in 0..2usize {
                    let a = of_left[depth * TILE + UNIT_POS_Y as usize * 2 + row];
                    #[unroll]
                    for column in 0..2usize {
                        let b = of_right[depth * TILE + UNIT_POS_X as usize * 2 + column];
                        let sum = comptime!(row * 2 + column);
                        sums[sum] = fma(a, b, sums[sum]);
                    }
                }
            }
            first += SIDE;
        }
        #[unroll]
        for row in 0..2usize {
            #[unroll]
            for column in 0..2usize {
                let i = first_row + UNIT_POS_Y as usize * 2 + row;
                let j = first_column + UNIT_POS_X as usize * 2 + column;
                if i < rows && j < columns {
                    let mut value = sums[comptime!(row * 2 + column)];
                    if comptime!(stage.damped) {
                        let left = inverses[table[of + 9] as usize + i];
                        let right = inverses[table[of + 10] as usize + j];
                        value /= fma(left, right, damping);
                    }
                    if comptime!(stage.last) {
                        dot += value * v[v_at + i * columns + j];
                        let mut to = table[of + 6] as usize + i;
                        if j < weights {
                            to = table[of + 5] as usize + i * weights + j;
                        }
                        result[to] = value;
                    } else {
                        result[v_at + i * columns + j] = value;
                    }
                }
            }
        }
    }
    if comptime!(stage.last) {
        let mut shared = Shared::<[f32]>::new_slice(comptime!(SIDE * SIDE));
        shared[unit] = dot;
        sync_cube();
        let mut half = CUBE_DIM as usize / 2;
        while half > 0 {
            if unit < half {
                let other = shared[unit + half];
                shared[unit] += other;
            }
            sync_cube();
            half /= 2;
        }
        if unit == 0 && cube < cubes {
            let sum = shared[0];
            dots[cube] = sum;
            // An exponent of ones: what compilers assume of numbers does not matter.
            if u32::reinterpret(sum) & 0x7f80_0000u32 == 0x7f80_0000u32 {
                unfit[cube] = 1.0f32;
            }
        }
    }
}

/// `nu U` with `nu = min(1, sqrt(bound / sum of all dots))`: each cube adds them up anew.
#[cube(launch, address_type = "dynamic")]
pub(super) fn clip(u: &Tensor<f32>, dots: &Tensor<f32>, clipped: &mut Tensor<f32>, bound: f32) {
    let unit = UNIT_POS as usize;
    let mut sums = Shared::<[f32]>::new_slice(comptime!(SIDE * SIDE));
    let mut sum = 0.0f32;
    let mut at = unit;
    while at < dots.len() {
        sum += dots[at];
        at += CUBE_DIM as usize;
    }
    sums[unit] = sum;
    sync_cube();
    let mut half = CUBE_DIM as usize / 2;
    while half > 0 {
        if unit < half {
            let other = sums[unit + half];
            sums[unit] += other;
        }
        sync_cube();
        half /= 2;
    }
    let ratio = bound / sums[0].abs();
    let scale = select(ratio < 1.0f32, ratio.sqrt(), 1.0f32);
    let mut place = ABSOLUTE_POS;
    while place < clipped.len() {
        clipped[place] = u[place] * scale;
        place += CUBE_COUNT * CUBE_DIM as usize;
    }
}
