//! Claim 5: good learning rates and dampings are positively correlated.
//!
//! At each batch size, for each seed: the least-squares slope of the band's centre (mean log learning
//! rate of a damping's good cells) over log damping. Supported (contradicted) if its interval over
//! seeds lies above (below) zero at every batch size. Above the curvature's largest eigenvalues K-FAC is
//! SGD at learning rate / damping and a slope of 1 is built in; where that begins is not in the tables.

use std::collections::BTreeMap;

use super::judge::{Decision, positive_mean, reason_by_sign, unanimous};
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
        let name = "slope of the band's centre, log learning rate over log damping";
        parts.extend(positive_mean(
            name,
            Some(format!("batch size {batch}")),
            &slopes,
        ));
    }
    if parts.is_empty() {
        return Decision::without_data(
            "No heatmap of K-FAC over damping and learning rate has good cells at two dampings or more.",
        );
    }
    let verdict = unanimous(parts.iter().map(|part| part.verdict));
    let mut reason = reason_by_sign(
        &parts,
        verdict,
        "good learning rates rise with the damping",
        "good learning rates fall as the damping rises",
    );
    let silent = panels.len() - parts.len();
    if silent > 0 {
        reason = format!("{reason} {silent} batch sizes have no band to speak of.");
    }
    reason.push_str(" At dampings above the curvature a slope of 1 is built in, and they are not told apart here.");
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
