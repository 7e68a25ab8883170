//! Results brought to a remote and from it by hand, and a remote read as a whole.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;

use super::{Remote, blob_name, lock, numbered, record, record_name};
use crate::layout::{self, Place};
use crate::{Blob, Digest, Error, Flaw, Store, Verified, manifest};

/// How many results are moved at once: a store is slow to answer, and answers many.
const AT_ONCE: usize = 16;

/// What became of results that were to be moved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// How many results are there now and were not before.
    pub new: usize,
    /// How many were there.
    pub there: usize,
    /// The stages whose results the two hold differently: that of the remote counts.
    pub other: Vec<String>,
    /// The stages without a result to move, with why.
    pub left: BTreeMap<String, String>,
}

enum One {
    New,
    There,
    Other,
    Left(String),
}

impl Remote {
    /// Brings results of the cache, named by their stages, to the remote: outputs first, then the record. One that lacks
    /// an output is left out.
    ///
    /// # Errors
    ///
    /// If the cache or the remote cannot be read or written.
    pub fn push(&self, cache: &Store, results: &BTreeMap<String, Digest>) -> Result<Moved, Error> {
        let _presence = cache.enter()?;
        move_all(results, |key| {
            let Some(record) = cache.lookup(key)?.record else {
                return Ok(One::Left("the cache has no result of it".to_owned()));
            };
            if self.is_synced(key) && self.knew(key)? {
                return Ok(One::There);
            }
            for (name, blob) in &record.outputs {
                match cache.verify(blob.digest) {
                    Err(Error::NoBlob { .. }) => {
                        return Ok(One::Left(format!("the cache has lost its output `{name}`")));
                    }
                    Err(Error::Damaged { .. }) => {
                        return Ok(One::Left(format!("its output `{name}` is damaged")));
                    }
                    verified => verified?,
                }
            }
            if self.publish(cache, key)? {
                return Ok(One::New);
            }
            let taken = self.take(cache, key)?;
            let is_other = taken.is_some_and(|taken| taken.mismatch);
            Ok(if is_other { One::Other } else { One::There })
        })
    }

    /// Brings results, named by their stages, with all their outputs into the cache.
    ///
    /// # Errors
    ///
    /// If the cache cannot be written, or the remote cannot be read.
    pub fn pull(&self, cache: &Store, results: &BTreeMap<String, Digest>) -> Result<Moved, Error> {
        let _presence = cache.enter()?;
        move_all(results, |key| {
            let there = |blob: &Blob| cache.holds(blob);
            let here = cache.lookup(key)?.record;
            if here.is_some_and(|record| record.outputs.values().all(there)) {
                return Ok(One::There);
            }
            let Some(taken) = self.take(cache, key)? else {
                return Ok(One::Left("the remote has no result of it".to_owned()));
            };
            for (name, blob) in &taken.record.outputs {
                if !cache.holds(blob) && !self.fetch(cache, blob.digest)? {
                    return Ok(One::Left(format!(
                        "the remote has lost its output `{name}`"
                    )));
                }
            }
            Ok(if taken.mismatch { One::Other } else { One::New })
        })
    }

    /// The keys of all results that the remote had when it was first asked for them.
    ///
    /// # Errors
    ///
    /// If the remote cannot be read.
    pub fn results(&self) -> Result<&HashSet<Digest>, Error> {
        self.known()
    }

