//! Retries, timeouts, memory, GPUs that are given out, and processes that are stopped.

#[path = "toy/lab.rs"]
mod lab;
#[path = "toy/mod.rs"]
mod toy;

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use engine::{Event, Execution, MemoryLimits, Outcome};
use lab::Lab;
use toy::Toy;

fn with(mut toy: Toy, retries: u32, timeout: Option<u64>) -> Toy {
    toy.execution = Execution {
        retries,
        timeout: timeout.map(Duration::from_millis),
        memory: 0,
    };
    toy
}

fn signal(process: u32, signal: &str) {
    let sent = Command::new("kill")
        .args([signal, &process.to_string()])
        .status();
    assert!(sent.unwrap().success());
}

#[test]
fn a_stage_that_fails_is_tried_again_as_often_as_it_says() {
    let lab = Lab::new();
    let flaky = Toy::sum("flaky", 1, &[])
        .with("end", "fail")
        .with("times", 2);
    let study = |retries| {
        [
            with(flaky.clone(), retries, None),
            Toy::sum("end", 2, &["flaky"]),
        ]
    };
    let run = lab.run(&study(1));
    assert_eq!(
        (run.summary.failed(), run.summary.skipped(), lab.begun()),
        (1, 1, 2)
    );
    fs::remove_file(lab.path("log.failures")).unwrap();
    let run = lab.run(&study(2));
    assert_eq!(run.names, ["end", "flaky"]);
    let retries: Vec<(u32, u32)> = run.events.iter().filter_map(retry).collect();
    assert_eq!(retries, [(2, 3), (3, 3)]);
    let key = lab.record(&study(2), "flaky").key;
    assert_eq!(lab.store().failures(key).unwrap().len(), 4);
    assert!(
        lab.ran(&study(0)).is_empty(),
        "retries are no part of a key"
    );
}

fn retry(event: &Event) -> Option<(u32, u32)> {
    match event {
        Event::Retrying { attempt, of, .. } => Some((*attempt, *of)),
        _ => None,
    }
}

#[test]
fn a_killed_worker_is_a_failure_that_a_retry_makes_good() {
    let lab = Lab::new();
    let study = [with(
        Toy::sum("flaky", 1, &[])
            .with("end", "kill")
            .with("times", 1),
        1,
        None,
    )];
    assert_eq!(lab.run(&study).names, ["flaky"]);
}

#[test]
fn a_stage_that_takes_too_long_fails_with_all_that_it_started() {
    let lab = Lab::new();
    let endless = Toy::sum("endless", 1, &[]).with("beats", 1_000_000);
    let child = Toy::sum("child", 2, &[]).with("end", "wait for a child");
    let study = [
        with(endless, 0, Some(200)),
        with(child, 0, Some(200)),
        Toy::sum("good", 3, &[]),
    ];
    let start = Instant::now();
    let run = lab.run(&study);
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "{:?}",
        start.elapsed()
    );
    for at in 0..2 {
        let Outcome::Failed { error, .. } = &run.summary.outcomes()[at] else {
            panic!("{:?}", run.summary)
        };
        assert_eq!(error, "took longer than its timeout of 0.2 s");
    }
    assert_eq!(run.names, ["good"]);
    // Nobody holds the claim: a rerun begins at once.
    let again = lab.run(&study);
    assert!(
        !again
            .events
            .iter()
            .any(|event| matches!(event, Event::Waiting { .. }))
    );
}

#[test]
fn a_stopped_worker_is_overdue_too() {
    let lab = Lab::new();
    let study = [with(
        Toy::sum("stops", 1, &[]).with("end", "stop"),
        0,
        Some(300),
    )];
    let run = lab.run(&study);
    assert_eq!(run.summary.failed(), 1);
}

#[test]
fn a_stopped_engine_holds_up_nobody_for_longer_than_its_stage() {
    let lab = Lab::new();
    let mut study = vec![Toy::sum("slow", 1, &[]).with("beats", 40)];
    study.extend((0..6).map(|number| Toy::sum(&format!("run/{number}"), number, &["slow"])));
    let mut stopped = lab.engine(&study);
    Lab::wait_until(|| lab.begun() == 1);
    signal(stopped.id(), "-STOP");
    let run = lab.run(&study);
    lab.check(&study, &run.summary);
    assert!(run.summary.complete());
    signal(stopped.id(), "-CONT");
    assert!(stopped.wait().unwrap().success());
    assert_eq!(lab.begun(), 7, "each stage once");
}

#[test]
fn each_worker_sees_the_gpu_that_it_was_given_and_no_other() {
    let lab = Lab::new();
    let study: Vec<Toy> = (0..8)
        .map(|number| {
            Toy::sum(&format!("run/{number}"), number, &[])
                .with("beats", 20)
                .with("gpu", true)
        })
        .collect();
    let options = engine::Options {
        jobs: 2,
        gpus: vec!["0".to_owned(), "GPU-5c3a".to_owned()],
        ..lab.options()
    };
    let run = lab.run_with(&study, &options);
    assert!(run.summary.complete());
    let seen: Vec<String> = fs::read_to_string(lab.path("log.gpus"))
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    let count = |gpu: &str| seen.iter().filter(|line| *line == gpu).count();
    // What the site says, and what the environment does.
    assert_eq!(count("0 0") + count("GPU-5c3a GPU-5c3a"), 8, "{seen:?}");
    assert!(
        count("0 0") >= 2 && count("GPU-5c3a GPU-5c3a") >= 2,
        "{seen:?}"
    );
}

