//! `pipeline cache`, `pipeline logs` and `pipeline plan --json`, as their users see them.

use crate::lab::{Lab, TINY, stderr, stdout};

fn ok(lab: &Lab, arguments: &[&str]) -> String {
    let output = lab.output(arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output)
}

#[test]
fn gc_says_first_and_deletes_only_what_no_study_and_no_pin_refers_to() {
    let lab = Lab::new(TINY);
    lab.run();
    ok(&lab, &["cache", "pin", "study.yaml", "--as", "first"]);
    lab.edit("damping: [0.01, 0.1]", "damping: [0.01, 0.3]");
    lab.run();
    let gc = ["cache", "gc", "--older-than", "0m"];
    let pinned = ok(&lab, &gc);
    assert!(pinned.contains("nothing to delete"), "{pinned}");
    ok(&lab, &["cache", "unpin", "first"]);
    let said = ok(&lab, &gc);
    assert!(
        said.contains("would delete") && said.contains("train "),
        "{said}"
    );
    assert!(
        said.contains("nothing is deleted without --delete"),
        "{said}"
    );
    assert_eq!(ok(&lab, &gc), said, "it was one");
    let done = ok(&lab, &["cache", "gc", "--older-than", "0m", "--delete"]);
    assert!(done.contains("train "), "{done}");
    assert!(lab.run().names.is_empty());
    assert!(ok(&lab, &["cache", "verify"]).contains("all sound"));
}

#[test]
fn verify_finds_damage_and_the_next_run_makes_it_good() {
    let lab = Lab::new(TINY);
    lab.run();
    let list = ok(&lab, &["cache", "list", "study.yaml", "--json"]);
    let list: serde_json::Value = serde_json::from_str(&list).expect("JSON");
    let report = list
        .as_array()
        .and_then(|rows| rows.iter().find(|row| row["stage"] == "report"))
        .expect("the report stage");
    let digest = report["outputs"]["report"]["digest"]
        .as_str()
        .expect("a digest");
    let path = lab.path("cache/v1/cas").join(&digest[..2]).join(digest);
    let mut bytes = std::fs::read(&path).expect("the blob");
    bytes[100] ^= 1;
    std::fs::remove_file(&path).expect("it can be removed");
    std::fs::write(&path, bytes).expect("it can be written");
    let output = lab.output(&["cache", "verify"]);
    assert_eq!(output.status.code(), Some(1));
    let said = stdout(&output);
    assert!(
        said.contains("damaged output") && said.contains("1 is wrong"),
        "{said}"
    );
    assert_eq!(lab.run().names, ["report"]);
    ok(&lab, &["cache", "verify"]);
}

#[test]
fn the_plan_as_json_names_what_changed_and_what_is_new() {
    let lab = Lab::new(TINY);
    let plan = |lab: &Lab| -> serde_json::Value {
        serde_json::from_str(&ok(lab, &["plan", "study.yaml", "--json"])).expect("JSON")
    };
    let first = plan(&lab);
    assert_eq!(
        (&first["run"], &first["new"], &first["maybe"]),
        (&1.into(), &24.into(), &0.into())
    );
    lab.run();
    lab.edit("damping: [0.01, 0.1]", "damping: [0.01, 0.3]");
    let edited = plan(&lab);
    assert_eq!((&edited["cached"], &edited["run"]), (&9.into(), &4.into()));
    let stages = edited["stages"].as_array().expect("stages");
    let new: Vec<&serde_json::Value> = stages
        .iter()
        .filter(|stage| stage["reason"] == "new_point")
        .collect();
    assert_eq!(new.len(), 4);
    let change =
        serde_json::json!([{"path": "optimizer.kfac.damping", "old": "0.1", "new": "0.3"}]);
    for stage in new {
        let name = stage["name"].as_str().expect("a name");
        let nearest = name.replace("damping=0.3", "damping=0.1");
        assert_eq!(
            (&stage["nearest"], &stage["changes"]),
            (&nearest.into(), &change)
        );
    }
    let best = stages
        .iter()
        .find(|stage| stage["name"] == "best")
        .expect("best");
    assert_eq!(best["verdict"], "maybe");
    lab.edit("test: 100 }", "test: 101 }");
    let changed = plan(&lab);
    let digits = &changed["stages"][0];
    assert_eq!(digits["reason"], "changed");
    let change = serde_json::json!([{"path": "test", "old": "100", "new": "101"}]);
    assert_eq!(digits["changes"], change);
}

#[test]
fn a_plan_of_thousands_of_stages_is_a_page() {
    let seeds: Vec<String> = (0..1024).map(|seed| seed.to_string()).collect();
    let sweep = "damping: [0.01, 0.1]\n      seed: [0]";
    assert!(TINY.contains(sweep));
    let large = sweep.replace("[0]", &format!("[{}]", seeds.join(", ")));
    let lab = Lab::new(&TINY.replace(sweep, &large));
    let page = ok(&lab, &["plan", "study.yaml"]);
    assert!(page.contains("kfac: 8192 to run"), "{page}");
    assert!(page.lines().count() < 30, "{page}");
}

#[test]
fn the_log_of_a_stage_is_shown_by_a_part_of_its_name() {
    let lab = Lab::new(TINY);
    let missing = lab.output(&["logs", "study.yaml", "targets"]);
    assert!(stderr(&missing).contains("targets never ran in this study"));
    lab.run();
    let there = lab.output(&["logs", "study.yaml", "targets"]);
    assert_eq!(there.status.code(), Some(0));
    assert!(stderr(&there).contains("targets wrote nothing"));
    let unknown = lab.output(&["logs", "study.yaml", "nothing"]);
    assert_eq!(unknown.status.code(), Some(2));
}
