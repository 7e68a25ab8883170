//! Everything that lies in a cache: what gc, `du` and `list` count.
//!
//! Not a check: what lies there is believed to be what its name says. See [`crate::verify`] for that.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::history::{self, History};
use crate::store::states;
use crate::{Digest, Error, Record, Store, journal, manifest, pins, sealed};

/// A file of the cache.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) modified: SystemTime,
}

impl Found {
    /// None in the future of a clock that was set back.
    pub(crate) fn age(&self, now: SystemTime) -> Duration {
        now.duration_since(self.modified).unwrap_or_default()
    }
}

/// What lies under one key.
#[derive(Debug, Default)]
pub(crate) struct Result {
    pub(crate) records: Vec<Found>,
    /// Of records that are served: not void.
    pub(crate) outputs: BTreeSet<Digest>,
    pub(crate) kind: Option<String>,
    pub(crate) voids: Vec<Found>,
    pub(crate) failures: Vec<Found>,
    pub(crate) log: Option<Found>,
}

impl Result {
    pub(crate) fn files(&self) -> impl Iterator<Item = &Found> {
        // Records first: without one nothing is missed.
        let rest = self.failures.iter().chain(&self.log).chain(&self.voids);
        self.records.iter().chain(rest)
    }

    /// Whether there is more than a failure and its log.
    pub(crate) fn is_result(&self) -> bool {
        !self.records.is_empty()
    }

    /// When it was last added to.
    pub(crate) fn modified(&self) -> SystemTime {
        let times = self.files().map(|file| file.modified);
        times.max().unwrap_or(SystemTime::UNIX_EPOCH)
    }
}

/// A kept state.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) file: Found,
    /// The key of the stage that kept it, if that can be read.
    pub(crate) stage: Option<Digest>,
}

/// Whether a kept state may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// No study and no pin refers to the stage that kept it.
    Loose,
    /// Its stage is done.
    Done,
    /// Its stage will go on from it.
    Needed,
}

impl Standing {
    /// That of a state of this stage.
    pub(crate) fn of(
        stage: Option<Digest>,
        is_root: impl Fn(&Digest) -> bool,
        has_result: impl Fn(&Digest) -> bool,
    ) -> Self {
        match stage.filter(is_root) {
            None => Self::Loose,
            Some(key) if has_result(&key) => Self::Done,
            Some(_) => Self::Needed,
        }
    }
}

/// All of a cache.
#[derive(Debug, Default)]
pub(crate) struct Census {
    pub(crate) results: BTreeMap<Digest, Result>,
    pub(crate) blobs: HashMap<Digest, Found>,
    pub(crate) states: Vec<State>,
    pub(crate) memory: Vec<Found>,
    pub(crate) aside: Vec<Found>,
    pub(crate) unfinished: Vec<Found>,
    /// The rest: histories, journals, pins.
    pub(crate) other: Vec<Found>,
}

impl Census {
    pub(crate) fn take(store: &Store) -> std::result::Result<Self, Error> {
        let mut census = Self::default();
        for file in walk(store.root())? {
            let place: Vec<String> = file
                .path
                .strip_prefix(store.root())
                .unwrap_or(&file.path)
                .iter()
                .map(|part| part.to_string_lossy().into_owned())
                .collect();
            let parts: Vec<&str> = place.iter().map(String::as_str).collect();
            census.sort_in(&parts, file);
        }
        let Self { results, .. } = &mut census;
        for result in results.values_mut() {
            result.read_records()?;
        }
        Ok(census)
    }

    fn sort_in(&mut self, place: &[&str], file: Found) {
        let digest = |name: &str| name.parse::<Digest>().ok();
        match *place {
            ["cas", _, name] if digest(name).is_some() => {
                self.blobs.extend(digest(name).map(|name| (name, file)));
            }
            ["log", _, key] if digest(key).is_some() => {
                self.at(digest(key)).log = Some(file);
            }
            ["ac", _, key, _] if digest(key).is_some() => self.at(digest(key)).records.push(file),
            ["void", _, key, _] if digest(key).is_some() => self.at(digest(key)).voids.push(file),
            ["fail", _, key, _] if digest(key).is_some() => {
                self.at(digest(key)).failures.push(file);
            }
            ["ckpt", _, root, _] if digest(root).is_some() => self.states.push(State {
                stage: states::stage_of(&file.path),
                file,
            }),
            ["file", ..] => self.memory.push(file),
            ["aside", ..] => self.aside.push(file),
            ["tmp", ..] => self.unfinished.push(file),
            _ => self.other.push(file),
        }
    }

    fn at(&mut self, key: Option<Digest>) -> &mut Result {
        let key = key.expect("the name was looked at");
        self.results.entry(key).or_default()
    }

    pub(crate) fn bytes(&self) -> u64 {
        let results = self.results.values().flat_map(Result::files);
        let states = self.states.iter().map(|state| &state.file);
        let loose = [&self.memory, &self.aside, &self.unfinished, &self.other];
        total(results)
            + total(self.blobs.values())
            + total(states)
            + total(loose.into_iter().flatten())
    }
}

