//! Kept states: how far a long stage has come, so that it, or another that begins alike, need not begin again.
//!
//! What a state is only its executor knows. The store keeps it under a root, which says what acts from the first
//! step on, with its step and a key of all that led there; whoever has the same root, step and key may go on from
//! it. States are no results: without them everything is computed again, to the same bytes.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::job::lock;
use crate::store::states::NewState;
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
    /// Bytes that all kept states of the cache may take; if none are given, see [`Keeping::bytes`].
    pub space: Option<u64>,
}

impl Default for Keeping {
    /// At segment ends; every minute while a stage runs; what cost five seconds or more; in the space of
    /// [`Keeping::bytes`].
    fn default() -> Self {
        Self {
            what: Keep::Segments,
            every: Duration::from_mins(1),
            worth: Duration::from_secs(5),
            space: None,
        }
    }
}

impl Keeping {
    /// What kept states may take where nothing else is said, in bytes.
    pub const SPACE: u64 = 20 << 30;

    /// Bytes that kept states may take where they take `taken` of them and the file system has `free` more: those
    /// given, else [`Keeping::SPACE`], but no more than are left free beside them.
    pub fn bytes(&self, taken: u64, free: u64) -> u64 {
        let half = taken.saturating_add(free) / 2;
        self.space.unwrap_or(Self::SPACE.min(half))
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

    /// A kept state; none if it is gone or was damaged, which is then reported. It stays while the stage runs,
    /// whoever needs room.
    ///
    /// # Errors
    ///
    /// If the cache cannot be read, or a newer version of the program wrote the state.
    pub fn read_state(&self, name: StateName) -> Result<Option<KeptState>, Error> {
        lock(&self.begun_from).extend(self.store.hold_state(name));
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

    /// Keeps a state, in the name of this stage, and then the one that it supersedes no longer. Makes room for it
    /// by deleting states of stages that are done: false if that is not enough, which the engine is told.
    ///
    /// # Errors
    ///
    /// If the cache cannot be written.
    pub fn keep_state(
        &self,
        name: StateName,
        contents: &[u8],
        supersedes: Option<StateName>,
    ) -> Result<bool, Error> {
        let state = NewState {
            name,
            stage: self.manifest.key(),
            contents,
            supersedes,
        };
        let kept = self.store.keep_state(&state, self.site.keeping)?;
        if kept.gone.states > 0 {
            self.wire.states_gone(kept.gone);
        }
        if let Some(bytes) = kept.no_room_for {
            self.wire.no_room(bytes);
        }
        Ok(kept.no_room_for.is_none())
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
