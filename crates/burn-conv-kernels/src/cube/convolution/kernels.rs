//! The kernels of convolution on a GPU, in `CubeCL`.
//!
//! Each pass is one matrix product over patches that are never written down (Chetlur et al. 2014, "cuDNN: Efficient
//! Primitives for Deep Learning", section 3.1). A *position* is a pixel of one image of the batch, a *tap* an element of
//! the kernel and a channel:
//!
//! | pass | rows | columns | summed over |
//! | --- | --- | --- | --- |
//! | forward | positions of the output | its channels | taps that see the input |
//! | gradient at the input | positions of the input | its channels | taps that saw it, and the output's channels |
//! | gradient at the weight | channels of the output | taps, and 1 for the bias | positions of the output |
//!
//! A cube has a tile of the result, each unit [`EACH`] x [`EACH`] of its numbers, and takes [`DEPTH`] terms of all of them
//! at a time into shared memory. Positions are so many that the sum over them is divided into parts, which a second
//! launch adds up. The order of every sum follows from the shape alone. All is `f32` with fused multiplication and
//! addition, never a tensor core's shortened numbers.

use burn_cubecl::cubecl::{self, prelude::*};

/// Rows and columns of a unit.
pub(super) const EACH: usize = 4;

/// Terms that are in shared memory at once.
pub(super) const DEPTH: usize = 8;

/// Between what follows each other in depth, so that units that write it do not meet in a bank of shared memory.
const GAP: usize = 4;

/// Where a position or a tap is that there is not: outside of every image, and no number of it overflows.
const NOWHERE: u32 = 1 << 25;

/// Units of a cube of [`add_parts`]: entries, and rows that take a part after the other.
pub(super) const ENTRIES: usize = 32;
pub(super) const ROWS: usize = 8;

/// Which product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Pass {
    Forward,
    Input,
    Weight,
}

/// What a kernel is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Plan {
    pub(super) pass: Pass,
    /// Units along a column of the tile.
    pub(super) down: usize,
    /// Units along a row of the tile.
    pub(super) across: usize,
    /// Whether a bias is added; or its gradient, with the weight's.
    pub(super) bias: bool,
    /// Whether both strides are 1.
    pub(super) dense: bool,
    /// Whether weights of neighbouring columns lie next to each other, not those of neighbouring terms.
    pub(super) columns_are_close: bool,
}

impl Plan {
    fn rows(self) -> usize {
        self.down * EACH
    }

    fn columns(self) -> usize {
        self.across * EACH
    }

    fn units(self) -> usize {
        self.down * self.across
    }

    /// Length of the lists of positions and taps: along the tile or along the terms.
    fn lists(self) -> (usize, usize) {
        match self.pass {
            Pass::Forward | Pass::Input => (self.rows(), DEPTH),
            Pass::Weight => (DEPTH, self.columns()),
        }
    }
}

/// What a product is of.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
pub(super) struct Geometry {
    /// Of the images whose pixels are the positions.
    pub(super) columns: usize,
    pub(super) area: usize,
    pub(super) positions: usize,
    /// Channels that taps are of, and columns of the kernel.
    pub(super) channels: usize,
    pub(super) kernel_columns: usize,
    pub(super) taps: usize,
    pub(super) stride_rows: u32,
    pub(super) stride_columns: u32,
    pub(super) top: u32,
    pub(super) left: u32,
}

/// Images, rows and columns of positions.
#[derive(CubeType)]
struct Positions {
    image: Shared<[u32]>,
    row: Shared<[u32]>,
    column: Shared<[u32]>,
}

/// Channels, rows and columns of taps.
#[derive(CubeType)]
struct Taps {
    channel: Shared<[u32]>,
    row: Shared<[u32]>,
    column: Shared<[u32]>,
}

#[cube]
impl Positions {
    /// Notes at `place` which one `position` is.
    fn note(&mut self, place: usize, position: usize, geometry: &Geometry) {
        let pixel = position % geometry.area;
        let is = position < geometry.positions;
        self.image[place] = select(is, position / geometry.area, 0) as u32;
        self.row[place] = select(is, (pixel / geometry.columns) as u32, NOWHERE);
        self.column[place] = (pixel % geometry.columns) as u32;
    }
}

#[cube]
impl Taps {
    /// Notes at `place` which one `tap` is: channels are next to each other.
    fn note(&mut self, place: usize, tap: usize, geometry: &Geometry) {
        let element = tap / geometry.channels;
        let is = tap < geometry.taps;
        self.channel[place] = (tap % geometry.channels) as u32;
        self.row[place] = select(is, (element / geometry.kernel_columns) as u32, NOWHERE);
        self.column[place] = (element % geometry.kernel_columns) as u32;
    }
}

