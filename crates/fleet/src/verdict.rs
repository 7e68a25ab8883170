//! What a member wants done, and what it says.

use crate::Request;

/// Tells replies apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub(crate) u64);

/// What a member wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Out<K> {
    /// Ask the store, and give the reply with this ticket.
    Request(Ticket, Request<K>),
    /// What has become of a stage.
    Verdict(Verdict<K>),
}

/// What a member says to the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<K> {
    /// The stage is this copy's to execute.
    Run {
        /// The stage.
        stage: K,
        /// Which attempt it is; 0 without one, because this copy is alone and the store does not answer.
        attempt: u32,
    },
    /// The store has its result, and it was taken.
    There {
        /// The stage.
        stage: K,
    },
    /// There is no result, though one was looked for: the stage may be pursued.
    Absent {
        /// The stage.
        stage: K,
    },
    /// Another copy has it. [`Verdict::Again`] will say when that has changed.
    Busy {
        /// The stage.
        stage: K,
    },
    /// It may have a result by now, or be free.
    Again {
        /// The stage.
        stage: K,
    },
    /// It has failed as often as it may in this run.
    Failed {
        /// The stage.
        stage: K,
        /// Why, the last time.
        why: String,
    },
    /// Another copy took over while this one executed it: it is to stop.
    Superseded {
        /// The stage.
        stage: K,
    },
    /// The store has a record of it.
    Settled {
        /// The stage.
        stage: K,
        /// Whether it is surely this copy's. If not, the one that is there holds.
        own: bool,
    },
    /// The store does not answer, or refuses.
    Unreachable,
    /// It does again.
    Reachable,
}

/// How a stage stands, as far as the beats say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageStatus {
    /// Nobody has it.
    Free,
    /// Another copy has it.
    Busy,
    /// Another copy has published its result.
    Done,
}
