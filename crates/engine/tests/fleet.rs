//! Several copies of the program, each with a cache of its own, on one remote.

#[path = "toy/lab.rs"]
mod lab;
#[path = "fleet/requests.rs"]
mod requests;
#[path = "toy/mod.rs"]
mod toy;

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

use engine::{Error, Event, MemoryLimits, Options, Outcome, Remote, Store, Summary};
use lab::{Lab, files, flip};
use toy::Toy;

/// A copy of the program on a machine, as a process. On a busy machine nobody takes it for gone.
fn copy(lab: &Lab, machine: &str, toys: &[Toy]) -> Child {
    copy_with(lab, machine, toys, "600")
}

/// One that takes others for gone after so many seconds without a sign of life.
fn copy_with(lab: &Lab, machine: &str, toys: &[Toy], ttl: &str) -> Child {
    let mut command = lab.engine_command(toys);
    let args: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let mut own = std::process::Command::new(Lab::program());
    own.args([&args[0], &args[1]])
        .arg(lab.path(machine))
        .arg(&args[3]);
    command = own;
    command.env("TOY_REMOTE", lab.path("remote"));
    command.env("TOY_TTL", ttl);
    command
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap()
}

/// What a copy that ended well ran, and what it found.
fn counts(copy: Child) -> (usize, usize) {
    let output = copy.wait_with_output().unwrap();
    assert!(output.status.success());
    let counts = String::from_utf8(output.stdout).unwrap();
    let (ran, cached) = counts.trim().split_once(' ').unwrap();
    (ran.parse().unwrap(), cached.parse().unwrap())
}

/// A copy of the program on a machine, in this process.
fn run(lab: &Lab, machine: &str, toys: &[Toy], options: &Options) -> (Summary, Vec<Event>) {
    let mut events = Vec::new();
    let summary = engine::run(
        &toy::graph(toys),
        &lab.store_of(machine),
        &toy::kinds("1"),
        options,
        &mut |event| events.push(event),
    );
    (summary.unwrap(), events)
}

/// One -> many -> one -> many -> one.
fn study(beats: u64) -> Vec<Toy> {
    let mut study = vec![Toy::sum("data", 1, &[])];
    for (wave, reads) in [("tune", "data"), ("confirm", "best")] {
        let runs = (0..8).map(|number| {
            Toy::sum(&format!("{wave}/{number}"), number, &[reads]).with("beats", beats)
        });
        let runs: Vec<Toy> = runs.collect();
        let names = runs.iter().map(|toy| toy.name.clone()).collect();
        let end = if wave == "tune" { "best" } else { "table" };
        study.extend(runs);
        study.push(Toy {
            reads: names,
            ..Toy::sum(end, 5, &[])
        });
    }
    study
}

/// The truth is a machine alone, without a remote.
fn check(lab: &Lab, machine: &str, toys: &[Toy]) {
    let before = lab.begun();
    let (summary, _) = run(lab, machine, toys, &lab.options());
    assert!(summary.complete(), "{summary:?}");
    assert_eq!(lab.begun(), before, "all of it is in the remote");
    let (twin, graph) = (toy::twin(toys, "1"), toy::graph(toys));
    for (id, stage) in graph.iter() {
        let expected = engine::Digest::of(&twin[&stage.name].0);
        let record = summary.record(id).unwrap();
        assert_eq!(record.outputs["out"].digest, expected, "{}", stage.name);
    }
}

#[test]
fn three_copies_execute_each_stage_once_and_a_fourth_finds_all_of_it() {
    let (lab, study) = (Lab::fleet(), study(10));
    let copies: Vec<Child> = ["a", "b", "c"]
        .map(|machine| copy(&lab, machine, &study))
        .into();
    let ran: Vec<usize> = copies.into_iter().map(|copy| counts(copy).0).collect();
    assert_eq!((lab.begun(), ran.iter().sum()), (19, 19), "{ran:?}");
    check(&lab, "d", &study);
    let kinds =
        ["attempt", "ac", "fail"].map(|kind| files(&lab.path("remote/v1").join(kind)).len());
    assert_eq!(kinds, [19, 19, 0], "one claim and one record for each");
    let beats: Vec<String> = files(&lab.path("remote/v1/run"))
        .iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    let is_pack = |file: &PathBuf| {
        let name = file.file_name().unwrap().to_str().unwrap();
        beats.iter().any(|beat| beat.contains(name))
    };
    assert!(
        files(&lab.path("remote/v1/cas")).iter().all(is_pack),
        "small outputs are in the records"
    );
}

