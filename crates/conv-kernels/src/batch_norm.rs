//! Batch normalisation of images, together with what follows it, and its gradient.
//!
//! Source: Ioffe & Szegedy 2015, "Batch Normalization", algorithm 1 and the gradients below it. A
//! channel's statistics are over its `batch x area` values; the variance is the biased one.
//!
//! Two passes over the data forward and two backward; the second finds a channel's values in the
//! cache where they fit. Channels are independent and each is summed by one thread in the order of
//! the images, so that results do not depend on the number of threads.

use std::ops::Range;

use crate::Kernels;
use crate::channels::{Channels, Columns, for_each_range};
use crate::lanes::{Lanes, Task};
use crate::sweep::{map, visit};

/// `scale * (x - mean) / sqrt(variance + epsilon) + shift`, all but the last `[channels]`.
#[derive(Debug, Clone, Copy)]
pub struct Affine<'a> {
    /// The paper's gamma.
    pub scale: &'a [f32],
    /// The paper's beta.
    pub shift: &'a [f32],
    /// Added to the variance.
    pub epsilon: f32,
}

/// Statistics of the channels.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    /// `[channels]`
    pub mean: Vec<f32>,
    /// The biased variance, `[channels]`.
    pub variance: Vec<f32>,
}

/// What follows the normalisation in the same pass.
#[derive(Debug, Clone, Copy)]
pub enum Then<'a> {
    /// Nothing.
    Nothing,
    /// `max(z, 0)`
    Relu,
    /// `max(z + shortcut, 0)`, as in a residual block; of the shape of the images.
    AddRelu(&'a [f32]),
}

/// What the gradient comes back through: what followed the normalisation.
#[derive(Debug)]
pub enum Through<'a> {
    /// Nothing.
    Nothing,
    /// [`Then::Relu`]
    Relu,
    /// [`Then::AddRelu`]
    AddRelu {
        /// What the forward pass returned.
        output: &'a [f32],
        /// Receives the gradient with respect to the shortcut.
        shortcut_gradient: &'a mut [f32],
    },
}

impl Kernels {
    /// Normalises with the statistics of `input: [batch, channels, area]` itself, as in training,
    /// into `output` of the same shape.
    ///
    /// # Panics
    ///
    /// If a slice has not the length that `channels` says, or there are no values.
    pub fn batch_norm(
        &self,
        channels: Channels,
        input: &[f32],
        affine: Affine<'_>,
        then: Then<'_>,
        output: &mut [f32],
    ) -> Statistics {
        assert!(
            !channels.is_empty(),
            "statistics of no values: {channels:?}"
        );
        let mut statistics = Statistics {
            mean: vec![0.0; channels.channels],
            variance: vec![0.0; channels.channels],
        };
        let Statistics { mean, variance } = &mut statistics;
        let results = [Columns::new(mean), Columns::new(variance)];
        self.normalise(
            channels,
            input,
            affine,
            then,
            output,
            Given::Nothing(results),
        );
        statistics
    }

    /// Normalises with given statistics, as in evaluation.
    ///
    /// # Panics
    ///
    /// If a slice has not the length that `channels` says.
    pub fn batch_norm_with(
        &self,
        channels: Channels,
        input: &[f32],
        affine: Affine<'_>,
        statistics: &Statistics,
        then: Then<'_>,
        output: &mut [f32],
    ) {
        self.normalise(
            channels,
            input,
            affine,
            then,
            output,
            Given::Statistics(statistics),
        );
    }

    fn normalise(
        self,
        channels: Channels,
        input: &[f32],
        affine: Affine<'_>,
        then: Then<'_>,
        output: &mut [f32],
        given: Given<'_>,
    ) {
        check(
            channels,
            [input.len(), output.len()],
            [affine.scale.len(), affine.shift.len()],
        );
        if let Then::AddRelu(shortcut) = then {
            assert_eq!(shortcut.len(), channels.len(), "values of the shortcut");
        }
        if let Given::Statistics(Statistics { mean, variance }) = given {
            check(channels, [channels.len(); 2], [mean.len(), variance.len()]);
        }
        let output = Columns::new(output);
        for_each_range(channels, |range| {
            self.level().run(Forward {
                channels,
                range,
                input,
                affine,
                then,
                output,
                given,
            });
        });
    }

