//! Where results are kept: immutable blobs named by their contents, and records named by keys.
//!
//! ```text
//! v1/cas/ab/<blake3>               a blob
//! v1/ac/ab/<key>/<attempt>         a record: outputs, manifest text, provenance
//! v1/void/ab/<key>/<attempt>       this record can no longer be served
//! v1/fail/ab/<key>/<n>             a failure: why, end of the log
//! v1/log/ab/<key>                  what the stage wrote; its lock is the claim to execute it
//! v1/ckpt/ab/<root>/<step>-<key>   how far a stage has come, to go on from
//! v1/run/<study>/last              which key and duration each stage had in the last run
//! v1/run/<study>/<start>-<pid>     what a run did as it went
//! v1/pin/<name>                    keys that gc keeps
//! v1/lock                          shared by runs; gc has it alone
//! v1/file/ab/<blake3 of path>      the digest of an input file, while it is untouched
//! v1/remote/<id>                   which results a remote is known to hold, too
//! v1/aside/                        what was found damaged
//! v1/tmp/                          what is being written
//! ```
//!
//! A result is published blobs first, record last; each file is staged and then named, which is
//! exclusive and atomic, and is read-only from then on. A key's result is the record of
//! its lowest attempt that is not void. Nothing is trusted: records check themselves, blobs are
//! hashed when a process first reads them. There is no fsync: what a power cut tears is found
//! damaged and computed again.

mod blobs;
mod disk;
pub(crate) mod presence;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::remote::Remote;
use crate::{Blob, Contents, Digest, Error, Provenance, Record, manifest, sealed};
pub(crate) use disk::{is_full, is_held, numbers, remove};

/// A cache folder.
#[derive(Debug)]
pub struct Store {
    cache: PathBuf,
    /// The folder `v1` in it.
    root: PathBuf,
    verified: Mutex<HashSet<Digest>>,
    problems: Mutex<Vec<Problem>>,
    /// The permissions of the cache's folder, where others than its owner may write to it.
    shared: Option<u32>,
    /// Whether it is a folder that machines share: nothing in it makes room, and where it has gone it is not made again.
    is_shared: bool,
    /// What is behind it.
    remote: Option<Arc<Remote>>,
}

/// A file of the cache that was found damaged and set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What it was: `blob`, `record`, `index`.
    pub what: String,
    /// Where it is now.
    #[serde(with = "crate::lossy")]
    pub path: PathBuf,
}

/// How an attempt at a stage ended without a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageFailure {
    /// Why.
    pub error: String,
    /// The end of its log.
    pub tail: String,
}

/// What the store has under a key.
#[derive(Debug, Default)]
pub struct Lookup {
    /// The result. Its blobs may be lost; see [`Store::holds`].
    pub record: Option<Arc<Record>>,
    /// Records that are damaged.
    pub damaged: Vec<PathBuf>,
}

impl Store {
    /// The store in a cache folder; creates it where there is none. A folder that cannot be
    /// written serves what it holds.
    ///
    /// # Errors
    ///
    /// If a newer version of the program wrote to it, or it is neither there nor can be created.
    pub fn open(cache: &Path) -> Result<Self, Error> {
        if !cache.is_dir() {
            fs::create_dir_all(cache).map_err(Error::io("create the cache", cache))?;
        }
        for entry in fs::read_dir(cache).map_err(Error::io("read the cache", cache))? {
            let entry = entry.map_err(Error::io("read the cache", cache))?;
            let version = entry
                .file_name()
                .to_str()
                .and_then(|name| name.strip_prefix('v')?.parse::<u32>().ok());
            if let Some(version) = version.filter(|&version| version > 1) {
                return Err(Error::Newer {
                    path: entry.path(),
                    version,
                });
            }
        }
        let folder = fs::metadata(cache).map_err(Error::io("read the cache", cache))?;
        let mode = folder.permissions().mode() & 0o777;
        let cache = fs::canonicalize(cache).map_err(Error::io("find the cache", cache))?;
        let store = Self {
            root: cache.join("v1"),
            cache,
            verified: Mutex::default(),
            problems: Mutex::default(),
            shared: Some(mode).filter(|mode| mode & 0o022 != 0),
            is_shared: false,
            remote: None,
        };
        if !store.root.is_dir() {
            store.create_folder(&store.root)?;
        }
        Ok(store)
    }

