//! What a made-up study measured beside its losses: courses of the good region, gradient noise, curvature,
//! the control.

use std::collections::BTreeMap;

use analysis::Metric;
use analysis::control::DampingControl;
use analysis::heatmap::{DampingLevel, GoodRule, ShareCourse, SharePoint, Side};
use analysis::noise::{
    NoiseAtTarget, NoiseComparison, NoiseCourse, NoisePoint, NoiseScale, NoiseUnit,
};
use analysis::targets::Bounded;

use super::{Study, around, steps_to};

impl Study {
    pub(super) fn courses(&self) -> Vec<ShareCourse> {
        let mut courses = Vec::new();
        for (m, method) in self.methods.iter().enumerate() {
            for (b, &batch) in self.batches.iter().enumerate() {
                for rule in [GoodRule::AtLeast(0.9), GoodRule::Within(0.02)] {
                    let steps_per_epoch = self.examples / batch.min(self.examples);
                    let points = steps_to(12 * steps_per_epoch)
                        .into_iter()
                        .skip(3)
                        .map(|step| {
                            let share =
                                0.8 - 0.6 / (1.0 + step as f64 / (40.0 + 10.0 * (b + m) as f64));
                            SharePoint {
                                step,
                                share,
                                good: (share * 16.0) as usize,
                                known: 16,
                                diverged: 2,
                                touches: if share > 0.6 { vec![Side::Top] } else { vec![] },
                                seeds: vec![share - 0.05, share, share + 0.05],
                            }
                        });
                    courses.push(ShareCourse {
                        stage: self.stage(method),
                        method: method.clone(),
                        batch_size: batch,
                        others: BTreeMap::new(),
                        rule,
                        steps_per_epoch,
                        first_drop: (b == 0).then_some(6 * steps_per_epoch),
                        points: points.collect(),
                        left_out: 0,
                    });
                }
            }
        }
        courses
    }

    pub(super) fn noise(&self) -> Vec<NoiseComparison> {
        if !self.methods.contains(&"sgd".to_owned()) {
            return vec![];
        }
        let comparison = |t: usize| NoiseComparison {
            targets: self.stage("targets"),
            stage: self.stage("confirmed"),
            method: "sgd".into(),
            target: Self::target(t),
            critical_batch: Some(if t == 1 {
                Bounded::Estimate(around(226.0, 0.25))
            } else {
                Bounded::AtLeast { low: 140.0 }
            }),
            window: 0.5,
            at_target: self
                .batches
                .iter()
                .enumerate()
                .map(|(b, &batch_size)| NoiseAtTarget {
                    batch_size,
                    runs: 5,
                    scale: scale(180.0 + 30.0 * b as f64, b),
                })
                .collect(),
        };
        (1..self.targets).map(comparison).collect()
    }

    pub(super) fn noise_courses(&self) -> Vec<NoiseCourse> {
        if !self.methods.contains(&"sgd".to_owned()) {
            return vec![];
        }
        let course = |(b, &batch_size): (usize, &u64)| NoiseCourse {
            stage: self.stage("confirmed"),
            method: "sgd".into(),
            batch_size,
            runs: 5,
            points: (0..8)
                .map(|k| NoisePoint {
                    from: 1 << k,
                    to: (2 << k) - 1,
                    scale: scale(20.0 * 1.6_f64.powi(k) * (1.0 + 0.1 * b as f64), b + 1),
                })
                .collect(),
        };
        self.batches.iter().enumerate().map(course).collect()
    }

    pub(super) fn controls(&self) -> Vec<DampingControl> {
        if self.methods != ["kfac", "sgd"] {
            return vec![];
        }
        let control = |(b, &batch_size): (usize, &u64)| DampingControl {
            kfac_stage: self.stage("kfac"),
            sgd_stage: self.stage("sgd"),
            batch_size,
            damping: 1.0,
            learning_rate: 0.1,
            sgd_rate: 0.1,
            largest_curvature: (b > 0).then_some(0.04 * (b * b) as f64),
            is_large: (b > 0).then_some(b < 2),
            seeds: 5,
            both_diverged: 0,
            one_diverged: 0,
            differences: BTreeMap::from([
                (Metric::TrainLoss, around(-0.0004, 3.0)),
                (
                    Metric::TestAccuracy,
                    around(0.001, if b == 1 { 0.5 } else { 2.0 }),
                ),
            ]),
        };
        self.batches.iter().enumerate().map(control).collect()
    }

    /// The dampings of K-FAC's grid; those from 0.009 on exceed most of the curvature.
    pub(super) fn dampings(&self, m: usize) -> Vec<DampingLevel> {
        if self.second(m) != "damping" {
            return vec![];
        }
        let level = |damping: f64| DampingLevel {
            damping,
            median: 0.005,
            largest: 3.0,
            runs: 12,
        };
        self.x_values(m).into_iter().map(level).collect()
    }
}

fn scale(value: f64, place: usize) -> NoiseScale {
    NoiseScale {
        trace: value * 0.3,
        gradient: 0.3,
        value: Some(value),
        bounded: if place == 0 {
            Bounded::AtLeast { low: value / 2.0 }
        } else {
            Bounded::Estimate(around(value, 0.2))
        },
        unit: NoiseUnit::Seeds,
        units: 5,
        measurements: 40,
    }
}
