//! What a run measures as it goes.
//!
//! Mini-batch losses and learning rates belong to single updates; a run trained here has them for every one, a program
//! may write some. Evaluations, curvature and gradient noise belong to steps between updates. The bytes are in
//! [`bytes`].

mod bytes;

pub use bytes::Columns;

use crate::{Evaluation, Outcome};

/// Mini-batch loss and learning rate by update: of every one, or of those that a program wrote down.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Updates {
    /// The steps that have a row, ascending; `None` if those are 1, 2, 3, ...
    steps: Option<Vec<u64>>,
    /// Mini-batch loss before the update, nats: `[rows]`. NaN where it is not known, infinite where it was not finite.
    pub loss: Vec<f32>,
    /// Learning rate of the update: `[rows]`.
    pub learning_rate: Vec<f64>,
}

impl Updates {
    /// A row for every update.
    pub fn of_every_step(loss: Vec<f32>, learning_rate: Vec<f64>) -> Self {
        Self {
            steps: None,
            loss,
            learning_rate,
        }
    }

    /// Rows at these steps, which ascend from 1 on.
    pub fn at(steps: Vec<u64>, loss: Vec<f32>, learning_rate: Vec<f64>) -> Self {
        let every = (1..).zip(&steps).all(|(row, step)| row == *step);
        Self {
            steps: (!every).then_some(steps),
            loss,
            learning_rate,
        }
    }

    /// Adds the update after the last one.
    pub fn push(&mut self, loss: f32, learning_rate: f64) {
        let step = self.last_step() + 1;
        if let Some(steps) = &mut self.steps {
            steps.push(step);
        }
        self.loss.push(loss);
        self.learning_rate.push(learning_rate);
    }

    /// Rows.
    pub fn len(&self) -> usize {
        self.loss.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.loss.is_empty()
    }

    /// The step of the last row; 0 without any.
    pub fn last_step(&self) -> u64 {
        match &self.steps {
            None => self.loss.len() as u64,
            Some(steps) => steps.last().copied().unwrap_or(0),
        }
    }

    fn steps(&self) -> impl Iterator<Item = u64> + Clone + '_ {
        (0..self.loss.len()).map(|row| {
            self.steps
                .as_ref()
                .map_or(row as u64 + 1, |steps| steps[row])
        })
    }

    /// Steps, the first of which is 1, with their losses.
    pub fn losses(&self) -> impl Iterator<Item = (u64, f32)> + Clone + '_ {
        self.steps().zip(self.loss.iter().copied())
    }

    /// Steps with their losses and rates; none if the rates were dropped.
    pub fn rows(&self) -> impl Iterator<Item = (u64, f32, f64)> + Clone + '_ {
        let rates = self.learning_rate.iter().copied();
        self.losses()
            .zip(rates)
            .map(|((step, loss), rate)| (step, loss, rate))
    }

    /// Leaves out what comes after a step.
    pub fn truncate(&mut self, step: u64) {
        let rows = self.steps().take_while(|own| *own <= step).count();
        if let Some(steps) = &mut self.steps {
            steps.truncate(rows);
        }
        self.loss.truncate(rows);
        self.learning_rate.truncate(rows);
    }
}

/// Curvature at one step of a K-FAC run: quantiles of the eigenvalues of the Kronecker-factored Fisher
/// matrix over all layers that it preconditions, without damping.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Curvature {
    /// Updates made before the factors were decomposed.
    pub step: u64,
    /// Median eigenvalue.
    pub median: f64,
    /// Largest eigenvalue.
    pub largest: f64,
}

/// Noise of the gradient at one step: unbiased estimates of the two parts of the gradient noise scale.
/// Single measurements scatter widely, and either may be negative.
///
/// Source: McCandlish et al. 2018, appendix A.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradientNoise {
    /// Updates made before.
    pub step: u64,
    /// Estimate of the trace of the covariance of one example's gradient.
    pub trace: f64,
    /// Estimate of the squared norm of the gradient of the whole loss.
    pub gradient: f64,
}

/// Which test images were right at an evaluation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correct {
    /// Updates made before.
    pub step: u64,
    /// Whether the label had the largest logit, by image: `[test images]`.
    pub images: Vec<bool>,
}

/// Measurements up to some step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// What belongs to single updates.
    pub updates: Updates,
    /// By ascending step.
    pub evaluations: Vec<Evaluation>,
    /// By ascending step; empty where it was not recorded.
    pub curvature: Vec<Curvature>,
    /// By ascending step; empty where it was not recorded.
    pub noise: Vec<GradientNoise>,
    /// By ascending step, of the same images each; empty where it was not kept.
    pub correct: Vec<Correct>,
}

impl Curve {
    /// Leaves out the updates after `step`, and what was measured at steps that are not kept.
    fn cut(&mut self, step: u64, keeps: impl Fn(u64) -> bool) {
        self.updates.truncate(step);
        self.evaluations.retain(|at| keeps(at.step));
        self.curvature.retain(|at| keeps(at.step));
        self.noise.retain(|at| keeps(at.step));
        self.correct.retain(|at| keeps(at.step));
    }

