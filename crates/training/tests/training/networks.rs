//! The networks against their papers and against a twin in double precision on the host.

use std::sync::{Arc, LazyLock};

use burn::module::Module;
use datasets::random::{Purpose, Stream};
use datasets::{Data, Files, Normalisation, Part, prepare};
use runs::settings::Model;
use serde_json::json;
use training::models::{Network, Weight};
use training::{Settings, train};

static DIGITS: LazyLock<Data> = LazyLock::new(|| {
    let split = json!({"source": "digits", "train": 1280, "validation": 217, "test": 300});
    Data::from_bytes(&prepare(&serde_json::from_value(split).unwrap(), &Files::new()).unwrap())
        .unwrap()
});

/// Noise in the shape of CIFAR-10 images.
fn colour(examples: usize) -> Data {
    noise(examples, 32)
}

/// Colour images of `size` pixels squared, near normal with mean 0 and variance 1.
fn noise(examples: usize, size: usize) -> Data {
    let mut stream = Stream::new(0, Purpose::Split, 0);
    let normalisation = Arc::new(Normalisation::new(&[0.5; 3], &[0.25; 3], 255.0));
    let part = Part {
        pixels: (0..examples * 3 * size * size)
            .map(|_| (127.5 + 63.75 * stream.normal()) as u8)
            .collect(),
        labels: (0..examples).map(|i| (i % 10) as u8).collect(),
        normalisation: Arc::clone(&normalisation),
    };
    let empty = Part {
        pixels: Vec::new(),
        labels: Vec::new(),
        normalisation,
    };
    Data {
        channels: 3,
        height: size,
        width: size,
        classes: 10,
        train: part,
        validation: empty.clone(),
        test: empty,
    }
}

fn network(model: &Model, data: &Data, seed: u64) -> Network {
    let (device, _) = training::device::open("cpu").unwrap();
    Network::new(model, data, seed, &device).unwrap()
}

fn mlp(hidden: usize) -> Model {
    serde_json::from_value(json!({"mlp": {"hidden": [hidden]}})).unwrap()
}

#[test]
fn residual_networks_have_the_parameters_of_the_paper() {
    let data = colour(10);
    // He et al. 2016, table 6: 0.27 M and 0.46 M; counted by hand for option A.
    assert_eq!(network(&Model::ResNet20, &data, 0).num_params(), 269_722);
    assert_eq!(network(&Model::ResNet32, &data, 0).num_params(), 464_154);
}

#[test]
fn alexnet_has_the_parameters_of_the_paper() {
    // Zhang et al. 2017, table 1, for crops of 28x28.
    assert_eq!(
        network(&Model::AlexNet, &noise(10, 28), 0).num_params(),
        1_387_786
    );
    // 8x8 instead of 7x7 pixels reach the first fully connected layer.
    assert_eq!(
        network(&Model::AlexNet, &noise(10, 32), 0).num_params(),
        1_387_786 + (8 * 8 - 7 * 7) * 64 * 384
    );
}

/// Trains a model for two steps with either optimiser: its first loss is that of guessing within `margin`, its second
/// is lower.
fn starts_near_guessing(model: &str, data: &Data, margin: f64) {
    let (device, _) = training::device::open("cpu").unwrap();
    for optimizer in [json!({"sgd": {}}), json!({"kfac": {"damping": 0.1}})] {
        let settings: Settings = serde_json::from_value(json!({
            "model": model, "batch_size": 16, "learning_rate": 0.01,
            "budget": {"iterations": 2}, "optimizer": optimizer, "evaluation": {"spacing": 2.0},
        }))
        .unwrap();
        let run = train(&settings, data, &device, &mut |_| ()).unwrap();
        let (evaluations, loss) = (&run.curve.evaluations, &run.curve.updates.loss);
        let beside = evaluations[0].train_loss.unwrap() - 10_f64.ln();
        assert!(beside.abs() < margin, "{evaluations:?}");
        assert!(loss[1] < loss[0], "{loss:?}");
    }
}

#[test]
fn alexnet_starts_near_guessing_and_makes_a_step_with_either_optimiser() {
    // Logits of variance at most 1 add at most about a half.
    starts_near_guessing("alexnet", &noise(16, 8), 0.8);
}

