//! Steps to target, their summaries and fits.

use std::collections::BTreeMap;

use analysis::Estimate;
use analysis::targets::{
    Bounded, CriticalBatchFit, Crossing, ExamplesInterval, FewestSteps, FitNote, RunSteps,
    ScalingFit, Steps, StepsInterval, StepsSummary, TargetNote, TargetsTable,
};

use super::{Study, around};

impl Study {
    pub(super) fn targets_table(&self) -> TargetsTable {
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

    pub(super) fn crossing(&self, m: usize, batch: u64, t: usize, seed: u64) -> Steps {
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

    pub(super) fn summary(&self, m: usize, b: usize, t: usize) -> StepsSummary {
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

    pub(super) fn fit(&self, m: usize, t: usize) -> ScalingFit {
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
}
