//! The networks against PyTorch in double precision, on the same weights and images: outputs and gradients,
//! BatchNorm in training and in evaluation mode. What PyTorch gave: `pytorch/networks_fixture.py`.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, LazyLock};

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use burn_kfac::Tape;
use datasets::{Data, Normalisation, Part};
use safetensors::SafeTensors;
use serde_json::{Value, json};
use training::models::{Moments, Network, Pass, Weight, state_dict};

use crate::formula;

static FIXTURE: LazyLock<SafeTensors<'static>> = LazyLock::new(|| {
    let bytes = include_bytes!("../pytorch/networks.safetensors");
    SafeTensors::deserialize(bytes).unwrap()
});

fn expected(network: &str, what: &str) -> Vec<f64> {
    let tensor = FIXTURE.tensor(&format!("{network}.{what}")).unwrap();
    let numbers = tensor.data().as_chunks().0;
    numbers.iter().map(|x| f64::from_le_bytes(*x)).collect()
}

/// Name, JSON of the model, batch size, shape of an image.
fn cases() -> [(&'static str, Value, usize, [usize; 3]); 5] {
    [
        ("mlp", json!({"mlp": {"hidden": [20, 12]}}), 6, [1, 8, 8]),
        ("cnn", json!({"cnn": {"channels": [4, 6, 8]}}), 6, [2, 9, 7]),
        ("resnet20", json!("resnet20"), 4, [3, 32, 32]),
        ("resnet32", json!("resnet32"), 3, [3, 16, 16]),
        ("alexnet", json!("alexnet"), 3, [3, 32, 32]),
    ]
}

fn cpu() -> Device {
    training::device::open("cpu").unwrap().0
}

/// A data set of one blank image: networks only look at its shape.
fn blank([channels, height, width]: [usize; 3]) -> Data {
    let moments = vec![0.5; channels];
    let normalisation = Arc::new(Normalisation::new(&moments, &moments, 255.0));
    let part = |examples: usize| Part {
        pixels: vec![0; examples * channels * height * width],
        labels: vec![0; examples],
        normalisation: Arc::clone(&normalisation),
    };
    Data {
        channels,
        height,
        width,
        classes: 10,
        train: part(1),
        validation: part(0),
        test: part(0),
    }
}

/// The network with the formula's weights and statistics.
fn network(model: &Value, shape: [usize; 3]) -> (Network, Vec<Moments>) {
    let model = serde_json::from_value(model.clone()).unwrap();
    let network = Network::new(&model, &blank(shape), 0, &cpu()).unwrap();
    let sizes = network.weights();
    let blank: Vec<Moments> = network
        .batch_norms()
        .iter()
        .map(|layer| {
            let scale = format!("{layer}.weight");
            let scale = sizes.iter().find(|weight| weight.name == scale).unwrap();
            let zeros = Tensor::zeros([scale.shape[0]], &cpu());
            Moments {
                mean: zeros.clone(),
                variance: zeros,
            }
        })
        .collect();
    let state: Vec<Weight> = network
        .state_dict(&blank)
        .iter()
        .map(formula::weight)
        .collect();
    let (network, statistics) = network.with_state_dict(&state, &cpu()).unwrap();
    (network, statistics.unwrap_or_default())
}

/// Uniform with variance 1.
fn images(batch: usize, shape: [usize; 3], device: &Device) -> Tensor<2> {
    let size = shape.iter().product::<usize>();
    let values = formula::uniform(0, batch * size).into_iter();
    let values: Vec<f32> = values.map(|u| (u * 3_f64.sqrt()) as f32).collect();
    let data = TensorData::new(values, [batch, size]);
    Tensor::from_data(data, device)
}

fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    let values: Vec<f32> = tensor.into_data().try_into_vec().unwrap();
    values.into_iter().map(f64::from).collect()
}

/// The largest difference, over the root mean square of what is expected.
fn deviation(got: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(got.len(), expected.len());
    let squares: f64 = expected.iter().map(|x| x * x).sum();
    let scale = (squares / expected.len() as f64).sqrt();
    let differences = got.iter().zip(expected).map(|(a, b)| (a - b).abs() / scale);
    // Unlike f64::max, a sum does not pass over NaN.
    let all: f64 = got.iter().sum();
    assert!(all.is_finite());
    differences.fold(0.0, f64::max)
}

