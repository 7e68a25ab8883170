//! Content-addressed, incremental execution of a graph of stages.
//!
//! A study is a [`Graph`] of [`Stage`]s. What a stage's result depends on is written down as a
//! canonical text, its [`Manifest`], and the digest of that text is the key under which the
//! [`Store`] keeps the result. [`plan`] says what is cached and what is not and why; [`run`]
//! executes what is not, in worker processes that [`serve`] jobs, and reports [`Event`]s.
//!
//! This crate knows nothing of machine learning, of study files or of terminals: it never prints.
//! It runs on Unix (claims are file locks, workers lead process groups of their own).

mod claim;
mod clock;
mod digest;
mod error;
mod event;
mod files;
mod graph;
mod history;
mod job;
mod kinds;
pub mod manifest;
mod plan;
mod pool;
mod protocol;
mod record;
mod resolve;
mod run;
mod scheduler;
mod sealed;
mod store;
mod summary;
mod worker;

pub use clock::utc;
pub use digest::{Digest, NotADigest};
pub use error::Error;
pub use event::{Event, Progress};
pub use graph::{Binding, Graph, Input, Source, Stage, StageId};
pub use job::{Execute, Job, Output};
pub use kinds::{Build, Kinds, Site};
pub use manifest::{Change, Manifest};
pub use plan::{Plan, Planned, Reason, Verdict, plan};
pub use record::{Blob, Provenance, Record};
pub use run::{Options, WorkerCommand, run};
pub use store::{Lookup, Problem, Store};
pub use summary::{Outcome, Summary};
pub use worker::serve;
