//! How the gradient noise scale is measured.

use serde::{Deserialize, Serialize};

use crate::Error;

/// The two batch sizes of an estimate: small batches, and the big one that they are together. They are no batch
/// sizes of the run: its noise scale is a property of the network, measured alike whatever it is trained with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NoiseScale {
    /// Examples of a small batch; BatchNorm normalises over each by itself. Default 32.
    pub small: usize,
    /// How many small batches there are, at least 2. Default 32.
    pub batches: usize,
}

impl Default for NoiseScale {
    fn default() -> Self {
        Self {
            small: 32,
            batches: 32,
        }
    }
}

impl NoiseScale {
    /// Examples of the big batch.
    pub fn big(&self) -> usize {
        self.small.saturating_mul(self.batches)
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.small == 0 {
            return Err(Error::setting("noise_scale.small", "must be at least 1"));
        }
        if self.batches < 2 {
            return Err(Error::setting("noise_scale.batches", "must be at least 2"));
        }
        Ok(())
    }

    /// Checks what depends on the data.
    pub(crate) fn check_examples(&self, train_examples: usize) -> Result<(), Error> {
        if self.big() > train_examples {
            return Err(Error::setting(
                "noise_scale",
                format!(
                    "{} batches of {} are more than the {train_examples} training examples",
                    self.batches, self.small
                ),
            ));
        }
        Ok(())
    }
}