#[test]
fn logits_in_evaluation_mode_are_those_of_pytorch() {
    for (name, model, batch, shape) in cases() {
        let (network, statistics) = network(&model, shape);
        let x = images(batch, shape, &cpu());
        let logits = network
            .valid()
            .forward(x, &mut Pass::evaluation(&statistics));
        let deviation = deviation(&host(logits), &expected(name, "evaluation"));
        assert!(deviation < 2e-5, "{name}: {deviation}");
    }
}

/// Norm of each parameter's gradient and up to 16 of its entries, evenly spread, in PyTorch's layout.
struct Spread<'a> {
    gradients: &'a GradientsParams,
    is_linear: bool,
    norms: Vec<f64>,
    entries: Vec<f64>,
}

impl ModuleVisitor for Spread<'_> {
    fn enter_module(&mut self, _name: &str, container: &str) {
        self.is_linear = container.ends_with("Linear");
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = self.gradients.get::<D>(param.id).unwrap();
        // burn keeps a linear weight as [in, out].
        let gradient = if D == 2 && self.is_linear {
            gradient.swap_dims(0, 1)
        } else {
            gradient
        };
        let values = host(gradient);
        let squares: f64 = values.iter().map(|x| x * x).sum();
        self.norms.push(squares.sqrt());
        let n = values.len();
        let k = n.min(16);
        self.entries.extend((0..k).map(|i| values[i * n / k]));
    }
}

#[test]
fn loss_gradients_and_batch_statistics_in_training_mode_are_those_of_pytorch() {
    for (name, model, batch, shape) in cases() {
        let (network, _) = network(&model, shape);
        let device = cpu().autodiff();
        let mut pass = Pass::training(Tape::off());
        let logits = network.forward(images(batch, shape, &device), &mut pass);
        let labels: Vec<i64> = (0_i64..).take(batch).map(|i| i * 3 % 10).collect();
        let labels = Tensor::<2, Int>::from_data(TensorData::new(labels, [batch, 1]), &device);
        let loss = log_softmax(logits.clone(), 1)
            .gather(1, labels)
            .mean()
            .neg();
        let mut gradients = loss.backward();
        let gradients = GradientsParams::from_module(&mut gradients, &network);
        let mut spread = Spread {
            gradients: &gradients,
            is_linear: false,
            norms: Vec::new(),
            entries: Vec::new(),
        };
        network.visit(&mut spread);
        let check = |what: &str, got: &[f64], tolerance: f64| {
            let deviation = deviation(got, &expected(name, what));
            assert!(deviation < tolerance, "{name} {what}: {deviation}");
        };
        check("training", &host(logits.inner()), 2e-5);
        check("loss", &host(loss.inner()), 1e-5);
        check("norms", &spread.norms, 1e-4);
        check("gradients", &spread.entries, 1e-4);

        let (_, moments) = pass.finish();
        if moments.is_empty() {
            assert!(FIXTURE.tensor(&format!("{name}.means")).is_err());
            continue;
        }
        let all = |tensor: fn(&Moments) -> Tensor<1>| -> Vec<f64> {
            moments.iter().flat_map(|m| host(tensor(m))).collect()
        };
        check("means", &all(|m| m.mean.clone()), 1e-5);
        check("variances", &all(|m| m.variance.clone()), 1e-5);
    }
}

