//! Sums of shifted, weighted source: what the forward pass and the data gradient are made of.
//!
//! One tile of the output, as many neighbouring pixels as a vector has lanes times as many
//! channels, is kept in registers. For each input channel and place in the kernel, one vector of
//! weights (a lane for each output channel) is multiplied by each pixel's value, read and spread
//! over the lanes in one instruction from the image with its border ([`Bordered`]): no image-to-column
//! copy is made. At the end the tile is turned around in registers and written as rows of pixels.
//!
//! Every output is computed by one thread in one order, so that results do not depend on the
//! number of threads.

use rayon::prelude::*;

use crate::bordered::Bordered;
use crate::buffer::{Aligned, with_scratch};
use crate::lanes::{Lanes, Level, Task};
use crate::threads::divide_products;

/// Pixels that are read with one address.
const GROUP: usize = 4;
/// Groups in the largest tile.
const GROUPS: usize = 4;

/// Up to four neighbouring pixels of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Group {
    /// Where the first pixel lies in the bordered image, before any shift.
    from: usize,
    /// Where the first pixel lies in a channel of the output.
    to: usize,
    /// Pixels.
    width: usize,
}

/// Some of the output's pixels, all with the same places of the kernel to sum over.
struct Part {
    /// For each input channel and place: how far from the pixel to read.
    shifts: Vec<usize>,
    /// `[output channels / lanes, shifts, lanes]`
    weights: Aligned,
    tiles: Vec<[Group; GROUPS]>,
    /// Distance of neighbouring pixels in the output.
    step: usize,
}

/// Pixels of the output that one part computes: the rows `start[0]`, `start[0] + step[0]`, …
pub(crate) struct Grid {
    pub(crate) start: [usize; 2],
    pub(crate) step: [usize; 2],
    pub(crate) count: [usize; 2],
}

/// A place of the kernel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// The bordered image's row and column that meets the output's first pixel there.
    pub(crate) shift: [usize; 2],
    /// The kernel's row and column.
    pub(crate) kernel: [usize; 2],
}

/// How to compute an output `[batch, channels, rows, columns]` from images.
pub(crate) struct Correlation {
    level: Level,
    source: Bordered,
    /// Rows and columns of the source from one pixel of a part to the next.
    stride: [usize; 2],
    parts: Vec<Part>,
    channels: usize,
    /// Values of one channel of the output.
    area: usize,
    columns: usize,
    /// Starting values, a whole number of vectors.
    bias: Aligned,
}

impl Correlation {
    pub(crate) fn new(
        level: Level,
        source: Bordered,
        stride: [usize; 2],
        channels: usize,
        [rows, columns]: [usize; 2],
        bias: Option<&[f32]>,
    ) -> Self {
        let mut start = Aligned::zeros(channels.next_multiple_of(level.lanes()));
        if let Some(bias) = bias {
            start.values_mut()[..channels].copy_from_slice(bias);
        }
        Self {
            level,
            source,
            stride,
            parts: Vec::new(),
            channels,
            area: rows * columns,
            columns,
            bias: start,
        }
    }

    /// Adds pixels that are the sum over `places` of `weight(output channel, input channel, place)`
    /// times the image.
    pub(crate) fn part(
        &mut self,
        grid: &Grid,
        places: &[Place],
        weight: impl Fn(usize, usize, [usize; 2]) -> f32,
    ) {
        let lanes = self.level.lanes();
        let inputs = self.source.channels;
        let blocks = self.channels.div_ceil(lanes);
        let depth = inputs * places.len();
        let mut shifts = Vec::with_capacity(depth);
        let mut weights = Aligned::zeros(blocks * depth * lanes);
        let packed = weights.values_mut();
        for input in 0..inputs {
            for place in places {
                let [row, column] = place.shift;
                let k = shifts.len();
                shifts.push(self.source.index(input, row, column));
                for channel in 0..self.channels {
                    let (block, lane) = (channel / lanes, channel % lanes);
                    packed[(block * depth + k) * lanes + lane] =
                        weight(channel, input, place.kernel);
                }
            }
        }
        self.parts.push(Part {
            shifts,
            weights,
            tiles: tiles(
                grid,
                self.stride,
                self.source.outer[1],
                self.columns,
                lanes / GROUP,
            ),
            step: grid.step[1],
        });
    }

    /// Computes the output for all images.
    pub(crate) fn run(&self, images: &[f32], output: &mut [f32]) {
        let image = self.source.channels * self.source.size[0] * self.source.size[1];
        let result = self.channels * self.area;
        let batch = output.len() / result;
        let depth: usize = self
            .parts
            .iter()
            .map(|part| part.shifts.len())
            .max()
            .unwrap_or(0);
        if divide_products(output.len() * depth) {
            let share = batch.div_ceil(4 * rayon::current_num_threads());
            images
                .par_chunks(share * image)
                .zip(output.par_chunks_mut(share * result))
                .for_each(|(images, output)| self.run_here(images, output));
        } else {
            self.run_here(images, output);
        }
    }

    fn run_here(&self, images: &[f32], output: &mut [f32]) {
        // A group at the end of the last row may read beyond it; what it reads there is not used.
        with_scratch(self.source.len() + GROUP * self.stride[1], |bordered| {
            self.level.run(Images {
                correlation: self,
                input: images,
                output,
                bordered,
            });
        });
    }
}

