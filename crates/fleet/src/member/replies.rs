//! What follows from the replies about one stage.

use std::hash::Hash;
use std::time::Duration;

use super::Member;
use crate::stage::{Owner, Step};
use crate::{Claim, Fate, Reply, Request, StageStatus, Ticket, Verdict};

impl<K: Copy + Ord + Hash> Member<K> {
    /// Takes up a stage that the program wants to execute.
    pub(super) fn begin(&mut self, now: Duration, stage: K) {
        let has_owner = self.stages[&stage].owner.is_some();
        if has_owner || self.is_known(stage) {
            self.ask(now, stage, Step::LookingFirst, Request::Look(stage));
        } else if self.status(stage) == StageStatus::Busy {
            self.busy(stage);
        } else {
            self.claim(now, stage);
        }
    }

    pub(super) fn answer<B>(
        &mut self,
        now: Duration,
        ticket: Ticket,
        request: &Request<K>,
        reply: Reply<B>,
    ) {
        let (Request::Look(stage)
        | Request::Claim(stage, ..)
        | Request::ReadClaim(stage, _)
        | Request::Fate(stage, _)
        | Request::Publish(stage)) = *request
        else {
            return;
        };
        let Some(known) = self.stages.get_mut(&stage) else {
            return;
        };
        // The stage has gone another way meanwhile.
        if known.ticket != Some(ticket) {
            return;
        }
        known.ticket = None;
        let attempt = known.closed + 1;
        match (known.step, reply) {
            (Step::Looking, Reply::Missing) => {
                self.forget(stage);
                self.step(stage, Step::Idle);
                self.verdict(Verdict::Absent { stage });
            }
            (Step::Looking | Step::LookingFirst, Reply::Found) => self.there(stage),
            (Step::Claiming, Reply::Created) => self.won(now, stage),
            // Where stages are short its result is there already, and nobody need know whose it is.
            (Step::Claiming, Reply::Exists) => {
                self.ask(now, stage, Step::LookingBack, Request::Look(stage));
            }
            (Step::LookingBack, Reply::Found) => {
                self.met_unknown_claim();
                self.there(stage);
            }
            (Step::LookingBack, Reply::Missing) => {
                let request = Request::ReadClaim(stage, attempt);
                self.ask(now, stage, Step::ReadingBack, request);
            }
            (Step::ReadingBack, Reply::Claimed(claim)) if claim.copy == self.me => {
                self.won(now, stage);
            }
            (Step::ReadingBack, Reply::Claimed(claim)) => {
                self.unhold(stage);
                self.met_unknown_claim();
                self.meet(now, stage, claim);
                self.ask(now, stage, Step::Asking, Request::Fate(stage, attempt));
            }
            (Step::ReadingBack, Reply::Missing) => self.claim(now, stage),
            (Step::LookingFirst, Reply::Missing) if known.owner.is_some() => {
                self.forget(stage);
                self.ask(now, stage, Step::Asking, Request::Fate(stage, attempt));
            }
            // What it had is lost.
            (Step::LookingFirst, Reply::Missing) => {
                self.forget(stage);
                self.claim(now, stage);
            }
            (Step::Asking, Reply::Fate(fate)) => self.learn_fate(now, stage, fate),
            (Step::LookingAgain, Reply::Missing) => {
                known.step = Step::Held;
                let attempt = known.own;
                self.verdict(Verdict::Run { stage, attempt });
            }
            (Step::LookingAgain, Reply::Found) => {
                self.release_own(now, stage);
                self.there(stage);
            }
            (Step::Checking, Reply::Missing) => known.step = Step::Held,
            (Step::Checking, Reply::Claimed(claim)) => {
                known.closed = known.own;
                self.unhold(stage);
                self.meet(now, stage, claim);
                self.wait_for(stage);
                self.verdict(Verdict::Superseded { stage });
            }
            (Step::Abandoned, reply) => self.abandon(now, stage, &reply),
            (Step::Publishing, Reply::Created) => {
                self.has_published(stage);
                self.step(stage, Step::Idle);
                self.verdict(Verdict::Settled { stage, own: true });
            }
            (Step::Publishing, Reply::Exists) => {
                self.unhold(stage);
                self.step(stage, Step::Idle);
                self.verdict(Verdict::Settled { stage, own: false });
            }
            (step, _) => unreachable!("a store answers what was asked in {step:?}"),
        }
    }

    /// The attempt that was created is this copy's, but a result may have come in before it.
    pub(super) fn won(&mut self, now: Duration, stage: K) {
        let known = self.stages.entry(stage).or_default();
        known.own = known.closed + 1;
        self.ask(now, stage, Step::LookingAgain, Request::Look(stage));
    }

    pub(super) fn there(&mut self, stage: K) {
        self.unhold(stage);
        self.step(stage, Step::Idle);
        self.verdict(Verdict::There { stage });
    }

    /// Takes note of whose the next attempt is.
    pub(super) fn meet(&mut self, now: Duration, stage: K, claim: Claim) {
        self.copy(now, &claim.copy, false);
        let seen = self.reads_begun();
        let known = self.stages.entry(stage).or_default();
        known.depth = known.depth.max(claim.depth);
        known.owner = Some(Owner {
            copy: claim.copy,
            run: claim.run,
            seen,
            mark: None,
            depth: claim.depth,
        });
    }

    pub(super) fn learn_fate(&mut self, now: Duration, stage: K, fate: Fate) {
        let owner = self.stages.entry(stage).or_default().owner.clone();
        let over = owner.as_ref().and_then(|owner| self.over(stage, owner));
        match (fate, over) {
            (Fate::Failed(failure), _) => {
                if self.counts(&failure.run, &failure.copy) {
                    let known = self.stages.entry(stage).or_default();
                    let last = if failure.last { known.retries + 1 } else { 0 };
                    known.failures = last.max(known.failures + 1);
                    known.why = failure.why;
                }
            }
            (Fate::Released, _) | (Fate::Open, Some(false)) => {}
            (Fate::Open, Some(true)) => {
                let owner = owner.expect("who is gone was there");
                let depth = self.depth_of(stage, &owner);
                let counts = self.counts(&owner.run, &owner.copy);
                let known = self.stages.entry(stage).or_default();
                known.depth = known.depth.max(depth);
                known.lapses.extend(counts.then_some(owner.depth));
            }
            (Fate::Open, None) => {
                self.busy(stage);
                return;
            }
        }
        let known = self.stages.entry(stage).or_default();
        known.closed += 1;
        known.owner = None;
        self.claim(now, stage);
    }

    /// What was asked for is not wanted any more.
    pub(super) fn abandon<B>(&mut self, now: Duration, stage: K, reply: &Reply<B>) {
        let own = match reply {
            Reply::Created => true,
            Reply::Claimed(claim) => claim.copy == self.me,
            Reply::Exists => {
                let attempt = self.stages[&stage].closed + 1;
                let request = Request::ReadClaim(stage, attempt);
                self.ask(now, stage, Step::Abandoned, request);
                return;
            }
            _ => false,
        };
        if own {
            let known = self.stages.entry(stage).or_default();
            known.own = known.closed + 1;
            self.release_own(now, stage);
        }
        self.step(stage, Step::Idle);
    }
}
