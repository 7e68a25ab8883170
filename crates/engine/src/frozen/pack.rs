//! Records in one place, so that a copy with an empty cache asks for two objects and not for one a record.
//!
//! A pack is two blobs. The first has a record a line, in JSON, each with the outputs that are inside its object in the
//! remote; the second the contents of these outputs, one after the other. Who makes a plan reads the first; the second is
//! fetched by who needs much of it.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Blob, Digest, Error, Record, Store};

/// Where packed records are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pack {
    /// The records.
    pub records: Blob,
    /// Their small outputs.
    pub contents: Blob,
}

/// A line of the first blob.
#[derive(Serialize, Deserialize)]
pub(crate) struct Line<R> {
    /// The number of its object in the remote.
    pub(crate) number: u32,
    pub(crate) record: R,
    /// The outputs whose contents are in the second blob, in this order.
    pub(crate) inside: Vec<Blob>,
}

/// Where the contents of a small output are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// The second blob of a pack.
    pub(crate) pack: Blob,
    /// Where they begin in it.
    offset: u64,
    bytes: u64,
    /// The stage whose record has them too.
    pub(crate) key: Digest,
}

/// What is packed.
#[derive(Debug, Default)]
pub(crate) struct Packed {
    records: HashMap<Digest, (u32, Arc<Record>)>,
    contents: HashMap<Digest, Place>,
}

impl Packed {
    /// Adds the records of a pack whose first blob is in the cache.
    pub(crate) fn add(&mut self, cache: &Store, pack: &Pack) -> Result<(), Error> {
        let lines = cache.read_here(pack.records.digest)?;
        let mut offset = 0;
        for line in lines.split(|&byte| byte == b'\n') {
            // The blob is what its name says; a line that another version wrote may be something else.
            let Ok(line) = serde_json::from_slice::<Line<Record>>(line) else {
                continue;
            };
            let key = line.record.key;
            for blob in line.inside {
                let place = Place {
                    pack: pack.contents,
                    offset,
                    bytes: blob.bytes,
                    key,
                };
                self.contents.insert(blob.digest, place);
                offset += blob.bytes;
            }
            self.records
                .insert(key, (line.number, Arc::new(line.record)));
        }
        Ok(())
    }

    /// The stages that have a record, and the numbers of the records' objects.
    pub(crate) fn names(&self) -> impl Iterator<Item = (Digest, u32)> {
        self.records
            .iter()
            .map(|(key, (number, _))| (*key, *number))
    }

    /// The record of a stage, with the number of its object.
    pub(crate) fn record(&self, key: Digest) -> Option<(u32, Arc<Record>)> {
        self.records.get(&key).cloned()
    }

    /// Where an output is.
    pub(crate) fn place(&self, digest: Digest) -> Option<Place> {
        self.contents.get(&digest).copied()
    }
}

impl Place {
    /// The contents, from the second blob in the cache; none if they are not there.
    pub(crate) fn read(&self, cache: &Store, digest: Digest) -> Option<Vec<u8>> {
        let file = File::open(cache.blob_path(self.pack.digest)).ok()?;
        let mut contents = vec![0; usize::try_from(self.bytes).ok()?];
        file.read_exact_at(&mut contents, self.offset).ok()?;
        (Digest::of(&contents) == digest).then_some(contents)
    }
}
