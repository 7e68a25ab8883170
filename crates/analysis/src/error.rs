//! What can be wrong with the input of an analysis.

use crate::{Metric, Run};

/// An expected failure: the input, not this crate, is at fault.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
pub enum Error {
    /// Nothing to analyse.
    #[error("there are no runs to read")]
    NoRuns,
    /// No run measured what the settings ask for.
    #[error("no run measured {metric}; does the data set have that part?")]
    NotMeasured {
        /// The quantity.
        metric: Metric,
    },
    /// What the settings ask for was measured, and no number among it is finite.
    #[error("{metric} is not finite at any evaluation of any run")]
    NotFinite {
        /// The quantity.
        metric: Metric,
    },
    /// A setting of the analysis contradicts itself or names what the runs lack.
    #[error("{0}")]
    Invalid(String),
}

impl Error {
    /// Why no run has a number of this metric.
    pub(crate) fn without(metric: Metric, runs: &[Run]) -> Self {
        let mut evaluations = runs.iter().flat_map(|run| &run.evaluations);
        if evaluations.any(|evaluation| metric.measured(evaluation).is_some()) {
            Self::NotFinite { metric }
        } else {
            Self::NotMeasured { metric }
        }
    }
}
