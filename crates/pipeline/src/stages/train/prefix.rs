//! Names of the checkpoints of a run: what a checkpoint is a function of, and nothing else.
//!
//! The root is the key of a manifest like the stage's own, without what is of the course: budget, schedule, rate,
//! targets, spacing of evaluations; and with the device class. Below it a checkpoint is named by its step and the digest
//! of the course before that step: the bits of the learning rates, run-length encoded, and the evaluations.

use engine::{CheckpointName, Digest, Manifest};
use serde_json::json;
use training::{Course, Settings};

/// Where a run's checkpoints are kept, and under which names.
pub(super) struct Prefix<'a> {
    root: Digest,
    course: &'a Course,
}

impl<'a> Prefix<'a> {
    /// For a stage with this manifest and these settings, on a device of this class.
    pub(super) fn new(
        manifest: &Manifest,
        settings: &Settings,
        course: &'a Course,
        device: &str,
    ) -> Self {
        let mut acting = settings.acting();
        acting.insert("device".to_owned(), json!(device));
        let inputs = manifest.inputs().clone();
        // These words and those below are of the format: with others, what was kept before would not be found.
        let root = Manifest::new("training state", manifest.code(), acting, inputs);
        Self {
            root: root.key(),
            course,
        }
    }

    pub(super) fn root(&self) -> Digest {
        self.root
    }

    pub(super) fn course(&self) -> &'a Course {
        self.course
    }

    /// Updates that the budget allows.
    pub(super) fn steps(&self) -> u64 {
        self.course.steps()
    }

    /// The name of the checkpoint after `step` updates; at most all of them.
    pub(super) fn checkpoint(&self, step: u64) -> CheckpointName {
        let course = format!("pipeline training state 1\n{}", self.course.before(step));
        CheckpointName {
            root: self.root,
            step,
            key: Digest::of(course.as_bytes()),
        }
    }
}
