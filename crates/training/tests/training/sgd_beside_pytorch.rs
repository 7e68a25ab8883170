//! SGD on real CIFAR-10 images, step by step beside PyTorch: `ResNet20`, the same initial weights, the same batches.
//! What PyTorch gave: `pytorch/sgd_fixture.py`.
//!
//! The images are not part of this repository: `cifar-10-binary.tar.gz` is looked for in `data` of the folder that
//! `PIPELINE_SHARED` names, else of `shared` beside the repository. Where it is missing the comparison is left out,
//! and says so, unless `CI=true`.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::Device;
use datasets::random::{Purpose, Stream};
use datasets::{Data, Normalisation, Part};
use safetensors::SafeTensors;
use serde_json::{Value, json};
use training::models::{Network, Weight};
use training::{Course, Run, Settings, Training};

use crate::formula;

const EXAMPLES: usize = 1280;
const BATCH: usize = 64;
const BATCHES: &str = include_str!("../pytorch/sgd_batches.txt");

fn archive() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let shared = std::env::var_os("PIPELINE_SHARED").map_or_else(beside, PathBuf::from);
    let archive = shared.join("data/cifar-10-binary.tar.gz");
    if archive.is_file() {
        return Some(archive);
    }
    let required = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(!required, "{} is missing", archive.display());
    eprintln!("left out: {} is missing", archive.display());
    None
}

/// The first records of `data_batch_1.bin`, normalised as the fixture's script does.
fn examples(archive: &Path) -> Data {
    let gz = flate2::read::GzDecoder::new(File::open(archive).unwrap());
    let mut archive = tar::Archive::new(gz);
    let mut records = Vec::new();
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        if entry.path().unwrap().ends_with("data_batch_1.bin") {
            let length = (EXAMPLES * 3073) as u64;
            entry.take(length).read_to_end(&mut records).unwrap();
            break;
        }
    }
    let (records, rest) = records.as_chunks::<3073>();
    assert!(records.len() == EXAMPLES && rest.is_empty());
    let normalisation = Arc::new(Normalisation::new(
        &[0.49, 0.48, 0.45],
        &[0.25, 0.24, 0.26],
        255.0,
    ));
    let part = |records: &[[u8; 3073]]| Part {
        pixels: records
            .iter()
            .flat_map(|record| &record[1..])
            .copied()
            .collect(),
        labels: records.iter().map(|record| record[0]).collect(),
        normalisation: Arc::clone(&normalisation),
    };
    Data {
        channels: 3,
        height: 32,
        width: 32,
        classes: 10,
        train: part(records),
        validation: part(&[]),
        test: part(&[]),
    }
}

#[test]
fn the_batches_that_pytorch_was_given_are_those_of_a_run() {
    let order = Stream::new(0, Purpose::Order, 0).permutation(EXAMPLES);
    let mut text = String::new();
    for batch in order.chunks(BATCH) {
        let indices: Vec<String> = batch.iter().map(ToString::to_string).collect();
        writeln!(text, "{}", indices.join(" ")).unwrap();
    }
    if std::env::var_os("PIPELINE_BLESS").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pytorch/sgd_batches.txt");
        std::fs::write(path, text).unwrap();
    } else {
        assert!(text == BATCHES, "make the fixture again");
    }
}

/// A run from the formula's weights.
fn run(data: &Data, rate: f64, optimizer: &Value) -> Run {
    let settings: Settings = serde_json::from_value(json!({
        "model": "resnet20", "batch_size": BATCH, "learning_rate": rate,
        "budget": {"iterations": 20}, "optimizer": {"sgd": optimizer},
        // Next to no evaluations.
        "evaluation": {"spacing": 1000.0, "train_subset": 1, "statistics_examples": 64},
    }))
    .unwrap();
    let (device, _) = training::device::open("cpu").unwrap();
    let weights = initial(&settings, data, &device);
    let course = Course::new(&settings, data.train.len()).unwrap();
    let mut training = Training::new(&settings, &course, data, &device)
        .unwrap()
        .with_initial_weights(&weights)
        .unwrap();
    while training.advance().unwrap().is_some() {}
    training.into_run()
}

fn initial(settings: &Settings, data: &Data, device: &Device) -> Vec<Weight> {
    let network = Network::new(&settings.model, data, 0, device).unwrap();
    network.weights().iter().map(formula::weight).collect()
}

#[test]
fn the_first_twenty_losses_are_those_of_pytorch() {
    let Some(archive) = archive() else { return };
    let data = examples(&archive);
    let fixture = SafeTensors::deserialize(include_bytes!("../pytorch/sgd.safetensors")).unwrap();
    let losses = |name: &str| -> Vec<f64> {
        let tensor = fixture.tensor(name).unwrap();
        let numbers = tensor.data().as_chunks().0.iter();
        numbers.map(|x| f64::from_le_bytes(*x)).collect()
    };
    for (name, rate, optimizer) in [
        ("plain", 0.002, json!({"momentum": 0.0})),
        (
            "momentum",
            5e-4,
            json!({"momentum": 0.9, "weight_decay": 5e-4}),
        ),
    ] {
        let run = run(&data, rate, &optimizer);
        let theirs = losses(&format!("{name}.single"));
        let exact = losses(&format!("{name}.double"));
        assert_eq!(
            (run.curve.updates.loss.len(), theirs.len()),
            (20, 20),
            "{name}"
        );
        let mut worst = [0.0_f64; 3];
        for ((ours, theirs), exact) in run.curve.updates.loss.iter().zip(&theirs).zip(&exact) {
            let ours = f64::from(*ours);
            let from = |a: f64, b: f64| (a / b - 1.0).abs();
            for (worst, now) in worst.iter_mut().zip([
                from(ours, *theirs),
                from(ours, *exact),
                from(*theirs, *exact),
            ]) {
                assert!(
                    now < 1e-3,
                    "{name}: {ours}, PyTorch {theirs}, in double precision {exact}"
                );
                *worst = worst.max(now);
            }
        }
        let [theirs, exact, between] = worst;
        eprintln!(
            "{name}: at most {theirs:.1e} from PyTorch, {exact:.1e} from PyTorch in double precision, \
             which is {between:.1e} from PyTorch"
        );
    }
}
