//! Memory: outputs larger than what a process should need of it, runs that share it, and GPUs that share theirs.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::interrupt::children;
use crate::lab::{Lab, stderr, stdout};

/// A stage that writes a large file into a folder and one as such, and one that reads both.
const STUDY: &str = "\
study: large
stages:
  save:
    command:
      run: mkdir out; head -c 200000000 /dev/zero > out/weights; head -c 200000001 /dev/zero > log
      outputs: { out: out/, log: log }
  use:
    command:
      run: cat model/weights log | wc -c > count
      inputs: { model: save.out, log: save.log }
      outputs: { count: count }
";

/// The most memory that a process ever had, in MB; 0 of one that is gone.
fn most(process: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1024
}

#[test]
fn an_output_and_its_reader_need_little_memory_however_large_it_is() {
    let lab = Lab::new(STUDY);
    let mut command = lab.command(&["run", "study.yaml"]);
    let mut run = command
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let (mut engine, mut workers) = (0, 0);
    while run.try_wait().expect("it was started").is_none() {
        engine = engine.max(most(&run.id().to_string()));
        let now = children(run.id()).iter().map(|worker| most(worker)).max();
        workers = workers.max(now.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(1));
    }
    let output = run.wait_with_output().expect("it was started");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(engine > 0 && engine < 100, "{engine} MB");
    assert!(workers > 0 && workers < 100, "{workers} MB");
}

/// Runs of two sizes.
const SIZES: &str = "\
study: sizes
stages:
  digits: { dataset: { source: digits, test: 300 } }
  net:
    train: { dataset: digits, model: { cnn: { channels: [8, 8] } }, optimizer: { sgd: {} }, learning_rate: 0.05,
             budget: { iterations: 12 } }
    sweep: { batch_size: [64, 1024], seed: [0, 1, 2] }
  targets: { steps_to_target: { runs: [net], train_loss: [1.0] } }
  report: { report: { title: Sizes, include: [targets] } }
";

/// What the largest run of a study is said to take, in bytes.
fn largest(lab: &Lab) -> u64 {
    let plan = lab.output(&["plan", "study.yaml", "--json"]);
    let plan: Value = serde_json::from_slice(&plan.stdout).expect("JSON");
    plan["training"]["memory"].as_u64().expect("a size")
}

fn run(lab: &Lab, arguments: &[&str]) -> Output {
    let begin = ["run", "study.yaml", "--message-format", "json", "--no-live"];
    lab.output(&[&begin, arguments].concat())
}

/// The most training runs that ran at once.
fn most_at_once(output: &Output) -> usize {
    let (mut running, mut most, mut ended) = (0_usize, 0, 0);
    for line in stderr(output).lines() {
        let Ok(event) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        if !event["stage"]
            .as_str()
            .is_some_and(|it| it.starts_with("net/"))
        {
            continue;
        }
        match event["event"].as_str() {
            Some("started") => running += 1,
            Some("finished") => {
                running -= 1;
                ended += 1;
            }
            _ => {}
        }
        most = most.max(running);
    }
    assert_eq!(ended, 6, "{}", stderr(output));
    most
}

#[test]
fn two_runs_that_do_not_fit_beside_each_other_run_one_after_the_other() {
    let lab = Lab::new(SIZES);
    let takes = largest(&lab).to_string();
    let one = run(&lab, &["--jobs", "2", "--memory", &takes]);
    assert_eq!(one.status.code(), Some(0), "{}", stderr(&one));
    assert_eq!(most_at_once(&one), 1);
    let line = "jobs: 2 (memory for 1 of the largest runs at once: `net/batch_size=1024,seed=0` takes about ";
    assert!(stderr(&one).contains(line), "{}", stderr(&one));
    assert!(
        !stderr(&one).contains("\"largest\":null"),
        "the event names it"
    );
    fs::remove_dir_all(lab.path("cache")).expect("a cache");
    let two = run(&lab, &["--jobs", "2", "--memory", "unlimited"]);
    assert_eq!(most_at_once(&two), 2);
    assert!(!stderr(&two).contains("memory"), "{}", stderr(&two));
}

