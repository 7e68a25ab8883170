//! Kept states: `v1/ckpt/ab/<root>/<step>-<key>`, each a file that checks itself.
//!
//! The first line of its body says which stage kept it.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Digest, Error, KeptState, StateName, Store, fault, sealed};

/// What a state's file is sealed as.
pub(crate) const STATE: &str = "state";
/// Longer than the two lines before a state's contents.
const HEAD: u64 = 1024;

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

    /// Keeps a state, create-only; one that is there is left, unless it is damaged.
    pub(crate) fn keep_state(
        &self,
        name: StateName,
        stage: Digest,
        contents: &[u8],
    ) -> Result<(), Error> {
        let head = serde_json::to_vec(&Head { stage }).expect("a head has string keys only");
        let body = [&head[..], b"\n", contents].concat();
        let file = sealed::seal(STATE, &body);
        let path = self.state_path(name);
        while !self.create(&path, &file)? {
            if self.read_state(name)?.is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Keeps it no longer. Whoever reads it at this moment finds another or none.
    pub(crate) fn drop_state(&self, name: StateName) -> Result<(), Error> {
        let path = self.state_path(name);
        fault::point("drop a state");
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Error::io("delete", &path)(error))
            }
            _ => Ok(()),
        }
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
