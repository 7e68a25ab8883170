//! What executes a stage is given, and what it gives back.

use std::collections::{BTreeMap, HashMap};
use std::error::Error as StdError;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};

use crate::files::hash_file;
use crate::folders::{self, There};
use crate::frozen;
use crate::worker::Wire;
use crate::{Absent, Blob, Digest, Error, Manifest, Progress, Site, Store};

/// Contents of inputs kept in memory between stages, in bytes.
const INPUTS_KEPT: usize = 1 << 30;

/// Inputs of more bytes are copied without being held in memory.
const COPIED_IN_MEMORY: u64 = 1 << 20;

/// What executes stages of every kind.
pub trait Execute {
    /// Executes a stage. The output must be a function of manifest and inputs alone.
    ///
    /// # Errors
    ///
    /// Any error fails the stage; it is reported with its sources.
    fn execute(&mut self, job: &Job<'_>) -> Result<Output, Box<dyn StdError + Send + Sync>>;
}

/// What a stage results in.
#[derive(Debug, Clone, Default)]
pub struct Output {
    /// The outputs by name.
    pub blobs: BTreeMap<String, Contents>,
    /// Small facts that are a function of the manifest too, such as an outcome.
    pub notes: Map<String, Value>,
    /// The circumstances: the actual device, versions of crates.
    pub provenance: Map<String, Value>,
}

/// What an output holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contents {
    /// This.
    Bytes(Vec<u8>),
    /// What [`Job::store_output`] has stored.
    Stored(Blob),
}

impl From<Vec<u8>> for Contents {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl Contents {
    /// How long it is, in bytes.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Stored(blob) => blob.bytes,
        }
    }
}

/// A stage to execute: its manifest, its verified inputs, the site, and nothing else.
pub struct Job<'a> {
    pub(crate) manifest: &'a Manifest,
    pub(crate) site: &'a Site,
    pub(crate) files: &'a BTreeMap<String, PathBuf>,
    /// Folders as a frozen plan has them: packed in blobs.
    pub(crate) packs: &'a BTreeMap<String, Digest>,
    pub(crate) store: &'a Store,
    pub(crate) inputs: &'a Mutex<Inputs>,
    pub(crate) absent: &'a [Absent],
    pub(crate) lost: Mutex<Option<Digest>>,
    /// Whether an output could not be stored.
    pub(crate) unstored: AtomicBool,
    /// Checkpoints that it read, held so that they stay while it runs.
    pub(crate) begun_from: Mutex<Vec<File>>,
    pub(crate) wire: &'a Wire,
    pub(crate) interrupted: &'a AtomicBool,
}

