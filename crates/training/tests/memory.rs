//! The memory that a run is said to take, held against that of a process that trains.

#![cfg(target_os = "linux")]

use std::fs;
use std::process::Command;
use std::sync::Arc;

use datasets::{Data, Normalisation, Part};
use runs::settings::Settings;
use serde_json::{Value, json};
use training::{Course, Training};

/// Tells the process of a case which one it is.
const CASE: &str = "MEMORY_CASE";
/// How many cases there are.
const CASES: usize = 5;
const EXAMPLES: usize = 1100;
const SHAPE: [u64; 3] = [3, 32, 32];

fn settings(at: usize) -> Settings {
    let sgd = json!({"sgd": {"momentum": 0.9}});
    let kfac = json!({"kfac": {"damping": 0.1, "factor_every": 1, "inverse_every": 1}});
    let cnn = json!({"cnn": {"channels": [16, 32]}});
    let cases: [(Value, Value, u64); CASES] = [
        (cnn, sgd.clone(), 1024),
        (json!("resnet20"), sgd.clone(), 256),
        (json!("resnet20"), kfac, 128),
        (json!("alexnet"), sgd.clone(), 256),
        // Its weights outweigh its activations, and the evaluation everything.
        (json!({"mlp": {"hidden": [2048, 2048]}}), sgd, 16),
    ];
    let (model, optimizer, batch) = &cases[at];
    serde_json::from_value(json!({
        "model": model, "optimizer": optimizer, "batch_size": batch, "learning_rate": 1e-4,
        "budget": {"iterations": 2}, "evaluation": {"spacing": 1e9},
    }))
    .unwrap()
}

/// Images of noise.
fn data() -> Data {
    let [channels, height, width] = SHAPE.map(|side| side as usize);
    let bytes = channels * height * width;
    let normalisation = Arc::new(Normalisation::new(&[0.5; 3], &[0.3; 3], 255.0));
    let part = |examples: usize| Part {
        pixels: (0..examples * bytes)
            .map(|at| (at * 31 % 251) as u8)
            .collect(),
        labels: (0..examples).map(|at| (at % 10) as u8).collect(),
        normalisation: Arc::clone(&normalisation),
    };
    Data {
        channels,
        height,
        width,
        classes: 10,
        train: part(EXAMPLES),
        validation: part(0),
        test: part(0),
    }
}

/// The process of a case.
#[test]
fn one_process() {
    let Ok(at) = std::env::var(CASE) else { return };
    let (settings, data) = (settings(at.parse().unwrap()), data());
    let course = Course::new(&settings, data.train.len()).unwrap();
    let device = training::device::open("cpu").unwrap().0;
    let mut training = Training::new(&settings, &course, &data, &device).unwrap();
    while training.advance().unwrap().is_some() {}
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    println!("peak {}", peak.unwrap().trim().trim_end_matches(" kB"));
}

#[test]
fn a_run_takes_about_the_memory_that_it_is_said_to_take() {
    for at in 0..CASES {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["one_process", "--exact", "--nocapture"])
            .env(CASE, at.to_string())
            // As `pipeline` sets up its workers, but for the allocator.
            .env("RAYON_NUM_THREADS", "1")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let output = String::from_utf8(output.stdout).unwrap();
        let peak = output.lines().find_map(|line| line.split_once("peak "));
        let peak = 1024.0 * peak.unwrap().1.parse::<f64>().unwrap();
        let settings = settings(at);
        let said = settings.memory(SHAPE, 10, EXAMPLES as u64) as f64;
        println!(
            "{:?}, batch {}: said {:.0} MB, took {:.0} MB",
            settings.model,
            settings.batch_size.get(),
            said / 1e6,
            peak / 1e6
        );
        let ratio = said / peak;
        assert!(
            (0.6..1.7).contains(&ratio),
            "{at}: said {said}, took {peak}"
        );
    }
}
