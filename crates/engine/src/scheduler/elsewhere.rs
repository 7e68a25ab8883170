//! The other copies of the program, on other machines: what they have, what this one takes, and when it leaves.
//!
//! A worker that has claimed a stage on this machine asks before it begins it; the protocol between copies (`fleet`)
//! says whether the stage is this copy's. What it executes is settled once the remote holds its record.

mod heed;
mod known;
mod leave;

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant, SystemTime};

use fleet::{CopyId, Member, StageStatus, Terms};

use super::node::{Node, Ready, State};
use super::{Heard, Scheduler};
use crate::pool::WorkerId;
use crate::protocol::Request;
use crate::remote::plans::BY_HAND;
use crate::remote::{self, About, AboutStage, io};
use crate::worker::host;
use crate::{
    Blob, CheckpointName, Digest, Error, Options, PlanId, Progress, Record, Remote, StageId, Store,
    clock, history, resolve, run,
};

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
    /// Stages of which others have published results that this copy has not looked at.
    known: HashSet<Digest>,
    /// Of which stages it was told that others have done them, and how many they are at.
    told_done: HashSet<StageId>,
    told_running: usize,
    /// Results on their way to the remote.
    publishing: HashSet<Digest>,
    /// Stages with a checkpoint on its way there, each with the one that follows; and those to be released after that.
    uploads: HashMap<Digest, Option<(u32, CheckpointName)>>,
    releasing: HashSet<Digest>,
    /// Blobs on their way, with the stages that wait for them.
    fetching: HashMap<Vec<Digest>, Vec<StageId>>,
    /// Those whose blobs did not come, and when they are asked for again.
    again: Vec<(Duration, StageId)>,
    /// Since when it has nothing to do.
    idle: Option<Duration>,
    error: Option<String>,
    /// Whether it was said that something cannot be fetched.
    told: bool,
    /// The plan that is carried out, and what this copy has published of it.
    plan: Option<PlanId>,
    published: Vec<Digest>,
    copy: CopyId,
    /// What is told of this copy, and how far the stages are that it runs.
    about: About,
    progress: HashMap<StageId, Progress>,
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
        let plan = options.frozen.as_ref().map(|frozen| frozen.plan_id());
        let run = match &plan {
            Some(plan) => remote::plans::run(plan),
            None => format!("{}/{BY_HAND}", history::escape(&options.study)),
        };
        let name = format!("{}-{}", history::escape(&host()), remote::token());
        let copy = CopyId::from(format!("{run}/{name}"));
        let terms = Terms {
            beat: options.sharing.beat,
            ttl: options.sharing.ttl,
            lasting: plan.is_some(),
            ..Terms::default()
        };
        let mut member = Member::new(copy.clone(), run, terms, Duration::ZERO);
        if run::lists(store, options) {
            member.learn(remote.known()?.iter().copied());
        }
        member.learn(remote.known_so_far());
        let mut hasher = DefaultHasher::new();
        copy.hash(&mut hasher);
        let io = io::Io::start(Arc::clone(remote), store, copy.clone(), move |done| {
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
            known: HashSet::new(),
            told_done: HashSet::new(),
            told_running: 0,
            publishing: HashSet::new(),
            uploads: HashMap::new(),
            releasing: HashSet::new(),
            fetching: HashMap::new(),
            again: Vec::new(),
            idle: None,
            error: None,
            told: false,
            plan,
            published: Vec::new(),
            copy,
            about: About {
                host: host(),
                job: options.sharing.job.clone(),
                started: clock::utc(SystemTime::now()),
                memory: options.memory.as_ref().map(|limits| limits.each),
                ..About::default()
            },
            progress: HashMap::new(),
        }))
    }

    /// Whether the store answered the last time: else nobody knows what others do.
    pub(super) fn is_reachable(&self) -> bool {
        self.member.is_reachable()
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
    pub(super) fn take(&mut self, id: StageId, key: Digest, record: Arc<Record>) {
        if !self.must_publish(key) {
            self.settle(id, record, false);
        } else if self.lead(id, key) {
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
            // Many stages read the same, and it is asked for once.
            if !others.fetching.contains_key(&blobs) {
                others.io.send(io::Task::Fetch(blobs.clone()));
            }
            others.fetching.entry(blobs).or_default().push(id);
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

    /// What a stage reads of a frozen plan's input files and is not here.
    pub(super) fn missing_inputs(&self, id: StageId) -> Vec<Digest> {
        let inputs = resolve::frozen(self.graph.stage(id), self.options.frozen.as_deref());
        let missing = inputs.map(|(_, input)| input.blob());
        let missing = missing.filter(|blob| !self.store.holds(blob));
        missing.map(|blob| blob.digest).collect()
    }

    /// Why a stage cannot read what a frozen plan has for it, if so. Where no other copy is asked, it is brought here.
    pub(super) fn lacks_input(&self, id: StageId) -> Option<String> {
        let missing = self.missing_inputs(id);
        let remote = self.store.remote();
        let lost = |digest: &Digest| match remote {
            Some(remote) if self.elsewhere.is_some() => remote.has_lost(*digest),
            Some(remote) => !remote
                .fetch(self.store, *digest)
                .is_ok_and(|is_here| is_here),
            None => true,
        };
        missing.iter().any(lost).then(|| {
            "the remote has lost an input file of the plan; freeze the study anew".to_owned()
        })
    }

    /// Puts the leader of its key where it belongs: among those to be executed, or among those that others have. One that
    /// nobody has and that is too large for this machine fails, here and not for all.
    pub(super) fn queue(&mut self, id: StageId, key: Digest) {
        if !self.is_free(id) {
            return;
        }
        let stage = self.graph.stage(id);
        let bytes = stage.execution.memory;
        if let Some(limits) = &self.options.memory
            && self.options.is_too_large(stage)
        {
            let there = limits.there.clone();
            self.dismiss_followers(id);
            // It has no log.
            self.node(id).key = None;
            self.fail(id, Error::TooLarge { bytes, there }.to_string(), None);
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
        self.ready.push(bytes, ready);
    }

    /// Whether this copy leaves a stage to others.
    pub(super) fn leaves(&self, id: StageId) -> bool {
        self.options.leaves(self.graph.stage(id))
    }

    /// Whether no other copy has a ready stage, as far as is known; else it is taken out of the queue.
    pub(super) fn is_free(&mut self, id: StageId) -> bool {
        let is_left = self.leaves(id);
        let Some(others) = &mut self.elsewhere else {
            if is_left {
                self.node(id).state = State::Left;
            }
            return !is_left;
        };
        let key = self.nodes[id.index()].resolved();
        let state = match others.member.status(key) {
            StageStatus::Free | StageStatus::Busy if is_left => State::Left,
            StageStatus::Free => return true,
            StageStatus::Busy => {
                others.member.wait_for(key);
                State::Elsewhere
            }
            StageStatus::Done => State::Known,
        };
        others.stages.insert(key, id);
        self.node(id).state = state;
        if state == State::Known {
            self.know(id, key);
        }
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
        let key = self.nodes[id.index()].resolved();
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
        let key = self.nodes[id.index()].resolved();
        if let Some(others) = &mut self.elsewhere {
            others.release(key);
        }
    }

    /// A stage of this copy says how far it is.
    pub(super) fn told_progress(&mut self, id: StageId, progress: &Progress) {
        if let Some(others) = &mut self.elsewhere {
            others.progress.insert(id, progress.clone());
        }
    }

    /// What is told of this copy with a beat.
    pub(super) fn about(&mut self) -> About {
        let count = |is: fn(&Node) -> bool| self.nodes.iter().filter(|&node| is(node)).count();
        let ran = count(|node| node.ran || node.executed);
        let failed = count(|node| node.state == State::Failed);
        let Some(others) = &mut self.elsewhere else {
            return About::default();
        };
        let nodes = &self.nodes;
        others
            .progress
            .retain(|id, _| nodes[id.index()].state == State::Running);
        let running = others.leases.iter().filter(|(_, it)| it.attempt.is_some());
        let runs = running.filter_map(|(&key, _)| {
            let id = others.stages.get(&key)?;
            let stage = AboutStage {
                name: self.graph.stage(*id).name.clone(),
                progress: others.progress.get(id).cloned(),
            };
            Some((key, stage))
        });
        About {
            ran,
            failed,
            runs: runs.collect(),
            ..others.about.clone()
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
        let key = self.nodes[id.index()].resolved();
        let Some(others) = &mut self.elsewhere else {
            return;
        };
        let lease = others.leases.get(&key).and_then(|lease| lease.attempt);
        if let Some(attempt) = lease.filter(|&attempt| attempt > 0) {
            // One at a time, lest an older one take the place of a newer one; of those that come meanwhile the last.
            if let Some(next) = others.uploads.get_mut(&key) {
                *next = Some((attempt, name));
            } else {
                others.uploads.insert(key, None);
                others.io.send(io::Task::PutCheckpoint(key, attempt, name));
            }
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
}
