//! What can be wrong with the bytes of a run.

/// An expected failure: the input, not this crate, is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes are no safetensors file, or an array or the metadata of the format is not there.
    #[error("{label} is not a curve: {reason}")]
    NotACurve {
        /// Name of the input.
        label: String,
        /// What is missing or malformed.
        reason: String,
    },
}
