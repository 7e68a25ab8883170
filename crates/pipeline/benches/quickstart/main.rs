//! The quick study beside the same runs in PyTorch.
//!
//! `PYTHON=... cargo bench -p pipeline --bench quickstart [-- PROCESSES]`, with a Python that has what
//! `requirements.txt` names; without `PYTHON`, ours alone. Runs `pipelines/quickstart.yaml` in an empty cache with the
//! jobs and threads that it gets by itself and with others, then lets `pytorch.py` do the same runs: all in one
//! process, and some of them (20, or PROCESSES) in a process each, from which follows what all would take. The study
//! also selects, draws a report and keeps its results; PyTorch only trains and evaluates. Needs `/proc`.

#[path = "../measure/mod.rs"]
mod measure;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use measure::{Time, measure, measure_output};

fn main() {
    let processes: usize = std::env::args()
        .find_map(|word| word.parse().ok())
        .unwrap_or(20);
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pipeline = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pipeline"));
        command.args(words).current_dir(folder.path());
        command
            .env_remove("PIPELINE_CACHE")
            .env_remove("PIPELINE_SITE");
        command
    };
    let study = root.join("pipelines/quickstart.yaml");
    fs::copy(study, folder.path().join("quickstart.yaml")).expect("the study can be copied");

    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let cores = cores.to_string();
    println!("| the quick study, {cores} cores | wall | CPU | ours / this, wall | CPU |");
    println!("| --- | --- | --- | --- | --- |");
    let run = |cache: &str, site: &[&str]| {
        let words = ["run", "--quiet", "quickstart.yaml", "--cache", cache];
        measure(1, || pipeline(&[&words[..], site].concat()))
    };
    let ours = run("cache", &[]);
    let row = |what: &str, time: &Time| {
        println!(
            "| {what} | {:.1} s | {:.1} s | {:.2} | {:.2} |",
            time.wall,
            time.cpu,
            ours.wall / time.wall,
            ours.cpu / time.cpu
        );
    };
    row("ours, as it comes", &ours);
    for (jobs, threads) in [("1", "1"), ("1", &*cores), (&*cores, &*cores)] {
        let site = ["--jobs", jobs, "--threads", threads];
        let time = run(&format!("cache-{jobs}-{threads}"), &site);
        row(&format!("ours, {}", site.join(" ")), &time);
    }

    let Some(python) = std::env::var_os("PYTHON") else {
        println!("\n`PYTHON` names no Python with PyTorch: ours alone");
        return;
    };
    let export = ["export", "quickstart.yaml", "--format", "safetensors"];
    measure(1, || {
        pipeline(&[&export[..], &["--output", "out"]].concat())
    });
    let all = folder.path().join("out/curves");
    let pytorch = |curves: &Path| {
        let mut command = Command::new(&python);
        command
            .arg(root.join("crates/pipeline/benches/quickstart/pytorch.py"))
            .arg(root.join("crates/datasets/data/digits.safetensors"))
            .arg(curves);
        command
    };
    let (one, said) = measure_output(pytorch(&all));
    row("PyTorch, one process", &one);

    let curves = files(&all);
    let chosen: Vec<&PathBuf> = (0..processes)
        .map(|at| &curves[at * curves.len() / processes])
        .collect();
    let mut each = Time {
        wall: 0.0,
        cpu: 0.0,
    };
    for curve in &chosen {
        let time = measure(1, || pytorch(curve));
        each.wall += time.wall * curves.len() as f64 / processes as f64;
        each.cpu += time.cpu * curves.len() as f64 / processes as f64;
    }
    row(
        &format!("PyTorch, a process for each run (from {processes} runs)"),
        &each,
    );
    println!("\n{said}");
}

/// All files below a folder, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}
