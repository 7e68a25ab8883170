//! How much of a cache is what, and whose: what `du` and `list` say and gc counts with.
//!
//! Not a check: what lies there is believed to be what its name says. See [`crate::verify`] for that.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::history::{self, History};
use crate::layout::{self, Found, Place};
use crate::{Digest, Error, Record, Store, journal, manifest, pins, sealed};

/// What lies under one key.
#[derive(Debug, Default)]
pub(crate) struct KeyFiles {
    pub(crate) records: Vec<Found>,
    /// Of records that are served: not void.
    pub(crate) outputs: BTreeSet<Digest>,
    pub(crate) kind: Option<String>,
    pub(crate) voids: Vec<Found>,
    pub(crate) failures: Vec<Found>,
    pub(crate) log: Option<Found>,
}

impl KeyFiles {
    pub(crate) fn files(&self) -> impl Iterator<Item = &Found> {
        // Records first: without one nothing is missed.
        let rest = self.failures.iter().chain(&self.log).chain(&self.voids);
        self.records.iter().chain(rest)
    }

    /// Whether there is more than a failure and its log.
    pub(crate) fn has_result(&self) -> bool {
        !self.records.is_empty()
    }

    /// When it was last added to.
    pub(crate) fn modified(&self) -> SystemTime {
        let times = self.files().map(|file| file.modified);
        times.max().unwrap_or(SystemTime::UNIX_EPOCH)
    }

    fn read_records(&mut self) -> Result<(), Error> {
        let name = |file: &Found| file.path.file_name().map(ToOwned::to_owned);
        let void: Vec<_> = self.voids.iter().map(name).collect();
        for file in &self.records {
            let bytes = match fs::read(&file.path) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                bytes => bytes.map_err(Error::io("read", &file.path))?,
            };
            let record = match sealed::open("record", &bytes, &file.path) {
                Ok(body) => serde_json::from_slice::<Record>(body).ok(),
                Err(Error::Damaged { .. }) => None,
                Err(error) => return Err(error),
            };
            let Some(record) = record else { continue };
            self.kind = manifest::kind(&record.manifest);
            if !void.contains(&name(file)) {
                let digests = record.outputs.values().map(|blob| blob.digest);
                self.outputs.extend(digests);
            }
        }
        Ok(())
    }
}

/// All of a cache.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    pub(crate) keys: BTreeMap<Digest, KeyFiles>,
    pub(crate) blobs: HashMap<Digest, Found>,
    pub(crate) checkpoints: Vec<Found>,
    pub(crate) file_digests: Vec<Found>,
    pub(crate) aside: Vec<Found>,
    pub(crate) temporary: Vec<Found>,
    /// The rest: histories, journals, pins.
    pub(crate) other: Vec<Found>,
}

impl Inventory {
    pub(crate) fn read(store: &Store) -> Result<Self, Error> {
        let mut all = Self::default();
        for file in layout::walk(store.root())? {
            let place = store.place(&file.path);
            match place {
                Place::Blob(digest) => {
                    all.blobs.insert(digest, file);
                }
                Place::Record { key, .. } => all.at(key).records.push(file),
                Place::Void(key) => all.at(key).voids.push(file),
                Place::Failure(key) => all.at(key).failures.push(file),
                Place::Log(key) => all.at(key).log = Some(file),
                Place::Checkpoint => all.checkpoints.push(file),
                Place::FileDigest => all.file_digests.push(file),
                Place::Aside => all.aside.push(file),
                Place::Temporary => all.temporary.push(file),
                Place::History
                | Place::Journal
                | Place::Pin
                | Place::Lock
                | Place::Synced
                | Place::Stray => {
                    all.other.push(file);
                }
            }
        }
        all.keys.values_mut().try_for_each(KeyFiles::read_records)?;
        Ok(all)
    }

    fn at(&mut self, key: Digest) -> &mut KeyFiles {
        self.keys.entry(key).or_default()
    }

    /// Every file, with a word for what it is.
    fn files(&self) -> impl Iterator<Item = (&'static str, &Found)> {
        let of_keys = self.keys.values().flat_map(|key| {
            let records = key.records.iter().chain(&key.voids);
            let records = records.map(|file| ("records", file));
            let failures = key.failures.iter().map(|file| ("failures", file));
            records
                .chain(failures)
                .chain(key.log.iter().map(|file| ("logs", file)))
        });
        let lists = [
            ("checkpoints", &self.checkpoints),
            ("digests of input files", &self.file_digests),
            ("set aside", &self.aside),
            ("left over", &self.temporary),
            ("histories, journals and pins", &self.other),
        ];
        let lists = lists
            .into_iter()
            .flat_map(|(what, files)| files.iter().map(move |it| (what, it)));
        let blobs = self.blobs.values().map(|file| ("outputs", file));
        blobs.chain(of_keys).chain(lists)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.files().map(|(_, file)| file.bytes).sum()
    }
}

