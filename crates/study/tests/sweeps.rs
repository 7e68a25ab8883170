//! Which combinations of a sweep are run.

mod shown;

use std::collections::BTreeSet;

use study::Study;

fn study(sweep: &str) -> String {
    format!(
        "study: s\nstages:\n  digits: {{ dataset: {{ source: digits }} }}\n  sgd:\n    train:\n      dataset: digits\n      \
         model: {{ mlp: {{ hidden: [8] }} }}\n      optimizer: sgd\n      budget: {{ epochs: 1 }}\n    sweep:\n{sweep}"
    )
}

/// The names of the runs without the stage's.
fn runs(sweep: &str) -> BTreeSet<String> {
    let graph = match Study::parse("study.yaml", &study(sweep)) {
        Ok(study) => {
            assert!(study.warnings().is_empty(), "{:?}", study.warnings());
            let graph = study.expand();
            let counted: u64 = study.summary().iter().map(|stage| stage.stages).sum();
            assert_eq!(counted, graph.len() as u64);
            graph
        }
        Err(mistakes) => panic!("{:?}", miette::Report::new(mistakes)),
    };
    let runs = graph.stages().iter().filter(|stage| stage.family == "sgd");
    runs.map(|stage| stage.name.trim_start_matches("sgd/").to_owned())
        .collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn a_zip_takes_values_side_by_side_and_the_rest_in_every_combination() {
    let found = runs(
        "      seed: [0, 1]\n      zip:\n        - batch_size: { powers_of_two: [16, 64] }\n          learning_rate: [0.1, 0.2, 0.4]\n",
    );
    let wanted = [(16, "0.1"), (32, "0.2"), (64, "0.4")]
        .iter()
        .flat_map(|(batch, rate)| {
            (0..2).map(move |seed| format!("batch_size={batch},learning_rate={rate},seed={seed}"))
        });
    assert_eq!(found, wanted.collect());
}

#[test]
fn points_are_run_as_they_are_listed() {
    let found = runs(
        "      batch_size: [16]\n      points:\n        - { learning_rate: 0.1, momentum: 0.9 }\n        - { learning_rate: 0.1, momentum: 0 }\n        - { learning_rate: 1e-3, momentum: 0 }\n",
    );
    let wanted = set(&[
        "batch_size=16,learning_rate=0.1,momentum=0.9",
        "batch_size=16,learning_rate=0.1,momentum=0",
        "batch_size=16,learning_rate=0.001,momentum=0",
    ]);
    assert_eq!(found, wanted);
}

#[test]
fn a_condition_without_effect_leaves_the_runs_as_they_are() {
    let sweep = "      batch_size: [16]\n      learning_rate: [0.1, 0.2]\n      exclude: [{ learning_rate: { at_least: 3 } }]\n";
    let study = Study::parse("study.yaml", &study(sweep)).unwrap();
    assert_eq!(study.warnings().len(), 1);
    assert_eq!(study.expand().len(), 3);
}

#[test]
fn exclude_leaves_out_what_fits_all_of_one_rule() {
    let found = runs(
        "      batch_size: [16, 32, 64]\n      learning_rate: [0.1, 0.2]\n      exclude:\n        - { batch_size: [16, 32], learning_rate: 2e-1 }\n        - { batch_size: { at_least: 64 } }\n",
    );
    assert_eq!(
        found,
        set(&[
            "batch_size=16,learning_rate=0.1",
            "batch_size=32,learning_rate=0.1"
        ])
    );
}

#[test]
fn a_condition_restricts_only_where_it_holds() {
    let found = runs(
        "      batch_size: [16, 64]\n      learning_rate: [0.1, 0.2, 0.4]\n      when:\n        - { if: { batch_size: 64 }, then: { learning_rate: { at_least: 0.2, at_most: 0.3 } } }\n",
    );
    assert_eq!(
        found,
        set(&[
            "batch_size=16,learning_rate=0.1",
            "batch_size=16,learning_rate=0.2",
            "batch_size=16,learning_rate=0.4",
            "batch_size=64,learning_rate=0.2",
        ])
    );
}

#[test]
fn a_point_has_the_same_settings_however_the_sweep_lists_it() {
    let settings = |sweep: &str| {
        let graph = Study::parse("study.yaml", &study(sweep)).unwrap().expand();
        let all = graph.stages().iter().filter(|stage| stage.family == "sgd");
        all.map(|stage| (stage.name.clone(), stage.settings.clone()))
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    let product = settings("      batch_size: [16, 32]\n      learning_rate: [0.1]\n");
    assert_eq!(
        product,
        settings("      zip: [{ batch_size: [16, 32], learning_rate: [0.1, 1e-1] }]\n")
    );
}

macro_rules! snapshots {
    ($($name:ident: $sweep:expr;)*) => {$(
        #[test]
        fn $name() {
            let text = study($sweep);
            insta::assert_snapshot!(stringify!($name), shown::shown(Study::parse("study.yaml", &text)));
        }
    )*};
}

snapshots! {
    a_zip_of_unequal_lengths_is_shown: "      batch_size: [16]\n      zip:\n        - { learning_rate: [0.1, 0.2], momentum: [0, 0.5, 0.9] }\n";
    points_with_different_settings_are_shown: "      batch_size: [16]\n      points:\n        - { learning_rate: 0.1, momentum: 0 }\n        - { learning_rate: 0.2, seed: 1 }\n";
    a_point_twice_is_shown: "      batch_size: [16]\n      points: [{ learning_rate: 0.1 }, { learning_rate: 1e-1 }]\n";
    a_condition_on_what_is_not_swept_is_shown: "      batch_size: [16]\n      learning_rate: [0.1]\n      exclude: [{ batch_sise: 16 }]\n";
    a_condition_on_a_value_that_never_is_is_shown: "      batch_size: [16, 32]\n      learning_rate: [0.1]\n      exclude: [{ batch_size: [32, 64] }]\n";
    a_sweep_without_a_run_left_is_shown: "      batch_size: [16, 32]\n      learning_rate: [0.1]\n      exclude: [{ learning_rate: 0.1 }]\n";
    a_condition_without_effect_is_a_warning: "      batch_size: [16, 32]\n      learning_rate: [0.1]\n      when: [{ if: { batch_size: { at_most: 8 } }, then: { learning_rate: 0.1 } }]\n";
    a_row_of_a_zip_twice_is_shown: "      batch_size: [16]\n      zip: [{ learning_rate: [0.1, 0.2, 0.1], momentum: [0, 0, 0] }]\n";
    a_setting_swept_twice_is_shown: "      batch_size: [16]\n      learning_rate: [0.1]\n      zip: [{ learning_rate: [0.1], momentum: [0] }]\n";
    bounds_of_nothing_are_shown: "      batch_size: [16]\n      learning_rate: [0.1]\n      exclude: [{ batch_size: {} }, {}]\n      when: [{ fi: { batch_size: 16 } }]\n";
}
