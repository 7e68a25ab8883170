//! Frozen plans in a remote, and the records that are packed for those who carry them out.

use std::collections::HashSet;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Remote, blob_name, lock, record, record_name};
use crate::frozen::pack::{Line, Packed};
use crate::frozen::{Frozen, FrozenInput, Pack, PlanId};
use crate::{Blob, Digest, Error, Record, Store, Unfrozen, history, sealed};

pub(super) const SEAL_OF_PLAN: &str = "plan";
pub(super) const SEAL_OF_PACK: &str = "known";
/// So many small outputs are taken from their records, before all are fetched at once.
const SINGLE: usize = 32;
/// Fewer records than this are not worth a pack that is kept.
const FEW: usize = 16;
/// While a copy runs it packs what it has published since the last pack: at least so many, and at least this part of what
/// is packed, so that beats do not name ever more packs.
const FEW_MORE: usize = 8;
const MORE: usize = 32;
/// The run that copies are of which were started by hand, each with the study's file.
pub(crate) const BY_HAND: &str = "open";

/// Where a copy has packed what it has published, and how many results that are.
#[derive(Debug, Default)]
pub(super) struct OwnPacks {
    packs: Vec<Pack>,
    results: usize,
}

impl Remote {
    /// The frozen plans, of one study or of all; the newest last.
    ///
    /// # Errors
    ///
    /// If the remote cannot be read.
    pub fn plans(&self, study: Option<&str>) -> Result<Vec<PlanId>, Error> {
        let prefix = match study {
            Some(study) => format!("run/{}", history::escape(study)),
            None => "run".to_owned(),
        };
        let names = self.objects().list(&prefix)?;
        let mut plans = Vec::new();
        for name in &names {
            let Some((folder, id)) = parse(name) else {
                continue;
            };
            let study = match study {
                Some(study) => Some(study.to_owned()),
                None => history::unescape(folder),
            };
            let study = match study {
                Some(study) => study,
                // A long name is cut, and the plan has all of it.
                None => match self.read_plan(name)? {
                    Some(frozen) => frozen.study,
                    None => continue,
                },
            };
            let id = id.to_owned();
            plans.push(PlanId { study, id });
        }
        plans.sort_by(|a, b| (&a.id, &a.study).cmp(&(&b.id, &b.study)));
        Ok(plans)
    }

    /// Whether a study has run on this remote, as far as that is remembered.
    ///
    /// # Errors
    ///
    /// If the remote cannot be read.
    pub fn has_run(&self, study: &str) -> Result<bool, Error> {
        let names = self
            .objects()
            .list(&format!("run/{}", history::escape(study)))?;
        Ok(!names.is_empty())
    }

    /// A frozen plan; none if there is none of this name.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is damaged, or a newer version of the program wrote it.
    pub fn plan(&self, plan: &PlanId) -> Result<Option<Frozen>, Error> {
        self.read_plan(&format!("{}/plan", folder(plan)))
    }

    fn read_plan(&self, name: &str) -> Result<Option<Frozen>, Error> {
        let Some(object) = self.read(name)? else {
            return Ok(None);
        };
        let path = Path::new(&self.shown).join("v1").join(name);
        let body = sealed::open(SEAL_OF_PLAN, &object, &path)?;
        match serde_json::from_slice(body) {
            Ok(frozen) => Ok(Some(frozen)),
            Err(_) => Err(Error::Damaged { path }),
        }
    }

    pub(crate) fn put_plan(&self, frozen: &Frozen) -> Result<(), Error> {
        let body = serde_json::to_vec(frozen).expect("a plan has string keys only");
        let name = format!("{}/plan", folder(&frozen.plan_id()));
        if self.create(&name, &sealed::seal(SEAL_OF_PLAN, &body))? {
            return Ok(());
        }
        let why = Unfrozen::Exists {
            plan: frozen.plan_id().to_string(),
        };
        Err(Error::CannotFreeze { why })
    }

