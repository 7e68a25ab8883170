//! Checkpoints: a stage goes on from them, whatever ended it, and so does another that begins alike.

#[path = "toy/lab.rs"]
mod lab;
#[path = "toy/mod.rs"]
mod toy;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use engine::{DeletionReason, Event, Flaw, Outcome, Policy};
use lab::Lab;
use toy::Toy;

/// One stage of so many steps.
fn long(steps: u64, pause: u64) -> Vec<Toy> {
    vec![
        Toy::sum("long", 7, &[])
            .with("steps", steps)
            .with("pause", pause),
    ]
}

/// How many steps were ever made.
fn made(lab: &Lab) -> usize {
    let log = fs::read_to_string(lab.path("log.steps")).unwrap_or_default();
    log.lines().count()
}

#[test]
fn a_stage_whose_processes_were_killed_goes_on_from_its_last_checkpoint() {
    let lab = Lab::new();
    let study = long(200, 5);
    let mut engine = lab.engine(&study);
    Lab::wait_until(|| made(&lab) >= 10);
    engine.kill().unwrap();
    engine.wait().unwrap();
    // Its worker ends by itself; then the stage can be claimed.
    let run = lab.run(&study);
    lab.check(&study, &run.summary);
    // A step may have been made and its checkpoint not kept.
    assert!((200..=201).contains(&made(&lab)), "{}", made(&lab));
}

#[test]
fn an_interrupted_stage_keeps_its_checkpoint_and_ends_by_itself() {
    let lab = Lab::new();
    let study = long(2000, 5);
    let options = lab.options();
    let interrupt = options.interrupt.clone();
    let run = std::thread::scope(|scope| {
        let run = scope.spawn(|| lab.run_with(&study, &options));
        Lab::wait_until(|| made(&lab) >= 10);
        interrupt.store(true, Ordering::Relaxed);
        run.join().unwrap()
    });
    assert!(run.summary.interrupted());
    let id = toy::graph(&study).find("long").unwrap();
    assert!(matches!(run.summary.outcome(id), Outcome::NotRun));
    let said = run.events.iter().find_map(|event| match event {
        Event::Interrupted { seconds, .. } => Some(*seconds),
        _ => None,
    });
    assert_eq!(
        said,
        Some(None),
        "it may end its step, however long that takes"
    );
    let before = made(&lab);
    assert!(before < 2000);
    assert_eq!(lab::step(lab.kept().last().unwrap()), before as u64);
    // gc leaves to the next run what this one left to it.
    let all = Policy {
        older_than: Some(Duration::ZERO),
        max_bytes: Some(0),
        ..Policy::default()
    };
    lab.store().gc(&all, true).unwrap();
    assert_eq!(lab::step(lab.kept().last().unwrap()), before as u64);

    let shorter = long(before as u64 + 3, 5);
    let run = lab.run(&shorter);
    lab.check(&shorter, &run.summary);
    assert_eq!(made(&lab), before + 3);
}

#[test]
fn a_longer_stage_makes_only_the_steps_that_are_new() {
    let lab = Lab::new();
    lab.ran(&long(6, 0));
    assert_eq!(made(&lab), 6);
    lab.ran(&long(9, 0));
    assert_eq!(made(&lab), 9);
    // From the fourth, which stayed.
    lab.ran(&long(5, 0));
    assert_eq!(made(&lab), 10);
    lab.ran(&[Toy::sum("long", 8, &[]).with("steps", 2)]);
    assert_eq!(made(&lab), 12, "another root");
}

#[test]
fn superseded_checkpoints_go_as_the_stage_advances() {
    let lab = Lab::new();
    lab.ran(&long(10, 0));
    let steps: Vec<u64> = lab.kept().iter().map(|path| lab::step(path)).collect();
    assert_eq!(steps, [4, 8, 10]);
}

#[test]
fn a_damaged_checkpoint_is_set_aside_and_an_earlier_one_serves() {
    let lab = Lab::new();
    lab.ran(&long(6, 0));
    let deepest = lab.kept().pop().unwrap();
    assert_eq!(lab::step(&deepest), 6);
    lab::flip(&deepest);
    let study = long(7, 0);
    let run = lab.run(&study);
    lab.check(&study, &run.summary);
    assert_eq!(made(&lab), 6 + 3, "from the fourth step on");
    let told = run.events.iter().any(
        |event| matches!(event, Event::Corrupt { what, path } if what == "checkpoint" && path.exists()),
    );
    assert!(told, "{:?}", run.events);
    assert_eq!(lab.store().verify_all(1).unwrap().flaws, []);
}

#[test]
fn verify_finds_a_damaged_checkpoint_and_a_stray_file_among_them() {
    let lab = Lab::new();
    lab.ran(&long(6, 0));
    let deepest = lab.kept().pop().unwrap();
    lab::flip(&deepest);
    let stray = deepest.with_file_name("06-notes");
    fs::write(&stray, "").unwrap();
    let flaws = lab.store().verify_all(1).unwrap().flaws;
    assert!(
        flaws.iter().any(|flaw| matches!(flaw, Flaw::Damaged { what, path, .. } if what == "checkpoint" && *path == deepest)),
        "{flaws:?}"
    );
    assert!(flaws.contains(&Flaw::Stray { path: stray }), "{flaws:?}");
    assert_eq!(flaws.len(), 2, "{flaws:?}");
}

#[test]
fn usage_counts_checkpoints_by_themselves() {
    let lab = Lab::new();
    lab.ran(&long(6, 0));
    let (bytes, files) = lab.store().usage().unwrap().by_kind["checkpoints"];
    let lengths = lab
        .kept()
        .iter()
        .map(|it| fs::metadata(it).unwrap().len())
        .sum();
    assert_eq!((bytes, files), (lengths, 2));
}

#[test]
fn checkpoints_go_with_the_results_of_their_stages_and_last_of_all_those_of_stages_that_are_done() {
    let lab = Lab::new();
    lab.ran(&long(6, 0));
    let old = lab.kept();
    let study = [Toy::sum("long", 8, &[]).with("steps", 2)];
    lab.ran(&study);
    let gc = |policy: &Policy| lab.store().gc(policy, true).unwrap().deletions;
    let none = gc(&Policy::default());
    assert_eq!(none, []);
    let old_ones = gc(&Policy {
        older_than: Some(Duration::ZERO),
        ..Policy::default()
    });
    let gone = |path: &PathBuf| {
        let deletion = old_ones.iter().find(|it| it.path == *path);
        deletion.is_some_and(|it| it.why == DeletionReason::Old) && !path.exists()
    };
    assert!(old.iter().all(gone), "{old_ones:?}");
    assert_eq!(lab.kept().len(), 1, "that of the study");
    let named = gc(&Policy {
        checkpoints: true,
        ..Policy::default()
    });
    assert_eq!(named.len(), 1);
    assert_eq!(named[0].why, DeletionReason::Done);
    assert_eq!(lab.kept(), Vec::<PathBuf>::new());
    assert!(lab.ran(&study).is_empty(), "its result is there");
}
