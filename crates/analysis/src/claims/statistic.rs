//! The numbers that claims rest on: what each measures, for which part of the data, and its estimate.

use serde::{Deserialize, Serialize};

use super::Verdict;
use crate::heatmap::GoodRule;
use crate::{Estimate, Metric, Target};

/// Two methods, by their optimisers' names. A difference is that of the first minus the second; a ratio of steps is the
/// second's over the first's, so that either is positive, in logarithms, where the first is ahead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair(pub String, pub String);

impl Pair {
    pub(super) fn new(first: &str, second: &str) -> Self {
        Self(first.into(), second.into())
    }
}

/// What a number measures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Difference of the last evaluations of the confirmed winners.
    FinalDifference {
        /// Whose.
        methods: Pair,
        /// What was evaluated.
        metric: Metric,
    },
    /// Difference of the slopes of log steps over log batch size.
    SlopeDifference {
        /// Whose.
        methods: Pair,
    },
    /// A method's slope of log steps over log batch size: -1 is ideal scaling.
    ScalingSlope {
        /// Optimiser.
        method: String,
    },
    /// Change of the share of good cells per doubling of the batch size.
    ShareChange {
        /// Whose.
        method: String,
        /// The claimed direction: a change in it is positive.
        direction: Direction,
    },
    /// Slope of the good band: log learning rate over log damping.
    BandSlope,
    /// The natural logarithm of a ratio of steps to a target: the second method's over the first's, so that it is
    /// positive where the first is faster.
    StepsRatio {
        /// Whose.
        methods: Pair,
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
            Self::FinalDifference { metric, .. } | Self::ControlDifference { metric } => {
                if metric.is_loss() {
                    Unit::Plain
                } else {
                    Unit::Share
                }
            }
            Self::ShareChange { .. } => Unit::Share,
            Self::StepsRatio { .. } => Unit::LogRatio,
            Self::SlopeDifference { .. } | Self::ScalingSlope { .. } | Self::BandSlope => {
                Unit::Plain
            }
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// One pair of several methods.
    Methods(Pair),
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
    /// What it says, by the claim's rule: of a part that all parts agree with, on its own; else after the correction
    /// for their number.
    pub verdict: Verdict,
}
