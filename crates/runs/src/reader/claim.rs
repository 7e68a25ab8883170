//! Claims about runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Metric;
use crate::number::Positive;

/// A claim to decide.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Claim {
    /// K-FAC's confirmed performance equals SGD's, within a margin.
    ComparablePerformance(Comparison),
    /// Both methods have diminishing returns, and K-FAC departs from ideal scaling further.
    DiminishingReturns {},
    /// At fixed epochs the good region shrinks as the batch size grows.
    RegionShrinksAtFixedEpochs {},
    /// At fixed iterations the good region grows with the batch size.
    RegionGrowsAtFixedIterations {},
    /// Good learning rates and good dampings are positively correlated.
    RatesAndDampingsCorrelate {},
    /// SGD makes more progress per step in reducing the loss.
    SgdFasterPerIteration {},
    /// The control: at a large damping K-FAC is SGD with learning rate / damping, within a margin. It takes SGD runs
    /// with those rates and the same momentum, seeds and budget.
    LargeDampingIsSgd(Comparison),
}

/// What counts as comparable.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Comparison {
    /// The largest difference that counts as equal, in the metric's unit.
    #[serde(deserialize_with = "Positive::number")]
    #[schemars(with = "Positive")]
    pub margin: f64,
    /// What is compared.
    pub metric: Metric,
}

impl Default for Comparison {
    fn default() -> Self {
        Self {
            margin: 0.01,
            metric: Metric::TestAccuracy,
        }
    }
}
