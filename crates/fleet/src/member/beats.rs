//! Beats: a copy's own, those of the others, and what follows from them.

use std::borrow::Borrow;
use std::hash::Hash;
use std::time::Duration;

use super::Member;
use crate::stage::{Owner, Step};
use crate::watch::Watch;
use crate::{Beat, CopyId, Request, Verdict};

/// Two beats, or two looks at those of others, are at least this far apart.
const CLOSEST: Duration = Duration::from_millis(200);
/// Who waits looks again after this share of the time that it has waited.
const SHARE: u32 = 8;

impl<K: Copy + Ord + Hash> Member<K> {
    /// Writes a beat. It is written again until it is there, and the next one is made after that.
    pub(super) fn write(&mut self, now: Duration) {
        self.counter += 1;
        self.wrote = now;
        self.writing = true;
        self.news = false;
        let beat = Beat {
            run: self.run.clone(),
            counter: self.counter,
            holds: self.held.values().cloned().collect(),
            settled: self.published.clone(),
            ended: self.ending,
        };
        self.send(now, Request::Beat(beat));
    }

    /// Reads the beats of the others.
    pub(super) fn look_round(&mut self, now: Duration) {
        self.read = now;
        self.reading = true;
        self.stale = false;
        self.reads_begun += 1;
        let others = self
            .copies
            .keys()
            .filter(|copy| !self.is_of_run(copy))
            .cloned()
            .collect();
        self.send(now, Request::Beats(others));
    }

    /// Whether a copy's beats are listed with those of this one: the names of a run's copies begin alike.
    pub(super) fn is_of_run(&self, copy: &CopyId) -> bool {
        let run = |copy: &CopyId| copy.as_str().rfind('/').unwrap_or_default();
        copy.as_str()[..run(copy)] == self.me.as_str()[..run(&self.me)]
    }

    pub(super) fn beats<B: Borrow<Beat<K>>>(&mut self, now: Duration, beats: &[(CopyId, B)]) {
        self.reading = false;
        let appeared = std::mem::replace(&mut self.introduced, true);
        let mut read = vec![false; self.watches.len()];
        let mut news = false;
        for (copy, beat) in beats {
            if *copy == self.me {
                continue;
            }
            let at = self.copy(now, copy, appeared);
            read.resize(self.watches.len().max(read.len()), false);
            read[at] = true;
            news |= self.take(now, at, Some(beat.borrow()));
        }
        for at in 0..self.watches.len() {
            if !read.get(at).is_some_and(|&read| read) {
                news |= self.take(now, at, None);
            }
        }
        if news && self.hungry.is_some() {
            self.hungry = Some(now);
        }
        let lives = |it: &&Watch<K>| !it.ended && !it.lapsed(&self.terms);
        self.living = self.watches.iter().filter(lives).count();
        self.mark();
        let waiting: Vec<K> = self.waiting.iter().copied().collect();
        for stage in waiting {
            if !self.is_busy(stage) {
                self.waiting.remove(&stage);
                self.step(stage, Step::Idle);
                self.verdict(Verdict::Again { stage });
            }
        }
        for stage in std::mem::take(&mut self.queued) {
            self.begin(now, stage);
        }
    }

    /// Takes in one beat: whether it tells something new.
    pub(super) fn take(&mut self, now: Duration, at: usize, beat: Option<&Beat<K>>) -> bool {
        let watch = &mut self.watches[at];
        let before = watch.counter;
        let old = std::mem::take(&mut watch.holds);
        let settled = watch.read(now, &self.terms, beat);
        if watch.counter == before {
            watch.holds = old;
            return false;
        }
        let changed = !settled.is_empty() || watch.ended || watch.holds != old;
        for held in old {
            if self.listed.get(&held.stage) == Some(&at) {
                self.listed.remove(&held.stage);
            }
        }
        self.known.extend(settled);
        for held in &watch.holds {
            self.listed.insert(held.stage, at);
        }
        changed
    }

    /// From beats that were asked for after a claim was read, its owner's counter is taken down.
    pub(super) fn mark(&mut self) {
        for stage in &self.waiting {
            let Some(known) = self.stages.get_mut(stage) else {
                continue;
            };
            if let Some(owner) = &mut known.owner
                && owner.mark.is_none()
                && owner.seen < self.reads_begun
                && let Some(&at) = self.copies.get(&owner.copy)
            {
                owner.mark = Some(self.watches[at].advances);
            }
        }
    }