    /// From now on what this cache does not hold is looked for in a remote.
    pub fn put_before(&mut self, remote: Remote) {
        self.remote = Some(Arc::new(remote));
    }

    /// The remote behind it.
    pub fn remote(&self) -> Option<&Arc<Remote>> {
        self.remote.as_ref()
    }

    /// The result under a key, of the remote if it is not here: then it is kept here, too, unless it is packed.
    pub(crate) fn find(&self, key: Digest) -> Result<Lookup, Error> {
        let mut lookup = self.find_unasked(key)?;
        if lookup.record.is_none()
            && let Some(remote) = &self.remote
            && remote.knew(key)?
        {
            lookup.record = remote.take(self, key)?.map(|taken| taken.record);
        }
        Ok(lookup)
    }

    /// The result under a key that is here, or packed for the plan that is carried out: the remote is asked for nothing.
    pub(crate) fn find_unasked(&self, key: Digest) -> Result<Lookup, Error> {
        let mut lookup = self.lookup(key)?;
        if lookup.record.is_none()
            && let Some(remote) = &self.remote
        {
            lookup.record = remote.find_packed(key);
        }
        Ok(lookup)
    }

    /// Whether an output of a result is here or can be fetched.
    pub(crate) fn can_have(&self, key: Digest, blob: &Blob) -> bool {
        let remote = self.remote.as_ref();
        self.holds(blob) || remote.is_some_and(|remote| remote.holds(key, blob))
    }

    /// From now on deletes no checkpoint to make room for something else, and does not make the folder again where it
    /// has gone: it may have been unmounted.
    pub(crate) fn is_for_all(&mut self) {
        self.is_shared = true;
    }

    pub(crate) fn makes_room(&self) -> bool {
        !self.is_shared
    }

    /// The cache folder.
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// The result under a key. Changes nothing.
    ///
    /// # Errors
    ///
    /// If the cache cannot be read, or a newer version of the program wrote the record.
    pub fn lookup(&self, key: Digest) -> Result<Lookup, Error> {
        let mut lookup = Lookup::default();
        // Nearly always there is one attempt or none: then this is one file read.
        if self.look_at(key, 1, &mut lookup)? {
            return Ok(lookup);
        }
        for attempt in numbers(&self.spread("ac", key))? {
            if attempt != 1 && self.look_at(key, attempt, &mut lookup)? {
                break;
            }
        }
        Ok(lookup)
    }

    fn look_at(&self, key: Digest, attempt: u32, lookup: &mut Lookup) -> Result<bool, Error> {
        let path = self.spread("ac", key).join(attempt.to_string());
        let file = match fs::read(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(Error::io("read", &path)(error)),
        };
        if self.spread("void", key).join(attempt.to_string()).exists() {
            return Ok(false);
        }
        let record = match sealed::open("record", &file, &path) {
            Ok(body) => serde_json::from_slice::<Record>(body).ok(),
            Err(Error::Damaged { .. }) => None,
            Err(error) => return Err(error),
        };
        lookup.record = record
            .filter(|record| record.key == key && record.attempt == attempt)
            .map(Arc::new);
        if lookup.record.is_none() {
            lookup.damaged.push(path);
        }
        Ok(lookup.record.is_some())
    }

