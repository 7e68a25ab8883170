//! Interval of a ratio of two means.

use super::{mean, student_quantile};

/// The part above zero of the confidence set of `E[x] / E[y]` from independent pairs `(x, y)`: all
/// ratios `r` for which Student's t finds no mean of `x - r y`. An end is `None` where the set has none
/// above zero: where `y` cannot be told from zero, the ratio has no upper end. `(None, None)` also of
/// fewer than two pairs, or where no ratio above zero is in the set.
///
/// Source: Fieller 1954.
pub(crate) fn ratio_interval(pairs: &[(f64, f64)], confidence: f64) -> (Option<f64>, Option<f64>) {
    let n = pairs.len() as f64;
    if pairs.len() < 2 {
        return (None, None);
    }
    let of = |which: fn(&(f64, f64)) -> f64| pairs.iter().map(which).sum::<f64>() / n;
    let (x, y) = (of(|pair| pair.0), of(|pair| pair.1));
    let t = student_quantile(confidence, pairs.len() - 1);
    let scale = t * t / (n * (n - 1.0));
    let moment = |term: &dyn Fn(f64, f64) -> f64| {
        scale
            * pairs
                .iter()
                .map(|pair| term(pair.0 - x, pair.1 - y))
                .sum::<f64>()
    };
    // (x - r y)^2 <= t^2 var(x - r y) / n is a r^2 - 2 b r + c <= 0.
    let a = y * y - moment(&|_, dy| dy * dy);
    let b = x * y - moment(&|dx, dy| dx * dy);
    let c = x * x - moment(&|dx, _| dx * dx);
    let discriminant = b * b - a * c;
    if discriminant < 0.0 {
        // Only with a < 0: every ratio is in the set.
        return (None, None);
    }
    let root = discriminant.sqrt();
    let (low, high) = ((b - root) / a, (b + root) / a);
    let above_zero = |end: f64| (end > 0.0).then_some(end);
    if a > 0.0 {
        (above_zero(low), above_zero(high))
    } else {
        // All ratios but those between the two: above zero, from the larger one on.
        (above_zero(low.max(high)), None)
    }
}

/// Ratio of the means of `x` and `y`, if both are above zero.
pub(crate) fn ratio_of_means(pairs: &[(f64, f64)]) -> Option<f64> {
    let of = |which: fn(&(f64, f64)) -> f64| mean(&pairs.iter().map(which).collect::<Vec<_>>());
    let (x, y) = (of(|pair| pair.0)?, of(|pair| pair.1)?);
    (x > 0.0 && y > 0.0).then(|| x / y)
}

#[cfg(test)]
mod tests {
    use super::super::mean_interval;
    use super::*;

    /// Whether a ratio is in the set, by its definition.
    fn is_in(pairs: &[(f64, f64)], ratio: f64) -> bool {
        let differences: Vec<f64> = pairs.iter().map(|(x, y)| x - ratio * y).collect();
        let interval = mean_interval(&differences, 0.95)
            .and_then(|estimate| estimate.interval)
            .expect("two pairs");
        interval.low.expect("bounded") <= 0.0 && interval.high.expect("bounded") >= 0.0
    }

    #[test]
    fn the_set_is_all_ratios_that_the_t_test_does_not_refuse() {
        let studies: [&[(f64, f64)]; 6] = [
            &[
                (10.0, 2.0),
                (12.0, 2.2),
                (9.0, 1.7),
                (11.0, 2.4),
                (10.5, 1.9),
            ],
            // The denominator cannot be told from zero: open above.
            &[(10.0, 2.0), (12.0, -0.5), (9.0, 1.0), (11.0, 0.3)],
            // Neither can the numerator: everything.
            &[(1.0, 2.0), (-1.0, -2.0), (0.5, -1.0), (-0.4, 0.9)],
            // The numerator alone cannot: no lower end above zero.
            &[(0.5, 2.0), (-0.2, 2.1), (0.4, 1.9), (-0.1, 2.0)],
            &[(3.0, 1.0), (5.0, 1.1)],
            // A ratio below zero: nothing.
            &[(-10.0, 2.0), (-12.0, 2.2), (-9.0, 1.7), (-11.0, 2.4)],
        ];
        let mut open = 0;
        for pairs in studies {
            let (low, high) = ratio_interval(pairs, 0.95);
            open += usize::from(low.is_some() && high.is_none());
            for k in -400..400 {
                let ratio = 1.03f64.powi(k);
                let inside = match (low, high) {
                    (None, None) => {
                        // Everything or nothing.
                        is_in(pairs, 1.0)
                    }
                    _ => {
                        low.is_none_or(|low| low <= ratio) && high.is_none_or(|high| ratio <= high)
                    }
                };
                assert_eq!(
                    inside,
                    is_in(pairs, ratio),
                    "{pairs:?} {ratio} {low:?} {high:?}"
                );
            }
        }
        assert_eq!(open, 1);
        assert_eq!(ratio_interval(&[(1.0, 1.0)], 0.95), (None, None));
    }
}
