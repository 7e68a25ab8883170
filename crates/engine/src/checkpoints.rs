//! Checkpoints: how far a long stage has come, so that it, or another that begins alike, need not begin again.
//!
//! What a checkpoint is only its executor knows. The store keeps it under a root, which says what acts from the first
//! step on, with its step and a key of all that led there; whoever has the same root, step and key may go on from
//! it. Checkpoints are no results: without them everything is computed again, to the same bytes.
//!
//! `v1/ckpt/ab/<root>/<step>-<key>` is a file that checks itself; the first line of its body says which stage kept it.
//! A store is asked for no more than this: create if absent, read, list by prefix, delete.
//!
//! All checkpoints of a cache together take no more than a given space. Trimming deletes what gc would, the oldest
//! first: whoever keeps a checkpoint trims where it would be one too many or the disk is full, and so does a run that
//! has ended. What an unfinished stage goes on from stays.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt;
use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::job::lock;
use crate::layout::{self, Found};
use crate::store::{is_held, numbers, remove};
use crate::{Digest, Error, Job, Store, roots, sealed};

/// What a checkpoint's file is sealed as: a word of the format, older than the name.
pub(crate) const SEAL: &str = "state";
/// Longer than the two lines before a checkpoint's contents.
const HEAD: u64 = 1024;
/// Trimming frees this share of the space beyond what is wanted, so that it is seldom done.
const SPARE: u64 = 8;

/// The name of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CheckpointName {
    /// What acts from the first step on.
    pub root: Digest,
    /// How far it is.
    pub step: u64,
    /// All that led there.
    pub key: Digest,
}

/// A checkpoint, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// What the executor kept.
    pub contents: Vec<u8>,
    /// The key of the stage that kept it.
    pub stage: Digest,
}

/// Which checkpoints are kept, and when. Like all of a site, it changes no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointPolicy {
    /// Which.
    pub keep: Keep,
    /// The longest time of computing that a crash may cost.
    pub every: Duration,
    /// Checkpoints that cost less time to compute than this are not kept.
    pub worth: Duration,
    /// Bytes that all checkpoints of the cache may take.
    pub space: u64,
}

impl Default for CheckpointPolicy {
    /// At segment ends; every minute while a stage runs; what cost five seconds or more; in 20 GiB.
    fn default() -> Self {
        Self {
            keep: Keep::Segments,
            every: Duration::from_mins(1),
            worth: Duration::from_secs(5),
            space: 20 << 30,
        }
    }
}

/// Which checkpoints are kept.
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
    /// All of them, from the fewest checkpoints to the most.
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

/// A stage ended because it was told to, having kept a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl StdError for Interrupted {}

/// The first line of the body.
#[derive(Serialize, Deserialize)]
struct Head {
    /// The key of the stage that kept it.
    stage: Digest,
}

