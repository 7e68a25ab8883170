//! A run that is taken down and goes on gives the bits of one that never stopped.

use std::sync::LazyLock;

use datasets::{Data, Files, prepare};
use serde_json::{Value, json};
use training::{Checkpoint, Course, Error, Outcome, Run, Settings, Training, train};

/// The digits, 320 for training.
static DIGITS: LazyLock<Data> = LazyLock::new(|| {
    let split = json!({"source": "digits", "train": 320, "validation": 50, "test": 60});
    Data::from_bytes(&prepare(&serde_json::from_value(split).unwrap(), &Files::new()).unwrap())
        .unwrap()
});

/// Settings of an MLP 64-32-10 over 24 steps, with changes to the top-level entries.
fn settings(changes: &Value) -> Settings {
    let mut settings = json!({
        "model": {"mlp": {"hidden": [32]}}, "batch_size": 32, "learning_rate": 0.02, "seed": 5,
        "budget": {"iterations": 24}, "optimizer": {"sgd": {}}, "evaluation": {"spacing": 1.6},
    });
    let entries = changes.as_object().unwrap().clone();
    settings.as_object_mut().unwrap().extend(entries);
    serde_json::from_value(settings).unwrap()
}

/// A course that lives as long as the test.
fn course(settings: &Settings) -> &'static Course {
    Box::leak(Box::new(Course::new(settings, DIGITS.train.len()).unwrap()))
}

fn begin(settings: &Settings) -> Training<'_> {
    let (device, _) = training::device::open("cpu").unwrap();
    Training::new(settings, course(settings), &DIGITS, &device).unwrap()
}

fn whole(settings: &Settings) -> Run {
    let (device, _) = training::device::open("cpu").unwrap();
    train(settings, &DIGITS, &device, &mut |_| ()).unwrap()
}

/// Trains until `step` updates are made, or the run ends.
fn until(training: &mut Training<'_>, step: u64) {
    while training.step() < step && training.advance().unwrap().is_some() {}
}

/// Trains to the end.
fn finish(mut training: Training<'_>) -> Run {
    while training.advance().unwrap().is_some() {}
    training.into_run()
}

/// The checkpoint of a run at a step, as bytes.
fn kept(settings: &Settings, step: u64) -> Vec<u8> {
    let mut training = begin(settings);
    until(&mut training, step);
    training.checkpoint().unwrap().to_bytes()
}

fn resumed<'a>(settings: &'a Settings, bytes: &[u8]) -> Training<'a> {
    resume(settings, bytes).unwrap()
}

fn resume<'a>(settings: &'a Settings, bytes: &[u8]) -> Result<Training<'a>, Error> {
    let (device, _) = training::device::open("cpu").unwrap();
    let checkpoint = Checkpoint::from_bytes(bytes).unwrap();
    Training::resume(settings, course(settings), &DIGITS, &device, checkpoint)
}

/// Taken down after every update, and once in the middle.
fn assert_goes_on(changes: &Value) {
    let settings = settings(changes);
    let expected = whole(&settings);
    let steps = expected.curve.updates.loss.len() as u64;

    let mut bytes = begin(&settings).checkpoint().unwrap().to_bytes();
    for step in 1..=steps {
        let mut training = if step == 1 {
            begin(&settings)
        } else {
            resumed(&settings, &bytes)
        };
        until(&mut training, step);
        assert_eq!(training.step(), step);
        bytes = training.checkpoint().unwrap().to_bytes();
    }
    let run = finish(resumed(&settings, &bytes));
    assert_eq!(
        blake3::hash(&run.to_bytes()),
        blake3::hash(&expected.to_bytes()),
        "{changes}"
    );
    assert_eq!(
        bytes,
        kept(&settings, steps),
        "{changes}: the last checkpoint"
    );

    let run = finish(resumed(&settings, &kept(&settings, steps / 2)));
    assert!(run.to_bytes() == expected.to_bytes(), "{changes}: half-way");
}

#[test]
fn every_first_order_rule_goes_on_as_if_it_had_never_stopped() {
    for optimizer in [
        json!({"sgd": {"momentum": 0.0}}),
        json!({"sgd": {"momentum": 0.9, "weight_decay": 1e-3}}),
        json!({"adamw": {"weight_decay": 0.01}}),
        json!({"lamb": {"weight_decay": 0.01}}),
        json!({"lion": {"weight_decay": 0.01}}),
        json!({"muon": {"weight_decay": 0.01}}),
    ] {
        assert_goes_on(&json!({"optimizer": optimizer}));
        assert_goes_on(&json!({"optimizer": optimizer, "model": {"cnn": {"channels": [4, 6]}}}));
    }
}

