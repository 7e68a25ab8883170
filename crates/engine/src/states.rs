//! Kept states: how far a long stage has come, so that it, or another that begins alike, need not begin again.
//!
//! What a state is only its executor knows. The store keeps it under a root, which says what acts from the first
//! step on, with its step and a key of all that led there; whoever has the same root, step and key may go on from
//! it. States are no results: without them everything is computed again, to the same bytes.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Digest, Error, Job};

/// The name of a kept state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateName {
    /// What acts from the first step on.
    pub root: Digest,
    /// How far it is.
    pub step: u64,
    /// All that led there.
    pub key: Digest,
}

/// A kept state, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptState {
    /// What the executor kept.
    pub contents: Vec<u8>,
    /// The key of the stage that kept it.
    pub stage: Digest,
}

/// Which states are kept, and when. Like all of a site, it changes no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keeping {
    /// Which.
    pub what: Keep,
    /// The longest time of computing that a crash may cost.
    pub every: Duration,
    /// States that cost less time to compute than this are not kept.
    pub worth: Duration,
}

impl Default for Keeping {
    /// At segment ends; every minute while a stage runs; what cost five seconds or more.
    fn default() -> Self {
        Self {
            what: Keep::Segments,
            every: Duration::from_mins(1),
            worth: Duration::from_secs(5),
        }
    }
}

/// Which states are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// None.
    None,
    /// The newest, until its stage is done.
    Running,
    /// The newest, and then the last.
    Last,
    /// That, and each where another stage may well part from this one.
    Segments,
}

impl Keep {
    /// All of them, from the fewest states to the most.
    pub const ALL: [Self; 4] = [Self::None, Self::Running, Self::Last, Self::Segments];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Running => "running",
            Self::Last => "last",
            Self::Segments => "segments",
        }
    }
}

/// A stage ended because it was told to, having kept its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl StdError for Interrupted {}

impl Job<'_> {
    /// Tells the engine that this stage keeps states: interrupted, it ends by itself, and is given time for it.
    pub fn keeps_states(&self) {
        self.wire.keeps_states();
    }

    /// The kept states of a root, the deepest first.
    ///
    /// # Errors
    ///
    /// If the cache cannot be read.
    pub fn states(&self, root: Digest) -> Result<Vec<StateName>, Error> {
        self.store.states(root)
    }

    /// A kept state; none if it is gone or was damaged, which is then reported.
    ///
    /// # Errors
    ///
    /// If the cache cannot be read, or a newer version of the program wrote the state.
    pub fn read_state(&self, name: StateName) -> Result<Option<KeptState>, Error> {
        self.store.read_state(name)
    }

    /// Sets a state aside that proved to be of no use, though it was read as it was written.
    ///
    /// # Errors
    ///
    /// If the cache cannot be written.
    pub fn refuse_state(&self, name: StateName) -> Result<(), Error> {
        self.store.set_aside_state(name)
    }

    /// Keeps a state, in the name of this stage.
    ///
    /// # Errors
    ///
    /// If the cache cannot be written.
    pub fn keep_state(&self, name: StateName, contents: &[u8]) -> Result<(), Error> {
        self.store.keep_state(name, self.manifest.key(), contents)
    }

    /// Keeps it no longer.
    ///
    /// # Errors
    ///
    /// If the cache cannot be written.
    pub fn drop_state(&self, name: StateName) -> Result<(), Error> {
        self.store.drop_state(name)
    }

    /// Whether the stage should keep its state now and end with [`Interrupted`].
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(std::sync::atomic::Ordering::Relaxed)
    }
}