/// What a tap sees from a position of the output; or the gradient at the output that came by it to a position of the
/// input.
#[cube]
fn seen(
    images: &Tensor<f32>,
    positions: &Positions,
    position: usize,
    taps: &Taps,
    tap: usize,
    geometry: &Geometry,
    #[comptime] plan: Plan,
) -> f32 {
    let (down, right) = (positions.row[position], positions.column[position]);
    let (tap_down, tap_right) = (taps.row[tap], taps.column[tap]);
    // Each by how far it is beyond the border, so that what is before it is beyond everything.
    let mut row = down * geometry.stride_rows + tap_down - geometry.top;
    let mut column = right * geometry.stride_columns + tap_right - geometry.left;
    let mut on_grid = true;
    if comptime!(plan.pass == Pass::Input) {
        let far_row = down + geometry.top - tap_down;
        let far_column = right + geometry.left - tap_right;
        row = far_row;
        column = far_column;
        if comptime!(!plan.dense) {
            row = far_row / geometry.stride_rows;
            column = far_column / geometry.stride_columns;
            on_grid = row * geometry.stride_rows == far_row
                && column * geometry.stride_columns == far_column
                // What is before the border stays beyond everything: it is more than half of all numbers.
                && far_row < 0x8000_0000u32
                && far_column < 0x8000_0000u32;
        }
    }
    let mut value = 0.0f32;
    if on_grid && row < images.shape(2) as u32 && column < images.shape(3) as u32 {
        value = images[positions.image[position] as usize * images.stride(0)
            + taps.channel[tap] as usize * images.stride(1)
            + row as usize * images.stride(2)
            + column as usize * images.stride(3)];
    }
    value
}

