//! What may go from a remote, and why.
//!
//! Kept is what keeps results ([`Holders`]: plans, copies, and what each study had last), the results that they keep, and
//! what the cache's own studies and pins keep. Of the rest those results go that are old, and then the oldest until the
//! remote is small enough; where that does not do, plans that are not their study's last. Attempts go once their stage has
//! a result. Nothing goes that was written within the grace, by the clock of the store.
//!
//! # Why no record lacks its outputs
//!
//! Who publishes writes the outputs, then the record; gc deletes records, then outputs that no record names. So an output
//! is in danger only if a record comes to name it after gc has listed the records.
//!
//! - If the output was written for that record, it is younger than the grace, and stays.
//! - If it lay there before, its publisher looks for the mark of a gc *after* it created the record. If there is none, a
//!   gc that begins later lists the record. If there is one, the publisher waits for its end and then writes the outputs
//!   that are missing ([`Remote::outlast_gc`]). So that a publisher may die meanwhile, gc lists the records once more
//!   before the first output goes.
//!
//! The same holds of plans and what they name, and of packs. Of two gcs one goes on at most. One that is killed leaves at
//! most what the next one deletes, because what names something goes first; so does one that stood still, because it
//! deletes nothing once others may think that it was killed.

mod holders;
mod mark;
mod survey;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::{Duration, SystemTime};

use super::by_hand::in_parallel;
use super::{Remote, numbered};
use crate::{
    Deletion, DeletionReason, Digest, Error, GcReport, Listed, Policy, Store, fault, roots,
};
use holders::{Holder, Holders, What};
pub(crate) use mark::KILLED;
use mark::Mark;
use survey::{Read, Survey, age};

/// How long something that nobody names is kept, because somebody may be about to name it.
pub const GRACE: Duration = Duration::from_hours(7 * 24);
/// No grace is shorter: copies give a sign of life every minute, and what gave none within the grace counts as gone.
const LEAST: Duration = Duration::from_hours(1);

impl Remote {
    /// Says what may go from the remote, and deletes it if told to. What studies and pins of the cache keep is kept here,
    /// too. Nothing goes that was written within the grace, which is an hour at least.
    ///
    /// # Errors
    ///
    /// [`Error::KeepsUnknown`] if something that keeps results is lost or damaged, [`Error::Damaged`] if a history or a pin
    /// of the cache is; [`Error::GcAtWork`]; else if the remote cannot be read or written.
    ///
    /// # Panics
    ///
    /// Never: what stays after all was among what was to go.
    pub fn gc(
        &self,
        cache: &Store,
        policy: &Policy,
        grace: Duration,
        delete: bool,
    ) -> Result<GcReport, Error> {
        let mark = delete.then(|| Mark::set(self)).transpose()?;
        let now = match &mark {
            Some(mark) => mark.time()?,
            None => self.time()?,
        };
        let mut survey = Survey::read(self, delete)?;
        let times = (now, grace.max(LEAST));
        let holders = Holders::read(self, &mut survey, times, &policy.forget)?;
        let own = roots::of(cache, &policy.forget)?;
        let records = std::mem::take(&mut survey.records);
        let mut chosen = Chooser::new(self, survey, holders, own, times).choose(policy);
        if let Some(mark) = mark {
            let [holders, stages, blobs] = &chosen.phases;
            self.delete_all(holders, &mark)?;
            self.delete_all(stages, &mark)?;
            let named = self.named_since(&records)?;
            let digest = |name: &str| name.rsplit('/').next()?.parse::<Digest>().ok();
            let stay = |name: &str| digest(name).is_some_and(|digest| named.contains(&digest));
            let (stays, go): (Vec<_>, Vec<_>) =
                blobs.iter().cloned().partition(|group| stay(&group[0]));
            self.delete_all(&go, &mark)?;
            for name in stays.into_iter().flatten() {
                let path = self.path_of(&name);
                let deletions = &mut chosen.report.deletions;
                let at = deletions.iter().position(|it| it.path == path);
                chosen.report.after += deletions.remove(at.expect("it was to go")).bytes;
            }
            chosen.report.deleted = true;
        }
        Ok(chosen.report)
    }

    /// Each group in its order, many groups at a time.
    fn delete_all(&self, groups: &[Vec<String>], mark: &Mark<'_>) -> Result<(), Error> {
        in_parallel(groups, |group| {
            group.iter().try_for_each(|name| {
                mark.hold()?;
                fault::point("delete");
                self.objects().delete(name)
            })
        })
    }

    /// The blobs that records name which are not among these.
    fn named_since(&self, before: &BTreeSet<String>) -> Result<HashSet<Digest>, Error> {
        let mut named = HashSet::new();
        for name in self.objects().list("ac")? {
            if before.contains(&name) {
                continue;
            }
            let Some((key, number)) = numbered(&name) else {
                continue;
            };
            if let Some(Read::Sound(_, outputs)) = self.outputs_of(key, number)? {
                named.extend(outputs);
            }
        }
        Ok(named)
    }
}

