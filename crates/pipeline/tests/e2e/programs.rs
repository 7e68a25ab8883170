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

#[test]
fn arguments_are_passed_as_they_are_spelt_and_swept_numbers_in_few_digits() {
    let lab = Lab::new(
        "study: programs\nstages:\n  a:\n    command:\n      run: [sh, -c, 'echo \"$@\" \"$V\" > out.txt', x, 1.10, 007, 1e3, 0x10, True, '{rate}']\n      environment: { V: 1.10 }\n      outputs: { out: out.txt }\n    sweep: { rate: [1e-3] }\n  b: { command: { run: 'cat in/* >&2; false', inputs: { in: a }, outputs: { out: out } } }\n",
    );
    let said = stderr(&lab.output(&["run", "study.yaml"]));
    assert!(
        said.contains("  | 1.10 007 1e3 0x10 True 0.001 1.10\n"),
        "{said}"
    );
}

#[test]
fn a_folder_is_an_input_and_a_new_file_in_it_reruns_its_reader_alone() {
    let lab = Lab::new(
        "study: programs\nstages:\n  a: { command: { run: 'echo hello > out.txt', outputs: { out: out.txt } } }\n  b: { command: { run: 'ls src/* > out.txt', inputs: { src: ./src }, outputs: { out: out.txt } } }\n  c: { command: { run: 'cat data/* > out.txt', inputs: { data: './data/*.csv' }, outputs: { out: out.txt } } }\n",
    );
    for (name, contents) in [
        ("src/a.py", "1"),
        ("src/sub/b.py", "2"),
        ("data/1.csv", "1"),
        ("data/no.txt", "2"),
    ] {
        let path = lab.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, contents).expect("a file");
    }
    assert_eq!(lab.run().names.len(), 3);
    fs::write(lab.path("src/sub/c.py"), "3").expect("a file");
    fs::write(lab.path("data/more.txt"), "3").expect("a file");
    assert_eq!(lab.run().names, ["b"]);
    fs::write(lab.path("data/2.csv"), "2").expect("a file");
    assert_eq!(lab.run().names, ["c"]);
}

#[test]
fn an_input_that_is_missing_is_warned_of_and_stops_its_reader_alone() {
    let lab = Lab::new(
        "study: programs\nstages:\n  a: { command: { run: 'echo hello > out.txt', outputs: { out: out.txt } } }\n  b: { command: { run: 'cp no out.txt', inputs: { no: ./no.txt }, outputs: { out: out.txt } } }\n  c: { command: { run: 'cp s out.txt', inputs: { s: ./socket }, outputs: { out: out.txt } } }\n",
    );
    let _socket = std::os::unix::net::UnixListener::bind(lab.path("socket")).expect("a socket");
    let check = lab.output(&["check", "study.yaml"]);
    assert_eq!(check.status.code(), Some(0));
    assert!(
        stderr(&check).contains("no.txt` does not exist"),
        "{}",
        stderr(&check)
    );
    assert_eq!(lab.output(&["plan", "study.yaml"]).status.code(), Some(0));
    let run = lab.output(&["run", "study.yaml"]);
    let said = stderr(&run);
    assert_eq!(run.status.code(), Some(1), "{said}");
    assert!(
        said.contains("failed: b: there is no file `no.txt`"),
        "{said}"
    );
    assert!(
        said.contains("failed: c: `socket` cannot be an input: it is neither a file nor a folder"),
        "{said}"
    );
    assert!(said.contains("1 ran, 0 cached, 2 failed"), "{said}");
}

/// Every file below a folder that has this text, such as a password.
fn files_with(folder: &std::path::Path, text: &str) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else if String::from_utf8_lossy(&fs::read(&path).expect("a file")).contains(text) {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_password_from_the_environment_reaches_the_program_and_is_kept_nowhere() {
    let lab = Lab::new(
        "study: programs\nstages:\n  a:\n    command:\n      run: 'printf %s \"$API_TOKEN\" | wc -c > out.txt'\n      environment: { API_TOKEN: { from_env: MY_TOKEN } }\n      outputs: { out: out.txt }\n",
    );
    let without = stderr(&lab.output(&["run", "study.yaml"]));
    assert!(
        without.contains("has no variable `MY_TOKEN`, which `environment` takes `API_TOKEN` from"),
        "{without}"
    );
    let output = lab
        .command(&["run", "--verbose", "study.yaml"])
        .env("MY_TOKEN", "hush-hush")
        .output();
    let output = output.expect("the binary starts");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(
        files_with(&lab.path("cache"), "hush-hush"),
        Vec::<std::path::PathBuf>::new()
    );
    // Another value is no reason to run again.
    let again = lab
        .command(&["run", "study.yaml"])
        .env("MY_TOKEN", "other")
        .output();
    assert!(stderr(&again.expect("the binary starts")).contains("0 ran, 1 cached"));
}

#[test]
fn a_password_in_a_study_is_warned_of_and_not_shown() {
    let lab = Lab::new(
        "study: programs\nstages:\n  a: { command: { run: 'true', environment: { API_TOKEN: hush-hush } } }\n  digits: { dataset: { source: cifar10, url: 'https://me:hush-hush@127.0.0.1:9/x.tar.gz', sha256: '0000000000000000000000000000000000000000000000000000000000000000' } }\n",
    );
    let check = stderr(&lab.output(&["check", "study.yaml"]));
    assert!(
        check.contains("`API_TOKEN: { from_env: API_TOKEN }`"),
        "{check}"
    );
    let run = stderr(&lab.output(&["run", "study.yaml"]));
    let explain = lab.output(&["explain", "study.yaml", "digits/download"]);
    let explain = String::from_utf8(explain.stdout).expect("text");
    assert!(
        explain.contains("https://************@127.0.0.1:9/x.tar.gz"),
        "{explain}"
    );
    for said in [check, run, explain] {
        assert!(!said.contains("hush-hush"), "{said}");
    }
}

#[test]
fn a_password_of_the_command_line_stands_on_no_page_and_in_no_plan() {
    let study = "study: programs\nstages:\n  a: { command: { run: 'true', environment: { OPENAI_KEY: hush-first } } }\n  digits: { dataset: { source: digits } }\n  sgd: { train: { dataset: digits, model: { mlp: { hidden: [8] } }, optimizer: sgd, budget: { iterations: 3 }, batch_size: 32, learning_rate: 0.1 } }\n  targets: { steps_to_target: { runs: [sgd], train_loss: [1.0] } }\n  report: { report: { include: [targets] } }\n";
    let lab = Lab::new(study);
    let set = "a.command.environment.OPENAI_KEY=hush-hush";
    let output = lab.output(&["run", "study.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for arguments in [
        &["explain", "study.yaml", "a"][..],
        &["explain", "study.yaml", "a", "--set", set],
        &["plan", "study.yaml", "--verbose", "--set", set],
        &["plan", "study.yaml", "--json", "--set", set],
        &["run", "study.yaml", "--set", set],
        &["logs", "study.yaml", "a"],
    ] {
        let output = lab.output(arguments);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let said = String::from_utf8(output.stdout.clone()).expect("text") + &stderr(&output);
        assert!(!said.contains("hush"), "{arguments:?}: {said}");
    }
    let page = fs::read_to_string(lab.path("reports/programs.html")).expect("a page");
    assert!(page.contains("OPENAI_KEY") && !page.contains("hush"));
}