    /// Leaves out what was measured after `step` updates.
    pub fn truncate(&mut self, step: u64) {
        self.cut(step, |at| at <= step);
    }

    /// The measurements before update `step + 1` and before the evaluation there.
    #[must_use]
    pub fn before(&self, step: u64) -> Self {
        let mut before = self.clone();
        before.cut(step, |at| at < step);
        before
    }

    /// How a run ended of which a program wrote this curve, and `steps` updates in all; after a divergence, whatever
    /// follows is left out of the curve. The rule is that of [`Outcome`].
    pub fn end(&mut self, steps: u64, budget_steps: u64) -> Outcome {
        let losses = self.updates.losses().filter(|(_, loss)| !loss.is_nan());
        let losses = losses.map(|(step, loss)| (step, 0, f64::from(loss)));
        let evaluated = self.evaluations.iter();
        let evaluated = evaluated.filter_map(|at| Some((at.step, 1, at.train_loss?)));
        let mut training: Vec<(u64, u8, f64)> = losses.chain(evaluated).collect();
        // The mini-batch loss of an update comes before the evaluation after it.
        training.sort_by_key(|(step, order, _)| (*step, *order));
        let finite = training.iter().rposition(|(.., loss)| loss.is_finite());
        let Some((step, order, _)) = training.get(finite.map_or(0, |last| last + 1)).copied()
        else {
            return if steps < budget_steps {
                Outcome::Stopped { step: steps }
            } else {
                Outcome::Finished
            };
        };
        self.cut(
            if order == 0 {
                step.saturating_sub(1)
            } else {
                step
            },
            |at| at < step,
        );
        Outcome::Diverged { step }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Losses by step, and losses on the training set by step.
    fn curve(losses: &[(u64, f32)], evaluated: &[(u64, f64)]) -> Curve {
        let (steps, losses): (Vec<u64>, Vec<f32>) = losses.iter().copied().unzip();
        let rates = vec![0.1; steps.len()];
        let evaluated = evaluated.iter().map(|(step, loss)| Evaluation {
            step: *step,
            train_loss: Some(*loss),
            ..Evaluation::default()
        });
        Curve {
            updates: Updates::at(steps, losses, rates),
            evaluations: evaluated.collect(),
            ..Curve::default()
        }
    }

    #[test]
    fn a_loss_that_is_finite_again_is_no_divergence() {
        let losses = [(1, 2.0), (2, f32::INFINITY), (3, 1.0)];
        let mut skipped = curve(&losses, &[(0, 2.0), (2, f64::NAN), (3, 0.5)]);
        let whole = skipped.clone();
        assert_eq!(skipped.end(3, 3), Outcome::Finished);
        assert_eq!(skipped.updates, whole.updates);
        assert_eq!(skipped.evaluations.len(), 3);
        assert_eq!(skipped.end(3, 5), Outcome::Stopped { step: 3 });
        // A rate without a loss says nothing.
        let mut silent = curve(&[(1, 2.0), (2, f32::NAN)], &[]);
        assert_eq!(silent.end(2, 2), Outcome::Finished);
    }

    #[test]
    fn a_loss_that_stays_infinite_is_divergence_and_nothing_after_it_counts() {
        let losses = [(1, 2.0), (2, f32::INFINITY), (3, f32::INFINITY)];
        let mut lost = curve(
            &losses,
            &[(0, 2.0), (1, 1.0), (2, f64::NAN), (3, f64::INFINITY)],
        );
        lost.evaluations[3].test_accuracy = Some(0.1);
        assert_eq!(lost.end(3, 3), Outcome::Diverged { step: 2 });
        assert_eq!(lost, curve(&losses[..1], &[(0, 2.0), (1, 1.0)]));
        // The update after a finite loss may be the one that loses the weights.
        let mut late = curve(&[(1, 2.0), (2, 3.0)], &[(0, 2.0), (2, f64::NAN)]);
        assert_eq!(late.end(2, 2), Outcome::Diverged { step: 2 });
        assert_eq!(late, curve(&[(1, 2.0), (2, 3.0)], &[(0, 2.0)]));
    }

    #[test]
    fn a_curve_costs_by_its_rows() {
        let few = curve(&[(50_000_000, 2.0), (100_000_000, 1.0)], &[]);
        assert_eq!(few.updates.last_step(), 100_000_000);
        assert_eq!(few.before(99_999_999).updates.len(), 1);
        let rows: Vec<_> = few.updates.rows().collect();
        assert_eq!(rows, [(50_000_000, 2.0, 0.1), (100_000_000, 1.0, 0.1)]);
    }

    #[test]
    fn a_curve_before_a_step_is_without_the_evaluation_there() {
        let whole = curve(
            &[(1, 2.0), (2, 1.5), (3, 1.0)],
            &[(0, 2.0), (2, 1.0), (3, 0.5)],
        );
        assert_eq!(whole.before(2), curve(&[(1, 2.0), (2, 1.5)], &[(0, 2.0)]));
        let mut ended = whole;
        ended.truncate(2);
        assert_eq!(ended, curve(&[(1, 2.0), (2, 1.5)], &[(0, 2.0), (2, 1.0)]));
    }
}
