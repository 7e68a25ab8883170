//! The kernels of the factors: sums of a a^T over patches, and their running averages.
//!
//! All is `f32` with fused multiplication and addition, never a tensor core's shortened numbers. A sum over the
//! patches of a batch is divided into parts, a cube each for every tile of the lower triangle; the parts of all
//! factors are added up by one launch, into the running averages. Within a part, sums of so many terms are added to
//! each other. The order of every sum follows from the shape alone.

use burn_cubecl::cubecl::{self, prelude::*};

/// Units of a cube along each side of its tile.
pub(super) const SIDE: usize = 16;

/// Columns of patches that are in shared memory at once.
pub(super) const DEPTH: usize = 16;

/// Such groups of columns that are added up before their sum is added to the others.
const GROUPS: usize = 64;

/// Where entry (i, j) of a lower triangle is that is stored column by column, for i >= j.
#[cube]
pub(super) fn in_triangle(dim: usize, i: usize, j: usize) -> usize {
    // (2 dim - j + 1) j is even, and never negative on the way.
    j * (2 * dim + 1 - j) / 2 + (i - j)
}

/// Which pixels a kernel element sees.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
pub(super) struct Geometry {
    pub(super) kernel_columns: usize,
    pub(super) kernel_area: usize,
    pub(super) stride_rows: usize,
    pub(super) stride_columns: usize,
    pub(super) dilation_rows: usize,
    pub(super) dilation_columns: usize,
    pub(super) top: usize,
    pub(super) left: usize,
    pub(super) output_columns: usize,
    pub(super) output_area: usize,
}

/// The entry of a patch: of row `row` of A, at the position whose first pixel is (`y`, `x`) of the padded image.
#[cube]
fn entry(
    images: &Tensor<f32>,
    geometry: &Geometry,
    row: usize,
    image: usize,
    y: usize,
    x: usize,
    #[comptime] ones: bool,
) -> f32 {
    let channel = row / geometry.kernel_area;
    let tap = row % geometry.kernel_area;
    let y = y + tap / geometry.kernel_columns * geometry.dilation_rows;
    let x = x + tap % geometry.kernel_columns * geometry.dilation_columns;
    let mut value = 0.0f32;
    if comptime!(ones) {
        value = select(channel == images.shape(1), 1.0f32, 0.0f32);
    }
    if channel < images.shape(1)
        && y >= geometry.top
        && y < geometry.top + images.shape(2)
        && x >= geometry.left
        && x < geometry.left + images.shape(3)
    {
        value = images[image * images.stride(0)
            + channel * images.stride(1)
            + (y - geometry.top) * images.stride(2)
            + (x - geometry.left) * images.stride(3)];
    }
    value
}