impl Job<'_> {
    /// Tells the engine that this stage keeps checkpoints: interrupted, it ends by itself, and is given time for it.
    pub fn keeps_checkpoints(&self) {
        self.wire.keeps_checkpoints();
    }

    /// The checkpoints of a root, the deepest first.
    ///
    /// # Errors
    ///
    /// If the cache cannot be read.
    pub fn checkpoints(&self, root: Digest) -> Result<Vec<CheckpointName>, Error> {
        let files = layout::walk(&self.store.spread("ckpt", root))?;
        let mut names: Vec<_> = files
            .iter()
            .filter_map(|file| name_of(&file.path))
            .collect();
        names.sort_unstable_by_key(|name| std::cmp::Reverse((name.step, name.key)));
        Ok(names)
    }

    /// A checkpoint; none if it is gone or was damaged, which is then reported. Nobody trims it while the stage runs.
    ///
    /// # Errors
    ///
    /// If the cache cannot be read, or a newer version of the program wrote the checkpoint.
    pub fn read_checkpoint(&self, name: CheckpointName) -> Result<Option<Checkpoint>, Error> {
        // It is held by a shared lock. Where that cannot be had it may go, which costs time only.
        let file = File::open(self.store.checkpoint_path(name)).ok();
        let held = file.filter(|file| file.lock_shared().is_ok());
        lock(&self.begun_from).extend(held);
        self.store.read_checkpoint(name)
    }

    /// Sets a checkpoint aside that proved to be of no use, though it was read as it was written.
    ///
    /// # Errors
    ///
    /// If the cache cannot be written.
    pub fn refuse_checkpoint(&self, name: CheckpointName) -> Result<(), Error> {
        self.store
            .set_aside("checkpoint", &self.store.checkpoint_path(name))
    }

    /// Keeps a checkpoint, in the name of this stage, and then the one that it supersedes no longer. Tells the engine
    /// if that fails: the stage can go on without.
    ///
    /// # Errors
    ///
    /// [`Error::NoRoom`], or if the cache cannot be written.
    pub fn keep_checkpoint(
        &self,
        name: CheckpointName,
        contents: &[u8],
        supersedes: Option<CheckpointName>,
    ) -> Result<(), Error> {
        let stage = self.manifest.key();
        let space = self.site.checkpoints.space;
        let kept = self
            .store
            .keep_checkpoint(name, stage, contents, supersedes, space);
        match &kept {
            Ok(()) => self.wire.checkpoint_kept(name),
            Err(error) => self.wire.checkpoint_not_kept(error),
        }
        kept
    }

    /// Keeps it no longer.
    ///
    /// # Errors
    ///
    /// If the cache cannot be written.
    pub fn delete_checkpoint(&self, name: CheckpointName) -> Result<(), Error> {
        remove(&self.store.checkpoint_path(name))
    }

    /// Whether the stage should keep a checkpoint now and end with [`Interrupted`].
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}

impl Store {
    /// A checkpoint; none if it is gone or was damaged and is now set aside.
    ///
    /// # Errors
    ///
    /// If the cache cannot be read, or a newer version of the program wrote the checkpoint.
    pub fn read_checkpoint(&self, name: CheckpointName) -> Result<Option<Checkpoint>, Error> {
        let path = self.checkpoint_path(name);
        let file = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file.map_err(Error::io("read", &path))?,
        };
        let checkpoint = match sealed::open(SEAL, &file, &path) {
            Ok(body) => split(body),
            Err(Error::Damaged { .. }) => None,
            Err(error) => return Err(error),
        };
        if checkpoint.is_none() {
            self.set_aside("checkpoint", &path)?;
        }
        Ok(checkpoint)
    }

    /// One that is there is left, unless it is damaged.
    fn keep_checkpoint(
        &self,
        name: CheckpointName,
        stage: Digest,
        contents: &[u8],
        supersedes: Option<CheckpointName>,
        space: u64,
    ) -> Result<(), Error> {
        let head = serde_json::to_vec(&Head { stage }).expect("a head has string keys only");
        let file = sealed::seal(SEAL, &[&head[..], b"\n", contents].concat());
        let bytes = file.len() as u64;
        let superseded = supersedes.map(|name| self.checkpoint_path(name));
        if self.read_checkpoint(name)?.is_none() {
            let metadata = superseded.as_ref().and_then(|path| fs::metadata(path).ok());
            let limit = (space + metadata.map_or(0, |file| file.len())).checked_sub(bytes);
            let limit = limit.ok_or(Error::NoRoom { bytes, space })?;
            if self.trim_checkpoints(limit)? > limit {
                return Err(Error::NoRoom { bytes, space });
            }
            self.create(&self.checkpoint_path(name), &file)?;
        }
        superseded.iter().try_for_each(|old| remove(old))
    }

    /// Where checkpoints take more than so many bytes, deletes those that no unfinished stage needs, the oldest first:
    /// how many bytes they take then.
    pub(crate) fn trim_checkpoints(&self, limit: u64) -> Result<u64, Error> {
        let files = layout::walk(&self.root().join("ckpt"))?;
        let mut taken: u64 = files.iter().map(|file| file.bytes).sum();
        if taken <= limit {
            return Ok(taken);
        }
        let roots = match roots::of(self, &[]) {
            // Then nobody knows what was interrupted: whatever has no result may have been.
            Err(Error::Damaged { .. }) => None,
            roots => Some(roots?),
        };
        let is_unfinished = |stage: &Digest| {
            let is_root = || roots.as_ref().is_none_or(|roots| roots.contains_key(stage));
            let attempts = numbers(&self.spread("ac", *stage));
            // One that makes its lost result again has a record, too.
            is_held(&self.log_path(*stage))
                || (is_root() && attempts.is_ok_and(|attempts| attempts.is_empty()))
        };
        for (file, _) in unneeded(files, is_unfinished) {
            if taken <= limit - limit / SPARE {
                break;
            }
            // What another user owns may stay, and what a stage has begun from does.
            if let Ok(true) = self.delete(&file.path) {
                taken -= file.bytes;
            }
        }
        Ok(taken)
    }

    /// The disk is full: deletes checkpoints that no unfinished stage needs until half as many bytes are left of all.
    /// False if that made no room.
    pub(crate) fn make_room(&self) -> Result<bool, Error> {
        if !self.makes_room() {
            return Ok(false);
        }
        let taken = self.trim_checkpoints(u64::MAX)?;
        Ok(taken > 0 && self.trim_checkpoints(taken / 2)? < taken)
    }

    pub(crate) fn checkpoint_path(&self, name: CheckpointName) -> PathBuf {
        let CheckpointName { root, step, key } = name;
        self.spread("ckpt", root).join(format!("{step}-{key}"))
    }
}

