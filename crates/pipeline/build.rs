//! Tells the program which commit it was built from, where git knows.
//!
//! Runs again after a commit and after an edit of the sources below, with which the program is compiled anyway, so
//! that it slows no build down. Nothing that it says is part of a key.

use std::process::Command;

/// What the program is made of.
const SOURCES: [&str; 4] = [":/crates", ":/pipelines", ":/Cargo.toml", ":/Cargo.lock"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Sources from an archive may lie in another project's repository, whose commit says nothing of them.
    if git(&["ls-files", "--error-unmatch", "build.rs"]).is_none() {
        return;
    }
    if let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) {
        let status = ["status", "--porcelain", "--untracked-files=no", "--"];
        let changes = git(&[&status[..], &SOURCES].concat());
        let changed = changes.is_some_and(|changes| !changes.is_empty());
        let with = if changed { " with changes" } else { "" };
        println!("cargo::rustc-env=PIPELINE_COMMIT={commit}{with}");
    }
    // Where git keeps no log, a commit is noticed with the next edit. A file that is not there would rerun this always.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"])
        && std::path::Path::new(&log).exists()
    {
        println!("cargo::rerun-if-changed={log}");
    }
    let folders = std::fs::read_dir("..").into_iter().flatten();
    for folder in folders.filter_map(Result::ok) {
        let sources = folder.path().join("src");
        if sources.is_dir() {
            println!("cargo::rerun-if-changed={}", sources.display());
        }
    }
}

fn git(arguments: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    let output = git.arg("--no-optional-locks").args(arguments).output();
    let output = output.ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
