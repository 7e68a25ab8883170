//! Claim 5: good learning rates and dampings are positively correlated.
//!
//! At each batch size, for each seed: the least-squares slope of the band's centre (mean log learning
//! rate of a damping's good cells) over log damping. Supported (contradicted) if its interval over
//! seeds lies above (below) zero at every batch size.
//!
//! Only dampings below the median eigenvalue of the curvature count, where the runs recorded it: above
//! the curvature `(F + damping I)^-1` is nearly `I / damping`, K-FAC is SGD at learning rate / damping,
//! and the band rises with a slope of 1 in any case. Where it was not recorded a remark says so.

use std::collections::BTreeMap;

use super::judge::{Decision, positive_mean, unanimous};
use super::region::{common_seeds, of_seed};
use super::{Dampings, Missing, Part, Quantity, Reason, Remark};
use crate::Metric;
use crate::heatmap::{CellState, DampingLevel, GoodRule, Panel, region};
use crate::statistics::slope;

impl Dampings {
    fn counts(self, panel: &Panel, damping: f64) -> bool {
        let is_it = |level: &&DampingLevel| level.damping.total_cmp(&damping).is_eq();
        self != Self::BelowCurvature
            || panel
                .dampings
                .iter()
                .find(is_it)
                .is_some_and(DampingLevel::is_below_curvature)
    }
}

pub(super) fn decide(
    panels: &BTreeMap<u64, &Panel>,
    rule: GoodRule,
    metric: Metric,
    dampings: Dampings,
) -> Decision {
    let mut parts = Vec::new();
    for (batch, panel) in panels {
        let alone = BTreeMap::from([(*batch, *panel)]);
        let slopes: Vec<f64> = common_seeds(&alone)
            .into_iter()
            .filter_map(|seed| band_slope(panel, &of_seed(panel, seed), rule, metric, dampings))
            .collect();
        parts.extend(positive_mean(
            Quantity::BandSlope,
            Part::BatchSize(*batch),
            &slopes,
        ));
    }
    let below_curvature = dampings == Dampings::BelowCurvature;
    let mut remarks = Vec::new();
    let silent = panels.len() - parts.len();
    if silent > 0 && !parts.is_empty() {
        remarks.push(Remark::NoBand {
            batch_sizes: silent,
            below_curvature,
        });
    }
    remarks.push(curvature(panels, below_curvature));
    if parts.is_empty() {
        return Decision {
            remarks,
            ..Decision::without_data(Missing::Band { below_curvature })
        };
    }
    Decision {
        verdict: unanimous(parts.iter().map(|part| part.verdict)),
        reason: Reason::of_signs(&parts),
        remarks,
        parts,
    }
}

/// What a reader must know of dampings above the curvature.
fn curvature(panels: &BTreeMap<u64, &Panel>, left_out: bool) -> Remark {
    let levels = || panels.values().flat_map(|panel| &panel.dampings);
    match levels().count() {
        0 => Remark::NoCurvature,
        of => Remark::DampingsAboveCurvature {
            above: levels().filter(|level| !level.is_below_curvature()).count(),
            of,
            left_out,
        },
    }
}

/// Slope of the centre with damping along x over the dampings that count; `None` if the axes are others
/// or the band is one column.
fn band_slope(
    panel: &Panel,
    states: &[CellState],
    rule: GoodRule,
    metric: Metric,
    dampings: Dampings,
) -> Option<f64> {
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
        .filter(|point| dampings.counts(panel, point.x))
        .map(|point| (point.x.ln(), point.y.ln()))
        .collect();
    slope(&logs)
}
