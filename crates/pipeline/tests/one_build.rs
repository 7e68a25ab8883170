//! A newcomer builds the program, then runs the tests: burn must not be compiled twice for that.

use std::collections::BTreeSet;
use std::process::Command;

/// Every package below `root` with its features, as cargo resolves them.
fn packages(arguments: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--locked",
            "--prefix",
            "none",
            "--format",
            "{p} {f}",
        ])
        .args(arguments)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .output()
        .expect("cargo starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("names are UTF-8");
    text.lines()
        .map(|line| line.trim_end_matches(" (*)").trim_end().to_owned())
        .collect()
}

#[test]
fn the_tests_build_every_package_of_the_program_with_the_same_features() {
    let program = packages(&["--package", "pipeline", "--edges", "normal,build"]);
    let everything = packages(&["--workspace", "--edges", "normal,build,dev"]);
    assert!(
        program
            .iter()
            .any(|package| package.starts_with("burn-flex "))
    );
    let other: Vec<&String> = program.difference(&everything).collect();
    assert!(
        other.is_empty(),
        "give these the tests' features in crates/pipeline/Cargo.toml: {other:?}"
    );
}