impl Result {
    fn read_records(&mut self) -> std::result::Result<(), Error> {
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

fn total<'a>(files: impl Iterator<Item = &'a Found>) -> u64 {
    files.map(|file| file.bytes).sum()
}

/// All files below a folder. What goes while it is walked is not there.
pub(crate) fn walk(root: &Path) -> std::result::Result<Vec<Found>, Error> {
    let (mut files, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            entries => entries.map_err(Error::io("read", &folder))?,
        };
        for entry in entries {
            let entry = entry.map_err(Error::io("read", &folder))?;
            let metadata = match entry.metadata() {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                metadata => metadata.map_err(Error::io("read", &entry.path()))?,
            };
            if metadata.is_dir() {
                folders.push(entry.path());
            } else {
                files.push(found(entry.path(), &metadata));
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn found(path: PathBuf, metadata: &Metadata) -> Found {
    Found {
        path,
        bytes: metadata.len(),
        modified: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
    }
}

/// What the cache needs: every key that a study or a pin refers to, with who does.
pub(crate) fn roots(
    store: &Store,
    forgotten: &[String],
) -> std::result::Result<HashMap<Digest, String>, Error> {
    let mut roots = HashMap::new();
    for folder in history::folders(store)? {
        let Some(study) = history::study(&folder).filter(|study| !forgotten.contains(study)) else {
            continue;
        };
        let by = format!("study {study}");
        for (_, key) in history_of(store, &study)?.keys() {
            roots.insert(key, by.clone());
        }
        // From the last run on, back to one that came to its own end: what was interrupted or killed before that one
        // went on with it or was given up.
        let mut ended = false;
        for path in journal::paths(&folder)?.into_iter().rev() {
            let run = journal::read(&path)?;
            if run.as_ref().is_none_or(|run| run.damaged > 0) && !is_empty(&path) {
                return Err(Error::Damaged { path });
            }
            let Some(run) = run else { continue };
            let own_end = run.end.as_ref().is_some_and(|end| !end.interrupted);
            if run.end.is_none() || (!own_end && !ended) {
                let keys = run.keys.iter().chain(&run.began);
                roots.extend(keys.map(|(_, key)| (*key, by.clone())));
            }
            // How the study failed last is of interest until it has run again.
            if !ended {
                roots.extend(run.failures().map(|key| (key, by.clone())));
            }
            ended |= own_end;
        }
    }
    for (name, pin) in pins::all(store)? {
        for key in pin.stages.into_values() {
            roots.entry(key).or_insert_with(|| format!("pin {name}"));
        }
    }
    Ok(roots)
}

fn history_of(store: &Store, study: &str) -> std::result::Result<History, Error> {
    History::load(store, study)
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

/// A study that ran on the cache, or what none refers to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tenant {
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
    pub fn usage(&self) -> std::result::Result<Usage, Error> {
        let census = Census::take(self)?;
        let mut usage = Usage::default();
        let mut add = |kind: &str, file: &Found| {
            let entry = usage.by_kind.entry(kind.to_owned()).or_default();
            *entry = (entry.0 + file.bytes, entry.1 + 1);
            usage.bytes += file.bytes;
            usage.files += 1;
        };
        census.blobs.values().for_each(|file| add("outputs", file));
        for state in &census.states {
            add("kept states", &state.file);
        }
        for result in census.results.values() {
            let records = result.records.iter().chain(&result.voids);
            records.for_each(|file| add("records", file));
            result
                .failures
                .iter()
                .for_each(|file| add("failures", file));
            result.log.iter().for_each(|file| add("logs", file));
        }
        for (kind, files) in [
            ("digests of input files", &census.memory),
            ("set aside", &census.aside),
            ("left over", &census.unfinished),
            ("histories, journals and pins", &census.other),
        ] {
            for file in files {
                add(kind, file);
            }
        }
        Ok(usage)
    }

    /// The studies on this cache, then what none of them refers to.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or a newer version of the program wrote to it.
    pub fn tenants(&self) -> std::result::Result<Vec<Tenant>, Error> {
        let census = Census::take(self)?;
        let results = census.results.iter().filter(|(_, one)| one.is_result());
        let mut loose: BTreeSet<Digest> = results.map(|(key, _)| *key).collect();
        let mut tenants = Vec::new();
        for folder in history::folders(self)? {
            let Some(study) = history::study(&folder) else {
                continue;
            };
            let mut keys: BTreeSet<Digest> = history_of(self, &study)?
                .keys()
                .map(|(_, key)| key)
                .collect();
            let mut last = modified(&folder.join("last"));
            for path in journal::paths(&folder)? {
                if let Some(run) = journal::read(&path)? {
                    last = last.max(run.last);
                    if run.end.is_none() {
                        keys.extend(run.keys.iter().map(|(_, key)| *key));
                    }
                }
            }
            loose.retain(|key| !keys.contains(key));
            tenants.push(tenant(&census, Some(study), &keys, last));
        }
        for key in pins::all(self)?
            .into_values()
            .flat_map(|pin| pin.stages.into_values())
        {
            loose.remove(&key);
        }
        let newest = loose.iter().map(|key| census.results[key].modified()).max();
        if let Some(newest) = newest {
            tenants.push(tenant(&census, None, &loose, newest));
        }
        Ok(tenants)
    }

    /// The results that a study had when it last ran, by the names of its stages.
    ///
    /// # Errors
    ///
    /// If its history cannot be read.
    pub fn results_of(&self, study: &str) -> std::result::Result<BTreeMap<String, Digest>, Error> {
        let history = history_of(self, study)?;
        Ok(history
            .keys()
            .map(|(name, key)| (name.to_owned(), key))
            .collect())
    }
}

fn tenant(
    census: &Census,
    study: Option<String>,
    keys: &BTreeSet<Digest>,
    last: SystemTime,
) -> Tenant {
    let results: Vec<&Result> = keys
        .iter()
        .filter_map(|key| census.results.get(key))
        .collect();
    let outputs: BTreeSet<Digest> = results.iter().flat_map(|it| it.outputs.clone()).collect();
    let own = results.iter().flat_map(|result| result.files());
    let blobs = outputs.iter().filter_map(|blob| census.blobs.get(blob));
    Tenant {
        study,
        results: results.len(),
        missing: keys.len() - results.len(),
        bytes: total(own) + total(blobs),
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

/// A run that was killed as it began has noted nothing.
fn is_empty(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.len() == 0)
}
