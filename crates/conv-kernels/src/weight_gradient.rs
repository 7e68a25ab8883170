//! The gradient with respect to the weight.
//!
//! With the channels last, what one row of the kernel sees of the image is one run of values,
//! `kernel columns x input channels` long. A tile of the gradient, some values of that run times a
//! vector of output channels, stays in registers while all pixels of a few images pass by: each
//! adds the products of the run's values, spread over the lanes, with the vector of the output's
//! gradient. It is no convolution with a kernel as large as the image, and nothing is copied for
//! each place of the kernel.
//!
//! The batch is cut into shares by the shape alone, each is summed by one thread in order, and the
//! shares are summed in order: results do not depend on the number of threads.

use rayon::prelude::*;

use crate::Kernels;
use crate::buffer::{Aligned, with_scratch};
use crate::channels_last::ChannelsLast;
use crate::lanes::{Lanes, Task};
use crate::shape::Conv2d;

/// Most shares of a batch, and so most threads of use.
const SHARES: usize = 16;
/// Fewest operations of a share: below, the sum over shares costs more than a thread saves.
const SHARE_FLOPS: usize = 1_000_000;
/// Most values of all shares' gradients together: 32 MiB.
const SHARE_VALUES: usize = 8 << 20;
/// Values of the images that pass by at once: half of a second-level cache of 1 MiB.
const RESIDENT: usize = 128 << 10;
/// Values of a run in one tile; a shorter run takes the small tile.
const TILE: usize = 16;
const SMALL_TILE: usize = 4;

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
        let sums: Vec<Aligned> = if share == shape.batch() || rayon::current_num_threads() == 1 {
            let shares = input.chunks(inputs).zip(output_gradient.chunks(outputs));
            shares.map(work).collect()
        } else {
            let shares = input.par_chunks(inputs).zip(output_gradient.par_chunks(outputs));
            shares.map(work).collect()
        };
        plan.collect(shape, &sums, weight_gradient);
    }

    /// The gradient with respect to the bias, `[out_channels]`: the sum of
    /// `output_gradient: [batch, out_channels, rows, columns]` over images and pixels.
    ///
    /// # Panics
    ///
    /// If a slice has not the length that the shape says.
    pub fn conv2d_bias_gradient(
        &self,
        shape: &Conv2d,
        output_gradient: &[f32],
        bias_gradient: &mut [f32],
    ) {
        let area = shape.out_size()[0] * shape.out_size()[1];
        shape.check([
            ("output gradient", output_gradient.len(), shape.output_len()),
            ("bias gradient", bias_gradient.len(), shape.out_channels()),
            ("weight", shape.weight_len(), shape.weight_len()),
        ]);
        let mut sums = vec![0.0_f64; shape.out_channels()];
        for image in output_gradient.chunks_exact(area * shape.out_channels()) {
            for (sum, channel) in sums.iter_mut().zip(image.chunks_exact(area)) {
                *sum += f64::from(channel.iter().sum::<f32>());
            }
        }
        for (to, sum) in bias_gradient.iter_mut().zip(sums) {
            *to = sum as f32;
        }
    }
}

struct Plan {
    input: ChannelsLast,
    output: ChannelsLast,
    kernel: [usize; 2],
    stride: [usize; 2],
    /// Values that a row of the kernel sees.
    run: usize,
    /// Images that pass by at once.
    resident: usize,
}

impl Plan {
    fn new(shape: &Conv2d, lanes: usize) -> Self {
        let (kernel, stride, padding) = (shape.kernel(), shape.stride(), shape.padding());
        let bordered = std::array::from_fn(|axis| {
            let needed = (shape.out_size()[axis] - 1) * stride[axis] + kernel[axis];
            needed.max(shape.in_size()[axis] + padding[axis])
        });
        let input = ChannelsLast {
            channels: shape.in_channels(),
            size: shape.in_size(),
            before: padding,
            bordered,
            pitch: shape.in_channels(),
        };
        let output = ChannelsLast {
            channels: shape.out_channels(),
            size: shape.out_size(),
            before: [0, 0],
            bordered: shape.out_size(),
            pitch: shape.out_channels().next_multiple_of(lanes),
        };
        let resident = (RESIDENT / (input.len() + output.len())).clamp(1, shape.batch());
        Self {
            run: kernel[1] * shape.in_channels(),
            input,
            output,
            kernel,
            stride,
            resident,
        }
    }

    /// Images of one share: a function of the shape, not of the threads.
    fn share(&self, shape: &Conv2d) -> usize {
        let shares = SHARES
            .min(SHARE_VALUES / self.gradient_len())
            .min(shape.flops() / SHARE_FLOPS)
            .clamp(1, shape.batch());
        shape.batch().div_ceil(shares)
    }

