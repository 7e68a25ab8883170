//! The study's claims as tests: from tables to a verdict with its statistic, interval and n.
//!
//! The unit is the seed, never the cell. Fewer than [`SEEDS_TO_DECIDE`] seeds decide nothing, but what
//! they point towards is shown. Seeds are compared in pairs: both methods of a seed start from the same
//! weights and see the same batches. Intervals are Student's t over seeds, 95 % unless a rule says
//! otherwise. A claim may come out either way; each rule is in the module of its claim.
//!
//! A verdict says why by values ([`Reason`], [`Remark`], [`Missing`]), never in words: the page puts them
//! into sentences, so that better words compute nothing anew.

mod choice;
mod control;
mod correlation;
mod decide;
mod judge;
mod performance;
mod progress;
mod reason;
mod region;
mod returns;
mod statistic;
mod timings;
mod verdict;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Metric;

pub use choice::{Agreement, Alternative, Choice, Dampings, TimedRuns};
pub use decide::decide;
pub use judge::SEEDS_TO_DECIDE;
pub use reason::{Missing, Reason, Remark, Slopes, Tally};
pub use statistic::{Direction, Level, Part, Quantity, Statistic, Unit};
pub use verdict::{ClaimVerdict, Figure, Verdict};

use judge::Decision;

/// The methods that the claims compare.
const KFAC: &str = "kfac";
const SGD: &str = "sgd";

/// A claim with its levels and margins. In JSON its name, or a map from its name to its settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// K-FAC's performance is comparable to SGD's, even after tuning.
    ComparablePerformance {
        /// Largest difference that counts as equal, in the metric's unit.
        margin: f64,
        /// What is compared.
        metric: Metric,
    },
    /// Both methods have diminishing returns, K-FAC departs further from ideal scaling.
    DiminishingReturns {},
    /// At fixed epochs the good region shrinks with the batch size.
    RegionShrinksAtFixedEpochs {},
    /// At fixed iterations the good region grows with the batch size.
    RegionGrowsAtFixedIterations {},
    /// Good learning rates and dampings are positively correlated.
    RatesAndDampingsCorrelate {},
    /// SGD makes more progress per iteration in reducing the loss.
    SgdFasterPerIteration {},
    /// The control: at a large damping K-FAC is SGD with learning rate / damping.
    LargeDampingIsSgd {
        /// Largest difference that counts as equal, in the metric's unit.
        margin: f64,
        /// What is compared.
        metric: Metric,
    },
}

/// [`Claim`] as a map, every setting with its default.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ClaimSettings {
    ComparablePerformance(Comparison),
    DiminishingReturns(Nothing),
    RegionShrinksAtFixedEpochs(Nothing),
    RegionGrowsAtFixedIterations(Nothing),
    RatesAndDampingsCorrelate(Nothing),
    SgdFasterPerIteration(Nothing),
    LargeDampingIsSgd(Comparison),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Comparison {
    #[serde(default = "one_point")]
    margin: f64,
    #[serde(default = "test_accuracy")]
    metric: Metric,
}

fn one_point() -> f64 {
    0.01
}

fn test_accuracy() -> Metric {
    Metric::TestAccuracy
}

impl TryFrom<Value> for Claim {
    type Error = serde_json::Error;

    fn try_from(value: Value) -> Result<Self, serde_json::Error> {
        let map = match value {
            Value::String(name) => {
                Value::from_iter([(name, Value::Object(serde_json::Map::new()))])
            }
            map => map,
        };
        Ok(match serde_json::from_value(map)? {
            ClaimSettings::ComparablePerformance(Comparison { margin, metric }) => {
                Self::ComparablePerformance { margin, metric }
            }
            ClaimSettings::DiminishingReturns(Nothing {}) => Self::DiminishingReturns {},
            ClaimSettings::RegionShrinksAtFixedEpochs(Nothing {}) => {
                Self::RegionShrinksAtFixedEpochs {}
            }
            ClaimSettings::RegionGrowsAtFixedIterations(Nothing {}) => {
                Self::RegionGrowsAtFixedIterations {}
            }
            ClaimSettings::RatesAndDampingsCorrelate(Nothing {}) => {
                Self::RatesAndDampingsCorrelate {}
            }
            ClaimSettings::SgdFasterPerIteration(Nothing {}) => Self::SgdFasterPerIteration {},
            ClaimSettings::LargeDampingIsSgd(Comparison { margin, metric }) => {
                Self::LargeDampingIsSgd { margin, metric }
            }
        })
    }
}