/// Splits the grid's rows into groups and those into tiles of `groups`; the last group of a row
/// that is no multiple of a group overlaps the one before, and the last tile repeats its last group.
fn tiles(
    grid: &Grid,
    stride: [usize; 2],
    source: usize,
    target: usize,
    groups: usize,
) -> Vec<[Group; GROUPS]> {
    let [rows, columns] = grid.count;
    let width = columns.min(GROUP);
    let mut all = Vec::with_capacity(rows * columns.div_ceil(GROUP));
    for row in 0..rows {
        for first in (0..columns).step_by(GROUP) {
            let column = first.min(columns - width);
            all.push(Group {
                from: row * stride[0] * source + column * stride[1],
                to: (grid.start[0] + row * grid.step[0]) * target
                    + grid.start[1]
                    + column * grid.step[1],
                width,
            });
        }
    }
    all.chunks(groups)
        .map(|chunk| std::array::from_fn(|i| chunk[i.min(chunk.len() - 1)]))
        .collect()
}

/// Some images, on one thread.
struct Images<'a> {
    correlation: &'a Correlation,
    input: &'a [f32],
    output: &'a mut [f32],
    bordered: &'a mut [f32],
}

impl Task for Images<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, L: Lanes<N>>(self, lanes: L) {
        let this = self.correlation;
        let source = &this.source;
        let image = source.channels * source.size[0] * source.size[1];
        for (image, output) in self
            .input
            .chunks_exact(image)
            .zip(self.output.chunks_exact_mut(this.channels * this.area))
        {
            source.fill(image, self.bordered);
            for part in &this.parts {
                let depth = part.shifts.len();
                for block in 0..this.channels.div_ceil(N) {
                    let weights = &part.weights.values()[block * depth * N..][..depth * N];
                    let bias = &this.bias.values()[block * N..][..N];
                    let channels = N.min(this.channels - block * N);
                    let output = &mut output[block * N * this.area..][..channels * this.area];
                    for tile in &part.tiles {
                        // SAFETY: the shifts and groups stay inside the source, but for at most
                        // the last `GROUP - 1` pixels of a row, which the buffer has room for.
                        let mut sums = unsafe {
                            // The usual strides are constants of the loop.
                            let (shifts, bordered) = (&part.shifts, &*self.bordered);
                            match this.stride[1] {
                                1 => tile_sums(lanes, shifts, weights, bias, tile, 1, bordered),
                                2 => tile_sums(lanes, shifts, weights, bias, tile, 2, bordered),
                                n => tile_sums(lanes, shifts, weights, bias, tile, n, bordered),
                            }
                        };
                        lanes.transpose(&mut sums);
                        write(lanes, &sums, tile, part.step, output, this.area);
                    }
                }
            }
        }
    }
}

/// For each pixel of the tile a vector of sums over the kernel, a lane for each output channel.
///
/// # Safety
///
/// For every group and shift, `GROUP` pixels from their sum on are in `source`.
#[inline(always)]
unsafe fn tile_sums<const N: usize, L: Lanes<N>>(
    lanes: L,
    shifts: &[usize],
    weights: &[f32],
    bias: &[f32],
    tile: &[Group; GROUPS],
    stride: usize,
    source: &[f32],
) -> [L::V; N] {
    debug_assert!(weights.len() == shifts.len() * N && bias.len() == N);
    debug_assert!(tile.iter().all(|group| {
        shifts
            .iter()
            .all(|shift| shift + group.from + (GROUP - 1) * stride < source.len())
    }));
    // SAFETY: the caller vouches for the reads of `source`; the others are inside their slices.
    unsafe {
        let from = tile.map(|group| source.as_ptr().add(group.from));
        let mut sums = [lanes.load(bias.as_ptr()); N];
        let mut weights = weights.as_ptr();
        for &shift in shifts {
            let weight = lanes.load(weights);
            weights = weights.add(N);
            for group in 0..N / GROUP {
                let pixel = from[group].add(shift);
                for i in 0..GROUP {
                    let sum = &mut sums[group * GROUP + i];
                    *sum = lanes.mul_add(lanes.splat(*pixel.add(i * stride)), weight, *sum);
                }
            }
        }
        sums
    }
}

/// Writes vectors of pixels, one for each channel of `output: [channels <= N, area]`.
#[inline(always)]
fn write<const N: usize, L: Lanes<N>>(
    lanes: L,
    rows: &[L::V; N],
    tile: &[Group; GROUPS],
    step: usize,
    output: &mut [f32],
    area: usize,
) {
    let groups = &tile[..N / GROUP];
    let whole = groups.iter().all(|group| group.width == GROUP) && step == 1;
    let start = groups[0].to;
    let in_line = whole && (0..groups.len()).all(|i| groups[i].to == start + i * GROUP);
    for (channel, row) in output.chunks_exact_mut(area).zip(rows) {
        if in_line {
            let to = &mut channel[start..start + N];
            // SAFETY: `to` has N values.
            unsafe { lanes.store(to.as_mut_ptr(), *row) };
            continue;
        }
        let mut pixels = [0.0; N];
        // SAFETY: there are N pixels.
        unsafe { lanes.store(pixels.as_mut_ptr(), *row) };
        for (group, pixels) in groups.iter().zip(pixels.chunks_exact(GROUP)) {
            if whole {
                channel[group.to..group.to + GROUP].copy_from_slice(pixels);
            } else {
                for (i, pixel) in pixels[..group.width].iter().enumerate() {
                    channel[group.to + i * step] = *pixel;
                }
            }
        }
    }
}
