//! Stages that fail, workers that are killed, engines that are killed, engines beside each other.

#[path = "toy/lab.rs"]
mod lab;
#[path = "toy/mod.rs"]
mod toy;

use std::fs;
use std::process::Child;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use engine::{Error, Event, Outcome};
use lab::Lab;
use toy::Toy;

/// bad -> after, and good beside it.
fn with_end(end: &str) -> [Toy; 4] {
    [
        Toy::sum("bad", 1, &[]).with("end", end),
        Toy::sum("after", 2, &["bad"]),
        Toy::sum("last", 3, &["after"]),
        Toy::sum("good", 4, &[]),
    ]
}

#[test]
fn a_stage_that_fails_skips_what_reads_it_and_nothing_else() {
    for (end, error) in [
        ("fail", "told to fail"),
        ("panic", "the worker process ended with exit code 101"),
        ("kill", "the worker process was killed by signal 9"),
    ] {
        let (lab, study) = (Lab::new(), with_end(end));
        let run = lab.run(&study);
        let Outcome::Failed { error: found, log } = &run.summary.outcomes()[0] else {
            panic!("{:?}", run.summary)
        };
        assert_eq!(found, error);
        let log = fs::read_to_string(log.as_ref().unwrap()).unwrap();
        assert!(log.starts_with("on stdout\non stderr\n"), "{log}");
        assert_eq!(
            log.contains("told to panic"),
            end == "panic",
            "a panic's message is in the log"
        );
        let quoted = run
            .events
            .iter()
            .any(|event| matches!(event, Event::Failed { tail, .. } if *tail == log.trim_end()));
        assert!(quoted, "the end of the log comes with the event");
        assert!(
            matches!(run.summary.outcomes()[1], Outcome::Skipped { because } if because.index() == 0)
        );
        assert!(
            matches!(run.summary.outcomes()[2], Outcome::Skipped { because } if because.index() == 0)
        );
        assert_eq!(run.names, ["good"]);
        assert!(!run.summary.complete());
        // Failures are no results: it is tried again.
        assert_eq!((lab.run(&study).summary.failed(), lab.begun()), (1, 3));
    }
}

#[test]
fn a_stage_whose_worker_was_killed_before_it_began_goes_to_another() {
    let lab = Lab::new();
    let study = [
        Toy::sum("first", 1, &[]).with("beats", 1),
        Toy::sum("second", 2, &["first"]),
    ];
    let options = engine::Options {
        jobs: 1,
        ..lab.options()
    };
    let graph = toy::graph(&study);
    let mut events = Vec::new();
    let summary = engine::run(
        &graph,
        &lab.store(),
        &toy::kinds("1"),
        &options,
        &mut |event| {
            // The worker is idle, and the next thing that the engine does is to give it the second stage.
            if matches!(event, Event::Finished { stage, .. } if stage.index() == 0) {
                kill_and_wait(&worker_that_beat(&lab));
            }
            events.push(event);
        },
    )
    .unwrap();
    assert!(summary.complete(), "{events:?}");
    assert!(
        !events
            .iter()
            .any(|event| matches!(event, Event::Retrying { .. } | Event::Failed { .. })),
        "{events:?}"
    );
    assert_eq!(lab.begun(), 2);
    let key = lab.record(&study, "second").key;
    assert!(lab.store().failures(key).unwrap().is_empty());
}

/// The process that a toy with beats ran in: its file ends with the number.
fn worker_that_beat(lab: &Lab) -> String {
    let files = fs::read_dir(lab.folder.path()).unwrap();
    files
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .find_map(|name| Some(name.strip_prefix("log.")?.to_owned()))
        .expect("a worker has beaten")
}

fn kill_and_wait(process: &str) {
    let kill = std::process::Command::new("kill")
        .args(["-9", process])
        .status();
    assert!(kill.unwrap().success());
    Lab::wait_until(|| {
        fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| stat.contains(") Z "))
    });
}

