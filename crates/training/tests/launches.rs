//! How many kernels an update launches on a GPU: what a step costs beside what it computes.
//!
//! Counted where launches are issued, so that a software adapter counts as a GPU does. Built with the feature `wgpu`
//! only; without an adapter (Debian: `mesa-vulkan-drivers`) the test is left out, and says so, unless `CI=true`. One test:
//! what the whole process launches is counted.
#![cfg(feature = "wgpu")]

use std::sync::Arc;

use datasets::{Data, Normalisation, Part};
use serde_json::{Value, json};
use training::device::trial::Trial;
use training::device::{self, Launches};
use training::{Course, Error, Settings, Training};

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
        validation: part(0),
        test: part(0),
    }
}

/// Launches of an update that is neither the first nor followed by an evaluation.
fn of_a_step(device: &burn::tensor::Device, model: &Value, optimizer: &Value) -> Launches {
    let settings: Settings = serde_json::from_value(json!({
        "model": model, "batch_size": 2, "learning_rate": 0.01, "seed": 3,
        "budget": {"iterations": 8}, "optimizer": optimizer, "evaluation": {"spacing": 100.0},
    }))
    .unwrap();
    let data = noise([3, 8, 8]);
    let course = Course::new(&settings, data.train.len()).unwrap();
    let mut training = Training::new(&settings, &course, &data, device).unwrap();
    for _ in 0..3 {
        training.advance().unwrap().expect("the run goes on");
    }
    let (progress, launches) = device::launches(|| training.advance().unwrap());
    assert_eq!(progress.expect("the run goes on").step, 4);
    launches
}

#[test]
fn an_update_launches_no_more_kernels_than_it_needs_and_trials_count_them() {
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
    let resnet = of_a_step(&device, &json!("resnet20"), &json!({"sgd": {}}));
    eprintln!("ResNet20, SGD:\n{resnet}");
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
    let each = of_a_step(&device, &cnn, &kfac(&[("inverse_every", json!(1))]));
    let rarely = of_a_step(&device, &cnn, &kfac(&[("inverse_every", json!(100))]));
    eprintln!("CNN, K-FAC:\n{each}");
    assert_eq!(each, rarely);
    let factored = [
        ("damping_method", json!("factored")),
        ("inverse_every", json!(100)),
    ];
    let seldom = [factored.as_slice(), &[("factor_every", json!(100))]].concat();
    let burn_in = [("burn_in", json!({"batches": 9}))];
    let [factored, seldom, burn_in] = [factored.as_slice(), &seldom, &burn_in]
        .map(|more| of_a_step(&device, &json!("resnet20"), &kfac(more)));
    eprintln!("ResNet20, K-FAC, factored, factors at every step:\n{factored}");
    assert_eq!((resnet.total(), each.total()), (222, 70));
    assert_eq!(
        (factored.total(), burn_in.total(), seldom.total()),
        (421, 418, 225)
    );

    // What `pipeline doctor --device` shows, of the trials that need no optimised build.
    let quick = |trial: &Trial| ["MLP, SGD", "CNN, SGD"].contains(&trial.name);
    let trials: Vec<Trial> = Trial::all().into_iter().filter(quick).collect();
    let compared = trials.iter().map(|trial| {
        let compared = trial.run(&device, 2).unwrap();
        eprintln!("{}: {compared:?}", trial.name);
        assert!(compared.apart <= trial.tolerance, "{}", trial.name);
        compared.launches.expect("launches were counted")
    });
    assert_eq!(compared.collect::<Vec<_>>(), [21, 33]);
}
