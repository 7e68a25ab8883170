//! The space of checkpoints: it is held, the oldest that nobody needs go for it, and no others.

#[path = "toy/lab.rs"]
mod lab;
#[path = "toy/mod.rs"]
mod toy;

use std::fs::{self, File, TryLockError};
use std::sync::atomic::Ordering;

use engine::{Event, Options};
use lab::{Lab, Run};
use toy::Toy;

/// Bytes of a checkpoint of these stages: the line of its checksum, the line of its stage, ten digits.
const ONE: u64 = 82 + 77 + 10;

/// A stage of so many steps that shares its beginning with those of the same number.
fn long(name: &str, number: u64, steps: u64, pause: u64) -> Toy {
    Toy::sum(name, number, &[])
        .with("steps", steps)
        .with("pause", pause)
        .with("width", 10)
}

/// Stages of one step each, which leave one checkpoint each, one well after the other.
fn shorts(numbers: std::ops::Range<u64>) -> Vec<Toy> {
    let toys = numbers.map(|number| long(&format!("run/{number}"), number, 1, 15));
    toys.collect()
}

/// Options of a study of this name, one stage after the other, with room for so many checkpoints and a half.
fn room(lab: &Lab, study: &str, checkpoints: u64) -> Options {
    let mut options = lab.options();
    study.clone_into(&mut options.study);
    options.jobs = 1;
    options.site.checkpoints.space = checkpoints * ONE + ONE / 2;
    options
}

fn ran(lab: &Lab, toys: &[Toy], options: &Options) -> Run {
    let run = lab.run_with(toys, options);
    assert!(run.summary.complete(), "{:?}", run.summary);
    lab.check(toys, &run.summary);
    run
}

/// How many checkpoints were not kept.
fn refused(run: &Run) -> usize {
    let refused = |event: &&Event| matches!(event, Event::CheckpointNotKept { error, .. } if error.contains("no room"));
    run.events.iter().filter(refused).count()
}

/// How many steps were ever made.
fn steps(lab: &Lab) -> usize {
    let log = fs::read_to_string(lab.path("log.steps")).unwrap();
    log.lines().count()
}

#[test]
fn the_oldest_checkpoints_of_stages_that_are_done_go_when_there_are_too_many() {
    let lab = Lab::new();
    let study = shorts(0..6);
    let run = ran(&lab, &study, &room(&lab, "toy study", 4));
    assert_eq!(refused(&run), 0);
    let left = lab.taken() / ONE;
    assert!((3..=4).contains(&left), "{left}");
    // The last ones are there: only the first make a step again when they go on.
    let longer: Vec<Toy> = study.into_iter().map(|toy| toy.with("steps", 2)).collect();
    let before = steps(&lab);
    ran(&lab, &longer[3..], &room(&lab, "longer", 100));
    assert_eq!(steps(&lab) - before, 3);
    ran(&lab, &longer[..2], &room(&lab, "longer", 100));
    assert_eq!(steps(&lab) - before, 3 + 2 * 2);
}

#[test]
fn a_run_that_ends_leaves_no_more_than_a_smaller_space_holds() {
    let lab = Lab::new();
    ran(&lab, &shorts(0..6), &room(&lab, "toy study", 10));
    assert_eq!(lab.taken(), 6 * ONE);
    ran(
        &lab,
        &[Toy::sum("other", 1, &[])],
        &room(&lab, "toy study", 3),
    );
    assert!(lab.taken() <= 3 * ONE, "{}", lab.taken());
}

#[test]
fn a_checkpoint_too_large_for_the_space_takes_no_other_with_it() {
    let lab = Lab::new();
    ran(&lab, &shorts(0..3), &room(&lab, "toy study", 3));
    let large = [long("large", 99, 1, 0).with("width", 10 + 4 * ONE)];
    let run = ran(&lab, &large, &room(&lab, "toy study", 3));
    assert_eq!((refused(&run), lab.taken()), (1, 3 * ONE));
}