#[test]
fn a_residual_network_starts_near_guessing_and_makes_a_step_with_either_optimiser() {
    // Each residual sum adds to the variance, so logits are wider than those of a plain network.
    starts_near_guessing("resnet20", &colour(16), 1.5);
}

#[test]
fn weights_have_pytorch_names_and_shapes_and_load_again() {
    let weights = network(&Model::ResNet20, &colour(10), 0).weights();
    let shape = |name: &str| {
        weights
            .iter()
            .find(|weight| weight.name == name)
            .unwrap_or_else(|| panic!("{name}"))
            .shape
            .clone()
    };
    assert_eq!(weights.len(), 1 + 18 + 2 * 19 + 2);
    assert_eq!(shape("conv1.weight"), [16, 3, 3, 3]);
    assert_eq!(shape("layer2.0.conv1.weight"), [32, 16, 3, 3]);
    assert_eq!(shape("layer3.2.bn2.bias"), [64]);
    assert_eq!(shape("fc.weight"), [10, 64]);

    let model = mlp(32);
    let (one, other) = (network(&model, &DIGITS, 1), network(&model, &DIGITS, 2));
    assert_ne!(one.weights(), other.weights());
    assert_eq!(
        other
            .clone()
            .with_weights(&one.weights())
            .unwrap()
            .weights(),
        one.weights()
    );
    assert!(other.clone().with_weights(&one.weights()[1..]).is_err());
    assert!(other.with_weights(&weights).is_err());
}

#[test]
fn initial_weights_have_the_variances_they_should() {
    let weights = network(&Model::ResNet20, &colour(10), 0).weights();
    for (name, expected) in [
        ("layer3.1.conv2.weight", 2.0 / (64.0 * 9.0)),
        ("layer1.0.conv1.weight", 2.0 / (16.0 * 9.0)),
        ("fc.weight", 1.0 / 64.0),
    ] {
        let values = &weights
            .iter()
            .find(|weight| weight.name == name)
            .unwrap()
            .values;
        let n = values.len() as f64;
        let variance = values.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / n;
        // Five standard errors of the variance of a normal sample.
        assert!(
            (variance / expected - 1.0).abs() < 5.0 * (2.0 / n).sqrt(),
            "{name}: {variance}"
        );
    }
}

/// A fully connected network of one hidden layer with momentum, in double precision.
struct Twin {
    weights: [Vec<f64>; 4],
    velocities: [Vec<f64>; 4],
}

const INPUTS: usize = 64;
const HIDDEN: usize = 12;
const CLASSES: usize = 10;

impl Twin {
    fn new(weights: &[Weight]) -> Self {
        let weights: Vec<Vec<f64>> = weights
            .iter()
            .map(|w| w.values.iter().map(|x| f64::from(*x)).collect())
            .collect();
        let weights: [Vec<f64>; 4] = weights.try_into().unwrap();
        Self {
            velocities: weights.each_ref().map(|w| vec![0.0; w.len()]),
            weights,
        }
    }

    /// One step; the loss before it.
    fn step(&mut self, images: &[f32], labels: &[u8], rate: f64, momentum: f64, decay: f64) -> f64 {
        let mut gradients = self.weights.each_ref().map(|w| vec![0.0; w.len()]);
        let batch = labels.len() as f64;
        let mut loss = 0.0;
        for (x, label) in images.chunks(INPUTS).zip(labels) {
            let [w1, b1, w2, b2] = &self.weights;
            let hidden: Vec<f64> = (0..HIDDEN)
                .map(|h| {
                    b1[h]
                        + (0..INPUTS)
                            .map(|i| w1[h * INPUTS + i] * f64::from(x[i]))
                            .sum::<f64>()
                })
                .collect();
            let logits: Vec<f64> = (0..CLASSES)
                .map(|c| {
                    b2[c]
                        + (0..HIDDEN)
                            .map(|h| w2[c * HIDDEN + h] * hidden[h].max(0.0))
                            .sum::<f64>()
                })
                .collect();
            let normaliser = logits.iter().map(|l| l.exp()).sum::<f64>().ln();
            loss += (normaliser - logits[usize::from(*label)]) / batch;
            for c in 0..CLASSES {
                let d = ((logits[c] - normaliser).exp()
                    - f64::from(u8::from(c == usize::from(*label))))
                    / batch;
                gradients[3][c] += d;
                for h in (0..HIDDEN).filter(|h| hidden[*h] > 0.0) {
                    gradients[2][c * HIDDEN + h] += d * hidden[h];
                    gradients[1][h] += d * w2[c * HIDDEN + h];
                    for i in 0..INPUTS {
                        gradients[0][h * INPUTS + i] += d * w2[c * HIDDEN + h] * f64::from(x[i]);
                    }
                }
            }
        }
        for ((weights, velocities), gradients) in self
            .weights
            .iter_mut()
            .zip(&mut self.velocities)
            .zip(&gradients)
        {
            for ((w, v), g) in weights.iter_mut().zip(velocities).zip(gradients) {
                *v = momentum * *v + (g + decay * *w);
                *w -= rate * *v;
            }
        }
        loss
    }
}

