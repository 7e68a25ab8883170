//! The other copies of the program, on other machines: what they have, what this one takes, and when it leaves.
//!
//! A worker that has claimed a stage on this machine asks before it begins it; the protocol between copies (`fleet`)
//! says whether the stage is this copy's. What it executes is settled once the remote holds its record.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use fleet::{CopyId, Member, Out, Stand, Terms, Verdict};

use super::node::{Ready, State};
use super::{Heard, Scheduler};
use crate::pool::WorkerId;
use crate::protocol::Request;
use crate::remote::{self, io};
use crate::worker::host;
use crate::{
    Blob, CheckpointName, Digest, Error, Event, Options, Record, Remote, StageId, Store, history,
};

/// How long a copy that leaves waits for what it has still to say.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// How long after blobs did not come they are asked for again.
const FETCH_AGAIN: Duration = Duration::from_secs(1);
/// The run that copies are of which were started by hand, each with the study's file.
const BY_HAND: &str = "open";

/// This copy among the others.
pub(super) struct Elsewhere {
    member: Member<Digest>,
    io: io::Io,
    remote: Arc<Remote>,
    start: Instant,
    /// Makes the order in which this copy takes stages its own.
    spread: u64,
    /// The stages that the protocol is asked about, by their keys.
    stages: HashMap<Digest, StageId>,
    leases: HashMap<Digest, Lease>,
    /// Results on their way to the remote.
    publishing: HashSet<Digest>,
    /// Checkpoints on their way there, and the stages to be released once they are there.
    uploads: HashMap<Digest, usize>,
    releasing: HashSet<Digest>,
    /// Stages that wait for blobs.
    fetching: Vec<(StageId, Vec<Digest>)>,
    /// Those whose blobs did not come, and when they are asked for again.
    again: Vec<(Duration, StageId)>,
    /// Since when it has nothing to do.
    idle: Option<Duration>,
    error: Option<String>,
    /// Whether it was said that something cannot be fetched.
    told: bool,
}

/// A stage that is claimed on this machine.
struct Lease {
    worker: WorkerId,
    /// Which attempt it is, once it is this copy's.
    attempt: Option<u32>,
}

impl Elsewhere {
    /// None without a remote that can be written.
    pub(super) fn begin(
        store: &Store,
        options: &Options,
        heard: Sender<Heard>,
    ) -> Result<Option<Self>, Error> {
        let writable = |remote: &&Arc<Remote>| remote.read_only().is_none();
        let Some(remote) = store.remote().filter(writable) else {
            return Ok(None);
        };
        let run = format!("{}/{BY_HAND}", history::escape(&options.study));
        let name = format!("{}-{}", history::escape(&host()), remote::token());
        let copy = CopyId::from(format!("{run}/{name}"));
        let terms = Terms {
            beat: options.sharing.beat,
            ttl: options.sharing.ttl,
            ..Terms::default()
        };
        let mut member = Member::new(copy.clone(), run, terms, Duration::ZERO);
        member.learn(remote.known());
        let mut hasher = DefaultHasher::new();
        copy.hash(&mut hasher);
        let io = io::Io::start(Arc::clone(remote), store, copy, move |done| {
            heard.send(Heard::Remote(done)).is_ok()
        })?;
        Ok(Some(Self {
            member,
            io,
            remote: Arc::clone(remote),
            start: Instant::now(),
            spread: hasher.finish(),
            stages: HashMap::new(),
            leases: HashMap::new(),
            publishing: HashSet::new(),
            uploads: HashMap::new(),
            releasing: HashSet::new(),
            fetching: Vec::new(),
            again: Vec::new(),
            idle: None,
            error: None,
            told: false,
        }))
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Whether the store does not answer and nobody else is there.
    fn goes_on_alone(&self) -> bool {
        !self.member.is_reachable() && self.member.is_alone()
    }

    fn release(&mut self, key: Digest) {
        self.leases.remove(&key);
        if self.uploads.contains_key(&key) {
            self.releasing.insert(key);
        } else {
            self.member.release(self.now(), key);
        }
    }
}

impl Scheduler<'_> {
    /// Whether a result that is here is not known to be in the remote.
    pub(super) fn must_publish(&self, key: Digest) -> bool {
        let others = self.elsewhere.as_ref();
        others.is_some_and(|others| !others.remote.is_synced(key))
    }

    /// The result that is here. With a remote that only gives, that is part of here.
    pub(super) fn look_up(&self, key: Digest) -> Result<Option<Arc<Record>>, Error> {
        let lookup = match self.elsewhere {
            Some(_) => self.store.lookup(key),
            None => self.store.find(key),
        };
        Ok(lookup?.record)
    }

    /// A stage has a result here that serves.
    pub(super) fn take(&mut self, id: StageId, text: String, key: Digest, record: Arc<Record>) {
        if !self.must_publish(key) {
            self.settle(id, record, false);
        } else if self.lead(id, text, key) {
            self.offer(id, key, record, false);
        }
    }

