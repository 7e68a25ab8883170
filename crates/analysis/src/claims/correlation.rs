//! Claim 5: good learning rates and dampings are positively correlated.
//!
//! At each batch size, for each seed: the least-squares slope of the band's centre (mean log learning
//! rate of a damping's good cells) over log damping. Supported (contradicted) if its interval over
//! seeds lies above (below) zero at every batch size. Above the curvature's largest eigenvalues K-FAC is
//! SGD at learning rate / damping and a slope of 1 is built in; where that begins is not in the tables.

use std::collections::BTreeMap;

use super::Unit;
use super::judge::{Decision, Wording, count, positive_mean, unanimous};
use super::region::{common_seeds, of_seed};
use crate::Metric;
use crate::heatmap::{CellState, GoodRule, Panel, region};
use crate::statistics::slope;

pub(super) fn decide(panels: &BTreeMap<u64, &Panel>, rule: GoodRule, metric: Metric) -> Decision {
    let mut parts = Vec::new();
    for (batch, panel) in panels {
        let alone = BTreeMap::from([(*batch, *panel)]);
        let slopes: Vec<f64> = common_seeds(&alone)
            .into_iter()
            .filter_map(|seed| band_slope(panel, &of_seed(panel, seed), rule, metric))
            .collect();
        let name = "slope of the good band, log learning rate over log damping";
        parts.extend(positive_mean(
            name,
            Some(format!("batch size {batch}")),
            Unit::Plain,
            &slopes,
        ));
    }
    if parts.is_empty() {
        return Decision::without_data(
            "No heatmap of K-FAC over damping and learning rate has good cells at two dampings or more.",
        );
    }
    let verdict = unanimous(parts.iter().map(|part| part.verdict));
    let wording = Wording {
        positive: "good learning rates rise with the damping",
        negative: "good learning rates fall as the damping rises",
        each: "batch size",
    };
    let mut reason = wording.reason(&parts, verdict);
    let silent = panels.len() - parts.len();
    if silent > 0 {
        reason = format!(
            "{reason} {} left out: the good cells lie at fewer than two dampings.",
            count(silent, "batch size")
        );
    }
    reason.push_str(
        " Where the damping exceeds the curvature, K-FAC is SGD with learning rate / damping and rises with a slope of 1 in any case; such dampings are not told apart here.",
    );
    Decision {
        verdict,
        reason,
        parts,
    }
}

/// Slope of the centre with damping along x; `None` if the axes are others or the band is one column.
fn band_slope(panel: &Panel, states: &[CellState], rule: GoodRule, metric: Metric) -> Option<f64> {
    let (columns, rows) = (panel.x_values.len(), panel.y_values.len());
    let region = match (panel.x.as_str(), panel.y.as_str()) {
        ("damping", "learning_rate") => region::good(
            rule,
            states,
            &region::Shape {
                x: &panel.x_values,
                y: &panel.y_values,
            },
            metric,
        ),
        ("learning_rate", "damping") => {
            let turned: Vec<CellState> = (0..columns * rows)
                .map(|i| states[(i % rows) * columns + i / rows])
                .collect();
            region::good(
                rule,
                &turned,
                &region::Shape {
                    x: &panel.y_values,
                    y: &panel.x_values,
                },
                metric,
            )
        }
        _ => return None,
    };
    let logs: Vec<(f64, f64)> = region
        .centre
        .iter()
        .map(|point| (point.x.ln(), point.y.ln()))
        .collect();
    slope(&logs)
}
