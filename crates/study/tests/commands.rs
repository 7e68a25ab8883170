//! `command` stages: what they expand to, and what a person sees whose stage has mistakes.

mod shown;

use std::collections::BTreeSet;
use std::path::Path;

use engine::{Graph, Source};
use serde_json::json;
use study::Study;

/// Reads: a file, a stage, one run of a sweep, all of them; a folder between commands; curves.
const SOUND: &str = "\
study: programs
stages:
  digits:
    dataset: { source: digits, train: 1280, validation: 258, test: 259 }
  prepare:
    command:
      run: [./prepare.sh, digits.safetensors, '{fold}', 0.50]
      inputs: { prepare.sh: src/lib.rs, digits.safetensors: digits }
      outputs: { part: parts/, list: list.txt }
    sweep: { fold: [0, 1] }
  torch:
    command:
      run: python3 train.py part --rate={learning_rate} --steps={iterations} \"$HOME\" '{{print}}' ${fold}
      inputs: { train.py: ./Cargo.toml, part: prepare.part, digits: digits }
      environment: { SEED: '{seed}', FOLD: '{fold}', DEBUG: 1 }
      curves: curves.csv
      settings: { method: adam, batch_size: 32, budget: { epochs: 2 }, optimizer: { beta: 0.9 } }
    sweep:
      learning_rate: [1e-1, 0.01]
      seed: [0]
      fold: [0, 1]
  gather:
    command:
      run: [cat, curves]
      inputs: { curves: torch, lists: prepare.list }
      outputs: { all: all.txt }
    execution: { retries: 2, timeout: 1.5 min }
  targets:
    steps_to_target: { runs: [torch], train_loss: [0.1] }
";

fn expand(text: &str) -> Graph {
    match Study::parse("study.yaml", text) {
        Ok(study) => {
            assert!(study.warnings().is_empty(), "{:?}", study.warnings());
            study.expand()
        }
        Err(mistakes) => panic!("{:?}", miette::Report::new(mistakes)),
    }
}

fn inputs(graph: &Graph, name: &str) -> Vec<String> {
    let id = graph.find(name).unwrap_or_else(|| panic!("no {name}"));
    let inputs = graph.stage(id).inputs.iter();
    inputs
        .map(|input| match &input.source {
            Source::File(path) => format!("{} = file {}", input.name, path.display()),
            Source::Stage { stage, output } => {
                format!(
                    "{} = {} of {}",
                    input.name,
                    output,
                    graph.stage(*stage).name
                )
            }
        })
        .collect()
}

#[test]
fn a_command_is_a_stage_for_each_point_with_its_words_filled_in() {
    let graph = expand(SOUND);
    let stage = |name: &str| graph.stage(graph.find(name).expect(name));
    let prepare = stage("prepare/fold=1");
    assert_eq!(
        serde_json::Value::Object(prepare.settings.clone()),
        json!({
            "run": ["./prepare.sh", "digits.safetensors", "1", "0.50"],
            "outputs": { "part": "parts/", "list": "list.txt" },
        })
    );
    let torch = stage("torch/fold=1,learning_rate=0.1,seed=0");
    assert_eq!(torch.kind, "command");
    assert_eq!(
        serde_json::Value::Object(torch.settings.clone()),
        json!({
            "run": "python3 train.py part --rate=0.1 --steps=80 \"$HOME\" '{print}' ${fold}",
            "environment": { "SEED": "0", "FOLD": "1", "DEBUG": "1" },
            "folders": ["part"],
            "curve": {
                "files": [{ "path": "curves.csv" }], "train_examples": 1280, "steps_per_epoch": 40, "budget_steps": 80, "parameters": 0,
                "settings": {
                    "batch_size": 32, "learning_rate": 0.1, "seed": 0, "budget": { "epochs": 2.0 },
                    "optimizer": { "adam": { "beta": 0.9, "fold": 1 } },
                },
            },
        })
    );
    assert_eq!(stage("gather").execution.retries, 2);
    assert_eq!(
        stage("gather").execution.timeout,
        Some(std::time::Duration::from_secs(90))
    );
}