#[test]
fn what_a_run_had_right_goes_on_as_if_it_had_never_stopped() {
    assert_goes_on(&json!({"evaluation": {"spacing": 1.6, "test_predictions": true}}));
}

#[test]
fn kfac_goes_on_at_any_interval_of_factors_and_inverses() {
    for factor_every in [1, 3] {
        for inverse_every in [1, 7, 10] {
            let kfac = json!({"damping": 0.03, "factor_every": factor_every, "inverse_every": inverse_every});
            assert_goes_on(&json!({"optimizer": {"kfac": kfac}}));
        }
    }
}

#[test]
fn kfac_goes_on_with_every_other_setting() {
    for more in [
        json!({"fisher": "empirical"}),
        json!({"damping_method": "factored"}),
        json!({"kl_clip": 1e-3}),
        json!({"burn_in": {"batches": 5}}),
        json!({"delay": 1}),
        json!({"delay": 6, "fisher": "empirical"}),
        json!({"delay": 3, "burn_in": {"batches": 2}}),
        json!({"burn_in": {"batches": 3, "examples_per_dimension": 6}, "factor_every": 2}),
    ] {
        let mut kfac =
            json!({"damping": 0.01, "factor_every": 3, "inverse_every": 7, "weight_decay": 1e-3});
        let entries = more.as_object().unwrap().clone();
        kfac.as_object_mut().unwrap().extend(entries);
        assert_goes_on(&json!({"optimizer": {"kfac": kfac}}));
    }
    let kfac = json!({"kfac": {"damping": 0.03, "factor_every": 3, "inverse_every": 7}});
    assert_goes_on(&json!({"optimizer": kfac, "model": {"cnn": {"channels": [4, 6]}}}));
}

#[test]
fn running_statistics_augmentation_partial_batches_and_measurements_go_on() {
    let cnn = json!({"cnn": {"channels": [4]}});
    assert_goes_on(&json!({"model": cnn, "batch_norm": "running"}));
    assert_goes_on(&json!({
        "model": cnn, "augment": {"pad_crop": 1, "flip": true}, "batch_size": 48, "last_batch": "keep",
        "optimizer": {"kfac": {"damping": 0.1}}, "batch_norm": "running",
    }));
    assert_goes_on(&json!({
        "schedule": {"cosine": {}, "warmup": {"iterations": 5}}, "evaluation": {"train_subset": 40},
    }));
    assert_goes_on(&json!({
        "model": cnn, "ghost_batch": 12, "noise_scale": {"small": 16, "batches": 3}, "augment": {"flip": true},
        "optimizer": {"kfac": {"damping": 0.1}},
    }));
}

#[test]
fn a_run_that_diverges_does_so_at_the_same_step_after_a_stop() {
    // At a rate that teaches nothing, so that the losses that count against the run lie on both sides of the stop.
    let settings =
        settings(&json!({"learning_rate": 4.0, "divergence": {"factor": 1, "steps": 4}}));
    let expected = whole(&settings);
    let Outcome::Diverged { step } = expected.outcome else {
        panic!("{:?}", expected.outcome)
    };
    assert!(step > 2);
    let run = finish(resumed(&settings, &kept(&settings, step - 2)));
    assert!(run.to_bytes() == expected.to_bytes());
    let mut training = begin(&settings);
    until(&mut training, 24);
    assert!(
        training.checkpoint().is_none(),
        "nothing goes on from there"
    );
}

#[test]
fn a_longer_budget_trains_only_what_is_new() {
    for optimizer in [
        json!({"sgd": {}}),
        json!({"kfac": {"damping": 0.03, "inverse_every": 7}}),
    ] {
        let with = |budget: Value| settings(&json!({"optimizer": optimizer, "budget": budget}));
        // By steps and by epochs: 10 steps an epoch.
        let (short, long) = (with(json!({"iterations": 24})), with(json!({"epochs": 4})));
        let mut training = begin(&short);
        until(&mut training, u64::MAX);
        let checkpoint = training.checkpoint().unwrap();
        assert_eq!(checkpoint.step(), 24);
        let longer = resumed(&long, &checkpoint.to_bytes());
        assert_eq!(longer.step(), 24);
        assert!(finish(longer).to_bytes() == whole(&long).to_bytes());
    }
}

#[test]
fn a_changed_decay_goes_on_from_the_decay() {
    let with =
        |factor: f64| settings(&json!({"schedule": {"step": {"factor": factor, "at": [0.5]}}}));
    let (old, new) = (with(0.1), with(0.3));
    assert!(finish(resumed(&new, &kept(&old, 12))).to_bytes() == whole(&new).to_bytes());
    assert!(resume(&new, &kept(&old, 13)).is_err());
}

