//! How long to train: epochs and steps.
//!
//! A step is one update. An epoch has `floor(n / batch)` steps if the partial last batch is dropped and
//! `ceil(n / batch)` if it is kept. How epochs become steps: [`epochs_to_steps`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::epochs_to_steps;
use crate::number::{Count, Positive};

/// How long to train.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "BudgetFields", into = "BudgetFields")]
pub enum Budget {
    /// A number of passes over the training set.
    Epochs {
        /// Passes.
        epochs: Positive,
        /// If set to `B0`, a run at batch size `B` lasts `(log2(B / B0) + 1) * epochs`.
        ///
        /// Source: Ma et al. 2019, section 3 (the adjusted epoch budget).
        adjusted_from_batch: Option<Count>,
    },
    /// A number of steps.
    Iterations(Count),
}

/// How long to train: `epochs`, with or without `adjusted_from_batch`, or `iterations`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Budget")]
struct BudgetFields {
    /// Passes over the training set.
    #[serde(skip_serializing_if = "Option::is_none")]
    epochs: Option<Positive>,
    /// A batch size B0: a run at batch size B lasts (log2(B / B0) + 1) times the `epochs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    adjusted_from_batch: Option<Count>,
    /// Steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    iterations: Option<Count>,
}

impl TryFrom<BudgetFields> for Budget {
    type Error = &'static str;

    fn try_from(fields: BudgetFields) -> Result<Self, Self::Error> {
        match (fields.epochs, fields.adjusted_from_batch, fields.iterations) {
            (Some(epochs), adjusted_from_batch, None) => Ok(Self::Epochs {
                epochs,
                adjusted_from_batch,
            }),
            (None, None, Some(iterations)) => Ok(Self::Iterations(iterations)),
            _ => {
                Err("needs either `epochs` (with or without `adjusted_from_batch`) or `iterations`")
            }
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
    /// The budget in epochs at a batch size, if it is given so; not above 0 where the batch is too small for it.
    pub fn epochs(self, batch_size: Count) -> Option<f64> {
        match self {
            Self::Iterations(_) => None,
            Self::Epochs {
                epochs,
                adjusted_from_batch: None,
            } => Some(epochs.get()),
            Self::Epochs {
                epochs,
                adjusted_from_batch: Some(from),
            } => {
                // Exact for powers of two, and the same on every platform.
                let doublings = libm::log2(batch_size.get() as f64 / from.get() as f64);
                Some((doublings + 1.0) * epochs.get())
            }
        }
    }

    /// The number of steps at a batch size; 0 where the batch is too small for an adjusted budget.
    pub fn steps(self, batch_size: Count, steps_per_epoch: u64) -> u64 {
        match (self, self.epochs(batch_size)) {
            (Self::Iterations(iterations), _) => iterations.get(),
            (_, epochs) => epochs_to_steps(epochs.unwrap_or(0.0), steps_per_epoch),
        }
    }
}

/// What happens to the examples that are left over at the end of an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LastBatch {
    /// They are left out; which ones differs from epoch to epoch.
    #[default]
    Drop,
    /// They make a smaller batch.
    Keep,
}

impl LastBatch {
    /// Steps in one pass over so many examples.
    pub fn steps_per_epoch(self, examples: u64, batch_size: Count) -> u64 {
        match self {
            Self::Drop => examples / batch_size.get(),
            Self::Keep => examples.div_ceil(batch_size.get()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(number: u64) -> Count {
        Count::preset(number)
    }

    fn adjusted(from: u64) -> Budget {
        Budget::Epochs {
            epochs: Positive::preset(12.0),
            adjusted_from_batch: Some(count(from)),
        }
    }

    #[test]
    fn an_adjusted_budget_grows_by_its_epochs_with_each_doubling() {
        let steps = |batch: u64| {
            let batch = count(batch);
            adjusted(16).steps(batch, LastBatch::Drop.steps_per_epoch(1280, batch))
        };
        let expected = [12 * 80, 24 * 40, 36 * 20, 48 * 10, 60 * 5];
        assert_eq!([16, 32, 64, 128, 256].map(steps), expected);
    }

    #[test]
    fn a_batch_too_small_for_an_adjusted_budget_has_no_step() {
        assert_eq!(adjusted(64).steps(count(64), 10), 120);
        assert_eq!(adjusted(64).steps(count(32), 20), 0);
        assert_eq!(adjusted(64).steps(count(16), 40), 0);
    }

    #[test]
    fn a_partial_last_batch_counts_only_if_it_is_kept() {
        let steps = |last: LastBatch, batch| last.steps_per_epoch(1280, count(batch));
        assert_eq!(steps(LastBatch::Drop, 96), 13);
        assert_eq!(steps(LastBatch::Keep, 96), 14);
        assert_eq!(steps(LastBatch::Keep, 64), 20);
    }

    #[test]
    fn a_budget_is_either_epochs_or_iterations() {
        let read = serde_json::from_str::<Budget>;
        assert_eq!(
            read(r#"{"iterations": 300}"#).unwrap(),
            Budget::Iterations(count(300))
        );
        assert!(read(r#"{"iterations": 300, "epochs": 2}"#).is_err());
        assert!(read(r#"{"iterations": 300, "adjusted_from_batch": 2}"#).is_err());
        assert!(read("{}").is_err());
        let text = r#"{"epochs":2.0,"adjusted_from_batch":16}"#;
        assert_eq!(serde_json::to_string(&read(text).unwrap()).unwrap(), text);
    }
}
