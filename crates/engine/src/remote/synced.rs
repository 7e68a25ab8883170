//! Which records of the cache a remote is known to hold, so that a run need not ask again: `v1/remote/<id>` in the cache,
//! a key a line. Without it every result is offered again, which changes nothing.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

use crate::{Digest, Error, Store};

#[derive(Debug, Default)]
pub(crate) struct Synced {
    keys: HashSet<Digest>,
    /// Those of which this is known for as long as this process lives.
    noted: HashSet<Digest>,
    path: PathBuf,
    file: Option<File>,
}

impl Synced {
    pub(crate) fn load(cache: &Store, id: &str) -> Result<Self, Error> {
        // Who wrote to the remote is not trusted with a path.
        let name: String = id.chars().filter(char::is_ascii_alphanumeric).collect();
        let path = cache.root().join("remote").join(format!("r{name}"));
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            text => text.map_err(Error::io("read", &path))?,
        };
        Ok(Self {
            keys: text.lines().filter_map(|line| line.parse().ok()).collect(),
            noted: HashSet::new(),
            path,
            file: None,
        })
    }

    pub(crate) fn contains(&self, key: Digest) -> bool {
        self.keys.contains(&key) || self.noted.contains(&key)
    }

    /// Whether nothing was noted.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Believes it of these alone.
    pub(crate) fn keep(&mut self, there: &HashSet<Digest>) {
        self.keys.retain(|key| there.contains(key));
    }

    /// Notes it for this process alone.
    pub(crate) fn note(&mut self, key: Digest) {
        self.noted.insert(key);
    }

    pub(crate) fn add(&mut self, cache: &Store, key: Digest) -> Result<(), Error> {
        if !self.keys.insert(key) || self.path.as_os_str().is_empty() {
            return Ok(());
        }
        let error = |error| Error::io("write", &self.path)(error);
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                cache.create_parent(&self.path)?;
                none.insert(cache.open_shared(&self.path).map_err(error)?)
            }
        };
        file.write_all(format!("{key}\n").as_bytes()).map_err(error)
    }
}