#[test]
fn a_state_dict_survives_its_file_and_is_refused_by_another_network() {
    let (resnet, statistics) = network(&json!("resnet20"), [3, 32, 32]);
    let state = resnet.state_dict(&statistics);
    let names: Vec<&str> = state.iter().map(|weight| weight.name.as_str()).collect();
    for name in [
        "conv1.weight",
        "layer2.0.bn1.running_mean",
        "layer3.2.bn2.running_var",
    ] {
        assert!(names.contains(&name), "{name}");
    }
    let bytes = state_dict::to_bytes(&state);
    let read = state_dict::from_bytes(&bytes).unwrap();
    assert_eq!(read.len(), state.len());
    let (other, _) = network(&json!("resnet20"), [3, 32, 32]);
    let (again, kept) = other.with_state_dict(&read, &cpu()).unwrap();
    assert_eq!(
        state_dict::to_bytes(&again.state_dict(&kept.unwrap())),
        bytes
    );
    assert!(state_dict::from_bytes(&bytes[..bytes.len() - 1]).is_err());

    let refused = |state: &[Weight]| {
        let (resnet, _) = network(&json!("resnet20"), [3, 32, 32]);
        let error = resnet.with_state_dict(state, &cpu()).unwrap_err();
        error.to_string()
    };
    let without = |name: &str| -> Vec<Weight> {
        let rest = state.iter().filter(|weight| weight.name != name);
        rest.cloned().collect()
    };
    let message = refused(&without("layer1.1.bn2.running_var"));
    assert!(
        message.contains("layer1.1.bn2.running_var is missing"),
        "{message}"
    );
    let message = refused(&without("fc.bias"));
    assert!(message.contains("fc.bias is missing"), "{message}");
    let mut more = state.clone();
    more.push(Weight {
        name: "bn2.running_mean".to_owned(),
        shape: vec![1],
        values: vec![0.0],
    });
    assert!(refused(&more).contains("39 running statistics given, 38 used"));
    let (alexnet, none) = network(&json!("alexnet"), [3, 32, 32]);
    let message = refused(&alexnet.state_dict(&none));
    assert!(
        message.contains("conv1.weight is [64, 3, 5, 5], not [16, 3, 3, 3]"),
        "{message}"
    );
}

/// The interpreter of `PIPELINE_PYTHON`, or `python3`, if it has torch and safetensors.
fn python() -> Option<String> {
    let named = std::env::var("PIPELINE_PYTHON").ok();
    let python = named.clone().unwrap_or_else(|| "python3".to_owned());
    let has_torch = Command::new(&python)
        .args(["-c", "import torch, safetensors"])
        .output()
        .is_ok_and(|output| output.status.success());
    assert!(
        has_torch || named.is_none(),
        "{python} lacks torch or safetensors"
    );
    has_torch.then_some(python)
}

#[test]
fn pytorch_loads_exported_weights_and_ours_load_its() {
    let Some(python) = python() else {
        eprintln!("no Python with torch and safetensors here; PIPELINE_PYTHON names one");
        return;
    };
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pytorch");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for (name, model, batch, shape) in cases() {
        let (ours, back, logits) = (
            folder.join(format!("{name}.safetensors")),
            folder.join(format!("{name}.back.safetensors")),
            folder.join(format!("{name}.logits.safetensors")),
        );
        let (network, statistics) = network(&model, shape);
        let state = network.state_dict(&statistics);
        std::fs::write(&ours, state_dict::to_bytes(&state)).unwrap();
        let output = Command::new(&python)
            .arg(scripts.join("load.py"))
            .arg(name)
            .args([&ours, &back, &logits])
            .args([batch].iter().chain(&shape).map(ToString::to_string))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {said}");

        let x = images(batch, shape, &cpu());
        let got = network
            .valid()
            .forward(x, &mut Pass::evaluation(&statistics));
        let bytes = std::fs::read(&logits).unwrap();
        let theirs = SafeTensors::deserialize(&bytes).unwrap();
        let theirs = theirs.tensor("logits").unwrap();
        let theirs = theirs.data().as_chunks().0.iter();
        let theirs: Vec<f64> = theirs.map(|x| f64::from(f32::from_le_bytes(*x))).collect();
        let deviation = deviation(&host(got), &theirs);
        assert!(deviation < 5e-5, "{name}: {deviation}");

        // What PyTorch saves, num_batches_tracked included, loads here and is the same.
        let saved = state_dict::from_bytes(&std::fs::read(&back).unwrap()).unwrap();
        let (again, kept) = network.with_state_dict(&saved, &cpu()).unwrap();
        let again = again.state_dict(&kept.unwrap_or_default());
        assert_eq!(state_dict::to_bytes(&again), state_dict::to_bytes(&state));
    }
}
