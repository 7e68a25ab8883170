//! What the analyses cost on a study of 9,216 runs: 3 setups x 2 methods x 8 batch sizes x 64
//! configurations x 3 seeds, each with some hundred evaluations.
//!
//! `cargo run --release -p analysis --example large_study [STEPS]` prints CPU seconds and the sizes of the
//! tables. STEPS is the length of a run at the smallest batch size (default 20,000).

#![allow(clippy::print_stdout, reason = "printing is what it is for")]

use std::time::Instant;

use analysis::heatmap::heatmap;
use analysis::report::assemble;
use analysis::select::select;
use analysis::targets::{StepsToTarget, targets};
use analysis::{
    Curve, Evaluation, Evidence, Metric, Named, Outcome, Record, Run, RunSettings, Updates,
};
use serde_json::json;

const BATCHES: [u64; 8] = [128, 256, 512, 1024, 2048, 4096, 8192, 16384];

/// A run whose loss falls as its rate allows; the highest rates diverge.
fn run(stage: &str, method: &str, batch: u64, (i, j): (i32, i32), seed: u64, steps: u64) -> Run {
    let (rate, second) = (1e-3 * 3f64.powi(i), 1e-4 * 3f64.powi(j));
    let name = if method == "kfac" {
        "damping"
    } else {
        "momentum"
    };
    let steps = steps * 128 / batch + 400;
    let outcome = match i {
        7 if j < 2 => Outcome::Diverged { step: steps / 3 },
        _ => Outcome::Finished,
    };
    let last = match outcome {
        Outcome::Diverged { step } => step - 1,
        _ => steps,
    };
    let pace = 300.0 / (1.0 + f64::from(i)) * (1.0 + 0.05 * seed as f64 + 0.1 * f64::from(j));
    let loss_at =
        |step: u64| 2.3 * (-(step as f64) / pace).exp() + 0.003 * f64::from((i - 4).pow(2));
    let mut at: Vec<u64> = (0..120)
        .map(|k| 1.1f64.powi(k).ceil() as u64)
        .take_while(|&s| s < last)
        .collect();
    at.extend([0, last, 400].into_iter().filter(|&step| step <= last));
    at.sort_unstable();
    at.dedup();
    let evaluation = |step: u64| {
        let loss = loss_at(step);
        Evaluation {
            step,
            examples: step * batch,
            train_loss: Some(loss),
            train_accuracy: Some((-loss).exp()),
            validation_loss: Some(1.1 * loss),
            validation_accuracy: Some((-1.1 * loss).exp()),
            test_loss: Some(1.2 * loss),
            test_accuracy: Some((-1.2 * loss).exp()),
        }
    };
    let label = format!(
        "{stage}/batch_size={batch},{name}={second:.3e},learning_rate={rate:.3e},seed={seed}"
    );
    let record = Record {
        settings: RunSettings::new(json!({
            "model": {"resnet": {"depth": 20}}, "batch_size": batch, "learning_rate": rate, "seed": seed,
            "budget": {"epochs": 100, "adjusted_from_batch": 128},
            "schedule": {"step": {"factor": 0.1, "at": [0.4, 0.8]}},
            "optimizer": {method: {name: second, "weight_decay": 5e-4, "factor_decay": 0.95}},
            "evaluation": {"spacing": 1.1, "epochs": [], "iterations": [400]}, "last_batch": "drop",
        }))
        .expect("settings"),
        outcome,
        train_examples: 45_000,
        steps_per_epoch: 45_000 / batch,
        budget_steps: steps,
        rate_drops: vec![steps * 2 / 5, steps * 4 / 5],
        parameters: 269_722,
        curve: Curve {
            updates: Updates::of_every_step((0..last).map(|step| loss_at(step) as f32).collect(), vec![rate; last as usize]),
            evaluations: at.into_iter().map(evaluation).collect(),
            ..Curve::default()
        },
    };
    Run::new(label, record)
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let made = work();
    println!("{what}: {:.2} s", start.elapsed().as_secs_f64());
    made
}

fn size(what: &str, table: &impl serde::Serialize) {
    let bytes = serde_json::to_vec(table).map_or(0, |text| text.len());
    println!("  {what} as JSON: {:.1} MB", bytes as f64 / 1e6);
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let steps = std::env::args()
        .nth(1)
        .map_or(Ok(20_000), |text| text.parse())?;
    let runs: Vec<Run> = timed("simulate", || {
        let mut runs = Vec::new();
        for setup in ["cifar10-resnet20", "cifar10-resnet32", "svhn-alexnet"] {
            for method in ["sgd", "kfac"] {
                let stage = format!("{setup}-{method}");
                for batch in BATCHES {
                    for cell in 0..64 {
                        for seed in 0..3 {
                            runs.push(run(
                                &stage,
                                method,
                                batch,
                                (cell / 8, cell % 8),
                                seed,
                                steps,
                            ));
                        }
                    }
                }
            }
        }
        runs
    });
    println!("{} runs", runs.len());
    let per = json!({"by": "validation_accuracy", "at": {"iterations": 400}, "per": ["stage", "method", "batch_size"]});
    let by_accuracy = serde_json::from_value(per)?;
    let winners = timed("select", || select(&by_accuracy, &runs))?.winners;
    size("winners", &winners);
    let levels = StepsToTarget::of([
        (Metric::TrainLoss, vec![1.0, 0.5, 0.1]),
        (Metric::TestAccuracy, vec![0.5, 0.7]),
    ]);
    let timings = timed("steps to target", || targets(&levels, &runs))?;
    size("targets", &timings);
    let axes = json!({"x": {"kfac": "damping", "sgd": "momentum"}, "y": "learning_rate",
        "value": "test_accuracy", "at": ["end", {"iterations": 400}], "good": {"at_least": 0.7, "within": 0.02}});
    let axes = serde_json::from_value(axes)?;
    let maps = timed("heatmaps", || heatmap(&axes, &runs))?;
    size("heatmaps", &maps);
    let settings = json!({"title": "A large study", "claims": ["comparable_performance", "diminishing_returns",
        "region_shrinks_at_fixed_epochs", "region_grows_at_fixed_iterations", "rates_and_dampings_correlate",
        "sgd_faster_per_iteration", "large_damping_is_sgd"]});
    let settings = serde_json::from_value(settings)?;
    let named = |stage: &str| stage.to_owned();
    let evidence = Evidence {
        runs,
        targets: vec![Named {
            stage: named("targets"),
            table: timings,
        }],
        winners: vec![Named {
            stage: named("winners"),
            table: winners,
        }],
        heatmaps: vec![Named {
            stage: named("sensitivity"),
            table: maps,
        }],
    };
    let table = timed("report", || assemble(&settings, &evidence));
    size("report", &table);
    size("  its runs", &table.runs);
    size("  its curves", &table.curves);
    Ok(())
}
