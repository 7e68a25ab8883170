//! The table of heatmaps: panels, cells, good regions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::heatmap::Good;
use crate::{Metric, Moment};

/// What is known at a cell.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CellState {
    /// Every seed was evaluated at exactly the slice's step.
    Value {
        /// Mean over seeds.
        mean: f64,
        /// Seeds.
        seeds: usize,
    },
    /// Some seed diverged at or before that step.
    Diverged {
        /// Seeds that diverged.
        diverged: usize,
        /// All seeds.
        seeds: usize,
    },
    /// No seed diverged, but some was stopped, or ran out of budget, before that step.
    StoppedEarly {
        /// Updates that the shortest such run made.
        step: u64,
    },
    /// No evaluation at exactly that step; nothing is interpolated.
    NotEvaluated,
    /// No run has these settings.
    Missing,
}

impl CellState {
    /// Whether there is a result: a value or a divergence.
    pub fn is_known(&self) -> bool {
        matches!(self, Self::Value { .. } | Self::Diverged { .. })
    }
}

/// One seed's part of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SeedCell {
    /// Seed.
    pub seed: u64,
    /// What is known of it (`seeds: 1`).
    pub state: CellState,
}

/// A cell of the grid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Value of the horizontal setting.
    pub x: f64,
    /// Value of the vertical setting.
    pub y: f64,
    /// All seeds together.
    pub state: CellState,
    /// Each seed, ascending.
    pub seeds: Vec<SeedCell>,
    /// Names of the runs' inputs, in the order of `seeds`, so that a cell can link to them.
    pub runs: Vec<String>,
}

/// By which rule cells are good.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoodRule {
    /// At or past a level declared beforehand.
    AtLeast(f64),
    /// Within this distance of the panel's best cell.
    Within(f64),
}

impl GoodRule {
    /// The declared rules: the level, then the distance.
    pub fn of(good: Good) -> Vec<Self> {
        let level = good.at_least.map(Self::AtLeast);
        let distance = good.within.map(Self::Within);
        level.into_iter().chain(distance).collect()
    }
}

/// A side of the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Smallest x.
    Left,
    /// Largest x.
    Right,
    /// Smallest y.
    Bottom,
    /// Largest y.
    Top,
}

/// The middle of the good cells of one column.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CentrePoint {
    /// The column's x.
    pub x: f64,
    /// Geometric mean of the good cells' y.
    pub y: f64,
}

/// The good cells of a panel by one rule. Diverged cells count as known and not good; cells of which
/// nothing is known are left out of the share and counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GoodRegion {
    /// The rule.
    pub rule: GoodRule,
    /// The level that follows from it; `None` if no cell has a value.
    pub level: Option<f64>,
    /// Whether each cell is good, in the order of [`Panel::cells`].
    pub good: Vec<bool>,
    /// Cells with a known result.
    pub known: usize,
    /// Good cells over known cells; `None` if none is known.
    pub share: Option<f64>,
    /// Sides of the grid that good cells touch, where the grid has more than one value along the
    /// axis: the region may go on outside, and its share is censored.
    pub touches: Vec<Side>,
    /// The band's centre by column, columns with good cells only, positive values only.
    pub centre: Vec<CentrePoint>,
    /// Least-squares slope of log y over log x along the centre.
    pub slope: Option<f64>,
}

/// One heatmap: one stage, method and batch size at one slice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Panel {
    /// Stage of its runs.
    pub stage: String,
    /// Optimiser.
    pub method: String,
    /// Examples in a batch.
    pub batch_size: u64,
    /// Other settings in which it differs from another panel of the same stage, method and batch size;
    /// usually empty.
    pub others: BTreeMap<String, Value>,
    /// Where on the curves.
    pub at: Moment,
    /// The step that this means, in updates; `None` for the end of runs of several lengths.
    pub step: Option<u64>,
    /// Name of the horizontal setting.
    pub x: String,
    /// Name of the vertical setting.
    pub y: String,
    /// Its columns, ascending.
    pub x_values: Vec<f64>,
    /// Its rows, ascending.
    pub y_values: Vec<f64>,
    /// All cells of the grid, row by row from the smallest y, each from the smallest x: the cell at
    /// column i and row j is `cells[j * x_values.len() + i]`.
    pub cells: Vec<Cell>,
    /// Index of the best cell; `None` if no cell has a value. Ties: the first, that is the smaller y.
    pub best: Option<usize>,
    /// Levels of the damping along an axis beside the curvature, ascending; empty without such an axis
    /// or if no run recorded its curvature.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dampings: Vec<DampingLevel>,
    /// One region per declared rule.
    pub regions: Vec<GoodRegion>,
}

/// A damping beside the curvature of the runs that used it, up to the panel's slice: medians over runs
/// of the medians over each run's records.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DampingLevel {
    /// The damping.
    pub damping: f64,
    /// Median eigenvalue of the Kronecker-factored Fisher matrix.
    pub median: f64,
    /// Its largest eigenvalue.
    pub largest: f64,
    /// Runs that recorded them.
    pub runs: usize,
}

impl DampingLevel {
    /// Whether most of the curvature exceeds the damping. Where it does not, K-FAC is nearly SGD with
    /// learning rate / damping.
    pub fn is_below_curvature(&self) -> bool {
        self.damping < self.median
    }
}

/// The share of good cells at one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SharePoint {
    /// Updates.
    pub step: u64,
    /// Good cells over known cells; a cell is good if its mean over seeds is.
    pub share: f64,
    /// Good cells.
    pub good: usize,
    /// Cells with a run; diverged ones are known and not good.
    pub known: usize,
    /// Cells of which a seed has diverged.
    pub diverged: usize,
    /// Sides of the grid that good cells touch: the share is a lower bound.
    pub touches: Vec<Side>,
    /// The share of each seed alone, seeds ascending.
    pub seeds: Vec<f64>,
}

/// The share of good cells against step for one stage, method and batch size, by one declared rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShareCourse {
    /// Stage of its runs.
    pub stage: String,
    /// Optimiser.
    pub method: String,
    /// Examples in a batch.
    pub batch_size: u64,
    /// As of [`Panel::others`].
    pub others: BTreeMap<String, Value>,
    /// The rule.
    pub rule: GoodRule,
    /// Updates in one pass over the training set, to read the steps in epochs.
    pub steps_per_epoch: u64,
    /// The first step after which some run's learning rate falls: from there on a point cuts a
    /// schedule short.
    pub first_drop: Option<u64>,
    /// Points by ascending step, at evaluations that every run of the grid has.
    pub points: Vec<SharePoint>,
    /// Evaluated steps that are no point, because some run was not evaluated there or had ended.
    pub left_out: usize,
}

/// The table of kind `heatmap`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeatmapTable {
    /// What the cells show.
    pub value: Metric,
    /// What counts as good.
    pub good: Good,
    /// Panels by slice (in the settings' order), stage, method and ascending batch size.
    pub panels: Vec<Panel>,
    /// Share of good cells against step, by stage, method, ascending batch size and rule.
    #[serde(default)]
    pub courses: Vec<ShareCourse>,
}
