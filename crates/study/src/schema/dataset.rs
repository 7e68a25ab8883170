//! The `dataset` kind.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Count;

/// Images with labels: a source and how it is split. The parts are stratified by class and do not overlap.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dataset {
    /// Where the images come from.
    pub(crate) source: Source,
    /// The file, for a source that reads one; relative to the study file's folder.
    pub(crate) path: Option<String>,
    /// Images to train on. Default: those that the other parts leave.
    pub(crate) train: Option<Count>,
    /// Images to choose configurations by, taken from the training images.
    #[serde(default)]
    pub(crate) validation: u64,
    /// Images that nothing is chosen by. Default: the source's own test images; for `digits`, which has
    /// none, 0.
    pub(crate) test: Option<u64>,
    /// Seed of the split.
    #[serde(default)]
    pub(crate) split_seed: u64,
}

/// Where the images come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Source {
    /// 1,797 handwritten digits of 8x8 pixels (UCI), built in.
    Digits,
    /// CIFAR-10, binary version: `cifar-10-binary.tar.gz` or its unpacked folder.
    Cifar10,
}

/// Images in the digits data set.
pub(crate) const DIGITS: u64 = 1797;

impl Dataset {
    /// How many training images there are, where the study says so.
    pub(crate) fn train_examples(&self) -> Option<u64> {
        match (self.train, self.source) {
            (Some(train), _) => Some(train.get()),
            (None, Source::Digits) => DIGITS
                .checked_sub(self.validation)?
                .checked_sub(self.test.unwrap_or(0)),
            (None, Source::Cifar10) => None,
        }
    }

    /// Whether there are test images.
    pub(crate) fn has_test(&self) -> bool {
        self.test
            .map_or(self.source == Source::Cifar10, |test| test > 0)
    }
}