    /// Whether a plan that has just been stored names nothing that a gc has deleted meanwhile. If so, it is taken back.
    pub(crate) fn is_whole(&self, cache: &Store, frozen: &Frozen) -> Result<bool, Error> {
        self.wait_for_gc()?;
        let mut blobs: Vec<Blob> = frozen.inputs.values().map(FrozenInput::blob).collect();
        let mut records = Vec::new();
        if let Some(pack) = frozen.known {
            blobs.extend([pack.records, pack.contents]);
            let mut packed = Packed::default();
            packed.add(cache, &pack)?;
            records = packed.names().collect();
        }
        let there: HashSet<String> = self.objects().list("ac")?.into_iter().collect();
        let mut is_whole = records.iter().all(|&(key, number)| {
            let name = record_name("ac", key, number);
            there.contains(&name)
        });
        for blob in blobs {
            let length = self.objects().length(&blob_name(blob.digest))?;
            is_whole &= length == Some(blob.bytes);
        }
        if !is_whole {
            let name = format!("{}/plan", folder(&frozen.plan_id()));
            self.objects().delete(&name)?;
        }
        Ok(is_whole)
    }

    /// Stores contents that are no part of the cache: false if they are not what their name says.
    pub(crate) fn put_from(
        &self,
        blob: Blob,
        open: impl Fn() -> Result<Box<dyn Read>, Error>,
    ) -> Result<bool, Error> {
        let name = blob_name(blob.digest);
        // A plan that nobody can carry out is worse than reading what is there once.
        if self.objects().length(&name)? == Some(blob.bytes)
            && let Some(contents) = self.objects().read(&name)?
            && Checked::new(contents, blob.digest).ends_well()
        {
            return Ok(true);
        }
        let checked = || Ok::<_, Error>(Checked::new(open()?, blob.digest));
        let mut contents = checked()?;
        let created = self.objects().create(&name, &mut contents);
        if contents.is_other {
            return Ok(false);
        }
        if !created? {
            let mut contents = checked()?;
            let written = self.objects().overwrite(&name, &mut contents);
            if contents.is_other {
                return Ok(false);
            }
            written?;
        }
        Ok(true)
    }

