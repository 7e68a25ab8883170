//! Studies made of several texts.

mod shown;

use std::fs;

use engine::Source;
use study::Study;
use tempfile::TempDir;

const BASE: &str = "\
study: base
stages:
  digits: { dataset: { source: digits, validation: 100, test: 100 } }
  sgd:
    train:
      dataset: digits
      model: { mlp: { hidden: [8] } }
      optimizer: { sgd: { momentum: 0.9 } }
      budget: { epochs: 1 }
    sweep:
      batch_size: [16, 32]
      learning_rate: [0.1]
      budget.epochs: [1, 2]
  copy:
    command: { run: [cp, a, b], inputs: { a: data/a.txt }, outputs: { b: b } }
  targets:
    steps_to_target: { runs: [sgd], train_loss: [0.1] }
";

/// A folder with `base/base.yaml` and `own.yaml`.
fn folder(own: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("base/data")).unwrap();
    fs::write(folder.path().join("base/data/a.txt"), "").unwrap();
    fs::write(folder.path().join("base/base.yaml"), BASE).unwrap();
    fs::write(folder.path().join("own.yaml"), own).unwrap();
    folder
}

fn load(folder: &TempDir, set: &[&str]) -> Result<Study, study::Diagnostics> {
    let set: Vec<String> = set.iter().map(|&one| one.to_owned()).collect();
    Study::load_with(folder.path().join("own.yaml"), &set)
}

fn names(study: &Study, family: &str) -> Vec<String> {
    let graph = study.expand();
    let stages = graph.stages().iter().filter(|stage| stage.family == family);
    stages.map(|stage| stage.name.clone()).collect()
}

/// Without the folder's name, which differs from run to run.
fn seen(folder: &TempDir, read: Result<Study, study::Diagnostics>) -> String {
    shown::shown(read).replace(&folder.path().display().to_string(), "FOLDER")
}

#[test]
fn what_is_said_comes_on_top_of_what_is_extended() {
    let folder = folder(
        "extends: base/base.yaml\nstudy: own\nstages:\n  sgd: { sweep: { batch_size: [64], budget.epochs: null } }\n  \
         targets: null\n  more: { like: sgd, train: { seed: 1 } }\n",
    );
    let study = load(&folder, &[]).unwrap();
    assert_eq!(study.name(), "own");
    assert_eq!(
        names(&study, "sgd"),
        ["sgd/batch_size=64,learning_rate=0.1"]
    );
    assert_eq!(
        names(&study, "more"),
        ["more/batch_size=64,learning_rate=0.1"]
    );
    assert!(names(&study, "targets").is_empty());
    let graph = study.expand();
    let copy = graph.stage(graph.find("copy").unwrap());
    assert_eq!(
        copy.inputs[0].source,
        Source::File(folder.path().join("base/data/a.txt")),
        "relative to the file that names it"
    );
    let texts: Vec<&str> = study.texts().map(|(_, text)| text).collect();
    assert_eq!(texts[1], BASE);
}

#[test]
fn a_study_that_only_extends_is_the_other_one() {
    let folder = folder("extends: base/base.yaml\n");
    let own = load(&folder, &[]).unwrap();
    let base = Study::load(folder.path().join("base/base.yaml")).unwrap();
    assert_eq!(own.name(), base.name());
    assert_eq!(own.expand().stages(), base.expand().stages());
}

#[test]
fn what_is_set_comes_on_top_of_all() {
    let folder = folder("extends: base/base.yaml\n");
    let set = [
        "sgd.train.optimizer.sgd.momentum=0",
        "sgd.sweep.budget.epochs=[3]",
        "stages.sgd.sweep.batch_size=null",
        "sgd.train.batch_size=8",
        "study=set",
    ];
    let study = load(&folder, &set).unwrap();
    assert_eq!(study.name(), "set");
    assert_eq!(
        names(&study, "sgd"),
        ["sgd/budget.epochs=3,learning_rate=0.1"]
    );
    let graph = study.expand();
    let run = &graph
        .stage(graph.find("sgd/budget.epochs=3,learning_rate=0.1").unwrap())
        .settings;
    assert_eq!(run["optimizer"]["sgd"]["momentum"].as_f64(), Some(0.0));
    assert_eq!(run["batch_size"], 8);
    assert_eq!(run["budget"]["epochs"].as_f64(), Some(3.0));
}

#[test]
fn setting_what_is_there_changes_nothing() {
    let folder = folder("extends: base/base.yaml\n");
    let set = load(
        &folder,
        &[
            "sgd.train.budget={ epochs: 1.0 }",
            "sgd.sweep.learning_rate=[1e-1]",
        ],
    );
    assert_eq!(
        set.unwrap().expand().stages(),
        load(&folder, &[]).unwrap().expand().stages()
    );
}

