//! Names for the results that a study had at a time; gc keeps them.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{Digest, Error, Store, fault, history, journal, sealed};

/// What a name keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// Its own name, where the file's is too short for it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    name: String,
    /// The study.
    pub study: String,
    /// When, in seconds since 1970.
    pub at: u64,
    /// The keys of its results, by the names of its stages.
    pub stages: BTreeMap<String, Digest>,
}

impl Store {
    /// Keeps the results of a study's last run under a name: how many; none if it never ran here.
    /// A pin of that name is replaced.
    ///
    /// # Errors
    ///
    /// If the cache cannot be read or written.
    ///
    /// # Panics
    ///
    /// Never: a pin is plain JSON.
    pub fn pin(&self, name: &str, study: &str) -> Result<Option<usize>, Error> {
        let _presence = self.enter()?;
        let stages = self.results_of(study)?;
        if stages.is_empty() {
            return Ok(None);
        }
        let count = stages.len();
        let file = path(self, name);
        let is_cut = history::study(&file).as_deref() != Some(name);
        let pin = Pin {
            name: if is_cut {
                name.to_owned()
            } else {
                String::new()
            },
            study: study.to_owned(),
            at: journal::now(),
            stages,
        };
        let body = serde_json::to_vec(&pin).expect("a pin has string keys only");
        self.overwrite(&file, &sealed::seal("pin", &body))?;
        Ok(Some(count))
    }

    /// Keeps them no longer: false if there is no such pin.
    ///
    /// # Errors
    ///
    /// If the cache cannot be written.
    pub fn unpin(&self, name: &str) -> Result<bool, Error> {
        let path = path(self, name);
        fault::point("unpin");
        match fs::remove_file(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            removed => removed.map(|()| true).map_err(Error::io("remove", &path)),
        }
    }

    /// All pins by name.
    ///
    /// # Errors
    ///
    /// If one cannot be read or is damaged: nobody knows then what it keeps.
    pub fn pins(&self) -> Result<BTreeMap<String, Pin>, Error> {
        all(self)
    }
}

fn path(store: &Store, name: &str) -> PathBuf {
    store.root().join("pin").join(history::escape(name))
}

pub(crate) fn all(store: &Store) -> Result<BTreeMap<String, Pin>, Error> {
    let folder = store.root().join("pin");
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
        entries => entries.map_err(Error::io("read", &folder))?,
    };
    let mut pins = BTreeMap::new();
    for entry in entries {
        let path = entry.map_err(Error::io("read", &folder))?.path();
        let damaged = || Error::Damaged { path: path.clone() };
        let file = fs::read(&path).map_err(Error::io("read", &path))?;
        let body = sealed::open("pin", &file, &path)?;
        let pin: Pin = serde_json::from_slice(body).map_err(|_| damaged())?;
        let name = Some(pin.name.clone()).filter(|name| !name.is_empty());
        let name = name.or_else(|| history::study(&path));
        pins.insert(name.ok_or_else(damaged)?, pin);
    }
    Ok(pins)
}
