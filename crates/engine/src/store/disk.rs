//! How files come into the store and out of the way. Never half-written, never over one another.

use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
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
        self.create_folder(&folder)?;
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
        let left = self.name(self.stage(contents, 0o444)?, path)?;
        Ok(left.is_none())
    }

    /// Writes a file that its owner may overwrite, in one piece.
    pub(crate) fn overwrite(&self, path: &Path, contents: &[u8]) -> Result<(), Error> {
        self.create_parent(path)?;
        let staged = self.stage(contents, 0o644)?;
        fault::point("overwrite");
        staged
            .persist(path)
            .map(drop)
            .map_err(|error| Error::io("write", path)(error.error))
    }

    /// As [`create`](Self::create), with contents that need not fit into memory.
    pub(crate) fn create_from(&self, path: &Path, contents: &mut dyn Read) -> Result<bool, Error> {
        let staged = self.stage_from(contents, 0o444)?;
        Ok(self.name(staged, path)?.is_none())
    }

    /// As [`overwrite`](Self::overwrite), with contents that need not fit into memory.
    pub(crate) fn overwrite_from(&self, path: &Path, contents: &mut dyn Read) -> Result<(), Error> {
        self.create_parent(path)?;
        let staged = self.stage_from(contents, 0o644)?;
        fault::point("overwrite");
        let written = staged.persist(path);
        written
            .map(drop)
            .map_err(|error| Error::io("write", path)(error.error))
    }

    fn stage_from(&self, contents: &mut dyn Read, mode: u32) -> Result<NamedTempFile, Error> {
        let mut staged = self.staging(mode)?;
        fault::point("write");
        let copied = io::copy(contents, &mut staged);
        copied.map_err(Error::io("write to", &self.root.join("tmp")))?;
        Ok(staged.file)
    }

    /// A file without a name of its own yet, with these contents.
    fn stage(&self, contents: &[u8], mode: u32) -> Result<NamedTempFile, Error> {
        let mut staged = self.staging(mode)?;
        fault::point("write");
        staged
            .write_all(contents)
            .map_err(Error::io("write to the cache", &self.root.join("tmp")))?;
        Ok(staged.file)
    }

    /// A file without a name of its own yet, to be written.
    pub(super) fn staging(&self, mode: u32) -> Result<Staging<'_>, Error> {
        let folder = self.root.join("tmp");
        fault::point("stage");
        let file = loop {
            let file = tempfile::Builder::new()
                .permissions(Permissions::from_mode(mode))
                .tempfile_in(&folder);
            match file {
                Err(error) if error.kind() == ErrorKind::NotFound => self.create_folder(&folder)?,
                Err(error) if is_full(&error) && self.make_room()? => {}
                file => break file,
            }
        };
        let error = || Error::io("write to the cache", &folder);
        let file = file.map_err(error())?;
        self.share(file.path(), mode).map_err(error())?;
        Ok(Staging { store: self, file })
    }

    /// Gives a staged file its name unless there is one of that name: then it is given back.
    ///
    /// By a rename that replaces nothing or by a hard link, where the file system has one of these; else by a rename
    /// under a lock.
    pub(super) fn name(
        &self,
        mut staged: NamedTempFile,
        path: &Path,
    ) -> Result<Option<NamedTempFile>, Error> {
        loop {
            fault::point("publish");
            let Err(refused) = staged.persist_noclobber(path) else {
                return Ok(None);
            };
            staged = refused.file;
            match refused.error.kind() {
                ErrorKind::AlreadyExists => return Ok(Some(staged)),
                ErrorKind::NotFound if staged.path().exists() => self.create_parent(path)?,
                _ => return self.name_alone(staged, path),
            }
        }
    }

    fn name_alone(
        &self,
        staged: NamedTempFile,
        path: &Path,
    ) -> Result<Option<NamedTempFile>, Error> {
        let lock_path = self.root.join("tmp").join("naming");
        let lock = self.open_shared(&lock_path);
        let lock = lock.map_err(Error::io("write", &lock_path))?;
        lock.lock().map_err(Error::io("lock", &lock_path))?;
        if path.symlink_metadata().is_ok() {
            return Ok(Some(staged));
        }
        self.create_parent(path)?;
        match staged.persist(path) {
            Ok(_) => Ok(None),
            Err(refused) => Err(Error::io("write", path)(refused.error)),
        }
    }

    /// Opens a file that every user of the cache locks and appends to; creates it where there is none.
    pub(crate) fn open_shared(&self, path: &Path) -> io::Result<File> {
        let file = File::options().create(true).append(true).open(path)?;
        // Another user's is as its owner made it.
        let _ = self.share(path, 0o666);
        Ok(file)
    }

    /// Creates a folder and those that it lies in.
    pub(crate) fn create_folder(&self, folder: &Path) -> Result<(), Error> {
        let error = || Error::io("create", folder);
        if self.is_shared {
            fs::metadata(&self.root).map_err(Error::io("find", &self.root))?;
        }
        let Some(mode) = self.shared else {
            return fs::create_dir_all(folder).map_err(error());
        };
        match fs::create_dir(folder) {
            Err(refused) if refused.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(refused) if refused.kind() == ErrorKind::NotFound => match folder.parent() {
                Some(parent) => {
                    self.create_folder(parent)?;
                    self.create_folder(folder)
                }
                None => Err(error()(refused)),
            },
            Err(refused) => Err(error()(refused)),
            Ok(()) => {
                // Of a folder for a group what is in it is for the group too: that bit stays.
                let own = fs::metadata(folder).map_err(error())?.permissions().mode();
                let mode = Permissions::from_mode((own & 0o7000) | mode);
                fs::set_permissions(folder, mode).map_err(error())
            }
        }
    }

    /// Where others may write to the cache's folder, they may do with the files in it what the folder says, whatever
    /// the umask of this process.
    pub(crate) fn share(&self, path: &Path, mode: u32) -> io::Result<()> {
        match self.shared {
            Some(folder) => fs::set_permissions(path, Permissions::from_mode(mode & folder)),
            None => Ok(()),
        }
    }

    pub(crate) fn create_parent(&self, path: &Path) -> Result<(), Error> {
        let parent = path.parent().unwrap_or(&self.root);
        fault::point("create a folder");
        self.create_folder(parent)
    }
}

