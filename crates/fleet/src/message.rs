//! What copies say to the store and, by way of it, to each other.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The name of a copy, made anew for each process: it is also the token by which a copy knows its own claims.
///
/// `RUN/COPY`: the names of the copies of a run begin alike, up to the last slash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct CopyId(Arc<str>);

impl CopyId {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for CopyId {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl From<CopyId> for String {
    fn from(copy: CopyId) -> Self {
        copy.0.as_ref().to_owned()
    }
}

impl fmt::Display for CopyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An attempt at a stage. Created only, by who makes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Who makes it.
    pub copy: CopyId,
    /// The run that the copy is of.
    pub run: String,
    /// The deepest checkpoint of earlier attempts, in steps.
    pub depth: u64,
}

/// How an attempt failed. Created only, by who made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Who made it.
    pub copy: CopyId,
    /// The run that the copy was of.
    pub run: String,
    /// Why.
    pub why: String,
    /// The end of the log.
    pub tail: String,
    /// Whether it is the last one, however often the stage may be tried again.
    pub last: bool,
}

/// What has become of an attempt, as far as its owner said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Nothing was said.
    Open,
    /// It was given up.
    Released,
    /// It failed.
    Failed(Failure),
}

/// A sign of life, overwritten by its copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat<K> {
    /// The run that the copy is of.
    pub run: String,
    /// Grows with every beat.
    pub counter: u64,
    /// What the copy has, from the moment on at which it asks for it.
    pub holds: Vec<Held<K>>,
    /// The results that it has published, in this order.
    pub settled: Vec<K>,
    /// Whether this is its last beat: what it held is free.
    pub ended: bool,
}

/// A stage that a copy has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held<K> {
    /// The stage.
    pub stage: K,
    /// Which attempt at it.
    pub attempt: u32,
    /// The deepest checkpoint, in steps.
    pub depth: u64,
}

/// What a copy asks the store for. A request may be made again; whether the first one came through is never assumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request<K> {
    /// Whether a stage has a record. If so it is to be taken: [`Reply::Found`] or [`Reply::Missing`].
    Look(K),
    /// Create an attempt: [`Reply::Created`] or [`Reply::Exists`].
    Claim(K, u32, Claim),
    /// Whose an attempt is: [`Reply::Claimed`] or [`Reply::Missing`].
    ReadClaim(K, u32),
    /// What has become of an attempt: [`Reply::Fate`].
    Fate(K, u32),
    /// Create the release of an attempt: [`Reply::Created`] or [`Reply::Exists`].
    Release(K, u32),
    /// Create the failure of an attempt: [`Reply::Created`] or [`Reply::Exists`].
    Fail(K, u32, Failure),
    /// Store what a result names, then create its record: [`Reply::Created`] or [`Reply::Exists`].
    Publish(K),
    /// Overwrite this copy's beat: [`Reply::Created`].
    Beat(Beat<K>),
    /// Read the beats of all copies of the run, and of these others: [`Reply::Beats`].
    Beats(Vec<CopyId>),
}

/// What the store says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply<B> {
    /// It was created.
    Created,
    /// There was one of this name.
    Exists,
    /// There is one, and it was taken.
    Found,
    /// There is none.
    Missing,
    /// An attempt.
    Claimed(Claim),
    /// What has become of it.
    Fate(Fate),
    /// The beats that there are. `B` is a [`Beat`], or shares one.
    Beats(Vec<(CopyId, B)>),
    /// No answer, or the store refused. Whether the request was carried out is not known.
    Lost,
}
