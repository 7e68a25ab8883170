//! The space of kept states: it is held, the oldest that nobody needs go for it, and no others.

#[path = "toy/lab.rs"]
mod lab;
#[path = "toy/mod.rs"]
mod toy;

use std::fs::{self, File, TryLockError};
use std::sync::atomic::{AtomicBool, Ordering};

use engine::{Event, Gone, Keeping, Options};
use lab::{Lab, Run};
use toy::Toy;

/// Bytes of a state of these stages: the line of its checksum, the line of its stage, ten digits.
const STATE: u64 = 82 + 77 + 10;

/// A stage of so many steps that shares its beginning with those of the same number.
fn long(name: &str, number: u64, steps: u64, pause: u64) -> Toy {
    Toy::sum(name, number, &[])
        .with("steps", steps)
        .with("pause", pause)
        .with("width", 10)
}

/// Stages of one step each, which leave one state each, one well after the other.
fn shorts(numbers: std::ops::Range<u64>) -> Vec<Toy> {
    let toys = numbers.map(|number| long(&format!("run/{number}"), number, 1, 15));
    toys.collect()
}

/// Options of a study of this name, one stage after the other, with room for so many states and a half.
fn room(lab: &Lab, study: &str, states: u64) -> Options {
    let mut options = lab.options();
    study.clone_into(&mut options.study);
    options.jobs = 1;
    options.site.keeping.space = Some(states * STATE + STATE / 2);
    options
}

fn ran(lab: &Lab, toys: &[Toy], options: &Options) -> Run {
    let run = lab.run_with(toys, options);
    assert!(run.summary.complete(), "{:?}", run.summary);
    lab.check(toys, &run.summary);
    run
}

/// How many states went each time that room was made.
fn gone(run: &Run) -> Vec<u64> {
    let gone = run.events.iter().filter_map(|event| match event {
        Event::StatesGone { states, bytes, .. } => {
            assert_eq!(*bytes, states * STATE);
            Some(*states)
        }
        _ => None,
    });
    gone.collect()
}

fn refused(run: &Run) -> usize {
    let refused = |event: &&Event| matches!(event, Event::NoRoom { bytes: STATE, .. });
    run.events.iter().filter(refused).count()
}

/// The most that kept states took while something was done, looked at all the time: at each moment between two looks
/// there was what both saw.
fn most_during(lab: &Lab, act: impl FnOnce()) -> u64 {
    /// However the act ends.
    struct Done<'a>(&'a AtomicBool);
    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let (mut most, mut before) = (0, lab.kept());
            while !done.load(Ordering::Relaxed) {
                let now = lab.kept();
                let both = now.iter().filter(|path| before.contains(path));
                most = most.max(both.count() as u64 * STATE);
                before = now;
            }
            most
        });
        let acting = Done(&done);
        act();
        drop(acting);
        watch.join().unwrap()
    })
}

#[test]
fn without_a_word_states_may_take_what_is_left_free_beside_them_but_no_more_than_20_gib() {
    let keeping = Keeping::default();
    let gib = |number: u64| number << 30;
    for (taken, free, bytes) in [
        (0, gib(1000), gib(20)),
        (gib(20), gib(20), gib(20)),
        (0, gib(10), gib(5)),
        (gib(4), gib(2), gib(3)),
        (0, 0, 0),
    ] {
        assert_eq!(keeping.bytes(taken, free), bytes, "{taken} {free}");
    }
    let said = Keeping {
        space: Some(7),
        ..keeping
    };
    assert_eq!(said.bytes(gib(4), 0), 7);
    assert_eq!(Lab::new().store().space_of_states(said).unwrap(), 7);
}

