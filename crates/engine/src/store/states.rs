//! Kept states: `v1/ckpt/ab/<root>/<step>-<key>`, each a file that checks itself.
//!
//! The first line of its body says which stage kept it.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::disk::link;
use super::room::{Gone, Room, length};
use crate::{Digest, Error, Keeping, KeptState, StateName, Store, sealed};

/// What a state's file is sealed as.
pub(crate) const STATE: &str = "state";
/// Longer than the two lines before a state's contents.
const HEAD: u64 = 1024;

/// A state to keep.
pub(crate) struct NewState<'a> {
    pub(crate) name: StateName,
    /// The key of the stage that keeps it.
    pub(crate) stage: Digest,
    pub(crate) contents: &'a [u8],
    /// A state that is of no use once this one is kept.
    pub(crate) supersedes: Option<StateName>,
}

/// What became of a state to keep.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// The bytes that there was no room for, if it is not kept.
    pub(crate) no_room_for: Option<u64>,
    /// What went to make room.
    pub(crate) gone: Gone,
}

/// The first line of the body.
#[derive(Serialize, Deserialize)]
struct Head {
    /// The key of the stage that kept it.
    stage: Digest,
}

impl Store {
    /// The kept states of a root, the deepest first.
    ///
    /// # Errors
    ///
    /// If the cache cannot be read.
    pub fn states(&self, root: Digest) -> Result<Vec<StateName>, Error> {
        let folder = self.spread("ckpt", root);
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(Error::io("read", &folder))?,
        };
        let mut states = Vec::new();
        for entry in entries {
            let entry = entry.map_err(Error::io("read", &folder))?;
            states.extend(entry.file_name().to_str().and_then(|it| named(root, it)));
        }
        states.sort_unstable_by_key(|state| std::cmp::Reverse((state.step, state.key)));
        Ok(states)
    }

    /// A kept state; none if it is gone or was damaged and is now set aside.
    ///
    /// # Errors
    ///
    /// If the cache cannot be read, or a newer version of the program wrote the state.
    pub fn read_state(&self, name: StateName) -> Result<Option<KeptState>, Error> {
        let path = self.state_path(name);
        let file = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file.map_err(Error::io("read", &path))?,
        };
        let kept = match sealed::open(STATE, &file, &path) {
            Ok(body) => split(body),
            Err(Error::Damaged { .. }) => None,
            Err(error) => return Err(error),
        };
        if kept.is_none() {
            self.set_aside(STATE, &path)?;
        }
        Ok(kept)
    }

    /// Keeps a state where there is room for it; one that is there is left, unless it is damaged.
    ///
    /// The superseded one goes when the new one is there. Where there is room for one of them only, it goes just before,
    /// when the new one is written but has no name yet.
    pub(crate) fn keep_state(&self, state: &NewState<'_>, keeping: Keeping) -> Result<Kept, Error> {
        let head = Head { stage: state.stage };
        let head = serde_json::to_vec(&head).expect("a head has string keys only");
        let body = [&head[..], b"\n", state.contents].concat();
        let file = sealed::seal(STATE, &body);
        let bytes = file.len() as u64;
        let superseded = state.supersedes.map(|name| self.state_path(name));
        let staged = self.stage(&file, 0o444)?;
        let mut kept = Kept::default();
        let mut room = Room::enter(self)?;
        if self.read_state(state.name)?.is_none() {
            let own = superseded.as_deref().map_or(0, length);
            if !room.is_for(bytes, keeping)? {
                kept.gone = room.make(bytes, own, keeping)?;
            }
            if !room.is_for(bytes, keeping)? {
                if !room.is_for(bytes.saturating_sub(own), keeping)? {
                    kept.no_room_for = Some(bytes);
                    return Ok(kept);
                }
                superseded.iter().try_for_each(|old| room.goes(old))?;
            }
            room.comes(bytes)?;
            link(&staged, &self.state_path(state.name))?;
        }
        superseded.iter().try_for_each(|old| room.goes(old))?;
        Ok(kept)
    }

    /// Keeps it no longer. Whoever reads it at this moment finds another or none.
    pub(crate) fn drop_state(&self, name: StateName) -> Result<(), Error> {
        Room::enter(self)?.goes(&self.state_path(name))
    }

    /// While the file is open, nobody deletes the state to make room.
    pub(crate) fn hold_state(&self, name: StateName) -> Option<File> {
        // Where files cannot be locked, it may go: that costs time only.
        let file = File::open(self.state_path(name)).ok()?;
        file.lock_shared().is_ok().then_some(file)
    }

    pub(crate) fn set_aside_state(&self, name: StateName) -> Result<(), Error> {
        self.set_aside(STATE, &self.state_path(name))
    }

    fn state_path(&self, name: StateName) -> PathBuf {
        let StateName { root, step, key } = name;
        self.spread("ckpt", root).join(format!("{step}-{key}"))
    }
}

/// The state that a file of a root's folder is.
pub(crate) fn named(root: Digest, file: &str) -> Option<StateName> {
    let (step, key) = file.split_once('-')?;
    let name = StateName {
        root,
        step: step.parse().ok()?,
        key: key.parse().ok()?,
    };
    (name.step.to_string() == step).then_some(name)
}

/// How far the state in this file is; none if it is none.
pub(crate) fn step_of(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    name.split_once('-')?.0.parse().ok()
}

/// The stage that kept a state, from the beginning of its file, unchecked.
pub(crate) fn stage_of(path: &Path) -> Option<Digest> {
    let mut start = Vec::new();
    let file = File::open(path).ok()?;
    file.take(HEAD).read_to_end(&mut start).ok()?;
    let line = start.split(|&byte| byte == b'\n').nth(1)?;
    let head: Head = serde_json::from_slice(line).ok()?;
    Some(head.stage)
}

fn split(body: &[u8]) -> Option<KeptState> {
    let end = body.iter().position(|&byte| byte == b'\n')?;
    let head: Head = serde_json::from_slice(&body[..end]).ok()?;
    Some(KeptState {
        contents: body[end + 1..].to_vec(),
        stage: head.stage,
    })
}
