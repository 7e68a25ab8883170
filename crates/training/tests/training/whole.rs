//! Training runs as a whole.

use std::sync::LazyLock;

use datasets::{Data, Files, prepare};
use serde_json::{Value, json};
use training::{Course, Error, Outcome, Run, Settings, Training, train};

/// The digits, 1,280 for training.
static DIGITS: LazyLock<Data> = LazyLock::new(|| {
    let split = json!({"source": "digits", "train": 1280, "validation": 217, "test": 300});
    Data::from_bytes(&prepare(&serde_json::from_value(split).unwrap(), &Files::new()).unwrap())
        .unwrap()
});

/// Settings of an MLP 64-32-10 with changes to the top-level entries.
fn settings(changes: Value) -> Settings {
    let settings = json!({
        "model": {"mlp": {"hidden": [32]}}, "batch_size": 64, "learning_rate": 0.05,
        "budget": {"iterations": 20}, "optimizer": {"sgd": {}},
    });
    crate::changed(settings, changes)
}

fn run(changes: Value) -> Run {
    let (device, _) = training::device::open("cpu").unwrap();
    train(&settings(changes), &DIGITS, &device, &mut |_| ()).unwrap()
}

fn error(changes: Value) -> Error {
    let (device, _) = training::device::open("cpu").unwrap();
    train(&settings(changes), &DIGITS, &device, &mut |_| ()).unwrap_err()
}

