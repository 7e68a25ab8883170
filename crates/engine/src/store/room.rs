//! Room for kept states: how many bytes they take, and what goes when that would be too many.
//!
//! `v1/states` has the sum, and its lock is held while a state comes or goes. The sum is raised before a state is there
//! and lowered after one has gone, so that a crash leaves it too large at worst. What comes and goes otherwise, with gc
//! or a copied cache, a count finds: each process counts before it first keeps a state, and whoever finds no room
//! counts again. In between nobody looks at the states that are there.

use std::fs::{self, File, TryLockError};
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};

use super::disk::numbers;
use super::states;
use crate::census::{self, Standing};
use crate::{Digest, Error, Keeping, Store, fault, sealed};

/// What the file of the sum is sealed as.
pub(crate) const SUM: &str = "states";
/// Whoever makes room makes this share of the space free, so that many states come before it must be made again.
const SPARE: u64 = 8;

/// States that went to make room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// How many.
    pub states: u64,
    /// Bytes that they took.
    pub bytes: u64,
}

impl Store {
    /// Bytes that kept states may take at this moment, beside what else is on the file system.
    ///
    /// # Errors
    ///
    /// If the cache cannot be read.
    pub fn space_of_states(&self, keeping: Keeping) -> Result<u64, Error> {
        if let Some(space) = keeping.space {
            return Ok(space);
        }
        let sum = fs::read(self.sum_path()).ok();
        let sum = sum.and_then(|file| sum_in(&file, &self.sum_path()));
        let taken = match sum {
            Some(taken) => taken,
            None => total(&census::walk(&self.root.join("ckpt"))?),
        };
        Ok(keeping.bytes(taken, self.free()?))
    }

    /// Bytes that are free on the file system of the cache.
    fn free(&self) -> Result<u64, Error> {
        let system = rustix::fs::statvfs(&self.root);
        let system = system.map_err(|error| Error::io("ask how full", &self.root)(error.into()))?;
        Ok(system.f_bavail.saturating_mul(system.f_frsize))
    }

    fn sum_path(&self) -> PathBuf {
        self.root.join("states")
    }
}

/// The sole right to add kept states and to take them away.
pub(super) struct Room<'a> {
    store: &'a Store,
    sum: File,
    taken: u64,
}

impl<'a> Room<'a> {
    /// Waits until nobody else has it.
    pub(super) fn enter(store: &'a Store) -> Result<Self, Error> {
        let path = store.sum_path();
        let mut options = File::options();
        let sum = options.create(true).truncate(false).read(true).write(true);
        let sum = sum.open(&path).map_err(Error::io("write", &path))?;
        sum.lock().map_err(Error::io("lock", &path))?;
        let mut room = Self {
            store,
            sum,
            taken: 0,
        };
        let mut file = Vec::new();
        (&room.sum)
            .read_to_end(&mut file)
            .map_err(Error::io("read", &path))?;
        match sum_in(&file, &path) {
            Some(taken) if store.counted.load(Ordering::Relaxed) => room.taken = taken,
            _ => {
                let states = census::walk(&store.root.join("ckpt"))?;
                room.set(total(&states))?;
                store.counted.store(true, Ordering::Relaxed);
            }
        }
        Ok(room)
    }

    /// Whether there is room for so many bytes more.
    pub(super) fn is_for(&self, bytes: u64, keeping: Keeping) -> Result<bool, Error> {
        let space = keeping.bytes(self.taken, self.store.free()?);
        Ok(self.taken.saturating_add(bytes) <= space)
    }

    /// Makes room for so many bytes by deleting states that nobody needs, the oldest first; none if that is not enough
    /// even where `own` bytes more are free.
    pub(super) fn make(&mut self, bytes: u64, own: u64, keeping: Keeping) -> Result<Gone, Error> {
        let store = self.store;
        let mut files = census::walk(&store.root.join("ckpt"))?;
        self.set(total(&files))?;
        let space = keeping.bytes(self.taken, store.free()?);
        let wanted = self.taken.saturating_add(bytes);
        if wanted <= space || bytes > space {
            return Ok(Gone::default());
        }
        files.sort_by_key(|file| file.modified);
        let is_needed = needed(store)?;
        let (mut victims, mut left) = (Vec::new(), wanted);
        for file in files {
            if left <= space && left.saturating_sub(file.bytes) < space - space / SPARE {
                break;
            }
            if !is_needed(&file.path)? {
                left -= file.bytes;
                victims.push(file);
            }
        }
        let mut gone = Gone::default();
        if left.saturating_sub(own) > space {
            return Ok(gone);
        }
        for file in victims {
            if store.delete(&file.path)? {
                gone.states += 1;
                gone.bytes += file.bytes;
            }
        }
        self.set(self.taken - gone.bytes)?;
        Ok(gone)
    }

    /// To be told before a state comes.
    pub(super) fn comes(&mut self, bytes: u64) -> Result<(), Error> {
        self.set(self.taken.saturating_add(bytes))
    }

    /// Deletes a state.
    pub(super) fn goes(&mut self, path: &Path) -> Result<(), Error> {
        let bytes = length(path);
        fault::point("drop a state");
        match fs::remove_file(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Error::io("delete", path)(error)),
            Ok(()) => self.set(self.taken.saturating_sub(bytes)),
        }
    }

    /// Always the same length: a shorter one would leave an end of the old.
    fn set(&mut self, taken: u64) -> Result<(), Error> {
        self.taken = taken;
        fault::point("count kept states");
        let file = sealed::seal(SUM, format!("{taken:020}\n").as_bytes());
        let written = self.sum.write_all_at(&file, 0);
        written.map_err(Error::io("write", &self.store.sum_path()))
    }
}

/// Whether a stage that runs or was interrupted needs a state: that is the deepest that it kept, or one that it began
/// from.
fn needed(store: &Store) -> Result<impl Fn(&Path) -> Result<bool, Error>, Error> {
    let roots = match census::roots(store, &[]) {
        // Then nobody knows what was interrupted: whatever has no result may have been.
        Err(Error::Damaged { .. }) => None,
        roots => Some(roots?),
    };
    let is_root = move |key: &Digest| roots.as_ref().is_none_or(|it| it.contains_key(key));
    Ok(move |path: &Path| {
        let Some(stage) = states::stage_of(path) else {
            return Ok(is_held(path));
        };
        let has_result = !numbers(&store.spread("ac", stage))?.is_empty();
        let standing = Standing::of(Some(stage), &is_root, |_| has_result);
        let of_a_run = standing == Standing::Needed || is_held(&store.log_path(stage));
        Ok((of_a_run && !has_deeper(path, stage)?) || is_held(path))
    })
}

/// Whether a stage has kept a deeper state than this one of its own.
fn has_deeper(path: &Path, stage: Digest) -> Result<bool, Error> {
    let folder = path.parent().expect("a state lies in its root's folder");
    let step = states::step_of(path);
    let others = census::walk(folder)?.into_iter().map(|file| file.path);
    let mut deeper = others.filter(|other| states::step_of(other) > step);
    Ok(deeper.any(|other| states::stage_of(&other) == Some(stage)))
}

/// The length of a file; 0 if it is not there.
pub(super) fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

/// Whether another process has a lock on a file.
pub(crate) fn is_held(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

fn total(files: &[census::Found]) -> u64 {
    files.iter().map(|file| file.bytes).sum()
}

/// None in a file that is new, or was torn.
fn sum_in(file: &[u8], path: &Path) -> Option<u64> {
    let body = sealed::open(SUM, file, path).ok()?;
    str::from_utf8(body).ok()?.trim_end().parse().ok()
}
