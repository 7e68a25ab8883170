//! How long to train: epochs and steps.
//!
//! A step is one update. The number of steps an epoch is `floor(n / batch)` if the partial last batch is
//! dropped and `ceil(n / batch)` if it is kept. A time in epochs becomes `ceil(epochs * steps an epoch)`
//! steps, where a product less than 1e-9 above a whole number counts as that number.

use serde::{Deserialize, Serialize};

use crate::Error;

/// How long to train.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "BudgetFields", into = "BudgetFields")]
pub enum Budget {
    /// A number of passes over the training set.
    Epochs {
        /// Passes.
        epochs: f64,
        /// If set to `B0`, a run at batch size `B` lasts `(log2(B / B0) + 1) * epochs`.
        ///
        /// Source: Ma et al. 2019, section 3 (the adjusted epoch budget).
        adjusted_from_batch: Option<usize>,
    },
    /// A number of steps.
    Iterations(u64),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BudgetFields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    epochs: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    adjusted_from_batch: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iterations: Option<u64>,
}

impl TryFrom<BudgetFields> for Budget {
    type Error = &'static str;

    fn try_from(fields: BudgetFields) -> Result<Self, Self::Error> {
        match fields {
            BudgetFields {
                epochs: Some(epochs),
                adjusted_from_batch,
                iterations: None,
            } => Ok(Self::Epochs {
                epochs,
                adjusted_from_batch,
            }),
            BudgetFields {
                epochs: None,
                adjusted_from_batch: None,
                iterations: Some(iterations),
            } => Ok(Self::Iterations(iterations)),
            _ => Err(
                "a budget is either `epochs` (with or without `adjusted_from_batch`) or `iterations`",
            ),
        }
    }
}

impl From<Budget> for BudgetFields {
    fn from(budget: Budget) -> Self {
        match budget {
            Budget::Epochs {
                epochs,
                adjusted_from_batch,
            } => Self {
                epochs: Some(epochs),
                adjusted_from_batch,
                iterations: None,
            },
            Budget::Iterations(iterations) => Self {
                epochs: None,
                adjusted_from_batch: None,
                iterations: Some(iterations),
            },
        }
    }
}

impl Budget {
    /// The number of steps at a batch size.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if that is no step at all, or no number.
    pub fn steps(self, batch_size: usize, steps_per_epoch: u64) -> Result<u64, Error> {
        let steps = match self {
            Self::Iterations(iterations) => iterations,
            Self::Epochs {
                epochs,
                adjusted_from_batch: None,
            } => {
                check_epochs(epochs)?;
                epochs_to_steps(epochs, steps_per_epoch)
            }
            Self::Epochs {
                epochs,
                adjusted_from_batch: Some(from),
            } => {
                check_epochs(epochs)?;
                if from == 0 {
                    return Err(Error::setting(
                        "budget.adjusted_from_batch",
                        "must be at least 1",
                    ));
                }
                // Exact for powers of two, and the same on every platform.
                let doublings = libm::log2(batch_size as f64 / from as f64);
                epochs_to_steps((doublings + 1.0).max(0.0) * epochs, steps_per_epoch)
            }
        };
        if steps == 0 {
            return Err(Error::setting(
                "budget",
                format!("is no step at all at batch size {batch_size}"),
            ));
        }
        Ok(steps)
    }
}

fn check_epochs(epochs: f64) -> Result<(), Error> {
    if epochs.is_finite() && epochs > 0.0 {
        return Ok(());
    }
    Err(Error::setting(
        "budget.epochs",
        format!("must be a positive number, is {epochs}"),
    ))
}

/// A time in epochs as the first step at or after it.
pub(crate) fn epochs_to_steps(epochs: f64, steps_per_epoch: u64) -> u64 {
    (epochs * steps_per_epoch as f64 - 1e-9).ceil().max(0.0) as u64
}

/// What becomes of the examples left over at the end of an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LastBatch {
    /// They are left out; which ones differs from epoch to epoch.
    #[default]
    Drop,
    /// They make a smaller batch.
    Keep,
}

impl LastBatch {
    /// Steps in one pass over `examples` examples.
    pub fn steps_per_epoch(self, examples: usize, batch_size: usize) -> u64 {
        match self {
            Self::Drop => (examples / batch_size) as u64,
            Self::Keep => examples.div_ceil(batch_size) as u64,
        }
    }
}

/// A time in a run, in epochs or in steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Moment {
    /// Passes over the training set.
    Epochs(f64),
    /// Steps.
    Iterations(u64),
}

impl Moment {
    /// The first step at or after the moment.
    pub fn step(self, steps_per_epoch: u64) -> u64 {
        match self {
            Self::Epochs(epochs) => epochs_to_steps(epochs, steps_per_epoch),
            Self::Iterations(iterations) => iterations,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_adjusted_budget_grows_by_its_epochs_with_each_doubling() {
        let budget = Budget::Epochs {
            epochs: 12.0,
            adjusted_from_batch: Some(16),
        };
        let steps = |batch: usize| {
            budget
                .steps(batch, LastBatch::Drop.steps_per_epoch(1280, batch))
                .unwrap()
        };
        let expected = [12 * 80, 24 * 40, 36 * 20, 48 * 10, 60 * 5];
        assert_eq!([16, 32, 64, 128, 256].map(steps), expected);
    }

    #[test]
    fn a_batch_too_small_for_an_adjusted_budget_is_an_error() {
        let budget = Budget::Epochs {
            epochs: 12.0,
            adjusted_from_batch: Some(64),
        };
        assert!(budget.steps(64, 10).is_ok());
        assert!(budget.steps(32, 20).is_err());
    }

    #[test]
    fn a_time_in_epochs_becomes_the_first_step_at_or_after_it() {
        assert_eq!(epochs_to_steps(0.1, 30), 3);
        assert_eq!(epochs_to_steps(0.1, 31), 4);
        assert_eq!(epochs_to_steps(1.5, 7), 11);
        assert_eq!(epochs_to_steps(0.0, 7), 0);
    }

    #[test]
    fn a_partial_last_batch_counts_only_if_it_is_kept() {
        assert_eq!(LastBatch::Drop.steps_per_epoch(1280, 96), 13);
        assert_eq!(LastBatch::Keep.steps_per_epoch(1280, 96), 14);
        assert_eq!(LastBatch::Keep.steps_per_epoch(1280, 64), 20);
    }

    #[test]
    fn a_budget_is_either_epochs_or_iterations() {
        let read = serde_json::from_str::<Budget>;
        assert_eq!(
            read(r#"{"iterations": 300}"#).unwrap(),
            Budget::Iterations(300)
        );
        assert!(read(r#"{"iterations": 300, "epochs": 2}"#).is_err());
        assert!(read(r#"{"iterations": 300, "adjusted_from_batch": 2}"#).is_err());
        assert!(read("{}").is_err());
        let text = r#"{"epochs":2.0,"adjusted_from_batch":16}"#;
        assert_eq!(serde_json::to_string(&read(text).unwrap()).unwrap(), text);
    }
}
