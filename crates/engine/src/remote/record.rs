//! A record as a remote keeps it: with the outputs inside that are too small to be objects of their own.
//!
//! ```text
//! pipeline remote record 1 5c3a...
//! {"record":{...},"inside":["77de...", ...]}
//! (the contents of these outputs, one after the other)
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Blob, Digest, Error, Record, Store, sealed};

/// Outputs of fewer bytes are inside the record.
const SMALL: u64 = 16 << 10;
const SEAL: &str = "remote-record";

#[derive(Serialize, Deserialize)]
struct Head {
    record: Record,
    /// The outputs whose contents follow.
    inside: Vec<Digest>,
}

/// Whether an output is inside its record.
pub(crate) fn is_inside(blob: &Blob) -> bool {
    blob.bytes < SMALL
}

/// The bytes of a record's object.
pub(crate) fn to_bytes(record: &Record, store: &Store) -> Result<Vec<u8>, Error> {
    let mut contents = BTreeMap::new();
    for blob in record.outputs.values().filter(|blob| is_inside(blob)) {
        contents.insert(blob.digest, store.read_here(blob.digest)?);
    }
    let head = Head {
        record: record.clone(),
        inside: contents.keys().copied().collect(),
    };
    let mut body = serde_json::to_vec(&head).expect("a record has string keys only");
    body.push(b'\n');
    for bytes in contents.values() {
        body.extend_from_slice(bytes);
    }
    Ok(sealed::seal(SEAL, &body))
}

/// A record, with the contents that are inside it. Each is what its name says.
///
/// # Errors
///
/// [`Error::Damaged`], or [`Error::Newer`].
pub(crate) fn from_bytes(file: &[u8], name: &str) -> Result<(Record, Vec<Vec<u8>>), Error> {
    let path = Path::new(name);
    let body = sealed::open(SEAL, file, path)?;
    parse(body).ok_or_else(|| Error::Damaged {
        path: path.to_owned(),
    })
}

fn parse(body: &[u8]) -> Option<(Record, Vec<Vec<u8>>)> {
    let end = body.iter().position(|&byte| byte == b'\n')?;
    let Head { record, inside } = serde_json::from_slice(&body[..end]).ok()?;
    let mut rest = &body[end + 1..];
    let mut contents = Vec::new();
    for digest in inside {
        let blob = record.outputs.values().find(|blob| blob.digest == digest)?;
        let (bytes, after) = rest.split_at_checked(usize::try_from(blob.bytes).ok()?)?;
        rest = after;
        contents.push((Digest::of(bytes) == digest).then(|| bytes.to_vec())?);
    }
    rest.is_empty().then_some((record, contents))
}
