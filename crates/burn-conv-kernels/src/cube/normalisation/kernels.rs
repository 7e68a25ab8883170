//! The kernels of batch normalisation on a GPU, in `CubeCL`.
//!
//! Source of the formulas: Ioffe & Szegedy 2015, "Batch Normalization", algorithm 1 and the gradients below it.
//!
//! Images are `[batch, channels, area]`, with any strides; a *position* is one of the `batch * area` values of a
//! channel. A cube is a table of units: a column has one channel, and its rows take every so many positions of the
//! cube's part of them. Statistics are taken in two stages. In the first, each cube reduces its part: a unit by itself,
//! then a column in a tree. In the second, the kernel that needs the results reduces those of all parts in the same
//! way, in every cube anew, which costs less than a launch. The order of every sum follows from the shape alone, so
//! that results do not depend on when a cube runs.
//!
//! All is `f32`. A variance is no difference of large numbers: units take four values at a time with their mean and
//! squared deviations, and merge these as Chan, Golub and `LeVeque` 1979 ("Updating formulae and a pairwise algorithm
//! for computing sample variances", eq. 2.1) do. The gradient's sums are pairwise above a unit's.

use burn_cubecl::cubecl::{self, prelude::*};

/// What a kernel is compiled for.
#[expect(clippy::struct_excessive_bools, reason = "switches of the kernels")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Plan {
    /// Columns of a cube: channels.
    pub(super) lanes: usize,
    /// Rows of a cube, a power of two.
    pub(super) rows: usize,
    /// Whether the positions of a channel are evenly spaced in every tensor of images, as they are channels last.
    pub(super) even: bool,
    /// Whether a shortcut is added.
    pub(super) add: bool,
    /// Whether what is negative then becomes 0.
    pub(super) relu: bool,
    /// Whether statistics are given, not those of parts.
    pub(super) given: bool,
}

/// Where a value of a channel is.
#[cube]
fn index(images: &Tensor<f32>, channel: usize, position: usize, #[comptime] even: bool) -> usize {
    let first = channel * images.stride(1);
    if comptime!(even) {
        first + position * images.stride(2)
    } else {
        let area = images.shape(2);
        first + (position / area) * images.stride(0) + (position % area) * images.stride(2)
    }
}

/// The number of positions of a channel.
#[cube]
fn positions(images: &Tensor<f32>) -> usize {
    images.shape(0) * images.shape(2)
}

/// Where the part that begins at a position ends.
#[cube]
fn end_of(begin: usize, span: usize, images: &Tensor<f32>) -> usize {
    let end = begin + span;
    let all = positions(images);
    select(end < all, end, all)
}

/// Statistics of two samples together: number, mean and sum of squared deviations.
#[cube]
fn merge(
    count: f32,
    mean: f32,
    squares: f32,
    other_count: f32,
    other_mean: f32,
    other_squares: f32,
) -> (f32, f32, f32) {
    let all = count + other_count;
    // Two empty samples are an empty one.
    let share = other_count / select(all > 0.0f32, all, 1.0f32);
    let difference = other_mean - mean;
    (
        all,
        mean + difference * share,
        squares + other_squares + difference * difference * count * share,
    )
}

/// [`merge`] over the rows of a column; every unit gets the result: mean and sum of squared deviations.
#[cube]
fn merge_rows(
    count: f32,
    mean: f32,
    squares: f32,
    #[comptime] lanes: usize,
    #[comptime] rows: usize,
) -> (f32, f32) {
    let mut counts = Shared::<[f32]>::new_slice(comptime!(lanes * rows));
    let mut means = Shared::<[f32]>::new_slice(comptime!(lanes * rows));
    let mut sums = Shared::<[f32]>::new_slice(comptime!(lanes * rows));
    let unit = UNIT_POS as usize;
    counts[unit] = count;
    means[unit] = mean;
    sums[unit] = squares;
    sync_cube();
    let mut half = CUBE_DIM_Y as usize / 2;
    while half > 0 {
        if (UNIT_POS_Y as usize) < half {
            let other = unit + half * lanes;
            let (count, mean, squares) = merge(
                counts[unit],
                means[unit],
                sums[unit],
                counts[other],
                means[other],
                sums[other],
            );
            counts[unit] = count;
            means[unit] = mean;
            sums[unit] = squares;
        }
        sync_cube();
        half /= 2;
    }
    (means[UNIT_POS_X as usize], sums[UNIT_POS_X as usize])
}

/// The sum over the rows of a column, for every unit.
#[cube]
fn sum_rows(value: f32, #[comptime] lanes: usize, #[comptime] rows: usize) -> f32 {
    let mut sums = Shared::<[f32]>::new_slice(comptime!(lanes * rows));
    let unit = UNIT_POS as usize;
    sums[unit] = value;
    sync_cube();
    let mut half = CUBE_DIM_Y as usize / 2;
    while half > 0 {
        if (UNIT_POS_Y as usize) < half {
            let other = sums[unit + half * lanes];
            sums[unit] += other;
        }
        sync_cube();
        half /= 2;
    }
    sums[UNIT_POS_X as usize]
}

