//! What can be wrong with the input of an analysis.

use crate::Metric;

/// An expected failure: the input, not this crate, is at fault.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
pub enum Error {
    /// The bytes are no safetensors file, or an array or the metadata of the format is not there.
    #[error("{label} is not a curve: {reason}")]
    NotACurve {
        /// Name of the input.
        label: String,
        /// What is missing or malformed.
        reason: String,
    },
    /// The run's settings lack one that every analysis needs.
    #[error("the settings of {label} have no valid `{setting}`")]
    Setting {
        /// Name of the input.
        label: String,
        /// The setting, as a dotted path.
        setting: String,
    },
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
