//! Where images come from: one file a source, each from the bytes of its files to labelled images.
//!
//! Every reader is strict. What a file should have held is said by the error, with the file's name.

mod archive;
mod cifar10;
mod digits;
mod idx;
mod mat;
mod pickle;
mod svhn;
mod unfit;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Error;
pub use pickle::Unread;
pub use unfit::Unfit;

/// A source's files: contents by the names that their makers gave them.
pub type Files = BTreeMap<String, Arc<Vec<u8>>>;

/// Classes of every source.
const CLASSES: u8 = 10;

/// Where images come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The 1,797 handwritten digits of 8x8 pixels that this crate holds. No files.
    Digits,
    /// CIFAR-10: `cifar-10-binary.tar.gz` or `cifar-10-python.tar.gz`, or what they hold, `data_batch_1.bin` to
    /// `data_batch_5.bin` and `test_batch.bin`, or the same without `.bin`.
    Cifar10,
    /// SVHN, cropped digits: `train_32x32.mat`, `test_32x32.mat`; with `extra_32x32.mat` there are more to train on.
    Svhn,
    /// MNIST: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, and the same for `t10k`, gzip-compressed or not.
    Mnist,
    /// Fashion-MNIST, in MNIST's files.
    FashionMnist,
}

/// All that a source has.
pub(crate) struct Pools {
    /// What training and validation images are taken from, and test images where the source has none.
    pub(crate) train: Images,
    /// The source's own test images.
    pub(crate) test: Option<Images>,
}

/// Labelled images as a source gives them.
#[derive(Debug, PartialEq)]
pub(crate) struct Images {
    /// `[n, channels, height, width]`, values 0 to `white`.
    pub(crate) pixels: Vec<u8>,
    /// `[n]`.
    pub(crate) labels: Vec<u8>,
    pub(crate) channels: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// The value that means 1.0.
    pub(crate) white: f32,
}

impl Source {
    pub(crate) fn read(self, files: &Files) -> Result<Pools, Error> {
        match self {
            Self::Digits => Ok(Pools {
                train: digits::images(),
                test: None,
            }),
            Self::Cifar10 => cifar10::read(files),
            Self::Svhn => svhn::read(files),
            Self::Mnist | Self::FashionMnist => idx::read(files),
        }
    }
}

/// A file that must be there.
fn file<'a>(files: &'a Files, name: &str) -> Result<&'a [u8], Error> {
    let file = files.get(name).ok_or_else(|| Error::NoFile {
        file: name.to_owned(),
    })?;
    Ok(file)
}
