//! `pipeline export`, and the lines of `doc/export.md` that load what it writes.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::lab::{Lab, TINY, stderr, stdout};

const DOCUMENT: &str = include_str!("../../../../doc/export.md");

/// `$PYTHON` or `python3`, if it imports what the documented lines do.
fn python() -> Option<PathBuf> {
    let candidates = std::env::var_os("PYTHON")
        .into_iter()
        .chain(["python3".into()]);
    candidates.map(PathBuf::from).find(|python| {
        Command::new(python)
            .args(["-c", "import pandas, polars, pyarrow, safetensors.numpy"])
            .output()
            .is_ok_and(|output| output.status.success())
    })
}

fn export(lab: &Lab, arguments: &[&str]) -> String {
    let output = lab.output(&[&["export", "study.yaml"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output)
}

fn lines(text: &str) -> usize {
    text.lines().count()
}

#[test]
fn every_curve_and_table_is_written_and_the_documented_lines_load_them() {
    let lab = Lab::new(TINY);
    let nothing = lab.output(&["export", "study.yaml"]);
    assert_eq!(nothing.status.code(), Some(2), "{}", stderr(&nothing));
    lab.run();
    assert_eq!(export(&lab, &[]), "exports/tiny\n");
    let csv = |name: &str| {
        fs::read_to_string(lab.path(&format!("exports/tiny/{name}.csv"))).expect("the file")
    };
    // 4 + 8 tuning runs, 2 methods x 2 batch sizes x 2 fresh seeds, 40 updates each.
    assert_eq!(lines(&csv("runs")), 1 + 20);
    assert_eq!(lines(&csv("losses")), 1 + 20 * 40);
    assert!(
        csv("evaluations")
            .starts_with("run,stage,method,batch_size,learning_rate,seed,damping,step,")
    );
    // Two targets for each of the eight confirmed runs.
    assert_eq!(lines(&csv("crossings")), 1 + 16);
    assert_eq!(lines(&csv("winners")), 1 + 4);
    // Two panels of 2 x 2 cells, one seed each and all seeds together.
    assert_eq!(lines(&csv("cells")), 1 + 16);
    assert_eq!(lines(&csv("claims")), 1 + 4);

    for format in ["parquet", "safetensors", "csv"] {
        export(&lab, &["--format", format]);
        let of_others = fs::read_dir(lab.path("exports/tiny"))
            .expect("the folder")
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .into_string()
                    .expect("UTF-8")
            })
            .filter(|name| !name.ends_with(format) && name != "contents.json" && name != "curves");
        assert_eq!(
            of_others.collect::<Vec<_>>(),
            [""; 0],
            "an export replaces the one before"
        );
        let Some(python) = python() else {
            assert!(
                std::env::var_os("CI").is_none(),
                "CI has a python that loads exports"
            );
            eprintln!(
                "skipped: no python3 (or $PYTHON) that imports pandas, polars, pyarrow and safetensors"
            );
            continue;
        };
        let documented: Vec<&str> = DOCUMENT
            .lines()
            .filter(|line| line.starts_with("import ") && line.contains(&format!(".{format}\"")))
            .collect();
        assert_eq!(documented.len(), 2, "a line for pandas and one for polars");
        for line in documented {
            let line = line.replace("exports/quickstart/", "exports/tiny/");
            let code = format!("{line}; print(frame.shape[0], frame['step'].max())");
            let output = Command::new(&python)
                .args(["-c", &code])
                .current_dir(lab.path("."))
                .output()
                .expect("python runs");
            assert!(output.status.success(), "{line}\n{}", stderr(&output));
            let expected = format!("{} 40\n", lines(&csv_of_evaluations(&lab)) - 1);
            assert_eq!(stdout(&output), expected, "{line}");
        }
    }
}

#[test]
fn tables_for_a_paper_are_whole_and_without_curves() {
    let lab = Lab::new(TINY);
    lab.run();
    export(&lab, &["--format", "latex"]);
    let winners = fs::read_to_string(lab.path("exports/tiny/winners.tex")).expect("the file");
    let rows: Vec<&str> = winners
        .lines()
        .filter(|line| line.ends_with("\\\\"))
        .collect();
    // A head and four winners, all with as many cells.
    assert_eq!(rows.len(), 1 + 4, "{winners}");
    let cells = |row: &&str| row.matches(" & ").count();
    assert!(
        rows.iter().all(|row| cells(row) == cells(&rows[0])),
        "{winners}"
    );
    assert!(winners.contains("\\begin{tabular}{") && winners.ends_with("\\end{tabular}\n"));
    assert!(!lab.path("exports/tiny/losses.tex").exists());
    export(&lab, &["--format", "markdown"]);
    let winners = fs::read_to_string(lab.path("exports/tiny/winners.md")).expect("the file");
    assert_eq!(lines(&winners), 2 + 4, "{winners}");
}

/// The evaluations as CSV, exported beside.
fn csv_of_evaluations(lab: &Lab) -> String {
    export(lab, &["--output", "beside"]);
    fs::read_to_string(lab.path("beside/evaluations.csv")).expect("the file")
}

#[test]
fn stages_are_chosen_by_name_and_a_folder_of_something_else_is_left_alone() {
    let lab = Lab::new(TINY);
    lab.run();
    export(&lab, &["kfac", "targets", "--output", "some"]);
    let runs = fs::read_to_string(lab.path("some/runs.csv")).expect("the file");
    assert_eq!(lines(&runs), 1 + 8);
    assert!(lab.path("some/fits.csv").is_file() && !lab.path("some/winners.csv").exists());
    export(
        &lab,
        &["kfac", "--format", "safetensors", "--output", "some"],
    );
    let curve = "some/curves/kfac/batch_size=32,damping=0.01,learning_rate=0.01,seed=0.safetensors";
    assert!(lab.path(curve).is_file() && !lab.path("some/runs.csv").exists());

    let unknown = lab.output(&["export", "study.yaml", "kfca"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(
        stderr(&unknown).contains("no stage `kfca`"),
        "{}",
        stderr(&unknown)
    );
    fs::create_dir(lab.path("mine")).expect("a folder");
    fs::write(lab.path("mine/thesis.txt"), "years").expect("a file");
    let refused = lab.output(&["export", "study.yaml", "--output", "mine"]);
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(
        fs::read_to_string(lab.path("mine/thesis.txt")).expect("still there"),
        "years"
    );
    assert_eq!(
        fs::read_dir(lab.path("mine")).expect("the folder").count(),
        1
    );
}