#[test]
fn a_shorter_run_is_the_beginning_of_a_longer_one() {
    let evaluation = json!({"spacing": 1.6, "iterations": [15]});
    let long = settings(&json!({"evaluation": evaluation}));
    let short = settings(&json!({"evaluation": evaluation, "budget": {"epochs": 1.5}}));
    let training = resumed(&short, &kept(&long, 20));
    let run = finish(training);
    assert!(run.to_bytes() == whole(&short).to_bytes());
    // One that was not measured where the shorter run ends is of no use.
    let unmeasured = settings(&json!({}));
    assert!(resume(&short, &kept(&unmeasured, 20)).is_err());
}

#[test]
fn new_targets_are_looked_for_in_what_was_trained() {
    let free = settings(&json!({}));
    let rows = whole(&free).curve.evaluations;
    let target = rows[rows.len() - 3].train_loss.unwrap();
    for target in [target, 1e-9] {
        let stopping = settings(&json!({"stop": {"train_loss": target}}));
        for step in [1, 10, 24] {
            let run = finish(resumed(&stopping, &kept(&free, step)));
            assert!(
                run.to_bytes() == whole(&stopping).to_bytes(),
                "{target} {step}"
            );
        }
    }
}

#[test]
fn a_checkpoint_survives_its_bytes_and_nothing_else_passes_for_one() {
    let kfac =
        json!({"optimizer": {"kfac": {"damping": 0.03, "factor_every": 3, "inverse_every": 7}}});
    let settings = settings(&kfac);
    let mut training = begin(&settings);
    until(&mut training, 9);
    let checkpoint = training.checkpoint().unwrap();
    let bytes = checkpoint.to_bytes();
    assert_eq!(Checkpoint::from_bytes(&bytes).unwrap(), checkpoint);
    for end in [0, 8, bytes.len() / 2, bytes.len() - 1] {
        assert!(
            Checkpoint::from_bytes(&bytes[..end]).is_err(),
            "cut at {end}"
        );
    }
    assert!(Checkpoint::from_bytes(&whole(&settings).to_bytes()).is_err());
    let names: Vec<String> = checkpoint.weights().into_iter().map(|it| it.name).collect();
    assert_eq!(
        names,
        [
            "layers.0.bias",
            "layers.0.weight",
            "layers.1.bias",
            "layers.1.weight"
        ]
    );
}

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let kfac = json!({"kfac": {"damping": 0.03}});
    let base = settings(&json!({"optimizer": kfac}));
    let bytes = kept(&base, 9);
    for changes in [
        json!({"optimizer": {"sgd": {}}}),
        json!({"optimizer": {"adamw": {}}}),
        json!({"model": {"mlp": {"hidden": [31]}}}),
        json!({"model": {"mlp": {"hidden": [32, 32]}}}),
        json!({"learning_rate": 0.03}),
        json!({"evaluation": {"spacing": 1.5}}),
    ] {
        let mut all = json!({"optimizer": kfac});
        let entries = changes.as_object().unwrap().clone();
        all.as_object_mut().unwrap().extend(entries);
        let other = settings(&all);
        let error = resume(&other, &bytes).err().map(|error| error.to_string());
        assert!(
            error
                .as_deref()
                .is_some_and(|it| it.starts_with("not a checkpoint")),
            "{changes}: {error:?}"
        );
    }
}

#[test]
fn factors_are_kept_twice_only_between_inverses() {
    let settings = settings(&json!({"optimizer": {"kfac": {"damping": 0.03, "inverse_every": 8}}}));
    let length = |step| kept(&settings, step).len();
    let once = length(8);
    assert!(length(9) > once + once / 3, "{} {once}", length(9));
    assert!(length(16) < once + once / 10, "{} {once}", length(16));
}

#[test]
fn measurements_right_after_a_stop_are_those_of_a_run_that_did_not_stop() {
    // Evaluated after every update, so that nothing has been updated since the checkpoint was restored.
    let evaluation = json!({"spacing": 1.6, "iterations": (1..24).collect::<Vec<u64>>()});
    for optimizer in [
        json!({"sgd": {"momentum": 0.0}}),
        json!({"sgd": {"weight_decay": 0.1}}),
        json!({"kfac": {"damping": 0.1, "kl_clip": 1e-3}}),
        json!({"adamw": {"weight_decay": 0.1}}),
        json!({"lamb": {}}),
        json!({"lion": {}}),
        json!({"muon": {}}),
    ] {
        for model in [
            json!({"cnn": {"channels": [4, 6]}}),
            json!({"mlp": {"hidden": [20, 20]}}),
        ] {
            assert_goes_on(&json!({
                "model": model, "optimizer": optimizer, "evaluation": evaluation,
                "noise_scale": {"batches": 2, "small": 16},
            }));
        }
    }
}
