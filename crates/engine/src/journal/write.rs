//! The journal of this process's own run.

use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::read::{Looks, look, paths};
use super::{Begin, End, Line, seal};
use crate::store::presence::cannot_write;
use crate::{Error, Store, clock, fault, history};

/// Journals of ended runs kept for each study.
pub(super) const KEPT: usize = 10;

/// The journal of the run that this process carries out.
pub(crate) struct Journal {
    file: Option<BufWriter<File>>,
    pub(super) path: PathBuf,
    error: Option<Error>,
}

impl Journal {
    /// Begins one. In a cache that cannot be written there is none.
    pub(crate) fn begin(store: &Store, begin: Begin) -> Result<Self, Error> {
        let folder = history::folder(store, &begin.study);
        let now = SystemTime::now();
        let since = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let second = clock::utc(now).replace([':', 'Z'], "");
        let name = format!("{second}.{:09}-{}", since.subsec_nanos(), begin.pid);
        let path = folder.join(name);
        fault::point("begin a journal");
        let file = store.create_folder(&folder).and_then(|()| {
            let file = File::options().append(true).create_new(true).open(&path);
            let locked = file.and_then(|file| {
                file.lock()?;
                store.share(&path, 0o644)?;
                Ok(file)
            });
            locked.map_err(Error::io("write", &path))
        });
        let file = match file {
            Ok(file) => Some(BufWriter::new(file)),
            Err(Error::Io { source, .. }) if cannot_write(&source) => None,
            Err(error) => return Err(error),
        };
        let mut journal = Self {
            file,
            path,
            error: None,
        };
        journal.note(&Line::Run(begin));
        journal.flush()?;
        Ok(journal)
    }

    /// Adds a line. What goes wrong is said by the next [`flush`](Self::flush).
    pub(crate) fn note(&mut self, line: &Line) {
        if let Some(file) = &mut self.file
            && let Err(error) = file.write_all(&seal(line))
        {
            self.error = Some(Error::io("write", &self.path)(error));
        }
    }

    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let Some(file) = self.file.as_mut().filter(|file| !file.buffer().is_empty()) else {
            return Ok(());
        };
        fault::point("write a journal");
        file.flush().map_err(Error::io("write", &self.path))
    }

    /// Ends it, once what it noted is remembered elsewhere. After a run that came to its own end,
    /// journals of this study's dead runs are needed no more.
    pub(crate) fn end(mut self, store: &Store, study: &str, end: End) -> Result<(), Error> {
        let whole = !end.interrupted;
        self.note(&Line::Ended(end));
        self.flush()?;
        if self.file.is_none() {
            return Ok(());
        }
        let mut ended = 0;
        for path in paths(&history::folder(store, study))?.into_iter().rev() {
            // Ours is the newest and still locked.
            let over = match look(&path).map_err(Error::io("read", &path))? {
                Looks::Alive => false,
                Looks::Ended => {
                    ended += 1;
                    ended >= KEPT
                }
                Looks::Dead => whole,
            };
            if over {
                fault::point("remove a journal");
                remove(&path)?;
            }
        }
        Ok(())
    }
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
        _ => Ok(()),
    }
}
