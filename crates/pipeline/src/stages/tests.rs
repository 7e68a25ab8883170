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
        "report" => parse::<analysis::report::Report>(settings).map(drop),
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

/// The sources behind each kind: files, and folders with all they hold. The words of the page are behind none.
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
        _ => &["crates/runs/src", "crates/pipeline/src/stages/runs.rs"],
    };
    let analysis = match kind {
        "select" => modules_of_analysis("select"),
        "steps_to_target" => modules_of_analysis("targets"),
        "heatmap" => modules_of_analysis("heatmap"),
        "report" => modules_of_analysis("report"),
        _ => Vec::new(),
    };
    crates
        .iter()
        .map(|&path| path.to_owned())
        .chain(analysis)
        .chain([own])
        .collect()
}

/// The modules of the crate `analysis` that one of them reaches, itself included: each `crate::` in their sources is
/// followed.
fn modules_of_analysis(root: &str) -> Vec<String> {
    let sources = "crates/analysis/src";
    let top = fs::read_to_string(self::root().join(sources).join("lib.rs")).expect("the crate");
    // Types that the crate names at its top belong to the module of that item.
    let module_of = |name: &str| {
        let exports = top
            .split(';')
            .filter_map(|item| item.trim().strip_prefix("pub use "))
            .filter_map(|item| item.split_once("::"));
        let is_it = |(_, names): &(&str, &str)| {
            let mut names = names.split(|letter: char| !letter.is_alphanumeric());
            names.any(|exported| exported == name)
        };
        let mut of_type = exports.filter(is_it).map(|(module, _)| module.to_owned());
        of_type.next_back().unwrap_or_else(|| name.to_owned())
    };
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(module) = open.pop() {
        if found.contains_key(&module) {
            continue;
        }
        // What is no module here is a crate whose types this one hands on.
        let path = [
            format!("{sources}/{module}.rs"),
            format!("{sources}/{module}"),
            format!("crates/{module}/src"),
        ]
        .into_iter()
        .find(|path| self::root().join(path).exists())
        .unwrap_or_else(|| panic!("no source of `{module}`"));
        let mut files = BTreeMap::new();
        if path.starts_with(sources) {
            collect(&self::root().join(&path), &mut files);
        }
        for file in files.keys() {
            let text = fs::read_to_string(file).expect("a source");
            open.extend(used(&text).into_iter().map(module_of));
        }
        found.insert(module, path);
    }
    found.into_values().collect()
}

/// The first names of all paths of a source that begin with `crate::`, groups in braces included.
fn used(source: &str) -> Vec<&str> {
    let first = |path: &'_ str| -> usize {
        let end = path.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
        end.unwrap_or(path.len())
    };
    let mut names = Vec::new();
    for rest in source.split("crate::").skip(1) {
        let Some(group) = rest.strip_prefix('{') else {
            names.push(&rest[..first(rest)]);
            continue;
        };
        let mut depth = 0;
        let mut is_start = true;
        for (at, letter) in group.char_indices() {
            match letter {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => is_start = true,
                letter if is_start && letter.is_alphanumeric() => {
                    names.push(&group[at..at + first(&group[at..])]);
                    is_start = false;
                }
                _ => {}
            }
        }
    }
    names
}

#[test]
fn a_reader_rests_on_the_modules_that_it_reaches_and_on_no_words() {
    let modules = |kind: &str| -> Vec<String> {
        let own = |path: String| {
            let name = path.strip_prefix("crates/analysis/src/")?;
            Some(name.trim_end_matches(".rs").to_owned())
        };
        sources(kind).into_iter().filter_map(own).collect()
    };
    assert_eq!(
        used("use crate::{Error, a::{B, C}, d};\nlet x = crate::e::f();"),
        ["Error", "a", "d", "e"]
    );
    let steps = modules("steps_to_target");
    for module in ["targets", "statistics", "configuration"] {
        assert!(steps.contains(&module.to_owned()), "{module}: {steps:?}");
    }
    for (kind, module) in [
        ("select", "targets"),
        ("report", "claims"),
        ("report", "noise"),
    ] {
        assert!(
            modules(kind).contains(&module.to_owned()),
            "{kind}: {module}"
        );
    }
    for (kind, module) in [
        ("select", "claims"),
        ("select", "heatmap"),
        ("steps_to_target", "report"),
        ("heatmap", "targets"),
    ] {
        let modules = modules(kind);
        assert!(!modules.contains(&module.to_owned()), "{kind}: {modules:?}");
    }
    assert!(sources("select").contains(&"crates/runs/src".to_owned()));
    for (kind, _) in KINDS {
        assert!(
            sources(kind)
                .iter()
                .all(|path| !path.starts_with("crates/report"))
        );
    }
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
