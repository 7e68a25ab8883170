//! Batch normalisation against formulas written out in double precision, and its gradient against
//! finite differences.

use conv_kernels::{Affine, Channels, Kernels, Level, Statistics, Then, Through};
use proptest::prelude::*;

const EPSILON: f32 = 1e-5;

/// Values in [-1, 1] that look random, moved by `offset`.
fn values(len: usize, seed: u32, offset: f32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0 + offset
        })
        .collect()
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Follows {
    Nothing,
    Relu,
    AddRelu,
}

const ALL: [Follows; 3] = [Follows::Nothing, Follows::Relu, Follows::AddRelu];

struct Case {
    channels: Channels,
    input: Vec<f32>,
    scale: Vec<f32>,
    shift: Vec<f32>,
    shortcut: Vec<f32>,
    /// With respect to the output.
    gradient: Vec<f32>,
}

#[derive(Debug, PartialEq)]
struct Results {
    output: Vec<f32>,
    statistics: Statistics,
    evaluated: Vec<f32>,
    input: Vec<f32>,
    scale: Vec<f32>,
    shift: Vec<f32>,
    shortcut: Vec<f32>,
}

impl Case {
    fn new(channels: Channels) -> Self {
        Self {
            channels,
            input: values(channels.len(), 1, 0.7),
            scale: values(channels.channels, 2, 0.3),
            shift: values(channels.channels, 3, 0.0),
            shortcut: values(channels.len(), 4, 0.1),
            gradient: values(channels.len(), 5, 0.2),
        }
    }

    fn channel(&self, index: usize) -> usize {
        index / self.channels.area % self.channels.channels
    }

    fn run(&self, kernels: Kernels, follows: Follows) -> Results {
        let affine = Affine {
            scale: &self.scale,
            shift: &self.shift,
            epsilon: EPSILON,
        };
        let then = match follows {
            Follows::Nothing => Then::Nothing,
            Follows::Relu => Then::Relu,
            Follows::AddRelu => Then::AddRelu(&self.shortcut),
        };
        // What was there before must not matter.
        let nan = || vec![f32::NAN; self.channels.len()];
        let mut output = nan();
        let statistics = kernels.batch_norm(self.channels, &self.input, affine, then, &mut output);
        let mut evaluated = nan();
        kernels.batch_norm_with(
            self.channels,
            &self.input,
            affine,
            &statistics,
            then,
            &mut evaluated,
        );
        let mut input = nan();
        let mut shortcut = nan();
        let mut scale = vec![f32::NAN; self.channels.channels];
        let mut shift = scale.clone();
        let through = match follows {
            Follows::Nothing => Through::Nothing,
            Follows::Relu => Through::Relu,
            Follows::AddRelu => Through::AddRelu {
                output: &output,
                shortcut_gradient: &mut shortcut,
            },
        };
        kernels.batch_norm_gradient(
            self.channels,
            &self.input,
            affine,
            &statistics,
            through,
            &self.gradient,
            &mut input,
            &mut scale,
            &mut shift,
        );
        if follows != Follows::AddRelu {
            shortcut.clear();
        }
        Results {
            output,
            statistics,
            evaluated,
            input,
            scale,
            shift,
            shortcut,
        }
    }

    /// Mean and variance, channel by channel.
    fn statistics(&self, input: &[f64]) -> Vec<[f64; 2]> {
        let count = (self.channels.batch * self.channels.area) as f64;
        let sum = |of: &dyn Fn(usize, f64) -> f64| {
            let mut sums = vec![0.0; self.channels.channels];
            for (index, x) in input.iter().enumerate() {
                sums[self.channel(index)] += of(self.channel(index), *x) / count;
            }
            sums
        };
        let mean = sum(&|_, x| x);
        let variance = sum(&|channel, x| (x - mean[channel]).powi(2));
        mean.iter()
            .zip(variance)
            .map(|(mean, variance)| [*mean, variance])
            .collect()
    }

    /// Before the rectifier.
    fn sums(&self, follows: Follows, input: &[f64], scale: &[f64], shift: &[f64]) -> Vec<f64> {
        let statistics = self.statistics(input);
        let shortcut = |index: usize| match follows {
            Follows::AddRelu => f64::from(self.shortcut[index]),
            _ => 0.0,
        };
        let normal = input.iter().enumerate().map(|(index, x)| {
            let channel = self.channel(index);
            let [mean, variance] = statistics[channel];
            let z = (x - mean) / (variance + f64::from(EPSILON)).sqrt();
            scale[channel] * z + shift[channel] + shortcut(index)
        });
        normal.collect()
    }

    /// Sum over the outputs of gradient times output, where the rectifier passes what it passes at
    /// the case's own point: it has no second derivative to blur the difference quotient.
    fn loss(&self, follows: Follows, passes: &[bool], point: [&[f64]; 3]) -> f64 {
        let sums = self.sums(follows, point[0], point[1], point[2]);
        let terms = sums.iter().zip(&self.gradient).zip(passes);
        terms
            .map(|((sum, gradient), pass)| {
                if *pass {
                    sum * f64::from(*gradient)
                } else {
                    0.0
                }
            })
            .sum()
    }

