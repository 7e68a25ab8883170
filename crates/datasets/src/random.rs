//! Named streams of random numbers, drawn on the host.
//!
//! A stream is a function of (seed, purpose, index), so that no generator state is ever stored and
//! streams cannot disturb each other: all optimisers of one seed see the same initial weights and the
//! same batches, on every device. Numbers are the same on every platform: integers come from `ChaCha8`,
//! logarithm and cosine from the `libm` crate and not from the system.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Which examples go to which part of a data set; index 0.
    Split,
    /// The initial weights; index 0.
    InitialWeights,
    /// The order of the examples; the index is the epoch.
    Order,
    /// Crops and flips; the index is the epoch.
    Augmentation,
    /// Labels drawn from the model for the Fisher matrix; the index is the step.
    FisherLabels,
    /// The examples that a gradient noise scale is measured on; the index is the step.
    NoiseScale,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Split => "split",
            Self::InitialWeights => "initial-weights",
            Self::Order => "order",
            Self::Augmentation => "augmentation",
            Self::FisherLabels => "fisher-labels",
            Self::NoiseScale => "noise-scale",
        }
    }
}

/// One stream of random numbers.
pub struct Stream {
    generator: ChaCha8Rng,
    /// Box-Muller makes normal numbers in pairs; this is the one still to be handed out.
    second_normal: Option<f64>,
}

impl Stream {
    /// The stream for a seed, a purpose and an index (epoch or step).
    pub fn new(seed: u64, purpose: Purpose, index: u64) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("pipeline training random stream 1");
        hasher.update(&seed.to_le_bytes());
        hasher.update(&index.to_le_bytes());
        hasher.update(purpose.name().as_bytes());
        Self {
            generator: ChaCha8Rng::from_seed(*hasher.finalize().as_bytes()),
            second_normal: None,
        }
    }

    /// Uniform in `[0, 1)`, a multiple of 2^-53.
    pub fn uniform(&mut self) -> f64 {
        (self.generator.next_u64() >> 11) as f64 * f64::powi(2.0, -53)
    }

    /// Uniform in `0..n`, without bias.
    ///
    /// Source: Lemire 2019, algorithm 5.
    ///
    /// # Panics
    ///
    /// If `n` is 0.
    pub fn below(&mut self, n: u32) -> u32 {
        assert!(n > 0, "there is no number below 0");
        let threshold = n.wrapping_neg() % n;
        loop {
            let product = u64::from(self.generator.next_u32()) * u64::from(n);
            if product as u32 >= threshold {
                return (product >> 32) as u32;
            }
        }
    }

    /// Normal with mean 0 and variance 1.
    ///
    /// Source: Box and Muller 1958, eq. (1).
    pub fn normal(&mut self) -> f64 {
        if let Some(normal) = self.second_normal.take() {
            return normal;
        }
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.uniform()));
        let angle = 2.0 * std::f64::consts::PI * self.uniform();
        self.second_normal = Some(radius * libm::sin(angle));
        radius * libm::cos(angle)
    }

    /// A uniformly drawn order of `0..n`.
    ///
    /// Source: Durstenfeld 1964 (Fisher-Yates).
    ///
    /// # Panics
    ///
    /// If `n` does not fit into 32 bits.
    pub fn permutation(&mut self, n: usize) -> Vec<u32> {
        let n = u32::try_from(n).expect("a data set has fewer than 2^32 examples");
        let mut order: Vec<u32> = (0..n).collect();
        for last in (1..n).rev() {
            order.swap(last as usize, self.below(last + 1) as usize);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_depends_on_seed_purpose_and_index() {
        let first = |seed, purpose, index| Stream::new(seed, purpose, index).generator.next_u64();
        let base = first(0, Purpose::Order, 0);
        assert_eq!(base, first(0, Purpose::Order, 0));
        assert_ne!(base, first(1, Purpose::Order, 0));
        assert_ne!(base, first(0, Purpose::Augmentation, 0));
        assert_ne!(base, first(0, Purpose::Order, 1));
    }

    #[test]
    fn normal_numbers_have_the_moments_of_the_normal_distribution() {
        let mut stream = Stream::new(3, Purpose::InitialWeights, 0);
        let n = 200_000;
        let (mut sums, mut within) = ([0.0; 4], 0);
        for _ in 0..n {
            let x = stream.normal();
            for (power, sum) in (1..).zip(&mut sums) {
                *sum += x.powi(power) / f64::from(n);
            }
            within += i32::from(x.abs() < 1.0);
        }
        // Five standard errors: those of x, x^2, x^3, x^4 are sqrt(1, 2, 15, 96) / sqrt(n).
        for ((sum, expected), variance) in sums
            .iter()
            .zip([0.0, 1.0, 0.0, 3.0])
            .zip([1.0, 2.0, 15.0, 96.0])
        {
            assert!(
                (sum - expected).abs() < 5.0 * f64::sqrt(variance / f64::from(n)),
                "{sums:?}"
            );
        }
        assert!((f64::from(within) / f64::from(n) - 0.682_689).abs() < 0.005);
    }

    #[test]
    fn numbers_below_a_bound_are_uniform() {
        let mut stream = Stream::new(0, Purpose::Augmentation, 0);
        let mut counts = [0_i32; 9];
        for _ in 0..90_000 {
            counts[stream.below(9) as usize] += 1;
        }
        assert!(
            counts.iter().all(|count| (count - 10_000).abs() < 500),
            "{counts:?}"
        );
    }

    #[test]
    fn a_permutation_holds_every_index_once_and_differs_between_epochs() {
        let order = Stream::new(0, Purpose::Order, 0).permutation(1000);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..1000));
        assert_ne!(order, Stream::new(0, Purpose::Order, 1).permutation(1000));
    }
}
