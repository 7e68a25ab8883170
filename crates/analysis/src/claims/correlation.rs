//! Whether good learning rates and dampings are positively correlated.
//!
//! At each batch size, for each seed: the least-squares slope of the band's centre (mean log learning rate of a
//! damping's good cells) over log damping.
//!
//! Only dampings below the median eigenvalue of the curvature count, where the runs recorded it: above the curvature
//! `(F + damping I)^-1` is nearly `I / damping`, K-FAC is SGD at learning rate / damping, and the band rises with a
//! slope of 1 in any case. Where it was not recorded a remark says so.

use std::collections::BTreeMap;

use super::judge::{Condition, Piece, Question, Rule};
use super::region::{common_seeds, of_seed};
use super::sample::Sample;
use super::{Dampings, Missing, Part, Quantity, Remark};
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

/// The question, or what is missing for one with what to know beside it.
pub(super) fn question(
    panels: &BTreeMap<u64, &Panel>,
    rule: GoodRule,
    metric: Metric,
    dampings: Dampings,
) -> Result<Question, (Missing, Vec<Remark>)> {
    let mut pieces = Vec::new();
    let (mut without, mut of) = (0, 0);
    for (batch, panel) in panels {
        let slope = |seed| {
            let slope = band_slope(panel, &of_seed(panel, seed), rule, metric, dampings)?;
            Some((seed, slope))
        };
        let seeds = common_seeds([*panel]);
        let all = seeds.len();
        let sample = Sample::of_values(seeds.into_iter().filter_map(slope));
        if sample.0.is_empty() {
            continue;
        }
        without += all - sample.0.len();
        of += all;
        pieces.push(Piece {
            quantity: Quantity::BandSlope,
            part: Some(Part::BatchSize(*batch)),
            sample,
            condition: Condition::Above(0.0),
        });
    }
    let below_curvature = dampings == Dampings::BelowCurvature;
    let mut remarks = Vec::new();
    let silent = panels.len() - pieces.len();
    if silent > 0 && !pieces.is_empty() {
        remarks.push(Remark::NoBand {
            batch_sizes: silent,
            below_curvature,
        });
    }
    if without > 0 {
        remarks.push(Remark::SeedsWithoutBand {
            seeds: without,
            of,
            below_curvature,
        });
    }
    remarks.push(curvature(panels, below_curvature));
    if pieces.is_empty() {
        return Err((Missing::Band { below_curvature }, remarks));
    }
    Ok(Question {
        pieces,
        rule: Rule::Every,
        overall: Some(Quantity::BandSlope),
        remarks,
        beside: Vec::new(),
        is_incomplete: false,
    })
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
