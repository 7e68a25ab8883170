//! What is kept of a stage's result: the names of its outputs, and how they came about.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Digest;

/// The result of a stage. Records never change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The key of the stage.
    pub key: Digest,
    /// Which attempt at this key it is, from 1. Later ones exist where a lost output did not
    /// recompute to the same bytes.
    pub attempt: u32,
    /// The text that the key is the digest of.
    pub manifest: String,
    /// The outputs by name.
    pub outputs: BTreeMap<String, Blob>,
    /// What the executor noted beside its outputs, such as an outcome. A function of the manifest.
    pub notes: Map<String, Value>,
    /// How it came about. No function of the manifest, and part of no key.
    pub provenance: Provenance,
}

/// An output's contents, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// The digest of the contents.
    pub digest: Digest,
    /// Their length in bytes.
    pub bytes: u64,
}

/// Where, when and by what a result was computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Name and version of the program.
    pub program: String,
    /// The commit it was built from, where known.
    pub commit: Option<String>,
    /// The name of the machine.
    pub host: String,
    /// The device that was asked for.
    pub device: String,
    /// Threads it was given.
    pub threads: usize,
    /// When it began, in UTC: `2026-03-01T12:00:00Z`.
    pub start: String,
    /// How long it took in seconds.
    pub seconds: f64,
    /// What the executor says of the circumstances: the actual device, versions of crates.
    pub executor: Map<String, Value>,
}
