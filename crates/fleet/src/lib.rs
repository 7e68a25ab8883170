//! How copies of one program, each on a machine of its own, share out the stages of a study over a store.
//!
//! There is no coordinator. Each copy is a [`Member`]: it says which stage it would run, and is told whether the stage is
//! its own, is another copy's, or has a result. The store is asked for two things only: to create an object unless there
//! is one of its name, and to let an owner overwrite its own. No two clocks are ever compared.
//!
//! Nothing here reads or writes anything, sleeps, or looks at a clock. A member is told the time and the store's
//! replies, and gives [requests](Request) and [verdicts](Verdict); so the same code runs over a real store and in the
//! simulation of `tests/simulation`, which loses messages, freezes copies and lets the store fail.
//!
//! ```text
//!            is it held, as the beats say? --------------------- yes ------------------> Busy
//!                 | no                                                                    |  the beats say otherwise
//!                 v                                                                       v
//!   pursue -> create attempt n --there is one--> is there a record? --yes--> There
//!                 |     ^                          | no
//!                 |     |                          v
//!         created |     |                        read it --another's--> what has become of it?
//!                 |     |                          | own                   |
//!                 v     +---- n + 1 <--------------|--- over: released, failed, lapsed; else live -> Busy
//!          is there a record? <--------------------+
//!            | no        | yes
//!            v           v
//!           Run        There            Run -> checkpoint: is there an attempt n + 1? -- yes --> Superseded
//!            |
//!            +--> publish: create the record --there is one--> theirs holds -> Settled
//! ```
//!
//! An attempt is **over** once it is released or failed, or has lapsed: its copy's beat stood still for
//! [`Terms::ttl`], watched on one's own clock over at least [`READS`] successful reads in a row, with nothing counted
//! while the store did not answer. A wrong guess costs time and never a result: records are created only, and whoever
//! comes second takes the first one's.

mod member;
mod message;
mod stage;
mod verdict;
mod watch;

use std::time::Duration;

pub use member::Member;
pub use message::{Beat, Claim, CopyId, Failure, Fate, Held, Reply, Request};
pub use verdict::{Out, StageStatus, Ticket, Verdict};

/// A beat must have been read so often, unchanged, before its copy counts as gone.
pub const READS: u32 = 3;
/// So many attempts that lapsed at the same depth fail their stage: it kills its machines.
pub const LAPSES: usize = 3;

/// What all copies of a run agree on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// The longest time between two beats of a copy.
    pub beat: Duration,
    /// A beat that stands still for so long is that of a copy which is gone.
    pub ttl: Duration,
    /// How long a reply may take before it counts as lost. A result may take ten times as long to be published.
    pub patience: Duration,
    /// Requests that the beats of all copies together make in a second, at most, where there is news often.
    pub budget: f64,
    /// Whether the run has a name that outlives its copies. If not, only those that this copy has seen alive are of it.
    pub lasting: bool,
}

impl Default for Terms {
    /// A beat a minute, five minutes to live.
    fn default() -> Self {
        Self {
            beat: Duration::from_mins(1),
            ttl: Duration::from_mins(5),
            patience: Duration::from_mins(1),
            budget: 50.0,
            lasting: false,
        }
    }
}
