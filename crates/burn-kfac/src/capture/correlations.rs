//! Sums of products of an image batch with itself, shifted: the weight gradient of a convolution
//! whose input and output gradient are the same images.
//!
//! Pixels are brought into the order (row, column, channel), each row followed by zeros enough
//! for the largest shift. The channels of a pixel and of its right neighbours then lie one after
//! the other, so all shifts to the right at once are one matrix product of the batch with itself,
//! read as a matrix whose columns overlap. No patch is ever written.

use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

/// Multiplications of a matrix product below which its overhead shows.
const PRODUCT: usize = 1 << 18;

/// Floats of the reordered samples: half of a second-level cache.
const BUFFER: usize = 1 << 16;

/// Floats that are written together while samples are reordered: half of a first-level cache.
const BAND: usize = 1 << 12;

/// Images of a batch.
#[derive(Clone, Copy)]
pub(super) struct Images<'a> {
    /// `[batch, channels, height, width]`.
    pub(super) values: &'a [f32],
    pub(super) channels: usize,
    /// (height, width).
    pub(super) size: [usize; 2],
}

/// A rectangle of pixels: rows, columns.
pub(super) type Part = [Range<usize>; 2];

/// `R_d[i, j] = sum over samples and pixels q of x_i[q] x_j[q + d]` for the shifts d of half a
/// plane; the others are transposes, as `R_-d[i, j] = R_d[j, i]`. Pixels outside are zero.
pub(super) struct Correlations {
    channels: usize,
    /// Shifts to the right are less than this.
    reach: usize,
    /// By rows down: `[shifts * channels, channels]`, column-major: of column i, row (d, j) is
    /// `R_d[i, j]`. Shifts to the right start at 0 where the shift down is 0, else at `1 - reach`.
    sums: Vec<Vec<f32>>,
}

impl Images<'_> {
    /// Samples.
    fn batch(&self) -> usize {
        self.values.len() / self.pixels()
    }

    /// Numbers of a sample.
    pub(super) fn pixels(&self) -> usize {
        self.channels * self.size[0] * self.size[1]
    }
}

impl Correlations {
    /// Of the images cut to `part`, for shifts of less than `reach` rows and columns.
    pub(super) fn new(images: &Images<'_>, part: &Part, reach: [usize; 2]) -> Self {
        let channels = images.channels;
        let [height, width] = [part[0].len(), part[1].len()];
        let [down, right] = [reach[0].min(height), reach[1].min(width)];
        let shifts = |rows_down: usize| if rows_down == 0 { right } else { 2 * right - 1 };
        let mut sums: Vec<Vec<f32>> = (0..down)
            .map(|rows_down| vec![0.0; channels * channels * shifts(rows_down)])
            .collect();
        // Zeros separate samples as well as rows.
        let (row, sample) = (width + right - 1, height + down - 1);
        let fitting = BUFFER / (channels * row * sample);
        let work = channels * channels * right * row * height;
        let group = PRODUCT.div_ceil(work).min(fitting).clamp(1, images.batch());
        let mut buffer = vec![0.0; channels * row * sample * group];
        for chunk in images.values.chunks(group * images.pixels()) {
            let samples = chunk.len() / images.pixels();
            for (image, to) in chunk
                .chunks_exact(images.pixels())
                .zip(buffer.chunks_exact_mut(channels * row * sample))
            {
                reorder(image, images, part, to, row);
            }
            let rows = samples * sample - (down - 1);
            for (rows_down, sum) in sums.iter_mut().enumerate() {
                let length = (rows - rows_down) * row - (right - 1);
                let left = if rows_down == 0 { 0 } else { right - 1 };
                let shifted = &buffer[(rows_down * row - left) * channels..];
                let all = shifts(rows_down) * channels;
                let view = |pixels, rows| {
                    MatRef::from_column_major_slice_with_stride(pixels, rows, length, channels)
                };
                matmul(
                    MatMut::from_column_major_slice_mut(sum, all, channels),
                    Accum::Add,
                    view(shifted, all),
                    view(&buffer, channels).transpose(),
                    1.0,
                    Par::Seq,
                );
            }
        }
        Self {
            channels,
            reach: right,
            sums,
        }
    }

    /// R for a shift of `down` rows and `right` columns: its rows, `[channels, channels]`.
    ///
    /// # Panics
    /// If the shift lies in the other half of the plane or out of reach.
    pub(super) fn rows(&self, down: usize, right: isize) -> impl Iterator<Item = &[f32]> {
        let first = if down == 0 { 0 } else { self.reach - 1 };
        let shift = right
            .checked_add_unsigned(first)
            .and_then(|shift| usize::try_from(shift).ok())
            .expect("a shift in the half plane that was computed");
        let sum = &self.sums[down];
        sum.chunks_exact(sum.len() / self.channels)
            .map(move |row| &row[shift * self.channels..][..self.channels])
    }
}

/// Writes the part of one image to `to` in the order (row, column, channel), rows `row` pixels
/// apart.
fn reorder(image: &[f32], images: &Images<'_>, part: &Part, to: &mut [f32], row: usize) {
    let [height, width] = images.size;
    let channels = images.channels;
    // Read in long runs, written where a first-level cache holds it.
    let band = (BAND / (row * channels)).max(1);
    for (first, to) in (part[0].clone().step_by(band)).zip(to.chunks_mut(band * row * channels)) {
        for (c, plane) in image.chunks_exact(height * width).enumerate() {
            let lines = plane[first * width..]
                .chunks_exact(width)
                .take(part[0].end - first);
            for (to, line) in to.chunks_mut(row * channels).zip(lines) {
                for (to, &x) in (to.chunks_exact_mut(channels)).zip(&line[part[1].clone()]) {
                    to[c] = x;
                }
            }
        }
    }
}
