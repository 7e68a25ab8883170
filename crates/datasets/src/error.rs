//! What can go wrong in this crate.

use safetensors::{Dtype, SafeTensorError};

use crate::download::Unavailable;
use crate::source::Unfit;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A data set of no training images.
    #[error("train: must be at least 1")]
    NothingToTrainOn,
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
        /// What is wrong with it.
        problem: Unfit,
    },
    /// A file cannot be downloaded.
    #[error("{url}: {problem}")]
    Download {
        /// Its address.
        url: String,
        /// What went wrong, and what to do.
        problem: Unavailable,
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
    /// A source's test images have another size than those to train on.
    #[error("test images have another size than those to train on")]
    TwoSizes,
    /// Bytes that are read as a data set are something else.
    #[error("not a data set: {0}")]
    NotADataSet(Malformed),
}

/// What is wrong with the bytes of a data set.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// They are no safetensors file, or an array of a data set is not in it.
    #[error("{0}")]
    Safetensors(#[from] SafeTensorError),
    /// An array of a data set has another shape, or other numbers.
    #[error("{name} is {numbers:?} {shape:?}")]
    Array {
        /// The array.
        name: String,
        /// Its numbers.
        numbers: Dtype,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// A data set does not say what the bytes of its images mean.
    #[error("mean, std and white do not fit {channels} channels")]
    Moments {
        /// Channels of its images.
        channels: usize,
    },
    /// A data set has no training images, or one class of them.
    #[error("{examples} training examples of {classes} classes are nothing to learn from")]
    NothingToLearn {
        /// How many there are.
        examples: usize,
        /// Of how many classes.
        classes: usize,
    },
}
