//! Blobs in a remote, to it and from it.

use std::path::Path;

use super::{Remote, blob_name, lock};
use crate::{Blob, Digest, Error, Store};

/// One of fewer bytes is sent before it is asked whether it is there.
const SHORT: u64 = 1 << 20;

impl Remote {
    /// Sees to it that a blob is there: true if it was not.
    pub(super) fn put(&self, cache: &Store, blob: &Blob) -> Result<bool, Error> {
        let name = blob_name(blob.digest);
        let is_lost = lock(&self.lost).contains(&blob.digest);
        let mut contents = cache.open_blob(blob.digest)?;
        // What is short is sent unseen: nearly always it is new.
        if blob.bytes < SHORT && !is_lost && self.objects().create(&name, &mut contents)? {
            return Ok(true);
        }
        let sound = self.objects().length(&name)? == Some(blob.bytes);
        if sound && !is_lost {
            return Ok(false);
        }
        // What its name says is right whoever writes it, over what is torn or damaged too.
        let mut contents = cache.open_blob(blob.digest)?;
        let is_new = !sound && self.objects().create(&name, &mut contents)?;
        if !is_new {
            let mut contents = cache.open_blob(blob.digest)?;
            self.objects().overwrite(&name, &mut contents)?;
        }
        lock(&self.lost).remove(&blob.digest);
        Ok(is_new)
    }

    /// Brings a blob into the cache, checked: false if the remote does not have it.
    pub(crate) fn fetch(&self, cache: &Store, digest: Digest) -> Result<bool, Error> {
        if self.fetch_packed(cache, digest)? {
            return Ok(true);
        }
        self.fetch_object(cache, digest)
    }

    pub(super) fn fetch_object(&self, cache: &Store, digest: Digest) -> Result<bool, Error> {
        let found = match self.objects().read(&blob_name(digest))? {
            None => None,
            Some(mut contents) => {
                let copied =
                    cache.put_written(|file| std::io::copy(&mut contents, file).map(drop))?;
                let remote = Path::new(&self.shown);
                copied.map_err(Error::io("read", remote))?;
                cache.verify(digest).is_ok().then_some(())
            }
        };
        if found.is_none() {
            lock(&self.lost).insert(digest);
        }
        Ok(found.is_some())
    }
}