#[test]
fn the_oldest_states_of_stages_that_are_done_go_when_there_are_too_many() {
    let lab = Lab::new();
    let study = shorts(0..6);
    let run = ran(&lab, &study, &room(&lab, "toy study", 4));
    assert_eq!(gone(&run), [1, 1]);
    assert_eq!((lab.taken(), lab.believed()), (4 * STATE, 4 * STATE));
    // The last four are there: only the first two make a step again when they go on.
    let longer = study.into_iter().map(|toy| toy.with("steps", 2));
    let longer: Vec<Toy> = longer.collect();
    let steps = || {
        fs::read_to_string(lab.path("log.steps"))
            .unwrap()
            .lines()
            .count()
    };
    let before = steps();
    ran(&lab, &longer[2..], &room(&lab, "longer", 100));
    assert_eq!(steps() - before, 4);
    ran(&lab, &longer[..2], &room(&lab, "longer", 100));
    assert_eq!(steps() - before, 4 + 2 * 2);
}

#[test]
fn states_beyond_a_smaller_space_go_and_what_is_too_large_for_it_takes_no_other_with_it() {
    let lab = Lab::new();
    ran(&lab, &shorts(0..6), &room(&lab, "toy study", 10));
    let run = ran(&lab, &shorts(6..7), &room(&lab, "toy study", 3));
    assert_eq!((gone(&run), lab.taken()), (vec![4], 3 * STATE));
    let large = [long("large", 99, 1, 0).with("width", 10 + 4 * STATE)];
    let run = ran(&lab, &large, &room(&lab, "toy study", 3));
    assert_eq!((gone(&run), lab.taken()), (vec![], 3 * STATE));
}

#[test]
fn an_eighth_more_is_made_free_so_that_it_is_seldom_done() {
    let lab = Lab::new();
    let run = ran(&lab, &shorts(0..20), &room(&lab, "toy study", 16));
    // The 17th leaves 15, which are more than seven eighths of 16.5 as 14 are not; so does the 19th.
    assert_eq!(gone(&run), [2, 2]);
    assert_eq!(lab.kept().len(), 20 - 4);
    assert_eq!(
        lab.store().runs().unwrap()[0].states_gone,
        Gone {
            states: 4,
            bytes: 4 * STATE,
        }
    );
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
    let left = lab.kept();
    let deepest = left.last().unwrap().clone();
    // There is room for nothing else; those after every fourth step are not needed any more.
    let run = ran(&lab, &shorts(0..3), &room(&lab, "other", 1));
    let fourths = left.len() - 1;
    assert_eq!(refused(&run), 3);
    assert_eq!(gone(&run).iter().sum::<u64>(), fourths as u64);
    assert_eq!(lab.kept(), std::slice::from_ref(&deepest));
    // There is room for one of the others.
    let run = ran(&lab, &shorts(3..6), &room(&lab, "other", 2));
    assert_eq!((refused(&run), gone(&run)), (0, vec![1, 1]));
    assert!(deepest.exists() && lab.taken() == 2 * STATE);
    let went_on = [long("long", 99, lab::step(&deepest) + 1, 0)];
    let log = lab.path("log.steps");
    let steps = || fs::read_to_string(&log).unwrap().lines().count();
    let before = steps();
    ran(&lab, &went_on, &room(&lab, "interrupted", 100));
    assert_eq!(steps() - before, 1);
}

#[test]
fn what_was_given_up_goes_like_what_is_done() {
    let lab = Lab::new();
    let mut options = room(&lab, "toy study", 2);
    let mut engine = lab.engine(&[long("long", 99, 2000, 2)]);
    Lab::wait_until(|| !lab.kept().is_empty());
    engine.kill().unwrap();
    engine.wait().unwrap();
    // Another run of the study has come to its end without it.
    options.site.keeping.space = None;
    ran(&lab, &shorts(0..1), &options);
    let run = ran(&lab, &shorts(1..4), &room(&lab, "other", 2));
    assert!(gone(&run).iter().sum::<u64>() >= 2 && refused(&run) == 0);
    assert_eq!(lab.taken(), 2 * STATE);
}

#[test]
fn with_room_for_one_state_a_stage_still_has_its_newest() {
    let lab = Lab::new();
    let study = [long("long", 99, 3, 15)];
    let most = most_during(&lab, || {
        let run = ran(&lab, &study, &room(&lab, "toy study", 1));
        assert_eq!((refused(&run), gone(&run)), (0, vec![]));
    });
    assert_eq!(most, STATE);
    assert_eq!(lab::step(&lab.kept()[0]), 3);
    assert_eq!((lab.taken(), lab.believed()), (STATE, STATE));
}

