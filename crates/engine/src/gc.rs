//! What may go from a cache, and why.
//!
//! Results that a study had when it last ran, that a killed run left for the next one, or that a pin
//! names are never deleted; nor is what the study's last run left of its failures. Of the others those go that are old,
//! and then the oldest until the cache is small enough. Checkpoints go as the results of the stages that kept them do;
//! if that is not enough, or they are named, so do those of stages that are done, without which nothing is lost but
//! time. Files that belong to no result go when they are old enough not to be of a
//! process at work on another machine; processes on this one are kept out while gc deletes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::layout::{self, Found};
use crate::store::is_held;
use crate::usage::{Inventory, KeyFiles};
use crate::{Digest, Error, Store, checkpoints, fault, history, journal, roots};

/// Of what belongs to no result, nothing younger is deleted.
const GRACE: Duration = Duration::from_hours(1);

/// What may go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Results of no study that are at least as old.
    pub older_than: Option<Duration>,
    /// The oldest results of no study, until the cache has no more bytes than that.
    pub max_bytes: Option<u64>,
    /// Studies that count no longer: their results are like any other.
    pub forget: Vec<String>,
    /// Whether checkpoints of stages that are done go.
    pub checkpoints: bool,
}

/// Why something goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeletionReason {
    /// No study and no pin refers to it, and it is old.
    Old,
    /// No study and no pin refers to it, and the cache is too large.
    TooLarge,
    /// The stage that kept this checkpoint is done; it may be another's beginning.
    Done,
    /// No result has it as an output.
    NoResult,
    /// A process that ended early left it.
    LeftOver,
    /// It was damaged and set aside.
    SetAside,
    /// The digest of an input file that nobody asked for lately.
    Unasked,
    /// The study was named to be forgotten.
    Forgotten,
    /// It is an old plan or copy, and not what its study had when it last ran.
    Superseded,
    /// The stage of this attempt has its result.
    Finished,
    /// This record can no longer be served.
    Void,
}

impl fmt::Display for DeletionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Old => "old, and of no study or pin",
            Self::TooLarge => "there is more than the size allowed, and it is of no study or pin",
            Self::Done => "a checkpoint of a stage that is done",
            Self::NoResult => "an output of no result",
            Self::LeftOver => "left by a process that ended early",
            Self::SetAside => "damaged and set aside",
            Self::Unasked => "the digest of an input file that nobody asked for lately",
            Self::Forgotten => "what the runs of a forgotten study did",
            Self::Superseded => "an old plan or copy, and not its study's last",
            Self::Finished => "attempts at stages that have their results",
            Self::Void => "records that can no longer be served",
        })
    }
}

/// A file that goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deletion {
    /// The file.
    #[serde(serialize_with = "crate::lossy::serialize")]
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// How old it is, in seconds.
    pub age: u64,
    /// The kind of the stage whose result it is of, where known.
    pub kind: Option<String>,
    /// Why it goes.
    pub why: DeletionReason,
}

/// What gc found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GcReport {
    /// What goes, in the order in which it does.
    pub deletions: Vec<Deletion>,
    /// Bytes of the cache before.
    pub before: u64,
    /// Bytes of the cache after.
    pub after: u64,
    /// Results that stay because of a study or a pin, by which of them.
    pub kept: BTreeMap<String, usize>,
    /// Results of no study that stay all the same.
    pub spared: usize,
    /// Whether it was deleted.
    pub deleted: bool,
}

impl Store {
    /// Says what may go, and deletes it if told to.
    ///
    /// # Errors
    ///
    /// [`Error::InUse`] if it is to delete while a study runs; [`Error::Damaged`] if a history or a
    /// pin is, so that nobody knows what it keeps; else if the cache cannot be read or written.
    pub fn gc(&self, policy: &Policy, delete: bool) -> Result<GcReport, Error> {
        let _presence = if delete {
            Some(self.enter_alone()?)
        } else {
            None
        };
        let now = SystemTime::now();
        let mut report = Marker::new(self, policy, now)?.mark(policy);
        if delete {
            for deletion in &report.deletions {
                self.delete(&deletion.path)?;
            }
            report.deleted = true;
        }
        Ok(report)
    }

    /// Deletes a file and the folders that it leaves empty; false if it is in use.
    pub(crate) fn delete(&self, path: &Path) -> Result<bool, Error> {
        // What is left of a stage may still hold its claim, and one that goes on from a checkpoint holds that.
        let locked = ["log", "ckpt"].map(|folder| self.root().join(folder));
        if locked.iter().any(|folder| path.starts_with(folder)) && is_held(path) {
            return Ok(false);
        }
        fault::point("delete");
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Error::io("delete", path)(error));
            }
            _ => {}
        }
        let mut folder = path.parent();
        while let Some(empty) = folder.filter(|&folder| folder != self.root()) {
            fault::point("delete a folder");
            // One that is not empty stays.
            if fs::remove_dir(empty).is_err() {
                break;
            }
            folder = empty.parent();
        }
        Ok(true)
    }
}

struct Marker {
    inventory: Inventory,
    roots: HashMap<Digest, String>,
    /// Results that have a blob as an output.
    users: HashMap<Digest, usize>,
    forgotten: Vec<Found>,
    now: SystemTime,
    report: GcReport,
}

