//! A store that all machines reach, behind the cache: read through, written behind.
//!
//! The cache stays what it is, on a local disk. A result counts as settled once the remote holds its record, and the
//! first record is the one that holds. Blobs and records never change, so that copying them is right by construction;
//! what is read is checked as what is in the cache is. What may be deleted is in `gc`; runs delete nothing.

mod blobs;
mod by_hand;
mod checkpoints;
mod copies;
mod gc;
pub(crate) mod io;
mod objects;
pub(crate) mod plans;
mod record;
mod requests;
mod results;
mod synced;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Read as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, SystemTime};

use fleet::{Beat, CopyId};

use crate::frozen::pack::Packed;
use crate::store::is_full;
use crate::store::presence::cannot_write;
use crate::worker::host;
use crate::{Blob, Contents, Digest, Error, Record, Store, sealed};
pub use by_hand::Moved;
pub(crate) use copies::{About, AboutStage};
pub use copies::{CopySeen, FailureSeen, HeldSeen};
pub use gc::GRACE;
use objects::Folder;
pub use objects::{Listed, Objects};
use plans::OwnPacks;
use synced::Synced;

/// How many create the same object at once, at the start, to see whether one of them wins.
const RACERS: usize = 8;

/// A beat that was read, and how the store told it from other contents of the object.
type Noted = (Option<String>, Beat<Digest>);

/// A remote.
#[derive(Debug)]
pub struct Remote {
    objects: Box<dyn Objects>,
    shown: String,
    /// Why it cannot be written, if so.
    read_only: Option<String>,
    /// The stages that had a record when it was first asked which have.
    known: OnceLock<HashSet<Digest>>,
    /// Records that can no longer be served.
    voids: Mutex<HashSet<(Digest, u32)>>,
    /// Blobs that it was found not to have, or to have damaged.
    lost: Mutex<HashSet<Digest>>,
    synced: Mutex<Synced>,
    /// Records that need not be asked for one by one, and the packs that they are from.
    packed: Mutex<Packed>,
    unpacked: Mutex<HashSet<Digest>>,
    /// What this copy has packed.
    own_packs: Mutex<OwnPacks>,
    /// Held while a pack is fetched.
    unpacking: Mutex<()>,
    /// How many small outputs were taken from their records although they are packed.
    singles: AtomicUsize,
    /// Copies that have said their last: their beats are not read again.
    ended: Mutex<HashSet<String>>,
    /// The beats that were read: one that is the same is not read again.
    heard: Mutex<HashMap<CopyId, Noted>>,
    /// Stages whose record names what lay there before, while it is not sure that no gc deletes that.
    unsure: Mutex<HashSet<Digest>>,
    /// Marks of gcs that were killed, and how long one stands still before it counts as such.
    killed: Mutex<HashSet<String>>,
    patience: Duration,
    /// How often it was asked for something.
    asked: AtomicUsize,
}

impl Remote {
    /// The remote in a folder, behind this cache. It is tried out: whether it is there, can be written, and gives a name
    /// once.
    ///
    /// # Errors
    ///
    /// If it is not there, cannot be read, is the cache itself, or lets several create one object.
    pub fn open(folder: &Path, cache: &Store) -> Result<Self, Error> {
        Self::open_as(folder, cache, true)
    }

