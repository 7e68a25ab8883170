//! Contents under their own names.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::{Blob, Digest, Error, Store, fault};

impl Store {
    /// Stores contents.
    ///
    /// # Errors
    ///
    /// If the cache cannot be written.
    pub fn put(&self, contents: &[u8]) -> Result<Blob, Error> {
        let digest = Digest::of(contents);
        let path = self.blob_path(digest);
        loop {
            // What is already there under this name was perhaps damaged since.
            match self.verify(digest) {
                Err(Error::NoBlob { .. }) => {}
                Err(Error::Damaged { .. }) => self.set_aside_blob(digest)?,
                Err(error) => return Err(error),
                Ok(()) => {
                    refresh(&path);
                    break;
                }
            }
            if self.create(&path, contents)? {
                self.verified().insert(digest);
                break;
            }
        }
        Ok(Blob {
            digest,
            bytes: contents.len() as u64,
        })
    }

    /// The contents of this name, checked against it when this process first reads them.
    ///
    /// # Errors
    ///
    /// [`Error::NoBlob`], or [`Error::Damaged`] if the file holds something else.
    pub fn read(&self, digest: Digest) -> Result<Vec<u8>, Error> {
        let path = self.blob_path(digest);
        let contents = fs::read(&path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::NoBlob { digest },
            _ => Error::io("read", &path)(error),
        })?;
        if !self.verified().contains(&digest) {
            if Digest::of(&contents) != digest {
                return Err(Error::Damaged { path });
            }
            self.verified().insert(digest);
        }
        Ok(contents)
    }

    /// Checks contents against their name unless this process did so before.
    pub(crate) fn verify(&self, digest: Digest) -> Result<(), Error> {
        if self.verified().contains(&digest) && self.blob_path(digest).exists() {
            return Ok(());
        }
        self.read(digest).map(drop)
    }

    /// Whether the blob is there, by its presence and length alone.
    pub fn holds(&self, blob: &Blob) -> bool {
        fs::metadata(self.blob_path(blob.digest)).is_ok_and(|file| file.len() == blob.bytes)
    }

    pub(crate) fn set_aside_blob(&self, digest: Digest) -> Result<(), Error> {
        self.verified().remove(&digest);
        self.set_aside("blob", &self.blob_path(digest))
    }

    fn blob_path(&self, digest: Digest) -> PathBuf {
        self.spread("cas", digest)
    }

    fn verified(&self) -> MutexGuard<'_, HashSet<Digest>> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An old blob that a new result needs is no old blob to a gc elsewhere. Another user's file
/// cannot be refreshed; here gc waits in any case.
fn refresh(path: &Path) {
    fault::point("refresh");
    let _ = File::open(path).and_then(|file| file.set_modified(SystemTime::now()));
}
