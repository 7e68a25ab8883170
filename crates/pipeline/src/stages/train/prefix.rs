//! Names of the states of a run: what a state is a function of, and nothing else.
//!
//! The root is the key of a manifest like the stage's own, without what is of the course: budget, schedule, rate,
//! targets, spacing of evaluations; and with the device class. Below it a state is named by its step and the digest
//! of the course before that step: the bits of the learning rates, run-length encoded, and the evaluations.

use engine::{Digest, Manifest, StateName};
use serde_json::json;
use training::{Course, Settings};

/// Where a run's states are kept, and under which names.
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

    /// The name of the state after `step` updates; at most all of them.
    pub(super) fn state(&self, step: u64) -> StateName {
        let course = format!("pipeline training state 1\n{}", self.course.before(step));
        StateName {
            root: self.root,
            step,
            key: Digest::of(course.as_bytes()),
        }
    }
}
