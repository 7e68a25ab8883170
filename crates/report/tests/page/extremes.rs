//! Pages of odd studies: strange names, nothing, one run, very many.

use std::collections::BTreeSet;

use analysis::Outcome;
use analysis::report::RunRow;
use report::Provenance;

use crate::sample::Study;
use crate::{all, check, file, page, parsed, sample, text};

#[test]
fn names_are_text_whatever_they_contain() {
    for name in sample::edges::MALICIOUS {
        let (table, provenance) = sample::edges::named(name);
        let html = page(&table, &provenance);
        let page = check(&html);
        let scripts = all(&page, "script:not([type])").len();
        assert_eq!(scripts, 1, "only the page's own");
        assert_eq!(text(all(&page, "h1")[0]), name);
        if !name.is_ascii() {
            assert_eq!(
                all(&page, "h1 > bdi").len(),
                1,
                "text that turns direction is isolated"
            );
        }
    }
}

#[test]
fn long_names_are_cut_in_drawings_and_whole_in_the_text() {
    let long = "n".repeat(300);
    let mut study = Study::quick();
    study.methods = vec![long.clone(), "sgd".into()];
    let mut table = study.table();
    table.title = long.clone();
    let html = page(&table, &sample::provenance());
    let page = check(&html);
    assert!(
        all(&page, "svg text")
            .iter()
            .all(|t| text(*t).chars().count() < 90)
    );
    assert_eq!(text(all(&page, "h1")[0]), long);
}

#[test]
fn an_empty_report_says_what_is_missing() {
    let html = page(&sample::empty(), &Provenance::default());
    let page = check(&html);
    assert_eq!(text(all(&page, "h1")[0]), "Training study");
    assert_eq!(all(&page, "figure").len(), 0);
    assert!(all(&page, ".empty").len() >= 7);
}

#[test]
fn one_run_makes_a_page() {
    let table = sample::edges::one_run();
    check(&page(&table, &sample::provenance()));
}

#[test]
fn a_page_of_9216_runs_and_twelve_targets_has_less_than_three_megabytes_and_every_run() {
    let table = Study::large(12);
    assert_eq!(table.runs.len(), 9216);
    let html = page(&table, &sample::provenance_of(9216));
    assert!(html.len() < 3_000_000, "{} bytes", html.len());
    // Without a script the page says where so many rows are.
    let page = parsed(&html);
    let said = text(all(&page, "#list-runs details p")[0]);
    assert!(
        said.contains("list-runs.csv in the folder beside this page"),
        "{said}"
    );
    // The file has a row a run, whole.
    let written: BTreeSet<String> = file(&table, "list-runs.csv")
        .lines()
        .skip(1)
        .map(|row| row.split(',').take(9).collect::<Vec<&str>>().join(","))
        .collect();
    let said = |run: &RunRow| {
        let setting = |path: &str| {
            let value = run.settings.get(path).and_then(serde_json::Value::as_f64);
            value.map_or_else(String::new, |value| value.to_string())
        };
        let (outcome, steps) = match run.outcome {
            Outcome::Finished => ("finished", run.budget_steps),
            Outcome::Diverged { step } => ("diverged", step),
            Outcome::Stopped { step } => ("stopped", step),
        };
        format!(
            "{},{},{},{},{},{},{},{outcome},{steps}",
            run.stage,
            run.method,
            run.batch_size,
            run.learning_rate,
            setting("optimizer.kfac.damping"),
            setting("optimizer.sgd.momentum"),
            run.seed
        )
    };
    let expected: BTreeSet<String> = table.runs.iter().map(said).collect();
    let other: Vec<&String> = written.symmetric_difference(&expected).take(3).collect();
    assert!(other.is_empty() && written.len() == 9216, "{other:?}");
}

#[test]
fn forty_batch_sizes_and_twelve_targets_make_a_page() {
    let study = Study {
        batches: (1..=40).map(|i| 8 * i).collect(),
        seeds: 2,
        targets: 12,
        ..Study::quick()
    };
    let html = page(&study.table(), &sample::provenance());
    let page = check(&html);
    assert_eq!(all(&page, "#fig-steps-1-1 svg[role=img]").len(), 12);
}

#[test]
fn where_every_run_diverged_the_page_says_so() {
    let table = sample::edges::all_diverged();
    let html = page(&table, &sample::provenance());
    let page = check(&html);
    let said = text(all(&page, "#scaling")[0]).replace('\u{a0}', " ");
    assert!(
        said.contains("No run of these stages reached test accuracy ≥ 93 %."),
        "{said}"
    );
    assert_eq!(all(&page, "#fig-steps-1-1").len(), 0);
}
