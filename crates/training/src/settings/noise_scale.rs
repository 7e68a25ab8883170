//! How the gradient noise scale is measured.

use serde::{Deserialize, Serialize};

use crate::Error;

/// The two batch sizes of an estimate. They are no batch sizes of the run: its noise scale is a property of
/// the network, measured alike whatever it is trained with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NoiseScale {
    /// Examples of a small batch; BatchNorm normalises over each by itself. Default 32.
    pub small: usize,
    /// Examples of the big batch, a multiple of `small`. Default 1024.
    pub big: usize,
}

impl Default for NoiseScale {
    fn default() -> Self {
        Self {
            small: 32,
            big: 1024,
        }
    }
}

impl NoiseScale {
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.small == 0 {
            return Err(Error::setting("noise_scale.small", "must be at least 1"));
        }
        if self.big < 2 * self.small || !self.big.is_multiple_of(self.small) {
            return Err(Error::setting(
                "noise_scale.big",
                format!(
                    "must be a multiple of the {} examples of a small batch, at least twice as many; is {}",
                    self.small, self.big
                ),
            ));
        }
        Ok(())
    }

    /// Checks what depends on the data.
    pub(crate) fn check_examples(&self, train_examples: usize) -> Result<(), Error> {
        if self.big > train_examples {
            return Err(Error::setting(
                "noise_scale.big",
                format!(
                    "is {}, more than the {train_examples} training examples",
                    self.big
                ),
            ));
        }
        Ok(())
    }
}
