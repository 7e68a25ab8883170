//! What can go wrong between a backward pass and a preconditioned gradient.

use crate::settings::DampingMethod;

/// Expected failures. A training loop turns [`Error::NonFinite`] and [`Error::Decomposition`]
/// into a diverged run; the others say that the loop itself is put together wrongly.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// A setting outside its domain.
    #[error("{name} must be {expected}, got {value}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it was.
        value: f64,
    },
    /// A damping method that does not exist.
    #[error(
        "no damping method \"{given}\"; there are {}",
        DampingMethod::ALL.map(DampingMethod::name).join(", ")
    )]
    UnknownMethod {
        /// What was asked for.
        given: String,
    },
    /// NaN or an infinity where a number was needed.
    #[error("{what} of layer `{layer}` is not finite")]
    NonFinite {
        /// Name of the layer on the tape.
        layer: String,
        /// The quantity.
        what: Quantity,
    },
    /// An eigendecomposition that did not converge, or a damped factor that is not positive
    /// definite in floating point.
    #[error("{what} of layer `{layer}` could not be decomposed")]
    Decomposition {
        /// Name of the layer on the tape.
        layer: String,
        /// The factor.
        what: Quantity,
    },
    /// [`Kfac::precondition`](crate::Kfac::precondition) before any
    /// [`Kfac::update`](crate::Kfac::update).
    #[error("no curvature yet: update the factors before preconditioning")]
    NoFactors,
    /// [`Kfac::update`](crate::Kfac::update) with a tape that recorded nothing.
    #[error("the tape is empty: run the forward pass with `Tape::on` or `Tape::curvature_only`")]
    EmptyTape,
    /// A layer with factors has no gradient to precondition.
    #[error("layer `{layer}` has curvature but no gradient for its {parameter}")]
    NoGradient {
        /// Name of the layer on the tape.
        layer: String,
        /// `weight` or `bias`.
        parameter: &'static str,
    },
    /// The loss does not depend on a recorded layer, or the gradients come from another pass.
    #[error("the backward pass left no gradient at the output of layer `{layer}`")]
    NoOutputGradient {
        /// Name of the layer on the tape.
        layer: String,
    },
    /// Two applications under one name, or one set of weights applied twice: K-FAC as
    /// implemented here knows no weight sharing between applications.
    #[error("layer `{layer}` was recorded twice in one forward pass")]
    Repeated {
        /// Name of the layer on the tape.
        layer: String,
    },
    /// A layer came back with another shape than its running averages have.
    #[error("layer `{layer}` changed its shape between two updates")]
    Reshaped {
        /// Name of the layer on the tape.
        layer: String,
    },
    /// A grouped convolution: its curvature is one block a group, which is not implemented.
    #[error("layer `{layer}` is a grouped convolution, which K-FAC here does not cover")]
    Grouped {
        /// Name of the layer on the tape.
        layer: String,
    },
    /// Logits that give no distribution.
    #[error("the logits of sample {sample} are not finite")]
    NonFiniteLogits {
        /// Index in the batch.
        sample: usize,
    },
}

/// What an [`Error`] speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// A, second moment of the layer's inputs.
    InputFactor,
    /// G, second moment of the gradients at the layer's outputs.
    OutputFactor,
    /// V, gradient of the mean loss.
    Gradient,
    /// U, the preconditioned gradient.
    PreconditionedGradient,
}

impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::InputFactor => "the input factor A",
            Self::OutputFactor => "the output factor G",
            Self::Gradient => "the gradient",
            Self::PreconditionedGradient => "the preconditioned gradient",
        })
    }
}
