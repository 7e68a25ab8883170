//! What lies where in a cache: the files, and what each of them is by its place. See [`crate::Store`] for the layout.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::{Digest, Error, checkpoints};

/// A file of the cache.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) modified: SystemTime,
}

impl Found {
    /// None in the future of a clock that was set back.
    pub(crate) fn age(&self, now: SystemTime) -> Duration {
        now.duration_since(self.modified).unwrap_or_default()
    }
}

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Blob(Digest),
    Record {
        key: Digest,
        attempt: String,
    },
    Void(Digest),
    Failure(Digest),
    Log(Digest),
    Checkpoint,
    History,
    Journal,
    Pin,
    /// The remembered digest of an input file.
    FileDigest,
    /// Damaged and set aside.
    Aside,
    /// Being written, or left by a process that ended early.
    Temporary,
    Lock,
    /// Which results a remote holds, too.
    Synced,
    Stray,
}

impl Place {
    /// By the path below the folder `v1`.
    pub(crate) fn of(path: &Path) -> Self {
        let parts: Option<Vec<&str>> = path.iter().map(|part| part.to_str()).collect();
        let Some(parts) = parts else {
            return Self::Stray;
        };
        let named = |folder: &str, name: &str| {
            let digest = name.parse::<Digest>().ok();
            digest.filter(|_| name.starts_with(folder) && folder.len() == 2)
        };
        let or_stray = |place: Option<Self>| place.unwrap_or(Self::Stray);
        match parts[..] {
            ["cas", folder, name] => or_stray(named(folder, name).map(Self::Blob)),
            ["log", folder, key] => or_stray(named(folder, key).map(Self::Log)),
            ["ac", folder, key, attempt] => or_stray(named(folder, key).map(|key| Self::Record {
                key,
                attempt: attempt.to_owned(),
            })),
            ["void", folder, key, _] => or_stray(named(folder, key).map(Self::Void)),
            ["fail", folder, key, _] => or_stray(named(folder, key).map(Self::Failure)),
            ["ckpt", folder, root, _] => {
                let name = named(folder, root).and_then(|_| checkpoints::name_of(path));
                or_stray(name.map(|_| Self::Checkpoint))
            }
            ["run", _, "last"] => Self::History,
            ["run", _, _] => Self::Journal,
            ["pin", _] => Self::Pin,
            ["file", ..] => Self::FileDigest,
            ["aside", ..] => Self::Aside,
            // The sum of checkpoints' sizes that was kept once.
            ["tmp", ..] | ["states"] => Self::Temporary,
            ["lock"] => Self::Lock,
            ["remote", _] => Self::Synced,
            _ => Self::Stray,
        }
    }
}

/// All files below a folder. What goes while it is walked is not there.
pub(crate) fn walk(root: &Path) -> Result<Vec<Found>, Error> {
    let (mut files, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            entries => entries.map_err(Error::io("read", &folder))?,
        };
        for entry in entries {
            let entry = entry.map_err(Error::io("read", &folder))?;
            let metadata = match entry.metadata() {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                metadata => metadata.map_err(Error::io("read", &entry.path()))?,
            };
            if metadata.is_dir() {
                folders.push(entry.path());
            } else {
                files.push(found(entry.path(), &metadata));
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn found(path: PathBuf, metadata: &Metadata) -> Found {
    Found {
        path,
        bytes: metadata.len(),
        modified: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
    }
}