    /// The number of a copy, which is watched from now on.
    pub(super) fn copy(&mut self, now: Duration, copy: &CopyId, appeared: bool) -> usize {
        if let Some(&at) = self.copies.get(copy) {
            return at;
        }
        self.watches.push(Watch::new(now, appeared));
        self.copies.insert(copy.clone(), self.watches.len() - 1);
        self.watches.len() - 1
    }

    pub(super) fn is_listed(&self, stage: K) -> bool {
        self.listed.get(&stage).is_some_and(|&at| {
            let watch = &self.watches[at];
            !watch.ended && !watch.lapsed(&self.terms)
        })
    }

    /// Whether another copy has a stage, and it has no result yet, by all that is known.
    pub(super) fn is_busy(&self, stage: K) -> bool {
        if self.known.contains(&stage) {
            return false;
        }
        let owner = self
            .stages
            .get(&stage)
            .and_then(|known| known.owner.as_ref());
        match owner {
            Some(owner) => self.over(stage, owner).is_none(),
            None => self.is_listed(stage),
        }
    }

    /// Whether nobody is at an attempt any more, though its owner said nothing: true if the copy is gone, false if it
    /// lives and does not have the stage.
    pub(super) fn over(&self, stage: K, owner: &Owner) -> Option<bool> {
        let watch = &self.watches[*self.copies.get(&owner.copy)?];
        let holds = watch.holds.iter().any(|held| held.stage == stage);
        let later = owner.mark.is_some_and(|mark| watch.advances >= mark + 2);
        if watch.ended || (later && !holds) {
            Some(false)
        } else {
            watch.lapsed(&self.terms).then_some(true)
        }
    }

    /// Whether what a copy did in a run is of this run.
    pub(super) fn counts(&self, run: &str, copy: &CopyId) -> bool {
        let alive = || {
            let at = self.copies.get(copy);
            at.is_some_and(|&at| self.watches[at].alive)
        };
        run == self.run && (self.terms.lasting || *copy == self.me || alive())
    }

    /// The deepest checkpoint that the last beat of an attempt's owner told of.
    pub(super) fn depth_of(&self, stage: K, owner: &Owner) -> u64 {
        let watch = self.copies.get(&owner.copy).map(|&at| &self.watches[at]);
        let held = watch.and_then(|watch| watch.holds.iter().find(|held| held.stage == stage));
        held.map_or(0, |held| held.depth).max(owner.depth)
    }

    /// Copies that may be at work, this one among them.
    pub(super) fn copies(&self) -> f64 {
        1.0 + self.living as f64
    }

    pub(super) fn at_most(&self, requests: f64) -> Duration {
        // Half of the budget is for writing, half for reading.
        Duration::from_secs_f64(2.0 * requests / self.terms.budget).max(CLOSEST)
    }

    pub(super) fn next_write(&self) -> Duration {
        if self.ending {
            return if self.news { self.wrote } else { Duration::MAX };
        }
        let pause = match self.outage {
            // The beat tells when the store is back.
            Some(pause) => pause.min(self.terms.beat),
            None if self.news && !self.watches.is_empty() => {
                self.at_most(self.copies()).min(self.terms.beat)
            }
            None => self.terms.beat,
        };
        self.wrote + pause
    }

    pub(super) fn next_read(&self) -> Duration {
        let copies = self.copies();
        let (closest, longest) = (self.at_most(copies * (copies + 1.0)), self.terms.beat);
        let pause = match self.hungry {
            Some(since) => {
                let waited = self.read.saturating_sub(since) / SHARE;
                waited.clamp(closest.min(longest), longest)
            }
            None if self.stale => closest.min(longest),
            // Who believes to be alone tells nobody of what it publishes, and others may wait for just that.
            None if self.watches.is_empty() => {
                let there = self.read.saturating_sub(self.began) / 2;
                there.clamp(closest.min(longest), longest)
            }
            // Who has enough to do need not know what others do.
            None => closest.max(longest),
        };
        self.read + pause
    }
}
