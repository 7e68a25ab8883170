//! Winners, what they reach when confirmed, and their curves.

use std::collections::BTreeMap;

use analysis::report::{LearningCurve, LossBucket, Performance, Role};
use analysis::select::{By, Candidate, Edge, ExpectedBest, Score, Winner, WinnersTable};
use analysis::{Evaluation, Metric, Moment, Outcome};
use serde_json::{Value, json};

use super::{Study, around, steps_to, unit};

impl Study {
    pub(super) fn winners_table(&self) -> WinnersTable {
        let mut winners = Vec::new();
        for (m, method) in self.methods.iter().enumerate() {
            for (b, &batch) in self.batches.iter().enumerate() {
                let rates = self.y_values(m);
                let at = b.min(self.grid - 1);
                let parameters = BTreeMap::from([
                    ("learning_rate".to_string(), json!(rates[at])),
                    (
                        format!("optimizer.{method}.{}", self.second(m)),
                        json!(self.x_values(m)[self.grid / 2]),
                    ),
                ]);
                winners.push(Winner {
                    entry: format!("{method}/{batch}"),
                    group: BTreeMap::from([
                        ("batch_size".into(), json!(batch)),
                        ("method".into(), json!(method)),
                    ]),
                    method: method.clone(),
                    batch_size: batch,
                    stage: self.stage(method),
                    settings: json!({}),
                    parameters: parameters.clone(),
                    score: Score::Value(0.951 - 0.002 * b as f64),
                    seeds: vec![0, 1, 2],
                    on_grid_edge: if at + 1 == self.grid {
                        BTreeMap::from([("learning_rate".into(), Edge::High)])
                    } else {
                        BTreeMap::new()
                    },
                    stability: Some(0.85 - 0.1 * b as f64),
                    fell_back: usize::from(at == 1),
                    runner_up: Some(Candidate {
                        parameters,
                        score: Score::Value(0.949 - 0.002 * b as f64),
                    }),
                    candidates: self.grid * self.grid,
                    diverged: 2 - m.min(2),
                    expected_best: [1_usize, 2, 4, 8, 16]
                        .iter()
                        .map(|&trials| ExpectedBest {
                            trials,
                            value: 0.95
                                - 0.3 * (1.0 + 0.4 * b as f64) / (trials as f64 + 1.0 + m as f64),
                        })
                        .collect(),
                });
            }
        }
        WinnersTable {
            by: By::Metric(Metric::ValidationAccuracy),
            at: Moment::End,
            per: vec!["method".into(), "batch_size".into()],
            winners,
        }
    }

    pub(super) fn performance(&self) -> Vec<Performance> {
        let curves = self.curves();
        let mut rows = Vec::new();
        for method in &self.methods {
            for &batch in &self.batches {
                let (diverged, ended): (Vec<_>, Vec<_>) = curves
                    .iter()
                    .filter(|c| c.method == *method && c.batch_size == batch)
                    .partition(|c| matches!(c.outcome, Outcome::Diverged { .. }));
                let mean = |metric: Metric| {
                    let values: Vec<f64> = ended
                        .iter()
                        .filter_map(|c| metric.of(c.evaluations.last()?))
                        .collect();
                    let mean = values.iter().sum::<f64>() / values.len() as f64;
                    let spread = values.iter().map(|v| (v - mean).abs()).fold(0.0, f64::max);
                    (!values.is_empty()).then(|| (metric, around(mean, spread / mean)))
                };
                rows.push(Performance {
                    winners: self.stage("winners"),
                    entry: format!("{method}/{batch}"),
                    method: method.clone(),
                    batch_size: batch,
                    seeds: ended.len(),
                    diverged: diverged.len(),
                    metrics: [Metric::TestAccuracy, Metric::TrainLoss]
                        .into_iter()
                        .filter_map(mean)
                        .collect(),
                });
            }
        }
        rows
    }

    pub(super) fn curves(&self) -> Vec<LearningCurve> {
        let mut curves = Vec::new();
        for (m, method) in self.methods.iter().enumerate() {
            for (b, &batch) in self.batches.iter().enumerate() {
                for seed in 0..self.seeds {
                    let end = self.examples * (14 + 7 * b as u64) / batch.min(self.examples);
                    let (s_min, e_min) = Self::law(m);
                    let pace = (s_min + e_min / batch as f64) / 3.0;
                    let loss = |step: u64| 2.3 / (1.0 + (step as f64 / pace).powf(1.9)) + 0.002;
                    let steps = steps_to(end);
                    let diverged = m == 0 && b == 0 && seed == 3;
                    let per_bucket = end.div_ceil(240).max(1);
                    curves.push(LearningCurve {
                        label: format!(
                            "{}confirmed/batch_size={batch},method={method},seed={}",
                            self.setup,
                            100 + seed
                        ),
                        stage: self.stage("confirmed"),
                        method: method.clone(),
                        batch_size: batch,
                        seed: 100 + seed,
                        role: Role::Confirmed,
                        winners: vec![self.stage("winners")],
                        outcome: if diverged {
                            Outcome::Diverged { step: 40 }
                        } else {
                            Outcome::Finished
                        },
                        loss: (0..end)
                            .step_by(per_bucket as usize)
                            .map(|from| {
                                let to = (from + per_bucket).min(end);
                                let wide = 0.9 * unit(m as u64, batch, from, seed);
                                LossBucket {
                                    from: from + 1,
                                    to,
                                    low: Some((loss(from) * (0.7 - 0.5 * wide)) as f32),
                                    high: Some((loss(from) * (1.1 + wide)) as f32),
                                }
                            })
                            .collect(),
                        steps_per_bucket: per_bucket,
                        rate_drops: if m == 1 && b == 0 {
                            vec![end * 4 / 5]
                        } else {
                            vec![]
                        },
                        steps_per_epoch: self.examples / batch.min(self.examples),
                        evaluations: steps
                            .iter()
                            .filter(|s| !diverged || **s < 40)
                            .map(|&step| {
                                let wobble = 1.0 + 0.08 * (unit(m as u64, batch, step, seed) - 0.5);
                                let l = loss(step) * wobble;
                                Evaluation {
                                    step,
                                    examples: step * batch,
                                    train_loss: Some(l),
                                    train_accuracy: Some(1.0 - l / 2.6),
                                    validation_loss: Some(l + 0.1),
                                    validation_accuracy: Some(0.955 - l / 2.7 - 0.002 * b as f64),
                                    test_loss: Some(l + 0.12),
                                    test_accuracy: Some(
                                        0.957 - l / 2.7 - 0.003 * b as f64 + 0.006 * (wobble - 1.0),
                                    ),
                                }
                            })
                            .collect(),
                    });
                }
            }
        }
        curves
    }
}
