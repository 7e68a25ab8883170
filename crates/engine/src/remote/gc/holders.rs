//! What keeps results in a remote: plans with all that belongs to them, the last words of copies that were started by
//! hand, and what a study had when a copy of it last left.

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use fleet::{Claim, Failure};
use serde::de::DeserializeOwned;

use super::super::plans::{BY_HAND, SEAL_OF_PACK, SEAL_OF_PLAN};
use super::super::requests::Heard;
use super::super::results::SEAL_OF_RESULTS;
use super::super::{Remote, blob_name, lock};
use super::survey::{OfRun, Part, Survey, age};
use crate::frozen::pack::{Line, Pack};
use crate::remote::by_hand::in_parallel;
use crate::{Digest, Error, Frozen, Listed, Record, history, sealed};

/// Something that keeps results for as long as it is there.
pub(super) struct Holder {
    /// Who it is, as people are told.
    pub(super) by: String,
    pub(super) what: What,
    /// Its objects, in the order in which they go.
    pub(super) objects: Vec<Listed>,
    /// The stages whose results it keeps.
    pub(super) keys: HashSet<Digest>,
    /// Those that were begun in its run and have no result.
    pub(super) unfinished: HashSet<Digest>,
    /// Blobs that it names itself.
    pub(super) blobs: HashSet<Digest>,
    /// When anything of it was last written.
    pub(super) modified: SystemTime,
    /// Whether it is what its study had when it last ran.
    pub(super) last: bool,
    study: String,
    /// `STUDY/ID`, as claims have it.
    run: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Plan,
    /// What is left of a plan that has gone.
    Rest,
    Copy,
    Results,
}

/// All of them, the oldest first; and the stages that copies have which gave a sign of life lately.
pub(super) struct Holders {
    pub(super) all: Vec<Holder>,
    pub(super) busy: HashSet<Digest>,
}

/// `plan`, `known`, `results` or `beat`.
fn part(name: &str) -> &str {
    name.split('/').nth(3).unwrap_or_default()
}

impl Holder {
    fn new(what: What, study: &str, id: &str, of: OfRun) -> Self {
        let objects = of.into_objects();
        let written = objects.iter().map(|it| it.modified).max();
        let study_name = history::unescape(study).unwrap_or_else(|| study.to_owned());
        let by = match what {
            What::Plan | What::Rest => format!("plan {study_name}/{id}"),
            What::Copy | What::Results => format!("study {study_name}, run by hand"),
        };
        Self {
            by,
            what,
            modified: written.unwrap_or(SystemTime::UNIX_EPOCH),
            objects,
            keys: HashSet::new(),
            unfinished: HashSet::new(),
            blobs: HashSet::new(),
            last: false,
            study: study.to_owned(),
            run: format!("{study}/{id}"),
        }
    }

    /// Whether it is of one of these studies.
    pub(super) fn is_of(&self, studies: &[String]) -> bool {
        studies
            .iter()
            .any(|study| history::escape(study) == self.study)
    }
}

impl Holders {
    pub(super) fn read(
        remote: &Remote,
        survey: &mut Survey,
        (now, grace): (SystemTime, Duration),
        forget: &[String],
    ) -> Result<Self, Error> {
        let mut all = Vec::new();
        for ((study, id), of) in std::mem::take(&mut survey.runs) {
            let holder = |what, of| Holder::new(what, &study, &id, of);
            if of.plan.is_some() {
                all.push(holder(What::Plan, of));
            } else if id != BY_HAND {
                all.push(holder(What::Rest, of));
            } else {
                for beat in of.beats {
                    let beats = vec![beat];
                    let of = OfRun {
                        beats,
                        ..OfRun::default()
                    };
                    all.push(holder(What::Copy, of));
                }
                for list in of.results {
                    let results = vec![list];
                    let of = OfRun {
                        results,
                        ..OfRun::default()
                    };
                    all.push(holder(What::Results, of));
                }
            }
        }
        let is_young = |modified| age(now, modified) < grace;
        // What is given up need not be known.
        let is_given_up = |it: &Holder| it.is_of(forget) && !is_young(it.modified);
        let (given_up, kept): (Vec<_>, Vec<_>) = all.into_iter().partition(is_given_up);
        let (all, busy) = (Mutex::new(given_up), Mutex::new(HashSet::new()));
        let kept: Vec<Mutex<Option<Holder>>> =
            kept.into_iter().map(|it| Mutex::new(Some(it))).collect();
        in_parallel(&kept, |holder| {
            let mut holder = lock(holder).take().expect("each is taken once");
            remote.read_holder(&mut holder, &is_young, &busy)?;
            lock(&all).push(holder);
            Ok(())
        })?;
        let mut all = all.into_inner().expect("no thread panicked");
        all.sort_by(|a, b| (a.modified, &a.run).cmp(&(b.modified, &b.run)));
        let busy = busy.into_inner().expect("no thread panicked");
        let mut holders = Self { all, busy };
        holders.choose_last(forget);
        holders.keep_unfinished(remote, survey, &is_young)?;
        Ok(holders)
    }

