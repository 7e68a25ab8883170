//! Real files against other programs' readings of them (`fixtures/twin.py`).
//!
//! They are found beside the repository, in `../shared` or where `PIPELINE_SHARED` says. Without them a test says so and
//! ends, but where `CI` is set it fails.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datasets::{Data, DatasetSettings, Files, Part, Source, prepare};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

#[derive(Deserialize)]
struct Twin {
    train: TwinPart,
    test: TwinPart,
    mean: Vec<f64>,
    std: Vec<f64>,
}

#[derive(Deserialize)]
struct TwinPart {
    shape: [usize; 4],
    pixels: String,
    labels: String,
}

fn twin(source: &str) -> Twin {
    let text = include_str!("fixtures/twin.json");
    let mut twins: serde_json::Value = serde_json::from_str(text).unwrap();
    serde_json::from_value(twins[source].take()).unwrap()
}

/// A file or folder of the shared data; none, said aloud, where there is none.
fn shared(path: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = std::env::var_os("PIPELINE_SHARED").map_or(beside, PathBuf::from);
    let path = folder.join(path);
    if path.exists() {
        return Some(path);
    }
    let missing = format!(
        "there is no {}; PIPELINE_SHARED says where the data is",
        path.display()
    );
    assert!(std::env::var_os("CI").is_none(), "{missing}");
    eprintln!("skipped: {missing}");
    None
}

fn files(folder: &Path, names: &[&str]) -> Files {
    let read = |name: &&str| {
        (
            (*name).to_owned(),
            Arc::new(fs::read(folder.join(name)).unwrap()),
        )
    };
    names.iter().map(read).collect()
}

