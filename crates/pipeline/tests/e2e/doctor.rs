//! `pipeline doctor` and `--version`: what a bug report says of a machine.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output};

use serde_json::Value;

use crate::lab::{Lab, TINY, stderr, stdout};

/// What was found, by topic: the state, and the words.
fn findings(output: &Output) -> Vec<(String, String, String)> {
    let object: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let can_run = output.status.code() == Some(0);
    assert_eq!(object["can_run"], can_run, "the exit code says the same");
    let findings = object["findings"].as_array().expect("a list");
    let text = |finding: &Value, field: &str| finding[field].as_str().expect(field).to_owned();
    findings
        .iter()
        .map(|finding| {
            let words = format!("{}; {}", text(finding, "found"), text(finding, "meaning"));
            (text(finding, "topic"), text(finding, "state"), words)
        })
        .collect()
}

fn of<'f>(findings: &'f [(String, String, String)], topic: &str) -> (&'f str, &'f str) {
    let finding = findings.iter().find(|(it, ..)| it == topic);
    let (_, state, words) = finding.unwrap_or_else(|| panic!("nothing of {topic}"));
    (state, words)
}

#[test]
fn a_line_says_what_is_there_and_what_it_means() {
    let lab = Lab::new(TINY);
    let output = lab.output(&["doctor"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert_eq!(stderr(&output), "");
    // What is there differs from machine to machine, and whether that is as good as it could be.
    let lines = stdout(&output);
    let masked = lines.lines().map(|line| match line.split_once("; ") {
        Some((before, meaning)) => {
            assert!(!meaning.is_empty(), "{line}");
            format!("STATE {:<13}FOUND; MEANING", before[8..21].trim_end())
        }
        None => line.to_owned(),
    });
    insta::assert_snapshot!(masked.collect::<Vec<_>>().join("\n"));
}

#[test]
fn no_home_folder_is_named() {
    let lab = Lab::new(TINY);
    let home = lab.path("");
    let cache = lab.path("my/cache");
    let mut command = lab.command(&["doctor", "--cache", cache.to_str().expect("UTF-8")]);
    let output = command.env("HOME", &home).output().expect("it starts");
    let said = stdout(&output);
    assert!(!said.contains(home.to_str().expect("UTF-8")), "{said}");
    assert!(said.contains("~/my/cache does not exist yet"), "{said}");
    assert!(!lab.path("my").exists(), "and nothing is made");
}

#[test]
fn a_cache_that_cannot_be_written_is_a_problem() {
    let lab = Lab::new(TINY);
    let cache = lab.path("cache");
    fs::create_dir_all(cache.join("v1")).expect("a folder");
    let mode = |path, mode| fs::set_permissions(path, Permissions::from_mode(mode));
    mode(cache.join("v1"), 0o555).expect("permissions");
    // Root writes to everything: then it is done as nobody, who must find the program.
    let mut command = lab.command(&["doctor", "--json"]);
    if fs::metadata(&cache).expect("its owner").uid() == 0 {
        let program = lab.path("pipeline");
        fs::copy(env!("CARGO_BIN_EXE_pipeline"), &program).expect("a copy");
        mode(lab.path(""), 0o777).expect("permissions");
        command = Command::new(program);
        command.args(["doctor", "--json"]).current_dir(lab.path(""));
        command.uid(65534).gid(65534);
    }
    let output = command.output().expect("it starts");
    let findings = findings(&output);
    assert_eq!(output.status.code(), Some(1));
    let (state, words) = of(&findings, "cache");
    assert_eq!(state, "problem");
    assert!(words.starts_with("cache cannot be written"), "{words}");
    assert_eq!(of(&findings, "reports").0, "ok");
}

#[test]
fn a_machine_without_a_gpu_or_a_program_can_run_a_study() {
    let lab = Lab::new(TINY);
    let mut command = lab.command(&["doctor", "--json"]);
    let output = command.env("PATH", "").output().expect("it starts");
    let findings = findings(&output);
    assert_eq!(output.status.code(), Some(0), "{findings:?}");
    if cfg!(not(any(feature = "cuda", feature = "wgpu"))) {
        let device = of(&findings, "device").1;
        assert!(device.starts_with("cpu ("), "{device}");
    }
    for (topic, absent) in [("Slurm", "no sbatch"), ("Python", "no working python3")] {
        let (state, words) = of(&findings, topic);
        assert_eq!(state, "ok");
        assert!(words.starts_with(absent), "{words}");
    }
}

#[test]
fn a_site_file_with_mistakes_is_one_problem_and_the_rest_is_still_said() {
    let lab = Lab::new(TINY);
    fs::write(lab.path("site.yaml"), "jobz: 1\n").expect("written");
    let findings = findings(&lab.output(&["doctor", "--json"]));
    let problems = findings.iter().filter(|(_, state, _)| state == "problem");
    let topics: Vec<&str> = problems.map(|(topic, ..)| topic.as_str()).collect();
    assert_eq!(topics, ["site file"]);
    assert!(of(&findings, "device").0 != "problem");
}

#[test]
fn a_remote_is_tried_out_and_one_that_cannot_be_used_is_a_problem() {
    let lab = Lab::new(TINY);
    fs::create_dir(lab.path("shared")).expect("a folder");
    let doctor = |remote: &str| findings(&lab.output(&["doctor", "--json", "--remote", remote]));
    let before = doctor("shared");
    let (state, words) = of(&before, "remote");
    assert_eq!(state, "ok");
    assert!(
        words.starts_with("shared has 0 results and 0 plans"),
        "{words}"
    );
    let output = lab.output(&["run", "--quiet", "--remote", "shared", "study.yaml"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let there = fs::read_dir(lab.path("shared/v1/ac")).expect("records");
    let records: usize = there
        .map(|folder| fs::read_dir(folder.expect("a folder").path()).expect("records"))
        .map(Iterator::count)
        .sum();
    let after = doctor("shared");
    let words = of(&after, "remote").1;
    assert!(
        words.starts_with(&format!("shared has {records} results")),
        "{words}"
    );

    let missing = doctor("elsewhere");
    let (state, words) = of(&missing, "remote");
    assert_eq!(state, "problem", "{words}");
    assert!(
        words.starts_with("cannot be used: there is no folder elsewhere"),
        "{words}"
    );
}

#[test]
fn the_version_says_commit_devices_and_kernels_in_its_long_form() {
    let lab = Lab::new(TINY);
    let short = format!("pipeline {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(stdout(&lab.output(&["-V"])), short);
    let long = stdout(&lab.output(&["--version"]));
    assert!(long.starts_with(&short), "{long}");
    let fields: Vec<&str> = long[short.len()..]
        .lines()
        .map(|line| line.split_once(": ").expect("a name and a value").0)
        .collect();
    assert_eq!(fields, ["commit", "devices", "CPU kernels"]);
    let commit = long.lines().nth(1).expect("a line");
    let hash = commit["commit: ".len()..]
        .split(' ')
        .next()
        .expect("a word");
    assert!(
        hash == "unknown" || hash.len() == 12 && hash.bytes().all(|c| c.is_ascii_hexdigit()),
        "{commit}"
    );
}

#[test]
fn a_device_beside_the_cpu_is_in_line_if_it_is_the_cpu() {
    let lab = Lab::new(TINY);
    let output = lab.output(&["doctor", "--device", "cpu", "--batch-size", "4", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!(said["in_line"], true);
    let trials = said["trials"].as_array().expect("a list");
    assert_eq!(trials.len(), 6);
    for trial in trials {
        assert_eq!(trial["apart"], 0.0, "{trial}");
        for of_a_gpu in ["launches", "waits", "bytes_up"] {
            assert!(trial[of_a_gpu].is_null(), "{trial}");
        }
        assert!(
            trial["update_seconds"].as_f64().expect("seconds") > 0.0,
            "{trial}"
        );
    }
}
