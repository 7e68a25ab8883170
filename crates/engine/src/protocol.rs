//! What engine and worker say to each other: JSON, one object a line.

use std::collections::BTreeMap;
use std::ffi::OsString;

use serde::{Deserialize, Serialize};

use crate::{Build, CheckpointName, Digest, Problem, Progress, Site};

/// From the engine, on the worker's stdin. Its end is the end of the worker.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Request {
    /// Said once, first.
    Open {
        /// The folder; not as a `PathBuf`, because a path need not be UTF-8, which JSON is.
        cache: OsString,
        build: Build,
        site: Site,
    },
    /// Execute a stage; the answer is one of the last five replies, or `left`.
    Execute {
        manifest: String,
        /// Where the inputs lie that are no part of the cache.
        files: BTreeMap<String, OsString>,
        /// Folders that are not where they were when the plan was frozen: the blobs that they are packed in.
        packs: BTreeMap<String, Digest>,
        /// Whether to ask, once the stage is claimed on this machine, before it begins.
        ask: bool,
    },
    /// Begin the stage that was asked about.
    Begin,
    /// Leave it.
    Leave,
    /// End the stage as soon as its checkpoint is kept.
    Interrupt,
}

/// From the worker, on its stdout.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply {
    /// Said once, first.
    Hello { build: Build },
    /// The stage is claimed on this machine. The answer is `begin` or `leave`.
    Claimed,
    /// It was left.
    Left,
    /// The stage is claimed and begins.
    Started,
    /// It keeps checkpoints: interrupted, it ends by itself, given time.
    KeepsCheckpoints,
    /// A checkpoint is kept.
    CheckpointKept { name: CheckpointName },
    /// A checkpoint is not kept. The stage goes on.
    CheckpointNotKept { error: String },
    /// How far it is.
    Progress(Progress),
    /// Files of the cache were found damaged and set aside.
    Corrupt(Vec<Problem>),
    /// The result is published. It may have been there already.
    Done { ran: bool },
    /// The stage failed.
    Failed {
        error: String,
        /// Its result could not be stored: no other will be either.
        unstored: bool,
    },
    /// Another process executes it.
    Busy,
    /// An input is not in the store, or was damaged.
    Lost { input: Digest },
    /// The stage ended early, as it was told to; its checkpoint is kept.
    Interrupted,
}
