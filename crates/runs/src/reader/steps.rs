//! Levels that runs are timed to.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::AsInputs;
use crate::{Metric, Target};

/// How many steps runs need to reach targets, and how that scales with the batch size.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(from = "Fields<R>", bound(deserialize = "R: Deserialize<'de>"))]
pub struct StepsToTarget<R = AsInputs> {
    /// The runs.
    pub runs: R,
    /// Levels by metric, as written; no metric is without one.
    pub levels: BTreeMap<Metric, Vec<f64>>,
}

/// The documentation of a list of levels.
macro_rules! to_reach {
    (Loss $part:literal) => {
        concat!("Losses on ", $part, " to reach, nats.")
    };
    (Accuracy $part:literal) => {
        concat!("Accuracies on ", $part, " to reach.")
    };
}

macro_rules! levels {
    ($($metric:ident $name:ident $quantity:ident $part:ident $words:literal;)*) => {
        /// How many steps runs need to reach targets, and how that scales with the batch size.
        #[derive(Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        #[schemars(rename = "StepsToTarget")]
        struct Fields<R> {
            /// The `train` stages.
            runs: R,
            $(
                #[doc = to_reach!($quantity $words)]
                #[serde(default)]
                $name: Vec<level!($quantity)>,
            )*
        }

        impl<R> From<Fields<R>> for StepsToTarget<R> {
            fn from(fields: Fields<R>) -> Self {
                let mut levels = BTreeMap::new();
                $(
                    let own: Vec<f64> = fields.$name.iter().map(|level| level.get()).collect();
                    if !own.is_empty() {
                        levels.insert(Metric::$metric, own);
                    }
                )*
                Self { runs: fields.runs, levels }
            }
        }
    };
}
with_metrics!(levels);

impl<R> StepsToTarget<R> {
    /// The levels by metric, each once, from the easiest to the hardest.
    pub fn sorted(&self) -> BTreeMap<Metric, Vec<f64>> {
        let mut levels = self.levels.clone();
        for (metric, levels) in &mut levels {
            levels.sort_by(|a, b| metric.goodness(*a).total_cmp(&metric.goodness(*b)));
            levels.dedup();
        }
        levels
    }

    /// The targets, by metric and then from the easiest to the hardest, each once.
    pub fn targets(&self) -> Vec<Target> {
        let targets = |(metric, levels): (Metric, Vec<f64>)| {
            let of = move |level| Target { metric, level };
            levels.into_iter().map(of)
        };
        self.sorted().into_iter().flat_map(targets).collect()
    }
}
