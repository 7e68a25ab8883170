//! What an evaluation measures, and evaluations.
//!
//! The metrics are named once, in [`with_metrics`]; whatever has a part for each of them is made from that list. A new
//! metric is a line of it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// Hands the metrics to a macro: variant, name, whether it is a loss or an accuracy, the part of the data that it is
/// measured on, and that part in words.
macro_rules! with_metrics {
    ($make:ident) => {
        $make! {
            TrainLoss train_loss Loss Train "the training set";
            TrainAccuracy train_accuracy Accuracy Train "the training set";
            ValidationLoss validation_loss Loss Validation "the validation part";
            ValidationAccuracy validation_accuracy Accuracy Validation "the validation part";
            TestLoss test_loss Loss Test "the test set";
            TestAccuracy test_accuracy Accuracy Test "the test set";
        }
    };
}

/// What a metric is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantity {
    Loss,
    Accuracy,
}

/// The part of a data set that a metric is measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What is trained on.
    Train,
    /// Held back from training, to choose by.
    Validation,
    /// Held back from everything but the final word.
    Test,
}

/// A field's documentation.
macro_rules! measured_on {
    (Loss $part:literal) => {
        concat!("Mean loss over ", $part, ", nats.")
    };
    (Accuracy $part:literal) => {
        concat!("Accuracy on ", $part, ", 0 to 1.")
    };
}

/// The type of a level.
macro_rules! level {
    (Loss) => {
        $crate::number::Positive
    };
    (Accuracy) => {
        $crate::number::Share
    };
}

/// The documentation of a level.
macro_rules! reached {
    (Loss $part:literal) => {
        concat!("At most this loss on ", $part, ", nats.")
    };
    (Accuracy $part:literal) => {
        concat!("At least this accuracy on ", $part, ".")
    };
}

macro_rules! metrics {
    ($($metric:ident $name:ident $quantity:ident $part:ident $words:literal;)*) => {
        /// What an evaluation measures. Losses are mean cross-entropies in nats, accuracies fractions.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
        )]
        #[serde(rename_all = "snake_case")]
        #[allow(missing_docs, reason = "the names say it, and a text for each would make the schema a list of choices")]
        pub enum Metric {
            $($metric,)*
        }

        impl Metric {
            /// Every metric, in the order of the curve's arrays.
            pub const ALL: [Self; [$(Self::$metric),*].len()] = [$(Self::$metric),*];

            /// The name used in study files and curves, such as `test_accuracy`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$metric => stringify!($name),)*
                }
            }

            /// The part of the data that it is measured on.
            pub const fn part(self) -> Part {
                match self {
                    $(Self::$metric => Part::$part,)*
                }
            }

            const fn quantity(self) -> Quantity {
                match self {
                    $(Self::$metric => Quantity::$quantity,)*
                }
            }

            /// The value in an evaluation, which may not be finite; `None` where it was not measured.
            pub const fn measured(self, evaluation: &Evaluation) -> Option<f64> {
                match self {
                    $(Self::$metric => evaluation.$name,)*
                }
            }

            /// The place of the value in an evaluation.
            pub const fn of_mut(self, evaluation: &mut Evaluation) -> &mut Option<f64> {
                match self {
                    $(Self::$metric => &mut evaluation.$name,)*
                }
            }
        }

        /// Loss and accuracy at one step. `None`: it was not measured, as the data set has no such part. A value that
        /// is not finite was measured and is worse than any; as JSON it is `null`.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
        pub struct Evaluation {
            /// Updates made so far; 0 is before the first.
            pub step: u64,
            /// Training examples seen so far.
            pub examples: u64,
            $(
                #[doc = measured_on!($quantity $words)]
                #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "measured")]
                pub $name: Option<f64>,
            )*
        }
    };
}
with_metrics!(metrics);

/// A number that is there, where JSON has none for what is not finite.
fn measured<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let number = Option::<f64>::deserialize(deserializer)?;
    Ok(Some(number.unwrap_or(f64::NAN)))
}

impl Metric {
    /// The metric of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.name() == name)
    }

    /// The losses on a part of the data.
    pub fn losses(part: Part) -> impl Iterator<Item = Self> {
        let all = Self::ALL.into_iter();
        all.filter(move |metric| metric.is_loss() && metric.part() == part)
    }

    /// The accuracies on a part of the data.
    pub fn accuracies(part: Part) -> impl Iterator<Item = Self> {
        let all = Self::ALL.into_iter();
        all.filter(move |metric| !metric.is_loss() && metric.part() == part)
    }

    /// Whether smaller is better: true of losses.
    pub fn is_loss(self) -> bool {
        self.quantity() == Quantity::Loss
    }

    /// The value in an evaluation, if it was measured and is finite.
    pub fn of(self, evaluation: &Evaluation) -> Option<f64> {
        self.measured(evaluation).filter(|value| value.is_finite())
    }

    /// Whether `value` is at or past `level`: at most it for a loss, at least it for an accuracy.
    pub fn is_at_or_past(self, value: f64, level: f64) -> bool {
        if self.is_loss() {
            value <= level
        } else {
            value >= level
        }
    }

    /// `value` such that larger is better, for ranking: negated for losses.
    pub fn goodness(self, value: f64) -> f64 {
        if self.is_loss() { -value } else { value }
    }

    /// A level in words: `93 %`, `0.03`; of losses four significant digits.
    pub fn level(self, level: f64) -> String {
        if self.is_loss() {
            let rounded = format!("{level:.3e}").parse().unwrap_or(level);
            format!("{rounded}")
        } else {
            format!("{} %", (level * 1e4).round() / 1e2)
        }
    }

    /// A distance between values in words: `1 point`, `0.5 points`, `0.02`.
    pub fn distance(self, distance: f64) -> String {
        if self.is_loss() {
            return self.level(distance);
        }
        let points = (distance * 1e4).round() / 1e2;
        let plural = if points.total_cmp(&1.0).is_eq() {
            ""
        } else {
            "s"
        };
        format!("{points} point{plural}")
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name().replace('_', " "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_has_one_name_everywhere() {
        for metric in Metric::ALL {
            let json = serde_json::to_value(metric).unwrap();
            assert_eq!(json, metric.name());
            assert_eq!(Metric::named(metric.name()), Some(metric));
            assert_eq!(metric.is_loss(), metric.name().ends_with("_loss"));
            let mut evaluation = Evaluation::default();
            *metric.of_mut(&mut evaluation) = Some(0.5);
            let json = serde_json::to_string(&evaluation).unwrap();
            assert_eq!(
                json,
                format!(
                    r#"{{"step":0,"examples":0,"{metric}":0.5}}"#,
                    metric = metric.name()
                )
            );
            assert_eq!(metric.of(&evaluation), Some(0.5));
        }
    }

    #[test]
    fn what_was_measured_and_is_not_finite_differs_from_what_was_not_measured() {
        let evaluation = Evaluation {
            test_loss: Some(f64::INFINITY),
            ..Evaluation::default()
        };
        let json = serde_json::to_string(&evaluation).unwrap();
        assert_eq!(json, r#"{"step":0,"examples":0,"test_loss":null}"#);
        let read: Evaluation = serde_json::from_str(&json).unwrap();
        assert!(Metric::TestLoss.measured(&read).is_some_and(f64::is_nan));
        assert_eq!(Metric::TestLoss.of(&read), None);
        assert_eq!(Metric::TrainLoss.measured(&read), None);
    }
}
