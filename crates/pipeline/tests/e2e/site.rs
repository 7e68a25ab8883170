//! The site file: found, obeyed, overruled, quoted, and no part of any key.

use std::fs;

use crate::lab::{Lab, TINY, ran, stderr, stdout};

fn run(lab: &Lab, arguments: &[&str]) -> crate::lab::Ran {
    let output = lab.output(&[&["run", "--verbose"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    ran(&stderr(&output))
}

/// What stands on the page beside a term of the provenance.
fn fact(lab: &Lab, term: &str) -> String {
    let page = fs::read_to_string(lab.path("reports/tiny.html")).expect("the page");
    let after = page.split(&format!("<dt>{term}</dt>")).nth(1);
    let fact = after.and_then(|rest| {
        rest.split(['<', '>'])
            .find(|text| text.starts_with(|c: char| c.is_ascii_digit()))
    });
    fact.expect("the page says it").to_owned()
}

#[test]
fn another_site_runs_nothing_again_and_the_page_quotes_it() {
    let lab = Lab::new(TINY);
    run(&lab, &["study.yaml"]);
    fs::write(
        lab.path("site.yaml"),
        "jobs: 1\nthreads: 2\ndevice: cpu # <here>\n",
    )
    .expect("written");
    assert!(run(&lab, &["study.yaml"]).names.is_empty());
    assert_eq!(
        (fact(&lab, "Jobs at a time"), fact(&lab, "Threads a job")),
        ("1".to_owned(), "2".to_owned())
    );
    let page = fs::read_to_string(lab.path("reports/tiny.html")).expect("the page");
    assert!(page.contains("Site file site.yaml") && page.contains("device: cpu # &lt;here&gt;"));
    fs::write(lab.path("other.yaml"), "jobs: 3\ngpus: [0, 1]\n").expect("written");
    assert!(
        run(&lab, &["study.yaml", "--site", "other.yaml"])
            .names
            .is_empty()
    );
    assert_eq!(
        (fact(&lab, "Jobs at a time"), fact(&lab, "Threads a job")),
        ("3".to_owned(), "1".to_owned())
    );
    assert!(run(&lab, &["study.yaml", "--jobs", "2"]).names.is_empty());
    assert_eq!(
        (fact(&lab, "Jobs at a time"), fact(&lab, "Threads a job")),
        ("2".to_owned(), "2".to_owned())
    );
}

#[test]
fn the_one_beside_the_study_comes_before_the_one_here() {
    let lab = Lab::new(TINY);
    fs::create_dir(lab.path("studies")).expect("a folder");
    fs::write(lab.path("studies/study.yaml"), TINY).expect("written");
    fs::write(lab.path("site.yaml"), "cache: { path: here }\n").expect("written");
    let plan = |study: &str| assert_eq!(lab.output(&["plan", study]).status.code(), Some(0));
    plan("studies/study.yaml");
    assert!(lab.path("here/v1").exists());
    fs::write(lab.path("studies/site.yaml"), "cache: { path: beside }\n").expect("written");
    plan("studies/study.yaml");
    assert!(
        lab.path("studies/beside/v1").exists(),
        "relative to the site file"
    );
    // Commands without a study go by the one here; the command line comes before both.
    assert_eq!(lab.output(&["status"]).status.code(), Some(0));
    let said = ["plan", "studies/study.yaml", "--cache", "said"];
    assert_eq!(lab.output(&said).status.code(), Some(0));
    assert!(lab.path("said/v1").exists() && !lab.path("cache").exists());
    let mut by_variable = lab.command(&["plan", "studies/study.yaml"]);
    let by_variable = by_variable
        .env("PIPELINE_SITE", "site.yaml")
        .env("PIPELINE_CACHE", "variable");
    assert!(by_variable.status().expect("the binary starts").success());
    assert!(lab.path("variable/v1").exists());
}

#[test]
fn a_site_file_with_mistakes_is_refused_with_all_of_them() {
    let lab = Lab::new(TINY);
    fs::write(lab.path("site.yaml"), "job: 4\ndevice: gpu\n").expect("written");
    let output = lab.output(&["run", "study.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(stderr(&output));
    let output = lab.output(&["status", "--site", "no.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("cannot read no.yaml"),
        "{}",
        stderr(&output)
    );
    assert_eq!(stdout(&output), "");
}

#[test]
fn a_device_that_was_not_built_in_is_refused_before_anything_runs() {
    let lab = Lab::new(TINY);
    let output = lab.output(&["run", "study.yaml", "--device", "cuda"]);
    if !cfg!(feature = "cuda") {
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(
            stderr(&output),
            "error: this program was built without cuda; build it with `--features cuda`\n"
        );
    }
}
