//! What a run measures beside loss and accuracy: gradient noise, and the spectrum of K-FAC's curvature.

use std::num::NonZeroUsize;
use std::sync::LazyLock;

use burn::tensor::{Tensor, TensorData};
use burn_kfac::Tape;
use datasets::{Data, Files, prepare};
use runs::GradientNoise;
use runs::settings::{Model, NoiseScale};
use serde_json::{Value, json};
use training::models::{Network, Pass, Weight};
use training::{Run, Settings, train};

/// 200 digits.
static DIGITS: LazyLock<Data> = LazyLock::new(|| {
    let split = serde_json::from_value(json!({"source": "digits", "train": 200})).unwrap();
    Data::from_bytes(&prepare(&split, &Files::new()).unwrap()).unwrap()
});
const INPUTS: usize = 64;
const CLASSES: usize = 10;

fn settings(changes: Value) -> Settings {
    let settings = json!({
        "model": {"mlp": {"hidden": []}}, "batch_size": 32, "learning_rate": 0.05,
        "budget": {"iterations": 8}, "optimizer": {"sgd": {}}, "evaluation": {"spacing": 2.0},
    });
    crate::changed(settings, changes)
}

fn run(changes: Value) -> Run {
    let (device, _) = training::device::open("cpu").unwrap();
    train(&settings(changes), &DIGITS, &device, &mut |_| ()).unwrap()
}

/// Gradient of each example at weights `[classes, inputs]` and biases `[classes]` of a linear layer.
fn gradients(weights: &[Weight]) -> Vec<Vec<f64>> {
    let [weight, bias] = weights else {
        panic!("one layer")
    };
    let images = DIGITS.train.normalised(0..DIGITS.train.len());
    let of = |(x, label): (&[f32], &u8)| {
        let x: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
        let logits: Vec<f64> = (0..CLASSES)
            .map(|class| {
                let row = &weight.values[class * INPUTS..(class + 1) * INPUTS];
                let product = row.iter().zip(&x).map(|(w, x)| f64::from(*w) * x);
                product.sum::<f64>() + f64::from(bias.values[class])
            })
            .collect();
        let sum: f64 = logits.iter().map(|logit| logit.exp()).sum();
        (0..CLASSES)
            .flat_map(|class| {
                let is = f64::from(u8::from(class == usize::from(*label)));
                let d = logits[class].exp() / sum - is;
                x.iter()
                    .chain(&[1.0])
                    .map(move |x| d * x)
                    .collect::<Vec<_>>()
            })
            .collect()
    };
    images
        .chunks(INPUTS)
        .zip(&DIGITS.train.labels)
        .map(of)
        .collect()
}

