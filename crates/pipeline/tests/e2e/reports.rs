//! What lies beside a report, and a report held against an earlier one.

use std::fs;

use crate::lab::{Lab, TINY, stderr};

/// The part of the page that says what changed.
fn changes(lab: &Lab, against: &str) -> String {
    let output = lab.output(&["report", "study.yaml", "--against", against]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let page = fs::read_to_string(lab.path("reports/tiny.html")).expect("the page");
    let (_, rest) = page
        .split_once("<section id=\"changes\"")
        .expect("what changed");
    rest.split("</section>").next().expect("its end").to_owned()
}

#[test]
fn figures_and_tables_lie_beside_the_page_and_old_ones_go() {
    let lab = Lab::new(TINY);
    lab.run();
    let beside = lab.path("reports/tiny");
    for name in [
        "fig-heatmap-1-1.svg",
        "fig-heatmap-1-1.csv",
        "list-runs.csv",
        "report.json",
        "devices.json",
    ] {
        assert!(beside.join(name).is_file(), "{name}");
    }
    let runs = fs::read_to_string(beside.join("list-runs.csv")).expect("the list");
    assert_eq!(runs.lines().count(), 1 + 4 + 8 + 8);
    fs::write(beside.join("fig-heatmap-9-9.svg"), "old").expect("a file");
    fs::write(beside.join("notes.txt"), "mine").expect("a file");
    // Somebody's own file stays.
    lab.run();
    assert!(!beside.join("fig-heatmap-9-9.svg").exists());
    assert!(beside.join("notes.txt").exists());
}

#[test]
fn a_report_says_what_changed_since_a_pin_a_folder_and_a_key() {
    let lab = Lab::new(TINY);
    lab.run();
    let pinned = lab.output(&["cache", "pin", "study.yaml", "--as", "before"]);
    assert!(pinned.status.success(), "{}", stderr(&pinned));
    fs::rename(lab.path("reports"), lab.path("old")).expect("a folder");
    assert!(
        changes(&lab, "before").contains("Settings: no change in "),
        "nothing was edited"
    );
    // On another device they would have been trained otherwise.
    let noted = lab.path("old/tiny/devices.json");
    let devices = fs::read_to_string(&noted).expect("the devices");
    let device = devices.trim_matches(['[', ']', '"']).to_owned();
    assert!(device.starts_with("cpu"), "{devices}");
    let same = format!("Trained on {device}, before and now.");
    for old in ["before", "old/tiny"] {
        assert!(changes(&lab, old).contains(&same), "{old}");
    }
    fs::write(&noted, "[\"cuda\"]").expect("other devices");
    assert!(
        changes(&lab, "old/tiny").contains(&format!("Trained on cuda before, on {device} now"))
    );
    fs::remove_file(&noted).expect("no devices");
    assert!(changes(&lab, "old/tiny").contains("was not recorded"));

    lab.edit("seed: [100, 101]", "seed: [100, 102]");
    lab.run();
    let page = fs::read_to_string(lab.path("old/tiny.html")).expect("the page");
    let (_, keys) = page
        .split_once("report (report), 1\u{a0}key</summary>")
        .expect("the report's key");
    let key: String = keys
        .chars()
        .skip_while(|c| *c != '>')
        .skip(1)
        .take(64)
        .collect();
    for old in ["before", "old/tiny", "old/tiny.html", &key] {
        let said = changes(&lab, old);
        for part in [
            "4 added, 4 removed",
            "confirmed, K-FAC: seed",
            "100, 101 (swept)",
            "100, 102 (swept)",
        ] {
            assert!(said.contains(part), "{old}: {part} is not in {said}");
        }
    }
    // As a program wrote it that did not number its tables yet.
    let table = lab.path("old/tiny/report.json");
    let unnumbered = fs::read_to_string(&table)
        .expect("the table")
        .replacen("\"format\":3,", "", 1)
        .replace("\"reason\":{", "\"reason\":\"in words\",\"other\":{");
    fs::write(&table, unnumbered).expect("an older table");
    let older = lab.output(&["report", "study.yaml", "--against", "old/tiny"]);
    assert_eq!(older.status.code(), Some(1));
    assert!(
        stderr(&older).contains(
            "report.json` cannot be read\n  because: it was written by an earlier version"
        ),
        "{}",
        stderr(&older)
    );
    let none = lab.output(&["report", "study.yaml", "--against", "nothing"]);
    assert_eq!(none.status.code(), Some(2));
    assert!(
        stderr(&none)
            .contains("`nothing` is not the file or folder of an earlier report, not a pin")
    );
}
