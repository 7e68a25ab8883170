//! Whether two methods have diminishing returns from larger batches, and one departs from ideal scaling further.
//!
//! For each seed the least-squares slope of log steps over log batch size, over the batch sizes that both methods have:
//! -1 is ideal scaling, 0 no gain at all. Three statements must all be true: the first method's slope minus the
//! second's is above zero, and both slopes are above -1.
//!
//! A seed that did not reach the target, or diverged before, needs at least its budget: the slope is then known on one
//! side. Steps between two evaluations are taken at their middle, since their errors do not add up along a slope.

use std::collections::BTreeSet;

use super::judge::{Condition, Piece, Question, Rule};
use super::sample::{Bounds, Sample};
use super::timings::{Pair as TimedPair, Seeds, Timings, at_middle, remarks};
use super::{Missing, Pair, Quantity};
use crate::Target;

/// Fewest batch sizes for a slope.
const BATCHES: usize = 3;

pub(super) fn question(
    timings: &Timings<'_>,
    methods: &Pair,
    target: Target,
) -> Result<Question, Missing> {
    let pairs = timings.pairs(target, methods);
    if pairs.len() < BATCHES {
        return Err(Missing::BatchSizes { needed: BATCHES });
    }
    let logs: Vec<f64> = pairs.keys().map(|batch| (*batch as f64).ln()).collect();
    let weights = slope_weights(&logs);
    // The same seeds at every batch size, or a seed's slope would rest on other batch sizes.
    let seeds: BTreeSet<u64> = pairs
        .values()
        .map(|pair| pair.first.keys().copied().collect())
        .reduce(|all: BTreeSet<u64>, own| &all & &own)
        .unwrap_or_default();
    let slopes = |of: fn(&TimedPair) -> &Seeds| -> Sample {
        let slope = |seed: &u64| {
            let terms = weights
                .iter()
                .copied()
                .zip(pairs.values().map(|pair| at_middle(of(pair)[seed])));
            (*seed, Bounds::weighted(terms))
        };
        seeds.iter().map(slope).collect()
    };
    let first = slopes(|pair| &pair.first);
    let second = slopes(|pair| &pair.second);
    let difference: Sample = first
        .0
        .iter()
        .map(|(seed, own)| (*seed, own.minus(second.0[seed])))
        .collect();
    if difference.0.is_empty() {
        return Err(Missing::BatchSizes { needed: BATCHES });
    }
    let piece = |quantity, sample, zero| Piece {
        quantity,
        part: None,
        sample,
        condition: Condition::Above(zero),
    };
    let overall = Quantity::SlopeDifference {
        methods: methods.clone(),
    };
    let of = |method: &str| Quantity::ScalingSlope {
        method: method.into(),
    };
    Ok(Question {
        pieces: vec![
            piece(overall.clone(), difference, 0.0),
            piece(of(&methods.0), first, -1.0),
            piece(of(&methods.1), second, -1.0),
        ],
        rule: Rule::Joined,
        overall: Some(overall),
        remarks: remarks(&pairs),
        beside: Vec::new(),
        is_incomplete: false,
    })
}

/// The weights with which values at these places make their least-squares slope.
fn slope_weights(places: &[f64]) -> Vec<f64> {
    let mean = places.iter().sum::<f64>() / places.len() as f64;
    let squares: f64 = places.iter().map(|x| (x - mean).powi(2)).sum();
    places.iter().map(|x| (x - mean) / squares).collect()
}

#[cfg(test)]
mod tests {
    use super::slope_weights;
    use crate::statistics::slope;

    #[test]
    fn weights_make_the_slope_of_least_squares() {
        let points = [(1.0, 3.0), (2.0, 2.5), (4.0, -1.0), (4.5, 0.25)];
        let (places, values): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
        let weights = slope_weights(&places);
        let weighted: f64 = weights.iter().zip(&values).map(|(w, y)| w * y).sum();
        assert!((weighted - slope(&points).expect("four places")).abs() < 1e-12);
    }
}
