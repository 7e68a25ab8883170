//! The gradient with respect to the bias.

use std::ops::Range;

use crate::Kernels;
use crate::channels::{Channels, Columns, for_each_range};
use crate::lanes::{Lanes, Task};
use crate::shape::Conv2d;
use crate::sweep::visit;

impl Kernels {
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
        shape.check([
            ("output gradient", output_gradient.len(), shape.output_len()),
            ("bias gradient", bias_gradient.len(), shape.out_channels()),
        ]);
        let channels = Channels {
            batch: shape.batch(),
            channels: shape.out_channels(),
            area: shape.out_size()[0] * shape.out_size()[1],
        };
        let sums = Columns::new(bias_gradient);
        for_each_range(channels, |range| {
            self.level().run(Sums {
                channels,
                range,
                values: output_gradient,
                results: sums,
            });
        });
    }
}

/// Sums of some channels, on one thread: in single precision over a plane, in double over planes.
struct Sums<'a> {
    channels: Channels,
    range: Range<usize>,
    values: &'a [f32],
    results: Columns<'a>,
}

impl Task for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, L: Lanes<N>>(self, lanes: L) {
        let mut sums = vec![0.0_f64; self.range.len()];
        for (i, start) in self.channels.planes(&self.range) {
            let mut sum = lanes.splat(0.0);
            let plane = &self.values[start..][..self.channels.area];
            visit(lanes, [plane], [0.0], |[x]| sum = lanes.add(sum, x));
            sums[i] += f64::from(lanes.sum(sum));
        }
        for (channel, sum) in self.range.zip(sums) {
            // SAFETY: no other task has this channel.
            unsafe { self.results.part(channel, 1)[0] = sum as f32 };
        }
    }
}