/// A file on its way into the store. Where the disk is full, checkpoints make room for it.
pub(super) struct Staging<'a> {
    store: &'a Store,
    pub(super) file: NamedTempFile,
}

impl Write for Staging<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.file.write(bytes) {
                Err(error) if is_full(&error) => {
                    if !self.store.make_room().map_err(io::Error::other)? {
                        return Err(error);
                    }
                }
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Whether the disk is full, or what its user may have of it.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    )
}

/// Deletes a file that may have gone already.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    fault::point("remove");
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("delete", path)(error)),
        _ => Ok(()),
    }
}

/// Whether another process has a lock on a file.
pub(crate) fn is_held(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_hard_links_or_an_exclusive_rename_one_of_many_that_come_at_once_names_its_file() {
        let cache = tempfile::tempdir().unwrap();
        let store = Store::open(cache.path()).unwrap();
        let path = store.root().join("ac/ab/key/1");
        let named = |number: u8| {
            let staged = store.stage(&[number], 0o444).unwrap();
            store.name_alone(staged, &path).unwrap().is_none()
        };
        let winners: Vec<u8> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..16)
                .map(|n| (n, scope.spawn(move || named(n))))
                .collect();
            let won = all
                .into_iter()
                .filter_map(|(n, it)| it.join().unwrap().then_some(n));
            won.collect()
        });
        assert_eq!(winners.len(), 1);
        assert_eq!(fs::read(&path).unwrap(), winners);
    }
}
