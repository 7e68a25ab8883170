//! A time in a run.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::number::{Count, Positive};

/// A time in a run: `end`, `{epochs: E}` or `{iterations: N}`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Moment {
    /// After the whole budget.
    #[default]
    End,
    /// After this many passes over the training set.
    Epochs(
        #[serde(deserialize_with = "Positive::number")]
        #[schemars(with = "Positive")]
        f64,
    ),
    /// After this many steps.
    Iterations(
        #[serde(deserialize_with = "Count::number")]
        #[schemars(with = "Count")]
        u64,
    ),
}

/// The first step at or after a time in epochs: `ceil(epochs * steps an epoch)`, where a product less than 1e-9 above
/// a whole number counts as that number, so that 0.1 of 30 steps is 3.
pub fn epochs_to_steps(epochs: f64, steps_per_epoch: u64) -> u64 {
    (epochs * steps_per_epoch as f64 - 1e-9).ceil().max(0.0) as u64
}

impl Moment {
    /// The first step at or after the moment, of a run that ends after `end` steps.
    pub fn step(self, steps_per_epoch: u64, end: u64) -> u64 {
        match self {
            Self::End => end,
            Self::Epochs(epochs) => epochs_to_steps(epochs, steps_per_epoch),
            Self::Iterations(steps) => steps,
        }
    }

    /// As a study writes it: `end`, `{epochs: 12}`.
    pub fn as_written(self) -> String {
        match self {
            Self::End => "end".to_owned(),
            Self::Epochs(epochs) => format!("{{epochs: {epochs}}}"),
            Self::Iterations(steps) => format!("{{iterations: {steps}}}"),
        }
    }
}

impl fmt::Display for Moment {
    /// In words: `at the end`, `after 12 epochs`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::End => f.write_str("at the end"),
            Self::Epochs(1.0) => f.write_str("after 1 epoch"),
            Self::Epochs(epochs) => write!(f, "after {epochs} epochs"),
            Self::Iterations(1) => f.write_str("after 1 iteration"),
            Self::Iterations(steps) => write!(f, "after {steps} iterations"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_in_epochs_becomes_the_first_step_at_or_after_it() {
        assert_eq!(epochs_to_steps(0.1, 30), 3);
        assert_eq!(epochs_to_steps(0.1, 31), 4);
        assert_eq!(epochs_to_steps(1.5, 7), 11);
        assert_eq!(epochs_to_steps(0.0, 7), 0);
        assert_eq!(Moment::End.step(30, 77), 77);
    }
}