#[test]
fn a_stage_that_runs_gives_up_its_own_earlier_states_first() {
    let lab = Lab::new();
    let most = most_during(&lab, || {
        // The fourth and the eighth would stay.
        let run = ran(
            &lab,
            &[long("long", 99, 10, 5)],
            &room(&lab, "toy study", 2),
        );
        assert_eq!((refused(&run), gone(&run)), (0, vec![1, 1]));
    });
    assert!(most <= 2 * STATE, "{most}");
    let steps: Vec<u64> = lab.kept().iter().map(|path| lab::step(path)).collect();
    assert_eq!(steps, [10]);
    assert_eq!((lab.taken(), lab.believed()), (STATE, STATE));
}

#[test]
fn a_state_that_a_stage_began_from_stays_while_the_stage_runs() {
    let lab = Lab::new();
    ran(&lab, &[long("long", 99, 1, 0)], &room(&lab, "first", 1));
    let begun_from = lab.kept().remove(0);
    let is_held = || {
        let state = File::open(&begun_from).unwrap();
        matches!(state.try_lock(), Err(TryLockError::WouldBlock))
    };
    let study = [long("longer", 99, 2, 1500)];
    std::thread::scope(|scope| {
        let longer = scope.spawn(|| ran(&lab, &study, &room(&lab, "second", 2)));
        Lab::wait_until(is_held);
        // Before the longer one has kept a state of its own.
        let run = ran(&lab, &shorts(0..3), &room(&lab, "third", 2));
        assert_eq!((refused(&run), gone(&run)), (0, vec![1, 1]));
        assert!(begun_from.exists());
        longer.join().unwrap();
    });
    ran(&lab, &shorts(3..5), &room(&lab, "third", 2));
    assert!(!begun_from.exists());
}

#[test]
fn the_states_of_a_stage_that_makes_its_lost_result_again_stay_while_it_runs() {
    let lab = Lab::new();
    let study = [long("long", 99, 4, 150)];
    ran(&lab, &study, &room(&lab, "first", 2));
    fs::remove_file(lab.blob(&study, "long")).unwrap();
    lab.kept()
        .iter()
        .for_each(|path| fs::remove_file(path).unwrap());
    std::thread::scope(|scope| {
        let again = scope.spawn(|| ran(&lab, &study, &room(&lab, "first", 2)));
        Lab::wait_until(|| !lab.kept().is_empty());
        let root = lab.kept()[0].parent().unwrap().to_owned();
        let run = ran(&lab, &shorts(0..3), &room(&lab, "other", 2));
        assert!(refused(&run) == 0 && gone(&run).iter().sum::<u64>() >= 1);
        assert!(!lab::files(&root).is_empty());
        again.join().unwrap();
    });
}

#[test]
fn two_engines_on_one_cache_hold_it_together() {
    let lab = Lab::new();
    let most = most_during(&lab, || {
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
    });
    assert!(most <= 5 * STATE + STATE / 2, "{most}");
    assert!(most >= 5 * STATE, "there was room for five: {most}");
    assert_eq!(lab.taken(), lab.believed());
    assert_eq!(lab.store().verify_all(1).unwrap().flaws, []);
}

#[test]
fn a_sum_that_is_damaged_or_wrong_is_counted_anew() {
    let lab = Lab::new();
    ran(&lab, &shorts(0..3), &room(&lab, "toy study", 4));
    lab::flip(&lab.path("cache/v1/states"));
    ran(&lab, &shorts(3..4), &room(&lab, "toy study", 4));
    assert_eq!((lab.taken(), lab.believed()), (4 * STATE, 4 * STATE));
    // Somebody deletes states, and brings others.
    for path in lab.kept() {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let (step, key) = name.split_once('-').unwrap();
        let step = step.parse::<u64>().unwrap() + 1;
        fs::copy(&path, path.with_file_name(format!("{step}-{key}"))).unwrap();
    }
    ran(&lab, &shorts(4..5), &room(&lab, "toy study", 4));
    assert_eq!((lab.taken(), lab.believed()), (4 * STATE, 4 * STATE));
}
