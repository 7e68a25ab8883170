//! What concerns the workers: giving them stages, and taking in what they answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Scheduler;
use super::node::{Ready, State};
use crate::journal::{self, Line};
use crate::pool::{Said, WorkerId};
use crate::protocol::{Reply, Request};
use crate::{Digest, Error, Event, Record, StageId, end_of_log, resolve, size};

/// First and longest pause before asking again for a stage that another process has.
const BUSY: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// How many workers in a row may be killed as they start, or end as they are given a stage.
const STARTS: u32 = 3;

impl Scheduler<'_> {
    /// Gives ready stages to idle workers, and starts workers where they are too few.
    pub(super) fn dispatch(&mut self) -> Result<(), Error> {
        while !self.stopping
            && self.may_claim()
            && let Some(bytes) = self.pool.memory.choose(&self.ready)
            && let Some(&Ready { id, .. }) = self.ready.peek(bytes)
        {
            let node = &self.nodes[id.index()];
            if node.state != State::Ready {
                self.ready.pop(bytes);
                continue;
            }
            if node.unsettled > 0 || node.stale {
                self.ready.pop(bytes);
                self.wait_again(id);
                self.advance_all()?;
                continue;
            }
            if !self.is_free(id) {
                self.ready.pop(bytes);
                continue;
            }
            let Some(worker) = self.pool.idle(bytes) else {
                let starting = self.pool.starting();
                if starting >= self.ready.len()
                    || !self.pool.memory.takes_one_more(bytes, starting)
                    || !self.pool.has_place(self.options.jobs)
                {
                    break;
                }
                self.pool.start()?;
                continue;
            };
            self.ready.pop(bytes);
            // Made anew: kept for all stages that wait, the texts would take much memory.
            let nodes = &self.nodes;
            let record = |read: StageId| nodes[read.index()].settled();
            let manifest = match self.resolver.manifest(id, record)? {
                Ok(manifest) if manifest.key() == nodes[id.index()].resolved() => manifest.text(),
                // Something that it reads has gone.
                _ => {
                    self.wait_again(id);
                    self.advance_all()?;
                    continue;
                }
            };
            let request = Request::Execute {
                manifest,
                files: resolve::files(self.graph.stage(id), self.options.frozen.as_deref()),
                packs: resolve::packs(self.graph.stage(id), self.options.frozen.as_deref()),
                ask: self.elsewhere.is_some(),
            };
            self.pool.execute(worker, id, bytes, &request);
            self.node(id).state = State::Running;
        }
        let has_nothing = self.ready.is_empty() && self.pool.busy() < self.options.jobs;
        if has_nothing && !self.stopping && self.may_claim() {
            self.look_at_all_known();
        }
        Ok(())
    }

    /// Takes in what a worker says.
    pub(super) fn hear(&mut self, worker: WorkerId, said: Said) -> Result<(), Error> {
        let stage = self.pool.stage(worker);
        match (said, stage) {
            (Said::Reply(Reply::Hello { build }), None) => {
                if build != self.options.build {
                    return Err(Error::ForeignWorker {
                        expected: self.options.build.id.clone(),
                        found: build.id,
                    });
                }
                self.pool.release(worker);
                self.starts_killed = 0;
            }
            (Said::Reply(Reply::Corrupt(problems)), _) => {
                for problem in problems {
                    self.emit(Event::Corrupt {
                        what: problem.what,
                        path: problem.path,
                    });
                }
            }
            (Said::Reply(Reply::Started), Some(stage)) => self.started(worker, stage),
            (Said::Reply(Reply::Claimed), Some(stage)) => self.ask(worker, stage),
            (Said::Reply(Reply::Left), Some(_)) => self.pool.release(worker),
            (Said::Reply(Reply::CheckpointKept { name }), Some(stage)) => {
                self.checkpoint_kept(stage, name);
            }
            (Said::Reply(Reply::KeepsCheckpoints), Some(_)) => self.pool.keeps_checkpoints(worker),
            (Said::Reply(Reply::CheckpointNotKept { error }), Some(stage)) => {
                self.emit(Event::CheckpointNotKept { stage, error });
            }
            (Said::Reply(Reply::Progress(progress)), Some(stage)) => {
                self.told_progress(stage, &progress);
                self.emit(Event::Progress { stage, progress });
            }
            (
                Said::Reply(
                    reply @ (Reply::Done { .. }
                    | Reply::Failed { .. }
                    | Reply::Busy
                    | Reply::Interrupted
                    | Reply::Lost { .. }),
                ),
                Some(stage),
            ) => {
                self.pool.release(worker);
                self.answered(stage, reply)?;
            }
            (Said::Gone, Some(stage)) if self.node(stage).state != State::Running => {
                // It had been told to leave the stage, or another copy has taken it over.
                self.pool.bury(worker);
            }
            (Said::Gone, Some(stage)) if self.is_interrupted() => {
                self.pool.bury(worker);
                self.node(stage).state = State::Waiting;
                self.give_up(stage);
            }
            (Said::Gone, Some(stage)) if self.pool.has_begun(worker) => {
                let (ended, _) = self.pool.bury(worker);
                let mut error = ended.to_string();
                let takes = self.graph.stage(stage).execution.memory;
                if ended.is_killed() && takes > 0 {
                    error += ", as happens where memory runs out: this stage takes about ";
                    error += &size(takes);
                }
                self.failed(stage, &error)?;
            }
            (Said::Gone, Some(stage)) => {
                let (ended, wrote) = self.pool.bury(worker);
                self.give_up(stage);
                // It was idle until a moment ago: no fault of the stage, unless that goes on.
                let node = self.node(stage);
                node.unbegun += 1;
                if node.unbegun < STARTS {
                    self.wait_again(stage);
                    return Ok(());
                }
                let error = format!("{ended} before it had begun the stage\n{wrote}");
                self.failed(stage, error.trim_end())?;
            }
            (Said::Gone, None) if self.pool.is_gone(worker) => {}
            (Said::Gone, None) => {
                let started = !self.pool.is_starting(worker);
                let (ended, wrote) = self.pool.bury(worker);
                // One that was idle is replaced when it is needed, and so is one that somebody
                // killed as it started, unless that goes on.
                if started || (ended.is_by_signal() && self.starts_killed < STARTS) {
                    self.starts_killed += u32::from(!started);
                    return Ok(());
                }
                let program = self.options.worker.program.clone();
                return Err(Error::WorkerStart {
                    program,
                    message: format!("{ended}\n{wrote}").trim_end().to_owned(),
                });
            }
            (Said::Reply(reply), None) => {
                return Err(Error::Protocol(format!(
                    "a worker that has no stage said {reply:?}"
                )));
            }
            (Said::Reply(reply), Some(_)) => {
                return Err(Error::Protocol(format!(
                    "a worker with a stage said {reply:?}"
                )));
            }
            (Said::Nonsense(line), _) => {
                return Err(Error::Protocol(format!("a worker said {line:?}")));
            }
        }
        Ok(())
    }

    fn started(&mut self, worker: WorkerId, stage: StageId) {
        self.pool.begin(worker);
        self.node(stage).unbegun = 0;
        let of = self.graph.stage(stage);
        if let Some(timeout) = of.execution.timeout {
            self.deadlines
                .push((Instant::now() + timeout, worker, stage));
        }
        self.journal.note(&Line::Began {
            stage: of.name.clone(),
            key: self.nodes[stage.index()].resolved(),
            at: journal::now(),
        });
        self.emit(Event::Started { stage });
    }

    fn answered(&mut self, id: StageId, reply: Reply) -> Result<(), Error> {
        let key = self.nodes[id.index()].resolved();
        match reply {
            Reply::Done { ran } => match self.store.lookup(key)?.record {
                Some(record) => self.offer(id, key, record, ran),
                None => self.failed(id, "its result was lost as soon as it was written")?,
            },
            // What ends a run may have ended the stage's program, too: that is no failure of the stage.
            Reply::Failed { .. } if self.is_interrupted() => {
                self.node(id).state = State::Waiting;
                self.give_up(id);
            }
            Reply::Failed { error, unstored } => {
                // Whatever is computed from now on would be lost too.
                self.stopping |= unstored;
                self.failed(id, &error)?;
            }
            Reply::Lost { input } => {
                let nodes = &self.nodes;
                let record = |read: StageId| nodes[read.index()].settled();
                let producers: Vec<StageId> = resolve::reads(self.graph.stage(id), record)
                    .filter(|(_, blob)| blob.digest == input)
                    .map(|(stage, _)| stage)
                    .collect();
                self.give_up(id);
                self.wait_again(id);
                for producer in producers {
                    self.make_again(producer);
                }
            }
            Reply::Busy => {
                let pause = self
                    .node(id)
                    .pause
                    .map_or(BUSY.0, |pause| (pause * 2).min(BUSY.1));
                if self.node(id).pause.replace(pause).is_none() {
                    self.emit(Event::Waiting { stage: id });
                }
                self.node(id).state = State::Ready;
                self.busy.push((Instant::now() + pause, id));
            }
            // Nothing is given out any more: the next run goes on from its checkpoint.
            Reply::Interrupted => {
                self.node(id).state = State::Waiting;
                self.give_up(id);
            }
            Reply::Hello { .. }
            | Reply::Claimed
            | Reply::Left
            | Reply::CheckpointKept { .. }
            | Reply::Started
            | Reply::KeepsCheckpoints
            | Reply::CheckpointNotKept { .. }
            | Reply::Progress(_)
            | Reply::Corrupt(_) => {
                unreachable!("only the last words on a stage are passed on")
            }
        }
        Ok(())
    }

    /// The leader of its key has a result that holds.
    pub(super) fn settle_leader(&mut self, id: StageId, record: Arc<Record>, ran: bool) {
        self.settle(id, record, ran);
        self.dismiss_followers(id);
        // Settled with the inputs of before: to be looked at again.
        if std::mem::take(&mut self.node(id).stale) {
            self.unsettle(id);
        }
    }

    /// A stage that was given to a worker failed, and so do those that follow it.
    fn failed(&mut self, id: StageId, error: &str) -> Result<(), Error> {
        let key = self.nodes[id.index()].resolved();
        let tail = end_of_log(&self.store.log_path(key));
        let recorded = self.store.record_failure(key, error, &tail);
        match recorded {
            // On a full disk the stage's own failure says so.
            Err(Error::Io { .. }) if self.stopping => {}
            recorded => recorded?,
        }
        let retries = self.graph.stage(id).execution.retries;
        let of_all = self.failed_here(key, error, &tail);
        let node = self.node(id);
        node.failures = of_all.unwrap_or(node.failures + 1);
        let attempt = node.failures + 1;
        if attempt <= retries.saturating_add(1) && !self.stopping {
            self.emit(Event::Retrying {
                stage: id,
                error: error.to_owned(),
                attempt,
                of: retries + 1,
            });
            self.wait_again(id);
            return Ok(());
        }
        self.fail_all(id, key, error);
        Ok(())
    }

    /// A stage fails for good, and so do those that follow it.
    pub(super) fn fail_all(&mut self, id: StageId, key: Digest, error: &str) {
        let followers = self.followers.remove(&key).unwrap_or_default();
        for stage in std::iter::once(id).chain(followers) {
            if matches!(
                self.node(stage).state,
                State::Running | State::Ready | State::Elsewhere | State::Known
            ) {
                self.fail(stage, error.to_owned(), Some(key));
            }
        }
    }
}