#[test]
fn a_run_that_is_too_large_fails_with_its_size_and_the_others_end() {
    let lab = Lab::new(SIZES);
    let little = (largest(&lab) - 1).to_string();
    fs::write(lab.path("site.yaml"), format!("memory: {little}\n")).expect("written");
    let planned = stdout(&lab.output(&["plan", "study.yaml"]));
    let line =
        "memory: `net/batch_size=1024,seed=0` is too large and will fail at once: it takes about ";
    assert!(planned.contains(line), "{planned}");
    let output = lab.output(&["run", "study.yaml", "--verbose"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(line), "{said}");
    let failed = "failed: net/batch_size=1024,seed=0: it takes about ";
    let failed = said.lines().find(|line| line.starts_with(failed));
    assert!(
        failed
            .is_some_and(|line| line.contains(" of memory, and the site file (`memory`) allows ")),
        "{said}"
    );
    assert!(said.contains("and 2 more stages alike: 2 of net"), "{said}");
    assert!(
        said.contains("9 stages: 4 ran, 0 cached, 3 failed, 2 skipped"),
        "{said}"
    );
    assert!(!said.contains("log:"), "it has none: {said}");
    // The rest is what is left to do, and no earlier failure is held against it.
    let planned = stdout(&lab.output(&["plan", "study.yaml"]));
    assert!(
        planned.contains("net: 3 cached, 3 to run\n  new value"),
        "{planned}"
    );
    let enough = lab.output(&["run", "study.yaml", "--memory", "1T"]);
    assert_eq!(enough.status.code(), Some(0), "{}", stderr(&enough));
    let planned = stdout(&lab.output(&["plan", "study.yaml"]));
    assert!(!planned.contains("memory"), "nothing is to run: {planned}");
}

#[test]
fn status_names_what_is_too_large_for_each_machine_of_a_plan() {
    let lab = Lab::new(SIZES);
    let little = (largest(&lab) - 1).to_string();
    fs::create_dir(lab.path("remote")).expect("the remote");
    let freeze = ["plan", "study.yaml", "--freeze", "--remote", "remote"];
    let frozen = lab.output(&freeze);
    assert_eq!(frozen.status.code(), Some(0), "{}", stderr(&frozen));
    let takes_part = |memory: &str| {
        let run = ["run", "--plan", "sizes", "--remote", "remote"];
        let own = ["--cache", memory, "--memory", memory];
        let output = lab.output(&[&run[..], &own].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    };
    let status = |more: &[&str]| {
        let status = ["status", "sizes", "--remote", "remote"];
        stdout(&lab.output(&[&status[..], more].concat()))
    };
    let line =
        "3 stages too large for each machine so far: `net/batch_size=1024,seed=0` takes about ";
    assert!(!status(&[]).contains(line), "nobody has begun");
    takes_part(&little);
    assert!(status(&[]).contains(line), "{}", status(&[]));
    let seen: Value = serde_json::from_str(&status(&["--json"])).expect("JSON");
    assert_eq!(seen["too_large"], 3);
    assert_eq!(seen["copies"][0]["memory"].to_string(), little);
    takes_part("1T");
    assert!(status(&[]).contains("all done"), "{}", status(&[]));
    assert!(!status(&[]).contains("too large"), "{}", status(&[]));
}

#[test]
fn gpus_are_shared_as_nvidia_smi_says_what_memory_they_have() {
    let lab = Lab::new(SIZES);
    fs::write(lab.path("site.yaml"), "gpus: [0, 1]\njobs_per_gpu: auto\n").expect("written");
    let bin = lab.path("bin");
    fs::create_dir(&bin).expect("a folder");
    let said_with = |sizes: Option<[u64; 2]>, command: &str| {
        let program = bin.join("nvidia-smi");
        let _ = fs::remove_file(&program);
        if let Some([first, second]) = sizes {
            let script = format!(
                "#!/bin/sh\ntest \"$1 $2 $3\" = \"--query-gpu=memory.total --format=csv,noheader,nounits -i\" || exit 1\n\
                 case $4 in 0) echo {first};; 1) echo {second};; *) exit 6;; esac\n"
            );
            fs::write(&program, script).expect("written");
            fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("permissions");
        }
        let arguments: Vec<&str> = command.split(' ').collect();
        let output = lab.command(&arguments).env("PATH", &bin).output();
        stdout(&output.expect("the binary starts"))
    };
    let jobs = |said: &str| -> usize {
        let line = said.lines().find_map(|line| line.strip_prefix("jobs: "));
        let number = line.and_then(|line| line.split(' ').next());
        number
            .and_then(|it| it.parse().ok())
            .unwrap_or_else(|| panic!("{said}"))
    };
    let plan = "plan study.yaml";
    let none = said_with(None, plan);
    assert!(
        none.contains(
            "jobs on each GPU: 1 (`nvidia-smi`, which says what memory it has, does not start"
        ),
        "{none}"
    );
    assert_eq!(jobs(&none), 2);
    // The smaller one decides.
    let small = said_with(Some([24_000, 700]), plan);
    let line = "jobs on each GPU: 1 (`net/batch_size=1024,seed=0` takes about ";
    assert!(
        small.contains(line) && small.contains(", and CUDA 600 MiB, of 700 MiB)"),
        "{small}"
    );
    let too_small = said_with(Some([24_000, 500]), plan);
    assert!(
        too_small.contains("of 500 MiB: it may not fit)"),
        "{too_small}"
    );
    let large = said_with(Some([81_920, 81_920]), plan);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    assert_eq!(jobs(&large), 2 * (cores / 2).clamp(1, 8), "{large}");
    let doctor = said_with(Some([24_000, 16_384]), "doctor");
    assert!(
        doctor.contains("16.0 GiB of memory each; `jobs_per_gpu: auto`"),
        "{doctor}"
    );
    let doctor = said_with(None, "doctor");
    assert!(doctor.contains("`jobs_per_gpu: auto` is 1"), "{doctor}");
}
