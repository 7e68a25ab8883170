//! What a run reports while it runs. Who renders it decides what a person sees.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::StageId;

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// The plan is made, nothing has started.
    Planned {
        /// Stages in all.
        stages: usize,
        /// Stages whose result is there, or comes from another stage with the same manifest.
        cached: usize,
        /// Stages that will run.
        run: usize,
        /// Stages that the study never ran: they run unless their results turn out to be there.
        new: usize,
        /// Stages that run unless what they read comes out as before.
        maybe: usize,
        /// Expected working time of those that will or may run in seconds, summed over jobs, where
        /// earlier runs allow an estimate.
        seconds: Option<f64>,
        /// The one of those that takes the most memory, where that is known of any.
        largest: Option<StageId>,
    },
    /// A result was there.
    Cached {
        /// The stage.
        stage: StageId,
    },
    /// A worker has begun.
    Started {
        /// The stage.
        stage: StageId,
    },
    /// A stage says how far it is; a few times a second at most.
    Progress {
        /// The stage.
        stage: StageId,
        /// How far.
        #[serde(flatten)]
        progress: Progress,
    },
    /// Another process, here or on another machine, executes a stage with the same manifest; its result will be taken.
    Waiting {
        /// The stage.
        stage: StageId,
    },
    /// A stage ran and its result is published.
    Finished {
        /// The stage.
        stage: StageId,
        /// How long it ran, in seconds.
        seconds: f64,
        /// What its executor noted.
        notes: Map<String, Value>,
    },
    /// A stage failed.
    Failed {
        /// The stage.
        stage: StageId,
        /// Why.
        error: String,
        /// What it wrote, where it came to run.
        #[serde(with = "crate::lossy::option")]
        log: Option<PathBuf>,
        /// The end of that.
        tail: String,
    },
    /// A stage failed and is tried again.
    Retrying {
        /// The stage.
        stage: StageId,
        /// Why it failed.
        error: String,
        /// Which try comes now, from 2.
        attempt: u32,
        /// How many there are at most.
        of: u32,
    },
    /// The run was interrupted: no stage starts any more, those that run are given a moment.
    Interrupted {
        /// Stages that run.
        running: usize,
        /// How long they are given, in seconds; none where one of them keeps a checkpoint after the step it is in.
        seconds: Option<f64>,
    },
    /// A stage was not run because one that it reads failed.
    Skipped {
        /// The stage.
        stage: StageId,
        /// The one that failed.
        because: StageId,
    },
    /// A checkpoint is not kept: there is no room, or the cache cannot be written. Its stage goes on.
    CheckpointNotKept {
        /// The stage.
        stage: StageId,
        /// Why.
        error: String,
    },
    /// What other copies of the program have done and are at, on other machines, as far as this one knows.
    Others {
        /// Stages that they have done, of which it was not told yet. Each is told of once more when its result is looked
        /// at here.
        done: Vec<StageId>,
        /// How many stages they are at.
        running: usize,
    },
    /// The remote does not answer, or refuses. Said once until it answers again.
    RemoteLost {
        /// What it said.
        error: String,
    },
    /// The remote answers again.
    RemoteBack,
    /// A stage came out otherwise here than in the result that the remote had already; that one holds.
    Differs {
        /// The stage.
        stage: StageId,
    },
    /// The run ends, and these results are in the cache and not yet in the remote: the next run publishes them.
    NotPublished {
        /// How many.
        results: usize,
    },
    /// A file of the cache was found damaged and set aside; what is needed of it is computed again.
    Corrupt {
        /// What it was: `blob`, `record`.
        what: String,
        /// Where it was put.
        #[serde(with = "crate::lossy")]
        path: PathBuf,
    },
}

/// How far a stage is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Units done.
    pub done: u64,
    /// Units in all; 0 where unknown.
    pub total: u64,
    /// A few words: `loss 0.031`.
    pub text: String,
}