    /// The gradients of [`Self::batch_norm`], given that with respect to its output.
    ///
    /// `input` and `affine` are the forward pass's, `statistics` what it returned. Writes the
    /// gradients with respect to the input, the scale `[channels]` and the shift `[channels]`.
    ///
    /// # Panics
    ///
    /// If a slice has not the length that `channels` says.
    #[expect(clippy::too_many_arguments)] // three inputs and three outputs, whatever holds them
    pub fn batch_norm_gradient(
        &self,
        channels: Channels,
        input: &[f32],
        affine: Affine<'_>,
        statistics: &Statistics,
        through: Through<'_>,
        output_gradient: &[f32],
        input_gradient: &mut [f32],
        scale_gradient: &mut [f32],
        shift_gradient: &mut [f32],
    ) {
        check(
            channels,
            [input.len(), output_gradient.len()],
            [affine.scale.len(), affine.shift.len()],
        );
        check(
            channels,
            [input_gradient.len(); 2],
            [scale_gradient.len(), shift_gradient.len()],
        );
        check(
            channels,
            [channels.len(); 2],
            [statistics.mean.len(), statistics.variance.len()],
        );
        let through = match through {
            Through::Nothing => Passed::Nothing,
            Through::Relu => Passed::Relu,
            Through::AddRelu {
                output,
                shortcut_gradient,
            } => {
                let lengths = [output.len(), shortcut_gradient.len()];
                assert_eq!(
                    lengths,
                    [channels.len(); 2],
                    "values of output and shortcut"
                );
                Passed::AddRelu(output, Columns::new(shortcut_gradient))
            }
        };
        let results = [scale_gradient, shift_gradient].map(Columns::new);
        let input_gradient = Columns::new(input_gradient);
        for_each_range(channels, |range| {
            self.level().run(Backward {
                channels,
                range,
                input,
                affine,
                statistics,
                through,
                output_gradient,
                input_gradient,
                results,
            });
        });
    }
}

#[track_caller]
fn check(channels: Channels, images: [usize; 2], vectors: [usize; 2]) {
    assert_eq!(images, [channels.len(); 2], "values of {channels:?}");
    assert_eq!(vectors, [channels.channels; 2], "channels of {channels:?}");
}

#[derive(Clone, Copy)]
enum Given<'a> {
    /// The statistics are computed and written here: mean and variance.
    Nothing([Columns<'a>; 2]),
    Statistics(&'a Statistics),
}

#[derive(Clone, Copy)]
enum Passed<'a> {
    Nothing,
    Relu,
    AddRelu(&'a [f32], Columns<'a>),
}

/// `a x + b` is the normalised value.
#[derive(Clone, Copy)]
struct Line {
    a: f32,
    b: f32,
}

impl Line {
    fn new(affine: Affine<'_>, channel: usize, mean: f32, deviation: f32) -> Self {
        let a = affine.scale[channel] / deviation;
        Self {
            a,
            b: affine.shift[channel] - mean * a,
        }
    }
}

fn deviation(variance: f32, epsilon: f32) -> f32 {
    (variance + epsilon).sqrt()
}

/// Some channels, on one thread.
struct Forward<'a> {
    channels: Channels,
    range: Range<usize>,
    input: &'a [f32],
    affine: Affine<'a>,
    then: Then<'a>,
    output: Columns<'a>,
    given: Given<'a>,
}

