//! The gradient with respect to the weight.
//!
//! With the channels last, what one row of the kernel sees of a block of channels is one run of
//! values, `kernel columns x channels` long. A tile of the gradient, some values of that run times
//! a vector of output channels, stays in registers while some rows of pixels pass by: each adds the
//! products of the run's values, spread over the lanes, with the vector of the output's gradient.
//! It is no convolution with a kernel as large as the image, and nothing is copied for each place
//! of the kernel.
//!
//! The batch is cut into shares by the shape alone, each is summed by one thread in order, and the
//! shares are summed in order: results do not depend on the number of threads.

use std::ops::Range;

use rayon::prelude::*;

use crate::Kernels;
use crate::buffer::{Aligned, with_scratch};
use crate::channels_last::ChannelsLast;
use crate::lanes::{Lanes, Task};
use crate::shape::Conv2d;
use crate::threads::divide_products;

/// Most shares of a batch, and so most threads of use.
const SHARES: usize = 16;
/// Fewest operations of a share, and fewest for each value of its gradient: below, the sum over
/// shares costs more than a thread saves.
const SHARE_FLOPS: usize = 1_000_000;
const SHARE_FLOPS_PER_VALUE: usize = 512;
/// Most values of all shares' gradients together: 32 MiB.
const SHARE_VALUES: usize = 8 << 20;
/// Pixels that pass by at once: a block of both images, 16 lanes each, fills three quarters of a
/// first-level cache of 32 KiB.
const RESIDENT: usize = 192;
/// Most values of a run in one tile.
const TILE: usize = 16;

impl Kernels {
    /// The gradient with respect to the weight, `[out_channels, in_channels, rows, columns]`, given
    /// `input: [batch, in_channels, rows, columns]` and the gradient with respect to the output,
    /// `[batch, out_channels, rows, columns]`: summed over the batch.
    ///
    /// # Panics
    ///
    /// If a slice has not the length that the shape says.
    pub fn conv2d_weight_gradient(
        &self,
        shape: &Conv2d,
        input: &[f32],
        output_gradient: &[f32],
        weight_gradient: &mut [f32],
    ) {
        shape.check([
            ("input", input.len(), shape.input_len()),
            ("output gradient", output_gradient.len(), shape.output_len()),
            ("weight gradient", weight_gradient.len(), shape.weight_len()),
        ]);
        let plan = Plan::new(shape, self.level().lanes());
        let share = plan.share(shape);
        let work = |(input, output_gradient): (&[f32], &[f32])| {
            let mut sum = Aligned::zeros(plan.gradient_len());
            with_scratch(plan.scratch_len(), |scratch| {
                self.level().run(Share {
                    plan: &plan,
                    input,
                    output_gradient,
                    scratch,
                    sum: sum.values_mut(),
                });
            });
            sum
        };
        let inputs = share * shape.input_len() / shape.batch();
        let outputs = share * shape.output_len() / shape.batch();
        let sums: Vec<Aligned> = if share < shape.batch() && divide_products(shape.flops() / 2) {
            let shares = input
                .par_chunks(inputs)
                .zip(output_gradient.par_chunks(outputs));
            shares.map(work).collect()
        } else {
            let shares = input.chunks(inputs).zip(output_gradient.chunks(outputs));
            shares.map(work).collect()
        };
        plan.collect(shape, &sums, weight_gradient);
    }
}

struct Plan {
    input: ChannelsLast,
    output: ChannelsLast,
    kernel: [usize; 2],
    stride: [usize; 2],
    /// Values of a block that a row of the kernel sees.
    run: usize,
    /// Rows that pass by at once.
    rows: usize,
    /// Images that pass by at once.
    images: usize,
}

