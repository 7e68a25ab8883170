//! Small files that check themselves: a line with what they are, their format and a blake3 over
//! both and the rest, then the rest.
//!
//! ```text
//! pipeline record 1 5c3a...
//! {"key":...
//! ```

use std::path::Path;

use crate::{Digest, Error};

const FORMAT: u32 = 1;

/// The bytes of a file of this kind with this body.
pub(crate) fn seal(kind: &str, body: &[u8]) -> Vec<u8> {
    let mut file = format!(
        "pipeline {kind} {FORMAT} {}\n",
        checksum(kind, FORMAT, body)
    )
    .into_bytes();
    file.extend_from_slice(body);
    file
}

/// Covers kind and format, so that a flipped digit does not pass for a newer program.
fn checksum(kind: &str, format: u32, body: &[u8]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher
        .update(format!("pipeline {kind} {format}\n").as_bytes())
        .update(body);
    hasher.finalize().into()
}

/// The body of a file of this kind.
///
/// # Errors
///
/// [`Error::Newer`] for a sound line of another format, [`Error::Damaged`] for everything else.
pub(crate) fn open<'a>(kind: &str, file: &'a [u8], path: &Path) -> Result<&'a [u8], Error> {
    let damaged = || Error::Damaged {
        path: path.to_owned(),
    };
    let end = file
        .iter()
        .position(|&byte| byte == b'\n')
        .ok_or_else(damaged)?;
    let line = str::from_utf8(&file[..end]).map_err(|_| damaged())?;
    let body = &file[end + 1..];
    let mut words = line.split(' ');
    if words.next() != Some("pipeline") || words.next() != Some(kind) {
        return Err(damaged());
    }
    let format = words
        .next()
        .and_then(|word| word.parse::<u32>().ok())
        .ok_or_else(damaged)?;
    if words.next() != Some(&checksum(kind, format, body).to_string()) || words.next().is_some() {
        return Err(damaged());
    }
    match format {
        FORMAT => Ok(body),
        newer if newer > FORMAT => Err(Error::Newer {
            path: path.to_owned(),
            version: newer,
        }),
        _ => Err(damaged()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_and_every_cut_is_seen() {
        let file = seal("record", b"{\"key\":1}\n");
        let path = Path::new("record");
        assert_eq!(open("record", &file, path).unwrap(), b"{\"key\":1}\n");
        for at in 0..file.len() {
            assert!(open("record", &file[..at], path).is_err(), "cut at {at}");
            for bit in 0..8 {
                let mut flipped = file.clone();
                flipped[at] ^= 1 << bit;
                assert!(
                    open("record", &flipped, path).is_err(),
                    "bit {bit} of byte {at}"
                );
            }
        }
        assert!(open("index", &file, path).is_err());
    }

    #[test]
    fn a_newer_format_is_not_damage() {
        let file = format!("pipeline record 2 {}\nx", checksum("record", 2, b"x"));
        let refused = open("record", file.as_bytes(), Path::new("record"));
        assert!(matches!(refused, Err(Error::Newer { version: 2, .. })));
    }
}
