//! What a step costs on a GPU beside what it computes: launches of kernels, waits of the host, bytes to the device.
//!
//! Counted where they are issued, so that a software adapter counts as a GPU does. Waits are counted twice: where the
//! program reads, and by what wgpu says that it maps for reading, which misses nobody's. Built with the feature `wgpu`
//! only; without an adapter (Debian: `mesa-vulkan-drivers`) the test is left out, and says so, unless `CI=true`. One test:
//! what the whole process does is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use burn_conv_kernels::transfer::{Transfers, transfers};
use datasets::{Data, Normalisation, Part};
use serde_json::{Value, json};
use training::device::trial::Trial;
use training::device::{self, Launches};
use training::{Course, Error, LOSSES_KEPT, Settings, Training};

/// Images of noise, as many as a few batches take.
fn noise([channels, height, width]: [usize; 3]) -> Data {
    let moments = vec![0.5; channels];
    let normalisation = Arc::new(Normalisation::new(&moments, &moments, 255.0));
    let part = |examples: usize| Part {
        pixels: (0..examples * channels * height * width)
            .map(|at| ((at * 2_654_435_761) >> 7) as u8)
            .collect(),
        labels: (0..examples).map(|at| (at % 10) as u8).collect(),
        normalisation: Arc::clone(&normalisation),
    };
    Data {
        channels,
        height,
        width,
        classes: 10,
        train: part(16),
        validation: part(4),
        test: part(6),
    }
}

/// Counts the buffers that wgpu maps for the host to read.
struct Mapped;

static MAPPED: AtomicU64 = AtomicU64::new(0);