/// The statistics of each part of the positions, `span` long: means and sums of squared deviations,
/// `[parts, channels]`.
#[cube(launch, address_type = "dynamic")]
pub(super) fn part_moments(
    x: &Tensor<f32>,
    means: &mut Tensor<f32>,
    squares: &mut Tensor<f32>,
    span: usize,
    #[comptime] plan: Plan,
) {
    let rows = comptime!(plan.rows);
    let channel = CUBE_POS_X as usize * plan.lanes + UNIT_POS_X as usize;
    let begin = CUBE_POS_Y as usize * span;
    let end = end_of(begin, span, x);
    let mut count = 0.0f32;
    let mut mean = 0.0f32;
    let mut square = 0.0f32;
    if channel < x.shape(1) {
        let mut at = begin + UNIT_POS_Y as usize;
        while at + 3 * rows < end {
            let a = x[index(x, channel, at, plan.even)];
            let b = x[index(x, channel, at + rows, plan.even)];
            let c = x[index(x, channel, at + 2 * rows, plan.even)];
            let d = x[index(x, channel, at + 3 * rows, plan.even)];
            let middle = ((a + b) + (c + d)) * 0.25f32;
            let a = a - middle;
            let b = b - middle;
            let c = c - middle;
            let d = d - middle;
            let apart = (a * a + b * b) + (c * c + d * d);
            let (n, m, s) = merge(count, mean, square, 4.0f32, middle, apart);
            count = n;
            mean = m;
            square = s;
            at += 4 * rows;
        }
        while at < end {
            let value = x[index(x, channel, at, plan.even)];
            let (n, m, s) = merge(count, mean, square, 1.0f32, value, 0.0f32);
            count = n;
            mean = m;
            square = s;
            at += rows;
        }
    }
    let (mean, square) = merge_rows(count, mean, square, plan.lanes, plan.rows);
    if UNIT_POS_Y == 0 && channel < x.shape(1) {
        let to = CUBE_POS_Y as usize * x.shape(1) + channel;
        means[to] = mean;
        squares[to] = square;
    }
}

/// `scale (x - mean) / deviation + shift`
#[cube]
fn normalised(x: f32, mean: f32, slope: f32, shift: f32) -> f32 {
    (x - mean) * slope + shift
}

#[cube]
fn one_over_deviation(variance: f32, epsilon: f32) -> f32 {
    1.0f32 / (variance + epsilon).sqrt()
}

/// Normalises, and what follows. `first` and `second` are what [`part_moments`] made for parts of `part` positions, or
/// the given mean and variance. `mean` and `variance` are written, `[channels]`, unless they are given.
#[cube(launch, address_type = "dynamic")]
pub(super) fn normalise(
    x: &Tensor<f32>,
    shortcut: &Tensor<f32>,
    first: &Tensor<f32>,
    second: &Tensor<f32>,
    scale: &Tensor<f32>,
    shift: &Tensor<f32>,
    output: &mut Tensor<f32>,
    mean: &mut Tensor<f32>,
    variance: &mut Tensor<f32>,
    epsilon: f32,
    parts: usize,
    part: usize,
    span: usize,
    #[comptime] plan: Plan,
) {
    let rows = comptime!(plan.rows);
    let channels = x.shape(1);
    let channel = CUBE_POS_X as usize * plan.lanes + UNIT_POS_X as usize;
    let mut centre = 0.0f32;
    let mut spread = 0.0f32;
    if comptime!(plan.given) {
        if channel < channels {
            centre = first[channel * first.stride(0)];
            spread = second[channel * second.stride(0)];
        }
    } else {
        let mut count = 0.0f32;
        if channel < channels {
            let mut at = UNIT_POS_Y as usize;
            while at < parts {
                let from = at * channels + channel;
                let begin = at * part;
                let size = f32::cast_from(end_of(begin, part, x) - begin);
                let (n, m, s) = merge(count, centre, spread, size, first[from], second[from]);
                count = n;
                centre = m;
                spread = s;
                at += rows;
            }
        }
        let (m, s) = merge_rows(count, centre, spread, plan.lanes, plan.rows);
        centre = m;
        spread = s / f32::cast_from(positions(x));
        if CUBE_POS_Y == 0 && UNIT_POS_Y == 0 && channel < channels {
            mean[channel] = centre;
            variance[channel] = spread;
        }
    }
    if channel < channels {
        let slope = scale[channel * scale.stride(0)] * one_over_deviation(spread, epsilon);
        let add = shift[channel * shift.stride(0)];
        let begin = CUBE_POS_Y as usize * span;
        let end = end_of(begin, span, x);
        let mut at = begin + UNIT_POS_Y as usize;
        while at < end {
            let value = x[index(x, channel, at, plan.even)];
            let mut z = normalised(value, centre, slope, add);
            if comptime!(plan.add) {
                z += shortcut[index(shortcut, channel, at, plan.even)];
            }
            if comptime!(plan.relu) {
                // What is no number stays none.
                z = select(z <= 0.0f32, 0.0f32, z);
            }
            let to = index(&*output, channel, at, plan.even);
            output[to] = z;
            at += rows;
        }
    }
}

