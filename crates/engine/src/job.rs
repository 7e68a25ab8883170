//! What executes a stage is given, and what it gives back.

use std::collections::{BTreeMap, HashMap};
use std::error::Error as StdError;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};

use crate::folders::{self, There};
use crate::worker::Wire;
use crate::{Digest, Error, Manifest, Progress, Site, Store};

/// Contents of inputs kept in memory between stages, in bytes.
const INPUTS_KEPT: usize = 1 << 30;

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
    pub blobs: BTreeMap<String, Vec<u8>>,
    /// Small facts that are a function of the manifest too, such as an outcome.
    pub notes: Map<String, Value>,
    /// The circumstances: the actual device, versions of crates.
    pub provenance: Map<String, Value>,
}

/// A stage to execute: its manifest, its verified inputs, the site, and nothing else.
pub struct Job<'a> {
    pub(crate) manifest: &'a Manifest,
    pub(crate) site: &'a Site,
    pub(crate) files: &'a BTreeMap<String, PathBuf>,
    pub(crate) store: &'a Store,
    pub(crate) inputs: &'a Mutex<Inputs>,
    pub(crate) lost: Mutex<Option<Digest>>,
    /// States that it read, held so that they stay while it runs.
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
        let missing = || Error::NoInput {
            name: name.to_owned(),
        };
        let digest = *self.manifest.inputs().get(name).ok_or_else(missing)?;
        if let Some(path) = self.files.get(name) {
            let contents = fs::read(path).map_err(Error::io("read the input file", path))?;
            let unchanged = Digest::of(&contents) == digest;
            return unchanged
                .then(|| Arc::new(contents))
                .ok_or_else(|| Error::InputChanged { path: path.clone() });
        }
        if let Some(contents) = lock(self.inputs).get(digest) {
            return Ok(contents);
        }
        match self.store.read(digest) {
            Ok(contents) => Ok(lock(self.inputs).keep(digest, contents)),
            Err(error) => {
                if let Error::Damaged { .. } = error {
                    self.store.set_aside_blob(digest)?;
                }
                if let Error::Damaged { .. } | Error::NoBlob { .. } = error {
                    *lock(&self.lost) = Some(digest);
                }
                Err(error)
            }
        }
    }

    /// Copies an input into a new folder, if it is one that is no part of the cache: a folder, or what fits a pattern.
    /// Gives the length of its files in bytes; none where it is one file.
    ///
    /// # Errors
    ///
    /// If it cannot be read or copied, or is not what it was when the run started.
    pub fn copy_folder(&self, name: &str, to: &Path) -> Result<Option<u64>, Error> {
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
        fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
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
    bytes: usize,
    clock: u64,
}

impl Inputs {
    fn get(&mut self, digest: Digest) -> Option<Arc<Vec<u8>>> {
        self.clock += 1;
        let (contents, used) = self.kept.get_mut(&digest)?;
        *used = self.clock;
        Some(Arc::clone(contents))
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