impl log::Log for Mapped {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with("wgpu_core")
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let said = record.args().to_string();
            if said.starts_with("Buffer::map_async") && said.contains("Read") {
                MAPPED.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn flush(&self) {}
}

fn settings(model: &Value, optimizer: &Value, more: &Value) -> Settings {
    let mut settings = json!({
        "model": model, "batch_size": 2, "learning_rate": 0.01, "seed": 3,
        "budget": {"iterations": 100}, "optimizer": optimizer, "evaluation": {"spacing": 1000.0},
        "augment": {"pad_crop": 1, "flip": true},
    });
    let more = more.as_object().unwrap().clone();
    settings.as_object_mut().unwrap().extend(more);
    serde_json::from_value(settings).unwrap()
}

/// What an update costs that is neither the first nor followed by a read of losses.
fn of_a_step(
    device: &burn::tensor::Device,
    model: &Value,
    optimizer: &Value,
) -> (Launches, Transfers) {
    let settings = settings(model, optimizer, &json!({}));
    let data = noise([3, 8, 8]);
    let course = Course::new(&settings, data.train.len()).unwrap();
    let mut training = Training::new(&settings, &course, &data, device).unwrap();
    for _ in 0..3 {
        training.advance().unwrap().expect("the run goes on");
    }
    let ((progress, launches), transfers) =
        transfers(|| device::launches(|| training.advance().unwrap()));
    assert_eq!(progress.expect("the run goes on").step, 4);
    (launches, transfers)
}

/// What as many updates move as losses are kept, and the buffers that are mapped meanwhile.
fn of_many_steps(device: &burn::tensor::Device, optimizer: &Value) -> (Transfers, u64) {
    let settings = settings(&json!({"cnn": {"channels": [4, 8]}}), optimizer, &json!({}));
    let data = noise([3, 8, 8]);
    let course = Course::new(&settings, data.train.len()).unwrap();
    let mut training = Training::new(&settings, &course, &data, device).unwrap();
    for step in 1..=3 {
        let progress = training.advance().unwrap().expect("the run goes on");
        // After the first step there is an evaluation, before which losses are read.
        assert_eq!((progress.step, progress.loss.is_some()), (step, step > 1));
    }
    let before = MAPPED.load(Ordering::Relaxed);
    let ((), transfers) = transfers(|| {
        for _ in 0..LOSSES_KEPT {
            training.advance().unwrap().expect("the run goes on");
        }
    });
    (transfers, MAPPED.load(Ordering::Relaxed) - before)
}

/// What it moves to measure the network and the gradient noise at a step, and to make the update that follows.
fn of_an_evaluation(device: &burn::tensor::Device) -> Transfers {
    let measuring = json!({
        "evaluation": {"spacing": 1000.0, "iterations": [5]}, "noise_scale": {"small": 2, "batches": 4},
    });
    let settings = settings(
        &json!({"cnn": {"channels": [4, 8]}}),
        &json!({"sgd": {}}),
        &measuring,
    );
    let data = noise([3, 8, 8]);
    let course = Course::new(&settings, data.train.len()).unwrap();
    let mut training = Training::new(&settings, &course, &data, device).unwrap();
    for _ in 0..5 {
        training.advance().unwrap().expect("the run goes on");
    }
    let (progress, transfers) = transfers(|| training.advance().unwrap());
    assert_eq!(progress.expect("the run goes on").step, 6);
    transfers
}

#[test]
fn an_update_launches_waits_and_sends_no_more_than_it_needs_and_trials_count_it() {
    let device = match device::open("wgpu-software") {
        Ok((device, _)) => device,
        Err(error @ Error::Device { .. }) => {
            let required = std::env::var("CI").is_ok_and(|ci| ci == "true");
            assert!(!required, "{error}");
            eprintln!("left out: {error}");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    log::set_logger(&Mapped).expect("nobody else listens");
    log::set_max_level(log::LevelFilter::Trace);

    let (resnet, moved) = of_a_step(&device, &json!("resnet20"), &json!({"sgd": {}}));
    eprintln!("ResNet20, SGD: {moved:?}\n{resnet}");
    // Decompositions without optimisation take long: small layers, or large factors inverted once and not by their
    // eigenvectors, which takes two launches less. Whether inverses are due makes none.
    let kfac = |more: &[(&str, Value)]| {
        let mut kfac = json!({"damping": 0.1});
        let more = more
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        kfac.as_object_mut().expect("settings").extend(more);
        json!({"kfac": kfac})
    };
    let cnn = json!({"cnn": {"channels": [4, 8]}});
    let (each, with_kfac) = of_a_step(&device, &cnn, &kfac(&[("inverse_every", json!(1))]));
    let (rarely, without_inverses) =
        of_a_step(&device, &cnn, &kfac(&[("inverse_every", json!(100))]));
    eprintln!("CNN, K-FAC: {with_kfac:?}, {without_inverses:?}\n{each}");
    assert_eq!(each, rarely);
    let factored = [
        ("damping_method", json!("factored")),
        ("inverse_every", json!(100)),
    ];
    let seldom = [factored.as_slice(), &[("factor_every", json!(100))]].concat();
    let burn_in = [("burn_in", json!({"batches": 9}))];
    let [factored, seldom, burn_in] = [factored.as_slice(), &seldom, &burn_in]
        .map(|more| of_a_step(&device, &json!("resnet20"), &kfac(more)).0);
    eprintln!("ResNet20, K-FAC, factored, factors at every step:\n{factored}");
    // The gradients of 19 weights take another launch each where they are summed over more positions.
    assert_eq!((resnet.total(), each.total()), (178, 51));
    assert_eq!(
        (factored.total(), burn_in.total(), seldom.total()),
        (368, 365, 181)
    );
    // Index, offsets and flip of each example; for K-FAC also what its label is drawn by.
    let up = |bytes: u64| Transfers {
        up: bytes,
        ..Transfers::default()
    };
    assert_eq!(moved, up(2 * 12));
    // What its label is drawn by is one number more. Inverses: one reading, and one upload.
    assert_eq!(without_inverses, up(2 * (12 + 4)));
    assert_eq!(with_kfac.waits, 1);

    for rule in ["sgd", "adamw", "lamb", "lion", "muon"] {
        let (moved, mapped) = of_many_steps(&device, &json!({rule: {}}));
        eprintln!("{rule}: {moved:?}, {mapped} mapped");
        assert_eq!((moved.waits, mapped), (1, 1), "{rule}");
        assert_eq!(moved.up, LOSSES_KEPT as u64 * 2 * 12, "{rule}");
        assert_eq!(moved.down, LOSSES_KEPT as u64 * 4, "{rule}");
    }

    // Losses; scores and whether the network is finite; gradients of small batches.
    let moved = of_an_evaluation(&device);
    eprintln!("an evaluation: {moved:?}");
    assert_eq!(moved.waits, 3);
    // Examples of three parts, those that statistics are taken over, the noise's, and a batch.
    assert_eq!(moved.up, (16 + 4 + 6 + 16 + 8 + 2) * 12);

    // What `pipeline doctor --device` shows, of the trials that need no optimised build.
    let quick = |trial: &Trial| ["MLP, SGD", "CNN, SGD", "CNN, AdamW"].contains(&trial.name);
    let trials: Vec<Trial> = Trial::all().into_iter().filter(quick).collect();
    let compared = trials.iter().map(|trial| {
        let compared = trial.run(&device, 2).unwrap();
        eprintln!("{}: {compared:?}", trial.name);
        assert!(compared.apart <= compared.allowed, "{}", trial.name);
        assert_eq!(compared.transfers, up(2 * 12), "{}", trial.name);
        compared.launches.expect("launches were counted")
    });
    assert_eq!(compared.collect::<Vec<_>>(), [15, 25, 135]);
}
