//! Trained prefixes: what was trained is not trained again, and what goes on gives the same bytes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
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

/// Keeps the checkpoint of every step, or nothing.
const EVERY: [&str; 4] = ["--checkpoint-every", "0", "--checkpoint-worth", "0"];
/// Keeps checkpoints at segment ends only.
const ENDS: [&str; 4] = ["--checkpoint-every", "1e9", "--checkpoint-worth", "0"];
const NONE: [&str; 2] = ["--keep-checkpoints", "none"];

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
    let went_on = line("went on from the checkpoint at step ").map(|rest| {
        let numbers: Vec<u64> = rest
            .split([' ', ':'])
            .filter_map(|word| word.parse().ok())
            .collect();
        (numbers[0], numbers[1])
    });
    (curve[..64].to_owned(), went_on)
}

/// The steps of the checkpoints, and their files.
fn kept(lab: &Lab) -> Vec<(u64, PathBuf)> {
    let mut found = Vec::new();
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
            let step = step
                .parse()
                .expect("a checkpoint's name begins with its step");
            found.push((step, path));
        }
    }
    found.sort();
    found
}

fn steps(lab: &Lab) -> Vec<u64> {
    kept(lab).into_iter().map(|(step, _)| step).collect()
}

/// Starts the study and waits until it has kept the checkpoint of a step beyond 20.
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
fn a_damaged_checkpoint_is_reported_and_trained_again() {
    let lab = Lab::new(STUDY);
    run(&lab, &ENDS);
    let (_, path) = kept(&lab).remove(0);
    let mut bytes = std::fs::read(&path).expect("a checkpoint");
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
    assert!(
        stderr(&output).contains("checkpoint"),
        "{}",
        stderr(&output)
    );
    let (_, went_on) = explained(&lab, &words[2..]);
    assert_eq!(went_on, None);
}

#[test]
fn the_weights_that_a_run_ended_with_are_exported_where_its_last_checkpoint_was_kept() {
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
        said.contains(
            "1 run left out without weights; of kfac/run: the run's last checkpoint was not kept"
        ),
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
        let keep = ["--keep-checkpoints", which];
        run(&lab, &[&keep[..], &EVERY].concat());
        assert_eq!(steps(&lab), left, "{which}");
    }
    // What costs less than it is worth is not kept.
    let lab = Lab::new(STUDY);
    run(&lab, &["--checkpoint-worth", "1e6"]);
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
fn a_small_space_holds_and_changes_no_result() {
    let study = of_seeds("[0, 1, 2, 3]");
    let free = Lab::new(&study);
    let words = ["run", "study.yaml", "--jobs", "2", "--verbose"];
    let output = free.output(&[&words[..], &NONE].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let expected = curves(&free);

    // How much one checkpoint takes at most: the last one of a run.
    let one = Lab::new(STUDY);
    run(&one, &ENDS);
    let (_, last) = kept(&one).pop().expect("a checkpoint");
    let one = std::fs::metadata(last).expect("a checkpoint").len();
    // Room for the newest of both runs that go at once, and for one of those that are done.
    let space = 7 * one / 2;

    let lab = Lab::new(&study);
    let site = format!("jobs: 2\ncheckpoints: {{ every: 0.05, worth: 0, space: {space} }}\n");
    std::fs::write(lab.path("site.yaml"), site).expect("it can be written");
    let begin = || {
        let mut command = lab.command(&["run", "study.yaml", "--verbose"]);
        let command = command.stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().expect("the binary starts")
    };
    let mut engine = begin();
    let both_are_deep = || {
        let deep = kept(&lab).into_iter().filter(|(step, _)| *step > 50);
        let roots: BTreeSet<_> = deep
            .map(|(_, path)| path.parent().map(Path::to_owned))
            .collect();
        roots.len() == 2
    };
    let first = most_until(&lab, both_are_deep);
    engine.kill().expect("it can be killed");
    engine.wait().expect("it was started");
    let mut engine = begin();
    let second = most_until(&lab, || {
        engine.try_wait().expect("it was started").is_some()
    });
    let output = engine.wait_with_output().expect("it was started");
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    // Each of the two that go at once may have one more for the moment in which it replaces its own.
    let most = space + 2 * one;
    assert!(
        first <= most && second <= most,
        "{first}, {second} of {space}"
    );
    let left: u64 = kept(&lab)
        .iter()
        .map(|(_, path)| path.metadata().expect("a file").len())
        .sum();
    assert!(left <= space, "{left} of {space}");
    assert!(!said.contains("no room"), "{said}");
    assert_eq!(curves(&lab), expected);
    // What the killed run had kept was gone on from.
    for seed in [0, 1] {
        let stage = format!("kfac/seed={seed}");
        let shown = stdout(&lab.output(&["explain", "study.yaml", &stage]));
        assert!(
            shown.contains("went on from the checkpoint at step"),
            "{shown}"
        );
    }
    let du = stdout(&lab.output(&["cache", "du"]));
    assert!(du.contains("checkpoints"), "{du}");
}

/// The most bytes that checkpoints took until something is so: at each moment between two looks there was what both
/// saw.
fn most_until(lab: &Lab, mut is_so: impl FnMut() -> bool) -> u64 {
    let look = || -> Vec<(PathBuf, u64)> {
        let files = kept(lab).into_iter();
        let lengths =
            files.filter_map(|(_, path)| Some((path.clone(), path.metadata().ok()?.len())));
        lengths.collect()
    };
    let start = Instant::now();
    let (mut most, mut before) = (0, look());
    while !is_so() {
        let now = look();
        let both = now.iter().filter(|one| before.contains(one));
        most = most.max(both.map(|(_, bytes)| bytes).sum());
        before = now;
        std::thread::sleep(Duration::from_millis(1));
        assert!(start.elapsed() < Duration::from_mins(5), "it does not come");
    }
    most
}