#[test]
fn an_input_file_from_the_future_or_the_past_is_known_by_its_contents() {
    let lab = Lab::new();
    let path = lab.path("data.bin");
    let study = [Toy::sum("data", 1, &[]).file(&path)];
    let year = Duration::from_hours(24 * 365);
    let now = std::time::SystemTime::now();
    let write = |contents: &str, time| {
        fs::write(&path, contents).unwrap();
        let file = fs::File::options().append(true).open(&path).unwrap();
        file.set_modified(time).unwrap();
    };
    for time in [
        now + year,
        now - 40 * year,
        std::time::SystemTime::UNIX_EPOCH - year,
    ] {
        write("one", time);
        lab.run(&study);
        assert!(lab.run(&study).names.is_empty(), "{time:?}");
        // As long as before, and as old.
        write("two", time);
        lab.run(&study);
        let output = lab.record(&study, "data").outputs["out"].digest;
        write("one", time);
        lab.run(&study);
        assert_ne!(lab.record(&study, "data").outputs["out"].digest, output);
    }
}

fn taking(mut toy: Toy, memory: u64) -> Toy {
    toy.execution.memory = memory;
    toy
}

fn within(lab: &Lab, jobs: usize, together: u64, each: u64) -> engine::Options {
    engine::Options {
        jobs,
        memory: Some(MemoryLimits {
            together,
            each,
            there: "this machine has little".to_owned(),
        }),
        ..lab.options()
    }
}

#[test]
fn stages_run_beside_each_other_as_far_as_memory_allows() {
    let lab = Lab::new();
    // Nothing, small ones, some that only just fit, and one that runs alone.
    let sizes = [0, 1, 2, 3, 5, 6, 9, 1, 2, 3, 5, 6, 0, 1, 4, 14];
    let study: Vec<Toy> = (0..64_u64)
        .map(|number| {
            let toy = Toy::sum(&format!("run/{number}"), number, &[]).with("beats", number % 4);
            taking(toy, sizes[number as usize % sizes.len()])
        })
        .collect();
    let run = lab.run_with(&study, &within(&lab, 4, 10, 20));
    assert!(run.summary.complete());
    lab.check(&study, &run.summary);
    assert_eq!(lab.begun(), 64);
    let (mut running, mut most) = (Vec::new(), 0);
    for event in &run.events {
        match event {
            Event::Started { stage } => running.push(*stage),
            Event::Finished { stage, .. } => running.retain(|it| it != stage),
            _ => {}
        }
        let sizes = running.iter().map(|it| study[it.index()].execution.memory);
        let (sum, sized) = (
            sizes.clone().sum::<u64>(),
            sizes.filter(|&it| it > 0).count(),
        );
        assert!(sum <= 10 || sized == 1, "{running:?} take {sum}");
        most = most.max(running.len());
    }
    assert!((2..=4).contains(&most), "{most}");
}

#[test]
fn a_stage_that_is_too_large_fails_at_once_with_its_size_and_the_others_go_on() {
    let lab = Lab::new();
    let study = [
        taking(Toy::sum("large", 1, &[]), 3 << 30),
        // With the same manifest, and said to take less.
        taking(Toy::sum("same", 1, &[]), 1 << 30),
        Toy::sum("after", 2, &["large"]),
        taking(Toy::sum("small", 3, &[]), 1 << 30),
        Toy::sum("end", 4, &["small"]),
    ];
    let small = within(&lab, 2, 1 << 30, 2 << 30);
    let run = lab.run_with(&study, &small);
    assert_eq!(run.names, ["end", "same", "small"]);
    let Outcome::Failed { error, log: None } = run.summary.outcome(run_id(&study, "large")) else {
        panic!("{:?}", run.summary)
    };
    assert_eq!(
        error,
        "it takes about 3.0 GiB of memory, and this machine has little"
    );
    assert_eq!((run.summary.failed(), run.summary.skipped()), (1, 1));
    // Nothing but that run knows of it, and the result that there is now serves.
    let again = lab.run_with(&study, &small);
    assert_eq!(again.names, ["after"]);
    assert!(again.summary.complete());
}

fn run_id(study: &[Toy], name: &str) -> engine::StageId {
    toy::graph(study).find(name).unwrap()
}

#[test]
fn who_is_killed_from_outside_is_told_with_what_it_takes() {
    let lab = Lab::new();
    let killed = Toy::sum("killed", 1, &[]).with("end", "kill");
    let study = [
        taking(killed.clone(), 5 << 30),
        Toy::sum("other", 2, &[]).with("end", "kill"),
    ];
    let run = lab.run(&study);
    let errors = run.summary.outcomes().iter().map(|outcome| match outcome {
        Outcome::Failed { error, .. } => error.as_str(),
        other => panic!("{other:?}"),
    });
    assert_eq!(
        errors.collect::<Vec<_>>(),
        [
            "the worker process was killed by signal 9, as happens where memory runs out: this stage takes about 5.0 GiB",
            "the worker process was killed by signal 9"
        ]
    );
}

#[test]
fn a_plan_names_the_largest_of_those_that_are_to_run() {
    let lab = Lab::new();
    let study = [
        taking(Toy::sum("large", 1, &[]), 9),
        taking(Toy::sum("small", 2, &[]), 5),
        taking(Toy::sum("as small", 3, &[]), 5),
        Toy::sum("end", 4, &["small"]),
    ];
    let largest = |study: &[Toy]| {
        let graph = toy::graph(study);
        let largest = lab.plan(study).largest(&graph);
        largest.map(|id| graph.stage(id).name.clone())
    };
    assert_eq!(largest(&study).as_deref(), Some("large"));
    lab.run(&study[..1]);
    assert_eq!(largest(&study).as_deref(), Some("small"));
    let run = lab.run(&study);
    assert!(matches!(run.events[0], Event::Planned { largest: Some(id), .. } if id.index() == 1));
    assert_eq!(largest(&study), None);
}
