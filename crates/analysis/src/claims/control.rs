//! The control: at a large damping K-FAC is SGD with learning rate / damping.
//!
//! At each such cell of K-FAC's grid, over common seeds, the difference between the two at the last step that both
//! evaluated, by two one-sided tests. Of a seed of which one diverged and the other did not, the difference is not
//! known; a cell at which both diverged with every seed is left out.
//!
//! A damping is large at [`LARGE`](crate::control::LARGE) times the largest eigenvalue of the curvature. Where no run
//! recorded it, the largest damping that has its SGD run counts, and a remark says so.

use super::judge::{Condition, Piece, Question, Rule};
use super::sample::{Bounds, Sample};
use super::{Missing, Part, Quantity, Remark};
use crate::Metric;
use crate::control::Cell;

pub(super) fn question(
    cells: &[Cell<'_>],
    margin: f64,
    metric: Metric,
) -> Result<Question, Missing> {
    let is_told = cells.iter().any(|cell| cell.is_large().is_some());
    let largest = cells.iter().map(|cell| cell.damping).fold(0.0, f64::max);
    let large: Vec<&Cell<'_>> = cells
        .iter()
        .filter(|cell| {
            if is_told {
                cell.is_large() == Some(true)
            } else {
                cell.damping.total_cmp(&largest).is_eq()
            }
        })
        .collect();
    if cells.is_empty() {
        return Err(Missing::ControlPairs);
    }
    if large.is_empty() {
        return Err(Missing::LargeDamping { largest });
    }
    let quantity = Quantity::ControlDifference { metric };
    let mut pieces = Vec::new();
    let (mut one_diverged, mut both_diverged) = (0, 0);
    for cell in &large {
        let (both, one) = cell.diverged();
        one_diverged += one;
        both_diverged += usize::from(both == cell.seeds.len());
        let sample: Sample = cell
            .seeds
            .keys()
            .filter_map(|seed| Some((*seed, difference(cell, *seed, metric)?)))
            .collect();
        if sample.0.is_empty() {
            continue;
        }
        pieces.push(Piece {
            quantity: quantity.clone(),
            part: Some(Part::Cell {
                batch_size: cell.batch_size,
                damping: cell.damping,
                learning_rate: cell.learning_rate,
            }),
            sample,
            condition: Condition::Within(margin),
        });
    }
    if pieces.is_empty() {
        return Err(Missing::ControlPairs);
    }
    let remarks = [
        (both_diverged > 0).then_some(Remark::BothDiverged {
            cells: both_diverged,
        }),
        (one_diverged > 0).then_some(Remark::OneDiverged {
            seeds: one_diverged,
        }),
        (!is_told).then_some(Remark::LargestDampingTaken),
    ];
    Ok(Question {
        pieces,
        rule: Rule::Every,
        overall: Some(quantity),
        remarks: remarks.into_iter().flatten().collect(),
        beside: Vec::new(),
        is_incomplete: false,
    })
}

/// K-FAC minus SGD with a seed; `None` where both diverged, or nothing was evaluated.
fn difference(cell: &Cell<'_>, seed: u64, metric: Metric) -> Option<Bounds> {
    let (kfac, sgd) = cell.seeds.get(&seed)?;
    match (kfac.diverged_at(), sgd.diverged_at()) {
        (None, None) => cell.difference(seed, metric).map(Bounds::exactly),
        (Some(_), Some(_)) => None,
        _ => Some(Bounds {
            low: None,
            middle: 0.0,
            high: None,
        }),
    }
}