#[test]
fn a_stage_that_no_worker_lives_to_begin_fails_and_says_why() {
    let lab = Lab::new();
    let mut options = lab.options();
    options.worker.args = vec!["faint".to_owned()];
    let run = lab.run_with(&[Toy::sum("alone", 1, &[])], &options);
    let Outcome::Failed { error, .. } = &run.summary.outcomes()[0] else {
        panic!("{:?}", run.summary)
    };
    assert_eq!(
        error,
        "the worker process ended with exit code 1 before it had begun the stage\nError: \"told to faint\""
    );
}

#[test]
fn without_keep_going_nothing_starts_after_a_failure() {
    let lab = Lab::new();
    let study = [
        Toy::sum("bad", 1, &[]).with("end", "fail"),
        Toy::sum("good", 2, &[]),
    ];
    let options = engine::Options {
        jobs: 1,
        keep_going: false,
        ..lab.options()
    };
    let run = lab.run_with(&study, &options);
    assert!(matches!(
        run.summary.outcomes(),
        [Outcome::Failed { .. }, Outcome::NotRun]
    ));
    assert_eq!(lab.begun(), 1);
}

#[test]
fn a_worker_of_another_build_is_refused_before_it_gets_a_stage() {
    let lab = Lab::new();
    let mut options = lab.options();
    options.worker.args = vec!["foreign".to_owned()];
    let refused = engine::run(
        &toy::graph(&with_end("")),
        &lab.store(),
        &toy::kinds("1"),
        &options,
        &mut |_| {},
    );
    assert!(
        matches!(refused, Err(Error::ForeignWorker { .. })),
        "{refused:?}"
    );
    assert_eq!(lab.begun(), 0);
}

#[test]
fn a_worker_that_does_not_start_says_why() {
    let lab = Lab::new();
    let mut options = lab.options();
    let run = |options: &engine::Options| {
        engine::run(
            &toy::graph(&with_end("")),
            &lab.store(),
            &toy::kinds("1"),
            options,
            &mut |_| {},
        )
    };
    options.worker.args = vec!["no such command".to_owned()];
    let error = run(&options).unwrap_err().to_string();
    assert!(error.ends_with("did not start: the worker process ended with exit code 1\nError: \"expected `worker` or `run STUDY CACHE LOG`\""), "{error}");
    options.worker.program = lab.path("missing");
    let error = run(&options).unwrap_err().to_string();
    assert!(
        error.ends_with("did not start: No such file or directory (os error 2)"),
        "{error}"
    );
}

#[test]
fn progress_is_reported_a_few_times_a_second() {
    let lab = Lab::new();
    let run = lab.run(&[Toy::sum("slow", 1, &[]).with("beats", 60)]);
    let progress = run
        .events
        .iter()
        .filter(|event| matches!(event, Event::Progress { .. }))
        .count();
    assert!(
        (1..=20).contains(&progress),
        "{progress} reports of 60 in at least 300 ms"
    );
    let events: Vec<_> = run
        .events
        .iter()
        .filter(|event| !matches!(event, Event::Progress { .. }))
        .collect();
    assert!(
        matches!(
            events[..],
            [
                Event::Planned { run: 1, .. },
                Event::Started { .. },
                Event::Finished { .. }
            ]
        ),
        "{events:?}"
    );
}

#[test]
fn an_interrupt_stops_running_stages_and_the_next_run_goes_on() {
    let lab = Lab::new();
    let mut study = vec![Toy::sum("quick", 1, &[])];
    study.push(Toy::sum("endless", 2, &["quick"]).with("beats", 1_000_000));
    study.push(Toy::sum("end", 3, &["endless"]));
    let (options, graph) = (lab.options(), toy::graph(&study));
    let start = Instant::now();
    let summary = engine::run(
        &graph,
        &lab.store(),
        &toy::kinds("1"),
        &options,
        &mut |event| {
            if matches!(event, Event::Progress { progress, .. } if progress.done > 0) {
                options.interrupt.store(true, Ordering::Relaxed);
            }
        },
    );
    let summary = summary.unwrap();
    assert!(summary.interrupted() && start.elapsed() < Duration::from_secs(10));
    assert!(matches!(
        summary.outcomes(),
        [Outcome::Ran(_), Outcome::NotRun, Outcome::NotRun]
    ));
    assert!(nothing_beats(&lab), "no stage goes on");
    study[1].set("beats", 1);
    assert_eq!(lab.ran(&study), ["end", "endless"]);
}

