//! Who runs when.
//!
//! ```text
//!             all it reads is there            a worker is free, and memory
//!   waiting ----------------------> ready --------------------> running
//!      ^  |                           |                          |    |
//!      |  | its key has a result      | so it has by now         |    |
//!      |  +-----------> cached <------+     (another process)    |    |
//!      |                  |                                      v    v
//!      +------------------+-------------------------------- done   failed
//!        its output is lost and needed, or what it               (readers: skipped)
//!        read came out otherwise
//! ```
//!
//! With a [remote](crate::Remote), a result is *publishing* until the remote holds its record, a stage is *elsewhere* while
//! another copy of the program has it, and *fetching* while something comes from the remote: see `elsewhere`.
//!
//! Stages with one key are executed once: the first to be ready leads, the others follow it. Of the
//! ready ones, the one that is expected to take longest goes first, as far as memory allows: see `memory`.

mod dispatch;
mod elsewhere;
mod node;
mod outcomes;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use elsewhere::Elsewhere;
use node::{Need, Node, Ready, State};

use crate::history::History;
use crate::journal::Journal;
use crate::memory::{Occupancy, Queue};
use crate::plan::Plan;
use crate::pool::{Opening, Pool, Said, WorkerId};
use crate::remote::io;
use crate::resolve::{self, Resolver, Unresolved};
use crate::run::Known;
use crate::{
    Digest, Error, Event, Graph, Options, Outcome, Record, StageId, Store, Summary, Verdict,
};

/// How often the interrupt flag is looked at, at least.
const TICK: Duration = Duration::from_millis(50);
/// How long stages that run may go on after an interrupt. One that keeps checkpoints may end the step that it is in,
/// however long that takes: whoever cannot wait interrupts again.
const LAST_MOMENT: Duration = Duration::from_secs(3);

/// What the scheduler is told.
pub(crate) enum Heard {
    Worker(WorkerId, Said),
    Remote(io::Done),
}

/// A run under way.
pub(crate) struct Scheduler<'a> {
    graph: &'a Graph,
    store: &'a Store,
    resolver: Resolver<'a>,
    options: &'a Options,
    events: &'a mut dyn FnMut(Event),
    nodes: Vec<Node>,
    /// Those whose result was found by the plan.
    cached: Vec<bool>,
    /// Waiting stages for which something may have changed.
    todo: VecDeque<StageId>,
    ready: Queue<Ready>,
    /// Stages that another process has, and when to ask again.
    busy: Vec<(Instant, StageId)>,
    /// The keys that a stage leads, with those that follow.
    followers: HashMap<Digest, Vec<StageId>>,
    /// When a worker has had its stage for too long.
    deadlines: Vec<(Instant, WorkerId, StageId)>,
    pool: Pool,
    heard: Receiver<Heard>,
    /// The other copies of the program, where there is a remote that can be written.
    elsewhere: Option<Elsewhere>,
    /// Workers that were killed one after another as they started.
    starts_killed: u32,
    stopping: bool,
    journal: &'a mut Journal,
    history: &'a History,
}

impl<'a> Scheduler<'a> {
    pub(crate) fn new(
        known: &Known<'a>,
        resolver: Resolver<'a>,
        events: &'a mut dyn FnMut(Event),
        journal: &'a mut Journal,
        plan: Plan,
    ) -> Result<Self, Error> {
        let Known {
            graph,
            store,
            options,
            history,
        } = *known;
        let open = Opening {
            cache: store.cache().to_owned(),
            build: options.build.clone(),
            site: options.site.clone(),
            gpus: options.gpus.clone(),
        };
        let mut nodes: Vec<Node> = graph
            .ids()
            .map(|id| Node::new(graph, plan.stage(id), id))
            .collect();
        let is_cached = plan.stages().iter();
        let cached = is_cached.map(|it| it.verdict == Verdict::Cached).collect();
        // It is large.
        drop(plan);
        for id in &options.verify {
            nodes[id.index()].need = Need::Verified;
        }
        let (send, heard) = channel();
        let elsewhere = Elsewhere::begin(store, options, send.clone())?;
        let memory = Occupancy::new(options.memory.as_ref(), options.jobs);
        let pool = Pool::new(options.worker.clone(), open, memory, send);
        Ok(Self {
            graph,
            store,
            resolver,
            options,
            events,
            nodes,
            cached,
            todo: VecDeque::new(),
            ready: Queue::new(),
            busy: Vec::new(),
            followers: HashMap::new(),
            deadlines: Vec::new(),
            pool,
            heard,
            elsewhere,
            starts_killed: 0,
            stopping: false,
            journal,
            history,
        })
    }

