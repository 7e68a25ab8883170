//! `pipeline cache gc --in-remote`, as its user sees it.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use crate::lab::{Lab, TINY, stderr, stdout};

fn ok(lab: &Lab, arguments: &[&str]) -> String {
    let output = lab.output(arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output)
}

fn refused(lab: &Lab, arguments: &[&str]) -> String {
    let output = lab.output(arguments);
    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
    stderr(&output)
}

/// Makes every file below a folder two months older.
fn age(folder: &Path) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("a file").path();
        if path.is_dir() {
            age(&path);
        } else {
            let file = File::open(&path).expect("a file");
            let written = file.metadata().and_then(|it| it.modified());
            let written = written.expect("the time");
            file.set_modified(written - Duration::from_hours(60 * 24))
                .expect("it is set back");
        }
    }
}

#[test]
fn gc_of_a_remote_says_first_and_deletes_what_no_plan_no_study_and_no_pin_keeps() {
    let lab = Lab::new(TINY);
    fs::create_dir(lab.path("remote")).expect("the remote");
    let frozen = |_: &Lab| {
        let plan = [
            "plan",
            "study.yaml",
            "--freeze",
            "--remote",
            "remote",
            "--cache",
            "login",
        ];
        let plan = ok(&lab, &plan).trim().to_owned();
        let run = [
            "run", "--plan", &plan, "--remote", "remote", "--cache", "node",
        ];
        ok(&lab, &run);
        age(&lab.path("remote"));
        plan
    };
    let first = frozen(&lab);
    lab.edit("damping: [0.01, 0.1]", "damping: [0.01, 0.3]");
    let second = frozen(&lab);
    let gc = [
        "cache",
        "gc",
        "--in-remote",
        "--remote",
        "remote",
        "--cache",
        "nothing",
    ];
    let said = ok(&lab, &gc);
    for part in [
        "would delete",
        "an old plan or copy, and not its study's last",
        "old, and of no study or pin (",
        "train ",
        "attempts at stages that have their results",
        &format!("used by plan {second}"),
        "nothing is deleted without --delete",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains(&first), "{said}");
    assert_eq!(ok(&lab, &gc), said, "it was one");
    let json = ok(&lab, &[&gc[..], &["--json"]].concat());
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["deleted"], false);
    let done = ok(&lab, &[&gc[..], &["--delete", "--verbose"]].concat());
    let plan = format!("deleted {}", lab.path("remote/v1/run/tiny").display());
    assert!(done.contains(&plan), "{done}");
    assert!(
        done.contains(&format!("{first}/plan").replace("tiny/", "")),
        "{done}"
    );
    let again = ok(&lab, &gc);
    assert!(again.contains("nothing to delete"), "{again}");
    let verified = ok(
        &lab,
        &["cache", "verify", "--in-remote", "--remote", "remote"],
    );
    assert!(verified.contains("all sound"), "{verified}");
    // A new machine finds all that the last plan came to.
    let run = [
        "run", "--plan", &second, "--remote", "remote", "--cache", "new",
    ];
    let run = lab.output(&run);
    assert!(stderr(&run).contains("0 ran"), "{}", stderr(&run));
    let mistaken = refused(&lab, &[&gc[..], &["--forget", "tinny"]].concat());
    assert!(
        mistaken.contains("`tinny` has run neither on this remote"),
        "{mistaken}"
    );
    let forget = [&gc[..], &["--forget", "tiny", "--delete"]].concat();
    let young = ok(&lab, &forget);
    assert!(young.contains(&format!("used by plan {second}")), "{young}");
    age(&lab.path("remote"));
    let all = ok(&lab, &forget);
    assert!(
        all.contains("what the runs of a forgotten study did"),
        "{all}"
    );
    let left = ok(&lab, &gc);
    assert!(left.contains(" B: nothing to delete"), "{left}");
}

#[test]
fn a_remote_that_has_nothing_has_no_bytes_and_nothing_to_delete() {
    let lab = Lab::new(TINY);
    fs::create_dir(lab.path("remote")).expect("the remote");
    let gc = ["cache", "gc", "--in-remote", "--remote", "remote"];
    for more in [&[][..], &["--delete"], &[]] {
        assert_eq!(
            ok(&lab, &[&gc[..], more].concat()),
            "0 B: nothing to delete\n"
        );
    }
}

#[test]
fn gc_of_a_remote_refuses_what_makes_no_sense() {
    let lab = Lab::new(TINY);
    let said = refused(&lab, &["cache", "gc", "--in-remote"]);
    assert!(said.contains("there is no remote"), "{said}");
    let said = refused(&lab, &["cache", "gc", "--grace", "8d"]);
    assert!(said.contains("--in-remote"), "{said}");
    let gc = ["cache", "gc", "--in-remote", "--remote", "."];
    let said = refused(&lab, &[&gc[..], &["--grace", "5m"]].concat());
    assert!(said.contains("an hour is the least"), "{said}");
    let said = refused(&lab, &[&gc[..], &["--checkpoints"]].concat());
    assert!(said.contains("--checkpoints"), "{said}");
}
