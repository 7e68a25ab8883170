//! Runs and gc keep out of each other's way: a run shares the lock on `v1/lock`, gc has it alone.
//!
//! The lock goes with the process that holds it. Nobody has to unlock anything.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use super::remove;
use crate::{Error, Store};

/// How long the workers of a run that has ended may take to go.
const MOMENT: Duration = Duration::from_millis(300);

/// The right to count on it that nothing is deleted, or to delete; held until dropped.
#[derive(Debug)]
pub(crate) struct Presence {
    _lock: Option<File>,
}

impl Store {
    /// Keeps gc out; waits for one that is at work. Nothing can be deleted from a cache that cannot
    /// be written, so that it needs no lock.
    pub(crate) fn enter(&self) -> Result<Presence, Error> {
        let lock = match self.lock_file() {
            Ok(lock) => lock,
            Err(error) if cannot_write(&error) => return Ok(Presence { _lock: None }),
            Err(error) => return Err(Error::io("open", &self.root.join("lock"))(error)),
        };
        lock.lock_shared().map_err(|source| self.no_locks(source))?;
        Ok(Presence { _lock: Some(lock) })
    }

    /// Keeps runs out.
    ///
    /// # Errors
    ///
    /// [`Error::InUse`] while there is one.
    pub(crate) fn enter_alone(&self) -> Result<Presence, Error> {
        let path = self.root.join("lock");
        let lock = self.lock_file().map_err(Error::io("open", &path))?;
        let deadline = Instant::now() + MOMENT;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(Presence { _lock: Some(lock) }),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(TryLockError::WouldBlock) => {
                    let cache = self.cache().to_owned();
                    return Err(Error::InUse { cache });
                }
                Err(TryLockError::Error(source)) => return Err(self.no_locks(source)),
            }
        }
    }

    fn lock_file(&self) -> std::io::Result<File> {
        self.open_shared(&self.root.join("lock"))
    }

    fn no_locks(&self, source: std::io::Error) -> Error {
        let cache = self.cache().to_owned();
        Error::NoLocks { cache, source }
    }

    /// Whether results can be published, by publishing one.
    ///
    /// # Errors
    ///
    /// [`Error::ReadOnly`] if that is not permitted, [`Error::Io`] for another reason.
    pub(crate) fn check_writable(&self) -> Result<(), Error> {
        let name = format!("probe-{}", std::process::id());
        let probe = self.root.join("tmp").join(name);
        let created = self.create(&probe, b"");
        match created.and_then(|_| remove(&probe)) {
            Err(Error::Io { source, .. }) if cannot_write(&source) => {
                let cache = self.cache().to_owned();
                Err(Error::ReadOnly { cache, source })
            }
            checked => checked,
        }
    }
}

pub(crate) fn cannot_write(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
    )
}