    /// Carries out the plan. What it found cached is not looked at again.
    pub(crate) fn run(mut self) -> Result<Summary, Error> {
        let cached = std::mem::take(&mut self.cached);
        for (id, is_cached) in self.graph.ids().zip(cached) {
            match self.nodes[id.index()].record.clone() {
                Some(record)
                    if is_cached
                        && self.nodes[id.index()].need < Need::Verified
                        && !self.must_publish(record.key) =>
                {
                    self.settle(id, record, false);
                }
                _ => self.todo.push_back(id),
            }
        }
        let mut interrupted: Option<Instant> = None;
        loop {
            self.advance_all()?;
            self.attend()?;
            self.journal.flush()?;
            let now = Instant::now();
            if let Some(since) = interrupted {
                let late = since + LAST_MOMENT <= now && !self.pool.any_keeps_checkpoints();
                if self.pool.busy() == 0 || late {
                    break;
                }
            } else if self.is_interrupted() {
                interrupted = Some(now);
                self.stopping = true;
                self.pool.interrupt();
                self.call_off();
                let ends_steps = self.pool.any_keeps_checkpoints();
                self.emit(Event::Interrupted {
                    running: self.pool.busy(),
                    seconds: (!ends_steps).then_some(LAST_MOMENT.as_secs_f64()),
                });
                continue;
            }
            self.kill_overdue(now);
            let due: Vec<StageId> = self
                .busy
                .extract_if(.., |(when, _)| *when <= now)
                .map(|(_, id)| id)
                .collect();
            if !due.is_empty() {
                for id in due {
                    if self.node(id).state == State::Ready {
                        self.wait_again(id);
                    }
                }
                continue;
            }
            self.dispatch()?;
            let idle = self.pool.busy() == 0
                && self.pool.starting() == 0
                && (self.stopping || self.busy.is_empty());
            if self.has_nothing_elsewhere(idle, now) && idle {
                break;
            }
            let timeout = self
                .busy
                .iter()
                .map(|(when, _)| when.saturating_duration_since(now))
                .fold(self.next_beat(TICK), Duration::min);
            // One thing said frees one worker at most: look at the queue after each.
            match self.heard.recv_timeout(timeout) {
                Ok(Heard::Worker(worker, said)) => self.hear(worker, said)?,
                Ok(Heard::Remote(done)) => self.hear_remote(done),
                Err(_) => {}
            }
            self.report_problems();
        }
        self.leave()?;
        let shares = self.elsewhere.is_some();
        let reaches = self.elsewhere.as_ref().is_some_and(Elsewhere::is_reachable);
        let mut stages = self.graph.stages().iter();
        let leaves = reaches || stages.any(|stage| self.options.leaves(stage));
        let leaves = leaves && !self.stopping;
        // Ends the workers before anybody is told that the run is over.
        drop(self.pool);
        let outcomes: Vec<Outcome> = self
            .nodes
            .iter()
            .map(|node| node.outcome(self.store, leaves))
            .collect();
        let left = outcomes
            .iter()
            .any(|outcome| matches!(outcome, Outcome::NotRun));
        let over = self.stopping || shares || !left;
        assert!(
            over,
            "a run goes on until every stage is settled, failed or skipped"
        );
        Ok(Summary {
            outcomes,
            interrupted: interrupted.is_some(),
        })
    }