fn optimizers() -> [(&'static str, Value); 3] {
    [
        ("SGD", json!({"sgd": {}})),
        ("K-FAC", json!({"kfac": {"damping": 0.1}})),
        (
            "K-FAC, empirical",
            json!({"kfac": {"damping": 0.1, "fisher": "empirical", "damping_method": "factored"}}),
        ),
    ]
}

#[test]
fn a_short_training_learns_the_digits_with_every_optimiser() {
    // Of K-FAC's rates one at which a run settles, whatever its seed: at 0.05 the last digits decide how it ends.
    for ((name, optimizer), rate) in optimizers().into_iter().zip([0.05, 0.01, 0.01]) {
        let run =
            run(json!({"optimizer": optimizer, "learning_rate": rate, "budget": {"epochs": 15}}));
        let last = run.curve.evaluations.last().unwrap();
        assert_eq!(run.outcome, Outcome::Finished, "{name}");
        assert!(last.test_accuracy.unwrap() > 0.93, "{name}: {last:?}");
        assert!(last.train_loss.unwrap() < 0.1, "{name}: {last:?}");
    }
}

#[test]
fn a_small_convolutional_network_learns_the_digits_with_every_optimiser() {
    for (name, optimizer) in optimizers() {
        let run = run(json!({
            "model": {"cnn": {"channels": [8, 16]}}, "optimizer": optimizer, "budget": {"epochs": 6},
        }));
        let last = run.curve.evaluations.last().unwrap();
        assert!(last.test_accuracy.unwrap() > 0.9, "{name}: {last:?}");
    }
}

#[test]
fn before_training_every_network_is_about_as_good_as_guessing() {
    for (model, parameters) in [
        (
            json!({"mlp": {"hidden": [32]}}),
            64 * 32 + 32 + 32 * 10 + 10,
        ),
        (json!({"mlp": {"hidden": []}}), 650),
        (
            json!({"cnn": {"channels": [8, 16]}}),
            72 + 16 + 1152 + 32 + 2570,
        ),
    ] {
        let first = run(json!({"model": model, "budget": {"iterations": 1}}));
        let loss = first.curve.evaluations[0].train_loss.unwrap();
        assert_eq!(first.parameters, parameters);
        // Logits of variance at most 1 add at most about a half.
        assert!((loss - 10_f64.ln()).abs() < 0.8, "{model}: {loss}");
    }
}

#[test]
fn all_optimisers_of_a_seed_start_alike() {
    let runs = optimizers().map(|(_, optimizer)| run(json!({"optimizer": optimizer, "seed": 3})));
    for other in &runs[1..] {
        assert_eq!(
            other.curve.updates.loss[0].to_bits(),
            runs[0].curve.updates.loss[0].to_bits()
        );
        assert_eq!(other.curve.evaluations[0], runs[0].curve.evaluations[0]);
        assert_ne!(
            other.curve.updates.loss[1].to_bits(),
            runs[0].curve.updates.loss[1].to_bits()
        );
    }
}

#[test]
fn the_same_settings_give_the_same_bytes_and_another_seed_others() {
    for (_, optimizer) in optimizers() {
        let bytes = |seed: u64| run(json!({"optimizer": optimizer, "seed": seed})).to_bytes();
        assert_eq!(bytes(0), bytes(0));
        assert_ne!(bytes(0), bytes(1));
    }
}

/// The bytes of a run in a pool of so many threads.
fn bytes_with(threads: usize, changes: &Value) -> Vec<u8> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build().unwrap().install(|| {
        assert_eq!(rayon::current_num_threads(), threads);
        run(changes.clone()).to_bytes()
    })
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    for model in [
        json!({"mlp": {"hidden": [256, 256]}}),
        json!({"cnn": {"channels": [8, 16]}}),
    ] {
        for (name, optimizer) in optimizers() {
            let changes = json!({"model": model, "optimizer": optimizer, "batch_size": 256});
            let one = bytes_with(1, &changes);
            for threads in [2, 3] {
                assert!(one == bytes_with(threads, &changes), "{model} {name}");
            }
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit_of_the_large_networks() {
    let kfac = |method: &str| json!({"kfac": {"damping": 0.1, "damping_method": method}});
    for (model, optimizer) in [
        ("resnet20", json!({"sgd": {}})),
        ("resnet20", kfac("eigen")),
        ("alexnet", json!({"sgd": {}})),
        // Eigenvectors of a factor of 1,601 rows take long.
        ("alexnet", kfac("factored")),
    ] {
        let changes = json!({
            "model": model, "optimizer": optimizer, "batch_size": 128, "budget": {"iterations": 2},
            "evaluation": {"iterations": [], "spacing": 100.0, "train_subset": 256},
        });
        let one = bytes_with(1, &changes);
        assert!(one == bytes_with(3, &changes), "{model} {optimizer}");
    }
}

#[test]
fn a_run_survives_its_bytes() {
    for changes in [
        json!({"schedule": {"step": {"factor": 0.1, "at": [0.5]}, "warmup": {"iterations": 2}}}),
        json!({"optimizer": {"kfac": {"damping": 1e-3}}, "learning_rate": 50.0}),
        json!({"stop": {"train_loss": 10.0}, "augment": {"pad_crop": 1}}),
    ] {
        let run = run(changes);
        let bytes = run.to_bytes();
        assert_eq!(Run::from_bytes(&bytes).unwrap(), run);
        assert!(Run::from_bytes(&bytes[..bytes.len() - 1]).is_err());
    }
    assert!(
        Run::from_bytes(
            &prepare(
                &serde_json::from_str(r#"{"source": "digits", "train": 9}"#).unwrap(),
                &Files::new()
            )
            .unwrap()
        )
        .is_err()
    );
}

#[test]
fn the_share_of_images_that_a_run_has_right_is_its_accuracy() {
    let silent = run(json!({}));
    assert!(silent.curve.correct.is_empty());
    let told = run(json!({"evaluation": {"spacing": 1.6, "test_predictions": true}}));
    assert_eq!(Run::from_bytes(&told.to_bytes()).unwrap(), told);
    assert!(!told.curve.correct.is_empty());
    for at in &told.curve.correct {
        let right = at.images.iter().filter(|right| **right).count();
        let row = told
            .curve
            .evaluations
            .iter()
            .find(|row| row.step == at.step);
        let accuracy = row.and_then(|row| row.test_accuracy).unwrap();
        let share = right as f64 / at.images.len() as f64;
        assert_eq!(share.to_bits(), accuracy.to_bits());
    }
    assert_eq!(told.curve.correct.len(), told.curve.evaluations.len());
}

#[test]
fn a_run_says_what_it_is_a_run_of() {
    let run =
        run(json!({"schedule": {"step": {"factor": 0.1, "at": [0.5]}}, "budget": {"epochs": 2}}));
    assert_eq!(
        (run.train_examples, run.steps_per_epoch, run.budget_steps),
        (1280, 20, 40)
    );
    assert_eq!(run.rate_drops, [20]);
    assert_eq!(run.curve.updates.loss.len(), 40);
    assert_eq!(
        (
            run.curve.updates.learning_rate[19],
            run.curve.updates.learning_rate[20]
        ),
        (0.05, 0.05 * 0.1)
    );
    let steps: Vec<u64> = run.curve.evaluations.iter().map(|row| row.step).collect();
    assert_eq!(steps, run.settings.evaluation.points(40, 20));
    assert!(
        run.curve
            .evaluations
            .iter()
            .all(|row| row.examples == 64 * row.step)
    );
}

#[test]
fn a_kept_partial_batch_counts_its_examples() {
    for (_, optimizer) in optimizers() {
        let run = run(json!({
            "optimizer": optimizer, "batch_size": 96, "last_batch": "keep", "budget": {"epochs": 1.5},
        }));
        assert_eq!(
            (run.outcome, run.steps_per_epoch, run.budget_steps),
            (Outcome::Finished, 14, 21)
        );
        let examples = |step: u64| {
            run.curve
                .evaluations
                .iter()
                .find(|row| row.step == step)
                .unwrap()
                .examples
        };
        assert_eq!(
            (examples(12), examples(14), examples(21)),
            (1152, 1280, 1280 + 7 * 96)
        );
    }
}

#[test]
fn a_rate_beyond_reason_diverges_and_leaves_only_finite_numbers() {
    for (name, optimizer) in optimizers() {
        let run = run(
            json!({"optimizer": optimizer, "learning_rate": 1e4, "budget": {"iterations": 200}}),
        );
        let Outcome::Diverged { step } = run.outcome else {
            panic!("{name}: {:?}", run.outcome)
        };
        assert!(run.curve.updates.loss.len() as u64 == step && step < 200);
        assert!(run.curve.updates.loss.iter().all(|loss| loss.is_finite()));
        for row in &run.curve.evaluations {
            assert!(
                [row.train_loss, row.validation_loss, row.test_loss]
                    .iter()
                    .all(|loss| loss.is_some_and(f64::is_finite))
            );
        }
    }
}

#[test]
fn a_warm_start_at_a_loss_of_nearly_nothing_finishes_and_a_loss_that_stays_high_does_not() {
    let (device, _) = training::device::open("cpu").unwrap();
    let good = settings(json!({
        "optimizer": {"adamw": {}}, "learning_rate": 0.01, "budget": {"epochs": 100},
        "evaluation": {"spacing": 100.0},
    }));
    let course = Course::new(&good, 1280).unwrap();
    let mut trained = Training::new(&good, &course, &DIGITS, &device).unwrap();
    while trained.advance().unwrap().is_some() {}
    let weights = trained.state_dict();
    let warm = |changes: &Value| {
        let mut all = json!({"batch_size": 1, "learning_rate": 0.001, "budget": {"epochs": 1}});
        let (all_of, more) = (all.as_object_mut().unwrap(), changes.as_object().unwrap());
        all_of.extend(more.clone());
        let again = settings(all);
        let course = Course::new(&again, 1280).unwrap();
        let run = Training::new(&again, &course, &DIGITS, &device).unwrap();
        let mut run = run.with_initial_weights(&weights).unwrap();
        while run.advance().unwrap().is_some() {}
        run.into_run()
    };
    // By the ratio to the first loss, a mistake on one example was a divergence.
    let mut leaps = false;
    for seed in 0..5 {
        let run = warm(&json!({"seed": seed}));
        assert_eq!(run.outcome, Outcome::Finished);
        let losses = &run.curve.updates.loss;
        leaps |= losses.iter().any(|loss| *loss > 1e4 * losses[0]);
    }
    assert!(leaps);
    // Anything is too high if the factor says so.
    let strict = warm(&json!({"batch_size": 64, "divergence": {"factor": 1e-12, "steps": 3}}));
    assert_eq!(strict.outcome, Outcome::Diverged { step: 2 });
    assert_eq!(strict.curve.updates.loss.len(), 2);
}

#[test]
fn a_run_stops_at_the_second_evaluation_in_a_row_at_its_targets() {
    let base = json!({"optimizer": {"sgd": {}}, "budget": {"epochs": 10}});
    let whole = run(base.clone());
    let target = 0.25;
    let met: Vec<bool> = whole
        .curve
        .evaluations
        .iter()
        .map(|row| row.train_loss.unwrap() <= target)
        .collect();
    let second = met
        .windows(2)
        .position(|pair| pair == [true, true])
        .unwrap()
        + 1;
    let with_stop = |stop: Value| {
        let mut changes = base.clone();
        changes["stop"] = stop;
        run(changes)
    };

    let stopped = with_stop(json!({"train_loss": target}));
    let step = whole.curve.evaluations[second].step;
    assert_eq!(stopped.outcome, Outcome::Stopped { step });
    assert_eq!(
        stopped.curve.evaluations,
        whole.curve.evaluations[..=second]
    );
    assert_eq!(
        stopped.curve.updates.loss,
        whole.curve.updates.loss[..step as usize]
    );

    let later =
        with_stop(json!({"train_loss": target, "not_before": {"epochs": 8.0, "iterations": 100}}));
    let Outcome::Stopped { step } = later.outcome else {
        panic!("{:?}", later.outcome)
    };
    assert!(
        step >= 160
            && whole
                .curve
                .evaluations
                .iter()
                .find(|row| row.step >= 160)
                .unwrap()
                .step
                == step
    );

    let never = with_stop(json!({"train_loss": target, "test_loss": 1e-9}));
    assert_eq!(never.outcome, Outcome::Finished);
}

#[test]
fn recomputing_statistics_changes_the_evaluations_but_not_the_training() {
    let cnn = |batch_norm: &str, spacing: f64| {
        run(json!({
            "model": {"cnn": {"channels": [4]}}, "batch_norm": batch_norm,
            "evaluation": {"spacing": spacing},
        }))
    };
    let (recomputed, running, seldom) = (
        cnn("recompute", 1.1),
        cnn("running", 1.1),
        cnn("recompute", 100.0),
    );
    assert_eq!(recomputed.curve.updates.loss, running.curve.updates.loss);
    assert_eq!(recomputed.curve.updates.loss, seldom.curve.updates.loss);
    assert_ne!(
        recomputed.curve.evaluations[3].train_loss,
        running.curve.evaluations[3].train_loss
    );
    assert_eq!(
        recomputed.curve.evaluations.last(),
        seldom.curve.evaluations.last()
    );
    // After many steps at a small rate the averages are those of the whole set, or nearly.
    let settled = |batch_norm: &str| {
        run(json!({
            "model": {"cnn": {"channels": [4]}}, "batch_norm": batch_norm, "learning_rate": 1e-5,
            "budget": {"iterations": 200}, "batch_size": 256,
        }))
    };
    let (recomputed, running) = (settled("recompute"), settled("running"));
    let gap = recomputed
        .curve
        .evaluations
        .last()
        .unwrap()
        .train_loss
        .unwrap()
        - running
            .curve
            .evaluations
            .last()
            .unwrap()
            .train_loss
            .unwrap();
    assert!(gap.abs() < 0.02, "{gap}");
}

#[test]
fn training_metrics_can_be_taken_over_a_subset() {
    let all = run(json!({}));
    let subset = run(json!({"evaluation": {"train_subset": 100}}));
    assert_eq!(all.curve.updates.loss, subset.curve.updates.loss);
    assert_eq!(
        all.curve.evaluations[5].test_loss,
        subset.curve.evaluations[5].test_loss
    );
    let hundredths = subset.curve.evaluations[5].train_accuracy.unwrap() * 100.0;
    assert!((hundredths - hundredths.round()).abs() < 1e-9);
    assert_ne!(
        all.curve.evaluations[5].train_loss,
        subset.curve.evaluations[5].train_loss
    );
}

#[test]
fn progress_is_told_after_every_update() {
    let (device, _) = training::device::open("cpu").unwrap();
    let mut told = Vec::new();
    let run = train(&settings(json!({})), &DIGITS, &device, &mut |progress| {
        told.push(progress);
    })
    .unwrap();
    assert_eq!(told.len(), 20);
    assert!(
        told.iter()
            .zip(1..)
            .all(|(progress, step)| progress.step == step && progress.steps == 20)
    );
    assert!(
        told.iter()
            .zip(&run.curve.updates.loss)
            .all(
                |(progress, loss)| progress.loss.map(|loss| (loss as f32).to_bits())
                    == Some(loss.to_bits())
            )
    );
}

#[test]
fn settings_that_make_no_sense_are_errors() {
    assert!(matches!(
        error(json!({"batch_size": 1281})),
        Error::BatchLargerThanData {
            batch_size: 1281,
            examples: 1280
        }
    ));
    for (changes, says) in [
        (
            json!({"optimizer": {"kfac": {}}}),
            "optimizer.kfac.damping: is missing",
        ),
        (
            json!({"batch_size": 16, "budget": {"epochs": 1, "adjusted_from_batch": 64}}),
            "budget: is less than one step at batch size 16",
        ),
    ] {
        assert_eq!(error(changes).to_string(), says);
    }
}

#[test]
fn settings_that_mean_nothing_are_not_read() {
    let read = |text: &str| serde_json::from_str::<Settings>(text);
    let good = r#"{"model": "resnet20", "batch_size": 1, "learning_rate": 1, "budget": {"epochs": 1},
                   "optimizer": {"kfac": {"damping": 1}}}"#;
    assert!(read(good).is_ok());
    for (from, to) in [
        (r#""batch_size""#, r#""batch""#),
        ("resnet20", "resnet21"),
        (r#""damping""#, r#""dampening""#),
        (r#"{"damping": 1}"#, r#"{"damping": 1, "nesterov": true}"#),
        (r#"{"damping": 1}"#, r#"{"damping": 0}"#),
        (r#"{"epochs": 1}"#, r#"{"epochs": 1, "iterations": 1}"#),
        (r#"{"epochs": 1}"#, r#"{"iterations": 0}"#),
        (r#""batch_size": 1"#, r#""batch_size": 0"#),
        (r#""learning_rate": 1"#, r#""learning_rate": -1"#),
        (r#""resnet20""#, r#"{"mlp": {"hidden": [0]}}"#),
        (r#""budget""#, r#""stop": {}, "budget""#),
    ] {
        assert!(read(&good.replace(from, to)).is_err(), "{from} to {to}");
    }
}
