//! An edit reruns what it changed and nothing else: stages as the program itself names and counts them.

use std::fs;

use crate::lab::{Lab, TINY};

/// 1 data set, 4 SGD and 8 K-FAC runs, 1 selection, 8 confirmed runs, targets, heatmap, report.
const STAGES: usize = 1 + 4 + 8 + 1 + 8 + 3;

/// Runs the study; nothing must run.
fn nothing_runs(lab: &Lab, why: &str) {
    let ran = lab.run();
    assert!(ran.names.is_empty(), "{why}: {:?} ran", ran.names);
    assert_eq!((ran.stages, ran.cached), (STAGES, STAGES), "{why}");
}

#[test]
fn a_second_run_runs_nothing() {
    let lab = Lab::new(TINY);
    let first = lab.run();
    assert_eq!(
        (first.stages, first.names.len(), first.cached),
        (STAGES, STAGES, 0)
    );
    let page = lab.page();
    nothing_runs(&lab, "nothing was edited");
    assert_eq!(lab.page(), page);
}

#[test]
fn spelling_changes_nothing() {
    let lab = Lab::new(TINY);
    lab.run();
    lab.edit("study: tiny", "# a comment\nstudy: tiny");
    nothing_runs(&lab, "a comment");
    lab.edit(
        "{ source: digits, train: 320, validation: 60, test: 100 }",
        "{ test: 100, validation: 60, train: 320, source: digits }",
    );
    nothing_runs(&lab, "the order of keys");
    lab.edit(
        "learning_rate: [0.05, 0.2]",
        "learning_rate: [5e-2, 2.0e-1]",
    );
    nothing_runs(&lab, "the spelling of numbers");
    lab.edit("damping: [0.01, 0.1]", "damping: [0.1, 0.01]");
    nothing_runs(&lab, "the order of a sweep's values");
}

#[test]
fn one_learning_rate_reruns_its_runs_and_what_reads_them_and_undo_runs_nothing() {
    let lab = Lab::new(TINY);
    lab.run();
    let page = lab.page();
    // A rate that wins nowhere, in place of one that wins nowhere: the winners stay, and with them the confirmed runs.
    lab.edit(
        "learning_rate: [0.01, 0.05]",
        "learning_rate: [0.0001, 0.05]",
    );
    let edited = lab.run();
    assert_eq!(
        edited.only(&["kfac", "best", "sensitivity", "report"]),
        [4, 1, 1, 1]
    );
    assert_eq!(edited.cached, STAGES - 7);
    lab.write(TINY);
    nothing_runs(&lab, "undo");
    assert_eq!(lab.page(), page);
}

#[test]
fn a_new_seed_or_grid_value_adds_only_its_runs() {
    let lab = Lab::new(TINY);
    lab.run();
    lab.edit("seed: [100, 101]", "seed: [100, 101, 102]");
    let seed = lab.run();
    assert_eq!(seed.only(&["confirmed", "targets", "report"]), [4, 1, 1]);
    assert_eq!(seed.stages, STAGES + 4);
    // With damping 1000 K-FAC crawls: the new runs win nowhere.
    lab.edit("damping: [0.01, 0.1]", "damping: [0.01, 0.1, 1000]");
    let damping = lab.run();
    assert_eq!(
        damping.only(&["kfac", "best", "sensitivity", "report"]),
        [4, 1, 1, 1]
    );
    assert_eq!(damping.stages, STAGES + 4);
}

#[test]
fn a_removed_grid_point_is_gone_from_the_report() {
    let lab = Lab::new(TINY);
    lab.run();
    // The line of a run of SGD begins: stage, method, batch size, learning rate.
    let row = |rate: &str| format!("\nsgd,sgd,32,{rate},");
    let list = || fs::read_to_string(lab.path("reports/tiny/list-runs.csv")).expect("the list");
    let before = list();
    assert!(
        before.contains(&row("0.05")) && before.contains(&row("0.2")),
        "the list of runs names every run"
    );
    lab.edit("learning_rate: [0.05, 0.2]", "learning_rate: [0.05]");
    let ran = lab.run();
    assert_eq!(ran.stages, STAGES - 2);
    assert!(
        !ran.names.iter().any(|name| name.starts_with("sgd/")),
        "{:?}",
        ran.names
    );
    let after = list();
    assert!(after.contains(&row("0.05")) && !after.contains(&row("0.2")));
}

#[test]
fn seeds_that_a_report_had_used_decide_nothing_once_the_study_is_extended() {
    let with = |seeds: &str| TINY.replace("[100, 101]", seeds);
    let five = with("[100, 101, 102, 103, 104]");
    let lab = Lab::new(&five);
    lab.run();
    let first = lab.page();
    assert!(!first.contains("Second look"));

    let extended = with("[100, 101, 102, 103, 104, 105, 106]");
    lab.write(&extended);
    lab.run();
    let page = lab.page();
    assert!(page.contains("Second look: an earlier report of this study had used 5"));
    assert!(page.contains("Only the 2 added since can decide"));
    // The same study again is the same second look.
    assert!(lab.run().names.is_empty());
    assert_eq!(lab.page(), page);

    // Looks that are declared only now are at the seeds that no report had used: none is left for them.
    let declared =
        |study: &str| study.replace("      claims: [", "      looks: [5, 7]\n      claims: [");
    lab.write(&declared(&extended));
    assert_eq!(lab.run().names, ["report"]);
    assert!(lab.page().contains("too few for a verdict, which needs 5"));
    assert!(lab.run().names.is_empty());

    // Back to the first five: nothing was added, and the first report still holds.
    lab.write(&five);
    assert!(lab.run().names.is_empty());
    assert_eq!(lab.page(), first);

    // Declared from the start, they share the level, and no seed is lost.
    let beforehand = Lab::new(&declared(&five));
    beforehand.run();
    assert!(beforehand.page().contains("first of two declared looks"));
    beforehand.write(&declared(&extended));
    beforehand.run();
    assert!(beforehand.page().contains("second of two declared looks"));
}

#[test]
fn a_damaged_history_of_a_study_stops_neither_its_plan_nor_its_run() {
    let lab = Lab::new(TINY);
    lab.run();
    let history = lab.path("cache/v1/run/tiny/last");
    let mut bytes = fs::read(&history).expect("the history");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&history, bytes).expect("damage");
    assert!(lab.output(&["plan", "study.yaml"]).status.success());
    nothing_runs(&lab, "the results are there");
    nothing_runs(&lab, "and so is the history again");
}
