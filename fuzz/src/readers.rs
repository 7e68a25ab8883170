//! Bytes as files of data sets. Each function is a fuzz target, and the tests of `datasets` replay its corpus: whatever
//! the bytes are, what comes back is a data set or an error.

use std::sync::Arc;

use datasets::{Data, DatasetSettings, Files, Source, prepare};

fn read(source: Source, files: &Files) {
    let settings = DatasetSettings {
        source,
        train: 2,
        validation: 1,
        test: 1,
        split_seed: 0,
    };
    if let Ok(bytes) = prepare(&settings, files) {
        Data::from_bytes(&bytes).expect("what was prepared can be read");
    }
}

fn files<'a>(named: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Files {
    let owned = |(name, bytes): (&str, &[u8])| (name.to_owned(), Arc::new(bytes.to_vec()));
    named.into_iter().map(owned).collect()
}

/// Images and labels, one after the other; the first two bytes say how many are of the images.
pub(crate) fn idx(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first_chunk() else {
        return;
    };
    let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
    let (images, labels) = rest.split_at(length);
    let files = files([
        ("train-images-idx3-ubyte", images),
        ("train-labels-idx1-ubyte", labels),
        ("t10k-images-idx3-ubyte", images),
        ("t10k-labels-idx1-ubyte", labels),
    ]);
    read(Source::Mnist, &files);
}

/// A MATLAB file.
pub(crate) fn mat(bytes: &[u8]) {
    let files = files([("train_32x32.mat", bytes), ("test_32x32.mat", bytes)]);
    read(Source::Svhn, &files);
}

/// A batch, binary or pickled.
pub(crate) fn cifar(bytes: &[u8]) {
    let names = [
        "data_batch_1",
        "data_batch_2",
        "data_batch_3",
        "data_batch_4",
        "data_batch_5",
    ];
    let named = names.into_iter().chain(["test_batch"]);
    read(Source::Cifar10, &files(named.map(|name| (name, bytes))));
}

/// An archive. Checksums of members are made right, or nothing but the checksum would be tried.
pub(crate) fn tar(bytes: &[u8]) {
    let mut bytes = bytes.to_vec();
    for block in bytes.as_chunks_mut::<512>().0 {
        if block[257..].starts_with(b"ustar") {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
    read(
        Source::Cifar10,
        &files([("cifar-10-binary.tar.gz", &bytes[..])]),
    );
}

/// The output of a `dataset` stage.
pub(crate) fn dataset(bytes: &[u8]) {
    if let Ok(data) = Data::from_bytes(bytes) {
        assert!(!data.train.is_empty());
        data.train.normalised(0..1);
    }
}