#[test]
fn sgd_follows_its_twin_in_double_precision() {
    let model = mlp(HIDDEN);
    let (device, _) = training::device::open("cpu").unwrap();
    let mut twin = Twin::new(&network(&model, &DIGITS, 7).weights());
    let settings: Settings = serde_json::from_value(json!({
        "model": {"mlp": {"hidden": [HIDDEN]}}, "batch_size": 32, "learning_rate": 0.1, "seed": 7,
        "budget": {"iterations": 30}, "optimizer": {"sgd": {"momentum": 0.8, "weight_decay": 0.01}},
        "schedule": {"step": {"factor": 0.5, "at": [0.5]}},
    }))
    .unwrap();
    let run = train(&settings, &DIGITS, &device, &mut |_| ()).unwrap();

    let order = Stream::new(7, Purpose::Order, 0).permutation(DIGITS.train.len());
    for (step, chosen) in order.chunks(32).take(30).enumerate() {
        let mut images = Vec::new();
        for i in chosen {
            DIGITS.train.extend_with(&mut images, *i as usize);
        }
        let labels: Vec<u8> = chosen
            .iter()
            .map(|i| DIGITS.train.labels[*i as usize])
            .collect();
        let rate = if step < 15 { 0.1 } else { 0.05 };
        let expected = twin.step(&images, &labels, rate, 0.8, 0.01);
        let loss = f64::from(run.curve.updates.loss[step]);
        assert!(
            (loss / expected - 1.0).abs() < 1e-4,
            "step {step}: {loss}, twin {expected}"
        );
    }
}

#[test]
fn the_largest_kronecker_factor_is_known_without_the_network() {
    for model in [
        json!({"mlp": {"hidden": [32]}}),
        json!({"mlp": {"hidden": [40, 500]}}),
        json!({"mlp": {"hidden": []}}),
        json!({"cnn": {"channels": [4]}}),
        json!({"cnn": {"channels": [100, 3, 2]}}),
        json!({"cnn": {"channels": [2, 3, 40]}}),
        json!("resnet20"),
        json!("alexnet"),
    ] {
        for data in [&*DIGITS, &noise(10, 20)] {
            let known: Model = serde_json::from_value(model.clone()).unwrap();
            if matches!(known, Model::ResNet20 | Model::AlexNet) && data.channels == 1 {
                continue;
            }
            let weights = network(&known, data, 0).weights();
            let has_bias = |weight: &Weight| {
                let bias = weight.name.replace(".weight", ".bias");
                weights.iter().any(|weight| weight.name == bias)
            };
            let matrices = weights.iter().filter(|weight| weight.shape.len() > 1);
            let sides = matrices.flat_map(|weight| {
                let inputs: usize = weight.shape[1..].iter().product();
                [inputs + usize::from(has_bias(weight)), weight.shape[0]]
            });
            let image = [data.channels, data.height, data.width].map(|size| size as u64);
            let largest = known.largest_factor(image, data.classes as u64);
            assert_eq!(largest, sides.max().unwrap() as u64, "{model} on {image:?}");
        }
    }
}
