//! The little statistics that the analyses need: estimates with intervals, Student's t, the normal
//! distribution's tails, the ratio of two means, least squares, a derivative-free minimiser.

mod minimise;
mod normal;
mod power;
mod ratio;
mod student;

use serde::{Deserialize, Serialize};

pub(crate) use minimise::nelder_mead;
pub(crate) use normal::{cdf as normal_cdf, log_probability};
pub(crate) use power::{Aim, spread_range, values_needed};
pub(crate) use ratio::{ratio_interval, ratio_of_means};
pub(crate) use student::{mean_interval, p_above, student_quantile};

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

/// Least-squares slope of `y` over `x`; `None` with fewer than two distinct `x`. A slope within what
/// rounding makes of a level line is 0: seeds that all show the same level line agree on 0, and not on
/// the sign of its rounding.
pub(crate) fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let n = points.len() as f64;
    let mean_x = points.iter().map(|point| point.0).sum::<f64>() / n;
    let mean_y = points.iter().map(|point| point.1).sum::<f64>() / n;
    let (mut sxx, mut sxy, mut reach) = (0.0, 0.0, 0.0);
    for (x, y) in points {
        sxx += (x - mean_x).powi(2);
        sxy += (x - mean_x) * (y - mean_y);
        reach += (x - mean_x).abs() * y.abs();
    }
    let is_level = sxy.abs() <= 1e-12 * reach;
    (sxx > 0.0).then(|| if is_level { 0.0 } else { sxy / sxx })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_line_has_no_slope_whatever_its_numbers_round_to() {
        let third = (0.1f64.ln() + 0.3f64.ln() + 0.7f64.ln()) / 3.0;
        let other = (0.7f64.ln() + 0.1f64.ln() + 0.3f64.ln()) / 3.0;
        let level: Vec<(f64, f64)> = (0..7)
            .map(|i| {
                (
                    f64::from(i).exp().ln(),
                    if i % 2 == 0 { third } else { other + 4e-16 },
                )
            })
            .collect();
        assert_eq!(slope(&level).map(f64::to_bits), Some(0));
        let rising = [(0.0, 5.0), (1.0, 5.0 + 1e-9)];
        assert!((slope(&rising).expect("two points") - 1e-9).abs() < 1e-14);
        assert_eq!(slope(&[(1.0, 2.0), (1.0, 3.0)]), None);
    }
}
