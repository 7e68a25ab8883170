//! What a remote is asked for, and a folder that gives it.
//!
//! The names below `v1/`:
//!
//! ```text
//! cas/ab/<blake3>                a blob of 16 KiB or more
//! ac/ab/<key>-<n>                a record, with its smaller outputs inside
//! void/ab/<key>-<n>              this record can no longer be served
//! attempt/<key>-<n>              whose attempt at a stage it is; created only
//! attempt/<key>-<n>.released     it was given up
//! fail/<key>-<n>                 it failed: why, end of the log, run
//! ckpt/<key>-<n>                 how far the attempt has come; overwritten by its owner
//! run/<study>/<run>/plan         a frozen plan; created only
//! run/<study>/<run>/known/<copy> where records lie packed; created only
//! run/<study>/<run>/beat/<copy>  a copy's sign of life; overwritten by its owner
//! run/<study>/<run>/results/<blake3>  the keys of all results that a copy of the run had when it left
//! gc/<n>                         a gc is at work; overwritten by it, and deleted at its end
//! remote                         which remote this is
//! ```

use std::fmt::Debug;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::{Error, Store};

/// An object as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// When it was last written, by the clock of the store.
    pub modified: SystemTime,
}

/// A store of objects that all machines reach.
///
/// Two of these carry everything: to create an object unless there is one of its name, and to let who owns an object
/// overwrite it. Neither leaves half an object behind. Names have slashes, and begin with none.
pub trait Objects: Debug + Send + Sync {
    /// Creates an object unless there is one of this name: true if there was none.
    ///
    /// # Errors
    ///
    /// If it is not known whether it was created. [`Error::Io`] with the kind of no permission or no space says that
    /// nothing can be written at all.
    fn create(&self, name: &str, contents: &mut dyn Read) -> Result<bool, Error>;

    /// Writes an object of one's own.
    ///
    /// # Errors
    ///
    /// If it was not written, or nobody knows.
    fn overwrite(&self, name: &str, contents: &mut dyn Read) -> Result<(), Error>;

    /// An object's contents, to be read piece by piece; none if there is none of this name.
    ///
    /// # Errors
    ///
    /// If the store does not say.
    fn read(&self, name: &str) -> Result<Option<Box<dyn Read>>, Error>;

    /// An object's length in bytes; none if there is none of this name.
    ///
    /// # Errors
    ///
    /// If the store does not say.
    fn length(&self, name: &str) -> Result<Option<u64>, Error>;

    /// When an object was last written, by the clock of the store; none if there is none of this name, or the store
    /// does not say.
    ///
    /// # Errors
    ///
    /// If the store does not say whether there is one.
    fn modified(&self, name: &str) -> Result<Option<SystemTime>, Error>;

    /// The names that begin with this one and a slash.
    ///
    /// # Errors
    ///
    /// If the store does not say.
    fn list(&self, prefix: &str) -> Result<Vec<String>, Error>;

    /// As [`list`](Self::list), but of more than so many names only those of the objects that were written last, by the
    /// clock of the store; each with a text that is another one whenever the contents are, if the store has that.
    ///
    /// # Errors
    ///
    /// If the store does not say.
    fn list_newest(
        &self,
        prefix: &str,
        most: usize,
    ) -> Result<Vec<(String, Option<String>)>, Error> {
        let names = self.list(prefix)?;
        if names.len() <= most {
            return Ok(names.into_iter().map(|name| (name, None)).collect());
        }
        let dated = names.into_iter().map(|name| {
            let modified = self.modified(&name)?;
            Ok((modified, name))
        });
        let mut dated = dated.collect::<Result<Vec<_>, Error>>()?;
        dated.sort();
        let newest = dated.into_iter().rev().take(most);
        Ok(newest.map(|(_, name)| (name, None)).collect())
    }

    /// Everything that lies there. What was there before the call and is not deleted is in it.
    ///
    /// # Errors
    ///
    /// If the store does not say.
    fn all(&self) -> Result<Vec<Listed>, Error>;

    /// Deletes an object that may have gone already.
    ///
    /// # Errors
    ///
    /// If it is still there, or nobody knows.
    fn delete(&self, name: &str) -> Result<(), Error>;
}

/// A folder that all machines see, as NFS and Lustre have them.
#[derive(Debug)]
pub(crate) struct Folder {
    /// Gives names once, and shares files as the folder says. Nothing in it is trimmed.
    files: Store,
}