impl Plan {
    fn new(shape: &Conv2d, lanes: usize) -> Self {
        let (kernel, stride, padding) = (shape.kernel(), shape.stride(), shape.padding());
        let out_size = shape.out_size();
        let bordered = std::array::from_fn(|axis| {
            let needed = (out_size[axis] - 1) * stride[axis] + kernel[axis];
            needed.max(shape.in_size()[axis] + padding[axis])
        });
        let channels = shape.in_channels();
        let pitch = channels.min(lanes);
        let strips = out_size[0].div_ceil((RESIDENT / out_size[1]).max(1));
        Self {
            input: ChannelsLast::new(channels, shape.in_size(), padding, bordered, pitch),
            output: ChannelsLast::new(shape.out_channels(), out_size, [0, 0], out_size, lanes),
            run: kernel[1] * pitch,
            kernel,
            stride,
            rows: out_size[0].div_ceil(strips),
            images: (RESIDENT / (out_size[0] * out_size[1])).clamp(1, shape.batch()),
        }
    }

    /// Images of one share: a function of the shape, not of the threads.
    fn share(&self, shape: &Conv2d) -> usize {
        let shares = SHARES
            .min(SHARE_VALUES / self.gradient_len())
            .min(shape.flops() / SHARE_FLOPS.max(SHARE_FLOPS_PER_VALUE * self.gradient_len()))
            .clamp(1, shape.batch());
        shape.batch().div_ceil(shares)
    }

    /// Rows of the gradient's matrix.
    fn depth(&self) -> usize {
        self.input.blocks * self.kernel[0] * self.run
    }

    /// `[output blocks, input blocks, kernel rows, kernel columns, input channels, output channels]`
    fn gradient_len(&self) -> usize {
        self.output.blocks * self.depth() * self.output.pitch
    }

    fn scratch_len(&self) -> usize {
        // The last tile of a run may read beyond the last image; what it reads there is not used.
        self.images * (self.output.len() + self.input.len()) + TILE
    }

    /// Sums the shares and stores the gradient in its order.
    fn collect(&self, shape: &Conv2d, sums: &[Aligned], gradient: &mut [f32]) {
        let (pitch, lanes) = (self.input.pitch, self.output.pitch);
        let each = |out: usize, gradient: &mut [f32]| {
            for input in 0..shape.in_channels() {
                for row in 0..self.kernel[0] {
                    for column in 0..self.kernel[1] {
                        let line = (input / pitch * self.kernel[0] + row) * self.run
                            + column * pitch
                            + input % pitch;
                        let at = (out / lanes * self.depth() + line) * lanes + out % lanes;
                        gradient[(input * self.kernel[0] + row) * self.kernel[1] + column] =
                            sums.iter().map(|sum| sum.values()[at]).sum();
                    }
                }
            }
        };
        let one = gradient.len() / shape.out_channels();
        gradient
            .par_chunks_mut(one)
            .with_min_len((1 << 14) / (one * sums.len()) + 1)
            .enumerate()
            .for_each(|(out, gradient)| each(out, gradient));
    }
}

/// A share of the batch, on one thread.
struct Share<'a> {
    plan: &'a Plan,
    input: &'a [f32],
    output_gradient: &'a [f32],
    scratch: &'a mut [f32],
    sum: &'a mut [f32],
}

impl Task for Share<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, L: Lanes<N>>(self, lanes: L) {
        let plan = self.plan;
        let (input, output) = (&plan.input, &plan.output);
        let (outputs, inputs) = self.scratch.split_at_mut(plan.images * output.len());
        let image = input.channels * input.size[0] * input.size[1];
        let result = output.channels * output.size[0] * output.size[1];
        for (images, gradients) in self
            .input
            .chunks(plan.images * image)
            .zip(self.output_gradient.chunks(plan.images * result))
        {
            for (image, to) in images
                .chunks_exact(image)
                .zip(inputs.chunks_exact_mut(input.len()))
            {
                input.fill(lanes, image, to);
            }
            for (gradient, to) in gradients
                .chunks_exact(result)
                .zip(outputs.chunks_exact_mut(output.len()))
            {
                output.fill(lanes, gradient, to);
            }
            for first in (0..output.size[0]).step_by(plan.rows) {
                let pass = Pass {
                    plan,
                    images: images.len() / image,
                    rows: first..output.size[0].min(first + plan.rows),
                    inputs,
                    outputs,
                };
                pass.add(lanes, self.sum);
            }
        }
    }
}