/// What goes: what keeps results, then stages, then blobs; groups whose objects go in their order.
struct Chosen {
    phases: [Vec<Vec<String>>; 3],
    report: GcReport,
}

struct Chooser<'r> {
    remote: &'r Remote,
    survey: Survey,
    holders: Vec<Holder>,
    busy: HashSet<Digest>,
    /// Who keeps a stage: a study or pin of the cache, or a holder.
    own: HashMap<Digest, String>,
    kept: HashMap<Digest, usize>,
    unfinished: HashMap<Digest, usize>,
    /// How many records and holders name a blob.
    users: HashMap<Digest, usize>,
    now: SystemTime,
    grace: Duration,
    chosen: [Vec<(Vec<String>, Vec<Deletion>)>; 3],
    report: GcReport,
}

impl<'r> Chooser<'r> {
    fn new(
        remote: &'r Remote,
        survey: Survey,
        holders: Holders,
        own: HashMap<Digest, String>,
        (now, grace): (SystemTime, Duration),
    ) -> Self {
        let mut users: HashMap<Digest, usize> = HashMap::new();
        let by_records = survey.stages.values().flat_map(|it| &it.outputs);
        let by_holders = holders.all.iter().flat_map(|it| &it.blobs);
        for blob in by_records.chain(by_holders) {
            *users.entry(*blob).or_default() += 1;
        }
        let count = |of: fn(&Holder) -> &HashSet<Digest>| {
            let mut counts: HashMap<Digest, usize> = HashMap::new();
            for key in holders.all.iter().flat_map(of) {
                *counts.entry(*key).or_default() += 1;
            }
            counts
        };
        let (kept, unfinished) = (count(|it| &it.keys), count(|it| &it.unfinished));
        let report = GcReport {
            deletions: Vec::new(),
            before: survey.bytes,
            after: survey.bytes,
            kept: BTreeMap::new(),
            spared: 0,
            deleted: false,
        };
        Self {
            remote,
            survey,
            holders: holders.all,
            busy: holders.busy,
            own,
            kept,
            unfinished,
            users,
            now,
            grace,
            chosen: Default::default(),
            report,
        }
    }

    fn choose(mut self, policy: &Policy) -> Chosen {
        self.leftovers();
        self.attempts();
        for holder in std::mem::take(&mut self.holders) {
            match self.why_at_once(&holder, policy) {
                Some(why) => self.holder_goes(&holder, &why),
                None => self.holders.push(holder),
            }
        }
        loop {
            self.results(policy);
            let is_too_large = self.is_too_large(policy);
            let may_go = |it: &Holder| !it.last && age(self.now, it.modified) >= self.grace;
            let Some(at) = self
                .holders
                .iter()
                .position(may_go)
                .filter(|_| is_too_large)
            else {
                break;
            };
            let holder = self.holders.remove(at);
            self.holder_goes(&holder, &DeletionReason::TooLarge);
        }
        self.count_kept();
        let mut report = self.report;
        let phases = self.chosen.map(|groups| {
            let (names, deletions): (Vec<_>, Vec<_>) = groups.into_iter().unzip();
            report.deletions.extend(deletions.into_iter().flatten());
            names
        });
        Chosen { phases, report }
    }

    fn is_too_large(&self, policy: &Policy) -> bool {
        policy
            .max_bytes
            .is_some_and(|limit| self.report.after > limit)
    }

    fn is_young(&self, modified: SystemTime) -> bool {
        age(self.now, modified) < self.grace
    }

    /// What was only for the moment, and blobs that nobody names.
    fn leftovers(&mut self) {
        for object in std::mem::take(&mut self.survey.leftovers) {
            if !self.is_young(object.modified) {
                self.go(0, &[object], None, &DeletionReason::LeftOver);
            }
        }
        let unused = self.survey.blobs.keys();
        let unused: Vec<Digest> = unused
            .filter(|digest| !self.users.contains_key(digest))
            .copied()
            .collect();
        for digest in unused {
            self.blob_goes(digest, None, &DeletionReason::NoResult);
        }
    }

    /// Attempts at stages that have results, and records that can no longer be served.
    fn attempts(&mut self) {
        let (now, grace) = (self.now, self.grace);
        let is_old = |it: &Listed| age(now, it.modified) >= grace;
        let mut go = Vec::new();
        for (key, stage) in &mut self.survey.stages {
            let void: Vec<Listed> = stage.void.extract_if(.., |it| is_old(it)).collect();
            if !void.is_empty() {
                go.push((void, stage.kind.clone(), DeletionReason::Void));
            }
            let mut objects = stage.attempts.values().flat_map(BTreeMap::values);
            if !stage.records.is_empty() && !self.busy.contains(key) && objects.all(is_old) {
                let attempts = std::mem::take(&mut stage.attempts).into_values().rev();
                let attempts: Vec<Listed> = attempts.flat_map(BTreeMap::into_values).collect();
                if !attempts.is_empty() {
                    go.push((attempts, stage.kind.clone(), DeletionReason::Finished));
                }
            }
        }
        for (objects, kind, why) in go {
            self.go(1, &objects, kind.as_deref(), &why);
        }
    }

