//! Runs with a known truth, and a small deterministic source of noise.

use std::collections::BTreeMap;

use analysis::claims::Claim;
use analysis::targets::{Crossing, RunSteps, Steps, StepsSummary, TargetNote, TargetsTable};
use analysis::{
    Curve, Evaluation, Evidence, Named, Outcome, Record, Run, RunSettings, Target, Updates,
};
use serde_json::{Value, json};

/// Noise from splitmix64 (Steele et al. 2014) by the method of Box & Muller 1958.
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Uniform in 0..1.
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (2.0 * std::f64::consts::PI * self.uniform()).cos()
    }
}

/// Batch sizes of simulated studies.
pub(crate) const BATCHES: [u64; 5] = [16, 32, 64, 128, 256];

/// The summary of one configuration of a method, named as its stage, that every seed reached.
pub(crate) fn all_reached(
    method: &str,
    batch_size: u64,
    target: Target,
    seeds: usize,
) -> StepsSummary {
    StepsSummary {
        stage: method.into(),
        method: method.into(),
        batch_size,
        target,
        configurations: 1,
        parameters: BTreeMap::new(),
        seeds,
        reached: seeds,
        not_reached: 0,
        diverged: 0,
        median: None,
        examples: None,
        fastest: None,
        slowest: None,
        ideal: None,
        speed_up: None,
        over_tenth_of_data: false,
        after_first_drop: 0,
        just_after_drop: 0,
    }
}

/// The row of a run, named as its stage, with one target.
pub(crate) fn one_target(method: &str, batch_size: u64, seed: u64, steps: Steps) -> RunSteps {
    RunSteps {
        label: format!("{method}/{batch_size}/{seed}"),
        stage: method.into(),
        method: method.into(),
        batch_size,
        seed,
        parameters: BTreeMap::new(),
        first_drop: None,
        crossings: vec![Crossing {
            steps,
            after_first_drop: false,
            just_after_drop: false,
        }],
    }
}

/// The evidence of rows and summaries for one target.
pub(crate) fn timed_to(
    target: Target,
    runs: Vec<RunSteps>,
    summaries: Vec<StepsSummary>,
) -> Evidence {
    let table = TargetsTable {
        targets: vec![TargetNote {
            target,
            admissible: true,
            fewest: None,
        }],
        runs,
        summaries,
        fits: Vec::new(),
    };
    Evidence {
        targets: vec![Named {
            stage: "targets".into(),
            table,
        }],
        ..Evidence::default()
    }
}

/// Evaluation steps: 0, then each distinct `ceil(1.1^k)` up to the budget, and the budget.
pub(crate) fn evaluation_steps(budget: u64) -> Vec<u64> {
    let mut steps: Vec<u64> = vec![0];
    steps.extend(
        (0..200)
            .map(|k| 1.1f64.powi(k).ceil() as u64)
            .take_while(|&step| step < budget),
    );
    steps.push(budget);
    steps.dedup();
    steps
}

/// What a simulated run is made of.
#[derive(Clone)]
pub(crate) struct Truth {
    pub(crate) stage: &'static str,
    pub(crate) method: &'static str,
    pub(crate) batch: u64,
    pub(crate) rate: f64,
    /// Damping of K-FAC, momentum of SGD.
    pub(crate) second: f64,
    pub(crate) seed: u64,
    pub(crate) budget: u64,
    /// The step from which the training loss is 0.01 instead of 1.
    pub(crate) crosses: Option<f64>,
    /// Test and validation accuracy at every evaluation.
    pub(crate) accuracy: f64,
    pub(crate) outcome: Outcome,
    pub(crate) rate_drops: Vec<u64>,
}

impl Truth {
    pub(crate) fn new(stage: &'static str, method: &'static str, batch: u64, seed: u64) -> Self {
        Self {
            stage,
            method,
            batch,
            rate: 0.1,
            second: 0.01,
            seed,
            budget: 1000,
            crosses: None,
            accuracy: 0.9,
            outcome: Outcome::Finished,
            rate_drops: Vec::new(),
        }
    }

    pub(crate) fn run(&self) -> Run {
        let last = match self.outcome {
            Outcome::Finished => self.budget,
            Outcome::Stopped { step } => step,
            Outcome::Diverged { step } => step - 1,
        };
        // Curves of loss are only thinned; long ones would take the tests' time.
        let steps = last.min(300);
        let evaluations = evaluation_steps(last)
            .into_iter()
            .map(|step| Evaluation {
                step,
                examples: step * self.batch,
                train_loss: Some(if self.crosses.is_some_and(|at| step as f64 >= at) {
                    0.01
                } else {
                    1.0
                }),
                validation_accuracy: Some(self.accuracy),
                test_accuracy: Some(self.accuracy),
                ..Evaluation::default()
            })
            .collect();
        let label = format!(
            "{}/batch_size={},rate={},second={},seed={}",
            self.stage, self.batch, self.rate, self.second, self.seed
        );
        let record = Record {
            settings: RunSettings::new(self.settings()).expect("settings"),
            outcome: self.outcome,
            train_examples: 12_800,
            steps_per_epoch: 12_800 / self.batch,
            budget_steps: self.budget,
            rate_drops: self.rate_drops.clone(),
            parameters: 2410,
            curve: Curve {
                updates: Updates::of_every_step(
                    (0..steps)
                        .map(|step| if step % 7 == 3 { f32::INFINITY } else { 1.0 })
                        .collect(),
                    vec![self.rate; steps as usize],
                ),
                evaluations,
                ..Curve::default()
            },
        };
        Run::new(label, record)
    }

    fn settings(&self) -> Value {
        let second = if self.method == "kfac" {
            "damping"
        } else {
            "momentum"
        };
        json!({
            "model": {"mlp": {"hidden": [32]}},
            "batch_size": self.batch,
            "learning_rate": self.rate,
            "seed": self.seed,
            "budget": {"iterations": self.budget},
            "optimizer": {self.method: {second: self.second}},
        })
    }
}

/// Changes settings as a manifest would have them.
pub(crate) fn change(run: &mut Run, change: impl FnOnce(&mut Value)) {
    let mut all = run.settings.all.clone();
    change(&mut all);
    run.settings = RunSettings::new(all).expect("settings");
}

/// A claim as a study writes it: a bare name stands for its defaults.
pub(crate) fn claim(written: &Value) -> Claim {
    let written = match written.as_str() {
        Some(name) => json!({name: {}}),
        None => written.clone(),
    };
    serde_json::from_value(written).expect("a claim")
}
