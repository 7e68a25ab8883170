//! Content-addressed, incremental execution of a graph of stages.
//!
//! A study is a [`Graph`] of [`Stage`]s. What a stage's result depends on is written down as a
//! canonical text, its [`Manifest`], and the digest of that text is the key under which the
//! [`Store`] keeps the result. [`plan`] says what is cached and what is not and why; [`run`]
//! executes what is not, in worker processes that [`serve`] jobs, and reports [`Event`]s.
//!
//! This crate knows nothing of machine learning, of study files or of terminals: it never prints.
//! It runs on Unix (claims are file locks, workers lead process groups of their own).

mod address;
mod checkpoints;
mod claim;
mod clock;
mod digest;
mod error;
mod event;
pub mod fault;
mod files;
mod folders;
mod frozen;
mod gc;
mod graph;
mod history;
mod job;
mod journal;
mod kinds;
mod layout;
mod log;
mod lossy;
pub mod manifest;
mod memory;
mod nearest;
mod pins;
mod plan;
mod pool;
mod protocol;
mod record;
mod remote;
mod resolve;
mod roots;
mod run;
mod scheduler;
mod sealed;
mod size;
mod so_far;
mod store;
mod summary;
mod usage;
mod verify;
mod worker;

pub use address::mask_users;
pub use checkpoints::{Checkpoint, CheckpointName, CheckpointPolicy, Interrupted, Keep};
pub use clock::utc;
pub use digest::{Digest, NotADigest};
pub use error::{Error, UnfitInput, Unfrozen};
pub use event::{Event, Progress};
pub use folders::input_exists;
pub use frozen::{FreezeOptions, Frozen, FrozenInput, Pack, PlanId, freeze};
pub use gc::{Deletion, DeletionReason, GcReport, Policy};
pub use graph::{Binding, Execution, Graph, Input, Source, Stage, StageId};
pub use history::expected_seconds;
pub use job::{Contents, Execute, Job, Output};
pub use journal::{Begin, End, Run};
pub use kinds::{Build, Kinds, Site};
pub use log::end_of_log;
pub use manifest::{Change, Manifest};
pub use pins::Pin;
pub use plan::{Plan, Planned, Reason, Verdict, plan};
pub use record::{Blob, Provenance, Record};
pub use remote::{CopySeen, FailureSeen, GRACE, HeldSeen, Listed, Moved, Objects, Remote};
pub use run::{MemoryLimits, Options, Sharing, WorkerCommand, run};
pub use size::size;
pub use so_far::{Absent, Partial, SoFar, so_far};
pub use store::{Lookup, Problem, StageFailure, Store};
pub use summary::{Outcome, Summary};
pub use usage::{StudyUsage, Usage};
pub use verify::{Flaw, Verified};
pub use worker::serve;
