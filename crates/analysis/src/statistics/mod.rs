//! The little statistics that the analyses need: estimates with intervals, Student's t, the normal
//! distribution's tails, the ratio of two means, least squares, a derivative-free minimiser.

mod minimise;
mod normal;
mod ratio;
mod student;

use serde::{Deserialize, Serialize};

pub(crate) use minimise::nelder_mead;
pub(crate) use normal::log_probability;
pub(crate) use ratio::{ratio_interval, ratio_of_means};
pub(crate) use student::{mean_interval, student_quantile};

/// A confidence interval. A side without a bound is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Nominal coverage, such as 0.95.
    pub confidence: f64,
}

/// A number with its interval, which is `None` where the data allow none (a single seed).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Its interval.
    pub interval: Option<Interval>,
}

/// Least-squares slope of `y` over `x`; `None` with fewer than two distinct `x`.
pub(crate) fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let n = points.len() as f64;
    let mean_x = points.iter().map(|point| point.0).sum::<f64>() / n;
    let mean_y = points.iter().map(|point| point.1).sum::<f64>() / n;
    let sxx: f64 = points.iter().map(|point| (point.0 - mean_x).powi(2)).sum();
    let sxy: f64 = points
        .iter()
        .map(|point| (point.0 - mean_x) * (point.1 - mean_y))
        .sum();
    (sxx > 0.0).then(|| sxy / sxx)
}

/// Arithmetic mean; `None` of nothing.
pub(crate) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The median, the lower of the two in the middle; `None` of nothing. No value is NaN.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied()
}
