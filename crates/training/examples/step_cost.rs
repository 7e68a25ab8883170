//! Microseconds a training step takes, on one thread of the CPU.
//!
//! `cargo run --release -p training --example step_cost`

use std::time::Instant;

use burn::tensor::Device;
use training::{Data, Settings};

/// Steps timed together: as many as K-FAC makes with one inverse.
const BLOCK: usize = 10;

fn main() {
    rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build_global()
        .expect("no pool was built before");
    let (device, _) = training::device::open("cpu").expect("the CPU is always there");
    let split =
        serde_json::json!({"source": "digits", "train": 1280, "validation": 217, "test": 300});
    let bytes = datasets::prepare(
        &serde_json::from_value(split).expect("a data set"),
        &datasets::Files::new(),
    )
    .expect("digits");
    let data = Data::from_bytes(&bytes).expect("a data set");

    let networks = [
        (
            "MLP 64-32-10",
            serde_json::json!({"mlp": {"hidden": [32]}}),
            2000,
        ),
        (
            "CNN 8-16",
            serde_json::json!({"cnn": {"channels": [8, 16]}}),
            200,
        ),
    ];
    let optimizers = [
        ("SGD", serde_json::json!({"sgd": {"momentum": 0.9}})),
        (
            "K-FAC, inverse every 10",
            serde_json::json!({"kfac": {"damping": 0.1}}),
        ),
    ];
    println!(
        "{:14} {:24} {:>5} {:>9} {:>14}",
        "network", "optimizer", "batch", "us/step", "us/evaluation"
    );
    for (network, model, steps) in &networks {
        for (optimizer, rule) in &optimizers {
            for batch_size in [16, 64, 256] {
                let settings = |steps: u64, evaluations: u64| -> Settings {
                    serde_json::from_value(serde_json::json!({
                        "model": model, "batch_size": batch_size, "learning_rate": 0.01,
                        "budget": {"iterations": steps}, "optimizer": rule,
                        "evaluation": {"spacing": 1e9, "iterations": (0..evaluations).collect::<Vec<_>>()},
                    }))
                    .expect("settings")
                };
                let step = median_block(&settings(*steps, 0), &data, &device);
                let both = median_block(&settings(steps / 4, steps / 4), &data, &device);
                let evaluation = both - step;
                println!("{network:14} {optimizer:24} {batch_size:5} {step:9.0} {evaluation:14.0}");
            }
        }
    }
}

/// Microseconds a step, as the median over blocks of steps: what else the machine does hardly shows.
/// Where the run is evaluated at every step, evaluations are part of the step.
fn median_block(settings: &Settings, data: &Data, device: &Device) -> f64 {
    let mut ends = Vec::new();
    training::train(settings, data, device, &mut |_| ends.push(Instant::now())).expect("a run");
    let blocks = ends
        .iter()
        .step_by(BLOCK)
        .zip(ends.iter().step_by(BLOCK).skip(1));
    let mut seconds: Vec<f64> = blocks
        .map(|(start, end)| (*end - *start).as_secs_f64())
        .collect();
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2] / BLOCK as f64 * 1e6
}
