//! Copies of a frozen plan on machines that die and come back with nothing, stand still, and lose their store.
//! `benches/fleet/faults.py` does the same for as long as one likes, and on an object store.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::lab::{Lab, TINY, ran, stderr, stdout, without_provenance};

/// A copy on a machine of this name, whose disk is empty.
fn begin(lab: &Lab, machine: &str) -> Child {
    let cache = format!("cache-{machine}");
    let arguments = [
        "run",
        "--verbose",
        "--plan",
        "tiny",
        "--remote",
        "remote",
        "--remote-beat",
        "0.2",
        "--remote-ttl",
        "2",
        "--checkpoint-every",
        "0.2",
        "--checkpoint-worth",
        "0",
        "--jobs",
        "1",
        "--no-report",
        "--cache",
        &cache,
    ];
    let mut command = lab.command(&arguments);
    command.stderr(Stdio::piped()).spawn().expect("it starts")
}

/// What a copy said, which ended by itself because nothing was left.
fn said(copy: Child) -> String {
    let output = copy.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stderr(&output)
}

fn signal(copy: &Child, name: &str) {
    let kill = Command::new("kill")
        .args([name, &copy.id().to_string()])
        .status();
    assert!(kill.expect("kill").success());
}

/// Waits until the remote has so many results.
fn wait_for_records(lab: &Lab, records: usize) {
    let start = Instant::now();
    let count = || {
        let folders = fs::read_dir(lab.path("remote/v1/ac")).into_iter().flatten();
        let folders = folders.map(|it| fs::read_dir(it.expect("a folder").path()));
        folders
            .map(|it| it.map_or(0, Iterator::count))
            .sum::<usize>()
    };
    while count() < records {
        assert!(start.elapsed() < Duration::from_mins(3), "they do not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn machines_that_die_and_freeze_and_lose_their_store_come_to_the_results_of_one() {
    let lab = Lab::new(TINY);
    lab.write(&TINY.replace("iterations: 40 }", "iterations: 4000 }"));
    let alone = lab.run();
    fs::create_dir(lab.path("remote")).expect("the remote");
    let freeze = ["plan", "study.yaml", "--freeze", "--remote", "remote"];
    let freeze = lab.output(&[&freeze[..], &["--cache", "login"]].concat());
    assert_eq!(freeze.status.code(), Some(0), "{}", stderr(&freeze));
    assert!(stdout(&freeze).starts_with("tiny/"));

    let (mut first, mut second) = (begin(&lab, "a-1"), begin(&lab, "b-1"));
    let third = begin(&lab, "c");
    for (life, records) in [(2, 3), (3, 5)] {
        for (copy, name) in [(&mut first, "a"), (&mut second, "b")] {
            wait_for_records(&lab, records);
            copy.kill().expect("it is killed");
            copy.wait().expect("it is gone");
            *copy = begin(&lab, &format!("{name}-{life}"));
        }
    }
    wait_for_records(&lab, 8);
    signal(&third, "-STOP");
    // Longer than a copy may be silent.
    std::thread::sleep(Duration::from_secs(3));
    wait_for_records(&lab, 11);
    let away = lab.path("away");
    fs::rename(lab.path("remote"), &away).expect("it goes");
    signal(&third, "-CONT");
    std::thread::sleep(Duration::from_secs(3));
    assert!(!lab.path("remote").exists(), "nobody makes it anew");
    fs::rename(&away, lab.path("remote")).expect("it comes back");

    let said = [first, second, third].map(said);
    assert!(
        said.iter()
            .any(|said| said.contains("the remote fails: ")
                && said.contains("the remote answers again")),
        "{said:?}"
    );
    // A new machine finds all of it. Where the last beat of a killed copy lists a stage that has its result by now, it
    // waits until that copy counts as gone.
    let new = ["run", "--verbose", "--plan", "tiny", "--remote", "remote"];
    let terms = ["--remote-beat", "0.2", "--remote-ttl", "2"];
    let folders = ["--cache", "new", "--reports", "new-reports"];
    let new = lab.output(&[&new[..], &terms, &folders].concat());
    assert_eq!(new.status.code(), Some(0), "{}", stderr(&new));
    let new = ran(&stderr(&new));
    assert_eq!((new.names.len(), new.cached), (0, alone.stages));
    let table = |reports: &str| fs::read(lab.path(reports).join("tiny/report.json")).expect("it");
    assert_eq!(table("new-reports"), table("reports"));
    let page = |reports: &str| without_provenance(&lab.path(reports).join("tiny.html"));
    assert_eq!(page("new-reports"), page("reports"));
}