fn settings(source: Source, counts: [usize; 3]) -> DatasetSettings {
    let [train, validation, test] = counts;
    DatasetSettings {
        source,
        train,
        validation,
        test,
        split_seed: 0,
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

/// All of a source, in its order, against what another program read.
fn agrees(source: Source, name: &str, files: &Files) {
    let twin = twin(name);
    let counts = [twin.train.shape[0], 0, twin.test.shape[0]];
    let bytes = prepare(&settings(source, counts), files).unwrap();
    let data = Data::from_bytes(&bytes).unwrap();
    for (part, twin) in [(&data.train, &twin.train), (&data.test, &twin.test)] {
        let shape = [part.len(), data.channels, data.height, data.width];
        assert_eq!(shape, twin.shape);
        assert_eq!(hex(&part.pixels), twin.pixels);
        assert_eq!(hex(&part.labels), twin.labels);
    }
    assert!(data.validation.is_empty());
    // Mean and deviation, from what the bytes of a channel become.
    for channel in 0..data.channels {
        let values = data.train.normalisation.of_channel(channel);
        let (mean, std) = (twin.mean[channel], twin.std[channel]);
        for byte in [0_u8, 100, 255] {
            let expected = (f64::from(byte) / 255.0 - mean) / std;
            let value = f64::from(values[usize::from(byte)]);
            assert!(
                (value - expected).abs() < 1e-5,
                "{name} {channel}: {value}, twin {expected}"
            );
        }
    }
}

#[test]
fn cifar_10_s_archive_is_read_as_numpy_reads_it() {
    if let Some(folder) = shared("data") {
        let files = files(&folder, &["cifar-10-binary.tar.gz"]);
        agrees(Source::Cifar10, "cifar10", &files);
    }
}

#[test]
fn pickles_that_numpy_wrote_are_read_as_the_binary_version() {
    let pixel = |k: usize, i: usize| ((7 * i + k) % 251) as u8;
    let record = |label: u8, k| std::iter::once(label).chain((0..3072).map(move |i| pixel(k, i)));
    let binary: Vec<u8> = record(3, 0).chain(record(8, 1)).collect();
    let files = |ending: &str, bytes: &[u8]| -> Files {
        let batches = (1..=5).map(|batch| format!("data_batch_{batch}"));
        let names = batches.chain(["test_batch".to_owned()]);
        names
            .map(|name| (name + ending, Arc::new(bytes.to_vec())))
            .collect()
    };
    let prepared = |files: &Files| prepare(&settings(Source::Cifar10, [6, 4, 2]), files).unwrap();
    let expected = prepared(&files(".bin", &binary));
    for pickled in [
        &include_bytes!("fixtures/cifar10_python.p4.gz")[..],
        &include_bytes!("fixtures/cifar10_python.p5.gz")[..],
    ] {
        assert_eq!(prepared(&files("", pickled)), expected);
    }
}

#[test]
fn svhn_s_files_are_read_as_scipy_reads_them() {
    if let Some(folder) = shared("fixtures/svhn-format") {
        let files = files(&folder, &["train_32x32.mat", "test_32x32.mat"]);
        agrees(Source::Svhn, "svhn", &files);
    }
}

#[test]
fn extra_images_are_more_to_train_on() {
    let Some(folder) = shared("fixtures/svhn-format") else {
        return;
    };
    let mut files = files(&folder, &["train_32x32.mat", "test_32x32.mat"]);
    let extra = Arc::clone(&files["test_32x32.mat"]);
    files.insert("extra_32x32.mat".to_owned(), extra);
    let twin = twin("svhn");
    let (train, test) = (twin.train.shape[0], twin.test.shape[0]);
    let data = |counts| {
        Data::from_bytes(&prepare(&settings(Source::Svhn, counts), &files).unwrap()).unwrap()
    };
    let all = data([train + test, 0, test]);
    let size = 3 * 32 * 32;
    assert_eq!(hex(&all.train.pixels[..train * size]), twin.train.pixels);
    assert_eq!(hex(&all.train.pixels[train * size..]), twin.test.pixels);
}

fn count(part: &Part, class: u8) -> usize {
    let of_class = |label: &&u8| **label == class;
    part.labels.iter().filter(of_class).count()
}

#[test]
fn a_subset_of_cifar_10_is_balanced_drawn_from_the_seed_and_apart_from_validation() {
    let Some(folder) = shared("data") else {
        return;
    };
    let files = files(&folder, &["cifar-10-binary.tar.gz"]);
    let data = |split_seed| {
        let settings = DatasetSettings {
            split_seed,
            ..settings(Source::Cifar10, [5000, 1000, 500])
        };
        Data::from_bytes(&prepare(&settings, &files).unwrap()).unwrap()
    };
    let (first, again, other) = (data(0), data(0), data(1));
    assert_eq!(first, again);
    assert_ne!(first.train.pixels, other.train.pixels);
    assert_ne!(first.test.pixels, other.test.pixels);
    for class in 0..10 {
        let counts = [&first.train, &first.validation, &first.test].map(|part| count(part, class));
        assert_eq!(counts, [500, 100, 50]);
    }
    let images = |part: &Part| -> std::collections::BTreeSet<Vec<u8>> {
        (0..part.len()).map(|i| part.image(i).to_vec()).collect()
    };
    let (train, validation) = (images(&first.train), images(&first.validation));
    assert!(train.is_disjoint(&validation));
    // All distinct in this subset of CIFAR-10, which its README says.
    assert_eq!(train.len() + validation.len(), 6000);
}

#[test]
fn more_images_than_there_are_is_an_error_that_counts_them() {
    let Some(folder) = shared("fixtures/svhn-format") else {
        return;
    };
    let files = files(&folder, &["train_32x32.mat", "test_32x32.mat"]);
    let problem = |counts| {
        prepare(&settings(Source::Svhn, counts), &files)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        problem([72_257, 1000, 26_032]),
        "training and validation images: 73257 images are asked for, and the source has 1200"
    );
    assert_eq!(
        problem([1000, 200, 301]),
        "test images: 301 images are asked for, and the source has 300"
    );
}
