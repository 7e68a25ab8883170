//! What the program says, word for word.

use crate::lab::{Lab, TINY, stderr, stdout};

#[test]
fn a_study_with_mistakes_is_refused_with_all_of_them() {
    let lab = Lab::new(
        &TINY
            .replace("runs: [sgd, kfac]", "runs: [sgd, kfca]")
            .replace(
                "momentum: 0.9, inverse_every: 5",
                "momentun: 0.9, inverse_every: 5",
            )
            .replace("value: test_accuracy", "value: test_acuracy"),
    );
    let output = lab.output(&["run", "study.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(stderr(&output));
}

#[test]
fn check_counts_the_stages() {
    let lab = Lab::new(TINY);
    let output = lab.output(&["check", "study.yaml"]);
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!(stdout(&output));
}

#[test]
fn plan_says_what_would_run_and_why() {
    let lab = Lab::new(TINY);
    // How many jobs there are, and how much memory for them, is the machine's.
    let plan = || {
        let plan = stdout(&lab.output(&["plan", "study.yaml"]));
        let lines = plan.lines().filter(|line| !line.starts_with("jobs: "));
        lines.map(|line| line.to_owned() + "\n").collect::<String>()
    };
    insta::assert_snapshot!("plan_before", plan());
    lab.run();
    lab.edit("damping: [0.01, 0.1]", "damping: [0.01, 0.3]");
    // How long the work takes is not for a snapshot.
    let timeless: String = plan()
        .lines()
        .map(|line| line.split("; about").next().unwrap_or(line))
        .collect::<Vec<_>>()
        .join("\n");
    insta::assert_snapshot!("plan_after_an_edit", timeless);
    let point = "kfac/batch_size=32,damping=0.3,learning_rate=0.05";
    let explained = stdout(&lab.output(&["explain", "study.yaml", point]));
    let why = explained
        .lines()
        .take_while(|line| !line.starts_with("key:"));
    insta::assert_snapshot!("explain_a_new_point", why.collect::<Vec<_>>().join("\n"));
}

#[test]
fn explain_shows_the_manifest() {
    let lab = Lab::new(TINY);
    lab.run();
    let output = lab.output(&[
        "explain",
        "study.yaml",
        "kfac/batch_size=32,damping=0.1,learning_rate=0.05",
    ]);
    let manifest = stdout(&output);
    let lines: Vec<&str> = manifest
        .lines()
        .skip_while(|line| !line.starts_with("pipeline manifest"))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn results_go_to_stdout_and_everything_else_to_stderr() {
    let lab = Lab::new(TINY);
    let output = lab.output(&["run", "study.yaml"]);
    assert_eq!(stdout(&output), "reports/tiny.html\n");
    assert!(
        stderr(&output)
            .lines()
            .last()
            .expect("a last line")
            .ends_with("; report: reports/tiny.html")
    );
}

#[test]
fn help_names_every_command() {
    insta::assert_snapshot!(stdout(&Lab::new(TINY).output(&["--help"])));
}
