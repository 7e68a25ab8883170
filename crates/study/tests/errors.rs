//! The list of mistakes is complete: each has an example here or in a snapshot.

mod shown;

use std::collections::BTreeSet;
use std::fs;

use shown::broken;
use study::{Diagnostic, Diagnostics, Study};

/// The codes of a study's mistakes and warnings.
fn codes(read: Result<Study, Diagnostics>) -> BTreeSet<String> {
    let code = |one: &Diagnostic| one.code().to_owned();
    match read {
        Ok(study) => study.warnings().iter().map(code).collect(),
        Err(mistakes) => mistakes.iter().map(code).collect(),
    }
}

/// Sound studies, each with one mistake, by its code.
fn examples() -> Vec<(&'static str, String)> {
    let edit = |old, new| broken(&[(old, new)]);
    let budget = "budget: { epochs: 12 }";
    let variable = "  run:\n    command: { run: [env], environment: { 1A: x }, outputs: { a: a } }\n  digits:\n";
    vec![
        ("nested-too-deep", "[".repeat(65)),
        ("alias-in-itself", "study: &s [*s]\n".to_owned()),
        (
            "bad-merge",
            edit("study: small", "study: small\nx-a: { <<: 1 }"),
        ),
        ("yaml-tag", edit("study: small", "study: !s small")),
        (
            "key-not-a-word",
            edit("study: small", "[a]: 1\nstudy: small"),
        ),
        (
            "sweep-not-allowed",
            edit("  confirmed:\n", "    sweep: { seed: [1] }\n  confirmed:\n"),
        ),
        (
            "select-per",
            edit(
                "by: validation_accuracy",
                "by: validation_accuracy, per: [method]",
            ),
        ),
        (
            "cannot-be-swept",
            edit(
                "    sweep:\n      batch",
                "    sweep:\n      dataset: [digits]\n      batch",
            ),
        ),
        (
            "empty-condition",
            edit(
                "    sweep:\n      batch",
                "    sweep:\n      exclude: [{}]\n      batch",
            ),
        ),
        ("bad-variable-name", edit("  digits:\n", variable)),
        (
            "no-such-group",
            edit(
                "by: validation_accuracy",
                "by: validation_accuracy, per: [momentum]",
            ),
        ),
        ("no-target", edit(", train_loss: [0.1] }", " }")),
        (
            "no-such-method",
            edit("x: damping", "x: { kfac: damping, sgd: momentum }"),
        ),
        ("axis-missing", edit("x: damping", "x: { sgd: momentum }")),
        (
            "claim-twice",
            edit(
                "[diminishing_returns]",
                "[diminishing_returns, diminishing_returns]",
            ),
        ),
        ("wrong-value", edit(budget, "budget: { epochs: 0 }")),
    ]
}

#[test]
fn every_mistake_has_an_example() {
    let mut shown = BTreeSet::new();
    for (code, text) in examples() {
        let found = codes(Study::parse("study.yaml", &text));
        assert!(found.contains(code), "{code}: {found:?}");
        shown.insert(code.to_owned());
    }
    shown.extend(codes(Study::load("no/such/study.yaml")));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("study.yaml");
    fs::write(&path, shown::SOUND).expect("it can be written");
    for set in ["extends=other.yaml", "kfac.train.sede=null"] {
        shown.extend(codes(Study::load_with(&path, &[set.to_owned()])));
    }
    let snapshots = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots");
    for entry in fs::read_dir(snapshots).expect("the folder is there") {
        let text = fs::read_to_string(entry.expect("a file").path()).expect("it can be read");
        shown.extend(text.lines().map(|line| line.trim().to_owned()));
    }
    let page = study::mistakes_markdown();
    let codes = page.lines().filter_map(|line| {
        let rest = line.strip_prefix("| <a id=\"")?;
        rest.split('"').next()
    });
    let codes: Vec<&str> = codes.collect();
    assert!(codes.len() > 50);
    let without: Vec<&&str> = codes
        .iter()
        .filter(|code| !shown.contains(**code))
        .collect();
    assert!(without.is_empty(), "no example of {without:?}");
    let distinct: BTreeSet<&&str> = codes.iter().collect();
    assert_eq!(distinct.len(), codes.len(), "a code twice");
}