impl Job<'_> {
    /// What the result depends on. An executor that keeps what it made of an input finds it again
    /// by the digest there.
    pub fn manifest(&self) -> &Manifest {
        self.manifest
    }

    /// Inputs that are not there yet: none, but where a stage is asked what it would give [so far](crate::so_far()).
    pub fn absent(&self) -> &[Absent] {
        self.absent
    }

    /// What the result must not depend on.
    pub fn site(&self) -> &Site {
        self.site
    }

    /// The contents of an input. Kept in memory for later stages as far as there is room.
    ///
    /// # Errors
    ///
    /// If there is no such input, or its contents are not there or not those of the manifest. The
    /// engine then sees to it that they are made again.
    pub fn read(&self, name: &str) -> Result<Arc<Vec<u8>>, Error> {
        let (digest, file) = self.input(name)?;
        if let Some(path) = file {
            let contents = fs::read(path).map_err(Error::io("read the input file", path))?;
            let unchanged = Digest::of(&contents) == digest;
            return unchanged
                .then(|| Arc::new(contents))
                .ok_or_else(|| Error::InputChanged { path: path.clone() });
        }
        if let Some(contents) = lock(self.inputs).get(digest) {
            return Ok(contents);
        }
        let contents = self.of_store(digest, self.store.read(digest))?;
        Ok(lock(self.inputs).keep(digest, contents))
    }

    /// Opens an input whose contents were checked, to be read piece by piece.
    ///
    /// # Errors
    ///
    /// As those of [`read`](Self::read).
    pub fn open(&self, name: &str) -> Result<File, Error> {
        let (digest, file) = self.input(name)?;
        let path = if let Some(path) = file {
            let found = hash_file(path).map_err(Error::io("read the input file", path))?;
            if found != digest {
                return Err(Error::InputChanged { path: path.clone() });
            }
            path.clone()
        } else {
            self.of_store(digest, self.store.verify(digest))?;
            self.store.blob_path(digest)
        };
        File::open(&path).map_err(Error::io("read", &path))
    }

    /// Copies an input to a file that is not there yet: how many bytes it has. A large one is not held in memory.
    ///
    /// # Errors
    ///
    /// As those of [`read`](Self::read), or if the file cannot be written.
    pub fn copy(&self, name: &str, to: &Path) -> Result<u64, Error> {
        let (digest, file) = self.input(name)?;
        let from = file.map_or_else(|| self.store.blob_path(digest), Clone::clone);
        let write = |error| Error::io("write", to)(error);
        if fs::metadata(&from).is_ok_and(|file| file.len() <= COPIED_IN_MEMORY) {
            let contents = self.read(name)?;
            fs::write(to, &**contents).map_err(write)?;
            return Ok(contents.len() as u64);
        }
        let mut input = self.open(name)?;
        let mut output = File::create_new(to).map_err(write)?;
        io::copy(&mut input, &mut output).map_err(write)
    }

    /// Stores an output as it is written, so that it need not fit into memory.
    ///
    /// # Errors
    ///
    /// If the cache cannot be written; else what `write` gives.
    pub fn store_output<E: From<Error>>(
        &self,
        write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
    ) -> Result<Contents, E> {
        match self.store.put_written(write) {
            Ok(stored) => stored.map(Contents::Stored),
            Err(error) => {
                self.unstored.store(true, Ordering::Relaxed);
                Err(error.into())
            }
        }
    }

    /// The digest of an input, and its file where it is no part of the cache.
    fn input(&self, name: &str) -> Result<(Digest, Option<&PathBuf>), Error> {
        let missing = || Error::NoInput {
            name: name.to_owned(),
        };
        let digest = *self.manifest.inputs().get(name).ok_or_else(missing)?;
        Ok((digest, self.files.get(name)))
    }

    /// What the store gave of an input. Where it is lost, its stage is made again.
    fn of_store<T>(&self, digest: Digest, given: Result<T, Error>) -> Result<T, Error> {
        if let Err(Error::Damaged { .. }) = given {
            self.store.set_aside_blob(digest)?;
        }
        if let Err(Error::Damaged { .. } | Error::NoBlob { .. }) = given {
            *lock(&self.lost) = Some(digest);
        }
        given
    }

    /// Copies an input into a new folder, if it is one that is no part of the cache: a folder, or what fits a pattern.
    /// Gives the length of its files in bytes; none where it is one file.
    ///
    /// # Errors
    ///
    /// If it cannot be read or copied, or is not what it was when the run started.
    pub fn copy_folder(&self, name: &str, to: &Path) -> Result<Option<u64>, Error> {
        if let Some(&pack) = self.packs.get(name) {
            self.of_store(pack, self.store.verify(pack))?;
            let path = self.store.blob_path(pack);
            let (digest, bytes) = frozen::unpack(&path, to)?;
            let is_it = self.manifest.inputs().get(name) == Some(&digest);
            return is_it.then_some(Some(bytes)).ok_or(Error::Damaged { path });
        }
        let Some(path) = self.files.get(name) else {
            return Ok(None);
        };
        let There::Folder(entries) = folders::there(path)? else {
            return Ok(None);
        };
        let (digest, bytes) = folders::copy(&entries, to)?;
        let unchanged = self.manifest.inputs().get(name) == Some(&digest);
        unchanged
            .then_some(Some(bytes))
            .ok_or_else(|| Error::InputChanged { path: path.clone() })
    }

    /// A file in the cache for what is worth keeping if this attempt fails or is killed: the next one finds it there, on
    /// this machine. The executor removes it once it is of no use; gc does so when it is old.
    ///
    /// # Errors
    ///
    /// If its folder cannot be made.
    pub fn unfinished(&self) -> Result<PathBuf, Error> {
        let key = crate::manifest::key(&self.manifest.text());
        let folder = self.store.root().join("tmp");
        self.store.create_folder(&folder)?;
        Ok(folder.join(key.to_string()))
    }

    /// Reports how far the stage is. Cheap: most calls do nothing.
    pub fn progress(&self, progress: impl FnOnce() -> Progress) {
        self.wire.progress(progress);
    }
}

/// Contents of inputs by digest; what was not used for longest goes first.
#[derive(Default)]
pub(crate) struct Inputs {
    kept: HashMap<Digest, (Arc<Vec<u8>>, u64)>,
    /// Contents that are nowhere else.
    pinned: HashMap<Digest, Arc<Vec<u8>>>,
    bytes: usize,
    clock: u64,
}

impl Inputs {
    fn get(&mut self, digest: Digest) -> Option<Arc<Vec<u8>>> {
        if let Some(contents) = self.pinned.get(&digest) {
            return Some(Arc::clone(contents));
        }
        self.clock += 1;
        let (contents, used) = self.kept.get_mut(&digest)?;
        *used = self.clock;
        Some(Arc::clone(contents))
    }

    /// Keeps contents that are in no store.
    pub(crate) fn pin(&mut self, digest: Digest, contents: Arc<Vec<u8>>) {
        self.pinned.insert(digest, contents);
    }

    fn keep(&mut self, digest: Digest, contents: Vec<u8>) -> Arc<Vec<u8>> {
        let contents = Arc::new(contents);
        if contents.len() > INPUTS_KEPT {
            return contents;
        }
        self.clock += 1;
        self.bytes += contents.len();
        while self.bytes > INPUTS_KEPT {
            let oldest = self
                .kept
                .iter()
                .min_by_key(|(_, (_, used))| *used)
                .map(|(&digest, _)| digest);
            let (gone, _) = oldest
                .and_then(|digest| self.kept.remove(&digest))
                .expect("what is over the limit is kept");
            self.bytes -= gone.len();
        }
        self.kept
            .insert(digest, (Arc::clone(&contents), self.clock));
        contents
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
