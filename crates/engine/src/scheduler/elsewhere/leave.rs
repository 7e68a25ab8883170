//! When a copy has nothing to wait for, and how it leaves.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::scheduler::node::State;
use crate::scheduler::{Heard, Scheduler, TICK};
use crate::{Digest, Error, Event};

/// How long a copy that leaves waits for what it has still to say.
const LAST_WORDS: Duration = Duration::from_secs(10);

impl Scheduler<'_> {
    /// An interrupt: what has not begun does not begin.
    pub(in crate::scheduler) fn call_off(&mut self) {
        let Some(others) = &mut self.elsewhere else {
            return;
        };
        let asked = others.leases.iter().filter(|(_, it)| it.attempt.is_none());
        let asked: Vec<Digest> = asked.map(|(&key, _)| key).collect();
        for key in asked {
            self.tell_to_leave(key, State::Waiting);
            self.elsewhere
                .iter_mut()
                .for_each(|others| others.release(key));
        }
    }

    /// Whether there is nothing that this copy waits for: neither the remote nor, where that is worth it, another copy.
    pub(in crate::scheduler) fn has_nothing_elsewhere(&mut self, idle: bool, now: Instant) -> bool {
        let Some(others) = &mut self.elsewhere else {
            return true;
        };
        let clock = now.saturating_duration_since(others.start);
        let there_are = |state: State| self.nodes.iter().any(|node| node.state == state);
        let free = self.ready.is_empty() && self.pool.busy() < self.options.jobs;
        let waits = free && there_are(State::Elsewhere);
        others.member.hungry(clock, waits);
        if !idle {
            others.idle = None;
            return false;
        }
        let since = *others.idle.get_or_insert(clock);
        let patience = if self.stopping {
            LAST_WORDS
        } else {
            self.options.sharing.linger
        };
        let is_over = clock.saturating_sub(since) >= patience;
        let comes = there_are(State::Fetching) || (!self.stopping && there_are(State::Known));
        let moves = there_are(State::Publishing) || comes;
        // While the remote answers, what is on its way arrives.
        let is_stuck = !others.member.is_reachable() || !others.again.is_empty();
        if moves && !self.stopping && !is_stuck {
            return false;
        }
        if is_over {
            return true;
        }
        if moves || (!self.stopping && !self.ready.is_empty()) {
            return false;
        }
        if self.stopping || !waits {
            return true;
        }
        let ids = || self.graph.iter().zip(&self.nodes);
        let worth = |kind: &String| self.options.sharing.worth.contains(kind);
        let lingers =
            ids().any(|((_, stage), node)| node.state == State::Waiting && worth(&stage.kind));
        // An owner that is not heard of may be gone, and its stage be had.
        let heard_of = ids().filter(|(_, node)| node.state == State::Elsewhere);
        let mut keys = heard_of.map(|(_, node)| node.resolved());
        !lingers && keys.all(|key| others.member.has_heard_of(key, since))
    }

    /// Gives up what this copy has and says so, so that nobody waits for it.
    pub(in crate::scheduler) fn leave(&mut self) -> Result<(), Error> {
        let Some(others) = &mut self.elsewhere else {
            return Ok(());
        };
        others.member.leave(others.now());
        let end = Instant::now() + LAST_WORDS;
        loop {
            self.attend()?;
            let Some(others) = &self.elsewhere else { break };
            let over = others.member.is_quiet() && others.uploads.is_empty();
            // Who does not reach the remote now would not in a moment.
            if over || !others.member.is_reachable() || Instant::now() >= end {
                break;
            }
            if let Ok(Heard::Remote(done)) = self.heard.recv_timeout(TICK) {
                self.hear_remote(done);
            }
        }
        if let Some(others) = self
            .elsewhere
            .as_ref()
            .filter(|it| it.member.is_reachable())
        {
            let (run, copy) = others.copy.as_str().rsplit_once('/').unwrap_or_default();
            if let Some(plan) = &others.plan {
                // Those that begin later ask for each record then.
                let _ = others
                    .remote
                    .put_known(self.store, plan, copy, &others.published);
            }
            let settled = self.nodes.iter().filter(|it| it.state == State::Settled);
            let keys: BTreeSet<Digest> = settled.map(|it| it.settled().key).collect();
            if !self.stopping && !keys.is_empty() {
                // gc knows then what copies have published, and not what they found.
                let _ = others.remote.put_results(run, &keys);
            }
        }
        let unpublished = self.elsewhere.as_ref().map_or(0, |it| it.publishing.len());
        if unpublished > 0 {
            self.emit(Event::NotPublished {
                results: unpublished,
            });
        }
        Ok(())
    }
}
