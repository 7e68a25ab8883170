//! The gradient noise scale: how much the gradient differs from example to example, beside its size.
//!
//! Two numbers, of which the simple noise scale is the quotient: `tr Sigma`, the trace of the covariance of
//! the gradient of one example, and `|G|^2`, the squared norm of the gradient of the expected loss. Both are
//! estimated without bias from gradients of two batch sizes, because `E |G_B|^2 = |G|^2 + tr Sigma / B`. The
//! gradient of the big batch is the mean of those of the small ones that it consists of, so that one look at
//! each example gives both. Where BatchNorm couples the examples of a batch, each small batch is normalised by
//! itself, and "one example" is a small batch's share.
//!
//! An estimate of `|G|^2` can be negative. The quotient of two unbiased estimates is none: average each over
//! steps, then divide.
//!
//! Source: `McCandlish` et al. 2018, appendix A.1.

use std::mem;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn_conv_kernels::transfer::Reading;
use runs::GradientNoise;

use crate::models::Network;

/// Numbers of gradients that are kept before they are read: 64 MB.
const KEPT: usize = 16 << 20;

/// Takes the gradients of small batches, one after the other.
#[derive(Default)]
pub(crate) struct Estimator {
    /// Of the gradients, entry by entry; `[parameters]`.
    sum: Vec<f64>,
    /// Of the squared norms of the gradients.
    squares: f64,
    batches: usize,
    /// Gradients that are not added up yet.
    kept: Reading,
    /// Numbers among them.
    numbers: usize,
}

impl Estimator {
    /// Adds the gradients of the parameters of a network.
    ///
    /// # Panics
    ///
    /// If there are not the same parameters each time.
    pub(crate) fn add(&mut self, network: &Network, gradients: &GradientsParams) {
        let parameters = network.num_params();
        network.visit(&mut Keep {
            gradients,
            kept: &mut self.kept,
        });
        self.numbers += parameters;
        if self.numbers + parameters > KEPT {
            self.read(parameters);
        }
    }

    /// Adds up what is kept of a network of so many parameters.
    fn read(&mut self, parameters: usize) {
        self.numbers = 0;
        let mut gradient = Vec::with_capacity(parameters);
        for data in mem::take(&mut self.kept).read() {
            gradient.extend(data.try_into_vec::<f32>().expect("gradients are f32"));
            if gradient.len() == parameters {
                self.add_vector(&gradient);
                gradient.clear();
            }
        }
    }

    fn add_vector(&mut self, gradient: &[f32]) {
        if self.batches == 0 {
            self.sum = vec![0.0; gradient.len()];
        }
        assert_eq!(self.sum.len(), gradient.len(), "the same parameters");
        for (sum, value) in self.sum.iter_mut().zip(gradient) {
            let value = f64::from(*value);
            *sum += value;
            self.squares += value * value;
        }
        self.batches += 1;
    }

    /// The estimates for a network, if each small batch was the mean over `small` examples.
    ///
    /// # Panics
    ///
    /// If there were not at least two batches.
    pub(crate) fn estimate(mut self, network: &Network, step: u64, small: usize) -> GradientNoise {
        self.read(network.num_params());
        self.of_sums(step, small)
    }

    fn of_sums(&self, step: u64, small: usize) -> GradientNoise {
        assert!(self.batches > 1, "two batch sizes");
        let batches = self.batches as f64;
        let of_small = self.squares / batches;
        let of_big = self
            .sum
            .iter()
            .map(|sum| (sum / batches).powi(2))
            .sum::<f64>();
        let small = small as f64;
        let big = small * batches;
        GradientNoise {
            step,
            // Both lines of equation (A.2).
            trace: (of_small - of_big) / (1.0 / small - 1.0 / big),
            gradient: (big * of_big - small * of_small) / (big - small),
        }
    }
}

/// Keeps all gradients, one after another.
struct Keep<'a> {
    gradients: &'a GradientsParams,
    kept: &'a mut Reading,
}

impl ModuleVisitor for Keep<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = self.gradients.get::<D>(param.id);
        let gradient = gradient.expect("every parameter of a network acts on its loss");
        self.kept.add(gradient);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gradients of five examples of the loss `|w - x|^2 / 2` at w = 0: what is small enough to take every
    /// sample of.
    const EXAMPLES: [[f32; 2]; 5] = [
        [1.0, 0.5],
        [-2.0, 3.0],
        [0.25, -1.0],
        [4.0, 0.0],
        [-1.5, 2.5],
    ];

    /// Every ordered choice of `count` of `0..n`.
    fn choices(n: usize, count: usize) -> Vec<Vec<usize>> {
        if count == 0 {
            return vec![Vec::new()];
        }
        choices(n, count - 1)
            .into_iter()
            .flat_map(|chosen| {
                (0..n)
                    .filter(|next| !chosen.contains(next))
                    .map(|next| [chosen.as_slice(), &[next]].concat())
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    #[test]
    fn the_mean_over_every_sample_is_the_covariance_and_the_gradient_themselves() {
        let n = EXAMPLES.len() as f64;
        let column = |i: usize| EXAMPLES.map(|x| f64::from(x[i]));
        let mean = [0, 1].map(|i| column(i).iter().sum::<f64>() / n);
        let trace: f64 = [0, 1]
            .map(|i| column(i).map(|x| (x - mean[i]).powi(2)).iter().sum::<f64>() / (n - 1.0))
            .iter()
            .sum();
        // The examples are themselves a sample: the mean's own variance is no part of |G|^2.
        let gradient = mean.iter().map(|x| x * x).sum::<f64>() - trace / n;

        for (small, batches) in [(1, 2), (2, 2), (1, 4), (1, 5)] {
            let samples = choices(EXAMPLES.len(), small * batches);
            let mut means = (0.0, 0.0);
            for sample in &samples {
                let mut estimator = Estimator::default();
                for batch in sample.chunks(small) {
                    let of = |i: usize| {
                        batch.iter().map(|at| EXAMPLES[*at][i]).sum::<f32>() / small as f32
                    };
                    estimator.add_vector(&[of(0), of(1)]);
                }
                let estimate = estimator.of_sums(0, small);
                means.0 += estimate.trace / samples.len() as f64;
                means.1 += estimate.gradient / samples.len() as f64;
            }
            assert!((means.0 / trace - 1.0).abs() < 1e-6, "{small} x {batches}");
            assert!(
                (means.1 / gradient - 1.0).abs() < 1e-6,
                "{small} x {batches}"
            );
        }
    }
}
