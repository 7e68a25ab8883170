//! Several copies of the program with caches of their own and one remote, on one machine.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::lab::{Lab, TINY, ran, stderr, stdout, without_provenance};

/// A copy of the program, on a machine of this name. It tells of itself often, and takes others for gone after so many
/// seconds without a sign of life.
fn start(lab: &Lab, machine: &str, ttl: &str) -> Child {
    let (cache, reports) = (format!("cache-{machine}"), format!("reports-{machine}"));
    let arguments = [
        "run",
        "--verbose",
        "study.yaml",
        "--remote",
        "remote",
        "--remote-beat",
        "0.2",
        "--remote-ttl",
        ttl,
        "--jobs",
        "1",
        "--cache",
        &cache,
        "--reports",
        &reports,
    ];
    let mut command = lab.command(&arguments);
    command.stderr(Stdio::piped()).spawn().expect("it starts")
}

/// What a copy said, which ended with exit code 0.
fn said(copy: Child) -> String {
    let output = copy.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stderr(&output)
}

/// The names of all stages that copies ran, sorted.
fn all_ran(said: &[String]) -> Vec<String> {
    let mut names: Vec<String> = said.iter().flat_map(|said| ran(said).names).collect();
    names.sort();
    names
}

fn records(lab: &Lab) -> usize {
    let folders = fs::read_dir(lab.path("remote/v1/ac")).into_iter().flatten();
    let files = folders.flat_map(|it| {
        fs::read_dir(it.expect("a folder").path())
            .into_iter()
            .flatten()
    });
    files.count()
}

fn wait_until(is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_mins(1), "it does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn lab() -> Lab {
    let lab = Lab::new(TINY);
    fs::create_dir(lab.path("remote")).expect("the remote");
    lab
}

/// The tables and the page of a machine.
fn results(lab: &Lab, reports: &str) -> (Vec<u8>, String) {
    let table = fs::read(lab.path(reports).join("tiny/report.json")).expect("the table");
    (
        table,
        without_provenance(&lab.path(reports).join("tiny.html")),
    )
}

/// What a machine alone comes to, without a remote; and that a new machine finds all of it in the remote.
fn check(lab: &Lab) {
    let alone = lab.run();
    let found = said(start(lab, "new", "600"));
    assert!(ran(&found).names.is_empty(), "{found}");
    assert_eq!(records(lab), alone.stages);
    assert_eq!(results(lab, "reports-new"), results(lab, "reports"));
}

#[test]
fn two_copies_train_each_run_once_and_come_to_the_same_tables_as_one() {
    let lab = lab();
    let copies = ["a", "b"].map(|machine| start(&lab, machine, "600"));
    let said = copies.map(said);
    let names = all_ran(&said);
    let mut once = names.clone();
    once.dedup();
    assert_eq!(names, once, "no stage ran twice");
    check(&lab);
    let alone: PathBuf = lab.path("remote/v1/attempt");
    let attempts = fs::read_dir(alone).expect("attempts").count();
    assert_eq!(attempts, names.len(), "one claim for each stage that ran");
}

#[test]
fn a_copy_that_is_killed_and_one_that_stands_still_lose_nothing() {
    let lab = lab();
    let mut killed = start(&lab, "a", "2");
    wait_until(|| records(&lab) >= 2);
    let frozen = start(&lab, "b", "2");
    let other = start(&lab, "c", "2");
    wait_until(|| records(&lab) >= 5);
    killed.kill().expect("it is killed");
    killed.wait().expect("it is gone");
    let signal = |name: &str| {
        let process = frozen.id().to_string();
        let kill = std::process::Command::new("kill")
            .args([name, &process])
            .status();
        assert!(kill.expect("kill").success());
    };
    signal("-STOP");
    said(other);
    signal("-CONT");
    said(frozen);
    check(&lab);
}

