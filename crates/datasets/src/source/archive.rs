//! Compressed files and tar archives from others' hands: nothing is written to disk, and what would be unsafe or
//! absurd to unpack is refused.

use std::borrow::Cow;
use std::io::{self, Read};
use std::path::{Component, Path};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use tar::EntryType;

use super::{Files, Unfit};
use crate::Error;

/// Bytes that a file may unpack to: several times those of the data sets that are distributed so.
const LIMIT: u64 = 1 << 31;

/// Members that a message names.
const SHOWN: usize = 10;

const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Contents, unpacked if they are gzip's.
pub(super) fn gunzip<'a>(name: &str, bytes: &'a [u8]) -> Result<Cow<'a, [u8]>, Error> {
    if !bytes.starts_with(&GZIP) {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut contents = Vec::new();
    Limited::new(MultiGzDecoder::new(bytes), LIMIT)
        .read_to_end(&mut contents)
        .map_err(|error| Unfit::from(error).of(name))?;
    Ok(Cow::Owned(contents))
}

/// The members of a tar archive, gzip-compressed or not, whose file names are wanted. What a Mac adds to an archive
/// (`__MACOSX`, and `._` before a name) is no member.
pub(super) fn members(
    name: &str,
    bytes: &[u8],
    wanted: impl Fn(&str) -> bool,
) -> Result<Files, Error> {
    members_within(bytes, wanted, LIMIT).map_err(|problem| problem.of(name))
}

fn members_within(bytes: &[u8], wanted: impl Fn(&str) -> bool, limit: u64) -> Result<Files, Unfit> {
    let unpacked: Box<dyn Read + '_> = if bytes.starts_with(&GZIP) {
        Box::new(MultiGzDecoder::new(bytes))
    } else {
        Box::new(bytes)
    };
    let mut unpacked = Limited::new(unpacked, limit);
    let mut archive = tar::Archive::new(&mut unpacked);
    let (mut files, mut others) = (Files::new(), Vec::new());
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let member = || path.display().to_string();
        if !stays_inside(&path) {
            return Err(Unfit::MemberOutside { member: member() });
        }
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => {}
            EntryType::Directory | EntryType::XGlobalHeader => continue,
            other => {
                return Err(Unfit::MemberKind {
                    member: member(),
                    kind: format!("{other:?}"),
                });
            }
        }
        let Some(file) = path.file_name().and_then(|file| file.to_str()) else {
            continue;
        };
        if !wanted(file) || path.starts_with("__MACOSX") {
            others.push(file.to_owned());
            others.truncate(SHOWN);
            continue;
        }
        let mut contents = Vec::new();
        entry.read_to_end(&mut contents)?;
        if files.insert(file.to_owned(), Arc::new(contents)).is_some() {
            return Err(Unfit::Twice {
                name: file.to_owned(),
            });
        }
    }
    // Checksums are at the end.
    io::copy(&mut unpacked, &mut io::sink())?;
    if files.is_empty() {
        return Err(Unfit::NoneWanted { holds: others });
    }
    Ok(files)
}

fn stays_inside(path: &Path) -> bool {
    path.components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

/// A reader that refuses to go on after so many bytes.
struct Limited<R> {
    reader: R,
    left: u64,
    limit: u64,
}

impl<R> Limited<R> {
    fn new(reader: R, limit: u64) -> Self {
        Self {
            reader,
            left: limit,
            limit,
        }
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        let limit = self.limit;
        let left = self.left.checked_sub(read as u64);
        self.left = left.ok_or_else(|| io::Error::other(Unfit::TooLarge { limit }))?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// An archive with one member; its name is put in as it is.
    fn tar(name: &str, kind: EntryType, contents: &[u8]) -> Vec<u8> {
        let mut header = tar::Header::new_ustar();
        header.set_size(contents.len() as u64);
        header.set_entry_type(kind);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        let mut builder = tar::Builder::new(Vec::new());
        builder.append(&header, contents).unwrap();
        builder.into_inner().unwrap()
    }

    fn problem(bytes: &[u8]) -> String {
        members("a.tar", bytes, |_| true).unwrap_err().to_string()
    }

    #[test]
    fn members_are_found_compressed_or_not() {
        let plain = tar("./folder/data.bin", EntryType::Regular, b"contents");
        for bytes in [&plain, &gzip(&plain)] {
            let files = members("a.tar", bytes, |name| name == "data.bin").unwrap();
            assert_eq!(**files["data.bin"], *b"contents");
            assert_eq!(
                members("a.tar", bytes, |_| false).unwrap_err().to_string(),
                "a.tar: none of the files that are wanted; it holds data.bin"
            );
        }
    }

    #[test]
    fn a_path_that_leaves_the_folder_is_refused() {
        for path in ["../data.bin", "/etc/data.bin", "folder/../../data.bin"] {
            assert_eq!(
                problem(&tar(path, EntryType::Regular, b"x")),
                format!("a.tar: its member {path} leaves the archive's folder")
            );
        }
    }

    #[test]
    fn links_and_devices_are_refused() {
        for kind in [
            EntryType::Symlink,
            EntryType::Link,
            EntryType::Fifo,
            EntryType::Char,
        ] {
            assert!(
                problem(&tar("data.bin", kind, b"")).contains("is neither a file nor a folder")
            );
        }
    }

    #[test]
    fn what_unpacks_to_too_much_is_refused() {
        let bomb = gzip(&tar("data.bin", EntryType::Regular, &vec![0; 1 << 20]));
        assert!(
            bomb.len() < 1 << 19,
            "the archive itself is under the limit"
        );
        let error = members_within(&bomb, |_| true, 1 << 19).unwrap_err();
        assert_eq!(error.to_string(), "unpacks to more than 524288 bytes");
        let gzipped = members_within(&bomb, |_| true, 1 << 21).unwrap();
        assert_eq!(gzipped["data.bin"].len(), 1 << 20);
    }

    #[test]
    fn an_archive_cut_short_anywhere_is_refused() {
        let whole = gzip(&tar("data.bin", EntryType::Regular, &[7; 700]));
        for length in 2..whole.len() {
            let error = members("a.tar", &whole[..length], |_| true).unwrap_err();
            assert!(error.to_string().contains("cut short"), "{length}: {error}");
        }
        let error = gunzip("a.gz", &whole[..whole.len() - 1]).unwrap_err();
        assert_eq!(error.to_string(), "a.gz: cut short");
    }

    #[test]
    fn a_member_twice_is_refused() {
        let one = tar("data.bin", EntryType::Regular, b"x");
        // Without the two blocks of zeros that end an archive.
        let both = [&one[..one.len() - 1024], &one].concat();
        assert_eq!(problem(&both), "a.tar: it has data.bin twice");
    }
}
