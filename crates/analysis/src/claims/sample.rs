//! What seeds say of a number: each an exact value, or bounds where a run did not get far enough to tell.

use std::collections::{BTreeMap, BTreeSet};

use crate::statistics::{mean, mean_interval, p_above};
use crate::{Estimate, Interval};

/// What one seed says. An end that is not known is `None`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bounds {
    pub(super) low: Option<f64>,
    /// The value, or what stands for it between the bounds.
    pub(super) middle: f64,
    pub(super) high: Option<f64>,
}

impl Bounds {
    pub(super) fn exactly(value: f64) -> Self {
        Self {
            low: Some(value),
            middle: value,
            high: Some(value),
        }
    }

    pub(super) fn is_open(self) -> bool {
        self.low.is_none() || self.high.is_none()
    }

    /// The mean of some bounds, each times its weight. A weight below zero swaps the ends.
    pub(super) fn weighted(terms: impl IntoIterator<Item = (f64, Self)>) -> Self {
        let mut sum = Self::exactly(0.0);
        for (weight, of) in terms {
            let (low, high) = if weight < 0.0 {
                (of.high, of.low)
            } else {
                (of.low, of.high)
            };
            let add = |sum: Option<f64>, end: Option<f64>| Some(sum? + weight * end?);
            sum = Self {
                low: add(sum.low, low),
                middle: sum.middle + weight * of.middle,
                high: add(sum.high, high),
            };
        }
        sum
    }

    pub(super) fn minus(self, other: Self) -> Self {
        Self::weighted([(1.0, self), (-1.0, other)])
    }
}

/// By seed.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Sample(pub(super) BTreeMap<u64, Bounds>);

impl FromIterator<(u64, Bounds)> for Sample {
    fn from_iter<T: IntoIterator<Item = (u64, Bounds)>>(seeds: T) -> Self {
        Self(seeds.into_iter().collect())
    }
}

impl Sample {
    /// The number of a single value a seed.
    pub(super) fn of_values(values: impl IntoIterator<Item = (u64, f64)>) -> Self {
        let exactly = |(seed, value)| (seed, Bounds::exactly(value));
        values.into_iter().map(exactly).collect()
    }

    pub(super) fn seeds(&self) -> BTreeSet<u64> {
        self.0.keys().copied().collect()
    }

    pub(super) fn is_open(&self) -> bool {
        self.0.values().any(|bounds| bounds.is_open())
    }

    /// Whether every value is known.
    pub(super) fn is_exact(&self) -> bool {
        let bits = |end: Option<f64>| end.map(f64::to_bits);
        let mut bounds = self.0.values();
        bounds.all(|it| it.low.is_some() && bits(it.low) == bits(it.high))
    }

    pub(super) fn middles(&self) -> Vec<f64> {
        self.0.values().map(|bounds| bounds.middle).collect()
    }

    /// The mean distance from a value to its lower end, where it is known.
    pub(super) fn half_width(&self) -> f64 {
        let widths = self.0.values();
        let widths = widths.filter_map(|bounds| Some(bounds.middle - bounds.low?));
        mean(&widths.collect::<Vec<_>>()).unwrap_or(0.0)
    }

    fn lows(&self) -> Option<Vec<f64>> {
        self.0.values().map(|bounds| bounds.low).collect()
    }

    fn highs(&self) -> Option<Vec<f64>> {
        self.0.values().map(|bounds| bounds.high).collect()
    }

    /// The seeds among these.
    pub(super) fn only(&self, seeds: &BTreeSet<u64>) -> Self {
        let kept = self.0.iter().filter(|(seed, _)| seeds.contains(seed));
        kept.map(|(seed, bounds)| (*seed, *bounds)).collect()
    }

    /// Seed by seed the mean over some samples, of the seeds that all have.
    pub(super) fn average<'a>(samples: impl IntoIterator<Item = &'a Self>) -> Self {
        let samples: Vec<&Self> = samples.into_iter().collect();
        let Some(first) = samples.first() else {
            return Self::default();
        };
        let weight = 1.0 / samples.len() as f64;
        let of_seed = |seed: &u64| {
            let terms: Option<Vec<_>> = samples
                .iter()
                .map(|sample| Some((weight, *sample.0.get(seed)?)))
                .collect();
            Some((*seed, Bounds::weighted(terms?)))
        };
        first.0.keys().filter_map(of_seed).collect()
    }

    /// The mean over seeds. Its interval reaches from the t interval of the smallest possible values to that of the
    /// largest; an end is open where a seed's is. `None` of no seed.
    pub(super) fn estimate(&self, confidence: f64) -> Option<Estimate> {
        let value = mean(&self.middles())?;
        let interval = |of: Option<Vec<f64>>| mean_interval(&of?, confidence)?.interval;
        let low = interval(self.lows()).and_then(|interval| interval.low);
        let high = interval(self.highs()).and_then(|interval| interval.high);
        let bounded = low.is_some() || high.is_some();
        Some(Estimate {
            value,
            interval: bounded.then_some(Interval {
                low,
                high,
                confidence,
            }),
        })
    }

    /// The one-sided p-value of "the mean is above `zero`", by the smallest values that the bounds allow.
    pub(super) fn p_above(&self, zero: f64) -> f64 {
        self.lows().map_or(1.0, |lows| p_above(&lows, zero))
    }

    /// The one-sided p-value of "the mean is below `zero`".
    pub(super) fn p_below(&self, zero: f64) -> f64 {
        self.highs().map_or(1.0, |highs| {
            let turned: Vec<f64> = highs.iter().map(|high| -high).collect();
            p_above(&turned, -zero)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_that_is_only_bounded_bounds_every_mean_that_it_enters() {
        let open = Bounds {
            low: Some(2.0),
            middle: 2.0,
            high: None,
        };
        let one: Sample = [(0, Bounds::exactly(1.0)), (1, open)].into_iter().collect();
        let other = Sample::of_values([(0, 3.0), (1, 4.0), (2, 9.0)]);
        let both = Sample::average([&one, &other]);
        assert_eq!(both.0[&0], Bounds::exactly(2.0));
        let expected = Bounds {
            low: Some(3.0),
            middle: 3.0,
            high: None,
        };
        assert_eq!((both.0[&1], both.0.len()), (expected, 2));
        let turned = Bounds::exactly(0.0).minus(open);
        assert_eq!((turned.low, turned.high), (None, Some(-2.0)));
        let estimate = both.estimate(0.95).expect("two seeds");
        let interval = estimate.interval.expect("bounded below");
        assert!(interval.low.is_some() && interval.high.is_none());
        // However far it may be above zero, it cannot be shown to be below.
        assert_eq!(both.p_below(1e9).to_bits(), 1f64.to_bits());
    }
}
