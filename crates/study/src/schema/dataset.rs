//! The `dataset` kind.

use std::collections::BTreeMap;

use runs::Spanned;
use runs::number::Count;
use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess};
use serde::{Deserialize, Serialize};

use super::Scalar;
use super::shape::{Shape, by_shape};

/// Images with labels: a source and how it is split. The parts are stratified by class and do not overlap.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dataset {
    /// Where the images come from.
    pub(crate) source: Spanned<Source>,
    /// The source's file, or the folder with its files; relative to the folder of the study file that says so.
    /// They need not be there to check or to plan a study. Default: none; `digits` has no files.
    pub(crate) path: Option<Spanned<String>>,
    /// Instead of `path`: where to download the file, or the folder that the files are in, `http://` or `https://`.
    /// They are fetched when they are needed, once, and kept in the cache. The address is not part of the key of
    /// any training run. Default: none.
    pub(crate) url: Option<Spanned<String>>,
    /// With `url`: SHA-256 of the file (64 hexadecimal digits), or of each file by its name. Required with `url`.
    pub(crate) sha256: Option<Spanned<Checksums>>,
    /// For `svhn`: whether to train on `extra_32x32.mat` too.
    #[serde(default)]
    pub(crate) extra: Spanned<bool>,
    /// Images to train on. Default: all images of the source, as it is distributed, that are not in the other parts.
    pub(crate) train: Option<Count>,
    /// Images to choose configurations by, taken from the training images.
    #[serde(default)]
    pub(crate) validation: u64,
    /// Test images: nothing is chosen by them. Default: all test images of the source; 0 for `digits`, which has none.
    pub(crate) test: Option<u64>,
    /// Seed of the split.
    #[serde(default)]
    pub(crate) split_seed: u64,
}

/// Where the images come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Source {
    /// 1,797 handwritten digits of 8x8 pixels (UCI), built in.
    Digits,
    /// CIFAR-10: `cifar-10-binary.tar.gz` or `cifar-10-python.tar.gz`, which hold the same images, or the folder of
    /// either; any number of images in each file.
    Cifar10,
    /// SVHN, cropped digits: a folder with `train_32x32.mat` and `test_32x32.mat`, and `extra_32x32.mat` if `extra` is
    /// set.
    Svhn,
    /// MNIST: a folder with `train-images-idx3-ubyte.gz`, `train-labels-idx1-ubyte.gz`, `t10k-images-idx3-ubyte.gz` and
    /// `t10k-labels-idx1-ubyte.gz`, or the same unpacked, without `.gz`; as `train-images.idx3-ubyte` and in `MNIST/raw` they
    /// are found, too.
    Mnist,
    /// Fashion-MNIST: a folder with files as MNIST's.
    FashionMnist,
}

/// SHA-256 of a file, or of files by their names.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum Checksums {
    /// Of the source's only file.
    Of(Sha256),
    /// Of each file, by its name.
    ByName(BTreeMap<String, Spanned<Sha256>>),
}

/// SHA-256, in 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sha256(String);

impl Sha256 {
    fn new(text: &str) -> Result<Self, String> {
        if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(format!(
                "{text:?} is not a SHA-256, which has 64 hexadecimal digits"
            ))
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Sha256 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

inline_schema!(Sha256, {
    "type": "string",
    "contentEncoding": "base16",
    "pattern": "^[0-9a-fA-F]{64}$"
});

by_shape!(Checksums);

impl<'de> Shape<'de> for Checksums {
    const WANTED: &'static str =
        "a SHA-256, or one for each file as `{train_32x32.mat: 435e94...}`";

    fn scalar<E: Error>(scalar: Scalar) -> Result<Self, E> {
        match scalar {
            Scalar::Word(text) => Sha256::new(&text).map(Self::Of).map_err(E::custom),
            other => Err(other.unfit(Self::WANTED)),
        }
    }

    fn mapping<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        BTreeMap::deserialize(MapAccessDeserializer::new(map)).map(Self::ByName)
    }
}

impl Dataset {
    /// How many training images there are, if the source is as it is distributed; none if the other parts leave
    /// less than none.
    pub(crate) fn train_examples(&self) -> Option<u64> {
        let all = self.source.train_images(*self.extra);
        let taken = match *self.source {
            Source::Digits => self.validation.checked_add(self.test.unwrap_or(0))?,
            _ => self.validation,
        };
        self.train
            .map_or_else(|| all.checked_sub(taken), |train| Some(train.get()))
    }

    /// How many test images there are.
    pub(crate) fn test_examples(&self) -> u64 {
        self.test.unwrap_or_else(|| self.source.test_images())
    }
}
