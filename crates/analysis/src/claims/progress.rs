//! Whether a method needs fewer steps than another to the same training loss.
//!
//! At each batch size the log of the ratio of steps, seed by seed. Steps are known between two evaluations only: the
//! interval of the mean starts at the t interval of the smallest possible ratios and ends at that of the largest. A
//! seed that did not reach the loss, or diverged before, bounds its ratio on one side.

use super::judge::{Condition, Piece, Question, Rule};
use super::sample::Sample;
use super::timings::{Timings, between_evaluations, remarks};
use super::{Missing, Pair, Part, Quantity};
use crate::Target;

pub(super) fn question(
    timings: &Timings<'_>,
    methods: &Pair,
    target: Target,
) -> Result<Question, Missing> {
    let pairs = timings.pairs(target, methods);
    let quantity = Quantity::StepsRatio {
        methods: methods.clone(),
        target,
    };
    let pieces: Vec<Piece> = pairs
        .iter()
        .map(|(batch, pair)| {
            let sample: Sample = pair
                .first
                .iter()
                .map(|(seed, own)| {
                    let other = between_evaluations(pair.second[seed]);
                    (*seed, other.minus(between_evaluations(*own)))
                })
                .collect();
            Piece {
                quantity: quantity.clone(),
                part: Some(Part::BatchSize(*batch)),
                sample,
                condition: Condition::Above(0.0),
            }
        })
        .collect();
    if pieces.is_empty() {
        return Err(Missing::TimedPairs { target });
    }
    Ok(Question {
        pieces,
        rule: Rule::Every,
        overall: Some(quantity),
        remarks: remarks(&pairs),
        beside: Vec::new(),
        is_incomplete: false,
    })
}
