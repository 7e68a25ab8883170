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
    /// For results of others: packs written and read, and looks at what is in none that was read.
    pub(crate) for_results: u64,
    /// As many looks there would be without packs.
    pub(crate) one_by_one: u64,
}

/// As `engine::remote` packs what a copy has published: at least so many results at once, and at least this part of those
/// that are packed.
const FEW: usize = 8;
const MORE: usize = 32;

#[derive(Default)]
pub(crate) struct Store {
    /// Whose result the record of a stage is.
    pub(crate) records: HashMap<Stage, CopyId>,
    claims: HashMap<(Stage, u32), Claim>,
    released: HashSet<(Stage, u32)>,
    pub(crate) failures: HashMap<(Stage, u32), Failure>,
    beats: Vec<(CopyId, Rc<Beat<Stage>>)>,
    places: HashMap<CopyId, usize>,
    /// How many results the packs have that a copy's beat names, after each.
    packs: HashMap<CopyId, Vec<usize>>,
    /// How many packs of a copy another one has read.
    read: HashMap<(CopyId, CopyId), usize>,
    /// Which result of its copy it is.
    numbers: HashMap<Stage, usize>,
    pub(crate) asked: Asked,
}

impl Store {
    /// The counter of the beat of a copy that is there.
    pub(crate) fn counter(&self, copy: &CopyId) -> u64 {
        let at = self.places.get(copy);
        at.map_or(0, |&at| self.beats[at].1.counter)
    }

    /// A copy takes the result of another one: from a pack that it has read, or by a look.
    pub(crate) fn take(&mut self, from: &CopyId, stage: Stage) {
        self.asked.one_by_one += 1;
        let maker = &self.records[&stage];
        let read = self.read.get(&(from.clone(), maker.clone()));
        let packs = self.packs.get(maker).map_or(&[][..], Vec::as_slice);
        let packed = read.map_or(0, |&read| packs[read - 1]);
        let is_packed = self.numbers.get(&stage).is_some_and(|&at| at < packed);
        self.asked.for_results += u64::from(!is_packed);
    }

    fn pack(&mut self, from: &CopyId, beat: &Beat<Stage>) {
        let packs = self.packs.entry(from.clone()).or_default();
        let packed = packs.last().copied().unwrap_or_default();
        if beat.settled.len() >= packed + FEW.max(packed / MORE) {
            packs.push(beat.settled.len());
            for (at, &stage) in beat.settled.iter().enumerate().skip(packed) {
                self.numbers.insert(stage, at);
            }
            // What is in it, and the outputs.
            self.asked.for_results += 2;
        }
    }

    fn read_packs(&mut self, from: &CopyId) {
        for (copy, _) in self.beats.iter().filter(|(copy, _)| copy != from) {
            let packs = self.packs.get(copy).map_or(0, Vec::len);
            if packs > 0 {
                let read = self.read.entry((from.clone(), copy.clone())).or_default();
                self.asked.for_results += (packs - *read) as u64;
                *read = packs;
            }
        }
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
                self.pack(from, &beat);
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
            Request::Beats(_) => {
                self.read_packs(from);
                Reply::Beats(self.beats.clone())
            }
        }
    }
}