#[test]
fn the_mean_of_many_estimates_of_the_noise_is_that_of_all_examples() {
    // The weights stay what they are to six digits, so every evaluation is another sample at the same place.
    let steps: Vec<u64> = (0..400).collect();
    let run = run(json!({
        "learning_rate": 1e-9, "budget": {"iterations": 400},
        "evaluation": {"iterations": steps, "train_subset": 1},
        "noise_scale": {"small": 5, "batches": 8},
    }));
    let (device, _) = training::device::open("cpu").unwrap();
    let network = Network::new(&run.settings.model, &DIGITS, 0, &device).unwrap();
    let gradients = gradients(&network.weights());
    let n = gradients.len() as f64;
    let parameters = gradients[0].len();
    let mean: Vec<f64> = (0..parameters)
        .map(|i| gradients.iter().map(|g| g[i]).sum::<f64>() / n)
        .collect();
    let squares = gradients.iter().flat_map(|g| g.iter().zip(&mean));
    let trace = squares.map(|(g, mean)| (g - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let gradient = mean.iter().map(|x| x * x).sum::<f64>() - trace / n;

    let of = |value: fn(&GradientNoise) -> f64| -> (f64, f64) {
        let values: Vec<f64> = run.curve.noise.iter().map(value).collect();
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, (variance / count).sqrt())
    };
    for (what, exact, (mean, error)) in [
        ("trace", trace, of(|at| at.trace)),
        ("gradient", gradient, of(|at| at.gradient)),
    ] {
        assert!(
            (mean - exact).abs() < 4.0 * error && error < 0.05 * exact,
            "{what}: {mean} +- {error}, exactly {exact}"
        );
    }
}

#[test]
fn measuring_changes_no_step_and_survives_the_bytes_of_a_run() {
    for model in [
        json!({"mlp": {"hidden": [12]}}),
        json!({"cnn": {"channels": [4]}}),
    ] {
        let base = json!({"model": model, "optimizer": {"kfac": {"damping": 0.1}}, "augment": {"pad_crop": 1}});
        let mut measured = base.clone();
        measured["noise_scale"] = json!({"small": 8, "batches": 8});
        let (plain, measured) = (run(base), run(measured));
        assert_eq!(plain.curve.updates.loss, measured.curve.updates.loss);
        assert_eq!(plain.curve.evaluations, measured.curve.evaluations);
        assert_eq!(plain.curve.curvature, measured.curve.curvature);
        assert!(plain.curve.noise.is_empty());
        assert_eq!(measured.curve.noise.len(), measured.curve.evaluations.len());
        let bytes = measured.to_bytes();
        assert_eq!(Run::from_bytes(&bytes).unwrap(), measured);
        let text = String::from_utf8_lossy(&bytes);
        for name in [
            "noise.step",
            "noise.trace",
            "noise.gradient",
            "curvature.largest",
        ] {
            assert!(text.contains(&format!("\"{name}\"")), "{name}");
        }
    }
}

#[test]
fn curvature_is_that_of_kfac_from_its_first_update_on() {
    let kfac = run(json!({"optimizer": {"kfac": {"damping": 0.1}}}));
    let steps = |run: &Run| -> Vec<u64> { run.curve.curvature.iter().map(|at| at.step).collect() };
    let evaluated = kfac.curve.evaluations.iter().map(|row| row.step);
    assert_eq!(steps(&kfac), evaluated.skip(1).collect::<Vec<_>>());
    for at in &kfac.curve.curvature {
        assert!(at.largest > at.median && at.median >= 0.0);
    }
    let sgd = run(json!({}));
    assert!(steps(&sgd).is_empty());
    assert!(!String::from_utf8_lossy(&sgd.to_bytes()).contains("curvature"));
}

#[test]
fn batch_sizes_of_the_noise_that_make_no_sense_are_errors() {
    let (device, _) = training::device::open("cpu").unwrap();
    for refused in [json!({"small": 0}), json!({"batches": 1})] {
        assert!(serde_json::from_value::<NoiseScale>(refused).is_err());
    }
    let settings = settings(json!({"noise_scale": {"small": 8, "batches": 26}}));
    let error = train(&settings, &DIGITS, &device, &mut |_| ()).unwrap_err();
    assert!(error.to_string().contains("more than the 200"), "{error}");
}

#[test]
fn ghost_batches_matter_to_batch_norm_alone() {
    let with = |model: &Value, ghost: Option<usize>| {
        let mut changes = json!({"model": model, "batch_norm": "running"});
        if let Some(ghost) = ghost {
            changes["ghost_batch"] = json!(ghost);
        }
        run(changes)
    };
    let (cnn, mlp) = (
        json!({"cnn": {"channels": [4]}}),
        json!({"mlp": {"hidden": [8]}}),
    );
    let whole = with(&cnn, None);
    assert_eq!(
        with(&cnn, Some(32)).curve.updates.loss,
        whole.curve.updates.loss
    );
    assert_ne!(
        with(&cnn, Some(8)).curve.updates.loss,
        whole.curve.updates.loss
    );
    assert_eq!(
        with(&mlp, Some(8)).curve.updates.loss,
        with(&mlp, None).curve.updates.loss
    );
    // The sums over many ghost batches come out alike each time.
    assert!(with(&cnn, Some(5)).to_bytes() == with(&cnn, Some(5)).to_bytes());
}

#[test]
fn a_ghost_batch_is_normalised_as_if_it_were_alone() {
    let (device, _) = training::device::open("cpu").unwrap();
    let cnn: Model = serde_json::from_value(json!({"cnn": {"channels": [3]}})).unwrap();
    let network = Network::new(&cnn, &DIGITS, 0, &device).unwrap();
    let images = |range: std::ops::Range<usize>| {
        let shape = [range.len(), INPUTS];
        let data = TensorData::new(DIGITS.train.normalised(range), shape);
        Tensor::<2>::from_data(data, &device.clone().autodiff())
    };
    let host = |tensor: Tensor<1>| -> Vec<f32> { tensor.into_data().try_into_vec().unwrap() };
    let forward = |range: std::ops::Range<usize>, ghost: Option<usize>| {
        let mut pass = Pass::training(Tape::off()).by_ghosts(ghost.and_then(NonZeroUsize::new));
        let logits = network.forward(images(range), &mut pass);
        let moments = pass.finish().1.remove(0);
        let logits: Vec<f32> = logits.inner().into_data().try_into_vec().unwrap();
        (logits, host(moments.mean), host(moments.variance))
    };
    let (logits, mean, variance) = forward(0..20, Some(8));
    let alone = [
        forward(0..8, None),
        forward(8..16, None),
        forward(16..20, None),
    ];
    let close = |ours: &[f32], theirs: &[f32]| {
        assert_eq!(ours.len(), theirs.len());
        for (a, b) in ours.iter().zip(theirs) {
            assert!((a - b).abs() < 1e-5 * (1.0 + b.abs()), "{a}, alone {b}");
        }
    };
    close(
        &logits,
        &alone.each_ref().map(|of| of.0.as_slice()).concat(),
    );
    let averaged = |of: [&[f32]; 3]| -> Vec<f32> {
        (0..3)
            .map(|channel| of.iter().map(|one| one[channel]).sum::<f32>() / 3.0)
            .collect()
    };
    close(&mean, &averaged(alone.each_ref().map(|of| of.1.as_slice())));
    close(
        &variance,
        &averaged(alone.each_ref().map(|of| of.2.as_slice())),
    );
}
