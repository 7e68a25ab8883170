//! How a run ended.

use serde::{Deserialize, Serialize};

/// How a run ended. Divergence is a result, no failure.
///
/// A run diverged if its training stopped being finite for good: its mini-batch loss, its loss on the training set or
/// its weights; or if its mini-batch loss stayed too high ([`Divergence`](crate::settings::Divergence)). Its curve is
/// what was measured before. Training here ends with the first such number. A program may go on: mixed precision skips
/// an update whose loss is not finite, and a finite training loss after one that was not says that nothing was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// With its budget.
    Finished,
    /// With a number that is not finite, or a loss that stays too high.
    Diverged {
        /// The step at which it happened: nothing after it was measured.
        step: u64,
    },
    /// Before its budget, on purpose: nothing reads what is left of it.
    Stopped {
        /// Updates made.
        step: u64,
    },
}

impl Outcome {
    /// The step at which it diverged, if it did.
    pub const fn diverged_at(self) -> Option<u64> {
        match self {
            Self::Diverged { step } => Some(step),
            Self::Finished | Self::Stopped { .. } => None,
        }
    }
}
