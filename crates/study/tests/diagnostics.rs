//! What a person sees whose study has mistakes.

mod shown;

use std::fmt::Write as _;

use shown::{SOUND, broken};
use study::{Severity, Study};

/// A study of nothing but data sets.
fn data_sets(list: &[&str]) -> String {
    let mut study = "study: s\nstages:\n".to_owned();
    for (at, dataset) in list.iter().enumerate() {
        writeln!(study, "  d{at}:\n    dataset: {{ {dataset} }}").unwrap();
    }
    study
}

fn shown(text: &str) -> String {
    shown::shown(Study::parse("study.yaml", text))
}

macro_rules! snapshots {
    ($($name:ident: $text:expr;)*) => {$(
        #[test]
        fn $name() {
            insta::assert_snapshot!(stringify!($name), shown(&$text));
        }
    )*};
}

snapshots! {
    an_unknown_key_is_shown_with_what_was_meant: broken(&[("      budget: {", "      bugdet: {")]);
    a_value_of_the_wrong_type_is_shown: broken(&[("train: 1280", "train: many"), ("hidden: [32]", "hidden: 32")]);
    a_bare_word_that_lacks_a_setting_is_shown_and_no_other_is_blamed: broken(&[("mlp: { hidden: [32] }", "cnn: {}"), ("model: { cnn: {} }", "model: cnn"), ("kfac: { momentum: 0.9 } }", "sgd: {} }"), ("optimizer: { sgd: {} }", "optimizer: sgd"), ("      damping: [0.01, 0.1]\n", "")]);
    an_unknown_stage_is_shown_with_what_was_meant: broken(&[("runs: [kfac], by", "runs: [kfca], by")]);
    a_stage_of_the_wrong_kind_is_shown: broken(&[("dataset: digits", "dataset: winners")]);
    a_key_given_twice_is_shown_in_both_places: broken(&[("      budget: { epochs: 12 }\n", "      budget: { epochs: 12 }\n      budget: { epochs: 13 }\n")]);
    a_circle_of_stages_is_shown: broken(&[("runs: [kfac], by", "runs: [kfac, confirmed], by")]);
    a_circle_of_likes_is_shown: broken(&[("  kfac:\n", "  kfac:\n    like: other\n"), ("  winners:\n", "  other: { like: kfac }\n  winners:\n")]);
    numbers_out_of_range_are_shown: broken(&[("damping: [0.01, 0.1]", "damping: [0, 0.1, -1]"), ("momentum: 0.9", "momentum: 1"), ("[16, 64]", "[0, 64]")]);
    a_missing_value_is_shown: broken(&[("      damping: [0.01, 0.1]\n", ""), ("      model: { mlp: { hidden: [32] } }\n", ""), ("      batch_size: [16, 64]\n", "")]);
    missing_keys_are_shown_all_at_once: broken(&[("{ runs: [kfac], by: validation_accuracy }", "{ per: [method] }")]);
    many_mistakes_are_shown_at_once: broken(&[
        ("source: digits,", "source: digit,"),
        ("optimizer: { kfac: {", "optimizer: { kfak: {"),
        ("learning_rate: [0.01, 0.1]", "learning_rte: [0.01, 0.1]"),
        ("by: validation_accuracy", "by: valdation_accuracy"),
        ("claims: [diminishing_returns]", "claims: [diminishing_return]"),
        ("train_loss: [0.1]", "train_los: [0.1]"),
    ]);
    a_tab_is_no_indentation: broken(&[("      budget", "\tbudget")]);
    a_bracket_left_open_is_shown: broken(&[("hidden: [32]", "hidden: [32")]);
    a_bomb_of_aliases_is_refused: "\
a: &a [x, x, x, x, x, x, x, x, x, x]
b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]
c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]
d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]
e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]
f: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]
g: &g [*f, *f, *f, *f, *f, *f, *f, *f, *f, *f]
";
    an_absurd_sweep_is_counted_and_refused: broken(&[
        ("[0.01, 0.1]\n      damping", "{ linear: { from: 1, step: 1, count: 4000000000 } }\n      damping"),
    ]);
    an_empty_sweep_is_shown: broken(&[("[16, 64]", "[]")]);
    a_doubling_that_misses_its_end_is_shown: broken(&[("[16, 64]", "{ powers_of_two: [16, 100] }")]);
    a_value_twice_in_a_sweep_is_shown: broken(&[("batch_size: [16, 64]", "batch_size: [16, 64, 1.6e1]")]);
    an_unknown_setting_in_a_sweep_is_shown: broken(&[("      damping: [", "      dampng: [")]);
    a_slice_that_no_run_reaches_is_shown: broken(&[("at: [{ epochs: 12 }]", "at: [{ epochs: 20 }, { iterations: 2000 }]")]);
    a_slice_that_some_runs_reach_is_a_warning: broken(&[("budget: { epochs: 12 }", "budget: { iterations: 300 }"), ("epochs: [12] }", "epochs: [12], iterations: [300] }")]);
    a_slice_that_cuts_a_schedule_short_is_shown: broken(&[("budget: { epochs: 12 }", "budget: { epochs: 20 }\n      schedule: cosine")]);
    a_slice_without_an_evaluation_is_shown: broken(&[("at: [{ epochs: 12 }]", "at: [{ epochs: 6 }, { iterations: 100 }]")]);
    a_slice_after_an_early_stop_is_shown: broken(&[("      evaluation", "      stop: { train_loss: 0.1, not_before: { epochs: 6 } }\n      evaluation")]);
    a_target_harder_than_the_stop_is_shown: broken(&[
        ("      evaluation", "      stop: { train_loss: 0.1, not_before: { epochs: 12 } }\n      evaluation"),
        ("train_loss: [0.1] }", "train_loss: [0.5, 0.05], test_accuracy: [0.9] }"),
        ("by: validation_accuracy", "by: validation_accuracy, at: { epochs: 12 }"),
    ]);
    an_axis_that_is_not_swept_is_shown: broken(&[("x: damping", "x: momentum")]);
    a_claim_on_a_method_that_no_run_has_is_shown: broken(&[(
        "claims: [diminishing_returns]",
        "claims: [diminishing_returns, faster_per_iteration: { methods: [kfac, muon] }, region_shrinks_at_fixed_epochs: { method: kfca }]",
    )]);
    a_metric_without_its_part_of_the_data_is_shown: broken(&[("validation: 258, test: 259", "test: 259")]);
    a_batch_larger_than_the_data_is_shown: broken(&[("[16, 64]", "[16, 2048]")]);
    parts_that_exceed_the_data_are_shown: broken(&[("train: 1280", "train: 1281")]);
    a_data_set_without_its_files_is_shown: data_sets(&["source: cifar10", "source: svhn", "source: mnist", "source: fashion-mnist"]);
    a_damping_below_single_precision_is_a_warning: broken(&[("damping: [0.01, 0.1]", "damping: [1e-40, 0.1]")]);
    a_delay_of_an_interval_is_shown: broken(&[("kfac: { momentum: 0.9 }", "kfac: { delay: 10 }")]);
    a_delay_of_one_of_several_intervals_is_shown: broken(&[("kfac: { momentum: 0.9 }", "kfac: { delay: 4 }"), ("      damping: [0.01, 0.1]\n", "      damping: [0.01, 0.1]\n      inverse_every: [5, 4, 2]\n")]);
    a_delay_that_ends_in_time_is_none: broken(&[("kfac: { momentum: 0.9 }", "kfac: { delay: 9 }")]);
    a_normalisation_over_one_example_is_a_warning: broken(&[("mlp: { hidden: [32] } }", "cnn: { channels: [4] } }\n      ghost_batch: 21\n      last_batch: keep"), ("[16, 64]", "[1, 16, 64, 1279]")]);
    a_layer_too_wide_for_kfac_is_a_warning: broken(&[("hidden: [32]", "hidden: [4096, 32]")]);
    a_layer_too_wide_for_kfac_on_images_of_the_data_set_is_a_warning: broken(&[("source: digits", "source: cifar10, url: https://x.org/c.tgz, sha256: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]);
    a_ghost_batch_of_one_means_nothing_without_batch_norm: broken(&[("      budget: {", "      ghost_batch: 1\n      budget: {")]);
    files_that_are_not_there_are_a_warning: data_sets(&["source: cifar10, path: no/such.tar.gz", "source: svhn, path: no, validation: 5000", "source: fashion-mnist, path: no"]);
    addresses_and_checksums_that_do_not_fit_are_shown: data_sets(&[
        "source: cifar10, path: c.tgz, url: https://x.org/c.tgz",
        "source: cifar10, path: c.tgz, sha256: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "source: cifar10, url: https://x.org/c.tgz",
        "source: cifar10, url: data/c.tgz, sha256: 00ff",
        "source: svhn, url: http://x.org, sha256: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "source: svhn, url: data, sha256: { train_32x32.mat: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, extra_32x32.mat: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa }",
        "source: digits, path: digits.gz",
        "source: mnist, path: no, extra: true",
    ]);
    more_images_than_the_source_has_are_shown: data_sets(&["source: cifar10, path: no, validation: 50000", "source: mnist, path: no, train: 60001"]);
    two_kinds_at_once_are_shown: broken(&[("  winners:\n", "  winners:\n    report: { include: [map] }\n")]);
    a_stage_without_a_kind_is_shown: broken(&[("  winners:\n", "  nothing: {}\n  winners:\n")]);
    a_reference_made_twice_is_shown: broken(&[("runs: [kfac, confirmed]", "runs: [kfac, kfac]"), ("include: [targets, map]", "include: []")]);
    two_sweeps_over_one_setting_are_shown: broken(&[("      damping: [0.01, 0.1]\n", "      damping: [0.01, 0.1]\n      optimizer.kfac.damping: [1]\n      warmup.epochs: [1]\n      schedule: [constant, cosine]\n")]);
    something_else_than_a_mapping_is_refused: "[1, 2]";
    stages_that_are_no_mapping_are_refused: "study: s\nstages: [a]\n";
    a_misspelt_key_at_the_top_is_shown: broken(&[("stages:\n", "stagse:\n")]);
    a_file_without_stages_is_refused: "study: s\n";
    no_stages_are_refused: "study: s\nstages: {}\n";
    a_like_of_nothing_is_shown: broken(&[("  winners:\n", "  other: { like: kfca, train: { seed: 1 } }\n  winners:\n")]);
    runs_on_two_data_sets_cannot_be_confirmed_together: broken(&[("  winners:\n", "  more: { dataset: { source: digits, train: 500, validation: 10, test: 10 } }\n  sgd: { like: kfac, train: { dataset: more } }\n  winners:\n"), ("runs: [kfac], by", "runs: [kfac, sgd], by")]);
    a_budget_that_is_none_is_shown: broken(&[("budget: { epochs: 12 }", "budget: { epochs: 12, adjusted_from_batch: 64 }")]);
    two_budgets_at_once_are_shown: broken(&[("budget: { epochs: 12 }", "budget: { epochs: 12, iterations: 100 }")]);
    two_optimizers_at_once_are_shown: broken(&[("kfac: { momentum: 0.9 }", "kfac: { momentum: 0.9 }, sgd: {}")]);
    a_bad_name_is_shown: broken(&[("  map:\n", "  my map:\n"), ("study: small", "study: 7")]);
    what_a_winner_decides_cannot_be_set: broken(&[("configuration: winners }", "configuration: winners, learning_rate: 0.1 }"), ("sweep: { seed: [100, 101] }", "sweep: { batch_size: [16] }")]);
    an_empty_file_is_refused: "# nothing\n";
    a_second_document_is_refused: broken(&[("study: small", "---\nstudy: small"), ("claims: [diminishing_returns] }\n", "}\n---\na: b\n")]);
    a_place_after_letters_of_several_bytes_is_found: broken(&[("study: small", "# Schätzung über ∂²L — größer\nstudy: small"), ("dataset: digits", "dataset: digit")]);
}

#[test]
fn the_sound_study_has_nothing_to_complain_of() {
    assert_eq!(shown(SOUND), "");
}

/// A mistake makes others: a key that is passed over is missing, a value that stands in for a wrong one is out of range.
/// Only what a person did is said, and all of it.
#[test]
fn one_mistake_is_said_once_and_hides_no_other() {
    let rates = "learning_rate: [0.01, 0.1]";
    let optimizer = "optimizer: { kfac: { momentum: 0.9 } }";
    let claims = "claims: [diminishing_returns]";
    let cases: &[(&str, &str, &[&str])] = &[
        (
            rates,
            "learning_rate: { range: [0, 1] }",
            &["unknown choice `range` for `learning_rate`"],
        ),
        (
            rates,
            "learning_rate: {}",
            &[
                "`learning_rate` needs a list of values, or `powers_of_two`, `geometric` or `linear`",
            ],
        ),
        (
            rates,
            "learning_rate: { linear: { from: 1, step: 1, count: 2 }, geometric: { from: 1, ratio: 2, count: 2 } }",
            &["`learning_rate` takes one rule for its values, not `geometric` beside another"],
        ),
        (
            "budget: { epochs: 12 }",
            "budget: { epoch: 12 }",
            &["unknown key `epoch`"],
        ),
        (
            "budget: { epochs: 12 }",
            "budget: { epochs: soon }",
            &["`epochs`: expected a number, found the text `soon`"],
        ),
        (
            "good: { at_least: 0.9 }",
            "good: { above: 0.9 }",
            &["unknown key `above`"],
        ),
        (
            "evaluation: { epochs: [12] }",
            "evaluation: { spacing: 0.9, epoch: [12] }",
            &[
                "`spacing` must be at least 1.001, is 0.9",
                "unknown key `epoch`",
            ],
        ),
        (
            optimizer,
            "optimizer: {}",
            &[
                "`optimizer`: expected `sgd` or `kfac` or `adamw` or `lamb` or `lion` or `muon`, found an empty mapping",
            ],
        ),
        (
            optimizer,
            "optimizer: { kfac: { fisher: { sampled: 1 }, momentum: 2 } }",
            &[
                "`sampled` takes no settings",
                "`momentum` must be at least 0 and below 1, is 2",
            ],
        ),
        (
            claims,
            "claims: [{ one: {} }, two, { comparable_performance: { methods: [sgd] } }], looks: 5",
            &[
                "unknown choice `one` for `claims`",
                "unknown choice `two` for `claims`",
                "`methods`: a comparison needs two methods or more",
                "`looks`: expected a list of two values `[…, …]`, found the number 5",
            ],
        ),
    ];
    for (old, new, said) in cases {
        let mistakes = Study::parse("study.yaml", &broken(&[(old, new)])).err();
        let mistakes = mistakes.unwrap_or_else(|| panic!("{new} is no mistake"));
        let messages: Vec<&str> = mistakes.iter().map(study::Diagnostic::message).collect();
        assert_eq!(messages, *said, "{new}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_a_mistake_like_any_other() {
    let mistakes = Study::load("no/such/study.yaml").err().unwrap();
    assert_eq!(mistakes.len(), 1);
    let mistake = mistakes.iter().next().unwrap();
    assert!(
        mistake
            .message()
            .starts_with("cannot read no/such/study.yaml: "),
        "{mistake}"
    );
    assert_eq!(
        (mistake.severity(), mistake.span()),
        (Severity::Error, None)
    );
}

#[test]
fn spans_are_bytes_of_the_file() {
    let text = broken(&[
        ("study: small", "# ∂\nstudy: small"),
        ("dataset: digits", "dataset: digit"),
    ]);
    let mistakes = Study::parse("study.yaml", &text).err().unwrap();
    let mistake = mistakes.iter().next().unwrap();
    assert_eq!(&text[mistake.span().unwrap()], "digit");
    assert_eq!(mistake.help(), Some("did you mean `digits`?"));
}