#[test]
fn what_one_copy_has_when_it_is_killed_another_takes_over() {
    let (lab, study) = (Lab::fleet(), study(40));
    let mut killed = copy_with(&lab, "a", &study, "2");
    Lab::wait_until(|| lab.begun() > 2);
    let other = copy_with(&lab, "b", &study, "2");
    Lab::wait_until(|| lab.begun() > 5);
    killed.kill().unwrap();
    killed.wait().unwrap();
    counts(other);
    assert!(
        lab.begun() <= 19 + 4,
        "what the killed one executed and what it had not published yet, no more: {}",
        lab.begun()
    );
    check(&lab, "c", &study);
}

#[test]
fn a_copy_that_stands_still_is_replaced_and_its_late_result_replaces_nothing() {
    let (lab, study) = (Lab::fleet(), study(40));
    let frozen = copy_with(&lab, "a", &study, "2");
    Lab::wait_until(|| lab.begun() > 2);
    let signal = |name: &str| {
        let mut kill = std::process::Command::new("kill");
        assert!(
            kill.args([name, &frozen.id().to_string()])
                .status()
                .unwrap()
                .success()
        );
    };
    let other = copy_with(&lab, "b", &study, "2");
    Lab::wait_until(|| lab.begun() > 5);
    signal("-STOP");
    counts(other);
    let records = || -> Vec<(PathBuf, Vec<u8>)> {
        let paths = files(&lab.path("remote/v1/ac"));
        paths
            .into_iter()
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect()
    };
    let before = records();
    signal("-CONT");
    counts(frozen);
    assert_eq!(records(), before);
    assert!(
        lab.begun() <= 19 + 4,
        "what the frozen one executed and what it had not published yet, no more: {}",
        lab.begun()
    );
    check(&lab, "a", &study);
}

#[test]
fn another_copy_goes_on_from_the_checkpoint_of_one_that_was_killed() {
    let lab = Lab::fleet();
    let study = [Toy::sum("long", 7, &[]).with("steps", 300).with("pause", 5)];
    let made = || {
        fs::read_to_string(lab.path("log.steps"))
            .unwrap_or_default()
            .lines()
            .count()
    };
    let mut killed = copy_with(&lab, "a", &study, "2");
    Lab::wait_until(|| made() >= 50);
    killed.kill().unwrap();
    killed.wait().unwrap();
    counts(copy_with(&lab, "b", &study, "2"));
    // Checkpoints follow each other faster here than they are stored.
    assert!((300..=330).contains(&made()), "{}", made());
    check(&lab, "c", &study);
}

#[test]
fn results_that_were_there_before_are_published_and_the_first_one_holds() {
    let lab = Lab::fleet();
    let study = [
        Toy::sum("first", 1, &[]).with("random", 1),
        Toy::sum("second", 2, &["first"]),
    ];
    // Two machines without a remote come to different results.
    for machine in ["a", "b"] {
        let store = Store::open(&lab.path(machine)).unwrap();
        let kinds = toy::kinds("1");
        let options = lab.options();
        engine::run(&toy::graph(&study), &store, &kinds, &options, &mut |_| {}).unwrap();
    }
    let outputs = |summary: &Summary| {
        let records = summary.outcomes().iter().map(|outcome| match outcome {
            Outcome::Ran(record) | Outcome::Cached(record) => record.outputs["out"],
            other => panic!("{other:?}"),
        });
        records.collect::<Vec<_>>()
    };
    let (of_a, _) = run(&lab, "a", &study, &lab.options());
    assert_eq!((of_a.ran(), of_a.cached()), (0, 2));
    let (of_b, events) = run(&lab, "b", &study, &lab.options());
    assert_eq!(outputs(&of_a), outputs(&of_b));
    let differs = events
        .iter()
        .filter(|event| matches!(event, Event::Differs { .. }));
    assert_eq!(differs.count(), 1, "{events:?}");
    assert_eq!(
        lab.begun(),
        4,
        "what read the other result finds its own in the remote"
    );
}

#[test]
fn large_outputs_are_fetched_before_they_are_read_and_made_again_where_the_remote_has_lost_them() {
    let lab = Lab::fleet();
    let mut study = vec![
        Toy::sum("data", 1, &[]).with("bytes", 40_000),
        Toy::sum("run", 2, &["data"]),
    ];
    run(&lab, "a", &study, &lab.options());
    let blobs = files(&lab.path("remote/v1/cas"));
    assert_eq!(blobs.len(), 1);
    study.push(Toy::sum("more", 3, &["data"]));
    let (summary, _) = run(&lab, "b", &study, &lab.options());
    assert_eq!((summary.ran(), summary.cached()), (1, 2));
    flip(&blobs[0]);
    study.push(Toy::sum("yet more", 4, &["data"]));
    let (summary, _) = run(&lab, "c", &study, &lab.options());
    assert_eq!((summary.ran(), summary.cached()), (2, 2), "{summary:?}");
    study.push(Toy::sum("and more", 5, &["data"]));
    let (summary, _) = run(&lab, "d", &study, &lab.options());
    assert_eq!((summary.ran(), summary.cached()), (1, 4), "it was repaired");
}

