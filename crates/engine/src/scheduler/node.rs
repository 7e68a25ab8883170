//! What a run knows of each stage.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use crate::{Digest, Graph, Outcome, Planned, Record, StageId, Store};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Waiting,
    Ready,
    Running,
    /// Its result is here, and is on its way to the remote.
    Publishing,
    /// What it reads, or its own result, is on its way from the remote.
    Fetching,
    /// Another copy of the program has it, on another machine.
    Elsewhere,
    /// Another copy has published its result, which nothing here needs yet.
    Known,
    /// This copy leaves it to others: it is of a kind that it leaves, or too large.
    Left,
    /// Cached or done, as [`Node::ran`] says.
    Settled,
    Failed,
    Skipped(StageId),
}

/// What of a stage's outputs is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// Their names: for the keys of its readers.
    Names,
    /// Their contents: nothing reads it, or a reader runs.
    Contents,
    /// Their contents, verified before the run ends.
    Verified,
}

/// What a run knows of a stage.
pub(super) struct Node {
    pub(super) state: State,
    /// How many of the stages that it reads are not settled.
    pub(super) unsettled: usize,
    pub(super) record: Option<Arc<Record>>,
    /// Its key, since it was last ready.
    pub(super) key: Option<Digest>,
    pub(super) need: Need,
    pub(super) ran: bool,
    /// It was executed here, and its result is not settled yet.
    pub(super) executed: bool,
    /// Something that it read came out otherwise after it was ready.
    pub(super) stale: bool,
    pub(super) losses: u8,
    /// How often it failed.
    pub(super) failures: u32,
    /// How many workers in a row ended with it before they had begun it.
    pub(super) unbegun: u32,
    /// How long to wait before asking again, while another process has it.
    pub(super) pause: Option<Duration>,
    /// Expected, or 0 where nothing is known.
    pub(super) seconds: f64,
    pub(super) error: Option<String>,
}

/// A stage in the queue of ready ones.
pub(super) struct Ready {
    pub(super) seconds: f64,
    /// Among those that take as long.
    pub(super) turn: u64,
    pub(super) id: StageId,
}

impl Node {
    pub(super) fn new(graph: &Graph, planned: &Planned, id: StageId) -> Self {
        Self {
            state: State::Waiting,
            unsettled: graph.upstream(id).len(),
            record: planned.record.clone(),
            key: None,
            need: if graph.readers(id).is_empty() {
                Need::Contents
            } else {
                Need::Names
            },
            ran: false,
            executed: false,
            stale: false,
            losses: 0,
            failures: 0,
            unbegun: 0,
            pause: None,
            seconds: planned.seconds.unwrap_or(0.0),
            error: None,
        }
    }

    /// Its key, of a stage that has been ready.
    pub(super) fn resolved(&self) -> Digest {
        self.key.expect("a stage that was ready has a key")
    }

    /// The result, of a stage that has been settled.
    pub(super) fn settled(&self) -> &Record {
        self.record
            .as_deref()
            .expect("a stage that was settled has a record")
    }

    /// How it ended, in a run that leaves what is not done to others, or not.
    pub(super) fn outcome(&self, store: &Store, leaves: bool) -> Outcome {
        match (self.state, &self.record) {
            (State::Settled, Some(record)) if self.ran => Outcome::Ran(Arc::clone(record)),
            (State::Settled, Some(record)) => Outcome::Cached(Arc::clone(record)),
            (State::Failed, _) => Outcome::Failed {
                error: self.error.clone().expect("a failed stage has an error"),
                log: self.key.map(|key| store.log_path(key)),
            },
            (State::Skipped(because), _) => Outcome::Skipped { because },
            (State::Left, _) => Outcome::Elsewhere,
            (State::Waiting | State::Ready | State::Elsewhere | State::Known, _) if leaves => {
                Outcome::Elsewhere
            }
            _ => Outcome::NotRun,
        }
    }
}

impl Ord for Ready {
    fn cmp(&self, other: &Self) -> Ordering {
        self.seconds
            .total_cmp(&other.seconds)
            .then_with(|| other.turn.cmp(&self.turn))
            .then_with(|| other.id.cmp(&self.id))
    }
}

impl PartialOrd for Ready {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ready {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ready {}
