//! Attempts: creating them, giving them up, and giving a stage up.

use std::hash::Hash;
use std::time::Duration;

use super::Member;
use crate::stage::Step;
use crate::{Claim, Failure, Held, LAPSES, Request, Verdict};

impl<K: Copy + Ord + Hash> Member<K> {
    pub(super) fn busy(&mut self, stage: K) {
        self.wait_for(stage);
        self.verdict(Verdict::Busy { stage });
    }

    /// Creates the next attempt, or fails the stage where attempts only ever lapse.
    pub(super) fn claim(&mut self, now: Duration, stage: K) {
        let known = &self.stages[&stage];
        let (attempt, depth) = (known.closed + 1, known.depth);
        if known.failures > known.retries {
            let why = known.why.clone();
            self.give_up(stage, why);
        } else if known.lapses.iter().filter(|&&at| at >= depth).count() >= LAPSES {
            let why = format!(
                "{LAPSES} attempts ended without a word, each with its copy of the program, and without a deeper \
                 checkpoint"
            );
            let failure = Failure {
                copy: self.me.clone(),
                run: self.run.clone(),
                why: why.clone(),
                tail: String::new(),
                last: true,
            };
            self.send(now, Request::Fail(stage, attempt - 1, failure));
            self.give_up(stage, why);
        } else {
            let held = Held {
                stage,
                attempt,
                depth,
            };
            self.held.insert(stage, held);
            let claim = Claim {
                copy: self.me.clone(),
                run: self.run.clone(),
                depth,
            };
            self.ask(
                now,
                stage,
                Step::Claiming,
                Request::Claim(stage, attempt, claim),
            );
        }
    }

    pub(super) fn give_up(&mut self, stage: K, why: String) {
        self.unhold(stage);
        self.step(stage, Step::Idle);
        self.verdict(Verdict::Failed { stage, why });
    }

    /// The next beat does not list a stage any more.
    pub(super) fn unhold(&mut self, stage: K) {
        self.news |= self.held.remove(&stage).is_some();
    }

    pub(super) fn has_published(&mut self, stage: K) {
        self.held.remove(&stage);
        self.published.push(stage);
        self.news = true;
    }

    /// Says that this copy's attempt is free.
    pub(super) fn release_own(&mut self, now: Duration, stage: K) {
        let known = self.stages.entry(stage).or_default();
        if known.own > known.closed {
            known.closed = known.own;
            let attempt = known.own;
            self.send(now, Request::Release(stage, attempt));
        }
    }
}