#[test]
fn a_command_reads_the_runs_that_agree_in_what_both_sweep() {
    let graph = expand(SOUND);
    assert_eq!(
        inputs(&graph, "prepare/fold=0"),
        [
            "digits.safetensors = dataset of digits",
            "prepare.sh = file src/lib.rs"
        ]
    );
    assert_eq!(
        inputs(&graph, "torch/fold=1,learning_rate=0.01,seed=0"),
        [
            "digits = dataset of digits",
            "part = part of prepare/fold=1",
            "train.py = file Cargo.toml"
        ],
        "one run of `prepare` agrees: a file"
    );
    let gathered: BTreeSet<String> = inputs(&graph, "gather").into_iter().collect();
    let mut wanted = BTreeSet::from([
        "lists/fold=0 = list of prepare/fold=0".to_owned(),
        "lists/fold=1 = list of prepare/fold=1".to_owned(),
    ]);
    for fold in 0..2 {
        for rate in ["0.1", "0.01"] {
            let run = format!("fold={fold},learning_rate={rate},seed=0");
            wanted.insert(format!("curves/{run} = curve of torch/{run}"));
        }
    }
    assert_eq!(gathered, wanted, "`gather` sweeps nothing: a folder of all");
}

#[test]
fn how_a_stage_is_executed_changes_no_setting() {
    let without = SOUND.replace("    execution: { retries: 2, timeout: 1.5 min }\n", "");
    let settings = |text: &str| -> Vec<_> {
        let graph = expand(text);
        graph
            .stages()
            .iter()
            .map(|stage| (stage.name.clone(), stage.settings.clone()))
            .collect()
    };
    assert_eq!(settings(SOUND), settings(&without));
}

#[test]
fn files_are_relative_to_the_study() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("study.yaml");
    std::fs::write(&path, SOUND).unwrap();
    let graph = Study::load(&path).unwrap().expand();
    let train = graph.stage(graph.find("torch/fold=0,learning_rate=0.1,seed=0").unwrap());
    let file = train.inputs.iter().find(|input| input.name == "train.py");
    assert_eq!(
        file.unwrap().source,
        Source::File(Path::new(folder.path()).join("Cargo.toml"))
    );
}

fn broken(edits: &[(&str, &str)]) -> String {
    edits.iter().fold(SOUND.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "{old} is not in the study");
        text.replace(old, new)
    })
}

macro_rules! snapshots {
    ($($name:ident: $edits:expr;)*) => {$(
        #[test]
        fn $name() {
            let text = broken($edits);
            insta::assert_snapshot!(stringify!($name), shown::shown(Study::parse("study.yaml", &text)));
        }
    )*};
}

snapshots! {
    a_word_that_stands_for_nothing_is_shown: &[("--rate={learning_rate}", "--rate={learning_rat}")];
    a_sweep_that_the_program_never_learns_of_is_shown: &[("{ SEED: '{seed}', ", "{ ")];
    an_input_that_is_no_stage_is_shown: &[("digits.safetensors: digits }", "digits.safetensors: digts }")];
    an_output_that_is_not_there_is_shown: &[("part: prepare.part", "part: prepare.prat"), ("lists: prepare.list", "lists: prepare")];
    a_run_without_a_partner_is_shown: &[("      fold: [0, 1]\n", "      fold: [0, 2]\n")];
    paths_that_leave_the_folder_or_meet_are_shown: &[("part: parts/", "part: ../parts/, more: /tmp/x"), ("all: all.txt", "all: curves/all.txt")];
    curves_without_settings_are_shown: &[("      settings: { method: adam, batch_size: 32, budget: { epochs: 2 }, optimizer: { beta: 0.9 } }\n", "")];
    settings_that_are_missing_are_shown: &[("method: adam, batch_size: 32, budget: { epochs: 2 }", "budgt: { epochs: 2 }")];
    values_of_the_wrong_type_are_shown: &[("learning_rate: [1e-1, 0.01]", "learning_rate: [0, fast]"), ("seed: [0]", "seed: [0.5]")];
    runs_without_curves_are_shown: &[("runs: [torch]", "runs: [prepare]")];
    bad_names_are_shown: &[("DEBUG: 1", "1DEBUG: 1"), ("list: list.txt", "my list: list.txt"), ("train.py: ./Cargo.toml", ".train: ./Cargo.toml"), ("{ fold: [0, 1] }", "{ fold: [0, 1], a.b: [1] }")];
    winners_of_a_command_cannot_be_trained: &[("  targets:\n", "  best: { select: { runs: [torch], by: train_loss } }\n  again: { train: { configuration: best } }\n  targets:\n")];
    times_without_a_unit_are_shown: &[("timeout: 1.5 min", "timeout: '90'")];
    numbers_without_a_unit_are_shown: &[("timeout: 1.5 min", "timeout: 5")];
    nothing_to_run_is_shown: &[("run: [cat, curves]", "run: []")];
}

