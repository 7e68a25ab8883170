//! The table of winners.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Moment;
use crate::select::By;

/// How a configuration did, its seeds taken together. Better ones first: this order, then the value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Score {
    /// Mean over seeds of the metric that selects.
    Value(f64),
    /// Median over seeds of the steps to the target, as `(after, by]`.
    Steps {
        /// Last miss, updates.
        after: u64,
        /// First hit, updates.
        by: u64,
    },
    /// Some seed did not reach the target.
    NotReached {
        /// Mean over seeds of the target's metric at the last evaluation.
        value: Option<f64>,
    },
    /// No seed was evaluated where the selection looks.
    NotEvaluated,
    /// Some seed diverged.
    Diverged {
        /// Seeds that diverged.
        seeds: usize,
    },
}

/// Which end of its sweep a winning value lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edge {
    /// The smallest value tried.
    Low,
    /// The largest value tried.
    High,
}

/// A configuration that did not win.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its swept settings.
    pub parameters: BTreeMap<String, Value>,
    /// How it did.
    pub score: Score,
}

/// What to expect of the best of some random trials.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ExpectedBest {
    /// Configurations drawn at random from the grid.
    pub trials: usize,
    /// Expected value of the best of them.
    pub value: f64,
}

/// The winner of one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Winner {
    /// The group's name, the entry in `configurations`: `kfac/16`.
    pub entry: String,
    /// What the group has in common, by the names in `per`.
    pub group: BTreeMap<String, Value>,
    /// Optimiser.
    pub method: String,
    /// Examples in a batch.
    pub batch_size: u64,
    /// Stage of the winning runs.
    pub stage: String,
    /// The winning train settings without `seed`.
    pub settings: Value,
    /// Those of them that differ among the group's configurations.
    pub parameters: BTreeMap<String, Value>,
    /// How it did on the tuning seeds: optimistic, the best of several noisy values.
    pub score: Score,
    /// The tuning seeds of the whole group, ascending.
    pub seeds: Vec<u64>,
    /// Swept numbers whose winning value is the smallest or largest tried: the optimum may be outside. A
    /// smallest value of 0 is no edge.
    pub on_grid_edge: BTreeMap<String, Edge>,
    /// How stable the choice is: in which share of 400 samples of the tuning seeds, drawn with replacement from a fixed
    /// sequence, the same configuration wins. `None` with a single seed.
    ///
    /// Source: Efron 1979.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stability: Option<f64>,
    /// For a selection by steps: tuning seeds of the winner that reached the target and were short of it again when they
    /// were last evaluated, which is what the edge of stability looks like.
    #[serde(default)]
    pub fell_back: usize,
    /// The second.
    pub runner_up: Option<Candidate>,
    /// Configurations compared.
    pub candidates: usize,
    /// Configurations of which some seed diverged.
    pub diverged: usize,
    /// Expected best of k configurations drawn at random, k = 1, 2, 4, ... and all. Empty for a
    /// selection by steps. Diverged and unevaluated configurations count as the worst value seen.
    ///
    /// Source: Dodge et al. 2019, section 3.
    pub expected_best: Vec<ExpectedBest>,
}

/// The table of kind `select`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WinnersTable {
    /// What was selected by.
    pub by: By,
    /// Where on the curves.
    pub at: Moment,
    /// The names whose values make a group.
    pub per: Vec<String>,
    /// One winner per group, by method and ascending batch size.
    pub winners: Vec<Winner>,
}