impl Folder {
    /// A folder that is there.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let there = match fs::metadata(path) {
            // `mkdir` makes nothing where there is a link to nothing.
            Err(error) if error.kind() == ErrorKind::NotFound && !path.is_symlink() => {
                let path = path.to_owned();
                return Err(Error::NoRemote { path });
            }
            there => there.map_err(Error::io("look at the remote", path))?,
        };
        if !there.is_dir() {
            let path = path.to_owned();
            return Err(Error::RemoteIsNoFolder { path });
        }
        fs::read_dir(path).map_err(Error::io("read the remote", path))?;
        let mut files = Store::open(path)?;
        files.is_for_all();
        Ok(Self { files })
    }

    pub(crate) fn path(&self) -> &Path {
        self.files.cache()
    }

    fn at(&self, name: &str) -> PathBuf {
        self.files.root().join(name)
    }
}

impl Objects for Folder {
    fn create(&self, name: &str, contents: &mut dyn Read) -> Result<bool, Error> {
        self.files.create_from(&self.at(name), contents)
    }

    fn overwrite(&self, name: &str, contents: &mut dyn Read) -> Result<(), Error> {
        self.files.overwrite_from(&self.at(name), contents)
    }

    fn read(&self, name: &str) -> Result<Option<Box<dyn Read>>, Error> {
        let path = self.at(name);
        match File::open(&path) {
            Ok(file) => Ok(Some(Box::new(file))),
            Err(error) if error.kind() == ErrorKind::NotFound => self.check().map(|()| None),
            Err(error) => Err(Error::io("read", &path)(error)),
        }
    }

    fn length(&self, name: &str) -> Result<Option<u64>, Error> {
        let path = self.at(name);
        match fs::metadata(&path) {
            Ok(file) => Ok(Some(file.len())),
            Err(error) if error.kind() == ErrorKind::NotFound => self.check().map(|()| None),
            Err(error) => Err(Error::io("read", &path)(error)),
        }
    }

    fn modified(&self, name: &str) -> Result<Option<SystemTime>, Error> {
        let file = fs::metadata(self.at(name));
        Ok(file.and_then(|file| file.modified()).ok())
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let files = self.walk(&self.at(prefix))?;
        Ok(files.iter().filter_map(|file| self.name(file)).collect())
    }

    fn all(&self) -> Result<Vec<Listed>, Error> {
        let mut listed = Vec::new();
        for path in self.walk(self.files.root())? {
            let Some(name) = self.name(&path) else {
                continue;
            };
            let file = match fs::metadata(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                file => file.map_err(Error::io("read", &path))?,
            };
            listed.push(Listed {
                name,
                bytes: file.len(),
                modified: file.modified().map_err(Error::io("read", &path))?,
            });
        }
        Ok(listed)
    }

    fn delete(&self, name: &str) -> Result<(), Error> {
        let path = self.at(name);
        crate::store::remove(&path)?;
        // The folders of a run are of its own; the others are few, and used again.
        if name.starts_with("run/") {
            let runs = self.at("run");
            let folders = path.ancestors().skip(1);
            let mut below = folders.take_while(|&folder| folder != runs);
            // One that is not empty stays. Who creates an object in it at this moment makes it again.
            below.find(|folder| fs::remove_dir(folder).is_err());
        }
        Ok(())
    }
}

impl Folder {
    /// The files below a folder.
    fn walk(&self, folder: &Path) -> Result<Vec<PathBuf>, Error> {
        self.check()?;
        let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
        while let Some(folder) = folders.pop() {
            let entries = match fs::read_dir(&folder) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                entries => entries.map_err(Error::io("read", &folder))?,
            };
            for entry in entries {
                let entry = entry.map_err(Error::io("read", &folder))?;
                // Not asked of each file: over a network that would be a request each.
                let kind = entry.file_type().map_err(Error::io("read", &folder))?;
                if kind.is_dir() {
                    folders.push(entry.path());
                } else {
                    files.push(entry.path());
                }
            }
        }
        Ok(files)
    }

    /// The name of the object in a file.
    fn name(&self, file: &Path) -> Option<String> {
        let below = file.strip_prefix(self.files.root()).ok()?;
        below.to_str().map(str::to_owned)
    }

    /// That a file is not there means something only while the folder is: it may have been unmounted.
    fn check(&self) -> Result<(), Error> {
        let root = self.files.root();
        fs::metadata(root)
            .map(drop)
            .map_err(Error::io("find", root))
    }
}
