//! Why a run cannot go on from a checkpoint.

use safetensors::{Dtype, SafeTensorError};

use super::FORMAT;
use crate::Error;

/// What is wrong with the bytes of a checkpoint, or why it is not one of this run.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The bytes of a checkpoint are no safetensors file.
    #[error("{0}")]
    Safetensors(#[from] SafeTensorError),
    /// A checkpoint does not say what it is.
    #[error("no metadata entry `state`")]
    NoMetadata,
    /// What a checkpoint says of itself is damaged, or of another version.
    #[error("metadata entry `state`: {0}")]
    Metadata(#[from] serde_json::Error),
    /// A checkpoint is of another version of the program.
    #[error("format {found}, not {FORMAT}")]
    OtherFormat {
        /// Its format.
        found: u32,
    },
    /// The curve in a checkpoint is damaged.
    #[error("{0}")]
    Curve(#[from] runs::Malformed),
    /// An array of a checkpoint has other numbers than 32-bit floats.
    #[error("{name} is {numbers:?}")]
    Numbers {
        /// The array.
        name: String,
        /// Its numbers.
        numbers: Dtype,
    },
    /// The curve in a checkpoint does not have a row for each update before it.
    #[error("the curve has not {step} updates")]
    Updates {
        /// Updates before the checkpoint.
        step: u64,
    },
    /// The curve in a checkpoint goes on after it.
    #[error("an evaluation at or after step {step}")]
    Evaluation {
        /// Updates before the checkpoint.
        step: u64,
    },

    /// The learning rates before a checkpoint are not those of the run.
    #[error("it comes from other learning rates")]
    OtherRates,
    /// The evaluations before a checkpoint are not those of the run.
    #[error("it comes from other evaluations")]
    OtherEvaluations,
    /// A run needs what is not in a checkpoint.
    #[error("{name} is missing")]
    Missing {
        /// The array, or the count.
        name: String,
    },
    /// A checkpoint has what the run does not have.
    #[error("{name} does not belong to it")]
    Surplus {
        /// An array, or a count.
        name: String,
    },
    /// An array of a checkpoint has another shape than in the run.
    #[error("{name} is {found:?}")]
    Shape {
        /// The array.
        name: String,
        /// Its shape in the checkpoint.
        found: Vec<usize>,
    },
    /// The weights in a checkpoint are those of another network.
    #[error("{0}")]
    Weights(Box<Error>),
    /// A checkpoint has Kronecker factors for something else than a linear layer or a convolution.
    #[error("{layer} is no linear layer and no convolution")]
    NotALayer {
        /// The layer.
        layer: String,
    },
    /// A count in a checkpoint is larger than the run can count.
    #[error("{name} is {count}, which is too many")]
    TooMany {
        /// The count.
        name: String,
        /// Its value.
        count: u64,
    },
    /// A Kronecker factor in a checkpoint has another size than that of its layer.
    #[error("{name} is no triangle of {rows} rows")]
    Factor {
        /// The factor.
        name: String,
        /// Rows of the layer's.
        rows: usize,
    },
    /// What an optimizer keeps is not what burn-optim can read.
    #[error("the optimizer: {said}")]
    Optimizer {
        /// What burn says.
        said: String,
    },
    /// What an optimizer keeps is that of another one.
    #[error("the optimizer takes {taken} of {given} arrays")]
    OptimizerArrays {
        /// Arrays that the run's optimizer knows.
        taken: usize,
        /// Arrays that there are.
        given: usize,
    },
}