    /// Packs records that the remote has too; none if there is none.
    pub(crate) fn pack<'r>(
        &self,
        cache: &Store,
        records: impl Iterator<Item = &'r Record>,
    ) -> Result<Option<Pack>, Error> {
        let mut lines = Vec::new();
        let mut inside: Vec<Blob> = Vec::new();
        for record in records {
            let small = record.outputs.values().filter(|it| record::is_inside(it));
            let small: Vec<Blob> = small.copied().collect();
            // What is lost here is read from the record itself.
            if small.iter().any(|it| cache.read(it.digest).is_err()) {
                continue;
            }
            let line = Line {
                number: self.number(record.key),
                record,
                inside: small.clone(),
            };
            serde_json::to_writer(&mut lines, &line).expect("a record has string keys only");
            lines.push(b'\n');
            inside.extend(small);
        }
        if lines.is_empty() {
            return Ok(None);
        }
        let records = cache.put(&lines)?;
        let contents = cache.put_written(|file| {
            for blob in &inside {
                let contents = cache.read(blob.digest)?;
                file.write_all(&contents)
                    .map_err(Error::io("write to the cache", cache.cache()))?;
            }
            Ok::<_, Error>(())
        })??;
        self.put(cache, &records)?;
        self.put(cache, &contents)?;
        Ok(Some(Pack { records, contents }))
    }

    /// The number of the record that holds, of a stage that has one.
    fn number(&self, key: Digest) -> u32 {
        let voids = lock(&self.voids);
        let mut numbers = 1..;
        numbers
            .find(|&number| !voids.contains(&(key, number)))
            .expect("not all numbers are void")
    }

    /// Packs what a copy has published, for those that begin later.
    pub(crate) fn put_known(
        &self,
        cache: &Store,
        plan: &PlanId,
        copy: &str,
        keys: &[Digest],
    ) -> Result<(), Error> {
        if keys.len() < FEW {
            return Ok(());
        }
        let Some(pack) = self.pack_of(cache, keys)? else {
            return Ok(());
        };
        let name = format!("{}/known/{copy}", folder(plan));
        self.say(&name, SEAL_OF_PACK, &pack)?;
        self.outlast_gc(cache, &[pack.records, pack.contents])
    }

    /// Takes note of the records that are packed for a plan. A pack that is lost or damaged is as none.
    pub(crate) fn unpack(&self, cache: &Store, frozen: &Frozen) -> Result<(), Error> {
        let mut packs: Vec<Pack> = frozen.known.into_iter().collect();
        let names = self
            .objects()
            .list(&format!("{}/known", folder(&frozen.plan_id())))?;
        for name in &names {
            packs.extend(self.hear::<Pack>(name, SEAL_OF_PACK)?);
        }
        packs
            .iter()
            .try_for_each(|pack| self.take_pack(cache, pack))
    }

    /// Takes note of the records of a pack, once. One that is lost or damaged is as none.
    pub(super) fn take_pack(&self, cache: &Store, pack: &Pack) -> Result<(), Error> {
        let records = pack.records.digest;
        if lock(&self.unpacked).contains(&records) {
            return Ok(());
        }
        if cache.verify(records).is_ok() || self.fetch_object(cache, records)? {
            lock(&self.packed).add(cache, pack)?;
        }
        lock(&self.unpacked).insert(records);
        Ok(())
    }

    /// Packs more of what a copy has published, if that is worth it: where all lies that is packed. What is not is packed
    /// later, or asked for one by one.
    pub(super) fn pack_more(&self, cache: &Store, published: &[Digest]) -> Vec<Pack> {
        let mut own = lock(&self.own_packs);
        let new = published.get(own.results..).unwrap_or_default();
        if new.len() >= FEW_MORE.max(own.results / MORE)
            && let Ok(Some(pack)) = self.pack_of(cache, new)
        {
            own.results = published.len();
            own.packs.push(pack);
        }
        own.packs.clone()
    }

    fn pack_of(&self, cache: &Store, keys: &[Digest]) -> Result<Option<Pack>, Error> {
        let mut records = Vec::new();
        for &key in keys {
            records.extend(cache.lookup(key)?.record);
        }
        self.pack(cache, records.iter().map(|it| &**it))
    }

    /// The packed record of a stage, if it holds still.
    pub(crate) fn packed(&self, key: Digest) -> Option<(u32, Arc<Record>)> {
        let (number, record) = lock(&self.packed).record(key)?;
        let voids = lock(&self.voids);
        (1..number)
            .all(|earlier| voids.contains(&(key, earlier)))
            .then_some(())?;
        (!voids.contains(&(key, number))).then_some((number, record))
    }

    /// Brings a small output here that is packed: false if that does not work.
    pub(crate) fn fetch_packed(&self, cache: &Store, digest: Digest) -> Result<bool, Error> {
        let Some(place) = lock(&self.packed).place(digest) else {
            return Ok(false);
        };
        let mut contents = place.read(cache, digest);
        if contents.is_none() && self.singles.fetch_add(1, Ordering::Relaxed) >= SINGLE {
            // Whoever comes second finds it here.
            let _one = lock(&self.unpacking);
            contents = place.read(cache, digest);
            if contents.is_none() && self.fetch_object(cache, place.pack.digest)? {
                contents = place.read(cache, digest);
            }
        }
        if let Some(contents) = contents {
            return cache.put(&contents).map(|_| true);
        }
        // Its record has it, too.
        self.read_record(cache, place.key)?;
        Ok(cache.verify(digest).is_ok())
    }
}

/// The study's folder and the plan's id.
fn parse(name: &str) -> Option<(&str, &str)> {
    let mut parts = name.strip_prefix("run/")?.split('/');
    let (folder, id) = (parts.next()?, parts.next()?);
    (parts.next() == Some("plan") && parts.next().is_none()).then_some((folder, id))
}

/// Where all of a plan lies. Whoever names it is not trusted with a path.
pub(crate) fn folder(plan: &PlanId) -> String {
    format!("run/{}", run(plan))
}

/// The name of a plan's run.
pub(crate) fn run(plan: &PlanId) -> String {
    format!(
        "{}/{}",
        history::escape(&plan.study),
        history::escape(&plan.id)
    )
}

/// Contents that fail at their end if they are not what was said.
struct Checked {
    contents: Box<dyn Read>,
    hasher: blake3::Hasher,
    digest: Digest,
    is_other: bool,
}

impl Checked {
    fn new(contents: Box<dyn Read>, digest: Digest) -> Self {
        Self {
            contents,
            hasher: blake3::Hasher::new(),
            digest,
            is_other: false,
        }
    }

    /// Reads it to its end: whether it is what was said.
    fn ends_well(mut self) -> bool {
        io::copy(&mut self, &mut io::sink()).is_ok()
    }
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.contents.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        if read == 0 && !buffer.is_empty() && self.digest != self.hasher.finalize().into() {
            self.is_other = true;
            return Err(io::Error::other("it changed while it was read"));
        }
        Ok(read)
    }
}