    /// Of each study, the newest plan and what has the newest list of results is what it had when it last ran.
    fn choose_last(&mut self, forget: &[String]) {
        let mut newest: BTreeMap<(String, bool), (SystemTime, usize)> = BTreeMap::new();
        for (at, holder) in self.all.iter().enumerate() {
            for object in &holder.objects {
                let part = part(&object.name);
                let is_plan = part == "plan";
                if is_plan || part == "results" {
                    let known = newest
                        .entry((holder.study.clone(), is_plan))
                        .or_insert((object.modified, at));
                    *known = (*known).max((object.modified, at));
                }
            }
        }
        for (_, at) in newest.into_values() {
            self.all[at].last = !self.all[at].is_of(forget);
        }
    }

    /// What a plan's copies began and nobody finished is kept as long as the plan, to go on from.
    fn keep_unfinished(
        &mut self,
        remote: &Remote,
        survey: &Survey,
        is_young: &dyn Fn(SystemTime) -> bool,
    ) -> Result<(), Error> {
        let unfinished = survey.stages.iter().filter(|(_, it)| {
            it.records.is_empty() && !it.attempts.is_empty() && !is_young(it.modified())
        });
        let parts = unfinished.flat_map(|(key, it)| {
            let parts = it.attempts.values().flatten();
            parts.map(move |(part, object)| (*key, *part, &object.name))
        });
        let parts: Vec<_> = parts.collect();
        let runs = Mutex::new(Vec::new());
        in_parallel(&parts, |&(key, part, name)| {
            let run = match part {
                Part::Claim => remote.hear::<Claim>(name, "claim")?.map(|it| it.run),
                Part::Failure => remote.hear::<Failure>(name, "failure")?.map(|it| it.run),
                Part::Checkpoint | Part::Release => None,
            };
            lock(&runs).extend(run.map(|run| (run, key)));
            Ok(())
        })?;
        for (run, key) in runs.into_inner().expect("no thread panicked") {
            let plans = self.all.iter_mut().filter(|it| it.what == What::Plan);
            let of_run = plans.filter(|it| it.run == run);
            of_run.for_each(|it| it.unfinished.extend([key]));
        }
        Ok(())
    }
}

impl Remote {
    fn read_holder(
        &self,
        holder: &mut Holder,
        is_young: &dyn Fn(SystemTime) -> bool,
        busy: &Mutex<HashSet<Digest>>,
    ) -> Result<(), Error> {
        for object in &holder.objects {
            let name = object.name.as_str();
            let by = holder.by.as_str();
            match part(name) {
                "plan" => {
                    let Some(frozen) = self.told::<Frozen>(name, SEAL_OF_PLAN, by)? else {
                        continue;
                    };
                    let inputs = frozen.inputs.values();
                    holder.blobs.extend(inputs.map(|it| it.blob().digest));
                    if let Some(pack) = frozen.known {
                        self.read_pack(pack, by, &mut holder.keys, &mut holder.blobs)?;
                    }
                }
                "known" => {
                    if let Some(pack) = self.told::<Pack>(name, SEAL_OF_PACK, by)? {
                        self.read_pack(pack, by, &mut holder.keys, &mut holder.blobs)?;
                    }
                }
                "results" => {
                    let keys = self.told::<Vec<Digest>>(name, SEAL_OF_RESULTS, by)?;
                    holder.keys.extend(keys.into_iter().flatten());
                }
                _ => {
                    let Some(Heard { beat, packs }) = self.told::<Heard>(name, "beat", by)? else {
                        continue;
                    };
                    holder.keys.extend(beat.settled);
                    // They save requests: one that is lost is as none.
                    let blobs = packs.iter().map(|it| [it.records, it.contents]);
                    holder.blobs.extend(blobs.flatten().map(|it| it.digest));
                    if is_young(object.modified) && !beat.ended {
                        lock(busy).extend(beat.holds.iter().map(|held| held.stage));
                    }
                }
            }
        }
        Ok(())
    }

    fn read_pack(
        &self,
        pack: Pack,
        by: &str,
        keys: &mut HashSet<Digest>,
        blobs: &mut HashSet<Digest>,
    ) -> Result<(), Error> {
        blobs.extend([pack.records.digest, pack.contents.digest]);
        let name = blob_name(pack.records.digest);
        let lines = self.contents(pack.records.digest)?;
        let lines = lines.ok_or_else(|| self.unknown(&name, by))?;
        for line in lines.split(|&byte| byte == b'\n') {
            // A line that another version wrote may be something else, as for who reads it.
            if let Ok(line) = serde_json::from_slice::<Line<Record>>(line) {
                keys.insert(line.record.key);
            }
        }
        Ok(())
    }

    /// What an object says; none if it has gone since it was listed.
    fn told<T: DeserializeOwned>(
        &self,
        name: &str,
        seal: &str,
        by: &str,
    ) -> Result<Option<T>, Error> {
        let Some(object) = self.read(name)? else {
            return Ok(None);
        };
        match sealed::open(seal, &object, &self.path_of(name)) {
            Ok(body) => serde_json::from_slice(body)
                .map(Some)
                .map_err(|_| self.unknown(name, by)),
            Err(Error::Damaged { .. }) => Err(self.unknown(name, by)),
            Err(error) => Err(error),
        }
    }

    fn unknown(&self, name: &str, by: &str) -> Error {
        Error::KeepsUnknown {
            by: by.to_owned(),
            path: self.path_of(name),
        }
    }
}
