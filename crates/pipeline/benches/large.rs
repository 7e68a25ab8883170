//! A study as large as the paper's: 3 networks x 2 methods x 8 batch sizes x 64 configurations x 3 seeds.
//!
//! `cargo bench -p pipeline --bench large [-- SEEDS]` prints what it costs to plan it, to run it, and to run it again
//! when nothing or one value is changed. The runs are of one step, on the digits, so that what is measured is
//! everything but the training. `pipelines/paper.yaml`, whose runs take days, is planned too where it is there.
//! Needs `/proc`.

mod measure;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use measure::{measure, peak};

/// How often something that runs nothing is repeated.
const REPEATS: u32 = 5;

fn main() {
    let seeds: usize = std::env::args()
        .find_map(|word| word.parse().ok())
        .unwrap_or(3);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |rate: f64| {
        fs::write(folder.path().join("study.yaml"), study(seeds, rate)).expect("it can be written");
    };
    let command = |words: &[&str], study: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pipeline"));
        command.args(words).arg(study).current_dir(folder.path());
        command
            .env_remove("PIPELINE_CACHE")
            .env_remove("PIPELINE_SITE");
        command
    };
    let row = |what: &str, times: u32, words: &[&str], study: &Path| {
        let time = measure(times, || command(words, study));
        let memory = peak(command(words, study));
        println!(
            "| {what} | {:.3} s | {:.3} s | {memory:.0} MB |",
            time.wall, time.cpu
        );
    };
    let (plan, run) = (&["plan"][..], &["run", "--quiet"][..]);
    let own = Path::new("study.yaml");
    println!(
        "| {} training runs | wall | CPU | memory |\n| --- | --- | --- | --- |",
        3 * 2 * 8 * 64 * seeds
    );
    write(0.001);
    let paper = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../pipelines/paper.yaml"
    ));
    if paper.exists() {
        row("plan of pipelines/paper.yaml", REPEATS, plan, paper);
    }
    row("first plan", REPEATS, plan, own);
    // Once: its second time would be the next row.
    let cold = measure(1, || command(run, own));
    println!("| first run | {:.1} s | {:.1} s | |", cold.wall, cold.cpu);
    row("plan, nothing to do", REPEATS, plan, own);
    row("run, nothing to do but the page", REPEATS, run, own);
    write(0.0011);
    row("plan after an edit of one value", REPEATS, plan, own);
}

/// The study; `rate` is the first of the eight rates.
fn study(seeds: usize, rate: f64) -> String {
    let seeds: Vec<String> = (0..seeds).map(|seed| seed.to_string()).collect();
    let seeds = seeds.join(", ");
    let mut text = "study: large\nstages:\n  \
                    digits: { dataset: { source: digits, train: 1280, validation: 217, test: 300 } }\n"
        .to_owned();
    let mut runs = Vec::new();
    for hidden in [8, 12, 16] {
        for (method, setting, values) in [
            (
                "sgd",
                "momentum",
                "[0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98]",
            ),
            (
                "kfac",
                "damping",
                "{ geometric: { from: 0.0001, ratio: 3, count: 8 } }",
            ),
        ] {
            write!(
                text,
                "  {method}-{hidden}:\n    train:\n      dataset: digits\n      \
                 model: {{ mlp: {{ hidden: [{hidden}] }} }}\n      optimizer: {method}\n      \
                 budget: {{ iterations: 1 }}\n      evaluation: {{ train_subset: 64 }}\n    sweep:\n      \
                 batch_size: {{ powers_of_two: [4, 512] }}\n      \
                 learning_rate: [{rate}, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3]\n      \
                 {setting}: {values}\n      seed: [{seeds}]\n"
            )
            .expect("a String grows");
            runs.push(format!("{method}-{hidden}"));
        }
    }
    let runs = runs.join(", ");
    write!(
        text,
        "  best:\n    select: {{ runs: [{runs}], by: validation_accuracy, per: [method, batch_size] }}\n  \
         targets:\n    steps_to_target: {{ runs: [{runs}], train_loss: [2.3, 1] }}\n  \
         report:\n    report: {{ title: Large, include: [best, targets] }}\n"
    )
    .expect("a String grows");
    text
}
