//! What a run must remember to go on, as arrays and counts by name.
//!
//! Each part of a run puts its own under its own names and takes them back; what is then left over does not belong
//! to the run.

use std::collections::BTreeMap;

use crate::checkpoint::Unusable;

/// Numbers row by row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

/// Arrays and counts by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Memory {
    pub(crate) arrays: BTreeMap<String, Array>,
    pub(crate) counts: BTreeMap<String, u64>,
}

impl Memory {
    pub(crate) fn put(&mut self, name: String, shape: Vec<usize>, values: Vec<f32>) {
        let old = self.arrays.insert(name, Array { shape, values });
        assert!(old.is_none(), "one array a name");
    }

    pub(crate) fn put_count(&mut self, name: String, count: u64) {
        let old = self.counts.insert(name, count);
        assert!(old.is_none(), "one count a name");
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.arrays.contains_key(name)
    }

    /// The error says what is missing.
    pub(crate) fn take(&mut self, name: &str) -> Result<Array, Unusable> {
        let taken = self.arrays.remove(name);
        taken.ok_or_else(|| missing(name))
    }

    /// The error says what is missing.
    pub(crate) fn take_count(&mut self, name: &str) -> Result<u64, Unusable> {
        let taken = self.counts.remove(name);
        taken.ok_or_else(|| missing(name))
    }

    /// Arrays whose names begin with `prefix`, under the rest of their names.
    pub(crate) fn take_all(&mut self, prefix: &str) -> Vec<(String, Array)> {
        below(&mut self.arrays, prefix)
    }

    /// Counts whose names begin with `prefix`, under the rest of their names.
    pub(crate) fn take_all_counts(&mut self, prefix: &str) -> Vec<(String, u64)> {
        below(&mut self.counts, prefix)
    }

    /// The error names what nobody took.
    pub(crate) fn finish(self) -> Result<(), Unusable> {
        match self.arrays.keys().chain(self.counts.keys()).next() {
            None => Ok(()),
            Some(name) => Err(Unusable::Surplus { name: name.clone() }),
        }
    }
}

fn missing(name: &str) -> Unusable {
    Unusable::Missing {
        name: name.to_owned(),
    }
}

fn below<T>(all: &mut BTreeMap<String, T>, prefix: &str) -> Vec<(String, T)> {
    all.extract_if(.., |name, _| name.starts_with(prefix))
        .map(|(name, value)| (name[prefix.len()..].to_owned(), value))
        .collect()
}
