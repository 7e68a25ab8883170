//! Heatmaps of a metric over two settings, and their good regions.

pub(crate) mod cell;
mod course;
pub(crate) mod damping;
mod grid;
pub(crate) mod region;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{Error, Metric, Moment, Run};

pub use table::{
    Cell, CellState, CentrePoint, DampingLevel, GoodRegion, GoodRule, HeatmapTable, Panel,
    SeedCell, ShareCourse, SharePoint, Side,
};

/// The setting along an axis: one name for all methods, or one per method.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Axis {
    /// The same setting for every method.
    Same(String),
    /// `{"kfac": "damping", "sgd": "momentum"}`.
    PerMethod(BTreeMap<String, String>),
}

/// What counts as good. At least as good as a level (at most it, for a loss); within a distance of
/// the panel's best.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Good {
    /// The level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// The distance, in the metric's unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<f64>,
}

/// Settings of kind `heatmap`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeatmapSettings {
    /// Horizontal setting.
    pub x: Axis,
    /// Vertical setting.
    pub y: Axis,
    /// What the cells show.
    pub value: Metric,
    /// Where on the curves.
    pub at: Vec<Moment>,
    /// What counts as good.
    #[serde(default)]
    pub good: Good,
}

impl Good {
    /// The declared rules: the level, then the distance.
    pub fn rules(&self) -> Vec<GoodRule> {
        let level = self.at_least.map(GoodRule::AtLeast);
        let distance = self.within.map(GoodRule::Within);
        level.into_iter().chain(distance).collect()
    }
}

impl Axis {
    /// The setting along the axis for a method; `None` if the map has no entry for it.
    pub fn of(&self, method: &str) -> Option<&str> {
        match self {
            Self::Same(name) => Some(name),
            Self::PerMethod(names) => names.get(method).map(String::as_str),
        }
    }
}

/// The table of heatmaps: a panel for each slice, stage, method and batch size (and whatever else the
/// runs of a stage differ in, so that no cell mixes configurations).
///
/// A stage's panel in which no cell could be evaluated is left out where another stage has one of the
/// same method, batch size and slice that could: runs trained for a number of iterations are no part
/// of the picture at fixed epochs.
///
/// # Errors
/// [`Error::NoRuns`]; [`Error::NotMeasured`] or [`Error::NotFinite`]; [`Error::Invalid`] without a slice, for two equal axes,
/// or if an axis is not a number in some run.
pub fn heatmap(settings: &HeatmapSettings, runs: &[Run]) -> Result<HeatmapTable, Error> {
    if runs.is_empty() {
        return Err(Error::NoRuns);
    }
    if settings.at.is_empty() {
        return Err(Error::Invalid("a heatmap needs a slice in `at`".into()));
    }
    let metric = settings.value;
    if !runs
        .iter()
        .flat_map(|run| &run.evaluations)
        .any(|evaluation| metric.of(evaluation).is_some())
    {
        return Err(Error::without(metric, runs));
    }
    let grids = grid::grids(settings, runs)?;
    let mut panels = Vec::new();
    for &at in &settings.at {
        let drawn: Vec<Panel> = grids.iter().map(|grid| panel(settings, grid, at)).collect();
        let useful = |panel: &Panel| panel.cells.iter().any(|cell| cell.state.is_known());
        let has_better = |panel: &Panel| {
            drawn.iter().any(|other| {
                other.stage != panel.stage
                    && (&other.method, other.batch_size) == (&panel.method, panel.batch_size)
                    && useful(other)
            })
        };
        panels.extend(
            drawn
                .iter()
                .filter(|panel| useful(panel) || !has_better(panel))
                .cloned(),
        );
    }
    let rules = settings.good.rules();
    let courses = grids
        .iter()
        .flat_map(|grid| course::courses(grid, &rules, metric))
        .collect();
    Ok(HeatmapTable {
        value: metric,
        good: settings.good,
        panels,
        courses,
    })
}

fn panel(settings: &HeatmapSettings, grid: &grid::Grid<'_>, at: Moment) -> Panel {
    let cells: Vec<Cell> = grid
        .cells
        .iter()
        .zip(course::seed_cells(grid, at, settings.value))
        .map(|((x, y, runs), seeds)| Cell {
            x: *x,
            y: *y,
            state: cell::together(&seeds),
            seeds,
            runs: runs.iter().map(|run| run.label.clone()).collect(),
        })
        .collect();
    let steps: BTreeSet<u64> = grid
        .cells
        .iter()
        .flat_map(|(_, _, runs)| runs)
        .filter(|run| at != Moment::End || run.diverged_at().is_none())
        .map(|run| run.step_at(at))
        .collect();
    let shape = region::Shape {
        x: &grid.x_values,
        y: &grid.y_values,
    };
    let states: Vec<CellState> = cells.iter().map(|cell| cell.state).collect();
    Panel {
        stage: grid.stage.clone(),
        method: grid.method.clone(),
        batch_size: grid.batch_size,
        others: grid.others.clone(),
        at,
        step: (steps.len() == 1).then(|| steps.first().copied()).flatten(),
        x: grid.x.clone(),
        y: grid.y.clone(),
        x_values: grid.x_values.clone(),
        y_values: grid.y_values.clone(),
        best: region::best(&states, settings.value),
        dampings: damping::levels(grid, at),
        regions: settings
            .good
            .rules()
            .into_iter()
            .map(|rule| region::good(rule, &states, &shape, settings.value))
            .collect(),
        cells,
    }
}
