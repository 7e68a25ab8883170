//! How many seeds a test would need: the power of Student's t and of two one-sided tests, and what is known of a
//! spread from few values.

use super::{normal_cdf, student_quantile};

/// Points at which integrals over a spread are taken.
const POINTS: usize = 240;

/// The density of an observed spread relative to the true one, with some degrees of freedom: points `u` with weights
/// that sum to 1.
fn spreads(freedom: usize) -> Vec<(f64, f64)> {
    let freedom = freedom as f64;
    let reach = 8.0 / (2.0 * freedom).sqrt();
    let (from, to) = ((1.0 - reach).max(1e-9), 1.0 + reach);
    // The logarithm of the density of chi / sqrt(freedom), but for a constant; at 1 it is largest or nearly so.
    let log = |u: f64| (freedom - 1.0) * u.ln() - 0.5 * freedom * (u * u - 1.0);
    let step = (to - from) / POINTS as f64;
    let points: Vec<(f64, f64)> = (0..POINTS)
        .map(|i| from + (i as f64 + 0.5) * step)
        .map(|u| (u, log(u).exp()))
        .collect();
    let sum: f64 = points.iter().map(|point| point.1).sum();
    points.into_iter().map(|(u, w)| (u, w / sum)).collect()
}

/// The relative spread that is observed to be smaller with a probability.
fn spread_quantile(probability: f64, freedom: usize) -> f64 {
    let points = spreads(freedom);
    let mut below = 0.0;
    for &(u, weight) in &points {
        below += weight;
        if below >= probability {
            return u;
        }
    }
    points.last().map_or(1.0, |point| point.0)
}

/// By what factors the true spread may be smaller and larger than the one of `n` values: the ends of its interval of
/// 80 %.
pub(crate) fn spread_range(n: usize) -> (f64, f64) {
    let freedom = n - 1;
    (
        spread_quantile(0.9, freedom).recip(),
        spread_quantile(0.1, freedom).recip(),
    )
}

/// What a test is to show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Aim {
    /// That a mean is above zero, by a two-sided t test.
    Sign,
    /// That a mean is within a margin of zero on both sides, by two one-sided t tests.
    Equivalence,
}

/// The probability that `n` values show it at level `alpha`, if their mean is `ratio` spreads above zero (for
/// [`Aim::Equivalence`]: if it is zero, and the margin is `ratio` spreads).
pub(crate) fn power(aim: Aim, n: usize, ratio: f64, alpha: f64) -> f64 {
    let freedom = n - 1;
    let confidence = match aim {
        Aim::Sign => 1.0 - alpha,
        Aim::Equivalence => 1.0 - 2.0 * alpha,
    };
    let t = student_quantile(confidence, freedom);
    let away = ratio * (n as f64).sqrt();
    spreads(freedom)
        .into_iter()
        .map(|(u, weight)| {
            let above = normal_cdf(away - t * u);
            weight
                * match aim {
                    Aim::Sign => above,
                    Aim::Equivalence => (2.0 * above - 1.0).max(0.0),
                }
        })
        .sum()
}

/// The fewest values, at least `least`, that show it with a probability of `wanted`; `None` if more than a million
/// would be.
pub(crate) fn values_needed(
    aim: Aim,
    ratio: f64,
    alpha: f64,
    wanted: f64,
    least: usize,
) -> Option<usize> {
    const MOST: usize = 1_000_000;
    let shows = |n: usize| power(aim, n, ratio, alpha) >= wanted;
    let mut high = least;
    while !shows(high) {
        high *= 2;
        if high > MOST {
            return None;
        }
    }
    let mut low = least.max(high / 2);
    // `low` shows nothing, or it is the least.
    while low < high {
        let middle = usize::midpoint(low, high);
        if shows(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_equal_printed_ones() {
        // Cohen 1988, table 2.4.1 has for a one-sample t test at 5 % two-sided, d = 0.5: n = 34 for a power of 0.80;
        // d = 0.8: n = 15. (R: power.t.test(delta = .5, sd = 1, power = .8, type = "one.sample") gives 33.4.)
        assert_eq!(values_needed(Aim::Sign, 0.5, 0.05, 0.8, 5), Some(34));
        assert_eq!(values_needed(Aim::Sign, 0.8, 0.05, 0.8, 5), Some(15));
        assert_eq!(values_needed(Aim::Sign, 0.2, 0.05, 0.8, 5), Some(199));
        assert_eq!(values_needed(Aim::Sign, 9.0, 0.05, 0.8, 5), Some(5));
        assert_eq!(values_needed(Aim::Sign, 1e-6, 0.05, 0.8, 5), None);
    }

    #[test]
    fn five_values_know_their_spread_to_a_factor_of_two() {
        // The square roots of 4 / 7.779 and 4 / 1.0636, quantiles of chi-squared with 4 degrees of freedom.
        let (low, high) = spread_range(5);
        assert!((low - 0.717).abs() < 0.01, "{low}");
        assert!((high - 1.939).abs() < 0.03, "{high}");
    }

    #[test]
    fn the_power_of_equivalence_is_what_a_simulation_finds() {
        // splitmix64 and Box & Muller: an independent count.
        let mut state = 7u64;
        let mut uniform = || {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
        };
        for (n, ratio) in [(5, 2.0), (12, 1.0), (40, 0.5)] {
            let t = student_quantile(0.90, n - 1);
            let mut shown = 0;
            let studies = 20_000;
            for _ in 0..studies {
                let values: Vec<f64> = (0..n)
                    .map(|_| {
                        let radius = (-2.0 * (1.0 - uniform()).ln()).sqrt();
                        radius * (2.0 * std::f64::consts::PI * uniform()).cos()
                    })
                    .collect();
                let mean = values.iter().sum::<f64>() / n as f64;
                let variance =
                    values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1) as f64;
                let half = t * (variance / n as f64).sqrt();
                shown += usize::from(mean.abs() + half < ratio);
            }
            let found = shown as f64 / f64::from(studies);
            let expected = power(Aim::Equivalence, n, ratio, 0.05);
            assert!(
                (found - expected).abs() < 0.015,
                "{n} {ratio}: {found} {expected}"
            );
        }
    }
}
