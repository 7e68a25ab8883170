//! A level of a metric that a run is timed to.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Metric;

/// A level of a metric to be reached. In JSON `{"train_loss": 0.03}`, as in the study file.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(from = "TargetFields", into = "BTreeMap<Metric, f64>")]
pub struct Target {
    /// What is measured.
    pub metric: Metric,
    /// The level: nats for a loss, 0 to 1 for an accuracy.
    pub level: f64,
}

macro_rules! targets {
    ($($metric:ident $name:ident $quantity:ident $part:ident $words:literal;)*) => {
        /// A level of one metric.
        #[derive(Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        #[schemars(rename = "Target")]
        enum TargetFields {
            $(
                #[doc = reached!($quantity $words)]
                $metric(level!($quantity)),
            )*
        }

        impl From<TargetFields> for Target {
            fn from(fields: TargetFields) -> Self {
                match fields {
                    $(TargetFields::$metric(level) => Self {
                        metric: Metric::$metric,
                        level: level.get(),
                    },)*
                }
            }
        }
    };
}
with_metrics!(targets);

impl Target {
    /// In words, an accuracy in percent: `train loss 0.03`, `test accuracy 93 %`.
    pub fn in_words(self) -> String {
        format!("{} {}", self.metric, self.metric.level(self.level))
    }
}

impl From<Target> for BTreeMap<Metric, f64> {
    fn from(target: Target) -> Self {
        Self::from([(target.metric, target.level)])
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.metric, self.level)
    }
}