    /// Publishes a result and gives its record: the one that is there if it promises these
    /// outputs. A record that promises others becomes void.
    ///
    /// # Errors
    ///
    /// If the cache cannot be written.
    ///
    /// # Panics
    ///
    /// Never: records are plain JSON.
    pub fn publish(
        &self,
        text: &str,
        blobs: BTreeMap<String, Contents>,
        notes: Map<String, Value>,
        provenance: Provenance,
    ) -> Result<Arc<Record>, Error> {
        let key = manifest::key(text);
        let mut outputs = BTreeMap::new();
        for (name, contents) in blobs {
            let blob = match contents {
                Contents::Bytes(bytes) => self.put(&bytes)?,
                Contents::Stored(blob) => blob,
            };
            outputs.insert(name, blob);
        }
        let mut record = Record {
            key,
            attempt: 1,
            manifest: text.to_owned(),
            outputs,
            notes,
            provenance,
        };
        loop {
            let there = self.lookup(key)?;
            for path in there.damaged {
                self.set_aside("record", &path)?;
            }
            match there.record {
                Some(promised) if promised.outputs == record.outputs => return Ok(promised),
                Some(promised) => self.void(key, promised.attempt)?,
                None => {
                    let taken = [
                        numbers(&self.spread("ac", key))?,
                        numbers(&self.spread("void", key))?,
                    ];
                    record.attempt = taken.iter().flatten().max().map_or(1, |last| last + 1);
                    let body = serde_json::to_vec(&record).expect("a record has string keys only");
                    let path = self.spread("ac", key).join(record.attempt.to_string());
                    if self.create(&path, &sealed::seal("record", &body))? {
                        return Ok(Arc::new(record));
                    }
                }
            }
        }
    }

    fn void(&self, key: Digest, attempt: u32) -> Result<(), Error> {
        let path = self.spread("void", key).join(attempt.to_string());
        // Whoever came first said the same.
        self.create(&path, &sealed::seal("void", b"recomputed to other bytes\n"))
            .map(drop)
    }

    /// Keeps the reason and the end of the log of a failed attempt.
    pub(crate) fn record_failure(&self, key: Digest, error: &str, tail: &str) -> Result<(), Error> {
        let folder = self.spread("fail", key);
        let failure = StageFailure {
            error: error.to_owned(),
            tail: tail.to_owned(),
        };
        let body = serde_json::to_vec(&failure).expect("a failure has string keys only");
        let file = sealed::seal("failure", &body);
        loop {
            let next = numbers(&folder)?.last().map_or(1, |last| last + 1);
            if self.create(&folder.join(next.to_string()), &file)? {
                return Ok(());
            }
        }
    }

    /// How a stage failed, from the first to the last time.
    ///
    /// # Errors
    ///
    /// If the cache cannot be read, or one was written by a newer version of the program.
    pub fn failures(&self, key: Digest) -> Result<Vec<StageFailure>, Error> {
        let folder = self.spread("fail", key);
        let mut failures = Vec::new();
        for number in numbers(&folder)? {
            let path = folder.join(number.to_string());
            let file = fs::read(&path).map_err(Error::io("read", &path))?;
            match sealed::open("failure", &file, &path) {
                Ok(body) => failures.extend(serde_json::from_slice::<StageFailure>(body).ok()),
                // Only that much less is known of what went wrong.
                Err(Error::Damaged { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(failures)
    }

    /// Where a stage's log is.
    pub fn log_path(&self, key: Digest) -> PathBuf {
        self.spread("log", key)
    }

    /// The problems found since this was last asked.
    pub fn take_problems(&self) -> Vec<Problem> {
        std::mem::take(&mut self.problems.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// `<folder>/ab/ab12...`: no folder grows to a hundred thousand entries.
    pub(crate) fn spread(&self, folder: &str, name: Digest) -> PathBuf {
        let name = name.to_string();
        let mut path = PathBuf::with_capacity(self.root.as_os_str().len() + name.len() + 16);
        path.extend([
            self.root.as_os_str(),
            folder.as_ref(),
            name[..2].as_ref(),
            name.as_ref(),
        ]);
        path
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }
}
