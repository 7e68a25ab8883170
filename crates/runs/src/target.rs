//! A level of a metric that a run is timed to.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Metric;

/// A level of a metric that a run is timed to. In JSON `{"train_loss": 0.03}`, as in the study file.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<Metric, f64>", into = "BTreeMap<Metric, f64>")]
pub struct Target {
    /// What is measured.
    pub metric: Metric,
    /// The level: nats for a loss, 0 to 1 for an accuracy.
    pub level: f64,
}

impl Target {
    /// In words, an accuracy in percent: `train loss 0.03`, `test accuracy 93 %`.
    pub fn in_words(self) -> String {
        format!("{} {}", self.metric, self.metric.level(self.level))
    }
}

impl TryFrom<BTreeMap<Metric, f64>> for Target {
    type Error = &'static str;

    fn try_from(map: BTreeMap<Metric, f64>) -> Result<Self, Self::Error> {
        match map.into_iter().collect::<Vec<_>>()[..] {
            [(metric, level)] => Ok(Self { metric, level }),
            _ => Err("a target is one metric with one level"),
        }
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
