//! Maximum likelihood for steps known to an interval, with lognormal noise, and profile-likelihood
//! intervals.
//!
//! A run adds `ln(Phi((ln by - mu) / sigma) - Phi((ln after - mu) / sigma))` if it reached the target
//! within `(after, by]`, and `ln(1 - Phi((ln budget - mu) / sigma))` if it did not within its budget.
//! Source: Tobin 1958 for the censored normal; Meeker & Escobar 1998, chapters 7 and 8, for intervals
//! and profiles.

use super::Steps;
use crate::statistics::{log_probability, nelder_mead, student_quantile};

/// What is known of one run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Observation {
    /// Examples in a batch.
    pub(super) batch: f64,
    /// Log steps lie above this, maybe minus infinity,
    low: f64,
    /// and not above this, maybe plus infinity.
    high: f64,
}

impl Observation {
    /// `None` if the run diverged, as its steps to the target do not exist, or if nothing is known.
    pub(super) fn new(batch_size: u64, steps: Steps) -> Option<Self> {
        let (low, high) = match steps {
            Steps::Reached { after, by } => ((after as f64).ln(), (by.max(1) as f64).ln()),
            Steps::NotReached { budget: 0 } | Steps::Diverged { .. } => return None,
            Steps::NotReached { budget } => ((budget as f64).ln(), f64::INFINITY),
        };
        Some(Self {
            batch: batch_size as f64,
            low,
            high,
        })
    }
}

/// Mean log steps at a batch size, given the shape and the location.
pub(super) type MeanLogSteps = fn(shape: f64, location: f64, batch: f64) -> f64;

/// Shape, location, log sigma.
pub(super) type Point = [f64; 3];

/// A model of log steps and its data.
pub(super) struct Likelihood<'a> {
    pub(super) observations: &'a [Observation],
    pub(super) mean: MeanLogSteps,
    /// Range of the shape.
    pub(super) shapes: (f64, f64),
}

/// Range of log sigma. Below the lower end the intervals between evaluations carry no information.
const LOG_SIGMA: (f64, f64) = (-5.0, 2.0);