#[test]
fn a_lost_output_is_made_again_by_who_hears_of_the_others_only_after_it_has_claimed_its_stage() {
    let lab = Lab::fleet();
    let mut study = vec![Toy::sum("data", 1, &[]).with("bytes", 40_000)];
    run(&lab, "a", &study, &lab.options());
    flip(&files(&lab.path("remote/v1/cas"))[0]);
    study.push(Toy::sum("run", 2, &["data"]));
    // Whoever reads this beat waits until nobody can write it any more.
    let beats = files(&lab.path("remote/v1/run"));
    let slow = beats[0].with_file_name("slow");
    assert!(
        Command::new("mkfifo")
            .arg(&slow)
            .status()
            .unwrap()
            .success()
    );
    let (summary, _) = std::thread::scope(|scope| {
        let mut pipe = fs::OpenOptions::new();
        let pipe = pipe.read(true).write(true).open(&slow).unwrap();
        let run = scope.spawn(|| run(&lab, "b", &study, &lab.options()));
        Lab::wait_until(|| !files(&lab.path("b/v1/log")).is_empty());
        fs::remove_file(&slow).unwrap();
        drop(pipe);
        run.join().unwrap()
    });
    assert_eq!((summary.ran(), summary.cached()), (2, 0), "{summary:?}");
}

#[test]
fn failures_are_counted_over_all_copies() {
    let lab = Lab::fleet();
    let mut study = vec![
        Toy::sum("bad", 1, &[])
            .with("end", "fail")
            .with("beats", 20),
    ];
    study.extend(
        (0..6).map(|number| Toy::sum(&format!("good/{number}"), number, &[]).with("beats", 60)),
    );
    study.push(Toy::sum("after", 1, &["bad"]));
    let copies = ["a", "b"].map(|machine| copy(&lab, machine, &study));
    for copy in copies {
        counts(copy);
    }
    assert_eq!(
        lab.begun(),
        6 + 1,
        "nobody tries again what another copy saw fail"
    );
    // A run that begins later begins anew.
    let (summary, _) = run(&lab, "a", &study, &lab.options());
    assert_eq!(
        (summary.failed(), summary.skipped(), lab.begun()),
        (1, 1, 8)
    );
}

#[test]
fn what_is_too_large_for_one_machine_fails_there_and_runs_on_another() {
    let lab = Lab::fleet();
    let mut large = Toy::sum("large", 1, &[]);
    large.execution.memory = 3;
    let study = [large, Toy::sum("after", 2, &["large"])];
    let small = Options {
        memory: Some(MemoryLimits {
            together: 2,
            each: 2,
            there: String::new(),
        }),
        ..lab.options()
    };
    let failed = run(&lab, "small", &study, &small).0;
    assert_eq!((failed.failed(), failed.skipped()), (1, 1));
    let done = run(&lab, "large", &study, &lab.options()).0;
    assert_eq!(done.ran(), 2);
    let found = run(&lab, "small", &study, &small).0;
    assert_eq!(found.cached(), 2);
    assert_eq!(lab.begun(), 2);
}

#[test]
fn a_copy_that_could_do_nothing_any_more_leaves_the_rest_to_the_one_that_has_it() {
    let lab = Lab::fleet();
    let study = [
        Toy::sum("long", 1, &[]).with("beats", 600),
        Toy::sum("short", 2, &[]),
        Toy::sum("table", 3, &["long", "short"]),
    ];
    let other = copy(&lab, "a", &study);
    Lab::wait_until(|| lab.begun() >= 2);
    let mut options = lab.options();
    options.sharing.worth.clear();
    let (summary, _) = run(&lab, "b", &study, &options);
    assert_eq!(
        (summary.cached(), summary.elsewhere()),
        (1, 2),
        "{summary:?}"
    );
    assert!(!summary.interrupted() && !summary.complete());
    assert_eq!(counts(other), (3, 0));
}

