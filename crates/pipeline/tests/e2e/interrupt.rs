//! Ctrl-C once and twice, and what `status` says meanwhile.

use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::lab::{Lab, TINY, stderr, stdout};

/// The tiny study with runs that nobody would wait for.
pub(crate) fn endless() -> Lab {
    let sgd = "schedule: constant\n      budget: { iterations: 40 }";
    assert!(TINY.contains(sgd));
    Lab::new(&TINY.replacen(
        sgd,
        "schedule: constant\n      budget: { iterations: 50000000 }",
        1,
    ))
}

/// Starts the study and waits until a worker trains.
fn training(lab: &Lab) -> Child {
    let run = lab
        .command(&["run", "study.yaml", "--jobs", "2"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let start = Instant::now();
    while !status(lab).contains("  sgd/") {
        assert!(start.elapsed() < Duration::from_mins(1), "{}", status(lab));
        std::thread::sleep(Duration::from_millis(20));
    }
    run
}

fn status(lab: &Lab) -> String {
    stdout(&lab.output(&["status"]))
}

fn interrupt(run: &Child) {
    send("-INT", &[run.id().to_string()]);
}

pub(crate) fn send(signal: &str, to: &[String]) {
    let kill = Command::new("kill").arg(signal).args(to).status();
    assert!(kill.expect("kill starts").success());
}

fn ended(run: Child) -> (Output, String) {
    let output = run.wait_with_output().expect("it ends");
    let said = stderr(&output);
    (output, said)
}

/// The processes that a process started.
pub(crate) fn children(of: u32) -> Vec<String> {
    let list = std::fs::read_to_string(format!("/proc/{of}/task/{of}/children"));
    let list = list.unwrap_or_default();
    list.split_whitespace().map(str::to_owned).collect()
}

/// No worker computes on. A dead one that nobody has waited for does not.
fn all_gone(workers: &[String]) -> bool {
    let start = Instant::now();
    let lives = |worker: &String| {
        let stat = std::fs::read_to_string(format!("/proc/{worker}/stat")).unwrap_or_default();
        !stat.is_empty() && !stat.contains(") Z ")
    };
    while workers.iter().any(lives) {
        if start.elapsed() > Duration::from_secs(2) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}

#[test]
fn after_ctrl_c_running_stages_get_a_moment_and_the_same_command_goes_on() {
    let lab = endless();
    let run = training(&lab);
    let workers = children(run.id());
    assert!(!workers.is_empty());
    let begun = Instant::now();
    interrupt(&run);
    let (output, said) = ended(run);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(
        begun.elapsed() < Duration::from_mins(1),
        "{:?}",
        begun.elapsed()
    );
    // Training keeps a checkpoint after the step that it is in, and is given time for that, unless none has said yet
    // that it will: both were only just given out.
    let until = [
        "finish the step they are in and keep a checkpoint",
        "finish within 3 s",
    ];
    assert!(
        until.iter().any(|it| said.contains(it)) && said.contains("Ctrl-C again ends at once"),
        "{said}"
    );
    let last = said.lines().last().expect("a last line");
    assert!(
        last.starts_with("interrupted after")
            && last.contains("the same command goes on from here"),
        "{said}"
    );
    assert!(all_gone(&workers));
    assert!(
        status(&lab).contains("interrupted after"),
        "{}",
        status(&lab)
    );
    // With a budget that ends, what the interrupted run has done is not done again.
    lab.write(TINY);
    let ran = lab.run();
    assert!(!ran.names.contains(&"digits".to_owned()), "{:?}", ran.names);
}

#[test]
fn what_a_batch_system_sends_to_all_processes_of_a_job_ends_it_with_a_checkpoint() {
    for signal in ["-TERM", "-HUP", "-USR1", "-USR2"] {
        let lab = endless();
        let site = "checkpoints: { every: 0.05, worth: 0 }\n";
        std::fs::write(lab.path("site.yaml"), site).expect("it can be written");
        let run = training(&lab);
        let workers = children(run.id());
        let all = [vec![run.id().to_string()], workers.clone()].concat();
        send(signal, &all);
        // USR1 and then TERM is the ordinary course.
        std::thread::sleep(Duration::from_millis(50));
        if signal == "-USR1" && status(&lab).contains("running:") {
            send("-TERM", &all[..1]);
        }
        let (output, said) = ended(run);
        assert_eq!(output.status.code(), Some(130), "{signal}: {said}");
        assert!(
            said.contains("the same command goes on from here") && !said.contains("failed"),
            "{signal}: {said}"
        );
        assert!(all_gone(&workers), "{signal}");
        assert!(
            lab.path("cache/v1/ckpt").exists(),
            "{signal}: no checkpoint"
        );
        assert!(!lab.path("cache/v1/fail").exists(), "{signal}: a failure");
    }
}

#[test]
fn a_program_that_a_batch_system_ended_with_the_run_has_not_failed() {
    let lab = Lab::new(
        "study: waits\nstages:\n  wait:\n    command: { run: [sleep, \"600\"], outputs: { out: out.txt } }\n",
    );
    let run = lab
        .command(&["run", "study.yaml"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let programs = || {
        let workers = children(run.id());
        let of_workers = workers
            .iter()
            .filter_map(|worker| worker.parse().ok())
            .flat_map(children);
        of_workers.collect::<Vec<String>>()
    };
    let start = Instant::now();
    let sleeps = |process: &String| {
        let name = std::fs::read_to_string(format!("/proc/{process}/comm"));
        name.is_ok_and(|name| name == "sleep\n")
    };
    while !programs().iter().any(sleeps) {
        assert!(
            start.elapsed() < Duration::from_mins(1),
            "it does not start"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    let all = [vec![run.id().to_string()], children(run.id()), programs()].concat();
    send("-TERM", &all);
    let (output, said) = ended(run);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(!said.contains("failed"), "{said}");
    assert!(!lab.path("cache/v1/fail").exists());
}

#[test]
fn with_nohup_a_hang_up_ends_nothing() {
    let lab = Lab::new(
        "study: waits\nstages:\n  wait:\n    command: { run: \"sleep 1; echo > out.txt\", outputs: { out: out.txt } }\n",
    );
    let mut nohup = Command::new("nohup");
    nohup
        .args([env!("CARGO_BIN_EXE_pipeline"), "run", "study.yaml"])
        .current_dir(lab.path(""))
        .env_remove("PIPELINE_CACHE");
    let run = nohup
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("nohup starts");
    while !status(&lab).contains("  wait for") {
        std::thread::sleep(Duration::from_millis(20));
    }
    send("-HUP", &[run.id().to_string()]);
    let (output, said) = ended(run);
    assert_eq!(output.status.code(), Some(0), "{said}");
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    let lab = endless();
    let run = training(&lab);
    let workers = children(run.id());
    interrupt(&run);
    std::thread::sleep(Duration::from_millis(300));
    let begun = Instant::now();
    interrupt(&run);
    let (output, said) = ended(run);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
    assert!(all_gone(&workers));
    assert!(status(&lab).contains("killed after"), "{}", status(&lab));
    lab.write(TINY);
    lab.run();
}
