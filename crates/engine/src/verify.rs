//! Reading all of a cache to see whether it holds what was written to it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;

use crate::files::hash_file;
use crate::history::{self, History};
use crate::job::lock;
use crate::layout::{self, Found, Place};
use crate::store::presence::cannot_write;
use crate::{Digest, Error, Record, Store, checkpoints, journal, manifest, sealed};

/// What is wrong with a cache, and how much of it was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Files that were checked.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// What is wrong.
    pub flaws: Vec<Flaw>,
}

/// Something that is wrong with a cache.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Flaw {
    /// A file does not hold what was written to it.
    Damaged {
        /// What it is: `output`, `record`, `failure`, ...
        what: String,
        /// The file.
        #[serde(serialize_with = "crate::lossy::serialize")]
        path: PathBuf,
        /// Where it was moved to; none if the cache cannot be written, or it is worth keeping.
        #[serde(serialize_with = "crate::lossy::option::serialize")]
        aside: Option<PathBuf>,
    },
    /// An output of a result is not there.
    LostOutput {
        /// The key of the result.
        key: Digest,
        /// The kind of its stage.
        kind: String,
        /// The output.
        output: String,
        /// The digest of its contents.
        digest: Digest,
    },
    /// A result that a study had when it last ran is not there.
    LostResult {
        /// The study.
        study: String,
        /// The stage.
        stage: String,
    },
    /// A file that does not belong into a cache.
    Stray {
        /// The file.
        #[serde(serialize_with = "crate::lossy::serialize")]
        path: PathBuf,
    },
}

impl Store {
    /// Checks every file of the cache, on so many threads. What is damaged is set aside, so that it
    /// is computed again when it is needed.
    ///
    /// # Errors
    ///
    /// If the cache cannot be read, or a newer version of the program wrote to it.
    ///
    /// # Panics
    ///
    /// If a thread that checks does.
    pub fn verify_all(&self, threads: usize) -> Result<Verified, Error> {
        let files = layout::walk(self.root())?;
        let next = AtomicUsize::new(0);
        let seen: Mutex<Seen> = Mutex::default();
        let work = || -> Result<(), Error> {
            while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                self.check(file, &seen)?;
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
            workers
                .into_iter()
                .try_for_each(|worker| worker.join().expect("checking does not panic"))
        })?;
        let mut seen = seen
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        // What is damaged is said once, not as lost too.
        for (_, path) in &seen.damaged {
            if let Place::Blob(digest) | Place::Record { key: digest, .. } = self.place(path) {
                seen.reported.insert(digest);
            }
        }
        for (what, path) in std::mem::take(&mut seen.damaged) {
            let flaw = self.damaged(what, path)?;
            seen.verified.flaws.push(flaw);
        }
        self.lost(&mut seen)?;
        seen.verified.flaws.sort();
        Ok(seen.verified)
    }

    fn check(&self, file: &Found, seen: &Mutex<Seen>) -> Result<(), Error> {
        let path = &file.path;
        let read = || fs::read(path).map_err(Error::io("read", path));
        let sealed = |kind: &str| Ok::<_, Error>(unseal(kind, &read()?, path)?.is_some());
        let (what, sound) = match self.place(path) {
            Place::Log(_) | Place::Aside | Place::Temporary | Place::Lock | Place::Synced => {
                return Ok(());
            }
            Place::Stray => {
                let flaw = Flaw::Stray { path: path.clone() };
                lock(seen).verified.flaws.push(flaw);
                return Ok(());
            }
            Place::Blob(digest) => match hash_file(path) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(Error::io("read", path)(error)),
                Ok(found) => {
                    if found == digest {
                        lock(seen).blobs.insert(digest, file.bytes);
                    }
                    ("output", found == digest)
                }
            },
            Place::Record { key, attempt } => {
                let record = unseal("record", &read()?, path)?;
                let record = record.and_then(|body| serde_json::from_slice::<Record>(&body).ok());
                let right = record.filter(|record| {
                    record.key == key
                        && record.attempt.to_string() == attempt
                        && manifest::key(&record.manifest) == key
                });
                let found = right.is_some();
                lock(seen).records.extend(right);
                ("record", found)
            }
            Place::Void(_) => ("void", sealed("void")?),
            Place::Failure(_) => ("failure", sealed("failure")?),
            Place::Checkpoint => ("checkpoint", sealed(checkpoints::SEAL)?),
            Place::FileDigest => ("file", sealed("file")?),
            Place::Pin => ("pin", sealed("pin")?),
            Place::History => ("index", sealed("index")?),
            Place::Journal => {
                let run = journal::read(path)?;
                let cut = run.as_ref().is_none_or(|run| run.damaged > 0);
                // A run that has just begun has no line yet.
                ("journal", !cut || file.bytes == 0)
            }
        };
        let mut seen = lock(seen);
        seen.verified.files += 1;
        seen.verified.bytes += file.bytes;
        if !sound {
            seen.damaged.push((what, path.clone()));
        }
        Ok(())
    }

    fn damaged(&self, what: &'static str, path: PathBuf) -> Result<Flaw, Error> {
        // The name of a void file alone says what it has to say; without it a wrong result would
        // be served.
        let keep = what == "void";
        let aside = if keep {
            None
        } else {
            match self.set_aside(what, &path) {
                Ok(()) => self.take_problems().pop().map(|problem| problem.path),
                Err(Error::Io { source, .. }) if cannot_write(&source) => None,
                Err(error) => return Err(error),
            }
        };
        let what = what.to_owned();
        Ok(Flaw::Damaged { what, path, aside })
    }

    /// What should be there and is not.
    fn lost(&self, seen: &mut Seen) -> Result<(), Error> {
        let mut served = HashSet::new();
        for record in &seen.records {
            let void = self.spread("void", record.key);
            if void.join(record.attempt.to_string()).exists() {
                continue;
            }
            served.insert(record.key);
            for (output, blob) in &record.outputs {
                if seen.reported.contains(&blob.digest) {
                    continue;
                }
                if seen.blobs.get(&blob.digest) != Some(&blob.bytes) && !self.holds(blob) {
                    seen.verified.flaws.push(Flaw::LostOutput {
                        key: record.key,
                        kind: manifest::kind(&record.manifest).unwrap_or_default(),
                        output: output.clone(),
                        digest: blob.digest,
                    });
                }
            }
        }
        for folder in history::folders(self)? {
            let Some(study) = history::study(&folder) else {
                continue;
            };
            let history = match History::load(self, &study) {
                // Reported as a file already.
                Err(Error::Damaged { .. }) => continue,
                history => history?,
            };
            let mut lost: BTreeMap<&str, Digest> = history.keys().collect();
            lost.retain(|_, key| !served.contains(key) && !seen.reported.contains(key));
            for stage in lost.into_keys() {
                seen.verified.flaws.push(Flaw::LostResult {
                    study: study.clone(),
                    stage: stage.to_owned(),
                });
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Seen {
    verified: Verified,
    damaged: Vec<(&'static str, PathBuf)>,
    records: Vec<Record>,
    blobs: HashMap<Digest, u64>,
    /// Blobs and keys of records that are damaged.
    reported: HashSet<Digest>,
}

/// None for what is damaged.
fn unseal(kind: &str, file: &[u8], path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match sealed::open(kind, file, path) {
        Ok(body) => Ok(Some(body.to_vec())),
        Err(Error::Damaged { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
