//! The share of good cells against the step, one line per batch size.
//!
//! Heatmaps at fixed epochs and at fixed iterations are two cuts through this picture: the first reads
//! each line at its own step, the second all lines at one step.

use std::collections::BTreeSet;

use super::grid::Grid;
use super::{CellState, GoodRule, SeedCell, ShareCourse, SharePoint, cell, region};
use crate::{Metric, Moment};

/// The courses of a grid, one per rule. A step is on it if every run of the grid was evaluated at
/// exactly that step or had diverged: over cells of which some have no result yet, or none any more
/// (runs that stop once they are good), a share would mean something else. Step 0 is left out.
pub(super) fn courses(grid: &Grid<'_>, rules: &[GoodRule], metric: Metric) -> Vec<ShareCourse> {
    let runs = || grid.cells.iter().flat_map(|(_, _, runs)| runs);
    let evaluated: BTreeSet<u64> = runs()
        .flat_map(|run| &run.curve.evaluations)
        .filter(|at| at.step > 0 && metric.of(at).is_some())
        .map(|at| at.step)
        .collect();
    let seeds: BTreeSet<u64> = runs().map(|run| run.seed()).collect();
    let mut courses: Vec<ShareCourse> = rules
        .iter()
        .map(|&rule| ShareCourse {
            stage: grid.stage.clone(),
            method: grid.method.clone(),
            batch_size: grid.batch_size,
            others: grid.others.clone(),
            rule,
            steps_per_epoch: runs().map(|run| run.steps_per_epoch).min().unwrap_or(0),
            first_drop: runs().flat_map(|run| run.rate_drops.iter().copied()).min(),
            points: Vec::new(),
            left_out: 0,
        })
        .collect();
    let shape = region::Shape {
        x: &grid.x_values,
        y: &grid.y_values,
    };
    for &step in &evaluated {
        let parts = seed_cells(grid, Moment::Iterations(step), metric);
        if !parts.iter().flatten().all(|part| part.state.is_known()) {
            for course in &mut courses {
                course.left_out += 1;
            }
            continue;
        }
        let together: Vec<CellState> = parts.iter().map(|parts| cell::together(parts)).collect();
        let by_seed: Vec<Vec<CellState>> = seeds
            .iter()
            .map(|&seed| {
                parts
                    .iter()
                    .map(|parts| cell::of_seed(parts, seed))
                    .collect()
            })
            .collect();
        for course in &mut courses {
            let region = region::good(course.rule, &together, &shape, metric);
            let Some(share) = region.share else { continue };
            course.points.push(SharePoint {
                step,
                share,
                good: region.good.iter().filter(|&&good| good).count(),
                known: region.known,
                diverged: together
                    .iter()
                    .filter(|state| matches!(state, CellState::Diverged { .. }))
                    .count(),
                touches: region.touches,
                seeds: by_seed
                    .iter()
                    .filter_map(|states| region::good(course.rule, states, &shape, metric).share)
                    .collect(),
            });
        }
    }
    courses
}

/// What each run of each cell says at a slice.
pub(super) fn seed_cells(grid: &Grid<'_>, at: Moment, metric: Metric) -> Vec<Vec<SeedCell>> {
    grid.cells
        .iter()
        .map(|(_, _, runs)| {
            runs.iter()
                .map(|run| SeedCell {
                    seed: run.seed(),
                    state: cell::state(run, at, metric),
                })
                .collect()
        })
        .collect()
}