    /// The leader of its key has a result here, of this run or of an earlier one: it is settled once the remote has its
    /// record.
    pub(super) fn offer(&mut self, id: StageId, key: Digest, record: Arc<Record>, ran: bool) {
        let publishes = ran || self.must_publish(key);
        let Some(others) = self.elsewhere.as_mut().filter(|_| publishes) else {
            self.settle_leader(id, record, ran);
            return;
        };
        others.leases.remove(&key);
        others.stages.insert(key, id);
        others.publishing.insert(key);
        others.member.publish(others.now(), key);
        let alone = others.goes_on_alone();
        let node = self.node(id);
        node.executed = ran;
        node.state = State::Publishing;
        if alone {
            self.settle_leader(id, record, ran);
        }
    }

    /// Has those of these outputs brought here that the remote has and the cache has not; whether there are such.
    pub(super) fn fetch(&mut self, id: StageId, outputs: Vec<(Digest, Blob)>) -> bool {
        let Some(remote) = self.store.remote() else {
            return false;
        };
        let mut blobs = outputs;
        blobs.retain(|(key, blob)| !self.store.holds(blob) && remote.holds(*key, blob));
        let blobs: Vec<Digest> = blobs.into_iter().map(|(_, blob)| blob.digest).collect();
        if blobs.is_empty() {
            return false;
        }
        if let Some(others) = &mut self.elsewhere {
            others.io.send(io::Task::Fetch(blobs.clone()));
            others.fetching.push((id, blobs));
            self.node(id).state = State::Fetching;
            return true;
        }
        for blob in blobs {
            if remote.fetch(self.store, blob).is_err() {
                return false;
            }
        }
        self.todo.push_back(id);
        true
    }

    /// Puts the leader of its key where it belongs: among those to be executed, or among those that others have.
    pub(super) fn queue(&mut self, id: StageId, key: Digest) {
        if !self.is_free(id) {
            return;
        }
        let seconds = self.nodes[id.index()].seconds;
        let ready = match &self.elsewhere {
            None => Ready {
                seconds,
                turn: 0,
                id,
            },
            // Of those that take about as long, no two copies try the same first.
            Some(others) => {
                let mut hasher = DefaultHasher::new();
                (others.spread, key).hash(&mut hasher);
                Ready {
                    seconds: seconds.max(0.01).log2().floor(),
                    turn: hasher.finish(),
                    id,
                }
            }
        };
        self.ready.push(ready);
    }

    /// Whether no other copy has a ready stage, as far as is known; else it is taken out of the queue.
    pub(super) fn is_free(&mut self, id: StageId) -> bool {
        let Some(others) = &mut self.elsewhere else {
            return true;
        };
        let key = self.nodes[id.index()].resolved().1;
        let state = match others.member.stand(key) {
            Stand::Free => return true,
            Stand::Busy => {
                others.member.wait_for(key);
                State::Elsewhere
            }
            Stand::Done => {
                others.member.look(others.now(), key);
                State::Fetching
            }
        };
        others.stages.insert(key, id);
        self.node(id).state = state;
        false
    }

    /// Whether stages may be begun: not while the remote does not answer and others may be there.
    pub(super) fn may_claim(&self) -> bool {
        self.elsewhere
            .as_ref()
            .is_none_or(|others| others.member.is_reachable() || others.member.is_alone())
    }

    /// A worker has claimed a stage on this machine and asks whether it may begin.
    pub(super) fn ask(&mut self, worker: WorkerId, id: StageId) {
        let key = self.nodes[id.index()].resolved().1;
        let retries = self.graph.stage(id).execution.retries;
        if self.stopping || self.node(id).state != State::Running {
            self.pool.tell(worker, &Request::Leave);
            if self.node(id).state == State::Running {
                self.node(id).state = State::Waiting;
            }
            return;
        }
        let Some(others) = &mut self.elsewhere else {
            self.pool.tell(worker, &Request::Begin);
            return;
        };
        let attempt = None;
        others.leases.insert(key, Lease { worker, attempt });
        others.stages.insert(key, id);
        others.member.pursue(others.now(), key, retries);
    }

    /// This copy has a stage no longer, without a result and without a failure.
    pub(super) fn give_up(&mut self, id: StageId) {
        let key = self.nodes[id.index()].resolved().1;
        if let Some(others) = &mut self.elsewhere {
            others.release(key);
        }
    }

    /// An execution failed: how often it did in all copies, if they are asked.
    pub(super) fn failed_here(&mut self, key: Digest, error: &str, tail: &str) -> Option<u32> {
        let others = self.elsewhere.as_mut()?;
        others.leases.remove(&key);
        Some(others.member.failed(others.now(), key, error, tail))
    }