impl Task for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, L: Lanes<N>>(self, lanes: L) {
        let area = self.channels.area;
        let lines: Vec<Line> = match self.given {
            Given::Nothing(results) => {
                let mut moments = vec![Moments::default(); self.range.len()];
                for (i, start) in self.channels.planes(&self.range) {
                    moments[i].add(lanes, &self.input[start..][..area]);
                }
                let lines = self.range.clone().zip(moments).map(|(channel, moments)| {
                    let [mean, variance] = moments.mean_and_variance();
                    for (to, value) in results.iter().zip([mean, variance]) {
                        // SAFETY: no other task has this channel.
                        unsafe { to.part(channel, 1)[0] = value };
                    }
                    (channel, mean, variance)
                });
                lines
                    .map(|(channel, mean, variance)| {
                        let deviation = deviation(variance, self.affine.epsilon);
                        Line::new(self.affine, channel, mean, deviation)
                    })
                    .collect()
            }
            Given::Statistics(statistics) => self
                .range
                .clone()
                .map(|channel| {
                    let deviation = deviation(statistics.variance[channel], self.affine.epsilon);
                    Line::new(self.affine, channel, statistics.mean[channel], deviation)
                })
                .collect(),
        };
        for (i, start) in self.channels.planes(&self.range) {
            let input = &self.input[start..][..area];
            // SAFETY: no other task has this channel.
            let output = unsafe { self.output.part(start, area) };
            let Line { a, b } = lines[i];
            let (va, vb) = (lanes.splat(a), lanes.splat(b));
            match self.then {
                Then::Nothing => map(lanes, [input], output, |[x]| lanes.mul_add(va, x, vb)),
                Then::Relu => map(lanes, [input], output, |[x]| {
                    lanes.relu(lanes.mul_add(va, x, vb))
                }),
                Then::AddRelu(shortcut) => map(
                    lanes,
                    [input, &shortcut[start..][..area]],
                    output,
                    |[x, s]| lanes.relu(lanes.add(lanes.mul_add(va, x, vb), s)),
                ),
            }
        }
    }
}

/// Some channels, on one thread.
struct Backward<'a> {
    channels: Channels,
    range: Range<usize>,
    input: &'a [f32],
    affine: Affine<'a>,
    statistics: &'a Statistics,
    through: Passed<'a>,
    output_gradient: &'a [f32],
    input_gradient: Columns<'a>,
    /// Gradients with respect to scale and shift.
    results: [Columns<'a>; 2],
}

