//! Two promises about stage kinds: every study in `pipelines/` is understood by what executes it, and no source that
//! can change a result changes unseen.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use engine::Digest;
use serde_json::{Map, Value};

use super::{Failure, KINDS, command, download, parse, steps_to_target};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Reads settings as their kind's executor does.
fn read(kind: &str, settings: &Map<String, Value>) -> Result<(), Failure> {
    match kind {
        "download" => parse::<download::Settings>(settings).map(drop),
        "dataset" => parse::<datasets::DatasetSettings>(settings).map(drop),
        "train" => parse::<training::Settings>(settings).map(drop),
        "command" => parse::<command::Settings>(settings).map(drop),
        "select" => parse::<analysis::select::Select>(settings).map(drop),
        "steps_to_target" => parse::<steps_to_target::Settings>(settings).map(drop),
        "heatmap" => parse::<analysis::heatmap::Heatmap>(settings).map(drop),
        "report" => parse::<analysis::report::ReportSettings>(settings).map(drop),
        other => Err(format!("unknown kind {other}").into()),
    }
}

#[test]
fn every_stage_of_every_study_is_understood_by_its_executor() {
    let studies: Vec<PathBuf> = fs::read_dir(root().join("pipelines"))
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .collect();
    assert!(!studies.is_empty());
    for path in studies {
        let study = study::Study::load(&path)
            .unwrap_or_else(|mistakes| panic!("{}: {mistakes}", path.display()));
        let graph = study.expand();
        for stage in graph.stages() {
            let mut settings = stage.settings.clone();
            // What a winner gives is the settings of some run of the study: any one will do here.
            for _ in &stage.bindings {
                let run = graph
                    .stages()
                    .iter()
                    .find(|run| run.kind == "train" && run.bindings.is_empty());
                for (name, value) in &run.expect("a winner is a run").settings {
                    settings.entry(name).or_insert_with(|| value.clone());
                }
            }
            if let Err(error) = read(&stage.kind, &settings) {
                panic!("{}, {}: {error}", path.display(), stage.name);
            }
        }
    }
}

/// The sources behind each kind: files, and folders with all they hold.
fn sources(kind: &str) -> Vec<String> {
    let own = format!("crates/pipeline/src/stages/{kind}.rs");
    let crates: &[&str] = match kind {
        "download" => &["crates/datasets/src/download.rs"],
        "dataset" => &["crates/datasets/src", "crates/datasets/data"],
        "train" => &[
            "crates/training/src",
            "crates/runs/src",
            "crates/burn-kfac/src",
            "crates/burn-conv-kernels/src",
            "crates/conv-kernels/src",
            "crates/datasets/src",
            "crates/pipeline/src/stages/train",
        ],
        "command" => &["crates/pipeline/src/stages/command"],
        _ => &["crates/analysis/src", "crates/pipeline/src/stages/runs.rs"],
    };
    crates
        .iter()
        .map(|&path| path.to_owned())
        .chain([own])
        .collect()
}

/// The packages of others that compute results.
const NUMERIC: [&str; 9] = [
    "burn",
    "burn-autodiff",
    "burn-flex",
    "burn-nn",
    "burn-optim",
    "burn-pack",
    "faer",
    "gemm",
    "libm",
];

fn collect(path: &Path, files: &mut BTreeMap<PathBuf, Digest>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a folder of sources") {
            collect(&entry.expect("it can be read").path(), files);
        }
    } else {
        let contents = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        files.insert(path.to_owned(), Digest::of(&contents));
    }
}

/// One digest of all that can change a kind's results.
fn fingerprint(kind: &str) -> Digest {
    let root = root();
    let mut files = BTreeMap::new();
    for source in sources(kind) {
        collect(&root.join(source), &mut files);
    }
    let mut lines = Vec::new();
    for (path, digest) in files {
        let name = path
            .strip_prefix(&root)
            .expect("sources are in the repository");
        lines.push(format!("{} {digest}", name.display()));
    }
    if kind == "train" {
        let lock = fs::read_to_string(root.join("Cargo.lock")).expect("the lock file is there");
        for package in NUMERIC {
            let start = format!("name = \"{package}\"\nversion = ");
            let versions: Vec<&str> = lock
                .split(&start)
                .skip(1)
                .filter_map(|rest| rest.lines().next())
                .collect();
            assert!(!versions.is_empty(), "{package} is no dependency any more");
            lines.push(format!("{package} {versions:?}"));
        }
    }
    Digest::of(lines.join("\n").as_bytes())
}

#[test]
fn every_stage_kind_names_the_sources_it_was_blessed_with() {
    let blessed = root().join("crates/pipeline/src/stages/blessed.txt");
    let now: Vec<String> = KINDS
        .iter()
        .map(|(kind, code)| format!("{kind} {code} {}", fingerprint(kind)))
        .collect();
    let now = now.join(
        "
",
    ) + "
";
    if std::env::var_os("PIPELINE_BLESS").is_some() {
        fs::write(&blessed, &now).expect("the file can be written");
    }
    let then = fs::read_to_string(&blessed).expect("the file is there");
    let changed: Vec<&str> = now
        .lines()
        .filter(|line| !then.lines().any(|old| old == *line))
        .collect();
    assert!(
        changed.is_empty(),
        "The sources behind these kinds have changed (kind, code version, digest): {changed:#?}\n\
         If a result of a kind can differ now, raise its number in crates/pipeline/src/stages/mod.rs; cached results of \
         the old code are then not used any more. If none can, leave it. Either way, then record that you looked:\n\
         PIPELINE_BLESS=1 cargo test --release -p pipeline every_stage_kind"
    );
}
