//! The store of the simulation: what it holds, what it answers, and what it was asked.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use fleet::{Beat, Claim, CopyId, Failure, Fate, Reply, Request};

pub(crate) type Stage = u32;

/// Requests of each kind, a look at a file for each object.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Asked {
    /// For stages: attempts, looks, records.
    pub(crate) for_stages: u64,
    /// To write and read beats.
    pub(crate) for_beats: u64,
}

#[derive(Default)]
pub(crate) struct Store {
    /// Whose result the record of a stage is.
    pub(crate) records: HashMap<Stage, CopyId>,
    claims: HashMap<(Stage, u32), Claim>,
    released: HashSet<(Stage, u32)>,
    pub(crate) failures: HashMap<(Stage, u32), Failure>,
    beats: Vec<(CopyId, Rc<Beat<Stage>>)>,
    places: HashMap<CopyId, usize>,
    pub(crate) asked: Asked,
}

impl Store {
    /// The counter of the beat of a copy that is there.
    pub(crate) fn counter(&self, copy: &CopyId) -> u64 {
        let at = self.places.get(copy);
        at.map_or(0, |&at| self.beats[at].1.counter)
    }

    /// Carries out a request.
    pub(crate) fn answer(
        &mut self,
        from: &CopyId,
        request: Request<Stage>,
    ) -> Reply<Rc<Beat<Stage>>> {
        let cost = match &request {
            Request::Beats(others) => 1 + self.beats.len() + others.len(),
            Request::Fate(..) => 2,
            _ => 1,
        };
        match &request {
            Request::Beat(_) | Request::Beats(_) => self.asked.for_beats += cost as u64,
            _ => self.asked.for_stages += cost as u64,
        }
        let created = |is_new: bool| {
            if is_new {
                Reply::Created
            } else {
                Reply::Exists
            }
        };
        match request {
            Request::Look(stage) if self.records.contains_key(&stage) => Reply::Found,
            Request::Look(_) => Reply::Missing,
            Request::Claim(stage, attempt, claim) => {
                let is_new = !self.claims.contains_key(&(stage, attempt));
                self.claims.entry((stage, attempt)).or_insert(claim);
                created(is_new)
            }
            Request::ReadClaim(stage, attempt) => {
                let claim = self.claims.get(&(stage, attempt));
                claim.map_or(Reply::Missing, |claim| Reply::Claimed(claim.clone()))
            }
            Request::Fate(stage, attempt) => {
                let fate = if let Some(failure) = self.failures.get(&(stage, attempt)) {
                    Fate::Failed(failure.clone())
                } else if self.released.contains(&(stage, attempt)) {
                    Fate::Released
                } else {
                    Fate::Open
                };
                Reply::Fate(fate)
            }
            Request::Release(stage, attempt) => {
                let owner = &self.claims[&(stage, attempt)].copy;
                assert_eq!(owner, from, "nobody releases another's attempt");
                created(self.released.insert((stage, attempt)))
            }
            Request::Fail(stage, attempt, failure) => {
                let is_new = !self.failures.contains_key(&(stage, attempt));
                self.failures.entry((stage, attempt)).or_insert(failure);
                created(is_new)
            }
            Request::Publish(stage) => {
                let is_new = !self.records.contains_key(&stage);
                self.records.entry(stage).or_insert_with(|| from.clone());
                created(is_new)
            }
            Request::Beat(beat) => {
                let beat = Rc::new(beat);
                if let Some(&at) = self.places.get(from) {
                    // One that was long on its way overwrites a newer one: no store knows better.
                    self.beats[at].1 = beat;
                } else {
                    self.places.insert(from.clone(), self.beats.len());
                    self.beats.push((from.clone(), beat));
                }
                Reply::Created
            }
            Request::Beats(_) => Reply::Beats(self.beats.clone()),
        }
    }
}
