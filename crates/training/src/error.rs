//! What can go wrong in this crate.

/// An error of this crate. A run that diverges is no error but an [`Outcome`](crate::Outcome).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting has a value that means nothing.
    #[error("{setting}: {problem}")]
    Setting {
        /// Dotted path of the setting, such as `evaluation.spacing`.
        setting: &'static str,
        /// What is wrong with its value.
        problem: String,
    },
    /// A full batch does not fit into the training set.
    #[error("batch_size: {batch_size} is more than the {examples} training examples")]
    BatchLargerThanData {
        /// Examples a batch.
        batch_size: usize,
        /// Examples in the training set.
        examples: usize,
    },
    /// A network cannot take images of this shape.
    #[error("{model} cannot take images of {channels}x{height}x{width}")]
    ImageShape {
        /// The network.
        model: &'static str,
        /// Channels of an image.
        channels: usize,
        /// Pixels.
        height: usize,
        /// Pixels.
        width: usize,
    },
    /// Weights to load that the network does not have, or lacks, or of another shape.
    #[error("weights: {0}")]
    Weights(String),
    /// Bytes that are not what they should be.
    #[error("not a {what}: {problem}")]
    Format {
        /// What the bytes should have been.
        what: &'static str,
        /// What is wrong with them.
        problem: String,
    },
    /// K-FAC does not fit the network.
    #[error("K-FAC: {0}")]
    Kfac(burn_kfac::Error),
    /// No such device in this build.
    #[error("device: {0}")]
    Device(String),
}

impl Error {
    pub(crate) fn setting(setting: &'static str, problem: impl Into<String>) -> Self {
        Self::Setting {
            setting,
            problem: problem.into(),
        }
    }
}