#[test]
fn a_run_that_is_alone_goes_on_without_the_remote_and_catches_up() {
    let (lab, study) = (Lab::fleet(), study(10));
    let (remote, away) = (lab.path("remote"), lab.path("away"));
    let (options, graph) = (lab.options(), toy::graph(&study));
    let store_of_a = lab.store_of("a");
    let mut events = Vec::new();
    let summary = engine::run(
        &graph,
        &store_of_a,
        &toy::kinds("1"),
        &options,
        &mut |event| {
            if matches!(event, Event::Finished { .. }) && remote.exists() {
                fs::rename(&remote, &away).unwrap();
            }
            events.push(event);
        },
    );
    let summary = summary.unwrap();
    assert!(summary.complete(), "{summary:?}");
    let count = |is: fn(&Event) -> bool| events.iter().filter(|event| is(event)).count();
    assert_eq!(
        count(|event| matches!(event, Event::RemoteLost { .. })),
        1,
        "said once"
    );
    let left = events.iter().find_map(|event| match event {
        Event::NotPublished { results } => Some(*results),
        _ => None,
    });
    assert!(left.is_some_and(|left| left >= 17), "{left:?}");
    fs::rename(&away, &remote).unwrap();
    let (summary, _) = run(&lab, "a", &study, &options);
    assert_eq!((summary.ran(), summary.cached(), lab.begun()), (0, 19, 19));
    check(&lab, "b", &study);
}

#[test]
fn a_remote_that_takes_nothing_any_more_is_said_once_and_nothing_is_lost() {
    let (lab, study) = (Lab::fleet(), study(10));
    let (tmp, away) = (lab.path("remote/v1/tmp"), lab.path("tmp-away"));
    let (options, graph) = (lab.options(), toy::graph(&study));
    let store_of_a = lab.store_of("a");
    let mut events = Vec::new();
    let mut is_full = false;
    let summary = engine::run(
        &graph,
        &store_of_a,
        &toy::kinds("1"),
        &options,
        &mut |event| {
            // As on a full disk, what is there can be read.
            if matches!(event, Event::Finished { .. }) && !is_full {
                is_full = true;
                fs::rename(&tmp, &away).unwrap();
                fs::write(&tmp, "").unwrap();
            }
            events.push(event);
        },
    );
    assert!(summary.unwrap().complete());
    let lost = events
        .iter()
        .filter(|event| matches!(event, Event::RemoteLost { .. }));
    assert_eq!(lost.count(), 1, "{events:?}");
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::NotPublished { .. }))
    );
    fs::remove_file(&tmp).unwrap();
    fs::rename(&away, &tmp).unwrap();
    let (summary, _) = run(&lab, "a", &study, &options);
    assert_eq!((summary.ran(), summary.cached(), lab.begun()), (0, 19, 19));
    check(&lab, "b", &study);
}

#[test]
fn a_remote_that_is_none_is_refused_with_what_to_do() {
    let lab = Lab::fleet();
    let store = Store::open(&lab.path("a")).unwrap();
    let missing = Remote::open(&lab.path("missing"), &store).unwrap_err();
    assert!(
        missing.to_string().ends_with("`mkdir -p` makes one"),
        "{missing}"
    );
    // What `mkdir` would not mend is not told to be made.
    fs::write(lab.path("file"), "").unwrap();
    let file = Remote::open(&lab.path("file"), &store).unwrap_err();
    assert!(matches!(file, Error::RemoteIsNoFolder { .. }), "{file}");
    for (link, to) in [("dangling", "nothing"), ("loop", "loop")] {
        std::os::unix::fs::symlink(lab.path(to), lab.path(link)).unwrap();
        let error = Remote::open(&lab.path(link), &store).unwrap_err();
        assert!(matches!(error, Error::Io { .. }), "{error}");
    }
    let own = Remote::open(&lab.path("a"), &store).unwrap_err();
    assert!(matches!(own, Error::RemoteIsCache { .. }), "{own}");
    fs::create_dir(lab.path("remote/v2")).unwrap();
    let newer = Remote::open(&lab.path("remote"), &store).unwrap_err();
    assert!(matches!(newer, Error::Newer { .. }), "{newer}");
}

#[test]
fn an_interrupted_copy_releases_what_it_has() {
    let lab = Lab::fleet();
    let study = [Toy::sum("long", 7, &[]).with("steps", 400).with("pause", 5)];
    let mut options = lab.options();
    // Nobody waits for it to be gone.
    options.sharing.ttl = Duration::from_mins(10);
    let interrupt = options.interrupt.clone();
    let made = || {
        fs::read_to_string(lab.path("log.steps"))
            .unwrap_or_default()
            .lines()
            .count()
    };
    let summary = std::thread::scope(|scope| {
        let copy = scope.spawn(|| run(&lab, "a", &study, &options).0);
        Lab::wait_until(|| made() >= 50);
        interrupt.store(true, std::sync::atomic::Ordering::Relaxed);
        copy.join().unwrap()
    });
    assert!(summary.interrupted());
    let options = Options {
        interrupt: lab.options().interrupt,
        ..options
    };
    let (summary, _) = run(&lab, "b", &study, &options);
    assert_eq!(summary.ran(), 1);
    assert_eq!(
        made(),
        400,
        "from the checkpoint that was stored before the release"
    );
}
