//! Steps to target in seconds: steps that cost more may still be the slower way.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::TargetsTable;
use crate::Target;

/// What training of one method at one batch size took, all its runs together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// Optimiser.
    pub method: String,
    /// Examples in a batch.
    pub batch_size: u64,
    /// Updates.
    pub steps: u64,
    /// Wall-clock time, evaluations included, seconds.
    pub seconds: f64,
}

/// The seconds that the median seed's steps to a target take at the recorded pace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimeToTarget {
    /// Stage.
    pub stage: String,
    /// Optimiser.
    pub method: String,
    /// Examples in a batch.
    pub batch_size: u64,
    /// Target.
    pub target: Target,
    /// Seconds for a step.
    pub seconds_per_step: f64,
    /// Seconds to the last miss; with `by` the interval that the crossing lies in.
    pub after: f64,
    /// Seconds to the first hit.
    pub by: f64,
    /// Seconds at the smallest batch size over seconds here, between the middles of the intervals.
    pub speed_up: Option<f64>,
}

/// The times of every summary whose median seed reached its target and whose pace is known. No part of
/// a cached table: paces differ between machines, while steps do not.
pub fn times_to_target(table: &TargetsTable, paces: &[Pace]) -> Vec<TimeToTarget> {
    let per_step: BTreeMap<(&str, u64), f64> = paces
        .iter()
        .filter(|pace| pace.steps > 0)
        .map(|pace| {
            let place = (pace.method.as_str(), pace.batch_size);
            (place, pace.seconds / pace.steps as f64)
        })
        .collect();
    let mut first: BTreeMap<(&str, &str, String), f64> = BTreeMap::new();
    let mut times = Vec::new();
    for row in &table.summaries {
        let pace = per_step.get(&(row.method.as_str(), row.batch_size));
        let (Some(&seconds_per_step), Some(median)) = (pace, row.median) else {
            continue;
        };
        let middle = median.middle() * seconds_per_step;
        let base = *first
            .entry((&row.stage, &row.method, row.target.to_string()))
            .or_insert(middle);
        times.push(TimeToTarget {
            stage: row.stage.clone(),
            method: row.method.clone(),
            batch_size: row.batch_size,
            target: row.target,
            seconds_per_step,
            after: median.after as f64 * seconds_per_step,
            by: median.by as f64 * seconds_per_step,
            speed_up: (middle > 0.0).then(|| base / middle),
        });
    }
    times
}