    /// As [`open`](Self::open), to be read: nothing is tried, and nothing is written to it.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open_to_read(folder: &Path, cache: &Store) -> Result<Self, Error> {
        Self::open_as(folder, cache, false)
    }

    fn open_as(folder: &Path, cache: &Store, to_write: bool) -> Result<Self, Error> {
        let objects = Folder::open(folder)?;
        if objects.path() == cache.cache() {
            let path = objects.path().to_owned();
            return Err(Error::RemoteIsCache { path });
        }
        let shown = objects.path().display().to_string();
        Self::on(Box::new(objects), &shown, cache, to_write)
    }

    /// The remote in a store of another kind, which is called so in messages; tried out as a folder is, unless it is only
    /// to be read.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or lets several create one object.
    pub fn on(
        objects: Box<dyn Objects>,
        shown: &str,
        cache: &Store,
        to_write: bool,
    ) -> Result<Self, Error> {
        let mut remote = Self {
            objects,
            shown: shown.to_owned(),
            read_only: None,
            known: OnceLock::new(),
            voids: Mutex::default(),
            lost: Mutex::default(),
            synced: Mutex::default(),
            packed: Mutex::default(),
            unpacked: Mutex::default(),
            own_packs: Mutex::default(),
            unpacking: Mutex::default(),
            singles: AtomicUsize::new(0),
            ended: Mutex::default(),
            heard: Mutex::default(),
            unsure: Mutex::default(),
            killed: Mutex::default(),
            patience: gc::KILLED,
            asked: AtomicUsize::new(0),
        };
        if to_write {
            match remote.race() {
                Err(Error::Io { source, .. }) if cannot_write(&source) || is_full(&source) => {
                    remote.read_only = Some(source.to_string());
                }
                raced => raced?,
            }
        } else {
            remote.read_only = Some("it is only read".to_owned());
        }
        if let Some(id) = remote.identity()? {
            *lock(&remote.synced) = Synced::load(cache, &id)?;
        }
        // What was noted of records that a gc has deleted since holds no longer.
        if !lock(&remote.synced).is_empty() {
            let known = remote.known()?;
            lock(&remote.synced).keep(known);
        }
        let voids = remote.objects().list("void")?;
        *lock(&remote.voids) = voids.iter().filter_map(|name| numbered(name)).collect();
        Ok(remote)
    }

    /// As it is, but that a gc whose mark stands still for so long counts as killed: ten minutes unless told otherwise.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// How it is called in messages.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// How often this process asked it for an object: to create, write, read or list.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    fn objects(&self) -> &dyn Objects {
        self.asked.fetch_add(1, Ordering::Relaxed);
        &*self.objects
    }

    /// Why it cannot be written, if so.
    pub fn read_only(&self) -> Option<&str> {
        self.read_only.as_deref()
    }

    /// The stages that had a record when this was first asked. A list of many is long: a thousand are a request.
    pub(crate) fn known(&self) -> Result<&HashSet<Digest>, Error> {
        if let Some(known) = self.known.get() {
            return Ok(known);
        }
        let names = self.objects().list("ac")?;
        let keys = names.iter().filter_map(|name| numbered(name));
        let known = keys.map(|(key, _)| key).collect();
        Ok(self.known.get_or_init(|| known))
    }

    /// The stages of which it is known without asking that they have a record: packed ones, and all if they were listed.
    pub(crate) fn known_so_far(&self) -> HashSet<Digest> {
        let mut known = self.known.get().cloned().unwrap_or_default();
        known.extend(lock(&self.packed).names().map(|(key, _)| key));
        known
    }

    /// The name that this remote was given by who used it first; none if nobody did and it cannot be written.
    fn identity(&self) -> Result<Option<String>, Error> {
        let name = "remote";
        if self.read_only.is_none() {
            self.create(name, &sealed::seal("remote", token().as_bytes()))?;
        }
        let Some(file) = self.read(name)? else {
            return Ok(None);
        };
        let body = sealed::open("remote", &file, Path::new(name))?;
        Ok(Some(String::from_utf8_lossy(body).into_owned()))
    }

    /// Several create one object at once. Exactly one must win: without that, stages would be executed twice.
    fn race(&self) -> Result<(), Error> {
        let name = format!("probe/{}", token());
        let (start, winners) = (Barrier::new(RACERS), AtomicUsize::new(0));
        let created: Vec<Result<bool, Error>> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..RACERS)
                .map(|number| {
                    let (name, start) = (&name, &start);
                    scope.spawn(move || {
                        start.wait();
                        self.create(name, number.to_string().as_bytes())
                    })
                })
                .collect();
            let ends = racers.into_iter().map(ScopedJoinHandle::join);
            ends.map(|end| end.expect("creating does not panic"))
                .collect()
        });
        for created in created {
            winners.fetch_add(usize::from(created?), Ordering::Relaxed);
        }
        let winners = winners.into_inner();
        self.objects().delete(&name)?;
        if winners == 1 {
            return Ok(());
        }
        let remote = self.shown.clone();
        Err(Error::NotOneWinner {
            remote,
            winners,
            racers: RACERS,
        })
    }

    /// Whether the remote is known to hold the record that the cache has of a stage.
    pub(crate) fn is_synced(&self, key: Digest) -> bool {
        lock(&self.synced).contains(key)
    }

    /// Whether an output of a stage can be fetched.
    pub(crate) fn holds(&self, key: Digest, blob: &Blob) -> bool {
        self.is_synced(key) && !lock(&self.lost).contains(&blob.digest)
    }

    /// Whether it was found not to have a blob.
    pub(crate) fn has_lost(&self, digest: Digest) -> bool {
        lock(&self.lost).contains(&digest)
    }

    /// Whether a stage had a record when the remote was first asked which have.
    pub(crate) fn knew(&self, key: Digest) -> Result<bool, Error> {
        Ok(self.known()?.contains(&key))
    }

    /// The remote's record of a stage, kept in the cache from now on; none if there is none, or if it names what the
    /// remote has lost. Says whether the cache had promised something else.
    pub(crate) fn take(&self, cache: &Store, key: Digest) -> Result<Option<Fetched>, Error> {
        let Some((_, record)) = self.record(cache, key)? else {
            return Ok(None);
        };
        let lost = |blob: &Blob| lock(&self.lost).contains(&blob.digest);
        if record
            .outputs
            .values()
            .any(|blob| lost(blob) && !cache.holds(blob))
        {
            return Ok(None);
        }
        let here = cache.lookup(key)?.record;
        let mismatch = here.is_some_and(|here| here.outputs != record.outputs);
        let outputs = record.outputs.iter();
        let outputs = outputs.map(|(name, &blob)| (name.clone(), Contents::Stored(blob)));
        let record = cache.publish(
            &record.manifest,
            outputs.collect::<BTreeMap<_, _>>(),
            record.notes,
            record.provenance,
        )?;
        self.mark(cache, key)?;
        Ok(Some(Fetched { record, mismatch }))
    }

    /// The record of a stage that was packed, where the cache has none: it is not kept there.
    pub(crate) fn find_packed(&self, key: Digest) -> Option<Arc<Record>> {
        let (_, record) = self.packed(key)?;
        let lost = lock(&self.lost);
        if record.outputs.values().any(|it| lost.contains(&it.digest)) {
            return None;
        }
        lock(&self.synced).note(key);
        Some(record)
    }

    /// The record that holds, with its number. A damaged one becomes void.
    fn record(&self, cache: &Store, key: Digest) -> Result<Option<(u32, Record)>, Error> {
        if let Some((number, record)) = self.packed(key) {
            return Ok(Some((number, Record::clone(&record))));
        }
        self.read_record(cache, key)
    }

    /// As [`record`](Self::record), from its own object; its small outputs are then in the cache.
    fn read_record(&self, cache: &Store, key: Digest) -> Result<Option<(u32, Record)>, Error> {
        for number in 1.. {
            if lock(&self.voids).contains(&(key, number)) {
                continue;
            }
            let name = record_name("ac", key, number);
            let Some(file) = self.read(&name)? else {
                return Ok(None);
            };
            match record::from_bytes(&file, &name) {
                Ok((record, contents)) if record.key == key => {
                    for bytes in contents {
                        cache.put(&bytes)?;
                    }
                    return Ok(Some((number, record)));
                }
                Ok(_) | Err(Error::Damaged { .. }) => self.void(key, number)?,
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn void(&self, key: Digest, number: u32) -> Result<(), Error> {
        lock(&self.voids).insert((key, number));
        let void = sealed::seal("void", b"damaged, or computed again to other bytes\n");
        self.create(&record_name("void", key, number), &void)
            .map(drop)
    }

    /// Stores what the cache's record of a stage names, then that: true if it is the record that holds by this. A
    /// record that is there and names what the remote has lost gives way.
    pub(crate) fn publish(&self, cache: &Store, key: Digest) -> Result<bool, Error> {
        let Some(record) = cache.lookup(key)?.record else {
            // Then somebody has deleted it: there is nothing to say.
            return Ok(false);
        };
        let mut found = Vec::new();
        for &blob in record.outputs.values().filter(|it| !record::is_inside(it)) {
            if !self.put(cache, &blob)? {
                found.push(blob);
            }
        }
        let bytes = record::to_bytes(&record, cache)?;
        let mut number = 1;
        loop {
            if lock(&self.voids).contains(&(key, number)) {
                number += 1;
                continue;
            }
            // An earlier try may have created it, and have got no further.
            let again = !found.is_empty() && !lock(&self.unsure).insert(key);
            let created = self.create(&record_name("ac", key, number), &bytes)?;
            if !found.is_empty() && (created || again) {
                self.outlast_gc(cache, &found)?;
            }
            lock(&self.unsure).remove(&key);
            if created {
                self.mark(cache, key)?;
                return Ok(true);
            }
            // One that a gc has just deleted leaves its number free: nobody looks behind a number that is not there.
            let Some((number, there)) = self.record(cache, key)? else {
                continue;
            };
            let lost = |blob: &Blob| lock(&self.lost).contains(&blob.digest);
            if there.outputs == record.outputs || !there.outputs.values().any(lost) {
                return Ok(false);
            }
            self.void(key, number)?;
        }
    }

    /// Notes that the remote holds the cache's record of a stage.
    fn mark(&self, cache: &Store, key: Digest) -> Result<(), Error> {
        lock(&self.synced).add(cache, key)
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let Some(mut object) = self.objects().read(name)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        let read = object.read_to_end(&mut bytes);
        read.map_err(Error::io("read", &Path::new(&self.shown).join(name)))?;
        Ok(Some(bytes))
    }

    fn create(&self, name: &str, mut contents: &[u8]) -> Result<bool, Error> {
        self.objects().create(name, &mut contents)
    }
}

/// A record that was taken.
pub(crate) struct Fetched {
    pub(crate) record: Arc<Record>,
    /// Whether the cache had another result.
    pub(crate) mismatch: bool,
}

fn blob_name(digest: Digest) -> String {
    let name = digest.to_string();
    format!("cas/{}/{name}", &name[..2])
}

fn record_name(folder: &str, key: Digest, number: u32) -> String {
    let name = key.to_string();
    format!("{folder}/{}/{name}-{number}", &name[..2])
}

/// The key and the number of an object that is named by both.
fn numbered(name: &str) -> Option<(Digest, u32)> {
    let (key, number) = name.rsplit('/').next()?.split_once('-')?;
    Some((key.parse().ok()?, number.parse().ok()?))
}

/// A name that no other process makes.
pub(crate) fn token() -> String {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let words = format!(
        "{} {} {:?} {}",
        host(),
        std::process::id(),
        now.unwrap_or_default(),
        MADE.fetch_add(1, Ordering::Relaxed)
    );
    Digest::of(words.as_bytes()).to_string()[..16].to_owned()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