impl Marker {
    fn new(store: &Store, policy: &Policy, now: SystemTime) -> Result<Self, Error> {
        let (inventory, roots) = (Inventory::read(store)?, roots::of(store, &policy.forget)?);
        let mut users: HashMap<Digest, usize> = HashMap::new();
        for output in inventory.keys.values().flat_map(|key| &key.outputs) {
            *users.entry(*output).or_default() += 1;
        }
        let mut forgotten = Vec::new();
        for study in &policy.forget {
            let folder = history::folder(store, study);
            for file in layout::walk(&folder)? {
                let alive = journal::read(&file.path)?.is_some_and(|run| run.alive);
                forgotten.extend((!alive).then_some(file));
            }
        }
        let before = inventory.bytes();
        Ok(Self {
            inventory,
            roots,
            users,
            forgotten,
            now,
            report: GcReport {
                deletions: Vec::new(),
                before,
                after: before,
                kept: BTreeMap::new(),
                spared: 0,
                deleted: false,
            },
        })
    }

    fn mark(mut self, policy: &Policy) -> GcReport {
        self.leftovers(policy);
        // What no study and no pin refers to: a key with its files, or a checkpoint.
        let mut unreferenced = Vec::new();
        for (key, files) in &self.inventory.keys {
            match self.roots.get(key) {
                Some(by) => {
                    *self.report.kept.entry(by.clone()).or_default() +=
                        usize::from(files.has_result());
                }
                None => unreferenced.push((files.modified(), Ok(*key))),
            }
        }
        let has_result = |key: &Digest| {
            self.inventory
                .keys
                .get(key)
                .is_some_and(KeyFiles::has_result)
        };
        let is_unfinished = |key: &Digest| self.roots.contains_key(key) && !has_result(key);
        let files = std::mem::take(&mut self.inventory.checkpoints);
        let mut done = Vec::new();
        for (file, stage) in checkpoints::unneeded(files, is_unfinished) {
            if stage.is_some_and(|stage| self.roots.contains_key(&stage)) {
                done.push(file);
            } else {
                unreferenced.push((file.modified, Err(file)));
            }
        }
        unreferenced.sort_by_key(|(modified, _)| *modified);
        let too_large =
            |report: &GcReport| policy.max_bytes.is_some_and(|limit| report.after > limit);
        for (modified, it) in unreferenced {
            let age = self.now.duration_since(modified).unwrap_or_default();
            let why = if policy.older_than.is_some_and(|limit| age >= limit) {
                DeletionReason::Old
            } else if too_large(&self.report) {
                DeletionReason::TooLarge
            } else {
                if let Ok(key) = it {
                    self.report.spared += usize::from(self.inventory.keys[&key].has_result());
                }
                continue;
            };
            match it {
                Ok(key) => self.result(key, &why),
                Err(file) => self.goes(&file, None, why),
            }
        }
        for file in done {
            if policy.checkpoints || too_large(&self.report) {
                self.goes(&file, None, DeletionReason::Done);
            }
        }
        self.report
    }

    fn leftovers(&mut self, policy: &Policy) {
        let old = |age: Duration| policy.older_than.is_some_and(|limit| age >= limit);
        for file in std::mem::take(&mut self.forgotten) {
            self.goes(&file, None, DeletionReason::Forgotten);
        }
        for file in std::mem::take(&mut self.inventory.temporary) {
            if file.age(self.now) >= GRACE {
                self.goes(&file, None, DeletionReason::LeftOver);
            }
        }
        for file in std::mem::take(&mut self.inventory.aside) {
            if file.age(self.now) >= GRACE {
                self.goes(&file, None, DeletionReason::SetAside);
            }
        }
        for file in std::mem::take(&mut self.inventory.file_digests) {
            if old(file.age(self.now)) {
                self.goes(&file, None, DeletionReason::Unasked);
            }
        }
        let used: HashSet<Digest> = self.users.keys().copied().collect();
        let mut unused: Vec<(Digest, Found)> = self
            .inventory
            .blobs
            .extract_if(|digest, file| !used.contains(digest) && file.age(self.now) >= GRACE)
            .collect();
        unused.sort_by_key(|(digest, _)| *digest);
        for (_, file) in unused {
            self.goes(&file, None, DeletionReason::NoResult);
        }
    }

    fn result(&mut self, key: Digest, why: &DeletionReason) {
        let result = self.inventory.keys.remove(&key).expect("it was counted");
        for file in result.files() {
            self.goes(file, result.kind.as_deref(), why.clone());
        }
        for output in &result.outputs {
            let users = self.users.get_mut(output).expect("it was counted");
            *users -= 1;
            if *users == 0
                && let Some(blob) = self.inventory.blobs.remove(output)
            {
                self.goes(&blob, result.kind.as_deref(), why.clone());
            }
        }
    }

    fn goes(&mut self, file: &Found, kind: Option<&str>, why: DeletionReason) {
        self.report.after -= file.bytes;
        self.report.deletions.push(Deletion {
            path: file.path.clone(),
            bytes: file.bytes,
            age: file.age(self.now).as_secs(),
            kind: kind.map(str::to_owned),
            why,
        });
    }
}