/// One pass. `images` is what taps see; `other` the weight, `[out, in, rows, columns]`, or the gradient at the output;
/// both of any strides. The result: `[rows, columns]`, and for the weight `[parts, rows, columns]` with `span` positions
/// in each part.
#[cube(launch, address_type = "dynamic")]
pub(super) fn multiply(
    images: &Tensor<f32>,
    other: &Tensor<f32>,
    bias: &Tensor<f32>,
    result: &mut Tensor<f32>,
    geometry: Geometry,
    rows: usize,
    columns: usize,
    span: usize,
    #[comptime] plan: Plan,
) {
    let tile_rows = comptime!(plan.rows());
    let tile_columns = comptime!(plan.columns());
    let pitch_rows = comptime!(plan.rows() + GAP);
    let pitch_columns = comptime!(plan.columns() + GAP);
    let units = comptime!(plan.units());
    let (listed_positions, listed_taps) = comptime!(plan.lists());
    let is_weight = comptime!(plan.pass == Pass::Weight);

    let tiles = (columns - 1) / tile_columns + 1;
    let cube = CUBE_POS_Y as usize * CUBE_COUNT_X as usize + CUBE_POS_X as usize;
    let first_row = cube / tiles * tile_rows;
    let first_column = cube % tiles * tile_columns;
    let unit = UNIT_POS as usize;

    let mut of_rows = Shared::<[f32]>::new_slice(comptime!(DEPTH * (plan.rows() + GAP)));
    let mut of_columns = Shared::<[f32]>::new_slice(comptime!(DEPTH * (plan.columns() + GAP)));
    let mut positions = Positions {
        image: Shared::<[u32]>::new_slice(listed_positions),
        row: Shared::<[u32]>::new_slice(listed_positions),
        column: Shared::<[u32]>::new_slice(listed_positions),
    };
    let mut taps = Taps {
        channel: Shared::<[u32]>::new_slice(listed_taps),
        row: Shared::<[u32]>::new_slice(listed_taps),
        column: Shared::<[u32]>::new_slice(listed_taps),
    };
    let mut place = unit;
    if is_weight {
        while place < tile_columns {
            taps.note(place, first_column + place, &geometry);
            place += units;
        }
    } else {
        while place < tile_rows {
            positions.note(place, first_row + place, &geometry);
            place += units;
        }
    }

    let mut sums = Array::<f32>::new(comptime!(EACH * EACH));
    #[unroll]
    for at in 0..comptime!(EACH * EACH) {
        sums[at] = 0.0f32;
    }
    let terms = if is_weight {
        geometry.positions
    } else {
        geometry.taps
    };
    let mut first = CUBE_POS_Z as usize * span;
    let end = select(first + span < terms, first + span, terms);
    while first < end {
        sync_cube();
        if unit < DEPTH {
            if is_weight {
                positions.note(unit, first + unit, &geometry);
            } else {
                taps.note(unit, first + unit, &geometry);
            }
        }
        sync_cube();
        let mut place = unit;
        while place < comptime!(DEPTH * plan.rows()) {
            if is_weight {
                let (depth, row) = (place / tile_rows, place % tile_rows);
                let mut value = 0.0f32;
                if first_row + row < rows && first + depth < end {
                    value = other[positions.image[depth] as usize * other.stride(0)
                        + (first_row + row) * other.stride(1)
                        + positions.row[depth] as usize * other.stride(2)
                        + positions.column[depth] as usize * other.stride(3)];
                }
                of_rows[depth * pitch_rows + row] = value;
            } else {
                let (depth, row) = (place % DEPTH, place / DEPTH);
                of_rows[depth * pitch_rows + row] =
                    seen(images, &positions, row, &taps, depth, &geometry, plan);
            }
            place += units;
        }
        let mut place = unit;
        while place < comptime!(DEPTH * plan.columns()) {
            let mut depth = place % DEPTH;
            let mut column = place / DEPTH;
            if comptime!(plan.pass == Pass::Weight || plan.columns_are_close) {
                depth = place / tile_columns;
                column = place % tile_columns;
            }
            let mut value = 0.0f32;
            if is_weight {
                value = seen(images, &positions, depth, &taps, column, &geometry, plan);
                if comptime!(plan.bias) {
                    value = select(first_column + column == geometry.taps, 1.0f32, value);
                }
            } else if first_column + column < columns && first + depth < end {
                let channel = taps.channel[depth] as usize;
                let at = first_column + column;
                let (out, into) = if comptime!(plan.pass == Pass::Forward) {
                    (at, channel)
                } else {
                    (channel, at)
                };
                value = other[out * other.stride(0)
                    + into * other.stride(1)
                    + taps.row[depth] as usize * other.stride(2)
                    + taps.column[depth] as usize * other.stride(3)];
            }
            of_columns[depth * pitch_columns + column] = value;
            place += units;
        }
        sync_cube();
        #[unroll]
        for depth in 0..DEPTH {
            #[unroll]
            for row in 0..EACH {
                let a =
                    of_rows[depth * pitch_rows + row * comptime!(plan.down) + UNIT_POS_Y as usize];
                #[unroll]
                for column in 0..EACH {
                    let b = of_columns[depth * pitch_columns
                        + column * comptime!(plan.across)
                        + UNIT_POS_X as usize];
                    let sum = comptime!(row * EACH + column);
                    sums[sum] = fma(a, b, sums[sum]);
                }
            }
        }
        first += DEPTH;
    }

    let part = CUBE_POS_Z as usize * (rows * columns);
    #[unroll]
    for row in 0..EACH {
        #[unroll]
        for column in 0..EACH {
            let i = first_row + row * comptime!(plan.down) + UNIT_POS_Y as usize;
            let j = first_column + column * comptime!(plan.across) + UNIT_POS_X as usize;
            if i < rows && j < columns {
                let mut value = sums[comptime!(row * EACH + column)];
                if comptime!(plan.pass == Pass::Forward && plan.bias) {
                    value += bias[j * bias.stride(0)];
                }
                result[part + i * columns + j] = value;
            }
        }
    }
}

/// The sum of `count` parts, `[count, rows, columns]`: of a row the first `taps` to `weight`, `[rows, taps]`, and what
/// is left to `bias`, `[rows]`.
#[cube(launch, address_type = "dynamic")]
pub(super) fn add_parts(
    parts: &Tensor<f32>,
    weight: &mut Tensor<f32>,
    bias: &mut Tensor<f32>,
    count: usize,
    columns: usize,
    taps: usize,
    entries: usize,
) {
    let mut sums = Shared::<[f32]>::new_slice(comptime!(ENTRIES * ROWS));
    let unit = UNIT_POS as usize;
    let entry = CUBE_POS * ENTRIES + UNIT_POS_X as usize;
    let mut sum = 0.0f32;
    if entry < entries {
        let mut part = UNIT_POS_Y as usize;
        while part < count {
            sum += parts[part * entries + entry];
            part += ROWS;
        }
    }
    sums[unit] = sum;
    sync_cube();
    let mut half = comptime!(ROWS / 2).runtime();
    while half > 0 {
        if (UNIT_POS_Y as usize) < half {
            let other = sums[unit + half * ENTRIES];
            sums[unit] += other;
        }
        sync_cube();
        half /= 2;
    }
    if UNIT_POS_Y == 0 && entry < entries {
        let (row, column) = (entry / columns, entry % columns);
        if column < taps {
            weight[row * taps + column] = sums[unit];
        } else {
            bias[row] = sums[unit];
        }
    }
}
