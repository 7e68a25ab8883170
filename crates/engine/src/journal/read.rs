//! The journals of others, read back.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{Begin, End, Line, lacks_only_its_end, open};
use crate::{Digest, Error, Store, history};

/// Longer than any last line, in bytes.
const LAST_LINE: u64 = 1024;

/// What a journal says of a run.
#[derive(Debug, Clone)]
pub struct Run {
    /// How it began.
    pub begin: Begin,
    /// Whether its engine still lives.
    pub alive: bool,
    /// How it ended, unless it lives or was killed.
    pub end: Option<End>,
    /// Stages that are running, or were when it was killed, with the time they began in seconds
    /// since 1970.
    pub running: Vec<(String, u64)>,
    /// Stages that ran.
    pub ran: usize,
    /// Stages that failed, and why.
    pub failed: Vec<(String, String)>,
    /// When something was last noted.
    pub last: SystemTime,
    /// Results that it found or made, beyond those of the run before it.
    pub(crate) keys: Vec<(String, Digest)>,
    /// Stages that were begun, with their keys: their logs are wanted even where no result came of them.
    pub(crate) began: Vec<(String, Digest)>,
    /// Lines that are damaged, but for a last one that was cut short.
    pub(crate) damaged: usize,
}

impl Store {
    /// The runs on this cache that are going on or were noted last, newest first.
    ///
    /// # Errors
    ///
    /// If the cache cannot be read.
    pub fn runs(&self) -> Result<Vec<Run>, Error> {
        let mut runs = Vec::new();
        for folder in history::folders(self)? {
            for path in paths(&folder)? {
                runs.extend(read(&path)?);
            }
        }
        runs.sort_by_key(|run| std::cmp::Reverse((run.begin.at, run.last)));
        Ok(runs)
    }
}

/// The journals of a study, oldest first.
pub(crate) fn paths(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("read", folder)(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::io("read", folder))?.path();
        if path.file_name().is_some_and(|name| name != "last") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Reads a journal; none if it is gone, or its first line is not there.
pub(crate) fn read(path: &Path) -> Result<Option<Run>, Error> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    let alive = is_held(&file);
    let (bytes, metadata) = fs::read(path)
        .and_then(|bytes| Ok((bytes, file.metadata()?)))
        .map_err(Error::io("read", path))?;
    let last = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    let mut lines = bytes.split_inclusive(|&byte| byte == b'\n');
    let Some(Line::Run(begin)) = lines.next().and_then(open) else {
        return Ok(None);
    };
    let mut run = Run {
        begin,
        alive,
        end: None,
        running: Vec::new(),
        ran: 0,
        failed: Vec::new(),
        last,
        keys: Vec::new(),
        began: Vec::new(),
        damaged: 0,
    };
    for line in lines {
        match open(line) {
            Some(line) => run.take(line),
            None if line.ends_with(b"\n") || lacks_only_its_end(line) => run.damaged += 1,
            None => {}
        }
    }
    Ok(Some(run))
}

impl Run {
    /// The keys of the stages that failed, as far as they were begun.
    pub(crate) fn failures(&self) -> impl Iterator<Item = Digest> {
        let failed = |name: &String| self.failed.iter().any(|(stage, _)| stage == name);
        let began = self.began.iter().filter(move |(name, _)| failed(name));
        began.map(|(_, key)| *key)
    }

    fn take(&mut self, line: Line) {
        match line {
            Line::Run(_) => self.damaged += 1,
            Line::Began { stage, key, at } => {
                self.began.push((stage.clone(), key));
                self.running.retain(|(name, _)| *name != stage);
                self.running.push((stage, at));
            }
            Line::Cached { stage, key } => self.keys.push((stage, key)),
            Line::Ran { stage, key, .. } => {
                self.running.retain(|(name, _)| *name != stage);
                self.ran += 1;
                self.keys.push((stage, key));
            }
            Line::Failed { stage, error } => {
                self.running.retain(|(name, _)| *name != stage);
                self.failed.push((stage, error));
            }
            Line::Ended(end) => self.end = Some(end),
            Line::Foreign => {}
        }
    }
}

/// What became of a run.
pub(super) enum Looks {
    Alive,
    Ended,
    Dead,
}

/// What became of a run, without reading all of it.
pub(super) fn look(path: &Path) -> std::io::Result<Looks> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Looks::Ended),
        file => file?,
    };
    if is_held(&file) {
        return Ok(Looks::Alive);
    }
    let end = file.metadata()?.len();
    file.seek(SeekFrom::Start(end.saturating_sub(LAST_LINE)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let last = tail.split_inclusive(|&byte| byte == b'\n').next_back();
    Ok(match last.and_then(open) {
        Some(Line::Ended(_)) => Looks::Ended,
        _ => Looks::Dead,
    })
}

fn is_held(file: &File) -> bool {
    matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock))
}
