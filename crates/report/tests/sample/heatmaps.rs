//! Heatmaps of good regions.

use std::collections::BTreeMap;

use analysis::heatmap::{
    Cell, CellState, Good, GoodRegion, GoodRule, HeatmapTable, Panel, SeedCell, Side,
};
use analysis::{Metric, Moment};
use serde_json::Value;

use super::Study;

impl Study {
    pub(super) fn heatmap_table(&self) -> HeatmapTable {
        let mut panels = Vec::new();
        for (at, step) in [
            (Moment::Epochs(12.0), None),
            (Moment::Iterations(60), Some(60)),
        ] {
            for (m, method) in self.methods.iter().enumerate() {
                for (b, &batch) in self.batches.iter().enumerate() {
                    panels.push(self.panel(m, method, b, batch, at, step));
                }
            }
        }
        HeatmapTable {
            value: Metric::TestAccuracy,
            good: Good {
                at_least: Some(0.9),
                within: Some(0.02),
            },
            panels,
            courses: self.courses(),
        }
    }

    pub(super) fn panel(
        &self,
        m: usize,
        method: &str,
        b: usize,
        batch: u64,
        at: Moment,
        step: Option<u64>,
    ) -> Panel {
        let (xs, ys) = (self.x_values(m), self.y_values(m));
        let shrink = if step.is_some() {
            (4.0 - b as f64 * 0.5).max(0.8)
        } else {
            (1.6 + b as f64 * 0.45).min(5.0)
        };
        let mut cells = Vec::new();
        for (j, y) in ys.iter().enumerate() {
            for (i, x) in xs.iter().enumerate() {
                let away = (j as f64 - i as f64 * 0.8 - 0.4).powi(2) * 0.9
                    + (i as f64 - 1.6).powi(2) * 0.35;
                let mean = (0.957 - 0.011 * away * shrink).max(0.1);
                let state = if j >= 3 && i == 0 && m == 0 {
                    CellState::Diverged {
                        diverged: 2,
                        seeds: 3,
                    }
                } else if m == 1 && b == 1 && i == 3 && j == 0 {
                    CellState::Missing
                } else if m == 1 && b == 2 && i == 3 && j == 0 {
                    CellState::NotEvaluated
                } else if m == 1 && b == 3 && i == 3 && j == 0 {
                    CellState::StoppedEarly { step: 31 }
                } else {
                    CellState::Value { mean, seeds: 3 }
                };
                cells.push(Cell {
                    x: *x,
                    y: *y,
                    state,
                    seeds: (0..3)
                        .map(|seed| SeedCell {
                            seed,
                            state: match state {
                                CellState::Value { mean, .. } => CellState::Value {
                                    mean: mean - 0.002 + 0.002 * seed as f64,
                                    seeds: 1,
                                },
                                other => other,
                            },
                        })
                        .collect(),
                    runs: (0..3)
                        .map(|seed| self.label(m, batch, *x, *y, seed))
                        .collect(),
                });
            }
        }
        let value = |cell: &Cell| match cell.state {
            CellState::Value { mean, .. } => Some(mean),
            _ => None,
        };
        let best = (0..cells.len())
            .filter(|i| value(&cells[*i]).is_some())
            .max_by(|a, b| {
                value(&cells[*a])
                    .partial_cmp(&value(&cells[*b]))
                    .expect("no NaN")
            });
        let top = best.and_then(|i| value(&cells[i])).unwrap_or(0.0);
        let region = |rule, level: f64| {
            let good: Vec<bool> = cells
                .iter()
                .map(|c| value(c).is_some_and(|v| v >= level))
                .collect();
            let known = cells
                .iter()
                .filter(|c| {
                    matches!(
                        c.state,
                        CellState::Value { .. } | CellState::Diverged { .. }
                    )
                })
                .count();
            let n = self.grid;
            let mut touches = Vec::new();
            for (side, on) in [
                (Side::Left, (0..n).any(|j| good[j * n])),
                (Side::Right, (0..n).any(|j| good[j * n + n - 1])),
                (Side::Bottom, (0..n).any(|i| good[i])),
                (Side::Top, (0..n).any(|i| good[(n - 1) * n + i])),
            ] {
                if on {
                    touches.push(side);
                }
            }
            let share = good.iter().filter(|g| **g).count() as f64 / known.max(1) as f64;
            GoodRegion {
                rule,
                level: Some(level),
                good,
                known,
                share: Some(share),
                touches,
                centre: vec![],
                slope: Some(0.81),
            }
        };
        let regions = vec![
            region(GoodRule::AtLeast(0.9), 0.9),
            region(GoodRule::Within(0.02), top - 0.02),
        ];
        Panel {
            stage: self.stage(method),
            method: method.into(),
            batch_size: batch,
            others: BTreeMap::new(),
            at,
            step: step.or(Some(12 * 1280 / batch.min(1280))),
            x: self.second(m).into(),
            y: "learning_rate".into(),
            x_values: xs,
            y_values: ys,
            cells,
            best,
            dampings: self.dampings(m),
            regions,
        }
    }
}