    /// A stage has kept a checkpoint: another copy shall be able to go on from it.
    pub(super) fn checkpoint_kept(&mut self, id: StageId, name: CheckpointName) {
        let key = self.nodes[id.index()].resolved().1;
        let Some(others) = &mut self.elsewhere else {
            return;
        };
        let lease = others.leases.get(&key).and_then(|lease| lease.attempt);
        if let Some(attempt) = lease.filter(|&attempt| attempt > 0) {
            *others.uploads.entry(key).or_default() += 1;
            others.io.send(io::Task::PutCheckpoint(key, attempt, name));
        }
    }

    /// An interrupt: what has not begun does not begin.
    pub(super) fn call_off(&mut self) {
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

    fn tell_to_leave(&mut self, key: Digest, state: State) {
        let Some(others) = &mut self.elsewhere else {
            return;
        };
        if let Some(lease) = others.leases.remove(&key) {
            self.pool.tell(lease.worker, &Request::Leave);
        }
        if let Some(&id) = others.stages.get(&key) {
            self.node(id).state = state;
        }
    }

    /// When the protocol wants to be looked at, at the latest.
    pub(super) fn next_beat(&self, at_most: Duration) -> Duration {
        let others = self.elsewhere.as_ref();
        let due = others.map(|others| others.member.due().saturating_sub(others.now()));
        due.map_or(at_most, |due| due.min(at_most))
    }

    /// Does what the protocol says.
    pub(super) fn attend(&mut self) -> Result<(), Error> {
        if let Some(others) = &mut self.elsewhere {
            let now = others.now();
            others.member.tick(now);
            let due: Vec<_> = others
                .again
                .extract_if(.., |(when, _)| *when <= now)
                .collect();
            for (_, id) in due {
                self.come(id);
            }
        }
        while let Some(out) = self.elsewhere.as_mut().and_then(|it| it.member.next()) {
            match out {
                Out::Request(ticket, request) => {
                    let others = self.elsewhere.as_ref();
                    others.inspect(|others| others.io.send(io::Task::Ask(ticket, request)));
                }
                Out::Verdict(verdict) => self.heed(verdict)?,
            }
            self.advance_all()?;
        }
        Ok(())
    }

    fn heed(&mut self, verdict: Verdict<Digest>) -> Result<(), Error> {
        let Some(others) = &mut self.elsewhere else {
            return Ok(());
        };
        match verdict {
            Verdict::Run { stage, attempt } => match others.leases.get_mut(&stage) {
                Some(lease) => {
                    lease.attempt = Some(attempt);
                    if attempt > 1 {
                        others.io.send(io::Task::TakeCheckpoint(stage, attempt));
                    } else {
                        self.pool.tell(lease.worker, &Request::Begin);
                    }
                }
                // Its worker is gone meanwhile.
                None => others.release(stage),
            },
            Verdict::There { stage } => {
                self.tell_to_leave(stage, State::Waiting);
                self.look_anew(stage);
            }
            Verdict::Absent { stage } => {
                if let Some(&id) = others.stages.get(&stage) {
                    self.node(id).state = State::Ready;
                    self.queue(id, stage);
                }
            }
            Verdict::Busy { stage } => {
                let id = others.stages.get(&stage).copied();
                self.tell_to_leave(stage, State::Elsewhere);
                if let Some(id) = id {
                    self.emit(Event::Waiting { stage: id });
                }
            }
            Verdict::Again { stage } => self.look_anew(stage),
            Verdict::Failed { stage, why } => {
                let id = others.stages.remove(&stage);
                self.tell_to_leave(stage, State::Ready);
                if let Some(id) = id {
                    self.node(id).state = State::Ready;
                    self.fail_all(id, stage, &why);
                }
            }
            Verdict::Superseded { stage } => {
                let lease = others.leases.remove(&stage);
                let id = others.stages.get(&stage).copied();
                if let (Some(lease), Some(id)) = (lease, id) {
                    self.node(id).state = State::Elsewhere;
                    let why = "another copy of the program has taken the stage over";
                    self.pool.kill(lease.worker, why.to_owned());
                    self.emit(Event::Waiting { stage: id });
                }
            }
            Verdict::Settled { stage, .. } => self.settled_for_all(stage)?,
            Verdict::Unreachable => {
                let error = others.error.take();
                let error = error.unwrap_or_else(|| "it does not answer".to_owned());
                self.emit(Event::RemoteLost { error });
                self.go_on_alone()?;
            }
            Verdict::Reachable => self.emit(Event::RemoteBack),
        }
        Ok(())
    }

    /// The remote has a record of a stage, and the cache the same.
    fn settled_for_all(&mut self, key: Digest) -> Result<(), Error> {
        let Some(others) = &mut self.elsewhere else {
            return Ok(());
        };
        others.publishing.remove(&key);
        let Some(id) = others.stages.remove(&key) else {
            return Ok(());
        };
        let (state, executed) = (self.node(id).state, self.node(id).executed);
        match (self.store.lookup(key)?.record, state) {
            (Some(record), State::Publishing) => self.settle_leader(id, record, executed),
            // It went on alone, and may have gone on with another result.
            (Some(record), State::Settled)
                if self.nodes[id.index()].settled().outputs != record.outputs =>
            {
                self.unsettle(id);
            }
            (None, State::Publishing) => self.wait_again(id),
            _ => {}
        }
        Ok(())
    }

    /// Without the remote, who is alone takes its own results as settled. They are published when it is back.
    fn go_on_alone(&mut self) -> Result<(), Error> {
        let Some(others) = self.elsewhere.as_ref().filter(|it| it.goes_on_alone()) else {
            return Ok(());
        };
        let publishing: Vec<Digest> = others.publishing.iter().copied().collect();
        for key in publishing {
            let id = self.elsewhere.as_ref().and_then(|it| it.stages.get(&key));
            let Some(&id) = id else { continue };
            if self.node(id).state == State::Publishing
                && let Some(record) = self.store.lookup(key)?.record
            {
                let executed = self.node(id).executed;
                self.settle_leader(id, record, executed);
            }
        }
        Ok(())
    }

    fn look_anew(&mut self, key: Digest) {
        let id = self
            .elsewhere
            .as_mut()
            .and_then(|it| it.stages.remove(&key));
        let Some(id) = id else { return };
        if matches!(
            self.node(id).state,
            State::Elsewhere | State::Fetching | State::Waiting
        ) {
            self.wait_again(id);
        }
    }

    /// Takes in what the remote's threads have done.
    pub(super) fn hear_remote(&mut self, done: io::Done) -> Result<(), Error> {
        let Some(others) = &mut self.elsewhere else {
            return Ok(());
        };
        let now = others.now();
        match done {
            io::Done::Answer {
                ticket,
                reply,
                mismatch,
                error,
            } => {
                others.error = error.or(others.error.take());
                let differs = mismatch.and_then(|key| others.stages.get(&key).copied());
                others.member.reply(now, ticket, reply);
                if let Some(id) = differs {
                    self.node(id).executed = false;
                    self.emit(Event::Differs { stage: id });
                }
            }
            io::Done::Fetched { blobs, error } => {
                let waits = |(_, for_these): &mut (StageId, Vec<Digest>)| *for_these == blobs;
                let those: Vec<_> = others.fetching.extract_if(.., waits).collect();
                match error {
                    None => {
                        for (id, _) in those {
                            self.come(id);
                        }
                    }
                    Some(error) => {
                        let first = others.again.is_empty() && others.member.is_reachable();
                        let again = those.into_iter().map(|(id, _)| (now + FETCH_AGAIN, id));
                        others.again.extend(again);
                        if first && !std::mem::replace(&mut others.told, true) {
                            self.emit(Event::RemoteLost { error });
                        }
                    }
                }
            }
            io::Done::CheckpointStored { stage, depth } => {
                if let Some(depth) = depth {
                    others.member.checkpoint(now, stage, depth);
                }
                let left = others.uploads.get_mut(&stage).map(|left| {
                    *left -= 1;
                    *left
                });
                if left == Some(0) {
                    others.uploads.remove(&stage);
                    if others.releasing.remove(&stage) {
                        others.member.release(now, stage);
                    }
                }
            }
            io::Done::CheckpointTaken { stage } => {
                if let Some(lease) = others.leases.get(&stage) {
                    self.pool.tell(lease.worker, &Request::Begin);
                }
            }
            io::Done::Problems(problems) => {
                for problem in problems {
                    self.emit(Event::Corrupt {
                        what: problem.what,
                        path: problem.path,
                    });
                }
            }
        }
        Ok(())
    }

    /// What a stage needs of the remote is here.
    fn come(&mut self, id: StageId) {
        if self.node(id).state == State::Fetching {
            self.node(id).state = State::Waiting;
            self.todo.push_back(id);
        }
    }

    /// Whether there is nothing that this copy waits for: neither the remote nor, where that is worth it, another copy.
    pub(super) fn has_nothing_elsewhere(&mut self, idle: bool, now: Instant) -> bool {
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
        let moves = there_are(State::Publishing) || there_are(State::Fetching);
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
        let mut keys = heard_of.map(|(_, node)| node.resolved().1);
        !lingers && keys.all(|key| others.member.has_heard_of(key, since))
    }

    /// Gives up what this copy has and says so, so that nobody waits for it.
    pub(super) fn leave(&mut self) -> Result<(), Error> {
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
            if let Ok(Heard::Remote(done)) = self.heard.recv_timeout(super::TICK) {
                self.hear_remote(done)?;
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
