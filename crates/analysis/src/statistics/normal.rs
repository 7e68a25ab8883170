//! Probabilities of intervals under the standard normal distribution, in logarithms.

use std::f64::consts::{LN_2, PI, SQRT_2};

/// `ln(P(X > x))` for a standard normal X and `x >= 0`.
fn log_upper_tail(x: f64) -> f64 {
    if x < 25.0 {
        libm::erfc(x / SQRT_2).ln() - LN_2
    } else {
        // erfc underflows near 38. Source: Abramowitz & Stegun 1964, section 26.2.
        -0.5 * x * x - (x * (2.0 * PI).sqrt()).ln() + (-1.0 / (x * x)).ln_1p()
    }
}

/// `P(X <= x)` for a standard normal X.
pub(crate) fn cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x / SQRT_2)
}

/// `ln(P(low < X <= high))` for a standard normal X; the ends may be infinite, `low < high`.
pub(crate) fn log_probability(low: f64, high: f64) -> f64 {
    if low >= 0.0 {
        // ln(Q(low) - Q(high)) without cancelling the tails away.
        let near = log_upper_tail(low);
        if high == f64::INFINITY {
            return near;
        }
        near + (-(log_upper_tail(high) - near).exp()).ln_1p()
    } else if high <= 0.0 {
        log_probability(-high, -low)
    } else {
        (0.5 * (libm::erf(high / SQRT_2) - libm::erf(low / SQRT_2))).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Simpson's rule over the density: an independent twin.
    fn by_quadrature(low: f64, high: f64) -> f64 {
        let n = 2000;
        let h = (high - low) / f64::from(n);
        let density = |x: f64| (-0.5 * x * x).exp() / (2.0 * PI).sqrt();
        let sum: f64 = (0..=n)
            .map(|i| {
                let weight = if i == 0 || i == n {
                    1.0
                } else if i % 2 == 1 {
                    4.0
                } else {
                    2.0
                };
                weight * density(low + h * f64::from(i))
            })
            .sum();
        (sum * h / 3.0).ln()
    }

    #[test]
    fn probabilities_of_intervals_equal_the_integral_of_the_density() {
        for (low, high) in [
            (-1.0, 1.0),
            (0.3, 0.31),
            (-7.0, -2.5),
            (2.5, 7.0),
            (-9.0, 0.0),
            (5.0, 5.1),
        ] {
            let error = (log_probability(low, high) - by_quadrature(low, high)).abs();
            assert!(error < 1e-8, "({low}, {high}): {error}");
        }
    }

    #[test]
    fn tails_are_continuous_where_the_expansion_takes_over_and_finite_beyond() {
        let gap = log_upper_tail(25.0 - 1e-9) - log_upper_tail(25.0);
        assert!(gap.abs() < 1e-4, "{gap}");
        assert!(log_probability(200.0, f64::INFINITY).is_finite());
        assert!((log_probability(f64::NEG_INFINITY, 0.0) + LN_2).abs() < 1e-12);
    }
}
