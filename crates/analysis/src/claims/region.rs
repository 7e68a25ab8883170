//! Claims 3 and 4: how the share of good cells of K-FAC's heatmaps changes with the batch size.
//!
//! For each seed the least-squares slope of the share over log2 batch size, at a level; positive means
//! growth. The sign must hold at every level at which the share, averaged over seeds and batch sizes,
//! lies between 10 and 90 %: the declared level, and nine quantiles of all cells (a diverged cell is
//! below any level).

use std::collections::{BTreeMap, BTreeSet};

use super::judge::{Decision, positive_mean, unanimous};
use super::{Direction, KFAC, Level, Missing, Part, Quantity, Reason, Statistic};
use crate::Moment;
use crate::heatmap::cell::of_seed as of_seed_in;
use crate::heatmap::{CellState, GoodRule, HeatmapTable, Panel, region};
use crate::statistics::{mean, slope};

/// One seed's cells at a batch size: log2 of it, the panel, the cells' states.
type SeedPanel<'a> = (f64, &'a Panel, Vec<CellState>);

/// By batch size, K-FAC's panels at a slice: those of the first stage that has them at two or more.
pub(super) fn panels(table: &HeatmapTable, at: Moment) -> BTreeMap<u64, &Panel> {
    let mut stages: BTreeMap<(&str, String), BTreeMap<u64, &Panel>> = BTreeMap::new();
    for panel in table
        .panels
        .iter()
        .filter(|panel| panel.at == at && panel.method == KFAC)
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
pub(super) fn common_seeds(panels: &BTreeMap<u64, &Panel>) -> BTreeSet<u64> {
    let seeds = |panel: &Panel| -> BTreeSet<u64> {
        panel
            .cells
            .iter()
            .flat_map(|cell| &cell.seeds)
            .map(|part| part.seed)
            .collect()
    };
    panels
        .values()
        .map(|panel| seeds(panel))
        .reduce(|a, b| &a & &b)
        .unwrap_or_default()
}

/// A rule's statistic, and whether its share is neither almost nothing nor almost all.
pub(super) struct ByRule {
    pub(super) level: Level,
    pub(super) is_informative: bool,
    pub(super) statistic: Statistic,
}

/// The statistics of all rules: the declared ones first, then the quantiles from the easiest.
pub(super) fn by_rule(
    table: &HeatmapTable,
    panels: &BTreeMap<u64, &Panel>,
    direction: Direction,
) -> Vec<ByRule> {
    let seeds = common_seeds(panels);
    let states: BTreeMap<u64, Vec<SeedPanel<'_>>> = seeds
        .iter()
        .map(|&seed| {
            let of_batch = |(batch, panel): (&u64, &&'_ Panel)| {
                ((*batch as f64).log2(), *batch, of_seed(panel, seed))
            };
            let rows = panels
                .iter()
                .map(of_batch)
                .map(|(log, batch, states)| (log, panels[&batch], states));
            (seed, rows.collect())
        })
        .collect();
    let all: Vec<&CellState> = states
        .values()
        .flatten()
        .flat_map(|(_, _, states)| states)
        .collect();
    rules(table, &all)
        .into_iter()
        .filter_map(|rule| {
            let mut slopes = Vec::new();
            let mut shares = Vec::new();
            for panels in states.values() {
                let points: Option<Vec<(f64, f64)>> = panels
                    .iter()
                    .map(|(log, panel, states)| {
                        let shape = region::Shape {
                            x: &panel.x_values,
                            y: &panel.y_values,
                        };
                        Some((*log, region::good(rule, states, &shape, table.value).share?))
                    })
                    .collect();
                // A seed of which some batch size knows nothing has no slope.
                let Some(points) = points else { continue };
                shares.extend(points.iter().map(|point| point.1));
                slopes.extend(slope(&points));
            }
            let sign = match direction {
                Direction::Shrinks => -1.0,
                Direction::Grows => 1.0,
            };
            let signed: Vec<f64> = slopes.iter().map(|slope| sign * slope).collect();
            let level = Level {
                metric: table.value,
                rule,
            };
            let statistic = positive_mean(
                Quantity::ShareChange { direction },
                Part::Level(level),
                &signed,
            )?;
            let share = mean(&shares)?;
            Some(ByRule {
                level,
                is_informative: (0.1..=0.9).contains(&share),
                statistic,
            })
        })
        .collect()
}

fn rules(table: &HeatmapTable, cells: &[&CellState]) -> Vec<GoodRule> {
    let mut rules = GoodRule::of(table.good);
    // Diverged cells first: below any level.
    let mut known: Vec<Option<f64>> = cells
        .iter()
        .filter_map(|cell| match cell {
            CellState::Value { mean, .. } => Some(Some(*mean)),
            CellState::Diverged { .. } => Some(None),
            _ => None,
        })
        .collect();
    known.sort_by(|a, b| {
        let goodness = |value: &Option<f64>| {
            value.map_or(f64::NEG_INFINITY, |value| table.value.goodness(value))
        };
        goodness(a).total_cmp(&goodness(b))
    });
    for tenth in 1..10 {
        let Some(Some(level)) = known.get(known.len() * tenth / 10) else {
            continue;
        };
        if !rules.contains(&GoodRule::AtLeast(*level)) {
            rules.push(GoodRule::AtLeast(*level));
        }
    }
    rules
}

/// The decision over all informative levels. The rule "within a distance of the best" moves with the
/// batch size's best cell and is shown only.
pub(super) fn decide(rules: &[ByRule]) -> Decision {
    let parts: Vec<Statistic> = rules
        .iter()
        .filter(|by| by.is_informative && matches!(by.level.rule, GoodRule::AtLeast(_)))
        .map(|by| by.statistic.clone())
        .collect();
    if parts.is_empty() {
        return Decision::without_data(Missing::TellingLevel);
    }
    Decision {
        verdict: unanimous(parts.iter().map(|part| part.verdict)),
        reason: Reason::of_signs(&parts),
        remarks: Vec::new(),
        parts,
    }
}
