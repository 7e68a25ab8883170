//! How stages end, and what that means for those that read them.

use std::sync::Arc;

use super::Scheduler;
use super::node::{Need, State};
use crate::history::Entry;
use crate::journal::Line;
use crate::{Digest, Event, Record, StageId, end_of_log};

/// How often an output may get lost within one run before its stage counts as failed.
const LOSSES: u8 = 3;

impl Scheduler<'_> {
    /// A stage has its result: cached, or it ran.
    pub(super) fn settle(&mut self, id: StageId, record: Arc<Record>, ran: bool) {
        let event = if ran {
            Event::Finished {
                stage: id,
                seconds: record.provenance.seconds,
                notes: record.notes.clone(),
            }
        } else {
            Event::Cached { stage: id }
        };
        self.journal_result(id, &record, ran);
        let node = self.node(id);
        // One that ran before is not cached because it was looked at again.
        let news = ran || !node.ran;
        let changed = node
            .record
            .as_ref()
            .is_some_and(|old| old.outputs != record.outputs);
        node.ran |= ran;
        node.state = State::Settled;
        node.record = Some(record);
        if news {
            self.emit(event);
        }
        for &reader in self.graph.readers(id) {
            self.node(reader).unsettled -= 1;
            self.todo.push_back(reader);
            if changed {
                self.node(reader).stale = true;
                if self.node(reader).state == State::Settled {
                    self.unsettle(reader);
                }
            }
        }
        self.look_for_readers_of(id);
    }

    fn journal_result(&mut self, id: StageId, record: &Record, ran: bool) {
        let name = &self.graph.stage(id).name;
        let known = |entry: &Entry| entry.key == record.key;
        if !ran && self.history.get(name).is_some_and(known) {
            return;
        }
        let (stage, key) = (name.clone(), record.key);
        self.journal.note(&if ran {
            Line::Ran {
                stage,
                key,
                seconds: record.provenance.seconds,
            }
        } else {
            Line::Cached { stage, key }
        });
    }

    pub(super) fn unsettle(&mut self, id: StageId) {
        self.node(id).state = State::Waiting;
        for &reader in self.graph.readers(id) {
            self.node(reader).unsettled += 1;
        }
        self.todo.push_back(id);
    }

    /// The output of a settled stage is lost and something needs it.
    pub(super) fn make_again(&mut self, id: StageId) {
        let node = self.node(id);
        if node.state != State::Settled {
            return;
        }
        node.need = node.need.max(Need::Contents);
        node.losses += 1;
        let lost_again = node.losses > LOSSES;
        self.unsettle(id);
        if lost_again {
            self.fail(
                id,
                "its output is lost again each time that it is made".to_owned(),
                None,
            );
        }
    }

    /// Takes a ready or running stage back to where its inputs are looked at anew.
    pub(super) fn wait_again(&mut self, id: StageId) {
        self.node(id).state = State::Waiting;
        self.todo.push_back(id);
        self.dismiss_followers(id);
    }

    /// Those that followed a stage look for themselves.
    pub(super) fn dismiss_followers(&mut self, id: StageId) {
        let Some(key) = self.nodes[id.index()].key else {
            return;
        };
        for follower in self.followers.remove(&key).unwrap_or_default() {
            if self.node(follower).state == State::Ready {
                self.node(follower).state = State::Waiting;
                self.todo.push_back(follower);
            }
        }
    }

    pub(super) fn fail(&mut self, id: StageId, error: String, key: Option<Digest>) {
        let log = key.map(|key| self.store.log_path(key));
        let tail = log.as_deref().map(end_of_log).unwrap_or_default();
        let node = self.node(id);
        node.state = State::Failed;
        node.error = Some(error.clone());
        self.journal.note(&Line::Failed {
            stage: self.graph.stage(id).name.clone(),
            error: error.clone(),
        });
        self.emit(Event::Failed {
            stage: id,
            error,
            log,
            tail,
        });
        self.stopping |= !self.options.keep_going;
        let mut skipped = self.graph.readers(id).to_vec();
        while let Some(reader) = skipped.pop() {
            // One that is running has what it needs; one that is settled has its result.
            if matches!(
                self.node(reader).state,
                State::Waiting
                    | State::Ready
                    | State::Fetching
                    | State::Elsewhere
                    | State::Known
                    | State::Left
            ) {
                if self.leads(reader) {
                    self.dismiss_followers(reader);
                }
                self.node(reader).state = State::Skipped(id);
                self.emit(Event::Skipped {
                    stage: reader,
                    because: id,
                });
                skipped.extend_from_slice(self.graph.readers(reader));
            }
        }
    }

    /// Whether a stage is the ready one of its key that others follow.
    fn leads(&self, id: StageId) -> bool {
        let node = &self.nodes[id.index()];
        let leads = |key: &Digest| {
            self.followers
                .get(key)
                .is_some_and(|followers| !followers.contains(&id))
        };
        matches!(
            node.state,
            State::Ready | State::Elsewhere | State::Known | State::Left
        ) && node.key.as_ref().is_some_and(leads)
    }
}
