//! What can be wrong with the input of an analysis.

use crate::Metric;

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
    /// A setting of the analysis contradicts itself or names what the runs lack.
    #[error("{0}")]
    Invalid(String),
}
