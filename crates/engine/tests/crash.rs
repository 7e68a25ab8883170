//! A process that ends at any change it makes to the store, one after another: the engine, a worker,
//! a second engine beside it, gc. The next run needs nothing repaired and gives the same results.

#[path = "toy/lab.rs"]
mod lab;
#[path = "toy/mod.rs"]
mod toy;

use std::fs;
use std::process::{Command, Stdio};

use lab::Lab;
use toy::Toy;

/// As many stages as it takes for every kind of change: one is read twice, one has the manifest of
/// another, two keep checkpoints and begin alike.
fn study() -> Vec<Toy> {
    vec![
        Toy::sum("data", 1, &[]),
        Toy::sum("run/a", 10, &["data"]),
        Toy::sum("run/b", 20, &["data"]),
        Toy::sum("again/b", 20, &["data"]),
        Toy::sum("long/a", 30, &["data"]).with("steps", 3),
        Toy::sum("long/b", 30, &["data"]).with("steps", 5),
        Toy::sum(
            "targets",
            40,
            &["run/a", "run/b", "again/b", "long/a", "long/b"],
        ),
    ]
}

/// Bytes for checkpoints: two of them, where three would be kept.
const SPACE: &str = "400";

/// Runs `role` with a crash before its `at`-th change, alone or with another engine and gc beside
/// it: whether it crashed.
fn crash(lab: &Lab, study: &[Toy], role: &str, at: usize, company: bool) -> bool {
    let mark = lab.path("crashed");
    let crashing = |mut command: Command| {
        command
            .env("TOY_CRASH", format!("{role} {at}"))
            .env("TOY_CRASHED", &mark)
            .env("TOY_SPACE", SPACE)
            .stderr(Stdio::null());
        command.spawn().unwrap()
    };
    let mut processes = Vec::new();
    if role == "gc" {
        processes.push(crashing(gc_command(lab)));
    } else {
        processes.push(crashing(lab.engine_command(study)));
    }
    if company {
        processes.push(lab.engine(study));
        processes.push(gc_command(lab).spawn().unwrap());
    }
    for mut process in processes {
        process.wait().unwrap();
    }
    mark.exists()
}

/// gc of everything that it may delete.
fn gc_command(lab: &Lab) -> Command {
    let mut gc = Command::new(Lab::program());
    gc.arg("gc")
        .arg(lab.path("cache"))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    gc
}

/// One more run completes, to what a run without a crash gives, and leaves nothing unsound.
fn completes(lab: &Lab, study: &[Toy], because: &str) {
    let run = lab.run(study);
    assert!(run.summary.complete(), "{because}: {:?}", run.summary);
    lab.check(study, &run.summary);
    assert!(lab.ran(study).is_empty(), "{because}");
    let verified = lab.store().verify_all(1).unwrap();
    assert_eq!(verified.flaws, [], "{because}");
    let void = lab.path("cache/v1/void");
    assert!(!void.exists(), "{because}: nothing came out otherwise");
    let everything = engine::Policy {
        older_than: Some(std::time::Duration::ZERO),
        ..engine::Policy::default()
    };
    lab.store().gc(&everything, true).unwrap();
    assert!(lab.ran(study).is_empty(), "{because}");
}

fn at_every_change(role: &str, at_least: usize) {
    let study = study();
    let prepare = || {
        let lab = Lab::new();
        if role == "gc" {
            // Something to delete.
            let mut old = study.clone();
            old[0].set("number", 2);
            lab.ran(&old);
            lab.ran(&study[..1]);
        }
        lab
    };
    let (mut alone, mut beside) = (0, 0);
    for at in 1.. {
        let lab = prepare();
        let crashed = crash(&lab, &study, role, at, false);
        completes(
            &lab,
            &study,
            &format!("{role} ended before its change {at}"),
        );
        if !crashed {
            break;
        }
        alone += 1;
        let lab = prepare();
        beside += usize::from(crash(&lab, &study, role, at, true));
        completes(
            &lab,
            &study,
            &format!("{role} ended before change {at} in company"),
        );
    }
    assert!(alone >= at_least, "{role} made only {alone} changes");
    eprintln!("{role}: {alone} crashes alone, {beside} in company");
}

#[test]
fn an_engine_may_end_before_any_change() {
    at_every_change("run", 5);
}

#[test]
fn a_worker_may_end_before_any_change() {
    at_every_change("worker", 30);
}

#[test]
fn gc_may_end_before_any_change() {
    at_every_change("gc", 10);
}

#[test]
fn a_crash_while_damage_is_made_good_is_made_good() {
    let study = study();
    let mut crashes = 0;
    for role in ["run", "worker"] {
        for at in 1..20 {
            let lab = Lab::new();
            lab.ran(&study);
            let names = ["data", "run/b", "targets"];
            let blobs = names.map(|name| lab.blob(&study, name));
            let records = names.map(|name| lab.record_file(&study, name));
            blobs
                .iter()
                .chain(&records)
                .for_each(|path| lab::flip(path));
            crashes += usize::from(crash(&lab, &study, role, at, true));
            let mut options = lab.options();
            options.verify = toy::graph(&study).ids().collect();
            let run = lab.run_with(&study, &options);
            assert!(run.summary.complete(), "{role} {at}: {:?}", run.summary);
            completes(&lab, &study, &format!("{role} {at}"));
        }
    }
    assert!(crashes > 10, "{crashes}");
}

#[test]
fn without_the_variable_nothing_crashes() {
    let lab = Lab::new();
    assert!(!crash(&lab, &study(), "nobody", 1, true));
    assert_eq!(lab.begun(), 6, "two engines, each stage once");
    assert!(fs::metadata(lab.path("crashed")).is_err());
}
