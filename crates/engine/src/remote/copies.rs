//! What copies tell of themselves in their beats, beside what the protocol needs, and how that is read.

use std::collections::BTreeMap;
use std::time::SystemTime;

use fleet::{Beat, CopyId, Failure};
use serde::{Deserialize, Serialize};

use super::requests::beat_name;
use super::{Remote, numbered, plans};
use crate::{Digest, Error, Pack, PlanId, Progress, sealed};

/// What a copy tells of itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct About {
    pub(crate) host: String,
    /// What the batch system calls it.
    pub(crate) job: Option<String>,
    /// When it began, by its own clock.
    pub(crate) started: String,
    /// Bytes that a stage may take there, if they are limited.
    pub(crate) memory: Option<u64>,
    /// Stages that it ran.
    pub(crate) ran: usize,
    /// Stages that failed for good, as far as it knows.
    pub(crate) failed: usize,
    /// The stages that it runs.
    pub(crate) runs: BTreeMap<Digest, AboutStage>,
}

/// What a copy tells of a stage that it runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct AboutStage {
    pub(crate) name: String,
    pub(crate) progress: Option<Progress>,
}

/// What is in a beat's object. The protocol reads its own part.
#[derive(Serialize, Deserialize)]
struct Told<B> {
    #[serde(flatten)]
    beat: B,
    #[serde(default)]
    about: About,
    /// Where the records of results lie packed that the copy has published.
    #[serde(default, skip_serializing_if = "<[Pack]>::is_empty")]
    packs: Vec<Pack>,
}

/// A copy as its last beat shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct CopySeen {
    /// Its name, unique among the copies of its plan.
    pub name: String,
    /// The machine that it is on.
    pub host: String,
    /// What the batch system calls it.
    pub job: Option<String>,
    /// When it began, in UTC, by the clock of its machine.
    pub started: String,
    /// How many bytes of memory a stage may take there; `None`: as many as it likes.
    pub memory: Option<u64>,
    /// Grows with every beat.
    pub counter: u64,
    /// Whether it has said its last.
    pub ended: bool,
    /// The stages that it has.
    pub holds: Vec<HeldSeen>,
    /// How many results it has published.
    pub settled: usize,
    /// How many stages it ran.
    pub ran: usize,
    /// How many stages failed for good, as far as it knows.
    pub failed: usize,
    /// When the beat was written, by the clock of the store, if that says it: no measure of age on other clocks.
    pub modified: Option<SystemTime>,
}

/// A stage that a copy has.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldSeen {
    /// Its key.
    pub key: Digest,
    /// Its name, once it runs.
    pub name: Option<String>,
    /// Which attempt at it.
    pub attempt: u32,
    /// The deepest checkpoint that is stored, in steps.
    pub depth: u64,
    /// How far it is, where its executor said it.
    pub progress: Option<Progress>,
}

/// An attempt that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureSeen {
    /// The stage's key.
    pub key: Digest,
    /// Which attempt at it.
    pub attempt: u32,
    /// The copy that made it.
    pub copy: String,
    /// Why it failed.
    pub why: String,
    /// The end of the log.
    pub tail: String,
}

impl Remote {
    /// Writes a beat, with where the results are packed that the copy has published.
    pub(crate) fn beat(
        &self,
        copy: &CopyId,
        beat: &Beat<Digest>,
        about: &About,
        packs: Vec<Pack>,
    ) -> Result<(), Error> {
        let about = about.clone();
        let told = Told { beat, about, packs };
        let body = serde_json::to_vec(&told).expect("a beat has string keys only");
        let object = sealed::seal("beat", &body);
        self.objects().overwrite(&beat_name(copy), &mut &object[..])
    }

    /// The copies of a plan that there are or were, by name.
    ///
    /// # Errors
    ///
    /// If the remote cannot be read.
    pub fn copies(&self, plan: &PlanId) -> Result<Vec<CopySeen>, Error> {
        let mut names = self
            .objects()
            .list(&format!("{}/beat", plans::folder(plan)))?;
        names.sort();
        let mut copies = Vec::new();
        for name in names {
            // One that is damaged or was overwritten as it was read comes again.
            let Some(Told { beat, about, .. }) = self.hear::<Told<Beat<Digest>>>(&name, "beat")?
            else {
                continue;
            };
            let mut runs = about.runs;
            let holds = beat.holds.into_iter().map(|held| {
                let told = runs.remove(&held.stage).unwrap_or_default();
                HeldSeen {
                    key: held.stage,
                    name: Some(told.name).filter(|name| !name.is_empty()),
                    attempt: held.attempt,
                    depth: held.depth,
                    progress: told.progress,
                }
            });
            let mut holds: Vec<HeldSeen> = holds.collect();
            holds.sort_by(|a, b| (&a.name, a.key).cmp(&(&b.name, b.key)));
            copies.push(CopySeen {
                holds,
                host: about.host,
                job: about.job,
                started: about.started,
                memory: about.memory,
                counter: beat.counter,
                ended: beat.ended,
                settled: beat.settled.len(),
                ran: about.ran,
                failed: about.failed,
                modified: self.objects().modified(&name)?,
                name: name.rsplit('/').next().unwrap_or_default().to_owned(),
            });
        }
        Ok(copies)
    }

    /// The attempts that failed in a plan's run, by key and number.
    ///
    /// # Errors
    ///
    /// If the remote cannot be read.
    pub fn failures(&self, plan: &PlanId) -> Result<Vec<FailureSeen>, Error> {
        let run = plans::run(plan);
        let mut failures = Vec::new();
        for name in self.objects().list("fail")? {
            let Some((key, attempt)) = numbered(&name) else {
                continue;
            };
            let failure = self.hear::<Failure>(&name, "failure")?;
            let Some(failure) = failure.filter(|failure| failure.run == run) else {
                continue;
            };
            failures.push(FailureSeen {
                key,
                attempt,
                copy: failure.copy.to_string(),
                why: failure.why,
                tail: failure.tail,
            });
        }
        failures.sort_by_key(|it| (it.key, it.attempt));
        Ok(failures)
    }
}
