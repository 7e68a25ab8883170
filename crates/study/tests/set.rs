//! `--set`: what it changes, what it refuses, and that every mistake of it is shown in it.

use std::fs;

use study::Study;

const STUDY: &str = "\
study: own
stages:
  digits: { dataset: { source: digits, train: 640 } }
  sgd:
    train:
      dataset: digits
      model: { mlp: { hidden: [8] } }
      batch_size: 16
      learning_rate: 0.1
      budget: { epochs: 6, adjusted_from_batch: 16 }
      optimizer: sgd
    sweep: { seed: [0, 1] }
  copy: { like: sgd, train: { batch_size: 32 } }
  targets: { steps_to_target: { runs: [sgd], train_loss: [0.5] } }
  report: { report: { include: [targets], title: Before, claims: [diminishing_returns, sgd_faster_per_iteration] } }
";

fn load(set: &[&str]) -> Result<Study, study::Diagnostics> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("own.yaml");
    fs::write(&path, STUDY).expect("a file");
    let set: Vec<String> = set.iter().map(|&one| one.to_owned()).collect();
    Study::load_with(path, &set)
}

/// The settings of a stage of the graph.
fn settings(set: &[&str], stage: &str) -> serde_json::Map<String, serde_json::Value> {
    let study = load(set).unwrap_or_else(|mistakes| panic!("{set:?}: {}", shown(&mistakes)));
    let graph = study.expand();
    let id = graph.find(stage).unwrap_or_else(|| panic!("no {stage}"));
    graph.stage(id).settings.clone()
}

/// Each mistake with what is underlined, in which text, and the help.
fn shown(mistakes: &study::Diagnostics) -> String {
    let mut text = String::new();
    for mistake in mistakes {
        let report = format!("{:?}", miette::Report::new(mistake.clone()));
        text.push_str(&report);
    }
    text
}

/// What a study says when these are set, each of whose mistakes must be shown in a `--set`.
fn refused(set: &[&str]) -> String {
    let mistakes = load(set).err().expect("a mistake");
    let text = shown(&mistakes);
    assert_eq!(
        text.matches("[--set:").count(),
        mistakes.len(),
        "every mistake is shown in the --set: {text}"
    );
    text
}

#[test]
fn a_text_may_hold_what_yaml_would_read_otherwise() {
    for (value, title) in [
        ("Run #3", "Run #3"),
        ("SGD: again", "SGD: again"),
        ("a - b, c & *d", "a - b, c & *d"),
        ("'quoted'", "quoted"),
        ("\"Run #3\"", "Run #3"),
        (" spaces around ", "spaces around"),
        ("100 %", "100 %"),
        ("a=b", "a=b"),
    ] {
        let set = format!("report.report.title={value}");
        assert_eq!(settings(&[&set], "report")["title"], title, "{value}");
    }
}

#[test]
fn an_item_of_a_list_is_set_by_its_place() {
    let claims = |set: &[&str]| settings(set, "report")["claims"].to_string();
    let before = claims(&[]);
    let set = claims(&["report.report.claims.0=large_damping_is_sgd"]);
    assert_ne!(set, before);
    assert!(
        set.contains("large_damping_is_sgd") && set.contains("sgd_faster_per_iteration"),
        "{set}"
    );
    let fewer = claims(&["report.report.claims.0=null"]);
    assert!(
        !fewer.contains("diminishing_returns") && fewer.contains("sgd_faster_per_iteration"),
        "{fewer}"
    );
    assert!(
        load(&["sgd.sweep.seed.1=7"])
            .unwrap()
            .expand()
            .find("sgd/seed=7")
            .is_some()
    );
    assert!(
        refused(&["report.report.claims.2=large_damping_is_sgd"]).contains("its items are 0 to 1")
    );
    assert!(
        refused(&["report.report.claims.first=large_damping_is_sgd"]).contains("no item `first`")
    );
}

#[test]
fn taking_away_what_is_not_there_is_a_mistake() {
    let said = refused(&["sgd.sweep.sede=null"]);
    assert!(
        said.contains("there is no `sede` to remove") && said.contains("did you mean `seed`?"),
        "{said}"
    );
    assert!(refused(&["sgd.trian.seed=null"]).contains("did you mean `train`?"));
    assert!(refused(&["copy.sweep.sede=null"]).contains("did you mean `seed`?"));
    assert!(refused(&["stages.sdg=null"]).contains("did you mean `sgd`?"));
}

#[test]
fn what_a_stage_inherits_is_set_and_taken_away_in_it_alone() {
    let graph = load(&["copy.sweep.seed=null"]).unwrap().expand();
    assert!(graph.find("copy").is_some() && graph.find("sgd/seed=1").is_some());
    // A budget is replaced as a whole where a stage gives its own; set, it keeps its other half.
    let set = ["copy.train.budget.epochs=2"];
    let budget = &settings(&set, "copy/seed=0")["budget"];
    assert_eq!(
        (&budget["epochs"], &budget["adjusted_from_batch"]),
        (&2.0.into(), &16.into())
    );
    assert_eq!(settings(&set, "sgd/seed=0")["budget"]["epochs"], 6.0);
    let set = ["copy.train.budget.adjusted_from_batch=null"];
    assert!(
        settings(&set, "copy/seed=0")["budget"]
            .get("adjusted_from_batch")
            .is_none()
    );
}

#[test]
fn every_mistake_of_what_is_set_is_shown_there() {
    // What lacks something or is of the wrong type.
    refused(&["report.report.claims.0=sgd_faster_per_itration"]);
    refused(&["sgd.train.batch_size=many"]);
    refused(&["sgd.train.budget=null"]);
    refused(&["sgd.train.budget.epochs.x=1"]);
    refused(&["sgd.train.model.depth=3"]);
    refused(&["sgd.sweep.seed=[0, 1"]);
    refused(&["extends=other.yaml"]);
    // What makes correct lines of the file wrong.
    let said = refused(&["sgd=null"]);
    assert!(
        said.contains("since this is set") && said.contains("own.yaml, line"),
        "{said}"
    );
    refused(&[
        "sgd.train.batch_size=8",
        "digits.dataset.train=null",
        "digits.dataset.train=4",
    ]);
}

#[test]
fn a_mistake_of_the_file_stays_in_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("own.yaml");
    fs::write(&path, STUDY.replace("runs: [sgd]", "runs: [sdg]")).expect("a file");
    let mistakes = Study::load_with(path, &["sgd.train.seed=3".to_owned()]).err();
    let text = shown(&mistakes.expect("a mistake"));
    assert!(
        text.contains("own.yaml:") && !text.contains("[--set:"),
        "{text}"
    );
}
