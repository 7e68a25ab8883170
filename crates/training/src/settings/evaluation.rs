//! When a run is evaluated, and when it ends early.

use runs::Metric;
use serde::{Deserialize, Serialize};

use super::budget::epochs_to_steps;
use crate::Error;

/// When and on what to evaluate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Evaluation {
    /// Evaluations at `ceil(spacing^k)`, k = 0, 1, ...; more than 1, default 1.1.
    pub spacing: f64,
    /// More evaluations, in epochs; those after the end of the run are left out.
    pub epochs: Vec<f64>,
    /// More evaluations, in steps; those after the end of the run are left out.
    pub iterations: Vec<u64>,
    /// How many training examples the training metrics are taken over, spread evenly over the
    /// training set; default all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_subset: Option<usize>,
    /// How many training examples, spread evenly over the training set, give the statistics that
    /// BatchNorm evaluates with (at most all); default 1024.
    pub statistics_examples: usize,
}

impl Default for Evaluation {
    fn default() -> Self {
        Self {
            spacing: 1.1,
            epochs: Vec::new(),
            iterations: Vec::new(),
            train_subset: None,
            statistics_examples: 1024,
        }
    }
}

impl Evaluation {
    pub(crate) fn check(&self) -> Result<(), Error> {
        if !(self.spacing.is_finite() && self.spacing >= 1.001) {
            return Err(Error::setting(
                "evaluation.spacing",
                format!("must be at least 1.001, is {}", self.spacing),
            ));
        }
        if !self
            .epochs
            .iter()
            .all(|epochs| epochs.is_finite() && *epochs >= 0.0)
        {
            return Err(Error::setting("evaluation.epochs", "must not be negative"));
        }
        if self.train_subset == Some(0) {
            return Err(Error::setting(
                "evaluation.train_subset",
                "must be at least 1",
            ));
        }
        if self.statistics_examples == 0 {
            return Err(Error::setting(
                "evaluation.statistics_examples",
                "must be at least 1",
            ));
        }
        Ok(())
    }

    /// The steps (updates made) at which a run of `steps` steps is evaluated, ascending: 0, `steps`, and
    /// what the settings ask for in between.
    pub fn points(&self, steps: u64, steps_per_epoch: u64) -> Vec<u64> {
        let mut points = vec![0, steps];
        let mut power = 1.0_f64;
        while power.ceil() <= steps as f64 {
            points.push(power.ceil() as u64);
            power *= self.spacing;
        }
        points.extend(
            self.epochs
                .iter()
                .map(|epochs| epochs_to_steps(*epochs, steps_per_epoch)),
        );
        points.extend(&self.iterations);
        points.retain(|point| *point <= steps);
        points.sort_unstable();
        points.dedup();
        points
    }
}

/// When a run ends before its budget: at the second of two evaluations in a row at which every target is
/// met, the second of them not before [`not_before`](Self::not_before).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Stop {
    /// At most this loss on the training set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_loss: Option<f64>,
    /// At least this accuracy on the training set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_accuracy: Option<f64>,
    /// At most this loss on the validation part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_loss: Option<f64>,
    /// At least this accuracy on the validation part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_accuracy: Option<f64>,
    /// At most this loss on the test set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_loss: Option<f64>,
    /// At least this accuracy on the test set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_accuracy: Option<f64>,
    /// What must have been trained in any case.
    pub not_before: NotBefore,
}

/// What must have been trained before a run may stop; both, if both are given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NotBefore {
    /// Passes over the training set.
    pub epochs: f64,
    /// Steps.
    pub iterations: u64,
}

impl Stop {
    /// The levels that must be reached.
    pub(crate) fn levels(&self) -> Vec<(Metric, f64)> {
        let levels = [
            (Metric::TrainLoss, self.train_loss),
            (Metric::TrainAccuracy, self.train_accuracy),
            (Metric::ValidationLoss, self.validation_loss),
            (Metric::ValidationAccuracy, self.validation_accuracy),
            (Metric::TestLoss, self.test_loss),
            (Metric::TestAccuracy, self.test_accuracy),
        ];
        let given = levels.into_iter();
        given
            .filter_map(|(metric, level)| Some((metric, level?)))
            .collect()
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.levels().is_empty() {
            return Err(Error::setting("stop", "names no target"));
        }
        if !(self.not_before.epochs.is_finite() && self.not_before.epochs >= 0.0) {
            return Err(Error::setting(
                "stop.not_before.epochs",
                "must not be negative",
            ));
        }
        Ok(())
    }

    /// The first step at which a run may stop.
    pub fn earliest(&self, steps_per_epoch: u64) -> u64 {
        let epochs = epochs_to_steps(self.not_before.epochs, steps_per_epoch);
        epochs.max(self.not_before.iterations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_the_rounded_up_powers_of_the_spacing_and_both_ends() {
        let evaluation = Evaluation {
            spacing: 1.5,
            ..Evaluation::default()
        };
        // 1, 1.5, 2.25, 3.375, 5.06, 7.59, 11.4, 17.1
        assert_eq!(evaluation.points(20, 1), [0, 1, 2, 3, 4, 6, 8, 12, 18, 20]);
    }

    #[test]
    fn asked_points_are_added_once_and_only_within_the_run() {
        let evaluation = Evaluation {
            spacing: 4.0,
            epochs: vec![0.5, 2.0, 99.0],
            iterations: vec![3, 4, 1000],
            ..Evaluation::default()
        };
        assert_eq!(evaluation.points(20, 7), [0, 1, 3, 4, 14, 16, 20]);
    }

    #[test]
    fn a_spacing_that_never_grows_is_an_error() {
        assert!(
            Evaluation {
                spacing: 1.0,
                ..Evaluation::default()
            }
            .check()
            .is_err()
        );
    }

    #[test]
    fn a_run_may_stop_once_both_bounds_are_past() {
        let stop: Stop = serde_json::from_str(
            r#"{"train_loss": 0.01, "not_before": {"epochs": 12.0, "iterations": 300}}"#,
        )
        .unwrap();
        assert_eq!(stop.earliest(80), 960);
        assert_eq!(stop.earliest(5), 300);
        assert!(Stop::default().check().is_err());
    }
}
