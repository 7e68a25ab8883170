//! What lies in a remote, by what it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use super::super::{Remote, blob_name, lock, numbered, record, record_name};
use crate::remote::by_hand::in_parallel;
use crate::{Digest, Error, Listed, manifest};

/// All objects but those that nobody may delete: what the remote is called, which records are void, what is not known.
#[derive(Default)]
pub(super) struct Survey {
    pub(super) bytes: u64,
    pub(super) stages: BTreeMap<Digest, OfStage>,
    pub(super) blobs: BTreeMap<Digest, Listed>,
    /// By the folder of the study and the name of the run.
    pub(super) runs: BTreeMap<(String, String), OfRun>,
    /// What was only for the moment.
    pub(super) leftovers: Vec<Listed>,
    /// The names of all records.
    pub(super) records: BTreeSet<String>,
}

/// What there is of a stage.
#[derive(Default)]
pub(super) struct OfStage {
    pub(super) records: Vec<Listed>,
    /// Records that can no longer be served. That a number is used up is remembered for ever, so that no number is given
    /// to two results.
    pub(super) void: Vec<Listed>,
    /// Blobs that the records name.
    pub(super) outputs: BTreeSet<Digest>,
    pub(super) kind: Option<String>,
    /// What is there of each attempt, in the order in which it goes: the attempt itself last, so that it never seems to be
    /// at work again.
    pub(super) attempts: BTreeMap<u32, BTreeMap<Part, Listed>>,
}

/// A part of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Checkpoint,
    Failure,
    Release,
    Claim,
}

/// What there is of a run: of a plan, or of the copies that were started by hand.
#[derive(Default)]
pub(super) struct OfRun {
    pub(super) plan: Option<Listed>,
    pub(super) known: Vec<Listed>,
    pub(super) results: Vec<Listed>,
    pub(super) beats: Vec<Listed>,
}

impl OfStage {
    /// All of it, in the order in which it goes: attempts from the last to the first, then records.
    pub(super) fn objects(&self) -> impl Iterator<Item = &Listed> {
        let attempts = self.attempts.values().rev().flat_map(BTreeMap::values);
        attempts.chain(&self.void).chain(&self.records)
    }

    /// When anything of it was last written.
    pub(super) fn modified(&self) -> SystemTime {
        let written = self.objects().map(|it| it.modified);
        written.max().unwrap_or(SystemTime::UNIX_EPOCH)
    }
}

impl OfRun {
    /// All of it, in the order in which it goes: without its plan nobody takes part any more.
    pub(super) fn into_objects(self) -> Vec<Listed> {
        let plan = self.plan.into_iter();
        plan.chain(self.known)
            .chain(self.results)
            .chain(self.beats)
            .collect()
    }
}

/// How long ago something was written.
pub(super) fn age(now: SystemTime, modified: SystemTime) -> Duration {
    now.duration_since(modified).unwrap_or_default()
}

impl Survey {
    /// Lists all objects and reads the records. A damaged one is void from now on, as for everybody who reads it, or is
    /// taken for that if nothing is to be `written`.
    pub(super) fn read(remote: &Remote, written: bool) -> Result<Self, Error> {
        let mut survey = Self::default();
        let mut voids = BTreeSet::new();
        let mut records = Vec::new();
        for object in remote.objects().all()? {
            let name = object.name.clone();
            let parts: Vec<&str> = name.split('/').collect();
            // Its name and the mark of a gc are of the remote itself, and nobody asks how large they are.
            if !matches!(parts[..], ["gc", _] | ["remote"]) {
                survey.bytes += object.bytes;
            }
            match parts[..] {
                ["cas", _, digest] => {
                    if let Ok(digest) = digest.parse() {
                        survey.blobs.insert(digest, object);
                    }
                }
                ["void", ..] => voids.extend(numbered(&name)),
                ["ac", ..] => {
                    if let Some((key, number)) = numbered(&name) {
                        survey.records.insert(name);
                        records.push((key, number, object));
                    }
                }
                ["attempt" | "fail" | "ckpt", last] => {
                    let part = match (parts[0], last.strip_suffix(".released")) {
                        ("ckpt", _) => Part::Checkpoint,
                        ("fail", _) => Part::Failure,
                        (_, Some(_)) => Part::Release,
                        _ => Part::Claim,
                    };
                    let last = last.strip_suffix(".released").unwrap_or(last);
                    if let Some((key, number)) = numbered(last) {
                        let stage = survey.stages.entry(key).or_default();
                        let attempt = stage.attempts.entry(number).or_default();
                        attempt.insert(part, object);
                    }
                }
                ["run", study, id, "plan"] => {
                    survey.run(study, id).plan = Some(object);
                }
                ["run", study, id, "known", _] => survey.run(study, id).known.push(object),
                ["run", study, id, "results", _] => survey.run(study, id).results.push(object),
                ["run", study, id, "beat", _] => survey.run(study, id).beats.push(object),
                ["probe", _] => survey.leftovers.push(object),
                ["tmp", file] if file.starts_with(".tmp") => survey.leftovers.push(object),
                _ => {}
            }
        }
        let survey = Mutex::new(survey);
        in_parallel(&records, |(key, number, object)| {
            let read = if voids.contains(&(*key, *number)) {
                None
            } else {
                match remote.outputs_of(*key, *number)? {
                    Some(Read::Gone) => return Ok(()),
                    Some(Read::Sound(kind, outputs)) => Some((kind, outputs)),
                    None => {
                        if written {
                            remote.void(*key, *number)?;
                        }
                        None
                    }
                }
            };
            let mut survey = lock(&survey);
            let stage = survey.stages.entry(*key).or_default();
            match read {
                Some((kind, outputs)) => {
                    stage.records.push(object.clone());
                    stage.kind = kind;
                    stage.outputs.extend(outputs);
                }
                None => stage.void.push(object.clone()),
            }
            Ok(())
        })?;
        Ok(survey.into_inner().expect("no thread panicked"))
    }

    fn run(&mut self, study: &str, id: &str) -> &mut OfRun {
        let run = (study.to_owned(), id.to_owned());
        self.runs.entry(run).or_default()
    }
}

pub(super) enum Read {
    Gone,
    /// The kind of its stage, and the outputs that are blobs.
    Sound(Option<String>, Vec<Digest>),
}

impl Remote {
    /// What a record names; none if it is damaged.
    pub(super) fn outputs_of(&self, key: Digest, number: u32) -> Result<Option<Read>, Error> {
        let name = record_name("ac", key, number);
        let Some(file) = self.read(&name)? else {
            return Ok(Some(Read::Gone));
        };
        match record::from_bytes(&file, &name) {
            Ok((record, _)) if record.key == key => {
                let outputs = record.outputs.values();
                let outputs = outputs.filter(|it| !record::is_inside(it));
                let outputs = outputs.map(|it| it.digest).collect();
                Ok(Some(Read::Sound(manifest::kind(&record.manifest), outputs)))
            }
            Ok(_) | Err(Error::Damaged { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The contents of a blob; none if it is lost or damaged.
    pub(super) fn contents(&self, digest: Digest) -> Result<Option<Vec<u8>>, Error> {
        let contents = self.read(&blob_name(digest))?;
        Ok(contents.filter(|contents| Digest::of(contents) == digest))
    }
}
