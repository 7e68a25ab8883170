//! What a reader must know of targets and fits, in sentences.

use analysis::targets::{ADMISSIBLE_STEPS, FitNote, TargetNote};

use super::{list, method};
use crate::draw::number::{count, grouped};

/// What must be known of a target; nothing of one that is timed as usual.
pub(crate) fn target(note: &TargetNote) -> Option<String> {
    match &note.fewest {
        None => Some("No median seed reached it.".into()),
        Some(fewest) if !note.admissible => Some(format!(
            "Too easy to time. At batch size {} the {} runs of `{}` cross it in {}; under {ADMISSIBLE_STEPS} steps the spacing of the evaluations decides. No claim uses it.",
            fewest.batch_size,
            method(&fewest.method),
            fewest.stage,
            count(fewest.by as usize, "step")
        )),
        Some(_) => None,
    }
}

/// What must be known of a fit, as a clause.
pub(crate) fn fit(note: &FitNote) -> String {
    match note {
        FitNote::NoLaw { batch_sizes } => format!(
            "no law: it takes three batch sizes at which the target is reached, and there {} {batch_sizes}",
            if *batch_sizes == 1 { "is" } else { "are" }
        ),
        FitNote::NoIntervals => "too few runs for intervals".into(),
        FitNote::Diverged { runs } => format!(
            "{} diverged and {} no part of the fit",
            count(*runs, "run"),
            if *runs == 1 { "is" } else { "are" }
        ),
        FitNote::AfterDrop { runs } => format!(
            "{} crossed after a drop of the learning rate and {} as not reached by the drop",
            count(*runs, "run"),
            if *runs == 1 { "counts" } else { "count" }
        ),
        FitNote::LargeBatches { batch_sizes } => {
            let sizes: Vec<String> = batch_sizes.iter().map(|size| grouped(*size)).collect();
            format!(
                "batch sizes over a tenth of the training set: {}",
                list(&sizes)
            )
        }
    }
}