    /// A stage that ran out of time fails with its worker.
    fn kill_overdue(&mut self, now: Instant) {
        let pool = &self.pool;
        self.deadlines
            .retain(|&(_, worker, stage)| pool.stage(worker) == Some(stage));
        let overdue: Vec<_> = self
            .deadlines
            .extract_if(.., |(when, ..)| *when <= now)
            .collect();
        for (_, worker, stage) in overdue {
            let timeout = self.graph.stage(stage).execution.timeout;
            let seconds = timeout.unwrap_or_default().as_secs_f64();
            let why = format!("took longer than its timeout of {seconds} s");
            self.pool.kill(worker, why);
        }
    }

    fn is_interrupted(&self) -> bool {
        self.options.interrupt.load(atomic::Ordering::Relaxed)
    }

    fn node(&mut self, id: StageId) -> &mut Node {
        &mut self.nodes[id.index()]
    }

    fn emit(&mut self, event: Event) {
        (self.events)(event);
    }

    fn report_problems(&mut self) {
        for problem in self.store.take_problems() {
            self.emit(Event::Corrupt {
                what: problem.what,
                path: problem.path,
            });
        }
    }

    fn advance_all(&mut self) -> Result<(), Error> {
        while let Some(id) = self.todo.pop_front() {
            self.advance(id)?;
        }
        self.report_problems();
        Ok(())
    }

    /// Brings a waiting stage as far as it can go without a worker.
    fn advance(&mut self, id: StageId) -> Result<(), Error> {
        let node = &self.nodes[id.index()];
        if node.state != State::Waiting || node.unsettled > 0 {
            return Ok(());
        }
        let nodes = &self.nodes;
        let record = |read: StageId| nodes[read.index()].settled();
        let key = match self.resolver.manifest(id, record)? {
            Ok(manifest) => manifest.key(),
            Err(Unresolved::Lost { stage, blob }) => {
                if let Err(Error::Damaged { .. }) = self.store.verify(blob) {
                    self.store.set_aside_blob(blob)?;
                }
                self.make_again(stage);
                return Ok(());
            }
            Err(Unresolved::Unfit(error)) => {
                self.fail(id, error, None);
                return Ok(());
            }
        };
        if let Some(record) = self.look_up(key)? {
            if self.serves(id, &record)? {
                self.take(id, key, record);
                return Ok(());
            }
            let own: Vec<_> = record.outputs.values().map(|&blob| (key, blob)).collect();
            if self.fetch(id, own) {
                return Ok(());
            }
        }
        let nodes = &self.nodes;
        let record = |read: StageId| nodes[read.index()].settled();
        let (mut lost, mut remote) = (Vec::new(), Vec::new());
        for (stage, blob) in resolve::reads(self.graph.stage(id), record) {
            if !self.store.holds(&blob) {
                lost.push(stage);
                remote.push((record(stage).key, blob));
            }
        }
        if self.fetch(id, remote) {
            return Ok(());
        }
        if !lost.is_empty() {
            for stage in lost {
                self.make_again(stage);
            }
            return Ok(());
        }
        if !self.leaves(id)
            && let Some(error) = self.lacks_input(id)
        {
            self.fail(id, error, None);
            return Ok(());
        }
        if self.lead(id, key) {
            self.queue(id, key);
        }
        Ok(())
    }

    /// Makes a stage ready; whether it leads those of its key.
    fn lead(&mut self, id: StageId, key: Digest) -> bool {
        let node = self.node(id);
        node.state = State::Ready;
        node.stale = false;
        node.key = Some(key);
        if let Some(followers) = self.followers.get_mut(&key) {
            followers.push(id);
            return false;
        }
        self.followers.insert(key, Vec::new());
        true
    }

    /// Whether what is needed of the outputs is there.
    fn serves(&self, id: StageId, record: &Record) -> Result<bool, Error> {
        let need = self.nodes[id.index()].need;
        for blob in record.outputs.values() {
            if need >= Need::Contents && !self.store.holds(blob) {
                return Ok(false);
            }
            if need == Need::Verified
                && let Err(error) = self.store.verify(blob.digest)
            {
                match error {
                    Error::Damaged { .. } => self.store.set_aside_blob(blob.digest)?,
                    Error::NoBlob { .. } => {}
                    error => return Err(error),
                }
                return Ok(false);
            }
        }
        Ok(true)
    }
}
