//! Contents under their own names.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{MutexGuard, PoisonError};
use std::time::SystemTime;

use tempfile::NamedTempFile;

use super::disk::Staging;
use crate::files::hash_file;
use crate::{Blob, Digest, Error, Store, fault};

/// Bytes that are hashed and written at once.
const CHUNK: usize = 1 << 20;

impl Store {
    /// Stores contents.
    ///
    /// # Errors
    ///
    /// If the cache cannot be written.
    pub fn put(&self, contents: &[u8]) -> Result<Blob, Error> {
        let blob = Blob {
            digest: Digest::of(contents),
            bytes: contents.len() as u64,
        };
        let path = self.blob_path(blob.digest);
        while !self.has_sound(blob.digest)? {
            if self.create(&path, contents)? {
                self.verified().insert(blob.digest);
            }
        }
        Ok(blob)
    }

    /// Stores what is written, without having it in memory; else gives why nothing was.
    ///
    /// # Errors
    ///
    /// If the cache cannot be written, whatever the writer says to that.
    pub fn put_written<E>(
        &self,
        write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
    ) -> Result<Result<Blob, E>, Error> {
        let error = |error| Error::io("write to the cache", &self.root.join("tmp"))(error);
        let hashed = Hashed {
            file: self.staging(0o444)?,
            hasher: blake3::Hasher::new(),
            bytes: 0,
            refused: None,
        };
        fault::point("write");
        let mut writer = BufWriter::with_capacity(CHUNK, hashed);
        let written = write(&mut writer);
        if written.is_ok() {
            writer.flush().map_err(error)?;
        }
        let (hashed, _) = writer.into_parts();
        if let Some(refused) = hashed.refused {
            return Err(error(refused));
        }
        if let Err(error) = written {
            return Ok(Err(error));
        }
        let blob = Blob {
            digest: hashed.hasher.finalize().into(),
            bytes: hashed.bytes,
        };
        self.settle(hashed.file.file, blob.digest)?;
        Ok(Ok(blob))
    }

    /// Gives a staged file the name of its contents.
    fn settle(&self, mut staged: NamedTempFile, digest: Digest) -> Result<(), Error> {
        while !self.has_sound(digest)? {
            match self.name(staged, &self.blob_path(digest))? {
                None => {
                    self.verified().insert(digest);
                    break;
                }
                Some(back) => staged = back,
            }
        }
        Ok(())
    }

    /// Whether there is a blob of this name. What was damaged since is set aside.
    fn has_sound(&self, digest: Digest) -> Result<bool, Error> {
        match self.verify(digest) {
            Err(Error::NoBlob { .. }) => Ok(false),
            Err(Error::Damaged { .. }) => self.set_aside_blob(digest).map(|()| false),
            Err(error) => Err(error),
            Ok(()) => {
                refresh(&self.blob_path(digest));
                Ok(true)
            }
        }
    }

    /// The contents of this name, checked against it when this process first reads them. What is not here is fetched
    /// from the remote, if there is one.
    ///
    /// # Errors
    ///
    /// [`Error::NoBlob`], or [`Error::Damaged`] if the file holds something else.
    pub fn read(&self, digest: Digest) -> Result<Vec<u8>, Error> {
        match (self.read_here(digest), self.remote()) {
            (Err(Error::NoBlob { .. }), Some(remote)) => {
                remote.fetch(self, digest)?;
                self.read_here(digest)
            }
            (read, _) => read,
        }
    }

    /// A file with the contents of this name, unchecked.
    pub(crate) fn open_blob(&self, digest: Digest) -> Result<File, Error> {
        let path = self.blob_path(digest);
        File::open(&path).map_err(Error::io("read", &path))
    }

    /// As [`read`](Self::read), from this folder alone.
    pub(crate) fn read_here(&self, digest: Digest) -> Result<Vec<u8>, Error> {
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
        let path = self.blob_path(digest);
        if self.verified().contains(&digest) && path.exists() {
            return Ok(());
        }
        match hash_file(&path) {
            Ok(found) if found == digest => {
                self.verified().insert(digest);
                Ok(())
            }
            Ok(_) => Err(Error::Damaged { path }),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(Error::NoBlob { digest }),
            Err(error) => Err(Error::io("read", &path)(error)),
        }
    }

    /// Whether the blob is there, by its presence and length alone.
    pub fn holds(&self, blob: &Blob) -> bool {
        fs::metadata(self.blob_path(blob.digest)).is_ok_and(|file| file.len() == blob.bytes)
    }

    pub(crate) fn set_aside_blob(&self, digest: Digest) -> Result<(), Error> {
        self.verified().remove(&digest);
        self.set_aside("blob", &self.blob_path(digest))
    }

    pub(crate) fn blob_path(&self, digest: Digest) -> PathBuf {
        self.spread("cas", digest)
    }

    fn verified(&self) -> MutexGuard<'_, HashSet<Digest>> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file that is hashed as it is written.
struct Hashed<'a> {
    file: Staging<'a>,
    hasher: blake3::Hasher,
    bytes: u64,
    /// Why it could not be written, if so: the writer may say it otherwise.
    refused: Option<io::Error>,
}

impl Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.file.write(bytes) {
            Ok(written) => {
                self.hasher.update(&bytes[..written]);
                self.bytes += written as u64;
                Ok(written)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let kind = error.kind();
                self.refused = Some(error);
                Err(kind.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// An old blob that a new result needs is no old blob to a gc elsewhere. Another user's file
/// cannot be refreshed; here gc waits in any case.
fn refresh(path: &Path) {
    fault::point("refresh");
    let _ = File::open(path).and_then(|file| file.set_modified(SystemTime::now()));
}
