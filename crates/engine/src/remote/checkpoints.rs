//! How far an attempt has come, so that another copy goes on from there: `v1/ckpt/<key>-<n>`, the newest checkpoint of
//! the attempt, overwritten by its owner.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Remote;
use crate::{CheckpointName, Digest, Error, Store, sealed};

const SEAL: &str = "rolling-checkpoint";

#[derive(Serialize, Deserialize)]
struct Head {
    root: Digest,
    step: u64,
    key: Digest,
}

impl Remote {
    /// Stores the newest checkpoint of an attempt: false if the cache does not have it any more.
    pub(crate) fn put_checkpoint(
        &self,
        cache: &Store,
        stage: Digest,
        attempt: u32,
        name: CheckpointName,
    ) -> Result<bool, Error> {
        let Ok(file) = std::fs::read(cache.checkpoint_path(name)) else {
            return Ok(false);
        };
        let CheckpointName { root, step, key } = name;
        let head = serde_json::to_vec(&Head { root, step, key });
        let head = head.expect("a head has string keys only");
        let object = sealed::seal(SEAL, &[&head[..], b"\n", &file].concat());
        let name = format!("ckpt/{stage}-{attempt}");
        self.objects().overwrite(&name, &mut &object[..])?;
        Ok(true)
    }

    /// Brings the deepest checkpoint of the attempts before this one into the cache, where its executor finds it. A
    /// damaged one is as none.
    pub(crate) fn take_checkpoint(
        &self,
        cache: &Store,
        stage: Digest,
        before: u32,
    ) -> Result<(), Error> {
        let mut deepest: Option<(CheckpointName, Vec<u8>)> = None;
        for attempt in 1..before {
            let name = format!("ckpt/{stage}-{attempt}");
            let Some(object) = self.read(&name)? else {
                continue;
            };
            let Some((name, file)) = parse(&object, &name) else {
                continue;
            };
            if deepest
                .as_ref()
                .is_none_or(|(deepest, _)| deepest.step < name.step)
            {
                deepest = Some((name, file));
            }
        }
        if let Some((name, file)) = deepest {
            cache.create(&cache.checkpoint_path(name), &file)?;
        }
        Ok(())
    }
}

fn parse(object: &[u8], name: &str) -> Option<(CheckpointName, Vec<u8>)> {
    let body = sealed::open(SEAL, object, Path::new(name)).ok()?;
    let end = body.iter().position(|&byte| byte == b'\n')?;
    let Head { root, step, key } = serde_json::from_slice(&body[..end]).ok()?;
    Some((CheckpointName { root, step, key }, body[end + 1..].to_vec()))
}