#[test]
fn a_mistake_is_shown_in_the_file_that_makes_it() {
    let folder = folder(
        "extends: base/base.yaml\nstages:\n  sgd: { train: { optimizer: { sgd: { momentum: 2 } } } }\n  targets: { steps_to_target: { runs: [sgd, sgd2] } }\n",
    );
    let base = BASE.replace("validation: 100", "validatoin: 100");
    fs::write(folder.path().join("base/base.yaml"), base).unwrap();
    insta::assert_snapshot!(seen(
        &folder,
        load(&folder, &["sgd.sweep.learning_rate=[0]"])
    ));
}

#[test]
fn places_in_two_files_are_both_named() {
    let folder = folder(
        "extends: base/base.yaml\nstages:\n  sgd: { sweep: { optimizer.sgd.momentum: [0.5], momentum: [0] } }\n",
    );
    let base = BASE.replace(
        "      learning_rate: [0.1]\n",
        "      learning_rate: [0.1]\n      train.seed: [1]\n      momentum: [0]\n",
    );
    fs::write(
        folder.path().join("base/base.yaml"),
        base.replace("      train.seed: [1]\n", ""),
    )
    .unwrap();
    let own =
        "extends: base/base.yaml\nstages:\n  sgd: { sweep: { optimizer.sgd.momentum: [0.5] } }\n";
    fs::write(folder.path().join("own.yaml"), own).unwrap();
    insta::assert_snapshot!(seen(&folder, load(&folder, &[])));
}

#[test]
fn what_cannot_be_extended_is_shown() {
    let folder = folder("extends: base/bsae.yaml\n");
    insta::assert_snapshot!("no_such_file", seen(&folder, load(&folder, &[])));
    fs::write(folder.path().join("own.yaml"), "extends: base/base.yaml\n").unwrap();
    fs::write(
        folder.path().join("base/base.yaml"),
        "extends: ../own.yaml\n",
    )
    .unwrap();
    insta::assert_snapshot!("a_circle", seen(&folder, load(&folder, &[])));
}

#[test]
fn what_cannot_be_set_is_shown() {
    let folder = folder("extends: base/base.yaml\n");
    let set = [
        "sgd.train.bugdet={epochs: 1}",
        "sdg.train.seed=1",
        "sgd.train.seed",
        "sgd.train.seed=",
    ];
    insta::assert_snapshot!(seen(&folder, load(&folder, &set)));
}

#[test]
fn an_included_study_s_stages_come_under_its_name_and_refer_to_each_other() {
    let folder = folder(
        "study: own\ninclude: { one: base/base.yaml, two: base/base.yaml }\nstages:\n  one-copy: null\n  two-sgd: { \
         train: { seed: 7 } }\n  both: { steps_to_target: { runs: [one-sgd, two-sgd], train_loss: [0.5] } }\n",
    );
    let graph = load(&folder, &[]).unwrap().expand();
    let families: std::collections::BTreeSet<&str> = graph
        .stages()
        .iter()
        .map(|stage| stage.family.as_str())
        .collect();
    let expected = [
        "both",
        "one-digits",
        "one-sgd",
        "one-targets",
        "two-copy",
        "two-digits",
        "two-sgd",
        "two-targets",
    ];
    assert!(families.into_iter().eq(expected));
    let run = |name: &str| graph.stage(graph.find(name).unwrap());
    let point = "batch_size=16,budget.epochs=1,learning_rate=0.1";
    let (one, two) = (
        run(&format!("one-sgd/{point}")),
        run(&format!("two-sgd/{point}")),
    );
    let data = graph.find("one-digits").unwrap();
    assert!(matches!(one.inputs[0].source, Source::Stage { stage, .. } if stage == data));
    assert_eq!(
        (&one.settings["seed"], &two.settings["seed"]),
        (&0.into(), &7.into())
    );
    // Four runs of each.
    assert_eq!(run("one-targets").inputs.len(), 4);
    assert_eq!(run("both").inputs.len(), 8);
    // A run has the settings that it has by itself.
    let alone = Study::load(folder.path().join("base/base.yaml"))
        .unwrap()
        .expand();
    let alone = alone.stage(alone.find(&format!("sgd/{point}")).unwrap());
    assert_eq!(alone.settings, one.settings);
}

#[test]
fn a_file_that_includes_itself_is_shown() {
    let circle = folder("study: own\ninclude: { a: own.yaml }\nstages: {}\n");
    insta::assert_snapshot!("an_inclusion_of_itself", seen(&circle, load(&circle, &[])));
    let missing = folder("study: own\ninclude: { a: no.yaml }\nstages: {}\n");
    insta::assert_snapshot!(
        "no_such_file_to_include",
        seen(&missing, load(&missing, &[]))
    );
}
