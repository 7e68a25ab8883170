//! What people expect of a tool beside its work: a start, drawings, completions, manual pages, messages for programs.

#[allow(dead_code, reason = "each test uses a part of the lab")]
use std::fs;
use std::path::Path;

use crate::lab::{Lab, TINY, stderr, stdout};

#[test]
fn init_writes_a_study_that_runs() {
    let lab = Lab::new(TINY);
    let output = lab.output(&["init"]);
    assert_eq!(output.status.code(), Some(2), "study.yaml is there");
    assert!(stderr(&output).contains("`study.yaml` is there already"));
    assert_eq!(
        fs::read_to_string(lab.path("study.yaml")).expect("it is left alone"),
        TINY
    );

    assert_eq!(stdout(&lab.output(&["init", "first.yaml"])), "first.yaml\n");
    let check = lab.output(&["check", "first.yaml"]);
    assert_eq!(check.status.code(), Some(0), "{}", stderr(&check));
    assert_eq!(stderr(&check), "", "nothing to warn of");
    let run = lab.output(&["run", "first.yaml"]);
    assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
    assert_eq!(stdout(&run), "reports/first.html\n");
}

#[test]
fn the_examples_are_the_studies_of_the_repository_and_need_nothing_else() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines");
    let lab = Lab::new(TINY);
    let list = stdout(&lab.output(&["init", "--list"]));
    let names = list.lines().map(|line| line.split(' ').next());
    let names: Vec<&str> = names.map(|name| name.expect("a name")).collect();
    assert_eq!(names[0], "quickstart");
    for name in names {
        let written = lab.output(&["init", "--example", name, &format!("{name}/s.yaml")]);
        assert_eq!(written.status.code(), Some(0), "{}", stderr(&written));
        for path in stdout(&written).lines() {
            let here = fs::read_to_string(lab.path(path)).expect("it was written");
            let study = format!("{name}/s.yaml");
            let there = match path.strip_prefix(&format!("{name}/")) {
                Some(beside) if path != study => repository.join(beside),
                _ => repository.join(format!("{name}.yaml")),
            };
            assert_eq!(here, fs::read_to_string(there).expect("the original"));
        }
        let check = lab.output(&["check", &format!("{name}/s.yaml")]);
        assert_eq!(check.status.code(), Some(0), "{}", stderr(&check));
        assert_eq!(stderr(&check), "", "nothing is missing");
    }
    let unknown = lab.output(&["init", "--example", "quick"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(stderr(&unknown).contains("quickstart, digits-cnn"));
}

#[test]
fn an_example_leaves_what_is_there_alone() {
    let lab = Lab::new(TINY);
    fs::create_dir(lab.path("pytorch")).expect("a folder");
    fs::write(lab.path("pytorch/train.py"), "mine").expect("written");
    let output = lab.output(&["init", "--example", "pytorch"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("train.py` is there already"));
    assert!(
        !lab.path("pytorch.yaml").exists(),
        "nothing is half written"
    );
}

#[test]
fn set_changes_a_value_for_every_command() {
    let lab = Lab::new(TINY);
    let check = |set: &[&str]| {
        let mut arguments = vec!["check", "study.yaml"];
        arguments.extend(set);
        lab.output(&arguments)
    };
    let said = stdout(&check(&["--set", "sgd.sweep.learning_rate=[0.05]"]));
    assert!(said.contains("sgd               2  train"), "{said}");
    let output = check(&[
        "--set",
        "sgd.train.bugdet.epochs=1",
        "--set",
        "sdg.train.seed=1",
    ]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(stderr(&output));
}

#[test]
fn the_graph_is_drawn_with_the_runs_of_a_stage_as_one() {
    let lab = Lab::new(TINY);
    let draw = |format: &str| stdout(&lab.output(&["graph", "study.yaml", "--format", format]));
    insta::assert_snapshot!("graph_dot", draw("dot"));
    insta::assert_snapshot!("graph_mermaid", draw("mermaid"));
    let svg = draw("svg");
    assert!(
        svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""),
        "{svg}"
    );
    for seen in [">kfac<", "× 8", "</svg>", "fill=\""] {
        assert!(svg.contains(seen), "the drawing has no {seen}");
    }
}

#[test]
fn every_command_has_a_manual_page_and_is_completed() {
    let lab = Lab::new(TINY);
    assert_eq!(lab.output(&["man", "man"]).status.code(), Some(0));
    let help = stdout(&lab.output(&["--help"]));
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|word| !word.is_empty() && *word != "help")
        .collect();
    assert!(commands.len() > 5, "{commands:?}");
    for command in &commands {
        let page = fs::read_to_string(lab.path(&format!("man/pipeline-{command}.1")))
            .unwrap_or_else(|error| panic!("{command}: {error}"));
        assert!(page.contains(".TH"), "{page}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stdout(&lab.output(&["completions", shell]));
        for command in &commands {
            assert!(script.contains(command), "{shell} does not know {command}");
        }
    }
}

/// The lines with what differs from run to run replaced.
fn timeless(lines: &str) -> String {
    let lines = lines
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| {
            let mut line: serde_json::Value =
                serde_json::from_str(line).expect("every line is JSON");
            for (field, to) in [("seconds", "SECONDS"), ("log", "LOG")] {
                if let Some(value) = line.get_mut(field).filter(|value| !value.is_null()) {
                    *value = to.into();
                }
            }
            line.to_string()
        });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn messages_for_programs_are_as_documented() {
    let lab = Lab::new(
        "study: messages
stages:
  a: { command: { run: 'echo 1 > out', outputs: { out: out } } }
  b: { command: { run: 'cp in out', inputs: { in: a }, outputs: { out: out } } }
  bad: { command: { run: 'echo why; exit 1', inputs: { in: b }, outputs: { out: out } } }
  after: { command: { run: 'cp in out', inputs: { in: bad }, outputs: { out: out } } }
",
    );
    let run = || {
        let output = lab.output(&[
            "run",
            "--jobs",
            "1",
            "--message-format",
            "json",
            "study.yaml",
        ]);
        timeless(&stderr(&output))
    };
    insta::assert_snapshot!("messages", run());
    insta::assert_snapshot!("messages_of_a_second_run", run());
    let documented = include_str!("../../../../doc/messages.md");
    for line in run().lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        for (field, value) in line.as_object().expect("an object") {
            let word = match field.as_str() {
                "event" => value.as_str().expect("a name").to_owned(),
                field => field.to_owned(),
            };
            assert!(
                documented.contains(&format!("`{word}`")),
                "{word} is not documented"
            );
        }
    }
}
