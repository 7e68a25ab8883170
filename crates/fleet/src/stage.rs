//! What a copy knows of one stage, and what it waits for.

use std::time::Duration;

use crate::{CopyId, Ticket};

/// Where a copy is with a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Step {
    /// It does nothing about it.
    #[default]
    Idle,
    /// It will, once the beats of the others are known.
    Queued,
    /// Asks for the record, because a beat says that there is one, and wants no more.
    Looking,
    /// Creates attempt `closed + 1`.
    Claiming,
    /// It is there: is there a record?
    LookingBack,
    /// No record: whose is it?
    ReadingBack,
    /// It wants the stage, which is another's or is said to have a record: is there one?
    LookingFirst,
    /// No record: what has become of the attempt?
    Asking,
    /// Attempt `closed + 1` is its own: is there a record?
    LookingAgain,
    /// It has the stage.
    Held,
    /// It has the stage, and asks whether there is an attempt after its own.
    Checking,
    /// It gave up while it did not know whether its attempt was created.
    Abandoned,
    /// It has a result and publishes it.
    Publishing,
    /// Another copy has the stage.
    Waiting,
}

/// Whose an attempt is.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    pub(crate) copy: CopyId,
    pub(crate) run: String,
    /// How often the beats had been asked for when the attempt was read.
    pub(crate) seen: u64,
    /// How often its beat had been found to have grown, from beats asked for after that. Of two found later, the second
    /// was made after that, too: beats are made one after the other, each when the one before is there.
    pub(crate) mark: Option<u64>,
    /// The depth that the attempt began at.
    pub(crate) depth: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Stage {
    pub(crate) step: Step,
    /// The request that is waited for.
    pub(crate) ticket: Option<Ticket>,
    /// How often it may fail beyond the first time.
    pub(crate) retries: u32,
    /// Attempts that are over, from 1 on.
    pub(crate) closed: u32,
    /// The attempt that this copy has or had last; 0 where it has none, because it was alone without the store.
    pub(crate) own: u32,
    /// Whose attempt `closed + 1` is.
    pub(crate) owner: Option<Owner>,
    /// How often it failed in this run.
    pub(crate) failures: u32,
    /// Why, the last time.
    pub(crate) why: String,
    /// The depths at which attempts of this run began that lapsed.
    pub(crate) lapses: Vec<u64>,
    /// The deepest checkpoint that is known of.
    pub(crate) depth: u64,
}

/// A request on its way.
#[derive(Debug)]
pub(crate) struct InFlight<R> {
    pub(crate) request: R,
    /// When it counts as lost; or, if it is not on its way, when it is made again.
    pub(crate) until: Duration,
    pub(crate) sent: bool,
}
