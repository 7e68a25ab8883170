//! Claim 5: good learning rates and dampings are positively correlated.
//!
//! At each batch size, for each seed: the least-squares slope of the band's centre (mean log learning
//! rate of a damping's good cells) over log damping. Supported (contradicted) if its interval over
//! seeds lies above (below) zero at every batch size.
//!
//! Only dampings below the median eigenvalue of the curvature count, where the runs recorded it: above
//! the curvature `(F + damping I)^-1` is nearly `I / damping`, K-FAC is SGD at learning rate / damping,
//! and the band rises with a slope of 1 in any case. Where it was not recorded the reason says so.

use std::collections::BTreeMap;

use super::Unit;
use super::judge::{Decision, Wording, count, positive_mean, unanimous};
use super::region::{common_seeds, of_seed};
use crate::Metric;
use crate::heatmap::{CellState, DampingLevel, GoodRule, Panel, region};
use crate::statistics::slope;

/// Which dampings count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dampings {
    BelowCurvature,
    All,
}

impl Dampings {
    fn counts(self, panel: &Panel, damping: f64) -> bool {
        let is_it = |level: &&DampingLevel| level.damping.total_cmp(&damping).is_eq();
        self == Self::All
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
        let name = "slope of the good band, log learning rate over log damping";
        parts.extend(positive_mean(
            name,
            Some(format!("batch size {batch}")),
            Unit::Plain,
            &slopes,
        ));
    }
    let remark = remark(panels, dampings);
    if parts.is_empty() {
        return Decision::without_data(format!(
            "No heatmap of K-FAC over damping and learning rate has good cells at two dampings or more{}.{remark}",
            match dampings {
                Dampings::BelowCurvature => " that count",
                Dampings::All => "",
            }
        ));
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
            "{reason} {} left out: the good cells lie at fewer than two dampings{}.",
            count(silent, "batch size"),
            match dampings {
                Dampings::BelowCurvature => " that count",
                Dampings::All => "",
            }
        );
    }
    reason.push_str(&remark);
    Decision {
        verdict,
        reason,
        parts,
    }
}

/// What a reader must know of dampings above the curvature.
fn remark(panels: &BTreeMap<u64, &Panel>, dampings: Dampings) -> String {
    const BUILT_IN: &str = "K-FAC is SGD with learning rate / damping and the band rises with a slope of 1 in any case";
    let levels = || panels.values().flat_map(|panel| &panel.dampings);
    if levels().next().is_none() {
        return format!(
            " Where the damping exceeds the curvature, {BUILT_IN}; these runs recorded no curvature, so such dampings are not told apart here."
        );
    }
    let above = levels().filter(|level| !level.is_below_curvature()).count();
    let all = levels().count();
    match (dampings, above) {
        (_, 0) => format!(
            " All {} lie below the median curvature eigenvalue of their runs.",
            count(all, "damping level")
        ),
        (Dampings::BelowCurvature, _) => format!(
            " Left out: {above} of {} (each damping at each batch size) at or above the median curvature eigenvalue of their runs, where {BUILT_IN}.",
            count(all, "damping level")
        ),
        (Dampings::All, _) => format!(
            " {above} of {} lie at or above the median curvature eigenvalue of their runs, where {BUILT_IN}.",
            count(all, "damping level")
        ),
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