#[test]
fn what_an_interrupted_stage_left_stays_whoever_needs_room() {
    let lab = Lab::new();
    let study = [long("long", 99, 2000, 2)];
    let options = room(&lab, "interrupted", 2);
    let interrupt = options.interrupt.clone();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| lab.run_with(&study, &options));
        Lab::wait_until(|| lab.kept().last().is_some_and(|path| lab::step(path) >= 3));
        interrupt.store(true, Ordering::Relaxed);
        assert!(run.join().unwrap().summary.interrupted());
    });
    // The next run of the study is interrupted before it comes to that stage.
    lab.run_with(&study, &options);
    let deepest = lab.kept().pop().unwrap();
    // There is room for nothing else; those after every fourth step are not needed any more.
    let run = ran(&lab, &shorts(0..3), &room(&lab, "other", 1));
    assert_eq!(refused(&run), 3);
    assert_eq!(lab.kept(), std::slice::from_ref(&deepest));
    // There is room for one of the others.
    let run = ran(&lab, &shorts(3..6), &room(&lab, "other", 2));
    assert_eq!(refused(&run), 0);
    assert!(deepest.exists() && lab.taken() == 2 * ONE);
    let went_on = [long("long", 99, lab::step(&deepest) + 1, 0)];
    let before = steps(&lab);
    ran(&lab, &went_on, &room(&lab, "interrupted", 100));
    assert_eq!(steps(&lab) - before, 1);
}

#[test]
fn what_was_given_up_goes_like_what_is_done() {
    let lab = Lab::new();
    let mut engine = lab.engine(&[long("long", 99, 2000, 2)]);
    Lab::wait_until(|| !lab.kept().is_empty());
    engine.kill().unwrap();
    engine.wait().unwrap();
    // Another run of the study has come to its end without it.
    ran(&lab, &shorts(0..1), &room(&lab, "toy study", 100));
    let run = ran(&lab, &shorts(1..4), &room(&lab, "other", 2));
    assert_eq!(refused(&run), 0);
    assert!(lab.taken() <= 2 * ONE);
}

#[test]
fn with_room_for_one_checkpoint_a_stage_still_has_its_newest() {
    let lab = Lab::new();
    let run = ran(
        &lab,
        &[long("long", 99, 3, 15)],
        &room(&lab, "toy study", 1),
    );
    assert_eq!((refused(&run), lab.taken()), (0, ONE));
    assert_eq!(lab::step(&lab.kept()[0]), 3);
}

#[test]
fn a_checkpoint_that_a_stage_began_from_stays_while_the_stage_runs() {
    let lab = Lab::new();
    ran(&lab, &[long("long", 99, 1, 0)], &room(&lab, "first", 1));
    let begun_from = lab.kept().remove(0);
    let is_held = || {
        let file = File::open(&begun_from).unwrap();
        matches!(file.try_lock(), Err(TryLockError::WouldBlock))
    };
    let study = [long("longer", 99, 2, 1500)];
    std::thread::scope(|scope| {
        let longer = scope.spawn(|| ran(&lab, &study, &room(&lab, "second", 2)));
        Lab::wait_until(is_held);
        // Before the longer one has kept a checkpoint of its own.
        let run = ran(&lab, &shorts(0..3), &room(&lab, "third", 2));
        assert_eq!(refused(&run), 0);
        assert!(begun_from.exists());
        longer.join().unwrap();
    });
    ran(&lab, &shorts(3..6), &room(&lab, "third", 2));
    assert!(!begun_from.exists());
}

#[test]
fn the_checkpoints_of_a_stage_that_makes_its_lost_result_again_stay_while_it_runs() {
    let lab = Lab::new();
    let study = [long("long", 99, 4, 150)];
    ran(&lab, &study, &room(&lab, "first", 2));
    fs::remove_file(lab.blob(&study, "long")).unwrap();
    for path in lab.kept() {
        fs::remove_file(path).unwrap();
    }
    std::thread::scope(|scope| {
        let again = scope.spawn(|| ran(&lab, &study, &room(&lab, "first", 2)));
        Lab::wait_until(|| !lab.kept().is_empty());
        let root = lab.kept()[0].parent().unwrap().to_owned();
        let run = ran(&lab, &shorts(0..3), &room(&lab, "other", 2));
        assert_eq!(refused(&run), 0);
        assert!(!lab::files(&root).is_empty());
        again.join().unwrap();
    });
}

#[test]
fn two_engines_on_one_cache_leave_what_both_may() {
    let lab = Lab::new();
    std::thread::scope(|scope| {
        for (study, numbers) in [("one", 0..20), ("other", 20..40)] {
            let lab = &lab;
            scope.spawn(move || {
                let mut options = room(lab, study, 5);
                options.jobs = 2;
                let toys = numbers.map(|number| long(&format!("run/{number}"), number, 3, 2));
                ran(lab, &toys.collect::<Vec<_>>(), &options);
            });
        }
    });
    assert!(lab.taken() <= 5 * ONE, "{}", lab.taken());
    assert_eq!(lab.store().verify_all(1).unwrap().flaws, []);
}
