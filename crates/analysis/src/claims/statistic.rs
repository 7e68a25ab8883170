//! The numbers that claims rest on: what each measures, for which part of the data, and its estimate.

use serde::{Deserialize, Serialize};

use super::Verdict;
use crate::heatmap::GoodRule;
use crate::{Estimate, Metric, Target};

/// What a number measures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Difference of the last evaluations of the confirmed winners, K-FAC minus SGD.
    FinalDifference {
        /// What was evaluated.
        metric: Metric,
    },
    /// Difference of the slopes of log steps over log batch size, K-FAC minus SGD.
    SlopeDifference,
    /// A method's slope of log steps over log batch size: -1 is ideal scaling.
    ScalingSlope {
        /// Optimiser.
        method: String,
    },
    /// Change of the share of good cells per doubling of the batch size, positive in the claimed direction.
    ShareChange {
        /// The claimed direction.
        direction: Direction,
    },
    /// Slope of the good band: log learning rate over log damping.
    BandSlope,
    /// Steps to a target, K-FAC over SGD, as the natural logarithm of the ratio.
    StepsRatio {
        /// The target.
        target: Target,
    },
    /// Difference at the last step that both evaluated, K-FAC minus SGD at learning rate / damping.
    ControlDifference {
        /// What was evaluated.
        metric: Metric,
    },
}

impl Quantity {
    /// In what the estimate is.
    pub fn unit(&self) -> Unit {
        match self {
            Self::FinalDifference { metric } | Self::ControlDifference { metric } => {
                if metric.is_loss() {
                    Unit::Plain
                } else {
                    Unit::Share
                }
            }
            Self::ShareChange { .. } => Unit::Share,
            Self::StepsRatio { .. } => Unit::LogRatio,
            Self::SlopeDifference | Self::ScalingSlope { .. } | Self::BandSlope => Unit::Plain,
        }
    }
}

/// Which way a claim wants the share of good cells to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// It falls as the batch size grows.
    Shrinks,
    /// It rises with the batch size.
    Grows,
}

/// In what a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// As it stands.
    Plain,
    /// A share of one or a difference of shares: 0.01 is one percentage point.
    Share,
    /// The natural logarithm of a ratio.
    LogRatio,
}

/// From when on a cell of a heatmap is good.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// What the heatmap shows.
    pub metric: Metric,
    /// The rule.
    pub rule: GoodRule,
}

/// The part of the data that a number is of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// One batch size.
    BatchSize(u64),
    /// One level of a good region.
    Level(Level),
    /// One cell of K-FAC's grid.
    Cell {
        /// Examples in a batch.
        batch_size: u64,
        /// K-FAC's damping.
        damping: f64,
        /// K-FAC's learning rate.
        learning_rate: f64,
    },
}

/// One number that decided something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statistic {
    /// What it measures.
    pub quantity: Quantity,
    /// For which part of the data; `None` if for all.
    pub part: Option<Part>,
    /// The estimate, in the quantity's unit; its interval is there from two seeds on.
    pub estimate: Estimate,
    /// Seeds.
    pub n: usize,
    /// What it says on its own, by the claim's rule.
    pub verdict: Verdict,
}
