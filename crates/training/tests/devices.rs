//! The same run on the CPU and through wgpu, on Mesa's software Vulkan or another software adapter.
//!
//! Built with the feature `wgpu` only. Where there is no software adapter (Debian: `mesa-vulkan-drivers`), the
//! comparison is left out, and says so, unless `CI=true`.

use burn::tensor::Device;
use datasets::{Data, Files, prepare};
use serde_json::{Value, json};
use training::{Course, Error, Outcome, Run, Settings, Training, train};

fn software() -> Option<Device> {
    match training::device::open("wgpu-software") {
        Ok((device, name)) => {
            assert_eq!(name, "wgpu-software");
            Some(device)
        }
        Err(error @ Error::Device { .. }) => {
            let required = std::env::var("CI").is_ok_and(|ci| ci == "true");
            assert!(!required, "{error}");
            eprintln!("left out: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn inputs(optimizer: &Value) -> (Settings, Data) {
    let split = json!({"source": "digits", "train": 256, "test": 64});
    let split = serde_json::from_value(split).unwrap();
    let data = Data::from_bytes(&prepare(&split, &Files::new()).unwrap()).unwrap();
    let settings: Settings = serde_json::from_value(json!({
        "model": {"cnn": {"channels": [4, 8]}}, "batch_size": 32, "learning_rate": 0.05, "seed": 3,
        "budget": {"iterations": 6}, "optimizer": optimizer, "evaluation": {"spacing": 2.0},
        "augment": {"pad_crop": 1}, "noise_scale": {"small": 16, "batches": 4},
    }))
    .unwrap();
    (settings, data)
}

fn run(device: &Device, optimizer: &Value) -> Run {
    let (settings, data) = inputs(optimizer);
    train(&settings, &data, device, &mut |_| ()).unwrap()
}

/// The largest relative difference.
fn apart(a: impl Iterator<Item = f64>, b: impl Iterator<Item = f64>) -> f64 {
    a.zip(b)
        .map(|(a, b)| (a / b - 1.0).abs())
        .fold(0.0, |worst, now| {
            if now > worst || now.is_nan() {
                now
            } else {
                worst
            }
        })
}

#[test]
fn a_few_steps_on_wgpu_are_those_on_the_cpu_up_to_float_error() {
    let Some(wgpu) = software() else { return };
    let (cpu, _) = training::device::open("cpu").unwrap();
    assert_ne!(wgpu, cpu);
    for (name, optimizer, tolerance) in [
        (
            "SGD",
            json!({"sgd": {"momentum": 0.8, "weight_decay": 0.01}}),
            1e-4,
        ),
        (
            "K-FAC",
            json!({"kfac": {"damping": 0.1, "inverse_every": 2}}),
            1e-3,
        ),
        (
            "K-FAC, factored",
            json!({"kfac": {"damping": 0.1, "fisher": "empirical", "damping_method": "factored"}}),
            1e-3,
        ),
        (
            "K-FAC, delayed",
            json!({"kfac": {"damping": 0.1, "inverse_every": 3, "delay": 2, "kl_clip": 1e-3}}),
            1e-3,
        ),
    ] {
        let (a, b) = (run(&cpu, &optimizer), run(&wgpu, &optimizer));
        let losses = |run: &Run| run.curve.updates.loss.clone().into_iter().map(f64::from);
        // Weights, images and batches are drawn on the host: both start alike.
        let first = apart(losses(&a).take(1), losses(&b).take(1));
        let all = apart(losses(&a), losses(&b));
        let evaluated = |run: &Run| {
            let rows = run.curve.evaluations.clone().into_iter();
            rows.flat_map(|row| [row.train_loss.unwrap(), row.test_loss.unwrap()])
        };
        let evaluations = apart(evaluated(&a), evaluated(&b));
        let trace = |run: &Run| {
            let rows = run.curve.noise.clone().into_iter();
            rows.map(|at| at.trace)
        };
        let noise = apart(trace(&a), trace(&b));
        eprintln!(
            "{name}: first {first:.1e}, losses {all:.1e}, evaluations {evaluations:.1e}, noise {noise:.1e}"
        );
        assert_eq!(
            (a.curve.updates.loss.len(), b.curve.updates.loss.len()),
            (6, 6),
            "{name}"
        );
        assert!(first < 1e-5, "{name}: {first}");
        assert!(all < tolerance, "{name}: {all}");
        assert!(evaluations < tolerance, "{name}: {evaluations}");
        assert!(noise < 10.0 * tolerance, "{name}: {noise}");
    }
}

#[test]
fn a_run_that_goes_on_from_a_checkpoint_has_the_same_bits() {
    let Some(wgpu) = software() else { return };
    for (optimizer, stop) in [
        (json!({"sgd": {"momentum": 0.8, "weight_decay": 0.01}}), 3),
        // The inverses of step 3 act from step 5 on.
        (
            json!({"kfac": {"damping": 0.1, "inverse_every": 3, "delay": 2}}),
            4,
        ),
    ] {
        let whole = run(&wgpu, &optimizer);
        let (settings, data) = inputs(&optimizer);
        let course = Course::new(&settings, data.train.len()).unwrap();
        let mut first = Training::new(&settings, &course, &data, &wgpu).unwrap();
        for _ in 0..stop {
            first.advance().unwrap().expect("the run goes on");
        }
        let checkpoint = first.checkpoint().expect("the run has not diverged");
        let mut second = Training::resume(&settings, &course, &data, &wgpu, checkpoint).unwrap();
        while second.advance().unwrap().is_some() {}
        assert_eq!(second.into_run().curve, whole.curve, "{optimizer}");
    }
}

/// Losses are read after many steps, and the run has ended where it ends on the CPU.
#[test]
fn a_run_diverges_at_its_own_step_and_nothing_after_it_shows() {
    let Some(wgpu) = software() else { return };
    let (cpu, _) = training::device::open("cpu").unwrap();
    let sgd = || json!({"sgd": {}});
    let kfac = json!({"kfac": {"damping": 0.1, "inverse_every": 2}});
    let leap = || json!({"factor": 100, "steps": 10});
    // Losses that count against the run in so many steps in a row.
    let row = |factor: f64, steps: u64| json!({"factor": factor, "steps": steps});
    for (what, optimizer, rate, divergence, ended) in [
        ("leap", sgd(), 1e20, leap(), 1),
        ("K-FAC leaps", kfac, 1e25, leap(), 1),
        ("row", sgd(), 30.0, row(0.5, 4), 3),
        ("row across a read", sgd(), 0.05, row(0.001, 25), 24),
    ] {
        let (settings, data) = inputs(&optimizer);
        let mut settings = serde_json::to_value(settings).unwrap();
        settings["learning_rate"] = json!(rate);
        settings["divergence"] = divergence;
        settings["budget"] = json!({"iterations": 60});
        settings["evaluation"] = json!({"spacing": 3.0, "iterations": [20]});
        let settings: Settings = serde_json::from_value(settings).unwrap();
        let [a, b] =
            [&cpu, &wgpu].map(|device| train(&settings, &data, device, &mut |_| ()).unwrap());
        let ended = Outcome::Diverged { step: ended };
        assert_eq!([a.outcome, b.outcome], [ended; 2], "{what}");
        let steps = |run: &Run| {
            let evaluated = run.curve.evaluations.iter().map(|row| row.step);
            let noise = run.curve.noise.iter().map(|at| at.step);
            let rates = run.curve.updates.learning_rate.len();
            let losses = run.curve.updates.losses().map(|(step, _)| step);
            (
                evaluated.collect::<Vec<_>>(),
                noise.collect::<Vec<_>>(),
                losses.collect::<Vec<_>>(),
                rates,
            )
        };
        assert_eq!(steps(&a), steps(&b), "{what}");
        assert!(
            b.curve.updates.loss.iter().all(|loss| loss.is_finite()),
            "{what}"
        );
    }
}

/// Its loss is finite, and its curve is that of the CPU: without that loss, whose update was not made.
#[test]
fn a_run_whose_factors_overflow_ends_before_the_update() {
    let Some(wgpu) = software() else { return };
    let (cpu, _) = training::device::open("cpu").unwrap();
    let (settings, data) = inputs(&json!({"kfac": {"damping": 0.1}}));
    let mut settings = serde_json::to_value(settings).unwrap();
    settings["model"] = json!({"mlp": {"hidden": [8]}});
    let settings: Settings = serde_json::from_value(settings).unwrap();
    let course = Course::new(&settings, data.train.len()).unwrap();
    let [a, b] = [&cpu, &wgpu].map(|device| {
        let training = || Training::new(&settings, &course, &data, device).unwrap();
        let mut weights = training().state_dict();
        // Hidden units whose squares are no numbers, and logits that are what they were.
        for (at, scale) in [(0, 1e25), (2, 1e-25)] {
            weights[at].values.iter_mut().for_each(|it| *it *= scale);
        }
        let mut training = training().with_initial_weights(&weights).unwrap();
        assert!(training.advance().unwrap().is_none());
        training.into_run()
    });
    assert_eq!(a.outcome, Outcome::Diverged { step: 0 });
    assert_eq!(b.outcome, a.outcome);
    let losses = [&a, &b].map(|run| run.curve.updates.len());
    assert_eq!(losses, [0, 0]);
}

#[test]
fn no_software_adapter_is_taken_for_a_gpu() {
    let Some(software) = software() else { return };
    for request in ["auto", "wgpu"] {
        match training::device::open(request) {
            Ok((device, _)) => assert_ne!(device, software, "{request}"),
            Err(error) => assert!(
                error.to_string().contains("`wgpu-software` asks for that"),
                "{error}"
            ),
        }
    }
}
