//! A made-up study with the shape of a real one: two methods whose steps follow
//! `S_min + E_min / B`, good regions that shrink or grow, some runs that diverge.

#![allow(dead_code, unused_imports)] // The example and each test use a part.

mod claims;
pub(crate) mod edges;
mod evidence;
mod heatmaps;
mod provenance;
mod targets;
mod winners;

use std::collections::BTreeMap;

use analysis::report::{FORMAT, Named, ReportTable, RunRow, StageSettings, sketch};
use analysis::targets::Steps;
use analysis::{Estimate, Evaluation, Interval, Metric, Outcome, Target, Updates};
use serde_json::{Value, json};

use self::claims::claims;
pub(crate) use self::provenance::{provenance, provenance_of};

/// What the study is like.
pub(crate) struct Study {
    pub(crate) methods: Vec<String>,
    pub(crate) batches: Vec<u64>,
    pub(crate) seeds: u64,
    pub(crate) targets: usize,
    pub(crate) grid: usize,
    /// Before the names of all stages.
    pub(crate) setup: &'static str,
    /// In the training set.
    pub(crate) examples: u64,
}

impl Study {
    /// The shape of a published study: eight batch sizes from 128 to 16384,
    /// 8 x 8 grids, three seeds.
    pub(crate) fn paper() -> Self {
        Study {
            batches: (7..=14).map(|power| 1 << power).collect(),
            seeds: 3,
            grid: 8,
            ..Study::quick()
        }
    }

    /// Two methods, five batch sizes, 4 x 4 grids, five seeds.
    pub(crate) fn quick() -> Self {
        Study {
            methods: vec!["kfac".into(), "sgd".into()],
            batches: vec![16, 32, 64, 128, 256],
            seeds: 5,
            targets: 3,
            grid: 4,
            setup: "",
            examples: 1280,
        }
    }

    /// 9,216 runs: three setups of the published study's shape, three tuning seeds a configuration.
    pub(crate) fn large(targets: usize) -> ReportTable {
        let tables =
            [("resnet20-", 1.0), ("resnet32-", 0.99), ("alexnet-", 0.98)].map(|(setup, harder)| {
                let study = Study {
                    setup,
                    examples: 50_000,
                    targets,
                    ..Study::paper()
                };
                let mut table = study.table();
                // No setup trains as another does.
                for evaluation in table
                    .curves
                    .iter_mut()
                    .flat_map(|curve| &mut curve.evaluations)
                {
                    evaluation.train_loss = evaluation.train_loss.map(|loss| loss / harder);
                    evaluation.test_accuracy = evaluation.test_accuracy.map(|share| share * harder);
                }
                table
            });
        let [mut all, others @ ..] = tables;
        for table in others {
            all.targets.extend(table.targets);
            all.winners.extend(table.winners);
            all.performance.extend(table.performance);
            all.heatmaps.extend(table.heatmaps);
            all.curves.extend(table.curves);
            all.stages.extend(table.stages);
            all.runs.extend(table.runs);
            all.noise.extend(table.noise);
            all.noise_courses.extend(table.noise_courses);
            all.controls.extend(table.controls);
        }
        all
    }

    fn stage(&self, name: &str) -> String {
        format!("{}{name}", self.setup)
    }

    /// The name of a run's input, as the study file's expansion makes it.
    fn label(&self, m: usize, batch: u64, x: f64, y: f64, seed: u64) -> String {
        let method = &self.methods[m];
        format!(
            "{}{method}/batch_size={batch},{}={x},learning_rate={y},seed={seed}",
            self.setup,
            self.second(m)
        )
    }

    fn law(method: usize) -> (f64, f64) {
        [(14.0, 2300.0), (27.0, 6100.0)][method % 2]
    }

    /// Steps to the easiest target, with noise by seed.
    fn steps(method: usize, batch: u64, target: usize, seed: u64) -> u64 {
        let (s_min, e_min) = Self::law(method);
        let noise = 1.0 + 0.12 * (unit(method as u64, batch, target as u64, seed) - 0.5);
        ((s_min + e_min / batch as f64) * (1.0 + 0.55 * target as f64) * noise).round() as u64
    }

