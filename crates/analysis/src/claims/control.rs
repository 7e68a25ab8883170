//! The control: at a large damping K-FAC is SGD with learning rate / damping.
//!
//! At each such cell of K-FAC's grid, over common seeds, the difference between the two at the last step
//! that both evaluated. They agree there if the 90 % interval lies within the margin on both sides;
//! supported if they do at every cell, contradicted if at some cell the interval lies wholly beyond the
//! margin at 95 %, corrected for the number of cells. A seed of which one diverged and the other did not
//! forbids support; one of which both did counts as agreement.
//!
//! A damping is large at [`LARGE`] times the largest eigenvalue of the curvature. Where no run recorded
//! it, the largest damping that has its SGD run counts, and the reason says so.

use super::judge::{Decision, SEEDS_TO_DECIDE, count, equivalence, too_few};
use super::{Statistic, Unit, Verdict};
use crate::Metric;
use crate::control::{Cell, LARGE};

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
        return Decision::without_data(
            "No K-FAC run has an SGD run with learning rate / damping and the same momentum, seed and schedule.",
        );
    }
    if large.is_empty() {
        return Decision::without_data(format!(
            "No damping that has its SGD runs is {LARGE} times the largest curvature eigenvalue: the largest is {largest}.",
        ));
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
            name: format!("difference of {metric}, K-FAC minus SGD at learning rate / damping"),
            part: Some(format!(
                "batch size {}, damping {}, learning rate {}",
                cell.batch_size, cell.damping, cell.learning_rate
            )),
            estimate,
            unit: if metric.is_loss() {
                Unit::Plain
            } else {
                Unit::Points
            },
            n: differences.len(),
            verdict: match verdict {
                Verdict::Supported if one_diverged > 0 => Verdict::Undecided,
                verdict => verdict,
            },
        });
    }
    conclude(parts, large.len(), lost, metric, margin, is_told)
}

fn conclude(
    parts: Vec<Statistic>,
    cells: usize,
    lost: usize,
    metric: Metric,
    margin: f64,
    is_told: bool,
) -> Decision {
    let of = |verdict| parts.iter().filter(|part| part.verdict == verdict).count();
    let (equal, different) = (of(Verdict::Supported), of(Verdict::Contradicted));
    let verdict = if different > 0 {
        Verdict::Contradicted
    } else if lost == 0 && equal > 0 && equal == parts.len() {
        Verdict::Supported
    } else {
        Verdict::Undecided
    };
    let within = metric.distance(margin);
    let seeds = parts.iter().map(|part| part.n).min().unwrap_or(0);
    let all = count(cells, "cell");
    let mut reason = match verdict {
        Verdict::Supported => format!("The two agree within {within} at {equal} of {all}."),
        Verdict::Contradicted => format!(
            "The two differ by more than {within} at {different} of {all}: an implementation, or the comparison, is wrong."
        ),
        Verdict::Undecided if seeds < SEEDS_TO_DECIDE => {
            let near = parts
                .iter()
                .filter(|part| part.estimate.value.abs() < margin);
            format!(
                "{} So far the mean difference is under {within} at {} of {all}.",
                too_few(seeds),
                near.count()
            )
        }
        Verdict::Undecided => format!(
            "The two agree within {within} at {equal} of {all}; at the others the seeds scatter too much to tell."
        ),
    };
    if verdict == Verdict::Supported && equal < cells {
        reason.push_str(" At the others both diverged with every seed.");
    }
    if lost > 0 {
        reason = format!(
            "{reason} Of {} one of the two diverged and the other did not, which forbids agreement.",
            count(lost, "seed")
        );
    }
    if !is_told {
        reason.push_str(
            " These runs recorded no curvature: the largest damping with SGD runs beside it is taken for a large one.",
        );
    }
    Decision {
        verdict,
        reason,
        parts,
    }
}
