//! Digests of input files, remembered while the files are untouched.
//!
//! A file is hashed once and then known by length, times of modification and of change, inode and
//! device. Times within two seconds of the entry are not trusted: a file written twice in one tick
//! of the clock looks untouched (git calls it racy).

use std::fs::{self, File, Metadata};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::folders::{self, There};
use crate::{Digest, Error, Store, sealed};

const DISTRUSTED: i128 = 2_000_000_000;

/// What an untouched file keeps. Times in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Looks {
    bytes: u64,
    modified: i128,
    changed: i128,
    inode: u64,
    device: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    looks: Looks,
    hashed: i128,
    digest: Digest,
}

impl Looks {
    fn of(file: &Metadata) -> Self {
        let nanoseconds =
            |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        Self {
            bytes: file.len(),
            modified: nanoseconds(file.mtime(), file.mtime_nsec()),
            changed: nanoseconds(file.ctime(), file.ctime_nsec()),
            inode: file.ino(),
            device: file.dev(),
        }
    }
}

impl Store {
    /// The digest of the contents of an input: a file, a folder, or a pattern such as `data/*.csv`.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or changes while it is.
    pub fn digest_file(&self, path: &Path) -> Result<Digest, Error> {
        match folders::there(path)? {
            There::File => self.digest_of_file(path),
            There::Folder(entries) => folders::digest(self, &entries),
        }
    }

    /// The digest of one file.
    pub(crate) fn digest_of_file(&self, path: &Path) -> Result<Digest, Error> {
        let absolute = fs::canonicalize(path).map_err(Error::io("read the input file", path))?;
        let look = || {
            fs::metadata(&absolute)
                .map(|file| Looks::of(&file))
                .map_err(Error::io("read the input file", path))
        };
        let looks = look()?;
        let entry_path = self.spread("file", Digest::of(absolute.as_os_str().as_bytes()));
        if let Some(entry) = recall(&entry_path)
            && entry.looks == looks
            && looks.modified.max(looks.changed) + DISTRUSTED < entry.hashed
        {
            return Ok(entry.digest);
        }
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let digest = hash_file(&absolute).map_err(Error::io("read the input file", path))?;
        if look()? != looks {
            return Err(Error::InputChanged {
                path: path.to_owned(),
            });
        }
        let entry = Entry {
            looks,
            hashed: now.as_nanos().cast_signed(),
            digest,
        };
        let body = serde_json::to_vec(&entry).expect("an entry has string keys only");
        match self.overwrite(&entry_path, &sealed::seal("file", &body)) {
            // In a cache that cannot be written the file is hashed again next time.
            Ok(()) | Err(Error::Io { .. }) => Ok(digest),
            Err(error) => Err(error),
        }
    }
}

/// Unreadable or damaged is as good as never written: the file is hashed and the entry replaced.
fn recall(path: &Path) -> Option<Entry> {
    let file = fs::read(path).ok()?;
    serde_json::from_slice(sealed::open("file", &file, path).ok()?).ok()
}

pub(crate) fn hash_file(path: &Path) -> std::io::Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Sets the time of modification, not the time of change.
    fn set_modified(path: &Path, time: SystemTime) {
        File::options()
            .append(true)
            .open(path)
            .unwrap()
            .set_modified(time)
            .unwrap();
    }

    #[test]
    fn a_fresh_file_is_hashed_again_even_if_it_looks_untouched() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("cache")).unwrap();
        let path = folder.path().join("data");
        let long_ago = SystemTime::now() - Duration::from_secs(1000);
        fs::write(&path, "one").unwrap();
        set_modified(&path, long_ago);
        assert_eq!(store.digest_file(&path).unwrap(), Digest::of(b"one"));
        // Same length, inode and time of modification; only the time of change gives it away.
        fs::write(&path, "two").unwrap();
        set_modified(&path, long_ago);
        assert_eq!(store.digest_file(&path).unwrap(), Digest::of(b"two"));
    }

    #[test]
    fn an_old_file_is_known_by_its_looks() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("cache")).unwrap();
        let path = folder.path().join("data");
        fs::write(&path, "one").unwrap();
        let looks = Looks::of(&fs::metadata(&path).unwrap());
        // An entry of three seconds later that is wrong on purpose: it must be believed.
        let believed = Digest::of(b"believed");
        let place = store.spread(
            "file",
            Digest::of(fs::canonicalize(&path).unwrap().as_os_str().as_bytes()),
        );
        let write = |looks, later| {
            let entry = Entry {
                looks,
                hashed: looks.changed + later,
                digest: believed,
            };
            store
                .overwrite(
                    &place,
                    &sealed::seal("file", &serde_json::to_vec(&entry).unwrap()),
                )
                .unwrap();
        };
        write(looks, 3_000_000_000);
        assert_eq!(store.digest_file(&path).unwrap(), believed);
        write(looks, 1_000_000_000);
        assert_eq!(
            store.digest_file(&path).unwrap(),
            Digest::of(b"one"),
            "too near to its entry"
        );
        write(
            Looks {
                inode: looks.inode + 1,
                ..looks
            },
            3_000_000_000,
        );
        assert_eq!(
            store.digest_file(&path).unwrap(),
            Digest::of(b"one"),
            "another file"
        );
        fs::write(&place, "torn").unwrap();
        assert_eq!(
            store.digest_file(&path).unwrap(),
            Digest::of(b"one"),
            "a damaged entry"
        );
    }

    #[test]
    fn a_missing_input_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let error = store.digest_file(Path::new("no/such.tar")).unwrap_err();
        assert_eq!(error.to_string(), "there is no file `no/such.tar`");
    }
}