    #[track_caller]
    fn check(&self, kernels: Kernels, follows: Follows) {
        let context = format!("{:?} {:?} {follows:?}", kernels.level(), self.channels);
        let point = [&self.input, &self.scale, &self.shift]
            .map(|values| values.iter().copied().map(f64::from).collect::<Vec<f64>>());
        let found = self.run(kernels, follows);
        let near = |name: &str, found: f32, exact: f64, size: f64| {
            let error = (f64::from(found) - exact).abs();
            assert!(
                error <= 2e-5 * (exact.abs() + size),
                "{context} {name}: {found}, not {exact}"
            );
        };

        for (channel, [mean, variance]) in self.statistics(&point[0]).into_iter().enumerate() {
            near("mean", found.statistics.mean[channel], mean, 0.1);
            near(
                "variance",
                found.statistics.variance[channel],
                variance,
                0.0,
            );
        }
        let sums = self.sums(follows, &point[0], &point[1], &point[2]);
        for (index, sum) in sums.iter().enumerate() {
            let exact = if follows == Follows::Nothing {
                *sum
            } else {
                sum.max(0.0)
            };
            near("output", found.output[index], exact, 1.0);
            near("evaluated", found.evaluated[index], exact, 1.0);
        }

        // Where a sum is within rounding of zero, which side it is on is the kernel's to say.
        let passes: Vec<bool> = match follows {
            Follows::Nothing => vec![true; sums.len()],
            _ => found.output.iter().map(|y| *y > 0.0).collect(),
        };
        let quotient = |which: usize, index: usize| {
            let step = 1e-5;
            let loss = |sign: f64| {
                let mut point = point.clone();
                point[which][index] += sign * step;
                let [input, scale, shift] = &point;
                self.loss(follows, &passes, [input, scale, shift])
            };
            (loss(1.0) - loss(-1.0)) / (2.0 * step)
        };
        let count = (self.channels.batch * self.channels.area) as f64;
        for index in (0..point[0].len()).step_by(1 + point[0].len() / 20) {
            // Of a channel with one value the normalised value is constant: nothing to compare with.
            let spread = found.statistics.variance[self.channel(index)];
            near(
                "input gradient",
                found.input[index],
                quotient(0, index),
                1.0 / f64::from(spread.sqrt().max(1e-2)),
            );
        }
        for channel in 0..self.channels.channels {
            near(
                "scale gradient",
                found.scale[channel],
                quotient(1, channel),
                count,
            );
            near(
                "shift gradient",
                found.shift[channel],
                quotient(2, channel),
                count,
            );
        }
        for (index, gradient) in found.shortcut.iter().enumerate() {
            let exact = if passes[index] {
                self.gradient[index]
            } else {
                0.0
            };
            assert_eq!(
                gradient.to_bits(),
                exact.to_bits(),
                "{context} shortcut gradient"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_level_normalises_and_differentiates(
        batch in 2_usize..6, count in 1_usize..20, area in 1_usize..70,
    ) {
        let case = Case::new(Channels { batch, channels: count, area });
        for level in Level::available() {
            for follows in ALL {
                case.check(Kernels::at(level).unwrap(), follows);
            }
        }
    }
}

#[test]
fn values_far_from_zero_keep_their_variance() {
    let channels = Channels {
        batch: 8,
        channels: 2,
        area: 50,
    };
    let mut case = Case::new(channels);
    for x in &mut case.input {
        *x = (*x * 64.0).round() / 64.0 + 4096.0; // exact in single precision
    }
    let exact = case.statistics(
        &case
            .input
            .iter()
            .copied()
            .map(f64::from)
            .collect::<Vec<_>>(),
    );
    for level in Level::available() {
        let found = case
            .run(Kernels::at(level).unwrap(), Follows::Nothing)
            .statistics;
        for (channel, [mean, variance]) in exact.iter().enumerate() {
            assert!((f64::from(found.mean[channel]) - mean).abs() <= 1e-7 * mean.abs());
            assert!((f64::from(found.variance[channel]) - variance).abs() <= 1e-4 * variance);
        }
    }
}

#[test]
fn a_nan_passes_the_rectifier() {
    let channels = Channels {
        batch: 2,
        channels: 1,
        area: 3,
    };
    let mut case = Case::new(channels);
    case.input[1] = f32::NAN;
    for level in Level::available() {
        let found = case.run(Kernels::at(level).unwrap(), Follows::Relu);
        assert!(
            found.output.iter().all(|y| y.is_nan()),
            "{level:?} {:?}",
            found.output
        );
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let pool = |threads| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
    };
    // Large enough to be shared between threads, and no multiple of anything.
    for channels in [
        Channels {
            batch: 101,
            channels: 19,
            area: 143,
        },
        Channels {
            batch: 197,
            channels: 150,
            area: 9,
        },
    ] {
        let case = Case::new(channels);
        for level in Level::available() {
            for follows in ALL {
                let kernels = Kernels::at(level).unwrap();
                let one = pool(1).install(|| case.run(kernels, follows));
                for threads in [2, 3, 5] {
                    let more = pool(threads).install(|| case.run(kernels, follows));
                    assert_eq!(one, more, "{level:?} {follows:?} {threads}");
                }
            }
        }
    }
}