    /// Reads every record of the remote and every output that they name, and says what is damaged or lost. Nothing is
    /// changed: the next run that needs a damaged result makes it again.
    ///
    /// # Errors
    ///
    /// If the remote cannot be read.
    pub fn verify_all(&self) -> Result<Verified, Error> {
        let names = self.objects().list("ac")?;
        let (verified, seen) = (Mutex::new(Verified::default()), Mutex::new(HashSet::new()));
        in_parallel(&names, |name| {
            let Some((key, number)) = numbered(name) else {
                let path = self.path_of(name);
                lock(&verified).flaws.push(Flaw::Stray { path });
                return Ok(());
            };
            if lock(&self.voids).contains(&(key, number)) {
                return Ok(());
            }
            let Some(file) = self.read(&record_name("ac", key, number))? else {
                return Ok(());
            };
            count(&verified, file.len() as u64);
            let record = match record::from_bytes(&file, name) {
                Ok((record, _)) if record.key == key => record,
                Ok(_) | Err(Error::Damaged { .. }) => {
                    lock(&verified).flaws.push(self.damaged("record", name));
                    return Ok(());
                }
                Err(error) => return Err(error),
            };
            for (output, blob) in record.outputs.iter().filter(|it| !record::is_inside(it.1)) {
                if !lock(&seen).insert(blob.digest) {
                    continue;
                }
                let Some(mut contents) = self.objects().read(&blob_name(blob.digest))? else {
                    lock(&verified).flaws.push(Flaw::LostOutput {
                        key,
                        kind: manifest::kind(&record.manifest).unwrap_or_default(),
                        output: output.clone(),
                        digest: blob.digest,
                    });
                    continue;
                };
                let mut hasher = blake3::Hasher::new();
                let name = blob_name(blob.digest);
                let read = io::copy(&mut contents, &mut hasher);
                count(
                    &verified,
                    read.map_err(Error::io("read", &self.path_of(&name)))?,
                );
                if Digest::from(hasher.finalize()) != blob.digest {
                    lock(&verified).flaws.push(self.damaged("output", &name));
                }
            }
            Ok(())
        })?;
        let mut verified = lock(&verified).clone();
        verified.flaws.sort();
        Ok(verified)
    }

    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        Path::new(&self.shown).join("v1").join(name)
    }

    fn damaged(&self, what: &str, name: &str) -> Flaw {
        Flaw::Damaged {
            what: what.to_owned(),
            path: self.path_of(name),
            aside: None,
        }
    }
}

impl Store {
    /// All results that the cache has, by the kinds and keys of their stages: a result does not know which studies have
    /// it.
    ///
    /// # Errors
    ///
    /// If the cache cannot be read.
    pub fn all_results(&self) -> Result<BTreeMap<String, Digest>, Error> {
        let mut results = BTreeMap::new();
        for file in layout::walk(self.root())? {
            if let Place::Record { key, .. } = self.place(&file.path)
                && let Some(record) = self.lookup(key)?.record
            {
                let kind = manifest::kind(&record.manifest).unwrap_or_default();
                results.insert(format!("{kind} {}", &key.to_string()[..12]), key);
            }
        }
        Ok(results)
    }
}

fn count(verified: &Mutex<Verified>, bytes: u64) {
    let mut verified = lock(verified);
    verified.files += 1;
    verified.bytes += bytes;
}

fn move_all(
    results: &BTreeMap<String, Digest>,
    one: impl Fn(Digest) -> Result<One, Error> + Sync,
) -> Result<Moved, Error> {
    let results: Vec<_> = results.iter().collect();
    let moved = Mutex::new(Moved::default());
    in_parallel(&results, |&(stage, &key)| {
        let became = one(key)?;
        let mut moved = lock(&moved);
        match became {
            One::New => moved.new += 1,
            One::There => moved.there += 1,
            One::Other => moved.other.push(stage.clone()),
            One::Left(why) => drop(moved.left.insert(stage.clone(), why)),
        }
        Ok(())
    })?;
    let mut moved = lock(&moved).clone();
    moved.other.sort();
    Ok(moved)
}

/// Does something with each of these, [`AT_ONCE`] at a time, and ends with the first error.
pub(super) fn in_parallel<T: Sync>(
    items: &[T],
    one: impl Fn(&T) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<(), Error> {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = one(item) {
                next.store(items.len(), Ordering::Relaxed);
                return Err(error);
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads = AT_ONCE.min(items.len());
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().expect("moving does not panic"))
    })
}
