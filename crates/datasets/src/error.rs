//! What can go wrong in this crate.

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting has a value that means nothing.
    #[error("{setting}: {problem}")]
    Setting {
        /// Dotted path of the setting.
        setting: &'static str,
        /// What is wrong with its value.
        problem: String,
    },
    /// The parts of a split need more examples than there are.
    #[error("the parts need {wanted} examples, the source has {available}")]
    SplitTooLarge {
        /// Sum of the counts asked for.
        wanted: usize,
        /// Examples in the source.
        available: usize,
    },
    /// Bytes that are not what they should be.
    #[error("not a {what}: {problem}")]
    Format {
        /// What the bytes should have been.
        what: &'static str,
        /// What is wrong with them.
        problem: String,
    },
}

impl Error {
    pub(crate) fn setting(setting: &'static str, problem: impl Into<String>) -> Self {
        Self::Setting {
            setting,
            problem: problem.into(),
        }
    }
}
