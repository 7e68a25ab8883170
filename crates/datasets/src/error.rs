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
    #[error("{parts}: {wanted} images are asked for, and the source has {available}")]
    SplitTooLarge {
        /// The parts, in words.
        parts: &'static str,
        /// Sum of the counts asked for.
        wanted: usize,
        /// Examples in the source.
        available: usize,
    },
    /// All images to train on are of one class.
    #[error("all training images have the label {label}, so there is nothing to learn")]
    OneClass {
        /// Its label.
        label: u8,
    },
    /// A file of the source is not there.
    #[error("there is no file `{file}`")]
    NoFile {
        /// Its name.
        file: String,
    },
    /// A file of the source is not what it should be.
    #[error("{file}: {problem}")]
    File {
        /// Its name.
        file: String,
        /// What is wrong with it, and what was expected.
        problem: String,
    },
    /// A file cannot be downloaded.
    #[error("{url}: {problem}")]
    Download {
        /// Its address.
        url: String,
        /// What went wrong, and what to do.
        problem: String,
    },
    /// What has come in of a download cannot be kept.
    #[error("cannot write `{file}`")]
    Partial {
        /// The file.
        file: String,
        /// Why.
        #[source]
        error: std::io::Error,
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
    pub(crate) fn download(url: &str, problem: String) -> Self {
        Self::Download {
            url: url.to_owned(),
            problem,
        }
    }

    pub(crate) fn setting(setting: &'static str, problem: impl Into<String>) -> Self {
        Self::Setting {
            setting,
            problem: problem.into(),
        }
    }
}
