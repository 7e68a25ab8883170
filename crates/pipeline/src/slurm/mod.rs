//! Slurm: starting, stopping and asking. What tasks do together is the remote's and the engine's.
//!
//! Only its command line is used, because every cluster has that: no REST, no JSON, whose form changes between versions.

mod client;
mod script;

use engine::PlanId;

pub(crate) use client::{Task, cancel, largest_array, queue, requeue, submit, would_take};
pub(crate) use script::{Job, quoted};

/// The name that all jobs of one submission have in the queue: by it they are found again, and by nothing else.
pub(crate) fn job_name(plan: &PlanId) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let study = plan.study.replace(|c| !plain(c), "_");
    format!("pipeline-{study}-{}", plan.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_named_by_the_study_and_its_submission_in_plain_letters() {
        let plan = PlanId {
            study: "K-FAC über %j, \"x\"".to_owned(),
            id: "7".to_owned(),
        };
        assert_eq!(job_name(&plan), "pipeline-K-FAC__ber__j___x_-7");
    }
}
