//! The page of a study that is not done, by hand and by a run itself.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::interrupt::{endless, send};
use crate::lab::{Lab, TINY, stderr, stdout, without_provenance};

/// A lab where SGD's runs of the tiny study are done, and at one of two batch sizes half of K-FAC's grid.
fn half_done() -> Lab {
    let (first, _) = TINY.split_once("  best:").expect("a selection");
    let (head, kfac) = first.split_once("  kfac:").expect("K-FAC");
    let lab = Lab::new(&format!(
        "{head}  kfac:{}",
        kfac.replace("batch_size: [32, 64]", "batch_size: [32]")
            .replace("learning_rate: [0.01, 0.05]", "learning_rate: [0.01]")
    ));
    lab.run();
    lab.write(TINY);
    lab
}

/// Every file below a folder.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                todo.push(path);
            } else {
                found.insert(path);
            }
        }
    }
    found
}

/// The page, with plain spaces.
fn page(lab: &Lab) -> String {
    let page = fs::read_to_string(lab.path("reports/tiny.html")).unwrap_or_default();
    page.replace('\u{a0}', " ")
}

/// Waits for what another process does.
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_mins(1), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_half_done_study_is_shown_without_verdicts_and_without_a_trace_in_the_cache() {
    let lab = half_done();
    let without = lab.output(&["report", "study.yaml"]);
    assert_eq!(without.status.code(), Some(2));
    let said = stderr(&without);
    assert!(
        said.contains("6 of 20 runs are done") && said.contains("`pipeline report --so-far`"),
        "{said}"
    );
    let before = files(&lab.path("cache"));
    let output = lab.output(&["report", "study.yaml", "--so-far"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "reports/tiny.html\n");
    assert_eq!(files(&lab.path("cache")), before);
    let page = page(&lab);
    for part in [
        "The page so far: 6 of 20 runs done",
        "nothing is running now",
        // Of K-FAC half the grid, and all winners again.
        "Waits for 14 runs: 10 of K-FAC at batch sizes 32 and 64; 4 of SGD at batch sizes 32 and 64. 8 of them",
        "Provisional: other winners may be chosen",
        "sensitivity has 2 of 8 runs.",
        "targets has 0 of 8 runs.",
        // The panel of the other batch size is there, its cells are marked.
        "no run yet",
        "<title>30 % so far: A tiny study</title>",
    ] {
        assert!(page.contains(part), "no `{part}`");
    }
    for (batch, good) in [(32, "of 2</text>"), (64, "of 0</text>")] {
        let heading = format!("batch {batch}</text>");
        assert_eq!(page.matches(&heading).count(), 1, "one grid of {batch}");
        assert_eq!(page.matches(good).count(), 1, "{batch}: {good}");
    }
    for verdict in ["supported", "contradicted"] {
        assert!(!page.contains(&format!("verdict {verdict}\"")), "{verdict}");
    }
    assert!(
        !lab.path("reports/tiny").exists(),
        "what lies beside a page is of a finished one"
    );
}

#[test]
fn a_study_that_is_done_has_its_finished_page_whatever_was_drawn_before() {
    let lab = half_done();
    assert!(
        lab.output(&["report", "study.yaml", "--so-far"])
            .status
            .success()
    );
    assert!(page(&lab).contains("so-far"));
    let output = lab.output(&["run", "study.yaml", "--live"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let live = without_provenance(&lab.path("reports/tiny.html"));
    assert!(!live.contains("so-far") && !live.contains("sessionStorage"));
    assert!(
        lab.output(&["report", "study.yaml", "--so-far"])
            .status
            .success()
    );
    assert_eq!(lab.page(), live);
    let other = Lab::new(TINY);
    assert!(
        other
            .output(&["run", "study.yaml", "--no-live"])
            .status
            .success()
    );
    assert_eq!(other.page(), live);
}

#[test]
fn a_run_draws_what_there_is_and_says_at_its_early_end_that_nothing_runs() {
    let lab = endless();
    let said = File::create(lab.path("said")).expect("a file");
    let run = lab
        .command(&[
            "run",
            "study.yaml",
            "--jobs",
            "2",
            "--live",
            "--message-format",
            "json",
        ])
        .stdout(Stdio::null())
        .stderr(said)
        .spawn()
        .expect("the binary starts");
    wait_until("a page", || page(&lab).contains("The page so far"));
    let first = page(&lab);
    assert!(first.contains("data-reload="), "it loads itself anew");
    let events = || fs::read_to_string(lab.path("said")).unwrap_or_default();
    wait_until("it is told", || events().contains("\"event\":\"page\""));
    // An edit changes nothing in the run, nor on its page.
    lab.write("study: other\n");
    send("-INT", &[run.id().to_string()]);
    let output = run.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{}", events());
    let last = page(&lab);
    assert!(last.contains("nothing is running now"), "{}", events());
    assert!(last.contains("of 20 runs done") && !last.contains("data-reload="));
    let left = fs::read_dir(lab.path("reports")).expect("a folder").count();
    assert_eq!(left, 1, "nothing half-written lies beside it");
}

#[test]
fn a_page_that_cannot_be_written_is_said_once_and_ends_nothing() {
    let lab = endless();
    fs::create_dir_all(lab.path("reports/tiny.html")).expect("something in the way");
    let said = File::create(lab.path("said")).expect("a file");
    let run = lab
        .command(&["run", "study.yaml", "--jobs", "2", "--live"])
        .stdout(Stdio::null())
        .stderr(said)
        .spawn()
        .expect("the binary starts");
    let told = || fs::read_to_string(lab.path("said")).unwrap_or_default();
    let message = "the page so far cannot be drawn (cannot write";
    wait_until("it is told", || told().contains(message));
    assert!(stdout(&lab.output(&["status"])).contains("running:"));
    send("-INT", &[run.id().to_string()]);
    let output = run.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{}", told());
    assert_eq!(told().matches(message).count(), 1);
}
