//! Who executes a stage: whoever holds the lock on its log.
//!
//! The log becomes the process's stdout and stderr, so that children of the stage inherit the lock
//! with them. It is free when the last of them has ended, however that came about: nobody has to
//! unlock anything, and no second run of a stage begins beside what is left of the first.

use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::io::fcntl_dupfd_cloexec;
use rustix::stdio;

use crate::{Digest, Error, Store};

/// The right to execute a stage, held until dropped.
pub(crate) struct Claim {
    log: File,
    terminal: Option<(OwnedFd, OwnedFd)>,
}

impl Claim {
    /// Claims a stage; none if another process has it.
    pub(crate) fn take(store: &Store, key: Digest) -> Result<Option<Self>, Error> {
        let path = store.log_path(key);
        let log = match store.open_shared(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                store.create_parent(&path)?;
                store.open_shared(&path)
            }
            log => log,
        };
        let log = log.map_err(Error::io("write the log", &path))?;
        match log.try_lock() {
            Ok(()) => Ok(Some(Self {
                log,
                terminal: None,
            })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(Error::io("lock the log", &path)(error)),
        }
    }

    /// Starts the log anew and sends there what this process and its children write.
    pub(crate) fn redirect(&mut self) -> std::io::Result<()> {
        self.log.set_len(0)?;
        std::io::stdout().flush()?;
        let keep = |fd| fcntl_dupfd_cloexec(fd, 3);
        let terminal = (
            keep(std::io::stdout().as_fd())?,
            keep(std::io::stderr().as_fd())?,
        );
        stdio::dup2_stdout(&self.log)?;
        stdio::dup2_stderr(&self.log)?;
        self.terminal = Some(terminal);
        Ok(())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some((stdout, stderr)) = self.terminal.take() {
            // What cannot be flushed, to a full disk, is only a log.
            let _ = std::io::stdout().flush();
            // If this failed the log would stay locked and the stage busy: worth a crash.
            stdio::dup2_stdout(stdout).expect("a descriptor of this process can be duplicated");
            stdio::dup2_stderr(stderr).expect("a descriptor of this process can be duplicated");
        }
    }
}

/// Takes stdout away from everybody else: what they print goes to stderr.
pub(crate) fn take_stdout() -> std::io::Result<File> {
    let stdout = fcntl_dupfd_cloexec(std::io::stdout(), 3)?;
    stdio::dup2_stdout(std::io::stderr())?;
    Ok(File::from(stdout))
}