/// For each part of the positions the sums of `g` and of `g (x - mean)`, `[parts, channels]`, where `g` is the gradient
/// at the normalised value. With a shortcut, `g` is written: its gradient.
#[cube(launch, address_type = "dynamic")]
pub(super) fn part_gradients(
    x: &Tensor<f32>,
    gradient: &Tensor<f32>,
    output: &Tensor<f32>,
    mean: &Tensor<f32>,
    variance: &Tensor<f32>,
    scale: &Tensor<f32>,
    shift: &Tensor<f32>,
    sums: &mut Tensor<f32>,
    products: &mut Tensor<f32>,
    passed: &mut Tensor<f32>,
    epsilon: f32,
    span: usize,
    #[comptime] plan: Plan,
) {
    let rows = comptime!(plan.rows);
    let channels = x.shape(1);
    let channel = CUBE_POS_X as usize * plan.lanes + UNIT_POS_X as usize;
    let mut sum = 0.0f32;
    let mut product = 0.0f32;
    if channel < channels {
        let centre = mean[channel];
        let slope =
            scale[channel * scale.stride(0)] * one_over_deviation(variance[channel], epsilon);
        let add = shift[channel * shift.stride(0)];
        let begin = CUBE_POS_Y as usize * span;
        let end = end_of(begin, span, x);
        let mut at = begin + UNIT_POS_Y as usize;
        while at < end {
            let value = x[index(x, channel, at, plan.even)];
            let mut g = gradient[index(gradient, channel, at, plan.even)];
            if comptime!(plan.add) {
                g = select(
                    output[index(output, channel, at, plan.even)] <= 0.0f32,
                    0.0f32,
                    g,
                );
                let to = index(&*passed, channel, at, plan.even);
                passed[to] = g;
            } else if comptime!(plan.relu) {
                g = select(normalised(value, centre, slope, add) <= 0.0f32, 0.0f32, g);
            }
            sum += g;
            product += g * (value - centre);
            at += rows;
        }
    }
    let sum = sum_rows(sum, plan.lanes, plan.rows);
    let product = sum_rows(product, plan.lanes, plan.rows);
    if UNIT_POS_Y == 0 && channel < channels {
        let to = CUBE_POS_Y as usize * channels + channel;
        sums[to] = sum;
        products[to] = product;
    }
}

/// The gradients with respect to x, scale and shift, from what [`part_gradients`] made. `gradient` is the one at the
/// output, or, with a shortcut, that of the shortcut.
#[cube(launch, address_type = "dynamic")]
pub(super) fn gradients(
    x: &Tensor<f32>,
    gradient: &Tensor<f32>,
    mean: &Tensor<f32>,
    variance: &Tensor<f32>,
    scale: &Tensor<f32>,
    shift: &Tensor<f32>,
    sums: &Tensor<f32>,
    products: &Tensor<f32>,
    x_gradient: &mut Tensor<f32>,
    scale_gradient: &mut Tensor<f32>,
    shift_gradient: &mut Tensor<f32>,
    epsilon: f32,
    parts: usize,
    span: usize,
    #[comptime] plan: Plan,
) {
    let rows = comptime!(plan.rows);
    let channels = x.shape(1);
    let channel = CUBE_POS_X as usize * plan.lanes + UNIT_POS_X as usize;
    let mut sum = 0.0f32;
    let mut product = 0.0f32;
    if channel < channels {
        let mut at = UNIT_POS_Y as usize;
        while at < parts {
            sum += sums[at * channels + channel];
            product += products[at * channels + channel];
            at += rows;
        }
    }
    let sum = sum_rows(sum, plan.lanes, plan.rows);
    let product = sum_rows(product, plan.lanes, plan.rows);
    if channel < channels {
        let centre = mean[channel];
        let inverse = one_over_deviation(variance[channel], epsilon);
        let slope = scale[channel * scale.stride(0)] * inverse;
        let add = shift[channel * shift.stride(0)];
        if CUBE_POS_Y == 0 && UNIT_POS_Y == 0 {
            scale_gradient[channel] = product * inverse;
            shift_gradient[channel] = sum;
        }
        let count = f32::cast_from(positions(x));
        let constant = sum / count;
        let line = product * inverse * inverse / count;
        let begin = CUBE_POS_Y as usize * span;
        let end = end_of(begin, span, x);
        let mut at = begin + UNIT_POS_Y as usize;
        while at < end {
            let value = x[index(x, channel, at, plan.even)];
            let mut g = gradient[index(gradient, channel, at, plan.even)];
            if comptime!(plan.relu && !plan.add) {
                g = select(normalised(value, centre, slope, add) <= 0.0f32, 0.0f32, g);
            }
            let to = index(&*x_gradient, channel, at, plan.even);
            x_gradient[to] = slope * ((g - constant) - (value - centre) * line);
            at += rows;
        }
    }
}
