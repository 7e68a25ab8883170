//! When a run is evaluated and on what, and when it ends early.

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::number::{Count, NonNegative, Spacing};
use crate::{Metric, epochs_to_steps};

/// When and on what to evaluate: at the start, at the end, at log-spaced steps, and where it says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Evaluation {
    /// Evaluations at steps ceil(spacing^k), k = 0, 1, ...
    pub spacing: Spacing,
    /// More evaluations, after these numbers of epochs. Default: none.
    pub epochs: Vec<NonNegative>,
    /// More evaluations, after these numbers of steps. Default: none.
    pub iterations: Vec<u64>,
    /// How many training examples the training metrics are taken over. Default: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_subset: Option<Count>,
    /// How many training examples give the statistics that BatchNorm evaluates with.
    /// Default 1024.
    pub statistics_examples: Count,
    /// Whether to keep, at each evaluation, which test images were classified correctly: from this the report computes
    /// how exactly the test set can compare two methods. For runs whose performance is quoted.
    #[serde(skip_serializing_if = "is_off")]
    pub test_predictions: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_off(flag: &bool) -> bool {
    !flag
}

impl Default for Evaluation {
    fn default() -> Self {
        Self {
            spacing: Spacing::preset(1.1),
            epochs: Vec::new(),
            iterations: Vec::new(),
            train_subset: None,
            statistics_examples: Count::preset(1024),
            test_predictions: false,
        }
    }
}

impl Evaluation {
    /// The steps (updates made) at which a run of `steps` steps is evaluated, ascending: 0, `steps`, and
    /// what the settings ask for in between.
    pub fn points(&self, steps: u64, steps_per_epoch: u64) -> Vec<u64> {
        let mut points = vec![0, steps];
        let mut power = 1.0_f64;
        while power.ceil() <= steps as f64 {
            points.push(power.ceil() as u64);
            power *= self.spacing.get();
        }
        points.extend(self.named(Some(steps_per_epoch)));
        points.retain(|point| *point <= steps);
        points.sort_unstable();
        points.dedup();
        points
    }

    /// The steps that the settings name, those in epochs only if the steps of an epoch are known.
    pub fn named(&self, steps_per_epoch: Option<u64>) -> impl Iterator<Item = u64> + '_ {
        let epochs = self.epochs.iter();
        epochs
            .filter_map(move |epochs| Some(epochs_to_steps(epochs.get(), steps_per_epoch?)))
            .chain(self.iterations.iter().copied())
    }
}

/// Which statistics BatchNorm evaluates with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BatchNorm {
    /// Those of a fixed training subset, computed before each evaluation.
    #[default]
    Recompute,
    /// Running averages.
    Running,
}

/// The two batch sizes of an estimate of the gradient noise scale: small batches, and the one large batch that is made of
/// all of them. It is measured on training examples drawn for it, whatever the batch size of the run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NoiseScale {
    /// Examples of a small batch; BatchNorm normalises over each by itself.
    pub small: Count,
    /// How many small batches there are, at least 2.
    #[schemars(range(min = 2))]
    #[serde(deserialize_with = "at_least_two")]
    pub batches: Count,
}

impl Default for NoiseScale {
    fn default() -> Self {
        Self {
            small: Count::preset(32),
            batches: Count::preset(32),
        }
    }
}

impl NoiseScale {
    /// Examples of the big batch.
    pub fn big(&self) -> u64 {
        self.small.get().saturating_mul(self.batches.get())
    }
}

fn at_least_two<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Count, D::Error> {
    let count = Count::deserialize(deserializer)?;
    if count.get() < 2 {
        return Err(D::Error::custom("must be at least 2"));
    }
    Ok(count)
}

macro_rules! stop {
    ($($metric:ident $name:ident $quantity:ident $part:ident $words:literal;)*) => {
        /// When to end before the end of the budget: once all of these are reached at two evaluations in a row.
        #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(remote = "Self", deny_unknown_fields)]
        pub struct Stop {
            $(
                #[doc = reached!($quantity $words)]
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $name: Option<level!($quantity)>,
            )*
            /// What must have been trained in any case; both, if both are given. Default: nothing.
            #[serde(default)]
            pub not_before: NotBefore,
        }

        impl Stop {
            /// The levels that must be reached.
            pub fn levels(&self) -> impl Iterator<Item = (Metric, f64)> + use<> {
                let levels = [$((Metric::$metric, self.$name.map(|level| level.get()))),*];
                levels.into_iter().filter_map(|(metric, level)| Some((metric, level?)))
            }
        }
    };
}
with_metrics!(stop);

impl Serialize for Stop {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Stop {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stop = Self::deserialize(deserializer)?;
        if stop.levels().next().is_none() {
            return Err(D::Error::custom(
                "needs a level to stop at, such as `train_loss: 0.03`",
            ));
        }
        Ok(stop)
    }
}

impl Stop {
    /// The first step at which a run may stop.
    pub fn earliest(&self, steps_per_epoch: u64) -> u64 {
        let epochs = epochs_to_steps(self.not_before.epochs.get(), steps_per_epoch);
        epochs.max(self.not_before.iterations)
    }
}

/// What must have been trained before a run may stop.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NotBefore {
    /// Passes over the training set. Default 0.
    pub epochs: NonNegative,
    /// Steps. Default 0.
    pub iterations: u64,
}

impl Default for NotBefore {
    fn default() -> Self {
        Self {
            epochs: NonNegative::preset(0.0),
            iterations: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluation(text: &str) -> Evaluation {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn points_are_the_rounded_up_powers_of_the_spacing_and_both_ends() {
        // 1, 1.5, 2.25, 3.375, 5.06, 7.59, 11.4, 17.1
        let points = evaluation(r#"{"spacing": 1.5}"#).points(20, 1);
        assert_eq!(points, [0, 1, 2, 3, 4, 6, 8, 12, 18, 20]);
    }

    #[test]
    fn asked_points_are_added_once_and_only_within_the_run() {
        let asked = r#"{"spacing": 4, "epochs": [0.5, 2, 99], "iterations": [3, 4, 1000]}"#;
        let points = evaluation(asked).points(20, 7);
        assert_eq!(points, [0, 1, 3, 4, 14, 16, 20]);
    }

    #[test]
    fn a_run_may_stop_once_both_bounds_are_past() {
        let stop: Stop = serde_json::from_str(
            r#"{"train_loss": 0.01, "not_before": {"epochs": 12.0, "iterations": 300}}"#,
        )
        .unwrap();
        assert_eq!(stop.earliest(80), 960);
        assert_eq!(stop.earliest(5), 300);
        assert!(serde_json::from_str::<Stop>(r#"{"not_before": {"epochs": 1}}"#).is_err());
        assert_eq!(
            stop.levels().collect::<Vec<_>>(),
            [(Metric::TrainLoss, 0.01)]
        );
    }
}
