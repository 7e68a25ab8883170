//! The control: at a large damping K-FAC is SGD with learning rate / damping.
//!
//! At each such cell of K-FAC's grid, over common seeds, the difference between the two at the last step
//! that both evaluated. They agree there if the 90 % interval lies within the margin on both sides;
//! supported if they do at every cell, contradicted if at some cell the interval lies wholly beyond the
//! margin at 95 %, corrected for the number of cells. A seed of which one diverged and the other did not
//! forbids support; one of which both did counts as agreement.
//!
//! A damping is large at [`LARGE`] times the largest eigenvalue of the curvature. Where no run recorded
//! it, the largest damping that has its SGD run counts, and a remark says so.

use super::judge::{Decision, equivalence};
use super::{Missing, Part, Quantity, Reason, Remark, Statistic, Tally, Verdict};
use crate::Metric;
use crate::control::Cell;

pub(super) fn decide(cells: &[Cell<'_>], margin: f64, metric: Metric) -> Decision {
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
        return Decision::without_data(Missing::ControlPairs);
    }
    if large.is_empty() {
        return Decision::without_data(Missing::LargeDamping { largest });
    }
    let mut parts = Vec::new();
    let mut lost = 0;
    for cell in &large {
        let (_, one_diverged) = cell.diverged();
        lost += one_diverged;
        let differences = cell.differences(metric);
        let Some((estimate, verdict)) = equivalence(&differences, margin, large.len()) else {
            continue;
        };
        parts.push(Statistic {
            quantity: Quantity::ControlDifference { metric },
            part: Some(Part::Cell {
                batch_size: cell.batch_size,
                damping: cell.damping,
                learning_rate: cell.learning_rate,
            }),
            estimate,
            n: differences.len(),
            verdict: match verdict {
                Verdict::Supported if one_diverged > 0 => Verdict::Undecided,
                verdict => verdict,
            },
        });
    }
    conclude(parts, large.len(), lost, margin, is_told)
}

fn conclude(
    parts: Vec<Statistic>,
    cells: usize,
    lost: usize,
    margin: f64,
    is_told: bool,
) -> Decision {
    let tests = Tally::of_tests(&parts, cells);
    let verdict = if tests.contradicted > 0 {
        Verdict::Contradicted
    } else if lost == 0 && tests.supported > 0 && tests.supported == parts.len() {
        Verdict::Supported
    } else {
        Verdict::Undecided
    };
    let mut remarks = Vec::new();
    if verdict == Verdict::Supported && tests.supported < cells {
        remarks.push(Remark::BothDiverged {
            cells: cells - tests.supported,
        });
    }
    if lost > 0 {
        remarks.push(Remark::OneDiverged { seeds: lost });
    }
    if !is_told {
        remarks.push(Remark::LargestDampingTaken);
    }
    let estimates = Tally::of_margin(&parts, margin, cells);
    Decision {
        verdict,
        reason: match verdict {
            Verdict::Undecided => Reason::of_parts(&parts, tests, estimates),
            _ => Reason::Parts(tests),
        },
        remarks,
        parts,
    }
}
