//! Softmax cross-entropy on the host, in double precision.
//!
//! The logits of a batch are few, and the loop needs the loss of each step and, for the sampled Fisher,
//! the model's probabilities anyway.

use std::cmp::Ordering;

use burn::tensor::{Tensor, TensorData};
use burn_conv_kernels::transfer;

/// Logits of a batch on the host.
pub(super) struct Logits {
    /// `[batch, classes]`.
    values: Vec<f32>,
    classes: usize,
}

/// The loss of a batch.
pub(super) struct Loss {
    /// Mean cross-entropy, in nats; not finite if a logit is not, but for one of minus infinity that is not of a label.
    pub(super) mean: f64,
    /// Gradient of `mean` at the logits, `[batch, classes]`.
    pub(super) gradient: TensorData,
}

impl Logits {
    /// Fetches logits, `[batch, classes]`.
    pub(super) fn fetch(logits: Tensor<2>) -> Self {
        let [_, classes] = logits.dims();
        let values = transfer::down(logits).try_into_vec();
        let values = values.expect("logits are f32");
        Self { values, classes }
    }

    /// Softmax of each example, with its log-normaliser: `log sum exp`.
    fn rows(&self) -> impl Iterator<Item = (&[f32], f64)> {
        self.values.chunks_exact(self.classes).map(|row| {
            // f32::max passes over NaN, the sum does not.
            let max = f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
            let sum: f64 = row
                .iter()
                .map(|logit| (f64::from(*logit) - max).exp())
                .sum();
            (row, max + sum.ln())
        })
    }

    /// The loss with labels `[batch]`.
    pub(super) fn loss(&self, labels: &[u8]) -> Loss {
        let batch = labels.len() as f64;
        let mut gradient = Vec::with_capacity(self.values.len());
        let mut sum = 0.0;
        for ((row, normaliser), label) in self.rows().zip(labels) {
            let label = usize::from(*label);
            sum += normaliser - f64::from(row[label]);
            gradient.extend(row.iter().enumerate().map(|(class, logit)| {
                let probability = (f64::from(*logit) - normaliser).exp();
                ((probability - f64::from(u8::from(class == label))) / batch) as f32
            }));
        }
        let shape = [labels.len(), self.classes];
        Loss {
            mean: sum / batch,
            gradient: TensorData::new(gradient, shape),
        }
    }

    /// Sum of the cross-entropy, in nats, and of each example whether its label has the largest logit (the
    /// first of equal ones).
    pub(super) fn score(&self, labels: &[u8]) -> (f64, Vec<bool>) {
        let (mut sum, mut correct) = (0.0, Vec::with_capacity(labels.len()));
        for ((row, normaliser), label) in self.rows().zip(labels) {
            let label = usize::from(*label);
            sum += normaliser - f64::from(row[label]);
            let beats = |(class, logit): (usize, &f32)| match logit.partial_cmp(&row[label]) {
                Some(Ordering::Greater) => true,
                Some(Ordering::Equal) => class < label,
                Some(Ordering::Less) | None => false,
            };
            correct.push(!row.iter().enumerate().any(beats));
        }
        (sum, correct)
    }

    /// A label of each example, drawn from the model's probabilities by a number in `[0, 1)` each; `None` if a logit is
    /// not finite, which a loss does not always show.
    pub(super) fn draw(&self, uniforms: &[f64]) -> Option<Vec<u8>> {
        match burn_kfac::draw_labels(&self.values, self.classes, uniforms) {
            Ok(labels) => Some(labels.into_iter().map(|label| label as u8).collect()),
            Err(burn_kfac::Error::NonFiniteLogits { .. }) => None,
            Err(error) => unreachable!("there is a number for each example: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;
    use burn::tensor::activation::log_softmax;

    fn logits() -> Tensor<2> {
        let device = Device::flex().autodiff();
        Tensor::from_floats(
            [[1.0, -2.0, 0.5], [30.0, -40.0, 7.0], [0.0, 0.0, 0.0]],
            &device,
        )
        .require_grad()
    }

    #[test]
    fn loss_and_gradient_are_those_of_burns_own_operations() {
        let labels = [2_u8, 0, 1];
        let ours = logits();
        let Loss { mean, gradient } = Logits::fetch(ours.clone()).loss(&labels);
        let gradient = Tensor::from_data(gradient, &ours.device());
        let gradients = burn_conv_kernels::backward(ours.clone(), gradient);
        let gradient = ours.grad(&gradients).unwrap();

        let theirs = logits();
        let target = Tensor::from_ints([[2], [0], [1]], &theirs.device());
        let reference = log_softmax(theirs.clone(), 1)
            .gather(1, target)
            .mean()
            .neg();
        let expected = theirs.grad(&reference.backward()).unwrap();
        assert!((mean - f64::from(reference.into_scalar::<f32>())).abs() < 1e-6);
        gradient.into_data().assert_approx_eq::<f32>(
            &expected.into_data(),
            burn::tensor::Tolerance::absolute(1e-7),
        );
    }

    #[test]
    fn a_score_counts_ties_as_the_first_class() {
        let logits = Logits::fetch(logits());
        assert_eq!(logits.score(&[0, 0, 0]).1, [true; 3]);
        assert_eq!(
            logits
                .score(&[2, 0, 1])
                .1
                .iter()
                .filter(|right| **right)
                .count(),
            1
        );
        let (sum, _) = logits.score(&[2, 0, 1]);
        assert!((sum - 3.0 * logits.loss(&[2, 0, 1]).mean).abs() < 1e-12);
    }

    #[test]
    fn a_logit_of_minus_infinity_leaves_the_loss_finite_and_nothing_to_draw() {
        let logits = Logits {
            values: vec![0.0, f32::NEG_INFINITY, 1.0],
            classes: 3,
        };
        assert!(logits.loss(&[0]).mean.is_finite());
        assert_eq!(logits.draw(&[0.5]), None);
    }

    #[test]
    fn a_logit_that_is_no_number_makes_the_loss_none() {
        for bad in [f32::NAN, f32::INFINITY] {
            let logits = Logits {
                values: vec![0.0, bad, 1.0],
                classes: 3,
            };
            assert!(!logits.loss(&[0]).mean.is_finite());
        }
    }
}
