//! How stable a choice is: what would have won with other tuning seeds.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::{Contender, Merit, Select, compare};
use crate::Run;
use crate::configuration::compare_parameters;

/// Samples of the seeds.
const SAMPLES: usize = 400;

/// The share of samples of the seeds, drawn with replacement, of which the first contender is the best; `None` with a
/// single seed.
pub(super) fn stability(settings: &Select, contenders: &[Contender<'_>]) -> Option<f64> {
    let by_seed: Vec<BTreeMap<u64, Vec<&Run>>> = contenders
        .iter()
        .map(|contender| {
            let mut seeds: BTreeMap<u64, Vec<&Run>> = BTreeMap::new();
            for run in &contender.runs {
                seeds.entry(run.seed()).or_default().push(run);
            }
            seeds
        })
        .collect();
    let seeds: BTreeSet<u64> = by_seed.iter().flat_map(BTreeMap::keys).copied().collect();
    let seeds: Vec<u64> = seeds.into_iter().collect();
    if seeds.len() < 2 {
        return None;
    }
    let mut sequence = Sequence(0);
    let mut same = 0;
    for _ in 0..SAMPLES {
        let drawn: Vec<u64> = seeds
            .iter()
            .map(|_| seeds[sequence.below(seeds.len())])
            .collect();
        let standings: Vec<_> = by_seed
            .iter()
            .map(|own| {
                let runs: Vec<&Run> = drawn
                    .iter()
                    .filter_map(|seed| own.get(seed))
                    .flatten()
                    .copied()
                    .collect();
                (!runs.is_empty()).then(|| Merit::of(settings, &runs))
            })
            .collect();
        let best = (0..contenders.len()).min_by(|&a, &b| match (&standings[a], &standings[b]) {
            (Some(own), Some(other)) => compare(*settings.by, own, other).then_with(|| {
                compare_parameters(&contenders[a].parameters, &contenders[b].parameters)
            }),
            (own, other) => match (own.is_none(), other.is_none()) {
                (false, true) => Ordering::Less,
                (true, false) => Ordering::Greater,
                _ => Ordering::Equal,
            },
        });
        same += usize::from(best == Some(0));
    }
    Some(same as f64 / SAMPLES as f64)
}

/// A fixed sequence of numbers that look random, so that equal runs give equal tables.
///
/// Source: Steele et al. 2014 (splitmix64).
struct Sequence(u64);

impl Sequence {
    /// The next number below a small bound.
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        ((u128::from(z) * bound as u128) >> 64) as usize
    }
}
