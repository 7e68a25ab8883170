//! Curves from elsewhere and what is made of them: what loggers write, losses that are not finite, steps in the
//! hundred millions.

use std::fs;

use crate::lab::{Lab, stderr};

/// A study whose program copies a curve that lies beside it.
const COPIED: &str = "study: copied
stages:
  prog:
    command:
      run: \"cp given.csv curves.csv\"
      inputs: { given.csv: ./given.csv }
      curves: curves.csv
      settings: { method: sgd, batch_size: 64, learning_rate: 0.1, train_examples: 640, budget: { iterations: 30 } }
  targets: { steps_to_target: { runs: [prog], train_loss: [1.0] } }
  report: { report: { include: [targets] } }
";

/// Runs a study on a curve; what was said.
fn run(study: &str, curve: &str) -> (Lab, Option<i32>, String) {
    let lab = Lab::new(study);
    fs::write(lab.path("given.csv"), curve).expect("a file");
    let output = lab.output(&["run", "study.yaml"]);
    let (code, said) = (output.status.code(), stderr(&output));
    (lab, code, said)
}

/// The length of all files below a folder.
fn bytes(folder: &std::path::Path) -> u64 {
    let entries = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path());
    entries
        .map(|path| {
            if path.is_dir() {
                bytes(&path)
            } else {
                path.metadata().expect("a file").len()
            }
        })
        .sum()
}

/// What the export has as CSV.
fn exported(lab: &Lab, table: &str) -> String {
    let output = lab.output(&["export", "study.yaml", "--output", "out"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    fs::read_to_string(lab.path(&format!("out/{table}.csv"))).expect("the table")
}

#[test]
fn a_column_that_is_there_twice_fails_the_run_and_decides_no_target() {
    let (_, code, said) = run(COPIED, "step,train_loss,train_loss\n0,3,3\n30,0.5,2\n");
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("prog: curves.csv, line 1: more than one column is called `train_loss`"),
        "{said}"
    );
    let (_, code, said) = run(
        COPIED,
        "{\"step\": 30, \"train_loss\": 0.5, \"train_loss\": 2}\n",
    );
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("`train_loss` twice in one record"), "{said}");
}

#[test]
fn a_step_that_loss_scaling_skips_does_not_lose_a_run_that_reaches_its_target() {
    let (lab, code, said) = run(
        COPIED,
        "step,loss,train_loss\n0,,3\n1,3,\n2,inf,\n20,1,0.9\n30,1,0.5\n",
    );
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("diverged"), "{said}");
    let runs = exported(&lab, "runs");
    assert!(
        runs.contains("finished") && !runs.contains("diverged"),
        "{runs}"
    );
    let page = fs::read_to_string(lab.path("reports/copied.html")).expect("the page");
    assert!(!page.contains("1 run diverged"));
}

#[test]
fn a_test_loss_that_is_not_finite_is_exported_as_such_and_no_divergence() {
    let (lab, code, said) = run(
        COPIED,
        "step,loss,train_loss,test_loss\n0,,3,3\n30,1,0.5,inf\n",
    );
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("diverged"), "{said}");
    let evaluations = exported(&lab, "evaluations");
    assert!(
        evaluations.lines().last().expect("a row").contains("NaN"),
        "{evaluations}"
    );
}

#[test]
fn a_validation_loss_that_is_never_finite_is_named_as_that_by_a_selection() {
    let study = COPIED.replace(
        "  report: {",
        "  best: { select: { runs: [prog], by: validation_loss } }\n  report: {",
    );
    let (_, code, said) = run(
        &study,
        "step,train_loss,validation_loss\n0,3,nan\n30,0.5,nan\n",
    );
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("finite") && !said.contains("does the data set have that part"),
        "{said}"
    );
}

#[test]
fn steps_that_count_frames_cost_by_their_rows() {
    let study = COPIED.replace("iterations: 30", "iterations: 100000000");
    let (lab, code, said) = run(
        &study,
        "step,loss,train_loss\n0,,3\n50000000,2,1.5\n100000000,1,0.5\n",
    );
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(exported(&lab, "losses").lines().count(), 1 + 2);
    assert!(bytes(&lab.path("cache")) < 1 << 20);
}
