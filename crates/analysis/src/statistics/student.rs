//! Student's t with a whole number of degrees of freedom, and the interval of a mean.

use std::f64::consts::PI;

use super::{Estimate, Interval, mean};

/// `P(|T| <= t)` with `freedom` degrees of freedom, a finite sum.
///
/// Source: Abramowitz & Stegun 1964, section 26.7.
fn probability_within(t: f64, freedom: usize) -> f64 {
    let angle = (t / (freedom as f64).sqrt()).atan();
    let (sine, cosine) = angle.sin_cos();
    let odd = freedom % 2 == 1;
    if freedom == 1 {
        return 2.0 * angle / PI;
    }
    let mut term = if odd { cosine } else { 1.0 };
    let mut sum = term;
    let mut power = if odd { 3 } else { 2 };
    while power <= freedom - 2 {
        term *= cosine * cosine * (power - 1) as f64 / power as f64;
        sum += term;
        power += 2;
    }
    if odd {
        2.0 / PI * (angle + sine * sum)
    } else {
        sine * sum
    }
}

/// The t that `|T|` stays within with probability `confidence`.
///
/// # Panics
/// If `freedom` is 0 or `confidence` is outside of 0 to 1.
pub(crate) fn student_quantile(confidence: f64, freedom: usize) -> f64 {
    assert!(freedom > 0, "Student's t needs a degree of freedom");
    assert!(
        (0.0..1.0).contains(&confidence),
        "a confidence lies in 0..1, not {confidence}"
    );
    let (mut low, mut high) = (0.0, 1.0);
    while probability_within(high, freedom) < confidence && high < 1e12 {
        high *= 2.0;
    }
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if probability_within(middle, freedom) < confidence {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// The one-sided p-value of "the mean is above `zero`": the probability of a mean as far above it or further, were it
/// `zero`. 1 of fewer than two values.
pub(crate) fn p_above(values: &[f64], zero: f64) -> f64 {
    let n = values.len();
    let Some(value) = mean(values).filter(|_| n >= 2) else {
        return 1.0;
    };
    let variance = values.iter().map(|x| (x - value).powi(2)).sum::<f64>() / (n - 1) as f64;
    let away = value - zero;
    if variance <= 0.0 {
        return if away > 0.0 { 0.0 } else { 1.0 };
    }
    let t = away / (variance / n as f64).sqrt();
    let beyond = 0.5 * (1.0 - probability_within(t.abs(), n - 1)).max(0.0);
    if t > 0.0 { beyond } else { 1.0 - beyond }
}

/// Mean of independent values with its two-sided t interval, which needs two values; `None` of nothing.
pub(crate) fn mean_interval(values: &[f64], confidence: f64) -> Option<Estimate> {
    let value = mean(values)?;
    let n = values.len();
    let interval = (n >= 2).then(|| {
        let variance = values.iter().map(|x| (x - value).powi(2)).sum::<f64>() / (n - 1) as f64;
        let half = student_quantile(confidence, n - 1) * (variance / n as f64).sqrt();
        Interval {
            low: Some(value - half),
            high: Some(value + half),
            confidence,
        }
    });
    Some(Estimate { value, interval })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_equal_the_printed_tables() {
        // Abramowitz & Stegun 1964, the table of percentage points of chapter 26.
        for (confidence, freedom, expected) in [
            (0.95, 1, 12.706),
            (0.95, 2, 4.303),
            (0.95, 3, 3.182),
            (0.95, 4, 2.776),
            (0.90, 4, 2.132),
            (0.95, 5, 2.571),
            (0.99, 5, 4.032),
            (0.95, 10, 2.228),
            (0.90, 9, 1.833),
            (0.95, 30, 2.042),
            (0.99, 60, 2.660),
            (0.95, 120, 1.980),
        ] {
            let quantile = student_quantile(confidence, freedom);
            assert!(
                (quantile - expected).abs() < 6e-4,
                "{confidence} {freedom}: {quantile}"
            );
        }
    }

    #[test]
    fn a_p_value_is_the_level_at_which_the_interval_touches_zero() {
        let values = [0.3, 0.1, 0.4, -0.05, 0.2];
        for confidence in [0.5, 0.8, 0.9, 0.95, 0.99, 0.999] {
            let interval = mean_interval(&values, confidence).and_then(|mean| mean.interval);
            let interval = interval.expect("five values");
            let (low, high) = (
                interval.low.expect("bounded"),
                interval.high.expect("bounded"),
            );
            let tail = 0.5 * (1.0 - confidence);
            assert!((p_above(&values, low) - tail).abs() < 1e-9);
            assert!((p_above(&values, high) - (1.0 - tail)).abs() < 1e-9);
        }
        assert_eq!(p_above(&[1.0], 0.0).to_bits(), 1f64.to_bits());
        assert_eq!(p_above(&[1.0, 1.0], 0.0).to_bits(), 0f64.to_bits());
        assert_eq!(p_above(&[0.0, 0.0], 0.0).to_bits(), 1f64.to_bits());
    }

    #[test]
    fn the_interval_of_a_mean_equals_the_worked_example() {
        // 1..5: mean 3, s = sqrt(2.5), half width 2.776445 * sqrt(2.5 / 5).
        let estimate = mean_interval(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.95).expect("values");
        let interval = estimate.interval.expect("five values");
        assert!((interval.high.expect("bounded") - 3.0 - 1.963_243).abs() < 1e-5);
        assert!((estimate.value - 3.0).abs() < 1e-15);
        assert_eq!(mean_interval(&[7.0], 0.95).expect("a value").interval, None);
        assert_eq!(mean_interval(&[], 0.95), None);
    }
}
