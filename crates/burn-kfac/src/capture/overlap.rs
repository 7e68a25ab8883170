//! A of a convolution with stride 1, from what its patches share.
//!
//! The block of A for two kernel elements u and v is a sum over pixels q of x[q] x[q + v - u].
//! But for the border it depends on v - u alone, so it is a correlation of the images with
//! themselves (13 blocks instead of 45 for a 3x3 kernel), less what a strip at the border
//! adds to it, which is a correlation of the images cut to that strip.

use std::collections::BTreeMap;

use super::correlations::{Correlations, Images, Part};
use crate::Symmetric;
use crate::window::Window;

/// Whether A of such a convolution can be had this way, and is worth it: patches lie one pixel
/// apart, the borders on two sides have no pixel in common, and there is more than one channel
/// (products of vectors are slower than patches).
pub(super) fn covers(window: &Window, channels: usize) -> bool {
    window.stride == [1, 1]
        && window.dilation == [1, 1]
        && window.kernel != [1, 1]
        && channels > 1
        && (0..2).all(|axis| window.input[axis] >= 2 * window.kernel[axis])
}

/// The correlations of parts of a batch, each computed when it is first asked for.
struct Parts<'a> {
    images: Images<'a>,
    kernel: [usize; 2],
    /// By first and last row, first and last column.
    known: BTreeMap<[usize; 4], Correlations>,
}

/// Scale * sum of a a^T over the patches a of all images, with a last 1 if there is a bias.
///
/// Sums are taken in single precision, corrected and scaled in double.
pub(super) fn second_moment(
    images: Images<'_>,
    window: &Window,
    bias: bool,
    scale: f64,
) -> Symmetric {
    let channels = images.channels;
    let [kh, kw] = window.kernel;
    let taps = kh * kw;
    let mut moment = Symmetric::zeros(channels * taps + usize::from(bias));
    let mut parts = Parts {
        images,
        kernel: window.kernel,
        known: BTreeMap::new(),
    };
    let mut block = vec![0.0; channels * channels];
    for u in 0..taps {
        for v in u..taps {
            block.fill(0.0);
            let [from, to] = [u, v].map(|tap| [tap / kw, tap % kw]);
            parts.add(window, from, to, &mut block);
            for (i, row) in block.chunks_exact(channels).enumerate() {
                // The block on the diagonal is symmetric.
                let some = if u == v { i + 1 } else { channels };
                for (j, &sum) in row[..some].iter().enumerate() {
                    moment.set(i * taps + u, j * taps + v, (scale * sum) as f32);
                }
            }
        }
    }
    if bias {
        let last = channels * taps;
        for (j, sum) in tap_sums(&images, window).into_iter().enumerate() {
            moment.set(last, j, (scale * sum) as f32);
        }
        let positions: usize = window.output().iter().product();
        let patches = images.values.len() / images.pixels() * positions;
        moment.set(last, last, (scale * patches as f64) as f32);
    }
    moment
}

impl Parts<'_> {
    /// Adds the block for the kernel elements `from` and `to`, `[channels, channels]`.
    fn add(&mut self, window: &Window, from: [usize; 2], to: [usize; 2], block: &mut [f64]) {
        let (down, right) = (to[0] - from[0], to[1].cast_signed() - from[1].cast_signed());
        let [rows, columns] = [0, 1].map(|axis| strips(window, axis, from[axis], to[axis]));
        for (row_sign, rows) in &rows {
            for (column_sign, columns) in &columns {
                let correlations = self.of(&[rows.clone(), columns.clone()]);
                let sign = row_sign * column_sign;
                let sums = correlations.rows(down, right).flatten();
                for (sum, &x) in block.iter_mut().zip(sums) {
                    *sum += sign * f64::from(x);
                }
            }
        }
    }

    fn of(&mut self, part: &Part) -> &Correlations {
        let [rows, columns] = part;
        let key = [rows.start, rows.end, columns.start, columns.end];
        (self.known.entry(key))
            .or_insert_with(|| Correlations::new(&self.images, part, self.kernel))
    }
}

/// Along one axis: the parts of the image, with their signs, whose pairs of pixels as far apart
/// as the kernel elements `u` and `v` are those that the two see at some position: the whole, less
/// the pairs for which a position before the first or after the last would be needed.
fn strips(window: &Window, axis: usize, u: usize, v: usize) -> Vec<(f64, std::ops::Range<usize>)> {
    let size = window.input[axis];
    let (nearer, apart) = (u.min(v), u.abs_diff(v));
    let before = window.padding[axis][0];
    // The nearer element meets the first pixel of a pair at start..end.
    let start = nearer.saturating_sub(before);
    let end = (window.output()[axis] + nearer - before).min(size - apart);
    let mut strips = vec![(1.0, 0..size)];
    if start > 0 {
        strips.push((-1.0, 0..start + apart));
    }
    if end < size - apart {
        strips.push((-1.0, end..size));
    }
    strips
}

/// Sum over positions and images of the pixel that each kernel element sees,
/// `[channels * kh * kw]`.
fn tap_sums(images: &Images<'_>, window: &Window) -> Vec<f64> {
    let mut total = vec![0.0; images.pixels()];
    for image in images.values.chunks_exact(images.pixels()) {
        for (sum, &x) in total.iter_mut().zip(image) {
            *sum += f64::from(x);
        }
    }
    let [kh, kw] = window.kernel;
    let [height, width] = images.size;
    let seen = |axis: usize, k: usize| {
        let (positions, first) = window.inside(axis, k);
        first..first + positions.len()
    };
    let mut sums = Vec::with_capacity(images.channels * kh * kw);
    for plane in total.chunks_exact(height * width) {
        for tap in 0..kh * kw {
            let [rows, columns] = [seen(0, tap / kw), seen(1, tap % kw)];
            sums.push(
                rows.map(|y| plane[y * width..][columns.clone()].iter().sum::<f64>())
                    .sum(),
            );
        }
    }
    sums
}
