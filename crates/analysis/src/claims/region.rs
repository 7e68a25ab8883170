//! How the share of good cells of a method's heatmaps changes with the batch size.
//!
//! For each seed the least-squares slope of the share over log2 batch size, signed so that the claimed direction is
//! positive. The level that the study declares decides, and it alone. Beside it stand five fixed levels, spaced evenly
//! in the logarithm of the error, from just above the best cell's to half way to guessing: they show how the answer depends on
//! the level, and have no vote.

use std::collections::{BTreeMap, BTreeSet};

use super::judge::{Condition, Piece, Question, Rule};
use super::performance::guessing;
use super::sample::Sample;
use super::{Direction, Level, Missing, Part, Quantity, Remark};
use crate::heatmap::cell::of_seed as of_seed_in;
use crate::heatmap::{CellState, GoodRule, HeatmapTable, Panel, Side, region};
use crate::statistics::{mean, slope};
use crate::{Evidence, Metric, Moment};

/// Fixed levels.
const FIXED: usize = 5;

/// By batch size, a method's panels at a slice: those of the first stage that has them at two or more.
pub(super) fn panels<'t>(
    table: &'t HeatmapTable,
    method: &str,
    at: Moment,
) -> BTreeMap<u64, &'t Panel> {
    let mut stages: BTreeMap<(&str, String), BTreeMap<u64, &Panel>> = BTreeMap::new();
    for panel in table
        .panels
        .iter()
        .filter(|panel| panel.at == at && panel.method == method)
    {
        let others = serde_json::Value::from_iter(panel.others.clone()).to_string();
        stages
            .entry((&panel.stage, others))
            .or_default()
            .insert(panel.batch_size, panel);
    }
    let first = stages.keys().next().cloned();
    let several = stages
        .iter()
        .find(|(_, panels)| panels.len() >= 2)
        .map(|(key, _)| key.clone());
    several
        .or(first)
        .and_then(|key| stages.remove(&key))
        .unwrap_or_default()
}

/// The states of a panel's cells for one seed.
pub(super) fn of_seed(panel: &Panel, seed: u64) -> Vec<CellState> {
    panel
        .cells
        .iter()
        .map(|cell| of_seed_in(&cell.seeds, seed))
        .collect()
}

/// Seeds that some cell of every panel has.
pub(super) fn common_seeds<'a>(panels: impl IntoIterator<Item = &'a Panel>) -> BTreeSet<u64> {
    let seeds = |panel: &Panel| -> BTreeSet<u64> {
        panel
            .cells
            .iter()
            .flat_map(|cell| &cell.seeds)
            .map(|part| part.seed)
            .collect()
    };
    panels
        .into_iter()
        .map(seeds)
        .reduce(|a, b| &a & &b)
        .unwrap_or_default()
}

/// The levels of good cells: the declared ones, of which the first decides, then the fixed ones.
pub(super) fn levels(
    evidence: &Evidence,
    table: &HeatmapTable,
    method: &str,
    at: Moment,
) -> Vec<GoodRule> {
    let panels = table.panels.iter();
    let panels = panels.filter(|panel| panel.method == method && panel.at == at);
    let runs = evidence.runs.iter().filter(|run| run.method() == method);
    let fixed = fixed_levels(panels, guessing(runs, table.value), table.value);
    let mut levels = GoodRule::of(table.good);
    for level in fixed {
        if !levels.contains(&level) {
            levels.push(level);
        }
    }
    levels
}

