//! What one batch says about one layer: inputs, output gradients, and the factors they make.
//!
//! Factors are formed where the numbers are: on the CPU from the raw slices ([`host`]), on burn's
//! GPU backends by kernels ([`cube`](crate::cube)).

use burn::module::ParamId;
use burn::tensor::Tensor;

use crate::window::Window;
use crate::{Error, KroneckerFactors, cube};

mod correlations;
pub(crate) mod host;
mod overlap;
mod patches;

/// Inputs of one layer and the gradients of the mean loss at its outputs.
#[derive(Debug)]
pub struct Capture {
    pub(crate) name: String,
    pub(crate) weight: ParamId,
    pub(crate) bias: Option<ParamId>,
    pub(crate) signals: Signals,
}

/// The tensors of a [`Capture`].
#[derive(Debug, Clone)]
pub enum Signals {
    /// Of a linear layer.
    Linear {
        /// Inputs, `[batch, in]`.
        a: Tensor<2>,
        /// Output gradients of the mean loss, `[batch, out]`.
        d: Tensor<2>,
    },
    /// Of a convolution.
    Conv2d {
        /// Inputs, `[batch, channels, height, width]`.
        x: Tensor<4>,
        /// Output gradients of the mean loss, `[batch, out, height, width]`.
        d: Tensor<4>,
        /// What the kernel sees.
        window: Window,
    },
}

impl Capture {
    /// The layer's name on the tape.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Inputs and output gradients.
    pub fn signals(&self) -> &Signals {
        &self.signals
    }

    /// Samples in the batch.
    pub fn batch(&self) -> usize {
        match &self.signals {
            Signals::Linear { a, .. } => a.dims()[0],
            Signals::Conv2d { x, .. } => x.dims()[0],
        }
    }

    /// T: 1 for a linear layer.
    pub fn positions(&self) -> usize {
        match &self.signals {
            Signals::Linear { .. } => 1,
            Signals::Conv2d { window, .. } => window.output().iter().product(),
        }
    }

    /// Columns of V: inputs, one more with a bias.
    pub fn cols(&self) -> usize {
        let inputs = match &self.signals {
            Signals::Linear { a, .. } => a.dims()[1],
            Signals::Conv2d { x, window, .. } => {
                x.dims()[1] * window.kernel.iter().product::<usize>()
            }
        };
        inputs + usize::from(self.bias.is_some())
    }

    /// Rows of V: outputs.
    pub fn rows(&self) -> usize {
        match &self.signals {
            Signals::Linear { d, .. } => d.dims()[1],
            Signals::Conv2d { d, .. } => d.dims()[1],
        }
    }

    /// A and G of this batch.
    ///
    /// # Errors
    /// [`Error::NonFinite`].
    pub fn factors(self) -> Result<KroneckerFactors, Error> {
        if cube::takes(std::slice::from_ref(&self)) {
            let factors = cube::factors(&self);
            factors.check()?;
            return Ok(factors);
        }
        self.factors_on_host()
    }

    /// A and G of this batch, computed on the host wherever the tensors lie.
    ///
    /// # Errors
    /// [`Error::NonFinite`].
    pub fn factors_on_host(self) -> Result<KroneckerFactors, Error> {
        let factors = host::factors(self);
        factors.check()?;
        Ok(factors)
    }

    /// Multiplications that A takes: decides whether threads are worth it.
    pub(crate) fn work(&self) -> usize {
        self.batch() * self.positions() * self.cols().pow(2)
    }
}