#[test]
fn anchors_have_a_home_under_keys_that_begin_with_x() {
    let anchored = SOUND.replacen(
        "stages:\n",
        "x-common: &environment { PLAIN: 1.10 }\nx-more: [1, { a: b }]\nstages:\n  plain: { command: { run: 'true', environment: *environment } }\n",
        1,
    );
    let graph = expand(&anchored);
    let plain = graph.stage(graph.find("plain").expect("the stage"));
    assert_eq!(plain.settings["environment"], json!({ "PLAIN": "1.10" }));
}

#[test]
fn curves_are_described_in_the_settings_of_the_stage() {
    let described = "{ path: logs/metrics.csv, columns: { validation_loss: val_loss, step: epoch }, ignore: [lr], counted_in: epochs, counted_from: 0 }";
    let text = broken(&[
        (
            "curves: curves.csv",
            &format!("curves: {described}\n      discard: [logs/]"),
        ),
        (
            "method: adam, batch_size: 32",
            "method: adam, last_batch: keep, batch_size: 31",
        ),
    ]);
    let graph = expand(&text);
    let torch = graph.stage(
        graph
            .find("torch/fold=0,learning_rate=0.1,seed=0")
            .expect("a run"),
    );
    let files = json!([{
        "path": "logs/metrics.csv", "columns": { "step": "epoch", "validation_loss": "val_loss" },
        "ignore": ["lr"], "counted_in": "epochs", "counted_from": 0,
    }]);
    assert_eq!(torch.settings["curve"]["files"], files);
    assert_eq!(torch.settings["discard"], json!(["logs/"]));
    // 1280 = 41 * 31 + 9.
    assert_eq!(torch.settings["curve"]["steps_per_epoch"], 42);
}

#[test]
fn a_column_of_the_file_that_is_named_for_another_is_not_one_of_its_own_name() {
    for (columns, settings) in [
        (
            "{ train_loss: loss, step: examples }",
            json!({ "train_loss": "loss", "step": "examples", "loss": null }),
        ),
        // Where the study names both, both are meant.
        (
            "{ train_loss: loss, loss: loss }",
            json!({ "train_loss": "loss", "loss": "loss" }),
        ),
        (
            "{ train_loss: train_loss_epoch }",
            json!({ "train_loss": "train_loss_epoch" }),
        ),
    ] {
        let curves = format!("curves: {{ path: curves.csv, columns: {columns} }}");
        let graph = expand(&broken(&[("curves: curves.csv", &curves)]));
        let run = graph.find("torch/fold=0,learning_rate=0.1,seed=0");
        let torch = graph.stage(run.expect("a run"));
        assert_eq!(torch.settings["curve"]["files"][0]["columns"], settings);
    }
}

snapshots! {
    placeholders_without_quotes_are_shown: &[("'{seed}', ", "{seed}, "), ("run: [cat, curves]", "run: [cat, {seed}]")];
    a_line_that_begins_with_a_placeholder_is_shown: &[("run: [cat, curves]", "run: {fold} --x")];
    values_that_cannot_name_files_are_shown: &[("learning_rate: [1e-1, 0.01]", "learning_rate: [1e-1]\n      model: [meta/llama, 'a b']")];
    a_setting_called_like_a_column_is_shown: &[("seed: [0]", "seed: [0]\n      loss: [mse]"), ("--rate={learning_rate}", "--rate={learning_rate} {loss}")];
    a_swept_budget_is_warned_of: &[("seed: [0]", "seed: [0]\n      epochs: [1, 2]"), ("--rate={learning_rate}", "--rate={learning_rate} {epochs}")];
    columns_that_are_none_are_shown: &[("curves: curves.csv", "curves: { path: curves.csv, columns: { val_loss: validation_loss }, counted_in: tokens, counted_from: 2 }")];
    counts_that_are_none_are_shown: &[("curves: curves.csv", "curves: { path: curves.csv, counted_in: tokens, counted_from: 2 }")];
    a_secret_is_warned_of: &[("DEBUG: 1", "API_TOKEN: abc")];
    a_heatmap_over_words_is_shown: &[("seed: [0]", "seed: [0]\n      loss_kind: [mse, mae]"), ("--rate={learning_rate}", "--rate={learning_rate} {loss_kind}"), ("  targets:\n", "  map: { heatmap: { runs: [torch], x: loss_kind, y: learning_rate, value: train_loss, good: { within: 0.1 }, at: [{ epochs: 1 }] } }\n  targets:\n")];
}
