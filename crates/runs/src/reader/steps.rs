//! Levels that runs are timed to.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::AsInputs;
use crate::{Metric, Spanned, Target};

/// How many steps runs need to reach targets, and how that scales with the batch size.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(from = "Fields<R>", bound(deserialize = "R: Deserialize<'de>"))]
pub struct StepsToTarget<R = AsInputs> {
    /// The runs.
    pub runs: R,
    /// Levels by metric, as written; no metric is without one.
    pub levels: BTreeMap<Metric, Vec<Spanned<f64>>>,
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
            /// The stages whose runs are timed: `train`, and `command` with `curves`.
            runs: R,
            $(
                #[doc = to_reach!($quantity $words)]
                #[serde(default)]
                $name: Vec<Spanned<level!($quantity)>>,
            )*
        }

        impl<R> From<Fields<R>> for StepsToTarget<R> {
            fn from(fields: Fields<R>) -> Self {
                let mut levels = BTreeMap::new();
                $(
                    if !fields.$name.is_empty() {
                        let own = fields.$name.iter().map(|level| level.with(level.get()));
                        levels.insert(Metric::$metric, own.collect());
                    }
                )*
                Self { runs: fields.runs, levels }
            }
        }
    };
}
with_metrics!(levels);

impl StepsToTarget {
    /// These levels, of runs that are inputs.
    pub fn of(levels: impl IntoIterator<Item = (Metric, Vec<f64>)>) -> Self {
        let placed = |levels: Vec<f64>| levels.into_iter().map(Spanned::nowhere).collect();
        let levels = levels
            .into_iter()
            .map(|(metric, levels)| (metric, placed(levels)));
        Self {
            runs: None,
            levels: levels.collect(),
        }
    }
}

impl<R> StepsToTarget<R> {
    /// The levels by metric, each once, from the easiest to the hardest.
    pub fn sorted(&self) -> BTreeMap<Metric, Vec<f64>> {
        let sorted = self.levels.iter().map(|(metric, levels)| {
            let mut levels: Vec<f64> = levels.iter().map(|level| **level).collect();
            levels.sort_by(|a, b| metric.goodness(*a).total_cmp(&metric.goodness(*b)));
            levels.dedup();
            (*metric, levels)
        });
        sorted.collect()
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