/// How much of the cache is what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Bytes and files by what they are: `outputs`, `records`, `logs`, ...
    pub by_kind: BTreeMap<String, (u64, u64)>,
    /// Bytes in all.
    pub bytes: u64,
    /// Files in all.
    pub files: u64,
}

/// What a study that ran on the cache has there, or what no study has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StudyUsage {
    /// Its name; none for results that no study and no pin refers to.
    pub study: Option<String>,
    /// Results.
    pub results: usize,
    /// Results of these that are not there.
    pub missing: usize,
    /// Bytes of its results. Two studies may share some.
    pub bytes: u64,
    /// When it last ran, or the newest result was made, in seconds since 1970.
    pub last: u64,
}

impl Store {
    /// How much of the cache is what.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or a newer version of the program wrote to it.
    pub fn usage(&self) -> Result<Usage, Error> {
        let mut usage = Usage::default();
        for (what, file) in Inventory::read(self)?.files() {
            let (bytes, files) = usage.by_kind.entry(what.to_owned()).or_default();
            *bytes += file.bytes;
            *files += 1;
            usage.bytes += file.bytes;
            usage.files += 1;
        }
        Ok(usage)
    }

    /// The studies on this cache, then what none of them refers to.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or a newer version of the program wrote to it.
    pub fn studies(&self) -> Result<Vec<StudyUsage>, Error> {
        let inventory = Inventory::read(self)?;
        let results = inventory
            .keys
            .iter()
            .filter(|(_, files)| files.has_result());
        let mut unreferenced: BTreeSet<Digest> = results.map(|(key, _)| *key).collect();
        let mut studies = Vec::new();
        for folder in history::folders(self)? {
            let Some(study) = history::study(&folder) else {
                continue;
            };
            let history = History::load(self, &study)?;
            let mut keys: BTreeSet<Digest> = history.keys().map(|(_, key)| key).collect();
            let mut last = modified(&folder.join("last"));
            for path in journal::paths(&folder)? {
                if let Some(run) = journal::read(&path)? {
                    last = last.max(run.last);
                    if run.end.is_none() {
                        keys.extend(run.keys.iter().map(|(_, key)| *key));
                    }
                }
            }
            unreferenced.retain(|key| !keys.contains(key));
            studies.push(usage_of(&inventory, Some(study), &keys, last));
        }
        let pins = pins::all(self)?.into_values();
        for key in pins.flat_map(|pin| pin.stages.into_values()) {
            unreferenced.remove(&key);
        }
        let newest = unreferenced
            .iter()
            .map(|key| inventory.keys[key].modified());
        if let Some(newest) = newest.max() {
            studies.push(usage_of(&inventory, None, &unreferenced, newest));
        }
        Ok(studies)
    }

    /// The results that a study had when it last ran, by the names of its stages.
    ///
    /// # Errors
    ///
    /// If its history cannot be read.
    pub fn results_of(&self, study: &str) -> Result<BTreeMap<String, Digest>, Error> {
        let history = History::load(self, study)?;
        Ok(history
            .keys()
            .map(|(name, key)| (name.to_owned(), key))
            .collect())
    }

    /// What a file of this cache is.
    pub(crate) fn place(&self, path: &Path) -> Place {
        path.strip_prefix(self.root())
            .map_or(Place::Stray, Place::of)
    }
}

fn usage_of(
    inventory: &Inventory,
    study: Option<String>,
    keys: &BTreeSet<Digest>,
    last: SystemTime,
) -> StudyUsage {
    let results: Vec<&KeyFiles> = keys
        .iter()
        .filter_map(|key| inventory.keys.get(key))
        .collect();
    let outputs: BTreeSet<&Digest> = results.iter().flat_map(|it| &it.outputs).collect();
    let blobs = outputs
        .into_iter()
        .filter_map(|blob| inventory.blobs.get(blob));
    let files = results
        .iter()
        .flat_map(|result| result.files())
        .chain(blobs);
    StudyUsage {
        study,
        results: results.len(),
        missing: keys.len() - results.len(),
        bytes: files.map(|file| file.bytes).sum(),
        last: last
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs(),
    }
}

fn modified(path: &Path) -> SystemTime {
    fs::metadata(path)
        .and_then(|file| file.modified())
        .unwrap_or(SystemTime::UNIX_EPOCH)
}
