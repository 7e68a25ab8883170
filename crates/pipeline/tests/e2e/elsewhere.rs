//! Other people's machines: quotas, a cache for several users, folders that may only be read.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::lab::{Lab, stderr, stdout};

const STUDY: &str = "\
study: elsewhere
stages:
  a: { command: { run: 'echo in the log; printf contents > out.txt', outputs: { out: out.txt } } }
  b: { command: { run: 'cat a.txt a.txt > out.txt', inputs: { a.txt: a }, outputs: { out: out.txt } } }
  digits: { dataset: { source: digits } }
  sgd:
    train: { dataset: digits, model: { mlp: { hidden: [8] } }, optimizer: sgd, budget: { iterations: 3 }, batch_size: 32, learning_rate: 0.1 }
  targets: { steps_to_target: { runs: [sgd], train_loss: [1.0] } }
  report: { report: { include: [targets] } }
";

/// A library that is preloaded and lets writes fail; none, with a word on it, where nothing compiles C.
fn quota(folder: &Path) -> Option<PathBuf> {
    let library = folder.join("quota.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/quota.c");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .output();
    match compiled {
        Ok(done) if done.status.success() => Some(library),
        Ok(done) => {
            eprintln!("skipped: no library can be compiled: {}", stderr(&done));
            None
        }
        Err(error) => {
            eprintln!("skipped: no library can be compiled: cc: {error}");
            None
        }
    }
}

#[test]
fn a_quota_that_is_used_up_is_told_and_the_next_run_goes_on_from_what_is_there() {
    let lab = Lab::new(STUDY);
    let Some(library) = quota(&lab.path("")) else {
        return;
    };
    for (what, path, starts) in [
        ("an output", "/v1/tmp", "contents"),
        ("a record", "/v1/tmp", "pipeline record"),
        ("a history", "/v1/tmp", "pipeline index"),
        ("a digest", "/v1/tmp", "pipeline file"),
        ("a journal", "/v1/run", ""),
        ("a page", "/reports", ""),
        ("a figure", "/reports/elsewhere", "<svg"),
        ("everything", "/", "p"),
    ] {
        for folder in ["cache", "reports"] {
            let _ = fs::remove_dir_all(lab.path(folder));
        }
        let run = lab
            .command(&["run", "study.yaml"])
            .env("LD_PRELOAD", &library)
            .env("QUOTA_PATH", path)
            .env("QUOTA_STARTS", starts)
            .output()
            .expect("the binary starts");
        let said = stderr(&run);
        if what != "a digest" {
            assert_eq!(run.status.code(), Some(1), "{what}: {said}");
            assert!(
                said.to_lowercase().contains("quota exceeded"),
                "{what}: {said}"
            );
        }
        let again = lab.run();
        assert_eq!(again.stages, 6, "{what}");
        let verified = lab.output(&["cache", "verify"]);
        assert!(
            stdout(&verified).contains("all sound"),
            "{what}: {}",
            stdout(&verified)
        );
    }
}

#[test]
fn a_remote_that_is_full_at_the_start_serves_what_it_holds_and_gets_the_rest_later() {
    let lab = Lab::new(STUDY);
    let Some(library) = quota(&lab.path("")) else {
        return;
    };
    fs::create_dir(lab.path("shared")).expect("a folder");
    let machine = |name: &str| {
        let mut command =
            lab.command(&["run", "study.yaml", "--remote", "shared", "--cache", name]);
        command.args(["--reports", name]);
        command
    };
    let first = machine("a").output().expect("the binary starts");
    assert!(first.status.success(), "{}", stderr(&first));
    lab.write(&STUDY.replace("iterations: 3", "iterations: 4"));
    let full = machine("b")
        .env("LD_PRELOAD", &library)
        .env("QUOTA_PATH", "/shared/v1/tmp")
        .output()
        .expect("the binary starts");
    let said = stderr(&full);
    assert!(full.status.success(), "{said}");
    let (note, said) = said.split_once('\n').expect("a note comes first");
    assert!(note.contains("cannot be written"), "{note}");
    // The commands and the data set are those of the first machine.
    assert!(said.contains("6 stages: 3 ran, 3 cached"), "{said}");
    let space = machine("b").output().expect("the binary starts");
    assert!(space.status.success(), "{}", stderr(&space));
    let third = machine("c").output().expect("the binary starts");
    let said = stderr(&third);
    assert!(said.contains("6 stages: 0 ran, 6 cached"), "{said}");
}