impl Likelihood<'_> {
    /// Minus the log likelihood; a shape or sigma outside of its range counts as at the range's end.
    pub(super) fn cost(&self, [shape, location, log_sigma]: Point) -> f64 {
        let shape = shape.clamp(self.shapes.0, self.shapes.1);
        let sigma = log_sigma.clamp(LOG_SIGMA.0, LOG_SIGMA.1).exp();
        let log_likelihood: f64 = self
            .observations
            .iter()
            .map(|run| {
                let mean = (self.mean)(shape, location, run.batch);
                log_probability((run.low - mean) / sigma, (run.high - mean) / sigma)
            })
            .sum();
        if log_likelihood.is_nan() {
            f64::INFINITY
        } else {
            -log_likelihood
        }
    }

    /// The best point from several shapes, and its cost.
    pub(super) fn best(&self) -> (Point, f64) {
        const STARTS: u32 = 9;
        let finite: Vec<f64> = self
            .observations
            .iter()
            .map(|run| {
                if run.high.is_finite() {
                    run.high
                } else {
                    run.low
                }
            })
            .collect();
        let centre = finite.iter().sum::<f64>() / finite.len() as f64;
        let start = (0..STARTS)
            .map(|i| {
                let shape = self.shapes.0
                    + (self.shapes.1 - self.shapes.0) * f64::from(i) / f64::from(STARTS - 1);
                let offsets = self
                    .observations
                    .iter()
                    .map(|run| (self.mean)(shape, 0.0, run.batch));
                let location = centre - offsets.sum::<f64>() / finite.len() as f64;
                let ([location, log_sigma], cost) = nelder_mead(
                    |[l, s]| self.cost([shape, l, s]),
                    [location, -1.0],
                    0.5,
                    1e-2,
                );
                ([shape, location, log_sigma], cost)
            })
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .expect("there are starts");
        let step = 0.5 * (self.shapes.1 - self.shapes.0) / f64::from(STARTS - 1);
        let rough = nelder_mead(|point| self.cost(point), start.0, step, 1e-9);
        // A second simplex leaves a corner where the first one may have collapsed.
        let mut best = nelder_mead(|point| self.cost(point), rough.0, 0.1, 1e-10);
        best.0[0] = best.0[0].clamp(self.shapes.0, self.shapes.1);
        best.0[2] = best.0[2].clamp(LOG_SIGMA.0, LOG_SIGMA.1);
        best
    }

    /// How much the cost may rise above the minimum within an interval of this confidence;
    /// `None` with no more runs than parameters.
    ///
    /// `n/2 ln(1 + t^2 / (n - 2))`, where the asymptotic `chi^2 / 2` is too short for few runs. For a mean
    /// that is linear in its two parameters and uncensored data the interval is Student's: with sigma
    /// minimised over, the cost is `n/2 ln(RSS)` and a constant, and at t standard errors from the estimate
    /// the sum of squares RSS is `1 + t^2 / (n - 2)` times its minimum.
    pub(super) fn allowance(&self, confidence: f64) -> Option<f64> {
        let n = self.observations.len();
        let freedom = n.checked_sub(2).filter(|_| n > 3)?;
        let t = student_quantile(confidence, freedom);
        Some(0.5 * n as f64 * (t * t / freedom as f64).ln_1p())
    }

    /// The ends of the profile-likelihood interval of one coordinate (0 shape, 1 location): where the
    /// cost, minimised over the other two, has risen by `allowance`. `None` where it has not
    /// `reach` away.
    pub(super) fn profile(
        &self,
        (best, least): (Point, f64),
        coordinate: usize,
        allowance: f64,
        reach: (f64, f64),
    ) -> (Option<f64>, Option<f64>) {
        let end = |limit: f64| {
            if (limit - best[coordinate]).abs() < 1e-12 {
                return None;
            }
            let [free, sigma] = if coordinate == 0 { [1, 2] } else { [0, 2] };
            let mut at = best;
            let mut excess = |value: f64| {
                let point = |[a, b]: [f64; 2]| {
                    let mut point = best;
                    point[coordinate] = value;
                    point[free] = a;
                    point[sigma] = b;
                    point
                };
                let (found, cost) = nelder_mead(
                    |free| self.cost(point(free)),
                    [at[free], at[sigma]],
                    0.1,
                    1e-5,
                );
                at = point(found);
                cost - least - allowance
            };
            let (mut inside, mut at_inside) = (best[coordinate], -allowance);
            let mut step = 0.1 * (limit - inside).signum();
            let (mut outside, at_outside) = loop {
                let next = (inside + step).clamp(reach.0, reach.1);
                let value = excess(next);
                if value > 0.0 {
                    break (next, value);
                }
                if (next - limit).abs() < 1e-12 {
                    return None;
                }
                (inside, at_inside) = (next, value);
                step *= 2.0;
            };
            // Regula falsi with halved weights (Illinois), to a thousandth: the coordinates are logs.
            let (mut below, mut above) = (at_inside, at_outside);
            for _ in 0..100 {
                if (outside - inside).abs() <= 1e-3 {
                    break;
                }
                let fraction = if above.is_finite() {
                    -below / (above - below)
                } else {
                    0.5
                };
                let next = inside + (outside - inside) * fraction.clamp(0.02, 0.98);
                let value = excess(next);
                if value.abs() < 1e-3 {
                    return Some(next);
                } else if value > 0.0 {
                    (outside, above) = (next, value);
                    below *= 0.5;
                } else {
                    (inside, below) = (next, value);
                    above *= 0.5;
                }
            }
            Some(inside)
        };
        (end(reach.0), end(reach.1))
    }
}