/// The checkpoints that no unfinished stage goes on from, the oldest first, with the stages that kept them: all but
/// the deepest of each that is unfinished.
pub(crate) fn unneeded(
    files: Vec<Found>,
    is_unfinished: impl Fn(&Digest) -> bool,
) -> Vec<(Found, Option<Digest>)> {
    let mut deepest: HashMap<Digest, u64> = HashMap::new();
    let mut all = Vec::new();
    for file in files {
        let Some(CheckpointName { step, .. }) = name_of(&file.path) else {
            continue;
        };
        // Without a stage it is damaged.
        let stage = stage_of(&file.path);
        if let Some(stage) = stage {
            let deepest = deepest.entry(stage).or_default();
            *deepest = step.max(*deepest);
        }
        all.push((file, stage, step));
    }
    deepest.retain(|stage, _| is_unfinished(stage));
    all.retain(|(_, stage, step)| stage.is_none_or(|stage| deepest.get(&stage) != Some(step)));
    all.sort_by_key(|(file, ..)| file.modified);
    all.into_iter()
        .map(|(file, stage, _)| (file, stage))
        .collect()
}

/// The checkpoint that a file is, by its name and that of its folder.
pub(crate) fn name_of(path: &Path) -> Option<CheckpointName> {
    let root = path.parent()?.file_name()?.to_str()?;
    let (step, key) = path.file_name()?.to_str()?.split_once('-')?;
    let name = CheckpointName {
        root: root.parse().ok()?,
        step: step.parse().ok()?,
        key: key.parse().ok()?,
    };
    (name.step.to_string() == step).then_some(name)
}

/// The stage that kept a checkpoint, from the beginning of its file, unchecked.
fn stage_of(path: &Path) -> Option<Digest> {
    let mut start = Vec::new();
    File::open(path)
        .ok()?
        .take(HEAD)
        .read_to_end(&mut start)
        .ok()?;
    let line = start.split(|&byte| byte == b'\n').nth(1)?;
    let head: Head = serde_json::from_slice(line).ok()?;
    Some(head.stage)
}

fn split(body: &[u8]) -> Option<Checkpoint> {
    let end = body.iter().position(|&byte| byte == b'\n')?;
    let head: Head = serde_json::from_slice(&body[..end]).ok()?;
    Some(Checkpoint {
        contents: body[end + 1..].to_vec(),
        stage: head.stage,
    })
}
