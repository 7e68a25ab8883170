//! What the protocol says, and what the remote's threads have done.

use std::time::Duration;

use fleet::{Out, Reply, Verdict};

use crate::protocol::Request;
use crate::remote::io;
use crate::scheduler::Scheduler;
use crate::scheduler::node::State;
use crate::{Digest, Error, Event, StageId};

/// How long after blobs did not come they are asked for again.
const FETCH_AGAIN: Duration = Duration::from_secs(1);

impl Scheduler<'_> {
    /// Does what the protocol says.
    pub(in crate::scheduler) fn attend(&mut self) -> Result<(), Error> {
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
        while let Some(out) = self.elsewhere.as_mut().and_then(|it| it.member.poll()) {
            match out {
                Out::Request(ticket, fleet::Request::Beat(beat)) => {
                    let about = Box::new(self.about());
                    let others = self.elsewhere.as_ref();
                    others.inspect(|others| {
                        let is_read = others.plan.is_some() || others.member.has_company();
                        others.io.send(io::Task::Beat(ticket, beat, about, is_read));
                    });
                }
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
            Verdict::Run { stage, attempt } => self.run_here(stage, attempt),
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
                let of_plan = others.plan.as_ref().map(|_| {
                    format!(
                        "{why} (in another copy; this plan does not try it again, a new one does)"
                    )
                });
                let why = of_plan.unwrap_or(why);
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

    /// A stage is this copy's: it begins once what only the remote has of it is here.
    fn run_here(&mut self, stage: Digest, attempt: u32) {
        let Some(others) = &mut self.elsewhere else {
            return;
        };
        let Some(lease) = others.leases.get_mut(&stage) else {
            // Its worker is gone meanwhile.
            others.release(stage);
            return;
        };
        lease.attempt = Some(attempt);
        let (worker, id) = (lease.worker, others.stages.get(&stage).copied());
        // Not before: files are large, and all copies would fetch them where one needs them.
        let inputs = id.map_or_else(Vec::new, |id| self.missing_inputs(id));
        if attempt <= 1 && inputs.is_empty() {
            self.pool.tell(worker, &Request::Begin);
        } else if let Some(others) = &self.elsewhere {
            others.io.send(io::Task::Prepare(stage, attempt, inputs));
        }
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
        if executed && let Some(others) = &mut self.elsewhere {
            others.published.push(key);
        }
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
    pub(in crate::scheduler) fn hear_remote(&mut self, done: io::Done) {
        let Some(others) = &mut self.elsewhere else {
            return;
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
                let is_of_others = matches!(reply, Reply::Beats(_));
                others.member.reply(now, ticket, reply);
                if let Some(id) = differs {
                    self.node(id).executed = false;
                    self.emit(Event::Differs { stage: id });
                }
                if is_of_others {
                    self.look_at_packed();
                    self.tell_of_others();
                }
            }
            io::Done::Fetched { blobs, error } => {
                let those = others.fetching.remove(&blobs).unwrap_or_default();
                match error {
                    None => {
                        for id in those {
                            self.come(id);
                        }
                    }
                    Some(error) => {
                        let first = others.again.is_empty() && others.member.is_reachable();
                        let again = those.into_iter().map(|id| (now + FETCH_AGAIN, id));
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
                if let Some((attempt, name)) = others.uploads.remove(&stage).flatten() {
                    others.uploads.insert(stage, None);
                    let next = io::Task::PutCheckpoint(stage, attempt, name);
                    others.io.send(next);
                } else if others.releasing.remove(&stage) {
                    others.member.release(now, stage);
                }
            }
            io::Done::Prepared { stage, error } => {
                let Some(lease) = others.leases.get(&stage) else {
                    return;
                };
                let Some(error) = error else {
                    self.pool.tell(lease.worker, &Request::Begin);
                    return;
                };
                let first = others.member.is_reachable() && !others.told;
                others.told |= first;
                let id = others.stages.get(&stage).copied();
                others.again.extend(id.map(|id| (now + FETCH_AGAIN, id)));
                self.tell_to_leave(stage, State::Fetching);
                self.elsewhere
                    .iter_mut()
                    .for_each(|others| others.release(stage));
                if first {
                    self.emit(Event::RemoteLost { error });
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
    }

    /// What a stage needs of the remote is here.
    fn come(&mut self, id: StageId) {
        if self.node(id).state == State::Fetching {
            self.node(id).state = State::Waiting;
            self.todo.push_back(id);
        }
    }
}