/// A folder in which other users may run a copy of the program; none, with a word on it, where this one may not become
/// another.
fn shared() -> Option<Lab> {
    let lab = Lab::new(STUDY);
    let binary = lab.path("pipeline");
    fs::copy(env!("CARGO_BIN_EXE_pipeline"), &binary).expect("the binary can be copied");
    let open = |path: &Path, mode| {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is this user's");
    };
    open(&lab.path(""), 0o755);
    open(&binary, 0o755);
    let tried = as_user(2001, &lab, &["--version"]).output();
    if !tried.is_ok_and(|tried| tried.status.success()) {
        eprintln!("skipped: this user may not become another (setpriv)");
        return None;
    }
    for folder in ["cache", "reports"] {
        fs::create_dir(lab.path(folder)).expect("a folder");
        let group = Command::new("chgrp")
            .arg("2000")
            .arg(lab.path(folder))
            .status();
        assert!(group.expect("chgrp is there").success());
        open(&lab.path(folder), 0o2775);
    }
    Some(lab)
}

/// The program, by a user of the group 2000 who keeps everything to himself.
fn as_user(user: u32, lab: &Lab, arguments: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--reuid={user}"))
        .args(["--regid=2000", "--clear-groups"])
        .args(["sh", "-c", "umask 077; exec \"$0\" \"$@\"", "./pipeline"])
        .args(arguments)
        .current_dir(lab.path(""))
        .env_remove("PIPELINE_CACHE")
        .env_remove("PIPELINE_SITE")
        .env("NO_COLOR", "1");
    command
}

fn runs(user: u32, lab: &Lab, arguments: &[&str]) -> Output {
    let output = as_user(user, lab, arguments).output();
    output.expect("setpriv was there before")
}

#[test]
fn two_users_of_a_group_share_a_cache_and_its_reports_whatever_their_umasks() {
    let Some(lab) = shared() else {
        return;
    };
    // One fails at a stage, the other comes after, and the first takes up what that one did.
    lab.write(&STUDY.replace("cat a.txt a.txt", "cat a.txt no.txt"));
    let first = runs(2001, &lab, &["run", "study.yaml"]);
    assert_eq!(first.status.code(), Some(1), "{}", stderr(&first));
    lab.write(STUDY);
    for (user, ran) in [
        (2002, "1 ran, 5 cached"),
        (2001, "0 ran, 6 cached"),
        (2002, "0 ran"),
    ] {
        let run = runs(user, &lab, &["run", "study.yaml"]);
        assert_eq!(run.status.code(), Some(0), "{user}: {}", stderr(&run));
        assert!(stderr(&run).contains(ran), "{user}: {}", stderr(&run));
    }
    lab.write(&STUDY.replace("iterations: 3", "iterations: 4"));
    for user in [2002, 2001] {
        let run = runs(user, &lab, &["run", "study.yaml"]);
        assert_eq!(run.status.code(), Some(0), "{user}: {}", stderr(&run));
    }
    for command in [
        &[
            "cache",
            "gc",
            "--delete",
            "--forget",
            "elsewhere",
            "--max-size",
            "1K",
        ][..],
        &["cache", "verify"],
    ] {
        let done = runs(2002, &lab, command);
        assert_eq!(
            done.status.code(),
            Some(0),
            "{command:?}: {}",
            stderr(&done)
        );
    }
}