    /// `[kernel rows, run, output channels]`
    fn gradient_len(&self) -> usize {
        self.kernel[0] * self.run * self.output.pitch
    }

    fn scratch_len(&self) -> usize {
        // The last tile of a run may read beyond the last image; what it reads there is not used.
        self.resident * (self.output.len() + self.input.len()) + TILE
    }

    /// Sums the shares and stores the gradient in its order.
    fn collect(&self, shape: &Conv2d, sums: &[Aligned], gradient: &mut [f32]) {
        let inputs = shape.in_channels();
        let each = |out: usize, gradient: &mut [f32]| {
            for input in 0..inputs {
                for row in 0..self.kernel[0] {
                    for column in 0..self.kernel[1] {
                        let k = row * self.run + column * inputs + input;
                        let at = k * self.output.pitch + out;
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
        let (outputs, inputs) = self.scratch.split_at_mut(plan.resident * output.len());
        let image = input.channels * input.size[0] * input.size[1];
        let result = output.channels * output.size[0] * output.size[1];
        for (images, gradients) in self
            .input
            .chunks(plan.resident * image)
            .zip(self.output_gradient.chunks(plan.resident * result))
        {
            let count = images.len() / image;
            for i in 0..count {
                let to = &mut inputs[i * input.len()..];
                input.fill(lanes, &images[i * image..][..image], to);
                let to = &mut outputs[i * output.len()..];
                output.fill(lanes, &gradients[i * result..][..result], to);
            }
            for row in 0..plan.kernel[0] {
                for block in (0..output.pitch).step_by(N) {
                    let mut done = 0;
                    while done < plan.run {
                        let left = plan.run - done;
                        let at = ((row * plan.run + done) * output.pitch) + block;
                        let sum = &mut self.sum[at..];
                        let from = row * input.bordered[1] * input.pitch + done;
                        let tile = Tile {
                            plan,
                            count,
                            input: &inputs[from..],
                            output: &outputs[block..],
                        };
                        // SAFETY: the run starts inside the bordered images and ends at most a
                        // tile behind them, which the buffer has room for; a vector of output
                        // channels ends inside the pitch.
                        done += unsafe {
                            if left > SMALL_TILE {
                                tile.add::<N, L, TILE>(lanes, sum, left)
                            } else {
                                tile.add::<N, L, SMALL_TILE>(lanes, sum, left)
                            }
                        };
                    }
                }
            }
        }
    }
}

/// Some values of the run times a vector of output channels.
struct Tile<'a> {
    plan: &'a Plan,
    /// Images.
    count: usize,
    /// From the run's first value for the first pixel of the first image.
    input: &'a [f32],
    /// From the first of the output channels for the first pixel of the first image.
    output: &'a [f32],
}

impl Tile<'_> {
    /// Adds to the first `left` rows, at most `R`, of `sum: [rows, pitch]`, and says how many.
    ///
    /// # Safety
    ///
    /// `input` has `R` values for the run of every pixel, `output` has `N`.
    #[inline(always)]
    unsafe fn add<const N: usize, L: Lanes<N>, const R: usize>(
        &self,
        lanes: L,
        sum: &mut [f32],
        left: usize,
    ) -> usize {
        let (input, output) = (&self.plan.input, &self.plan.output);
        let [rows, columns] = output.size;
        let step = self.plan.stride[1] * input.pitch;
        let line = self.plan.stride[0] * input.bordered[1] * input.pitch;
        let mut sums = [lanes.splat(0.0); R];
        debug_assert!(
            (self.count - 1) * input.len() + (rows - 1) * line + (columns - 1) * step + R
                <= self.input.len()
        );
        debug_assert!((self.count * rows * columns - 1) * output.pitch + N <= self.output.len());
        // SAFETY: the caller vouches for the reads of both; the pointers stay in their slices, or
        // one step behind the last pixel, where they are not read.
        unsafe {
            let mut gradient = self.output.as_ptr();
            for image in 0..self.count {
                for row in 0..rows {
                    let mut value = self.input.as_ptr().add(image * input.len() + row * line);
                    for _ in 0..columns {
                        let v = lanes.load(gradient);
                        for (i, sum) in sums.iter_mut().enumerate() {
                            *sum = lanes.mul_add(lanes.splat(*value.add(i)), v, *sum);
                        }
                        value = value.wrapping_add(step);
                        gradient = gradient.wrapping_add(output.pitch);
                    }
                }
            }
        }
        let rows = left.min(R);
        for (i, v) in sums.into_iter().enumerate().take(rows) {
            let to = &mut sum[i * output.pitch..][..N];
            // SAFETY: `to` has N values.
            unsafe { lanes.store(to.as_mut_ptr(), lanes.add(lanes.load(to.as_ptr()), v)) };
        }
        rows
    }
}