/// For each part, `span` patches of all `patches`, the lower triangle of the sum of a a^T, `[parts, triangle]`, from
/// place `at` of `parts` on. images: `[batch, channels, rows, columns]`, of any strides.
///
/// A unit has `each` x `each` entries of its cube's tile.
#[cube(launch, address_type = "dynamic")]
pub(super) fn second_moment(
    images: &Tensor<f32>,
    parts: &mut Tensor<f32>,
    geometry: Geometry,
    at: usize,
    dim: usize,
    patches: usize,
    span: usize,
    #[comptime] each: usize,
    #[comptime] ones: bool,
) {
    let side = comptime!(SIDE * each);
    let mut tile_row = 0usize.runtime();
    let mut tile_column = CUBE_POS_X as usize;
    while tile_column > tile_row {
        tile_column -= tile_row + 1;
        tile_row += 1;
    }
    let first_row = tile_row * side;
    let first_column = tile_column * side;
    let begin = CUBE_POS_Y as usize * span;
    let end = select(begin + span < patches, begin + span, patches);

    let mut of_rows = Shared::<[f32]>::new_slice(comptime!(DEPTH * SIDE * each));
    let mut of_columns = Shared::<[f32]>::new_slice(comptime!(DEPTH * SIDE * each));
    let mut image_of = Shared::<[u32]>::new_slice(DEPTH);
    let mut y_of = Shared::<[u32]>::new_slice(DEPTH);
    let mut x_of = Shared::<[u32]>::new_slice(DEPTH);
    let mut sums = Array::<f32>::new(comptime!(each * each));
    let mut totals = Array::<f32>::new(comptime!(each * each));
    #[unroll]
    for at in 0..comptime!(each * each) {
        sums[at] = 0.0f32;
        totals[at] = 0.0f32;
    }
    let unit = UNIT_POS as usize;
    let loads = unit % side;
    let mut groups = 0usize.runtime();
    let mut first = begin;
    while first < end {
        sync_cube();
        if unit < DEPTH {
            let patch = first + unit;
            let position = patch % geometry.output_area;
            let row = position / geometry.output_columns * geometry.stride_rows;
            let column = position % geometry.output_columns * geometry.stride_columns;
            image_of[unit] = (patch / geometry.output_area) as u32;
            y_of[unit] = row as u32;
            x_of[unit] = column as u32;
        }
        sync_cube();
        #[unroll]
        for load in 0..each {
            let depth = unit / side + load * comptime!(SIDE / each);
            let mut of_row = 0.0f32;
            let mut of_column = 0.0f32;
            if first + depth < end {
                let image = image_of[depth] as usize;
                let y = y_of[depth] as usize;
                let x = x_of[depth] as usize;
                if first_row + loads < dim {
                    of_row = entry(images, &geometry, first_row + loads, image, y, x, ones);
                }
                if first_column + loads < dim {
                    of_column = entry(images, &geometry, first_column + loads, image, y, x, ones);
                }
            }
            of_rows[depth * side + loads] = of_row;
            of_columns[depth * side + loads] = of_column;
        }
        sync_cube();
        let rows_from = UNIT_POS_Y as usize * each;
        let columns_from = UNIT_POS_X as usize * each;
        #[unroll]
        for depth in 0..DEPTH {
            #[unroll]
            for row in 0..each {
                let a = of_rows[depth * side + rows_from + row];
                #[unroll]
                for column in 0..each {
                    let b = of_columns[depth * side + columns_from + column];
                    let sum = comptime!(row * each + column);
                    sums[sum] = fma(a, b, sums[sum]);
                }
            }
        }
        groups += 1;
        if groups == GROUPS {
            groups = 0;
            #[unroll]
            for at in 0..comptime!(each * each) {
                totals[at] += sums[at];
                sums[at] = 0.0f32;
            }
        }
        first += DEPTH;
    }
    let to = at + CUBE_POS_Y as usize * (dim * (dim + 1) / 2);
    #[unroll]
    for row in 0..each {
        #[unroll]
        for column in 0..each {
            let i = first_row + UNIT_POS_Y as usize * each + row;
            let j = first_column + UNIT_POS_X as usize * each + column;
            if i < dim && j <= i {
                let sum = comptime!(row * each + column);
                parts[to + in_triangle(dim, i, j)] = totals[sum] + sums[sum];
            }
        }
    }
}

/// Numbers of a factor in the table of [`average`].
pub(super) const COLUMNS: usize = 4;

/// `new = decay old + share scale (sum of its parts)` for every entry of every factor. A row of `table`: where the
/// factor begins in the averages, how long it is, where its parts begin, how many there are. What is of no factor of
/// the table stays.
#[allow(
    clippy::needless_pass_by_value,
    reason = "what `CubeCL` asks of numbers"
)]
#[cube(launch, address_type = "dynamic")]
pub(super) fn average(
    old: &Tensor<f32>,
    parts: &Tensor<f32>,
    table: &Tensor<u32>,
    scales: &Tensor<f32>,
    new: &mut Tensor<f32>,
    decay: f32,
    share: f32,
) {
    let mut place = ABSOLUTE_POS;
    while place < new.len() {
        let mut value = old[place];
        let factors = scales.len();
        let mut factor = 0usize.runtime();
        while factor < factors {
            let begin = table[factor * COLUMNS] as usize;
            let length = table[factor * COLUMNS + 1] as usize;
            if place >= begin && place < begin + length {
                let mut from = table[factor * COLUMNS + 2] as usize + place - begin;
                let count = table[factor * COLUMNS + 3] as usize;
                let mut sum = 0.0f32;
                let mut part = 0usize.runtime();
                while part < count {
                    sum += parts[from];
                    from += length;
                    part += 1;
                }
                value = decay * value + share * (scales[factor] * sum);
            }
            factor += 1;
        }
        new[place] = value;
        place += CUBE_COUNT * CUBE_DIM as usize;
    }
}
