//! What the protocol between copies asks for, carried out.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use fleet::{Beat, Claim, CopyId, Failure, Fate, Reply, Request};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::by_hand::in_parallel;
use super::{About, Remote, lock};
use crate::{Digest, Error, Pack, Store, sealed};

/// So many beats of a run are read at most, those that were written last: copies that are at work write theirs every
/// minute, and one store carries no more of them. The older ones are of copies that were started by hand long ago.
const LATEST: usize = 200;

/// What of a beat's object the protocol and the engine read.
#[derive(Deserialize)]
pub(super) struct Heard {
    #[serde(flatten)]
    pub(super) beat: Beat<Digest>,
    #[serde(default)]
    pub(super) packs: Vec<Pack>,
}

/// A reply, and whether the cache had promised another result than the one that holds.
pub(crate) struct Answered {
    pub(crate) reply: Reply<Beat<Digest>>,
    pub(crate) mismatch: Option<Digest>,
}

impl Remote {
    /// Carries out a request of this copy.
    ///
    /// # Errors
    ///
    /// If the remote or the cache cannot be read or written: whether it was carried out is not known.
    pub(crate) fn answer(
        &self,
        cache: &Store,
        copy: &CopyId,
        request: Request<Digest>,
    ) -> Result<Answered, Error> {
        let mut mismatch = None;
        let created = |is_new| {
            if is_new {
                Reply::Created
            } else {
                Reply::Exists
            }
        };
        let reply = match request {
            Request::Look(key) => match self.take(cache, key)? {
                Some(taken) => {
                    mismatch = taken.mismatch.then_some(key);
                    Reply::Found
                }
                None => Reply::Missing,
            },
            Request::Claim(key, attempt, claim) => {
                created(self.say(&format!("attempt/{key}-{attempt}"), "claim", &claim)?)
            }
            Request::ReadClaim(key, attempt) => {
                let claim = self.hear::<Claim>(&format!("attempt/{key}-{attempt}"), "claim")?;
                claim.map_or(Reply::Missing, Reply::Claimed)
            }
            Request::Fate(key, attempt) => {
                let failure = self.hear::<Failure>(&format!("fail/{key}-{attempt}"), "failure")?;
                Reply::Fate(match failure {
                    Some(failure) => Fate::Failed(failure),
                    None if self
                        .read(&format!("attempt/{key}-{attempt}.released"))?
                        .is_some() =>
                    {
                        Fate::Released
                    }
                    None => Fate::Open,
                })
            }
            Request::Release(key, attempt) => {
                let name = format!("attempt/{key}-{attempt}.released");
                created(self.say(&name, "release", copy)?)
            }
            Request::Fail(key, attempt, failure) => {
                created(self.say(&format!("fail/{key}-{attempt}"), "failure", &failure)?)
            }
            Request::Publish(key) => {
                let is_new = self.publish(cache, key)?;
                if !is_new {
                    mismatch = self
                        .take(cache, key)?
                        .and_then(|taken| taken.mismatch.then_some(key));
                }
                created(is_new)
            }
            Request::Beat(beat) => {
                self.beat(copy, &beat, &About::default(), Vec::new())?;
                Reply::Created
            }
            Request::Beats(others) => Reply::Beats(self.beats(cache, copy, &others)?),
        };
        Ok(Answered { reply, mismatch })
    }

    /// The beats of a copy's run, and of these others. A damaged one is none. What they name that is packed is taken note
    /// of before anybody asks for it.
    fn beats(
        &self,
        cache: &Store,
        copy: &CopyId,
        others: &[CopyId],
    ) -> Result<Vec<(CopyId, Beat<Digest>)>, Error> {
        let (run, own) = copy.as_str().rsplit_once('/').unwrap_or_default();
        let listed = self
            .objects()
            .list_newest(&format!("run/{run}/beat"), LATEST)?;
        let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let of_run = listed.iter().map(|(path, version)| (name(path), version));
        let of_run = of_run.filter(|(name, _)| name != own && !lock(&self.ended).contains(name));
        let of_run =
            of_run.map(|(name, version)| (CopyId::from(format!("{run}/{name}")), version.clone()));
        let others = others.iter().map(|copy| (copy.clone(), None));
        let copies: Vec<(CopyId, Option<String>)> = of_run.chain(others).collect();
        let heard = Mutex::new(Vec::new());
        in_parallel(&copies, |(copy, version)| {
            if version.is_some()
                && let Some((read, beat)) = lock(&self.heard).get(copy)
                && read == version
            {
                lock(&heard).push((copy.clone(), beat.clone(), Vec::new()));
            } else if let Some(Heard { beat, packs }) = self.hear(&beat_name(copy), "beat")? {
                // What was listed may be older than what was read: then it is read once more.
                let noted = (version.clone(), beat.clone());
                lock(&self.heard).insert(copy.clone(), noted);
                lock(&heard).push((copy.clone(), beat, packs));
            }
            Ok(())
        })?;
        let mut beats = Vec::new();
        for (copy, beat, packs) in heard.into_inner().unwrap_or_else(PoisonError::into_inner) {
            if !beat.settled.iter().all(|&key| self.packed(key).is_some()) {
                for pack in packs {
                    self.take_pack(cache, &pack)?;
                }
            }
            if beat.ended {
                let name = copy.as_str().rsplit('/').next().unwrap_or_default();
                lock(&self.ended).insert(name.to_owned());
            }
            beats.push((copy, beat));
        }
        Ok(beats)
    }

    pub(super) fn say(&self, name: &str, kind: &str, what: &impl Serialize) -> Result<bool, Error> {
        let body = serde_json::to_vec(what).expect("what copies say has string keys only");
        self.create(name, &sealed::seal(kind, &body))
    }

    /// What a copy said; none if it said nothing that can be read.
    pub(super) fn hear<T: DeserializeOwned>(
        &self,
        name: &str,
        kind: &str,
    ) -> Result<Option<T>, Error> {
        let Some(object) = self.read(name)? else {
            return Ok(None);
        };
        match sealed::open(kind, &object, Path::new(name)) {
            Ok(body) => Ok(serde_json::from_slice(body).ok()),
            Err(Error::Damaged { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// `RUN/COPY`, where its beat lies.
pub(super) fn beat_name(copy: &CopyId) -> String {
    let (run, copy) = copy.as_str().rsplit_once('/').unwrap_or_default();
    format!("run/{run}/beat/{copy}")
}
