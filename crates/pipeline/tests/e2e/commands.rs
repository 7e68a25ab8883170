//! `command` stages, run by the real binary.

#[allow(dead_code, reason = "each test uses a part of the lab")]
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::lab::{Lab, ran, stderr};

/// A lab with a study of these stages.
fn lab(stages: &str) -> Lab {
    Lab::new(&format!("study: commands\nstages:\n{stages}"))
}

/// Runs to the end and says what ran.
fn run(lab: &Lab) -> Vec<String> {
    let output = lab.output(&["run", "--verbose", "study.yaml"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    ran(&said).names
}

/// Runs a study that must fail; gives what was said.
fn failure(stages: &str) -> String {
    let lab = lab(stages);
    let output = lab.output(&["run", "study.yaml"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    stderr(&output)
}

/// The contents of a stage's output, found as another command would read it.
fn read(lab: &Lab, stage: &str, study: &str) -> String {
    let stages = format!(
        "{study}  seen:\n    command: {{ run: 'cp x {0}', inputs: {{ x: {stage} }}, outputs: {{ y: y }} }}\n",
        "y"
    );
    lab.write(&format!("study: commands\nstages:\n{stages}"));
    run(lab);
    let output = lab.output(&["explain", "study.yaml", "seen"]);
    let said = crate::lab::stdout(&output);
    let digest = said
        .lines()
        .find_map(|line| line.strip_prefix("output y: "))
        .and_then(|rest| rest.split(' ').next())
        .unwrap_or_else(|| panic!("no output: {said}"))
        .to_owned();
    blob(&lab.path("cache"), &digest)
}

/// The blob of this digest, wherever the store keeps it.
fn blob(folder: &std::path::Path, digest: &str) -> String {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of the cache") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().replace('/', "").ends_with(digest) {
                return fs::read_to_string(path).expect("text");
            }
        }
    }
    panic!("the cache has no {digest}");
}

#[test]
fn commands_read_files_stages_runs_and_folders() {
    let study = "  split:
    command:
      run: 'mkdir -p parts/sub; cp text.txt parts/{n}; echo {n} > parts/sub/n'
      inputs: { text.txt: ./text.txt }
      outputs: { parts: parts/ }
    sweep: { n: [1, 2] }
  count:
    command:
      run: [sh, -c, 'cat parts/{n} parts/sub/n - < /dev/null > out/count.txt']
      inputs: { parts: split }
      outputs: { count: out/count.txt }
    sweep: { n: [1, 2] }
  all:
    command:
      run: 'for run in counts/*; do echo $run; cat $run; done > all.txt'
      inputs: { counts: count }
      outputs: { all: all.txt }
";
    let lab = lab(study);
    fs::write(lab.path("text.txt"), "hello\n").expect("a file");
    assert_eq!(run(&lab).len(), 5);
    assert!(run(&lab).is_empty(), "a second run runs nothing");
    fs::write(lab.path("text.txt"), "hullo\n").expect("a file");
    assert_eq!(run(&lab).len(), 5, "an edited input file");
    assert_eq!(
        read(&lab, "all", study),
        "counts/n=1\nhullo\n1\ncounts/n=2\nhullo\n2\n"
    );
}

#[test]
fn a_setting_that_changes_no_byte_stops_the_wave() {
    let study = "  first:
    command: { run: 'echo {n} | cut -c1 > out', outputs: { out: out } }
    sweep: { n: [10] }
  second:
    command: { run: 'cat in/* > out', inputs: { in: first }, outputs: { out: out } }
";
    let lab = lab(study);
    assert_eq!(run(&lab).len(), 2);
    lab.write(&format!(
        "study: commands\nstages:\n{}",
        study.replace("cut -c1", "cut -c 1")
    ));
    assert_eq!(run(&lab), ["first/n=10"], "another command, the same bytes");
}

#[test]
fn the_environment_is_that_of_the_manifest() {
    let lab = lab("  a:
    command: { run: 'env | cut -d= -f1 | sort > out', environment: { EXTRA: 1 }, outputs: { out: out } }
");
    let mut command = lab.command(&["run", "study.yaml"]);
    let output = command
        .env("SECRET", "1")
        .env("LANG", "C")
        .output()
        .expect("the binary starts");
    assert!(output.status.success(), "{}", stderr(&output));
    let study = "  a:
    command: { run: 'env | cut -d= -f1 | sort > out', environment: { EXTRA: 1 }, outputs: { out: out } }
";
    let seen = read(&lab, "a", study);
    let known = [
        "PATH",
        "HOME",
        "LANG",
        "LC_ALL",
        "TZ",
        "CUDA_VISIBLE_DEVICES",
        "TMPDIR",
        "OMP_NUM_THREADS",
        "PYTHONDONTWRITEBYTECODE",
        "EXTRA",
        // The shell's own.
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
    ];
    for name in seen.lines() {
        assert!(known.contains(&name), "the program sees {name}");
    }
    for name in ["EXTRA", "PATH", "TMPDIR"] {
        assert!(seen.lines().any(|line| line == name), "no {name} in {seen}");
    }
}

#[test]
fn what_was_not_declared_is_refused_and_so_is_what_is_missing() {
    let said = failure(
        "  a:\n    command: { run: 'echo 1 > out; mkdir d; echo 2 > d/more; echo 3 > left', outputs: { out: out } }\n",
    );
    assert!(
        said.contains("the program left files that are not declared: `d/more`, `left`"),
        "{said}"
    );
    let said =
        failure("  a:\n    command: { run: 'echo 1 > $TMPDIR/kept', outputs: { out: out } }\n");
    assert!(
        said.contains("the program did not write `out`, which is declared"),
        "{said}"
    );
    let said = failure("  a:\n    command: { run: 'mkdir out', outputs: { out: out } }\n");
    assert!(said.contains("declared as `out/`"), "{said}");
    let said =
        failure("  a:\n    command: { run: 'ln -s /etc/passwd out', outputs: { out: out } }\n");
    assert!(
        said.contains("`out` is neither a file nor a folder"),
        "{said}"
    );
}

#[test]
fn a_program_that_fails_is_shown_with_the_end_of_its_log() {
    let said = failure(
        "  a:\n    command: { run: 'echo the reason >&2; exit 3', outputs: { out: out } }\n  b:\n    command: { run: 'cp a b', inputs: { a: a }, outputs: { b: b } }\n",
    );
    assert!(
        said.contains("a: the program ended with exit code 3"),
        "{said}"
    );
    assert!(said.contains("the reason"), "{said}");
    assert!(said.contains("1 failed, 1 skipped"), "{said}");
    let said = failure("  a:\n    command: { run: [no-such-program], outputs: { out: out } }\n");
    assert!(said.contains("cannot start `no-such-program`"), "{said}");
}

/// Whether a process whose command line has this word is there.
fn is_running(word: &str) -> bool {
    let processes = fs::read_dir("/proc").expect("/proc");
    processes.filter_map(Result::ok).any(|process| {
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line)
            .split('\0')
            .any(|argument| argument == word)
    })
}

fn wait_until(what: &str, is: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "waited in vain: {what}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn programs_end_with_the_engine_and_with_their_worker() {
    for kill_worker in [false, true] {
        // A number of seconds that nobody else sleeps.
        let seconds = &format!("1234.{}{}", std::process::id(), u8::from(kill_worker));
        let lab = lab(&format!(
            "  a:\n    command: {{ run: 'sleep {seconds} & sleep {seconds}', outputs: {{ out: out }} }}\n"
        ));
        let mut engine = lab
            .command(&["run", "--jobs", "1", "study.yaml"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        wait_until("the program starts", || is_running(seconds));
        if kill_worker {
            let children = Command::new("pgrep")
                .args(["-P", &engine.id().to_string()])
                .output()
                .expect("pgrep starts");
            for worker in String::from_utf8_lossy(&children.stdout).lines() {
                let killed = Command::new("kill").args(["-9", worker]).status();
                assert!(killed.expect("kill starts").success());
            }
        } else {
            engine.kill().expect("SIGKILL");
        }
        wait_until("the program ends", || !is_running(seconds));
        if kill_worker {
            // The engine may try the stage again with another worker: it has seen enough.
            engine.kill().expect("SIGKILL");
        }
        engine.wait().expect("the process ends");
        wait_until("the program ends for good", || !is_running(seconds));
    }
}

const SOFTMAX: &str = include_str!("softmax.yaml");

fn imports(module: &str) -> bool {
    let mut python = Command::new("python3");
    python.args(["-c", &format!("import {module}")]);
    python
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[test]
fn a_script_that_writes_curves_is_a_training_run_like_any_other() {
    if !imports("json") {
        eprintln!("skipped: no python3 here");
        return;
    }
    let lab = Lab::new(SOFTMAX);
    fs::write(lab.path("softmax.py"), include_str!("softmax.py")).expect("a file");
    assert_eq!(run(&lab).len(), 1 + 8 + 4);
    assert!(run(&lab).is_empty());
    let page = fs::read_to_string(lab.path("reports/softmax.html")).expect("the page");
    for seen in [
        "softmax/batch_size=8,learning_rate=0.5,seed=0,weight_decay=0",
        "weight_decay",
        "id=\"fig-heatmap-1-1\"",
        "id=\"fig-steps-1-1\"",
        "sensitivity",
        "50 %",
    ] {
        assert!(page.contains(seen), "the page does not show {seen}");
    }
    lab.write(&SOFTMAX.replace("learning_rate: [0.5, 2]", "learning_rate: [0.5, 2, 4]"));
    let added: Vec<String> = run(&lab)
        .into_iter()
        .filter(|name| name.starts_with("softmax/"))
        .collect();
    assert_eq!(added.len(), 4, "{added:?}");
    assert!(added.iter().all(|name| name.contains("learning_rate=4")));
}

#[test]
fn the_pytorch_study_runs_where_torch_is_installed() {
    if !imports("torch") {
        eprintln!("skipped: python3 here does not import torch");
        return;
    }
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../pipelines/");
    let lab = Lab::new("");
    let study = format!("{root}pytorch.yaml");
    // The same study, smaller.
    let output = lab.output(&[
        "run",
        "--verbose",
        &study,
        "--set=torch.sweep.batch_size=[64, 256]",
        "--set=torch.sweep.seed=[0]",
        "--set=torch.command.settings.budget={ iterations: 100 }",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let page = fs::read_to_string(lab.path("reports/pytorch.html")).expect("the page");
    assert!(page.contains("12 training runs of SGD") && page.contains("id=\"fig-heatmap-1-1\""));
}