/// Levels from the best cell to half way to guessing, in the logarithm of the error. None where nothing is known.
fn fixed_levels<'a>(
    panels: impl Iterator<Item = &'a Panel>,
    guess: Option<f64>,
    metric: Metric,
) -> Vec<GoodRule> {
    let error = |value: f64| {
        if metric.is_loss() { value } else { 1.0 - value }
    };
    let errors: Vec<f64> = panels
        .flat_map(|panel| &panel.cells)
        .filter_map(|cell| match cell.state {
            CellState::Value { mean, .. } => Some(error(mean)),
            _ => None,
        })
        .collect();
    // No error is below half of the smallest that was seen above zero: a test set is finite.
    let floor = errors.iter().filter(|error| **error > 0.0);
    let floor = 0.5 * floor.copied().fold(f64::INFINITY, f64::min);
    let best = errors.iter().copied().fold(f64::INFINITY, f64::min);
    let worst = errors.iter().copied().fold(0.0, f64::max);
    let guess = guess.map_or(worst, error);
    let best = best.max(floor);
    if !best.is_finite() || guess <= best {
        return Vec::new();
    }
    let half_way = 0.5 * (guess / best).ln();
    (1..=FIXED)
        .map(|step| best * (half_way * step as f64 / FIXED as f64).exp())
        .map(|error| GoodRule::AtLeast(if metric.is_loss() { error } else { 1.0 - error }))
        .collect()
}

/// Seed by seed the change of the share per doubling of the batch size, positive in the direction; and the share,
/// averaged over seeds and batch sizes.
fn changes(
    table: &HeatmapTable,
    panels: &BTreeMap<u64, &Panel>,
    rule: GoodRule,
    direction: Direction,
) -> (Sample, Option<f64>) {
    let sign = match direction {
        Direction::Shrinks => -1.0,
        Direction::Grows => 1.0,
    };
    let mut shares = Vec::new();
    let mut sample = Vec::new();
    for seed in common_seeds(panels.values().copied()) {
        let points: Option<Vec<(f64, f64)>> = panels
            .iter()
            .map(|(batch, panel)| {
                let shape = region::Shape {
                    x: &panel.x_values,
                    y: &panel.y_values,
                };
                let good = region::good(rule, &of_seed(panel, seed), &shape, table.value);
                Some(((*batch as f64).log2(), good.share?))
            })
            .collect();
        // A seed of which some batch size knows nothing has no slope.
        let Some(points) = points else { continue };
        shares.extend(points.iter().map(|point| point.1));
        sample.extend(slope(&points).map(|slope| (seed, sign * slope)));
    }
    (Sample::of_values(sample), mean(&shares))
}

/// The question at one rule; `beside` are shown with it.
pub(super) fn question(
    table: &HeatmapTable,
    panels: &BTreeMap<u64, &Panel>,
    method: &str,
    rule: GoodRule,
    beside: &[GoodRule],
    direction: Direction,
) -> Result<Question, Missing> {
    if panels.len() < 2 {
        return Err(Missing::BatchSizesOfHeatmap);
    }
    let overall = Quantity::ShareChange {
        method: method.into(),
        direction,
    };
    let piece = |rule: GoodRule, sample| Piece {
        quantity: overall.clone(),
        part: Some(Part::Level(Level {
            metric: table.value,
            rule,
        })),
        sample,
        condition: Condition::Above(0.0),
    };
    let (sample, share) = changes(table, panels, rule, direction);
    let mut remarks = Vec::new();
    let sides: BTreeSet<Side> = panels
        .values()
        .flat_map(|panel| &panel.regions)
        .filter(|region| region.rule == rule)
        .flat_map(|region| region.touches.iter().copied())
        .collect();
    if !sides.is_empty() {
        remarks.push(Remark::OfThisGrid {
            sides: sides.into_iter().collect(),
        });
    }
    if let Some(share) = share.filter(|share| !(0.1..=0.9).contains(share)) {
        remarks.push(Remark::LevelTellsLittle { share });
    }
    Ok(Question {
        pieces: vec![piece(rule, sample)],
        rule: Rule::Every,
        remarks,
        is_incomplete: false,
        beside: beside
            .iter()
            .map(|&other| piece(other, changes(table, panels, other, direction).0))
            .collect(),
        overall: Some(overall.clone()),
    })
}