    fn second(&self, method: usize) -> &'static str {
        if self.methods[method] == "sgd" {
            "momentum"
        } else {
            "damping"
        }
    }

    fn y_values(&self, method: usize) -> Vec<f64> {
        let first = if self.methods[method] == "sgd" {
            0.03
        } else {
            0.01
        };
        (0..self.grid)
            .map(|i| rounded(first * 3f64.powf(i as f64)))
            .collect()
    }

    fn x_values(&self, method: usize) -> Vec<f64> {
        if self.methods[method] == "sgd" {
            return (0..self.grid)
                .map(|i| (950.0 * i as f64 / (self.grid.max(2) - 1) as f64).round() / 1e3)
                .collect();
        }
        (0..self.grid)
            .map(|i| rounded(1e-3 * 3f64.powf(i as f64)))
            .collect()
    }

    fn target(index: usize) -> Target {
        match index {
            0 => Target {
                metric: Metric::TrainLoss,
                level: 0.1,
            },
            1 => Target {
                metric: Metric::TrainLoss,
                level: 0.03,
            },
            2 => Target {
                metric: Metric::TestAccuracy,
                level: 0.93,
            },
            i => Target {
                metric: Metric::TestAccuracy,
                level: rounded(0.93 + 0.005 * i as f64),
            },
        }
    }

    /// The whole table.
    pub(crate) fn table(&self) -> ReportTable {
        ReportTable {
            format: FORMAT,
            title: "K-FAC and SGD at growing batch sizes on handwritten digits".into(),
            claims: claims(),
            targets: vec![Named {
                stage: self.stage("targets"),
                table: self.targets_table(),
            }],
            winners: vec![Named {
                stage: self.stage("winners"),
                table: self.winners_table(),
            }],
            performance: self.performance(),
            heatmaps: vec![Named {
                stage: self.stage("sensitivity"),
                table: self.heatmap_table(),
            }],
            noise: self.noise(),
            noise_courses: self.noise_courses(),
            controls: self.controls(),
            curves: self.curves(),
            curves_left_out: 0,
            stages: self.stages(),
            runs: self.runs(),
        }
    }

    fn runs(&self) -> Vec<RunRow> {
        let mut runs = Vec::new();
        for m in 0..self.methods.len() {
            for &batch in &self.batches {
                for seed in 0..3 {
                    for (j, rate) in self.y_values(m).into_iter().enumerate() {
                        for (i, other) in self.x_values(m).into_iter().enumerate() {
                            runs.push(self.run(m, batch, (i, other), (j, rate), seed));
                        }
                    }
                }
            }
        }
        runs
    }

    fn run(
        &self,
        m: usize,
        batch: u64,
        (i, other): (usize, f64),
        (j, rate): (usize, f64),
        seed: u64,
    ) -> RunRow {
        let method = &self.methods[m];
        let diverged = m == 0 && i == 0 && j >= 3;
        let noise = 0.004 * unit(i as u64, j as u64, batch, seed);
        let accuracy = 0.95 - 0.01 * (i as f64 - j as f64).abs() + noise;
        let steps = self.examples * 12 / batch.min(self.examples);
        let pace = 20.0 * (1.0 + (i as f64 - j as f64).abs()) + batch as f64 / 8.0;
        let loss: Vec<f32> = (0..if diverged { 7 } else { steps })
            .map(|step| {
                let level = if diverged {
                    3f64.powf(step as f64)
                } else {
                    2.3 / (1.0 + step as f64 / pace)
                };
                (level * (0.7 + 0.6 * unit(step, m as u64, batch, seed))) as f32
            })
            .collect();
        RunRow {
            label: self.label(m, batch, other, rate, seed),
            stage: self.stage(method),
            method: method.clone(),
            batch_size: batch,
            learning_rate: rate,
            seed,
            settings: BTreeMap::from([
                ("batch_size".into(), json!(batch)),
                ("learning_rate".into(), json!(rate)),
                ("seed".into(), json!(seed)),
                (
                    format!("optimizer.{method}.{}", self.second(m)),
                    json!(other),
                ),
            ]),
            outcome: if diverged {
                Outcome::Diverged { step: 7 }
            } else {
                Outcome::Finished
            },
            budget_steps: steps,
            last: (!diverged).then(|| Evaluation {
                step: steps,
                train_loss: Some(0.02 + 0.01 * i as f64 + noise),
                validation_accuracy: Some(accuracy),
                test_accuracy: Some(accuracy - 0.004),
                ..Evaluation::default()
            }),
            sketch: sketch(&Updates::of_every_step(loss.clone(), vec![0.1; loss.len()])),
        }
    }

    fn stages(&self) -> Vec<StageSettings> {
        self.methods
            .iter()
            .enumerate()
            .map(|(m, method)| StageSettings {
                stage: self.stage(method),
                method: method.clone(),
                common: BTreeMap::from([
                    ("budget.epochs".into(), json!(12)),
                    ("evaluation.spacing".into(), json!(1.1)),
                    ("model.mlp.hidden".into(), json!([32])),
                    (format!("optimizer.{method}.weight_decay"), json!(0.0)),
                    ("schedule".into(), json!("constant")),
                ]),
                swept: BTreeMap::from([
                    (
                        "batch_size".to_string(),
                        self.batches.iter().map(|b| json!(b)).collect(),
                    ),
                    (
                        "learning_rate".to_string(),
                        self.y_values(m).iter().map(|v| json!(v)).collect(),
                    ),
                    (
                        format!("optimizer.{method}.{}", self.second(m)),
                        self.x_values(m)
                            .iter()
                            .map(|v| json!(v))
                            .collect::<Vec<Value>>(),
                    ),
                ]),
                runs: 3 * self.batches.len() * self.grid * self.grid,
                diverged: 5,
                stopped: 3,
                train_examples: vec![1280],
                parameters: vec![2410],
            })
            .collect()
    }
}

/// A table with nothing in it.
pub(crate) fn empty() -> ReportTable {
    ReportTable {
        format: FORMAT,
        title: String::new(),
        claims: vec![],
        targets: vec![],
        winners: vec![],
        performance: vec![],
        heatmaps: vec![],
        noise: vec![],
        noise_courses: vec![],
        controls: vec![],
        curves: vec![],
        curves_left_out: 0,
        stages: vec![],
        runs: vec![],
    }
}

fn around(value: f64, relative: f64) -> Estimate {
    let wide = value * relative;
    Estimate {
        value,
        interval: Some(Interval {
            low: Some(value - wide.abs()),
            high: Some(value + wide.abs()),
            confidence: 0.95,
        }),
    }
}

fn steps_to(end: u64) -> Vec<u64> {
    let mut steps = vec![0];
    let mut at = 1.0_f64;
    while (at.ceil() as u64) < end {
        if steps.last() != Some(&(at.ceil() as u64)) {
            steps.push(at.ceil() as u64);
        }
        at *= 1.1;
    }
    steps.push(end);
    steps
}

fn rounded(value: f64) -> f64 {
    (value * 1e9).round() / 1e9
}

/// Noise between 0 and 1 that is the same on every machine.
fn unit(a: u64, b: u64, c: u64, d: u64) -> f64 {
    let mut z = a.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ b.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z ^= c.wrapping_mul(0x94D0_49BB_1331_11EB) ^ d.wrapping_mul(0xD6E8_FEB8_6659_FD93);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}
