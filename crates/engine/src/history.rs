//! What the last run of a study left: which key each stage had, and how long it took.
//!
//! Serves to say what changed and to guess how long things take. No result depends on it.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Digest, Error, Graph, Stage, StageId, Store, journal, sealed};

/// The longest name of a file that a name becomes as it is, in bytes.
const LONGEST: usize = 160;
/// Between what is left of a longer one and its digest: no name has it otherwise.
const CUT: &str = "%%";

/// Stages by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct History(BTreeMap<String, Entry>);

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The key of its result.
    pub(crate) key: Digest,
    /// How long it ran, in seconds.
    pub(crate) seconds: f64,
}

impl History {
    /// # Errors
    ///
    /// [`Error::Damaged`] if the file is, [`Error::Io`] if it cannot be read.
    pub(crate) fn load(store: &Store, study: &str) -> Result<Self, Error> {
        let path = path(store, study);
        let file = match fs::read(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Error::io("read", &path)(error)),
        };
        let body = sealed::open("index", &file, &path)?;
        serde_json::from_slice(body).map_err(|_| Error::Damaged { path })
    }

    pub(crate) fn save(&self, store: &Store, study: &str) -> Result<(), Error> {
        let body = serde_json::to_vec(self).expect("an index has string keys only");
        store.overwrite(&path(store, study), &sealed::seal("index", &body))
    }

    /// The keys of all stages by name.
    pub(crate) fn keys(&self) -> impl ExactSizeIterator<Item = (&str, Digest)> {
        self.0
            .iter()
            .map(|(name, entry)| (name.as_str(), entry.key))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Entry> {
        self.0.get(name)
    }

    pub(crate) fn insert(&mut self, name: &str, entry: Entry) {
        self.0.insert(name.to_owned(), entry);
    }
}

pub(crate) fn path(store: &Store, study: &str) -> PathBuf {
    folder(store, study).join("last")
}

pub(crate) fn folder(store: &Store, study: &str) -> PathBuf {
    store.root().join("run").join(escape(study))
}

/// Names of studies and pins are free text, names of files are not, and no longer than 255 bytes.
pub(crate) fn escape(name: &str) -> String {
    let mut file = String::new();
    for (at, byte) in name.bytes().enumerate() {
        match byte {
            b'.' if at == 0 => file += "%2e",
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => file.push(byte.into()),
            _ => write!(file, "%{byte:02x}").expect("writing to a String cannot fail"),
        }
    }
    if file.len() > LONGEST {
        file.truncate(LONGEST / 2);
        file += CUT;
        file += &Digest::of(name.as_bytes()).to_string();
    }
    file
}

/// Notes that a study ran and is what it was. In a cache that cannot be written nobody asks.
pub(crate) fn touch(store: &Store, study: &str) {
    let _ = fs::File::open(path(store, study))
        .and_then(|file| file.set_modified(std::time::SystemTime::now()));
}

/// The folders of all studies.
pub(crate) fn folders(store: &Store) -> Result<Vec<PathBuf>, Error> {
    let root = store.root().join("run");
    let entries = match fs::read_dir(&root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("read", &root)(error)),
    };
    let mut folders = Vec::new();
    for entry in entries {
        folders.push(entry.map_err(Error::io("read", &root))?.path());
    }
    folders.sort();
    Ok(folders)
}

/// The study that a folder is of, or the name of a pin.
pub(crate) fn study(folder: &Path) -> Option<String> {
    let name = folder.file_name()?.to_str()?;
    if name.contains(CUT) {
        // Every run notes what it is a run of.
        let runs = journal::paths(folder).ok()?;
        let mut runs = runs.iter().filter_map(|path| journal::read(path).ok()?);
        return runs.next().map(|run| run.begin.study);
    }
    unescape(name)
}

/// The name that a file's name was made from; none if it was cut.
pub(crate) fn unescape(name: &str) -> Option<String> {
    if name.contains(CUT) {
        return None;
    }
    let mut bytes = Vec::new();
    let mut rest = name.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            u8::from_str_radix(str::from_utf8(&digits).ok()?, 16).ok()?
        } else {
            byte
        });
    }
    String::from_utf8(bytes).ok()
}

/// How long each stage of a study is expected to run, in seconds, by what its last run left: as long as last time, else
/// as its family did, else as its kind did. None where nothing of the kind ever ran in the study.
///
/// # Errors
///
/// If the cache cannot be read.
pub fn expected_seconds(
    graph: &Graph,
    store: &Store,
    study: &str,
) -> Result<Vec<Option<f64>>, Error> {
    let history = match History::load(store, study) {
        Err(Error::Damaged { .. }) => History::default(),
        history => history?,
    };
    let durations = Durations::new(graph, &history);
    Ok(graph
        .ids()
        .map(|id| durations.expected(graph, id))
        .collect())
}

/// Guesses how long stages take: as long as last time, else as their family did, else as their
/// kind did.
pub(crate) struct Durations<'a> {
    history: &'a History,
    families: HashMap<&'a str, Mean>,
    kinds: HashMap<&'a str, Mean>,
}

#[derive(Default)]
struct Mean {
    sum: f64,
    count: f64,
}

impl Mean {
    fn value(&self) -> f64 {
        self.sum / self.count
    }
}

impl<'a> Durations<'a> {
    pub(crate) fn new(graph: &'a Graph, history: &'a History) -> Self {
        let mut durations = Self {
            history,
            families: HashMap::new(),
            kinds: HashMap::new(),
        };
        for Stage {
            name, family, kind, ..
        } in graph.stages()
        {
            if let Some(entry) = history.get(name) {
                for mean in [
                    durations.families.entry(family).or_default(),
                    durations.kinds.entry(kind).or_default(),
                ] {
                    mean.sum += entry.seconds;
                    mean.count += 1.0;
                }
            }
        }
        durations
    }

    /// In seconds; none if nothing of the kind ever ran in this study.
    pub(crate) fn expected(&self, graph: &Graph, id: StageId) -> Option<f64> {
        let stage = graph.stage(id);
        let same = self.history.get(&stage.name).map(|entry| entry.seconds);
        let family = || self.families.get(stage.family.as_str()).map(Mean::value);
        let kind = || self.kinds.get(stage.kind.as_str()).map(Mean::value);
        same.or_else(family).or_else(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_study_cannot_name_its_way_out_of_its_folder() {
        let cache = tempfile::tempdir().unwrap();
        let store = Store::open(cache.path()).unwrap();
        let name = |study| {
            path(&store, study)
                .strip_prefix(store.root())
                .unwrap()
                .display()
                .to_string()
        };
        assert_eq!(name("cifar10-resnet20"), "run/cifar10-resnet20/last");
        assert_eq!(name("../../etc"), "run/%2e.%2f..%2fetc/last");
        assert_eq!(name("é"), "run/%c3%a9/last");
        for name in ["cifar10-resnet20", "../../etc", "é", "a%20b c"] {
            assert_eq!(study(&folder(&store, name)).as_deref(), Some(name));
        }
    }
}