#[test]
fn what_may_only_be_read_serves_what_it_holds_and_is_named_where_that_is_not_enough() {
    let Some(lab) = shared() else {
        return;
    };
    // This user's alone: others may read.
    for folder in ["cache", "reports"] {
        fs::set_permissions(lab.path(folder), Permissions::from_mode(0o755)).expect("it is his");
    }
    lab.run();
    let said = |arguments: &[&str]| {
        let output = runs(2002, &lab, arguments);
        (output.status.code(), stderr(&output))
    };
    let (code, plan) = said(&["plan", "study.yaml"]);
    assert_eq!(code, Some(0), "{plan}");
    let elsewhere = tempfile::tempdir().expect("a folder");
    fs::set_permissions(elsewhere.path(), Permissions::from_mode(0o777)).expect("it is his");
    let there = elsewhere.path().to_str().expect("a plain path");
    let (code, run) = said(&["run", "study.yaml", "--reports", there]);
    assert_eq!(code, Some(0), "{run}");
    assert!(run.contains("0 ran, 6 cached"), "{run}");
    // The folder of reports, then the cache.
    let (code, run) = said(&["run", "study.yaml"]);
    assert_eq!(code, Some(1), "{run}");
    assert!(
        run.contains("cannot write reports to `reports`: Permission denied"),
        "{run}"
    );
    lab.write(&STUDY.replace("iterations: 3", "iterations: 4"));
    let (code, run) = said(&["run", "study.yaml", "--reports", there]);
    assert_eq!(code, Some(1), "{run}");
    assert!(run.contains("cannot be written"), "{run}");
    assert!(
        !run.contains(" ran"),
        "nothing runs before it is known: {run}"
    );
}

#[test]
fn a_remote_that_one_may_not_look_at_is_not_said_to_be_missing() {
    let Some(lab) = shared() else {
        return;
    };
    fs::create_dir_all(lab.path("closed/remote")).expect("a folder");
    fs::set_permissions(lab.path("closed"), Permissions::from_mode(0o700)).expect("it is closed");
    for (remote, says) in [
        ("closed/remote", "cannot look at the remote `closed/remote`"),
        ("closed", "cannot read the remote `closed`"),
    ] {
        let output = runs(2001, &lab, &["run", "study.yaml", "--remote", remote]);
        assert_eq!(output.status.code(), Some(1));
        let said = stderr(&output);
        assert!(
            said.contains(says) && said.contains("Permission denied"),
            "{said}"
        );
    }
}

#[test]
fn folders_whose_names_are_not_utf_8_serve_as_any_other() {
    let lab = Lab::new(STUDY);
    let run = lab
        .command(&["run", "study.yaml", "--cache"])
        .arg(OsStr::from_bytes(b"caf\xe9"))
        .arg("--reports")
        .arg(OsStr::from_bytes(b"\xff"))
        .output()
        .expect("the binary starts");
    assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
    let reports = lab.path("").join(OsStr::from_bytes(b"\xff"));
    assert!(reports.join("elsewhere.html").is_file());
}

#[test]
fn what_has_no_end_is_no_study() {
    let lab = Lab::new("extends: /dev/zero\nstudy: s\n");
    for (arguments, code) in [
        (&["check", "/dev/zero"][..], 2),
        (&["check", "study.yaml"], 2),
    ] {
        let output = lab.output(arguments);
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        assert!(stderr(&output).contains("a file of more than 16 MiB cannot be a study"));
    }
}

#[test]
fn a_program_finds_its_folder_for_temporary_files_whatever_its_name() {
    let lab = Lab::new(
        "study: elsewhere\nstages:\n  a: { command: { run: 'echo there > \"$TMPDIR/x\"; cat \"$TMPDIR/x\" > out.txt', outputs: { out: out.txt } } }\n",
    );
    let temporary = lab.path("").join(OsStr::from_bytes(b"caf\xe9"));
    fs::create_dir(&temporary).expect("a folder");
    let run = lab
        .command(&["run", "study.yaml"])
        .env("TMPDIR", &temporary)
        .output()
        .expect("the binary starts");
    assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
}
