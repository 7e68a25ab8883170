//! Trained prefixes: what was trained is not trained again, and what goes on gives the same bytes.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::lab::{Lab, stderr, stdout};

/// One K-FAC run of a few seconds, whose rate falls in the middle.
const STUDY: &str = "\
study: prefix
stages:
  digits: { dataset: { source: digits, train: 1280, validation: 217, test: 300 } }
  kfac:
    train:
      dataset: digits
      model: { cnn: { channels: [8, 16] } }
      batch_size: 64
      learning_rate: 0.01
      budget: { iterations: 600 }
      schedule: { step: { factor: 0.1, at: [0.5] } }
      evaluation: { spacing: 1.5, epochs: [5], iterations: [300] }
      optimizer: { kfac: { damping: 0.03, factor_every: 3, inverse_every: 7 } }
  best: { select: { runs: [kfac], by: test_accuracy } }
";

/// Keeps the state of every step, or nothing.
const EVERY: [&str; 4] = ["--keep-every", "0", "--keep-worth", "0"];
/// Keeps states at segment ends only.
const ENDS: [&str; 4] = ["--keep-every", "1e9", "--keep-worth", "0"];
const NONE: [&str; 2] = ["--keep-states", "none"];

/// Runs the study with these words and gives the digest of the run's curve, and what is said of how it was trained.
fn run(lab: &Lab, words: &[&str]) -> (String, Option<(u64, u64)>) {
    let output = lab.output(&[&["run", "study.yaml"], words].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let sets: Vec<&str> = words
        .windows(2)
        .filter(|pair| pair[0] == "--set")
        .flatten()
        .copied()
        .collect();
    explained(lab, &sets)
}

/// The curve's digest; where the run went on from, and how many steps it trained then.
fn explained(lab: &Lab, sets: &[&str]) -> (String, Option<(u64, u64)>) {
    let said = stdout(&lab.output(&[&["explain", "study.yaml", "kfac"], sets].concat()));
    let line = |start: &str| said.lines().find_map(|line| line.strip_prefix(start));
    let curve = line("output curve: ").unwrap_or_else(|| panic!("{said}"));
    let went_on = line("went on from the state kept at step ").map(|rest| {
        let numbers: Vec<u64> = rest
            .split([' ', ':'])
            .filter_map(|word| word.parse().ok())
            .collect();
        (numbers[0], numbers[1])
    });
    (curve[..64].to_owned(), went_on)
}

/// The steps of the kept states, and their files.
fn kept(lab: &Lab) -> Vec<(u64, PathBuf)> {
    let mut states = Vec::new();
    let mut folders = vec![lab.path("cache/v1/ckpt")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.expect("it can be read").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.file_name().and_then(|name| name.to_str());
            // A folder that was just removed looks like a file.
            let Some((step, _)) = name.and_then(|name| name.split_once('-')) else {
                continue;
            };
            let step = step.parse().expect("a state's name begins with its step");
            states.push((step, path));
        }
    }
    states.sort();
    states
}

fn steps(lab: &Lab) -> Vec<u64> {
    kept(lab).into_iter().map(|(step, _)| step).collect()
}