impl Task for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, L: Lanes<N>>(self, lanes: L) {
        let area = self.channels.area;
        let first = self.range.start;
        let zero = lanes.splat(0.0);
        // Per channel the forward pass's line, and the sums of g and of g (x - mean), where g is
        // the gradient with respect to the normalised value.
        let lines: Vec<Line> = self
            .range
            .clone()
            .map(|channel| {
                let deviation = deviation(self.statistics.variance[channel], self.affine.epsilon);
                Line::new(
                    self.affine,
                    channel,
                    self.statistics.mean[channel],
                    deviation,
                )
            })
            .collect();
        let mut sums = vec![[0.0_f64; 2]; self.range.len()];
        for (i, start) in self.channels.planes(&self.range) {
            let x = &self.input[start..][..area];
            let g = &self.output_gradient[start..][..area];
            let mean = lanes.splat(self.statistics.mean[first + i]);
            let (a, b) = (lanes.splat(lines[i].a), lanes.splat(lines[i].b));
            let mut sum = [zero; 2];
            let mut add = |x: L::V, g: L::V| {
                sum[0] = lanes.add(sum[0], g);
                sum[1] = lanes.mul_add(g, lanes.sub(x, mean), sum[1]);
            };
            match self.through {
                Passed::Nothing => visit(lanes, [x, g], [0.0; 2], |[x, g]| add(x, g)),
                Passed::Relu => visit(lanes, [x, g], [0.0; 2], |[x, g]| {
                    add(x, lanes.where_positive(lanes.mul_add(a, x, b), g));
                }),
                Passed::AddRelu(output, shortcut_gradient) => {
                    let y = &output[start..][..area];
                    // SAFETY: no other task has this channel.
                    let to = unsafe { shortcut_gradient.part(start, area) };
                    map(lanes, [y, g, x], to, |[y, g, x]| {
                        let g = lanes.where_positive(y, g);
                        add(x, g);
                        g
                    });
                }
            }
            for (total, sum) in sums[i].iter_mut().zip(sum) {
                *total += f64::from(lanes.sum(sum));
            }
        }
        let count = (self.channels.batch * area) as f64;
        // g, x -> gradient with respect to x: a (g - shift gradient / n
        // - (x - mean) / deviation * scale gradient / n)
        let mut planes = Vec::with_capacity(self.range.len());
        for (i, [shift_gradient, sum]) in sums.into_iter().enumerate() {
            let channel = first + i;
            let deviation = deviation(self.statistics.variance[channel], self.affine.epsilon);
            let scale_gradient = sum / f64::from(deviation);
            for (to, value) in self.results.iter().zip([scale_gradient, shift_gradient]) {
                // SAFETY: no other task has this channel.
                unsafe { to.part(channel, 1)[0] = value as f32 };
            }
            let a = f64::from(lines[i].a);
            let slope = -a * scale_gradient / f64::from(deviation) / count;
            let mean = f64::from(self.statistics.mean[channel]);
            let constant = -a * shift_gradient / count - slope * mean;
            planes.push([slope as f32, constant as f32]);
        }
        for (i, start) in self.channels.planes(&self.range) {
            let x = &self.input[start..][..area];
            let g = &self.output_gradient[start..][..area];
            // SAFETY: no other task has this channel.
            let to = unsafe { self.input_gradient.part(start, area) };
            let (a, b) = (lanes.splat(lines[i].a), lanes.splat(lines[i].b));
            let [slope, constant] = planes[i].map(|value| lanes.splat(value));
            let gradient =
                |x: L::V, g: L::V| lanes.mul_add(a, g, lanes.mul_add(slope, x, constant));
            match self.through {
                Passed::Nothing => map(lanes, [x, g], to, |[x, g]| gradient(x, g)),
                Passed::Relu => map(lanes, [x, g], to, |[x, g]| {
                    gradient(x, lanes.where_positive(lanes.mul_add(a, x, b), g))
                }),
                Passed::AddRelu(_, shortcut_gradient) => {
                    // SAFETY: no other task has this channel, and this one has no other part.
                    let g = unsafe { shortcut_gradient.part(start, area) };
                    map(lanes, [x, g], to, |[x, g]| gradient(x, g));
                }
            }
        }
    }
}

/// Mean and sum of squared deviations of planes seen so far, in double precision: sums over a plane
/// are short enough for single precision.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// Source: Chan, Golub & `LeVeque` 1983, "Algorithms for computing the sample variance", eq. 2.1.
    #[inline(always)]
    fn add<const N: usize, L: Lanes<N>>(&mut self, lanes: L, plane: &[f32]) {
        let mut sums = lanes.splat(0.0);
        visit(lanes, [plane], [0.0], |[x]| sums = lanes.add(sums, x));
        let count = plane.len() as f64;
        let mean = f64::from(lanes.sum(sums)) / count;
        let center = lanes.splat(mean as f32);
        let mut squares = lanes.splat(0.0);
        visit(lanes, [plane], [mean as f32], |[x]| {
            let difference = lanes.sub(x, center);
            squares = lanes.mul_add(difference, difference, squares);
        });
        let squares = f64::from(lanes.sum(squares));
        let difference = mean - self.mean;
        let total = self.count + count;
        self.mean += difference * count / total;
        self.squares += squares + difference * difference * self.count * count / total;
        self.count = total;
    }

    fn mean_and_variance(self) -> [f32; 2] {
        [self.mean as f32, (self.squares / self.count) as f32]
    }
}
