//! A made-up study with the shape of a real one: two methods whose steps follow
//! `S_min + E_min / B`, good regions that shrink or grow, some runs that diverge.

#![allow(dead_code, unused_imports)] // The example and each test use a part.

mod claims;
pub(crate) mod edges;
mod evidence;
mod provenance;

use std::collections::BTreeMap;

use analysis::heatmap::{
    Cell, CellState, Good, GoodRegion, GoodRule, HeatmapTable, Panel, SeedCell, Side,
};
use analysis::report::{
    FORMAT, LearningCurve, LossBucket, Named, Performance, ReportTable, Role, RunRow,
    StageSettings, sketch,
};
use analysis::select::{By, Candidate, Edge, ExpectedBest, Score, Winner, WinnersTable};
use analysis::targets::{
    Bounded, CriticalBatchFit, Crossing, ExamplesInterval, FewestSteps, FitNote, RunSteps,
    ScalingFit, Steps, StepsInterval, StepsSummary, TargetNote, TargetsTable,
};
use analysis::{Estimate, Evaluation, Interval, Metric, Moment, Outcome, Target, Updates};
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

    fn targets_table(&self) -> TargetsTable {
        let mut runs = Vec::new();
        let mut summaries = Vec::new();
        let mut fits = Vec::new();
        for (m, method) in self.methods.iter().enumerate() {
            for (b, &batch) in self.batches.iter().enumerate() {
                for seed in 0..self.seeds {
                    runs.push(RunSteps {
                        label: format!(
                            "{}confirmed/batch_size={batch},method={method},seed={}",
                            self.setup,
                            100 + seed
                        ),
                        stage: self.stage("confirmed"),
                        method: method.clone(),
                        batch_size: batch,
                        seed: 100 + seed,
                        parameters: BTreeMap::new(),
                        first_drop: None,
                        crossings: (0..self.targets)
                            .map(|t| Crossing {
                                steps: self.crossing(m, batch, t, seed),
                                after_first_drop: false,
                                just_after_drop: false,
                            })
                            .collect(),
                    });
                }
                for t in 0..self.targets {
                    summaries.push(self.summary(m, b, t));
                }
            }
            for t in 0..self.targets {
                fits.push(self.fit(m, t));
            }
        }
        TargetsTable {
            targets: (0..self.targets)
                .map(|t| TargetNote {
                    target: Self::target(t),
                    admissible: t != 0,
                    fewest: Some(FewestSteps {
                        stage: "confirmed".into(),
                        method: self.methods[0].clone(),
                        batch_size: 256,
                        by: if t == 0 { 15 } else { 40 },
                    }),
                })
                .collect(),
            runs,
            summaries,
            fits,
        }
    }

    fn crossing(&self, m: usize, batch: u64, t: usize, seed: u64) -> Steps {
        let by = Self::steps(m, batch, t, seed);
        let spacing = (by / 12).max(1);
        if m == 1 && t == 2 && batch == *self.batches.last().unwrap_or(&0) {
            Steps::NotReached { budget: 60 }
        } else if m == 0 && batch == 16 && seed == 3 {
            Steps::Diverged { step: 9 }
        } else {
            Steps::Reached {
                after: by - spacing,
                by,
            }
        }
    }

    fn summary(&self, m: usize, b: usize, t: usize) -> StepsSummary {
        let batch = self.batches[b];
        let mut reached = Vec::new();
        let mut counts = [0; 3];
        for seed in 0..self.seeds {
            match self.crossing(m, batch, t, seed) {
                Steps::Reached { after, by } => {
                    reached.push(StepsInterval { after, by });
                    counts[0] += 1;
                }
                Steps::NotReached { .. } => counts[1] += 1,
                Steps::Diverged { .. } => counts[2] += 1,
            }
        }
        reached.sort_by_key(|s| s.by);
        let median = reached.get(self.seeds as usize / 2).copied();
        let first = Self::steps(m, self.batches[0], t, 1) as f64;
        StepsSummary {
            stage: self.stage("confirmed"),
            method: self.methods[m].clone(),
            batch_size: batch,
            target: Self::target(t),
            configurations: 1,
            parameters: BTreeMap::new(),
            seeds: self.seeds as usize,
            reached: counts[0],
            not_reached: counts[1],
            diverged: counts[2],
            median,
            examples: median.map(|steps| ExamplesInterval {
                after: steps.after * batch,
                by: steps.by * batch,
            }),
            fastest: reached.first().copied(),
            slowest: reached.last().copied(),
            ideal: Some(first * self.batches[0] as f64 / batch as f64),
            speed_up: median.map(|s| first / s.by as f64),
            over_tenth_of_data: batch > 128,
            after_first_drop: 0,
            just_after_drop: 0,
        }
    }

    fn fit(&self, m: usize, t: usize) -> ScalingFit {
        let (s_min, e_min) = Self::law(m);
        let stretch = 1.0 + 0.55 * t as f64;
        ScalingFit {
            stage: self.stage("confirmed"),
            method: self.methods[m].clone(),
            target: Self::target(t),
            batch_sizes: self.batches.clone(),
            reached: self.batches.len() * self.seeds as usize,
            not_reached: 0,
            diverged: usize::from(m == 0),
            after_drop: 0,
            law: (t > 0).then(|| CriticalBatchFit {
                s_min: s_min * stretch,
                e_min: e_min * stretch,
                b_crit: e_min / s_min,
                least_steps: if m == 0 {
                    Bounded::AtMost {
                        high: s_min * stretch * 1.4,
                    }
                } else {
                    Bounded::Estimate(around(s_min * stretch, 0.12))
                },
                least_examples: Bounded::Estimate(around(e_min * stretch, 0.08)),
                critical_batch: if m == 0 {
                    Bounded::AtLeast { low: 118.0 }
                } else {
                    Bounded::Estimate(around(e_min / s_min, 0.25))
                },
                sigma: 0.05,
                log_likelihood: -40.2,
            }),
            slope: Some(around(-0.71 + 0.04 * m as f64, -0.06)),
            notes: if t == 0 {
                vec![FitNote::NoLaw { batch_sizes: 2 }]
            } else {
                vec![]
            },
        }
    }

    fn winners_table(&self) -> WinnersTable {
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

    fn performance(&self) -> Vec<Performance> {
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

    fn curves(&self) -> Vec<LearningCurve> {
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

    fn heatmap_table(&self) -> HeatmapTable {
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

    fn panel(
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