/// Whether no stage goes on: the files that they write in every beat stay as they are.
fn nothing_beats(lab: &Lab) -> bool {
    let beats = || {
        let files = fs::read_dir(lab.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let mut beats: Vec<_> = files
            .filter(|path| path.is_file())
            .map(|path| (fs::read(&path).unwrap(), path))
            .collect();
        beats.sort();
        beats
    };
    let before = beats();
    std::thread::sleep(Duration::from_millis(200));
    assert!(before.len() > 1, "some stage has beaten");
    before == beats()
}

fn wide_study() -> Vec<Toy> {
    let mut study = vec![Toy::sum("data", 1, &[])];
    study.extend(
        (0..12)
            .map(|number| Toy::sum(&format!("run/{number}"), number, &["data"]).with("beats", 4)),
    );
    let runs: Vec<String> = study[1..].iter().map(|toy| toy.name.clone()).collect();
    study.push(Toy {
        reads: runs,
        ..Toy::sum("targets", 5, &[])
    });
    study
}

#[test]
fn three_engines_on_one_cache_run_each_stage_once() {
    let (lab, study) = (Lab::new(), wide_study());
    let engines: Vec<Child> = (0..3).map(|_| lab.engine(&study)).collect();
    let mut ran = 0;
    for engine in engines {
        let output = engine.wait_with_output().unwrap();
        assert!(output.status.success());
        let counts = String::from_utf8(output.stdout).unwrap();
        let (own, cached) = counts.trim().split_once(' ').unwrap();
        let (own, cached): (usize, usize) = (own.parse().unwrap(), cached.parse().unwrap());
        assert_eq!(own + cached, 14);
        ran += own;
    }
    assert_eq!((lab.begun(), ran), (14, 14));
    assert!(lab.ran(&study).is_empty());
}

#[test]
fn an_engine_killed_at_any_moment_leaves_no_orphan_and_the_next_run_completes() {
    let study = wide_study();
    for pause in (5..100).step_by(6) {
        let lab = Lab::new();
        let mut engine = lab.engine(&study);
        std::thread::sleep(Duration::from_millis(pause));
        engine.kill().unwrap();
        engine.wait().unwrap();
        let run = lab.run(&study);
        lab.check(&study, &run.summary);
        assert_eq!(run.summary.ran() + run.summary.cached(), 14);
        assert!(
            lab.begun() <= 14 + 2,
            "at most one stage a worker began twice"
        );
        assert!(lab.ran(&study).is_empty());
    }
}

#[test]
fn no_orphan_goes_on_when_its_engine_is_killed() {
    let lab = Lab::new();
    let mut engine = lab.engine(&[Toy::sum("endless", 1, &[]).with("beats", 1_000_000)]);
    let start = Instant::now();
    while lab.begun() == 0 {
        assert!(start.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(50));
    engine.kill().unwrap();
    engine.wait().unwrap();
    std::thread::sleep(Duration::from_millis(50));
    assert!(nothing_beats(&lab));
}

#[test]
fn no_rerun_starts_beside_what_is_left_of_a_killed_run() {
    let lab = Lab::new();
    let study = [Toy::sum("command", 1, &[]).with("end", "orphan")];
    assert_eq!(
        lab.run(&study).summary.failed(),
        1,
        "its worker aborts, a child of it sleeps on"
    );
    let start = Instant::now();
    let run = lab.run(&study);
    assert_eq!(run.names, ["command"]);
    assert!(
        start.elapsed() > Duration::from_millis(300),
        "the child holds the claim: {:?}",
        start.elapsed()
    );
    let waiting = run
        .events
        .iter()
        .filter(|event| matches!(event, Event::Waiting { .. }))
        .count();
    assert_eq!(waiting, 1, "said once");
}

#[test]
fn a_cache_that_cannot_be_created_is_a_clear_error() {
    let lab = Lab::new();
    fs::write(lab.path("file"), "").unwrap();
    let error = engine::Store::open(&lab.path("file/cache")).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot create the cache `{}`",
            lab.path("file/cache").display()
        )
    );
}
