//! Heatmaps of a metric over two settings, and their good regions.

pub(crate) mod cell;
mod course;
pub(crate) mod damping;
mod grid;
pub(crate) mod region;
mod table;

use std::collections::BTreeSet;

use crate::{Error, Moment, Run};

pub use runs::reader::{Axis, Good, Heatmap};
pub use table::{
    Cell, CellState, CentrePoint, DampingLevel, GoodRegion, GoodRule, HeatmapTable, Panel,
    SeedCell, ShareCourse, SharePoint, Side,
};

/// The table of heatmaps: a panel for each slice, stage, method and batch size (and whatever else the
/// runs of a stage differ in, so that no cell mixes configurations).
///
/// A stage's panel in which no cell could be evaluated is left out where another stage has one of the
/// same method, batch size and slice that could: runs trained for a number of iterations are no part
/// of the picture at fixed epochs.
///
/// # Errors
/// [`Error::NoRuns`]; [`Error::NotMeasured`]; [`Error::NoMoment`]; [`Error::SameAxes`]; [`Error::NoAxis`];
/// [`Error::AxisNotANumber`].
pub fn heatmap(settings: &Heatmap, runs: &[Run]) -> Result<HeatmapTable, Error> {
    if runs.is_empty() {
        return Err(Error::NoRuns);
    }
    if settings.at.is_empty() {
        return Err(Error::NoMoment);
    }
    let metric = *settings.value;
    Error::unless_measured(metric, runs)?;
    let grids = grid::grids(settings, runs)?;
    let mut panels = Vec::new();
    for at in settings.at.iter().map(|at| **at) {
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
    let rules = GoodRule::of(settings.good);
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

fn panel(settings: &Heatmap, grid: &grid::Grid<'_>, at: Moment) -> Panel {
    let cells: Vec<Cell> = grid
        .cells
        .iter()
        .zip(course::seed_cells(grid, at, *settings.value))
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
        best: region::best(&states, *settings.value),
        dampings: damping::levels(grid, at),
        regions: GoodRule::of(settings.good)
            .into_iter()
            .map(|rule| region::good(rule, &states, &shape, *settings.value))
            .collect(),
        cells,
    }
}
