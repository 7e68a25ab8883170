//! How files come into the store and out of the way. Never half-written, never over one another.

use std::fs::{self, File, Permissions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::PoisonError;
use std::time::SystemTime;

use tempfile::NamedTempFile;

use super::Problem;
use crate::{Error, Store, fault};

impl Store {
    /// Moves a damaged file out of the way. What lies there later is another file.
    pub(crate) fn set_aside(&self, what: &str, path: &Path) -> Result<(), Error> {
        let folder = self.root.join("aside");
        fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        let place: Vec<_> = path
            .strip_prefix(&self.root)
            .unwrap_or(path)
            .iter()
            .map(|part| part.to_string_lossy())
            .collect();
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos();
        let aside = folder.join(format!("{}-{now}", place.join("-")));
        fault::point("set aside");
        match fs::rename(path, &aside) {
            Ok(()) => {
                let problem = Problem {
                    what: what.to_owned(),
                    path: aside,
                };
                self.problems
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(problem);
                Ok(())
            }
            // Another process was faster.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Error::io("set aside the damaged file", path)(error)),
        }
    }

    /// Creates a read-only file unless it exists: true if it did not.
    pub(crate) fn create(&self, path: &Path, contents: &[u8]) -> Result<bool, Error> {
        link(&self.stage(contents, 0o444)?, path)
    }

    /// Writes a file that its owner may overwrite, in one piece.
    pub(crate) fn overwrite(&self, path: &Path, contents: &[u8]) -> Result<(), Error> {
        create_parent(path)?;
        let staged = self.stage(contents, 0o644)?;
        fault::point("overwrite");
        staged
            .persist(path)
            .map(drop)
            .map_err(|error| Error::io("write", path)(error.error))
    }

    /// Deletes a file that may have gone already.
    pub(crate) fn remove(&self, path: &Path) -> Result<(), Error> {
        fault::point("remove");
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Error::io("delete", path)(error))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn stage(&self, contents: &[u8], mode: u32) -> Result<NamedTempFile, Error> {
        let folder = self.root.join("tmp");
        let builder = || {
            tempfile::Builder::new()
                .permissions(Permissions::from_mode(mode))
                .tempfile_in(&folder)
        };
        fault::point("stage");
        let mut staged = builder()
            .or_else(|error| match error.kind() {
                ErrorKind::NotFound => fs::create_dir_all(&folder).and_then(|()| builder()),
                _ => Err(error),
            })
            .map_err(Error::io("write to the cache", &folder))?;
        fault::point("write");
        staged
            .write_all(contents)
            .map_err(Error::io("write to the cache", &folder))?;
        Ok(staged)
    }
}

/// Whether another process has a lock on a file.
pub(crate) fn is_held(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

/// Gives a staged file its name unless there is one of that name: true if there was not.
pub(super) fn link(staged: &NamedTempFile, path: &Path) -> Result<bool, Error> {
    loop {
        fault::point("publish");
        match fs::hard_link(staged.path(), path) {
            Ok(()) => return Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
            Err(error) if error.kind() == ErrorKind::NotFound => create_parent(path)?,
            Err(error) => return Err(Error::io("write", path)(error)),
        }
    }
}

fn create_parent(path: &Path) -> Result<(), Error> {
    let parent = path.parent().expect("a file of the store lies in a folder");
    fault::point("create a folder");
    fs::create_dir_all(parent).map_err(Error::io("create", parent))
}

/// The files of a folder that are named by a number, ascending; none if there is no folder.
pub(crate) fn numbers(folder: &Path) -> Result<Vec<u32>, Error> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("read", folder)(error)),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::io("read", folder))?;
        numbers.extend(
            entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<u32>().ok()),
        );
    }
    numbers.sort_unstable();
    Ok(numbers)
}
