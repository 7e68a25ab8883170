//! What the program tells the engine about itself and about where it runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::CheckpointPolicy;

/// The kinds of stage that the program executes, each with the version of its code.
///
/// The version is part of every key of the kind: a new one reruns its stages.
#[derive(Debug, Clone, Default)]
pub struct Kinds(BTreeMap<String, String>);

impl Kinds {
    /// No kind.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a kind, or replaces its version.
    #[must_use]
    pub fn with(mut self, kind: &str, code: &str) -> Self {
        self.0.insert(kind.to_owned(), code.to_owned());
        self
    }

    /// The code version of a kind.
    pub fn code(&self, kind: &str) -> Option<&str> {
        self.0.get(kind).map(String::as_str)
    }
}

/// Which program this is. A worker of another build is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// Differs between any two builds that may behave differently.
    pub id: String,
    /// Name and version, for provenance: `pipeline 0.1.0`.
    pub program: String,
    /// The commit it was built from, where known.
    pub commit: Option<String>,
}

/// Where and how a stage runs. Never part of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Threads that one stage may use.
    pub threads: usize,
    /// The device asked for, in words that the executor knows: `auto`, `cpu`, `cuda:0`.
    pub device: String,
    /// The GPU that the worker has to itself, where GPUs are given out. It is the only one that the
    /// worker sees (`CUDA_VISIBLE_DEVICES`).
    pub gpu: Option<String>,
    /// Which checkpoints of long stages are kept.
    pub checkpoints: CheckpointPolicy,
}
