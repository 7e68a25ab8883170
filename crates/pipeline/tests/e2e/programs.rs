//! Programs as people write them: how they are started, and what is said where they fail.

use std::fs;

use crate::lab::{Lab, stderr};

/// A lab with a study of these stages, run once.
fn tried(stages: &str) -> (Lab, i32, String) {
    let lab = Lab::new(&format!("study: programs\nstages:\n{stages}"));
    let output = lab.output(&["run", "study.yaml"]);
    let said = stderr(&output);
    (lab, output.status.code().expect("it ends by itself"), said)
}

#[test]
fn a_failure_before_a_pipe_fails_the_stage() {
    let stages = "  a: { command: { run: 'no-such-program train.py | tee out.txt', outputs: { out: out.txt } } }\n";
    let (lab, code, said) = tried(stages);
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("a: the program ended with exit code 127 (the shell found no such program"),
        "{said}"
    );
    // Nothing was kept of it.
    assert_eq!(lab.output(&["run", "study.yaml"]).status.code(), Some(1));
    let (_, code, said) = tried(
        "  a: { command: { run: 'yes | head -n 1 > out.txt', outputs: { out: out.txt } } }\n",
    );
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("write `(PROGRAM || true) | head`"), "{said}");
    let (_, code, said) = tried(
        "  a: { command: { run: '(yes || true) | head -n 1 > out.txt', outputs: { out: out.txt } } }\n",
    );
    assert_eq!(code, 0, "{said}");
}

#[test]
fn a_sweep_without_its_program_is_one_message_with_a_count() {
    let (lab, code, said) = tried(
        "  a: { command: { run: [no-such-program, '{seed}'], outputs: { out: out.txt } }, sweep: { seed: { linear: { from: 0, step: 1, count: 60 } } } }\n",
    );
    assert_eq!(code, 1);
    assert!(said.lines().count() < 10, "{said}");
    assert!(
        said.contains(
            "failed: a/seed=0: cannot start `no-such-program`: there is no such program on PATH"
        ),
        "{said}"
    );
    assert!(
        said.contains("  and 59 more stages alike: 59 of a\n"),
        "{said}"
    );
    assert!(said.contains("60 failed"), "{said}");
    let status = lab.output(&["logs", "study.yaml", "a/seed=7"]);
    assert!(
        stderr(&status).contains("no-such-program"),
        "each can still be asked for"
    );
}

#[test]
fn an_input_that_is_run_without_its_path_is_named_with_it() {
    let lab = Lab::new(
        "study: programs\nstages:\n  a: { command: { run: [train.py], inputs: { train.py: ./train.py }, outputs: { out: out.txt } } }\n",
    );
    fs::write(lab.path("train.py"), "print(1)\n").expect("a file");
    let said = stderr(&lab.output(&["run", "study.yaml"]));
    assert!(
        said.contains("the input of that name is `./train.py`"),
        "{said}"
    );
    lab.write(
        &fs::read_to_string(lab.path("study.yaml"))
            .expect("the study")
            .replace("[train.py]", "[./train.py]"),
    );
    let said = stderr(&lab.output(&["run", "study.yaml"]));
    assert!(said.contains("`#!/usr/bin/env python3`"), "{said}");
}

#[test]
fn a_progress_bar_does_not_bury_why_a_program_failed() {
    let (_, _, said) = tried(
        r#"  a: { command: { run: [sh, -c, 'for i in 1 2 3; do printf "\r\033[32m%s0%%\033[0m |###" $i; done; printf "\r\n"; echo "bad rate" >&2; exit 1'], outputs: { out: out.txt } } }
"#,
    );
    let tail: Vec<&str> = said
        .lines()
        .filter(|line| line.starts_with("  | "))
        .collect();
    assert_eq!(tail, ["  | 30% |###", "  | bad rate"], "{said}");
    assert!(!said.contains('\u{1b}') && !said.contains('\r'));
}