/// The pixels that pass by at once.
struct Pass<'a> {
    plan: &'a Plan,
    images: usize,
    rows: Range<usize>,
    inputs: &'a [f32],
    outputs: &'a [f32],
}

impl Pass<'_> {
    /// Adds their products to the whole gradient.
    #[inline(always)]
    fn add<const N: usize, L: Lanes<N>>(&self, lanes: L, sum: &mut [f32]) {
        let plan = self.plan;
        let mut lines = sum.chunks_exact_mut(N);
        for out_block in 0..plan.output.blocks {
            for in_block in 0..plan.input.blocks {
                for row in 0..plan.kernel[0] {
                    let line = row * plan.input.bordered[1] * plan.input.pitch;
                    let start = in_block * plan.input.block_len() + line;
                    for done in (0..plan.run).step_by(TILE) {
                        let left = (plan.run - done).min(TILE);
                        let from = start + done;
                        // SAFETY: the run starts inside the bordered images and ends at most a
                        // tile behind them, which the buffer has room for.
                        let sums = unsafe {
                            match left.div_ceil(4) {
                                1 => self.sums::<N, L, 4>(lanes, from, out_block),
                                2 => self.sums::<N, L, 8>(lanes, from, out_block),
                                3 => self.sums::<N, L, 12>(lanes, from, out_block),
                                _ => self.sums::<N, L, TILE>(lanes, from, out_block),
                            }
                        };
                        for v in &sums[..left] {
                            let to = lines.next().expect("a line for each value of the runs");
                            // SAFETY: a line has N values.
                            unsafe {
                                let v = lanes.add(lanes.load(to.as_ptr()), *v);
                                lanes.store(to.as_mut_ptr(), v);
                            }
                        }
                    }
                }
            }
        }
    }

    /// The first `R` vectors: for each value of the run, that starts at `from` for the first pixel,
    /// the sum over pixels of its product with the vector of output channels.
    ///
    /// # Safety
    ///
    /// `inputs` has `R` values of the run for every pixel.
    #[inline(always)]
    unsafe fn sums<const N: usize, L: Lanes<N>, const R: usize>(
        &self,
        lanes: L,
        from: usize,
        out_block: usize,
    ) -> [L::V; TILE] {
        let (input, output) = (&self.plan.input, &self.plan.output);
        let columns = output.size[1];
        let step = self.plan.stride[1] * input.pitch;
        let line = self.plan.stride[0] * input.bordered[1] * input.pitch;
        let mut sums = [lanes.splat(0.0); R];
        for image in 0..self.images {
            for row in self.rows.clone() {
                let value = image * input.len() + from + row * line;
                let gradient = image * output.len()
                    + out_block * output.block_len()
                    + row * columns * output.pitch;
                debug_assert!(value + (columns - 1) * step + R <= self.inputs.len());
                debug_assert!(gradient + (columns - 1) * N + N <= self.outputs.len());
                // SAFETY: the caller vouches for the values of the run; a row of the output's
                // gradient has N values for each pixel. Behind the last pixel nothing is read.
                unsafe {
                    let mut value = self.inputs.as_ptr().add(value);
                    let mut gradient = self.outputs.as_ptr().add(gradient);
                    for _ in 0..columns {
                        let v = lanes.load(gradient);
                        for (i, sum) in sums.iter_mut().enumerate() {
                            *sum = lanes.mul_add(lanes.splat(*value.add(i)), v, *sum);
                        }
                        value = value.wrapping_add(step);
                        gradient = gradient.wrapping_add(N);
                    }
                }
            }
        }
        std::array::from_fn(|i| if i < R { sums[i] } else { lanes.splat(0.0) })
    }
}