    fn why_at_once(&self, holder: &Holder, policy: &Policy) -> Option<DeletionReason> {
        let age = age(self.now, holder.modified);
        if holder.last || age < self.grace {
            None
        } else if holder.is_of(&policy.forget) {
            Some(DeletionReason::Forgotten)
        } else if holder.what == What::Rest {
            Some(DeletionReason::LeftOver)
        } else {
            let is_old = policy.older_than.is_some_and(|limit| age >= limit);
            is_old.then_some(DeletionReason::Superseded)
        }
    }

    fn holder_goes(&mut self, holder: &Holder, why: &DeletionReason) {
        self.go(0, &holder.objects, None, why);
        for (counts, keys) in [
            (&mut self.kept, &holder.keys),
            (&mut self.unfinished, &holder.unfinished),
        ] {
            for key in keys {
                *counts.get_mut(key).expect("it was counted") -= 1;
            }
        }
        for blob in &holder.blobs {
            self.no_longer_named(*blob, None, why);
        }
    }

    /// What nobody keeps goes, the oldest first.
    fn results(&mut self, policy: &Policy) {
        let mut free = Vec::new();
        for (key, stage) in &self.survey.stages {
            let by = |counts: &HashMap<Digest, usize>| counts.get(key).is_some_and(|&it| it > 0);
            // What was begun by copies of which nobody knows any more is begun anew at once.
            let is_kept = self.busy.contains(key)
                || if stage.records.is_empty() {
                    by(&self.unfinished)
                } else {
                    by(&self.kept) || self.own.contains_key(key)
                };
            let modified = stage.modified();
            if !is_kept && !self.is_young(modified) {
                free.push((modified, *key));
            }
        }
        free.sort_unstable();
        for (modified, key) in free {
            let age = age(self.now, modified);
            let why = if policy.older_than.is_some_and(|limit| age >= limit) {
                DeletionReason::Old
            } else if self.is_too_large(policy) {
                DeletionReason::TooLarge
            } else {
                continue;
            };
            let stage = self.survey.stages.remove(&key).expect("it was found there");
            let objects: Vec<Listed> = stage.objects().cloned().collect();
            self.go(1, &objects, stage.kind.as_deref(), &why);
            for blob in stage.outputs {
                self.no_longer_named(blob, stage.kind.as_deref(), &why);
            }
        }
    }

    fn no_longer_named(&mut self, digest: Digest, kind: Option<&str>, why: &DeletionReason) {
        let users = self.users.get_mut(&digest).expect("it was counted");
        *users -= 1;
        if *users == 0 {
            self.blob_goes(digest, kind, why);
        }
    }

    fn blob_goes(&mut self, digest: Digest, kind: Option<&str>, why: &DeletionReason) {
        let is_old = |blob: &Listed| !self.is_young(blob.modified);
        if self.survey.blobs.get(&digest).is_some_and(is_old) {
            let blob = self.survey.blobs.remove(&digest).expect("it is there");
            self.go(2, &[blob], kind, why);
        }
    }

    fn go(&mut self, phase: usize, objects: &[Listed], kind: Option<&str>, why: &DeletionReason) {
        if objects.is_empty() {
            return;
        }
        self.report.after -= objects.iter().map(|it| it.bytes).sum::<u64>();
        let names = objects.iter().map(|it| it.name.clone()).collect();
        let deletions = objects.iter().map(|it| Deletion {
            path: self.remote.path_of(&it.name),
            bytes: it.bytes,
            age: age(self.now, it.modified).as_secs(),
            kind: kind.map(str::to_owned),
            why: why.clone(),
        });
        self.chosen[phase].push((names, deletions.collect()));
    }

    fn count_kept(&mut self) {
        let mut by: HashMap<Digest, &str> = HashMap::new();
        for holder in &self.holders {
            // The newest one says it.
            by.extend(holder.keys.iter().map(|key| (*key, holder.by.as_str())));
        }
        for (key, stage) in &self.survey.stages {
            if stage.records.is_empty() {
                continue;
            }
            let keeps = self.own.get(key).map(String::as_str);
            match keeps.or_else(|| by.get(key).copied()) {
                Some(by) => *self.report.kept.entry(by.to_owned()).or_default() += 1,
                None => self.report.spared += 1,
            }
        }
    }
}
