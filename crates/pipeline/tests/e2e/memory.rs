//! Outputs larger than what a process should need of memory.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use crate::interrupt::children;
use crate::lab::{Lab, stderr};

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