/// Starts the study and waits until it has kept the state of a step beyond 20.
fn training(lab: &Lab) -> Child {
    let child = lab
        .command(&[&["run", "study.yaml"][..], &EVERY].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let start = Instant::now();
    while steps(lab).last().is_none_or(|step| *step < 20) {
        assert!(
            start.elapsed() < Duration::from_mins(1),
            "it does not train"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

#[test]
fn a_run_that_is_stopped_goes_on_where_it_was_and_gives_the_bytes_of_one_that_was_not() {
    let undisturbed = Lab::new(STUDY);
    let (expected, went_on) = run(&undisturbed, &NONE);
    assert_eq!(went_on, None);
    assert!(kept(&undisturbed).is_empty());
    for signal in ["-KILL", "-INT"] {
        let lab = Lab::new(STUDY);
        let mut engine = training(&lab);
        let kill = Command::new("kill")
            .args([signal, &engine.id().to_string()])
            .status();
        assert!(kill.expect("kill starts").success());
        engine.wait().expect("it was started");
        let (curve, went_on) = run(&lab, &ENDS);
        let (at, trained) = went_on.unwrap_or_else(|| panic!("{signal}: trained from the start"));
        assert!(at >= 20 && at + trained == 600, "{signal}: {at} {trained}");
        assert_eq!(curve, expected, "{signal}");
        assert_eq!(steps(&lab), [300, 600], "{signal}");
    }
}

#[test]
fn what_is_shared_is_trained_once_and_the_rest_gives_the_same_bytes() {
    let lab = Lab::new(STUDY);
    run(&lab, &ENDS);
    assert_eq!(steps(&lab), [300, 600]);
    let alone = Lab::new(STUDY);
    for (edit, from) in [
        // The decay's factor: from the decay on.
        ("kfac.train.schedule.step.factor=0.3", Some((300, 300))),
        // A longer budget, whose rate falls later: from the old decay on.
        ("kfac.train.budget.iterations=800", Some((300, 500))),
        // In epochs instead of steps, 20 an epoch: nothing new at all.
        ("kfac.train.budget={epochs: 30}", Some((600, 0))),
        // Another seed: all of it.
        ("kfac.train.seed=1", None),
    ] {
        let (curve, went_on) = run(&lab, &[&["--set", edit][..], &ENDS].concat());
        assert_eq!(went_on, from, "{edit}");
        let (expected, _) = run(&alone, &[&["--set", edit][..], &NONE].concat());
        assert_eq!(curve, expected, "{edit}");
    }
}

#[test]
fn at_a_constant_rate_budgets_in_epochs_and_steps_share_their_beginning_either_way() {
    let constant = STUDY.replace(
        "schedule: { step: { factor: 0.1, at: [0.5] } }",
        "schedule: constant",
    );
    let (lab, alone) = (Lab::new(&constant), Lab::new(&constant));
    run(&lab, &ENDS);
    assert_eq!(steps(&lab), [600]);
    for (edit, from) in [
        ("kfac.train.budget={epochs: 35}", (600, 100)),
        // It was measured there on the way.
        ("kfac.train.budget={epochs: 5}", (700, 0)),
        ("kfac.train.budget={iterations: 300}", (700, 0)),
    ] {
        let (curve, went_on) = run(&lab, &[&["--set", edit][..], &ENDS].concat());
        assert_eq!(went_on, Some(from), "{edit}");
        let (expected, _) = run(&alone, &[&["--set", edit][..], &NONE].concat());
        assert_eq!(curve, expected, "{edit}");
    }
}

#[test]
fn a_damaged_state_is_reported_and_trained_again() {
    let lab = Lab::new(STUDY);
    run(&lab, &ENDS);
    let (_, path) = kept(&lab).remove(0);
    let mut bytes = std::fs::read(&path).expect("a state");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::remove_file(&path).expect("it can be removed");
    std::fs::write(&path, bytes).expect("it can be written");
    let words = [
        "run",
        "study.yaml",
        "--set",
        "kfac.train.schedule.step.factor=0.3",
    ];
    let output = lab.output(&[&words[..], &ENDS].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("state"), "{}", stderr(&output));
    let (_, went_on) = explained(&lab, &words[2..]);
    assert_eq!(went_on, None);
}

#[test]
fn a_plan_says_what_kept_states_will_take_at_most() {
    let lab = Lab::new(STUDY);
    let planned = |words: &[&str]| -> u64 {
        let plan = stdout(&lab.output(&[&["plan", "study.yaml", "--json"], words].concat()));
        let plan: serde_json::Value = serde_json::from_str(&plan).expect("JSON");
        plan["state_bytes"].as_u64().expect("a number")
    };
    let said = planned(&[]);
    run(&lab, &ENDS);
    let files = kept(&lab).into_iter();
    let lengths = files.map(|(_, path)| std::fs::metadata(path).expect("a file").len());
    let is: u64 = lengths.sum();
    assert!(is <= said && said < 2 * is, "{said}, is {is}");
    assert_eq!(planned(&[]), 0, "nothing is left to run");
    std::fs::write(lab.path("site.yaml"), "states: { keep: none }").expect("it can be written");
    assert_eq!(planned(&["--set", "kfac.train.seed=1"]), 0);
}

#[test]
fn the_weights_that_a_run_ended_with_are_exported_where_its_last_state_was_kept() {
    let lab = Lab::new(STUDY);
    run(&lab, &ENDS);
    let export = |lab: &Lab| {
        let output = lab.output(&["export", "study.yaml", "--weights"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stderr(&output)
    };
    let path = |lab: &Lab| lab.path("exports/prefix/weights/kfac/run.safetensors");
    assert!(!export(&lab).contains("without weights"));
    let bytes = std::fs::read(path(&lab)).expect("the weights");
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
    let mut names = tensors.names();
    names.sort_unstable();
    let norm = |layer: usize| {
        ["bias", "running_mean", "running_var", "weight"].map(|it| format!("norms.{layer}.{it}"))
    };
    let mut expected = vec!["convs.0.weight".to_owned(), "convs.1.weight".to_owned()];
    expected.extend(["fc.bias".to_owned(), "fc.weight".to_owned()]);
    expected.extend(norm(0).into_iter().chain(norm(1)));
    assert_eq!(names, expected);
    assert_eq!(
        tensors.tensor("fc.weight").expect("it is there").shape(),
        [10, 256]
    );

    let lab = Lab::new(STUDY);
    run(&lab, &NONE);
    let said = export(&lab);
    assert!(
        said.contains("1 run left out without weights; of kfac/run: its last state was not kept"),
        "{said}"
    );
    assert!(!path(&lab).exists());
}

#[test]
fn a_setting_says_how_much_is_kept() {
    for (which, left) in [
        ("none", vec![]),
        ("running", vec![]),
        ("last", vec![600]),
        ("segments", vec![300, 600]),
    ] {
        let lab = Lab::new(STUDY);
        let keep = ["--keep-states", which];
        run(&lab, &[&keep[..], &EVERY].concat());
        assert_eq!(steps(&lab), left, "{which}");
    }
    // What costs less than it is worth is not kept.
    let lab = Lab::new(STUDY);
    run(&lab, &["--keep-worth", "1e6"]);
    assert!(kept(&lab).is_empty());
}

/// The study with its run for several seeds.
fn of_seeds(seeds: &str) -> String {
    let run = "  kfac:\n    train:";
    assert!(STUDY.contains(run));
    STUDY.replace(
        run,
        &format!("  kfac:\n    sweep: {{ seed: {seeds} }}\n    train:"),
    )
}

/// The digests of the curves of the study's runs, by their names.
fn curves(lab: &Lab) -> serde_json::Value {
    let list = stdout(&lab.output(&["cache", "list", "study.yaml", "--json"]));
    let list: serde_json::Value = serde_json::from_str(&list).expect("JSON");
    let rows = list.as_array().expect("rows").iter();
    let rows = rows.map(|row| (row["stage"].clone(), row["outputs"].clone()));
    serde_json::Value::Array(
        rows.map(|(stage, outputs)| serde_json::json!([stage, outputs]))
            .collect(),
    )
}

#[test]
fn a_small_space_is_held_all_the_time_and_changes_no_result() {
    let study = of_seeds("[0, 1, 2, 3]");
    let free = Lab::new(&study);
    let words = ["run", "study.yaml", "--jobs", "2", "--verbose"];
    let output = free.output(&[&words[..], &NONE].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let expected = curves(&free);

    // How much one state takes at most: the last one of a run.
    let one = Lab::new(STUDY);
    run(&one, &ENDS);
    let (_, last) = kept(&one).pop().expect("a state");
    // Room for the newest of both runs that go at once, and for one of those that are done.
    let space = 7 * std::fs::metadata(last).expect("a state").len() / 2;

    let lab = Lab::new(&study);
    let site = format!("jobs: 2\nstates: {{ every: 0, worth: 0, space: {space} }}\n");
    std::fs::write(lab.path("site.yaml"), site).expect("it can be written");
    let begin = || {
        let mut command = lab.command(&["run", "study.yaml", "--verbose"]);
        let command = command.stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().expect("the binary starts")
    };
    let mut engine = begin();
    let deep =
        |states: &[(u64, PathBuf)]| states.iter().filter(|(step, _)| *step > 50).count() >= 2;
    let first = most_until(&lab, || deep(&kept(&lab)));
    engine.kill().expect("it can be killed");
    engine.wait().expect("it was started");
    let mut engine = begin();
    let second = most_until(&lab, || {
        engine.try_wait().expect("it was started").is_some()
    });
    let output = engine.wait_with_output().expect("it was started");
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        first <= space && second <= space,
        "{first}, {second} of {space}"
    );
    assert!(said.contains("of finished runs to make room"), "{said}");
    assert!(!said.contains("no room"), "{said}");
    assert_eq!(curves(&lab), expected);
    // What the killed run had kept was gone on from.
    for seed in [0, 1] {
        let stage = format!("kfac/seed={seed}");
        let shown = stdout(&lab.output(&["explain", "study.yaml", &stage]));
        assert!(
            shown.contains("went on from the state kept at step"),
            "{shown}"
        );
    }
    let status = stdout(&lab.output(&["status"]));
    assert!(
        status.contains("of finished runs dropped to make room"),
        "{status}"
    );
    let du = stdout(&lab.output(&["cache", "du"]));
    let states = du.lines().find(|line| line.contains("kept states"));
    assert!(
        states.is_some_and(|line| line.contains("which may take")),
        "{du}"
    );
}

/// The most bytes that kept states took until something is so: at each moment between two looks there was what both
/// saw.
fn most_until(lab: &Lab, mut is_so: impl FnMut() -> bool) -> u64 {
    let look = || -> Vec<(PathBuf, u64)> {
        let states = kept(lab).into_iter();
        let lengths =
            states.filter_map(|(_, path)| Some((path.clone(), path.metadata().ok()?.len())));
        lengths.collect()
    };
    let start = Instant::now();
    let (mut most, mut before) = (0, look());
    while !is_so() {
        let now = look();
        let both = now.iter().filter(|one| before.contains(one));
        most = most.max(both.map(|(_, bytes)| bytes).sum());
        before = now;
        assert!(start.elapsed() < Duration::from_mins(5), "it does not come");
    }
    most
}
