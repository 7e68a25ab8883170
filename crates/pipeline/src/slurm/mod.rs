//! Slurm: starting, stopping and asking. What tasks do together is the remote's and the engine's.
//!
//! Only its command line is used, because every cluster has that: no REST, no JSON, whose form changes between versions.

mod client;
mod script;

use engine::PlanId;

pub(crate) use client::{
    Error, Task, cancel, largest_array, own_task, queue, requeue, submit, would_take,
};
pub(crate) use script::{Job, quoted};

/// The name that all jobs of one submission have in the queue: by it they are found again, and by nothing else.
pub(crate) fn job_name(plan: &PlanId) -> String {
    format!("pipeline-{}-{}", plan.study, plan.id)
}