#[test]
fn a_site_file_names_the_remote_and_what_is_none_is_refused() {
    let lab = lab();
    fs::write(
        lab.path("site.yaml"),
        "cache: { path: cache-site, remote: remote }\n",
    )
    .expect("written");
    let output = lab.output(&["run", "--verbose", "study.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let stages = ran(&stderr(&output)).stages;
    assert_eq!(records(&lab), stages);
    // Commands that only read know it, too.
    let output = lab.output(&["plan", "--cache", "cache-other", "study.yaml"]);
    let plan = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(plan.contains(&format!("{stages} cached")), "{plan}");
    for (remote, says) in [
        ("ftp://host/path", "no object store is called `ftp://`"),
        ("s3://KEY@bucket", "credentials are looked for where"),
        ("nowhere", "`mkdir -p` makes one"),
        ("study.yaml", "is no folder"),
        ("cache-other", "is the cache itself"),
    ] {
        let output = lab.output(&[
            "run",
            "study.yaml",
            "--cache",
            "cache-other",
            "--remote",
            remote,
        ]);
        assert_ne!(output.status.code(), Some(0));
        assert!(stderr(&output).contains(says), "{}", stderr(&output));
    }
}

/// Freezes the study: the name of its plan.
fn frozen(lab: &Lab, arguments: &[&str]) -> String {
    let all = ["plan", "study.yaml", "--freeze", "--remote", "remote"];
    let output = lab.output(&[&all, arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output).trim().to_owned()
}

/// A copy that carries a plan out on a machine of this name, and what it said.
fn take_part(lab: &Lab, machine: &str, plan: &str, more: &[&str]) -> String {
    let (cache, reports) = (format!("cache-{machine}"), format!("reports-{machine}"));
    let all = ["run", "--verbose", "--plan", plan, "--remote", "remote"];
    let own = [
        "--cache",
        &cache,
        "--reports",
        &reports,
        "--remote-beat",
        "0.2",
    ];
    let output = lab.output(&[&all, &own, more].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stderr(&output)
}

#[test]
fn a_frozen_plan_needs_no_study_and_no_files_and_comes_to_the_same_tables() {
    let lab = lab();
    lab.run();
    let plan = frozen(&lab, &["--cache", "cache-login"]);
    assert!(plan.starts_with("tiny/"), "{plan}");
    fs::remove_file(lab.path("study.yaml")).expect("the study goes");
    // A copy that trains nothing does what it can, and says what it leaves.
    let said = take_part(&lab, "login", "tiny", &["--no-train"]);
    assert_eq!(ran(&said).only(&["digits"]), [1], "{said}");
    assert!(said.contains("24 elsewhere"), "{said}");
    let copies = std::thread::scope(|scope| {
        let start = |machine| {
            let (lab, plan) = (&lab, &plan);
            scope.spawn(move || take_part(lab, machine, plan, &["--jobs", "1"]))
        };
        [start("a"), start("b")].map(|copy| copy.join().expect("a copy ends"))
    });
    let names = all_ran(&copies);
    assert_eq!(names.len(), 24, "{names:?}");
    // The plan by its id alone.
    let id = plan.rsplit('/').next().expect("an id");
    let last = take_part(&lab, "last", id, &["--no-train"]);
    assert!(ran(&last).names.is_empty(), "{last}");
    assert_eq!(results(&lab, "reports-last"), results(&lab, "reports"));
    assert!(lab.path("reports-last/tiny.html").exists());
}

#[test]
fn a_plan_for_another_device_is_not_trained_here_unless_it_is_said() {
    let lab = lab();
    let plan = frozen(&lab, &["--device", "cuda"]);
    let said = take_part(&lab, "a", &plan, &[]);
    let note = format!("this machine trains on cpu, and the plan {plan} was frozen for cuda");
    assert_eq!(said.matches(&note).count(), 1, "{said}");
    assert_eq!(ran(&said).only(&["digits"]), [1]);
    let said = take_part(&lab, "a", &plan, &["--any-device"]);
    assert_eq!(ran(&said).names.len(), 24, "{said}");
}

#[test]
fn a_plan_that_cannot_be_carried_out_is_refused_with_what_to_do() {
    let lab = lab();
    let refused = |arguments: &[&str]| {
        let output = lab.output(arguments);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        stderr(&output)
    };
    let said = refused(&["run", "--plan", "tiny", "--remote", "remote"]);
    assert!(
        said.contains("`pipeline plan STUDY --freeze` makes one"),
        "{said}"
    );
    let said = refused(&["run", "--plan", "tiny"]);
    assert!(said.contains("`--remote DIR` or the site file"), "{said}");
    let said = refused(&["plan", "study.yaml", "--freeze"]);
    assert!(said.contains("`--remote DIR` or the site file"), "{said}");
    let said = refused(&["run"]);
    assert!(said.contains("STUDY"), "{said}");
    let said = refused(&["run", "study.yaml", "--plan", "tiny", "--remote", "remote"]);
    assert!(said.contains("cannot be used with"), "{said}");
    let plan = frozen(&lab, &[]);
    let said = refused(&["run", "--plan", "another", "--remote", "remote"]);
    assert!(
        said.contains(&format!("the newest there are: {plan}")),
        "{said}"
    );
    // The same program, built at another time.
    let other = lab.path("pipeline");
    fs::copy(env!("CARGO_BIN_EXE_pipeline"), &other).expect("a copy");
    let mut command = std::process::Command::new(&other);
    command.args(["run", "--plan", &plan, "--remote", "remote"]);
    let output = command
        .current_dir(lab.path("."))
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("was frozen by another build"), "{said}");
    assert!(said.contains("freeze the study anew"), "{said}");
}

#[test]
fn a_laptop_pulls_what_a_cluster_pushed_and_draws_the_page_without_it() {
    let lab = lab();
    // Two that know nothing of each other but the remote.
    let cluster = lab.run();
    let said = |arguments: &[&str], code: i32| {
        let output = lab.output(arguments);
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        stdout(&output)
    };
    let push = ["cache", "push", "study.yaml", "--remote", "remote"];
    let all = cluster.stages;
    assert!(said(&push, 0).starts_with(&format!("{all} results brought to ")));
    assert!(said(&push, 0).contains("0 results brought to "));
    let list = said(&["cache", "list", "--in-remote", "--remote", "remote"], 0);
    assert!(list.contains(&format!("{all} of {all} results")), "{list}");
    let laptop = ["--cache", "laptop", "--remote", "remote"];
    let pull = [&["cache", "pull", "study.yaml"], &laptop[..]].concat();
    assert!(said(&pull, 0).starts_with(&format!("{all} results brought from ")));
    assert!(said(&pull, 0).starts_with("0 results brought from "));
    // A part of it, and what cannot be a part.
    let part = [&pull[..], &["--set", "kfac.sweep.damping=[0.01]"]].concat();
    let part = part
        .iter()
        .map(|it| if *it == "laptop" { "part" } else { it });
    let brought = said(&part.collect::<Vec<_>>(), 0);
    let brought: usize = brought
        .split(' ')
        .next()
        .unwrap_or_default()
        .parse()
        .expect(&brought);
    assert!((2..all).contains(&brought), "{brought} of {all}");
    let by_name = [
        "cache", "pull", "tiny", "--set", "sgd=null", "--remote", "remote",
    ];
    let refused = lab.output(&by_name);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        stderr(&refused).contains("no file `tiny`"),
        "{}",
        stderr(&refused)
    );
    // A page so far needs no pull.
    let far = ["report", "study.yaml", "--so-far", "--reports", "far"];
    let far = [&far[..], &["--cache", "third", "--remote", "remote"]].concat();
    said(&far, 0);
    let page = without_provenance(&lab.path("far").join("tiny.html"));
    assert_eq!(page, results(&lab, "reports").1);
    fs::rename(lab.path("remote"), lab.path("away")).expect("it goes");
    let run = [
        "run",
        "--verbose",
        "study.yaml",
        "--cache",
        "laptop",
        "--reports",
        "pulled",
    ];
    let output = lab.output(&run);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(
        ran(&stderr(&output)).names.is_empty(),
        "all of it was brought"
    );
    assert_eq!(results(&lab, "pulled"), results(&lab, "reports"));
}

#[test]
fn what_lacks_an_output_is_not_pushed_and_what_is_damaged_in_the_remote_is_named() {
    let lab = lab();
    lab.run();
    let blobs = fs::read_dir(lab.path("cache/v1/cas")).expect("blobs");
    let folder = blobs.map(|it| it.expect("a folder").path()).next();
    fs::remove_dir_all(folder.expect("there are some")).expect("lost");
    let output = lab.output(&["cache", "push", "--remote", "remote"]);
    assert_eq!(output.status.code(), Some(1));
    let said = stdout(&output);
    assert!(said.contains("the cache has lost its output"), "{said}");
    let verify = ["cache", "verify", "--in-remote", "--remote", "remote"];
    let output = lab.output(&verify);
    assert_eq!(
        (output.status.code(), stderr(&output)),
        (Some(0), String::new())
    );
    let record = fs::read_dir(lab.path("remote/v1/ac")).expect("records");
    let record = record.map(|it| it.expect("a folder").path()).next();
    let record = fs::read_dir(record.expect("one")).expect("a folder").next();
    let record = record.expect("one").expect("a file").path();
    fs::remove_file(&record).expect("it goes");
    fs::write(&record, "something else").expect("it is damaged");
    let output = lab.output(&verify);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).contains("damaged record"),
        "{}",
        stdout(&output)
    );
}
