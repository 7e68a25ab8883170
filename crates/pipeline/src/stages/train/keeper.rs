//! When the checkpoints of a run are kept, and when they go.
//!
//! What costs less to compute again than it is worth is not kept: a run of a second leaves nothing.

use std::time::Instant;

use engine::{CheckpointName, Interrupted, Job, Keep};
use training::Training;

use super::prefix::Prefix;
use super::{Failure, From};

/// Keeps the checkpoints of one run.
pub(super) struct Keeper<'a> {
    job: &'a Job<'a>,
    prefix: &'a Prefix<'a>,
    /// Steps where other runs may well part from this one.
    ends: Vec<u64>,
    /// When the checkpoint was kept that the run would go on from after a crash, or when it began.
    since: Instant,
    /// When one could not be kept. The next attempt is as long after it as after one that was.
    failed: Option<Instant>,
    /// This stage's newest checkpoint, unless it stays: the next one supersedes it.
    newest: Option<CheckpointName>,
    /// Whether there is a checkpoint to go on from.
    any: bool,
}

impl<'a> Keeper<'a> {
    /// For a run that begins, or goes on from a checkpoint.
    pub(super) fn new(job: &'a Job<'a>, prefix: &'a Prefix<'a>, from: Option<&From>) -> Self {
        let mut keeper = Self {
            job,
            prefix,
            ends: prefix.course().segment_ends(),
            since: Instant::now(),
            failed: None,
            newest: None,
            any: from.is_some(),
        };
        let own = from.filter(|from| from.own).map(|from| from.name);
        keeper.newest = own.filter(|name| !keeper.stays(name.step));
        keeper
    }

    /// Whether the checkpoint of a step stays when the run goes on.
    fn stays(&self, step: u64) -> bool {
        self.job.site().checkpoints.keep == Keep::Segments && self.ends.contains(&step)
    }

    /// To be told after every update.
    ///
    /// # Errors
    ///
    /// [`Interrupted`], once the checkpoint is kept, if the stage is to end.
    pub(super) fn after_update(&mut self, training: &mut Training<'_>) -> Result<(), Failure> {
        let policy = self.job.site().checkpoints;
        if policy.keep == Keep::None {
            return Ok(());
        }
        let step = training.step();
        let interrupted = self.job.is_interrupted();
        let age = self.since.elapsed();
        let waits = self.failed.is_some_and(|at| at.elapsed() < policy.every);
        let due = interrupted || (self.stays(step) && step < self.prefix.steps());
        if (age >= policy.every && !waits) || (due && age >= policy.worth) {
            self.keep(training);
        }
        if interrupted {
            return Err(Interrupted.into());
        }
        Ok(())
    }

    /// To be told when the run has ended, after so many updates in this process.
    pub(super) fn at_the_end(
        &mut self,
        training: &mut Training<'_>,
        trained: u64,
    ) -> Result<(), Failure> {
        let policy = self.job.site().checkpoints;
        let worth = self.any || self.since.elapsed() >= policy.worth;
        if policy.keep >= Keep::Last && trained > 0 && worth {
            self.keep(training);
        }
        if policy.keep == Keep::Running
            && let Some(newest) = self.newest.take()
        {
            self.job.delete_checkpoint(newest)?;
        }
        Ok(())
    }

    fn keep(&mut self, training: &mut Training<'_>) {
        // A run that has diverged has none.
        let Some(checkpoint) = training.checkpoint() else {
            return;
        };
        let name = self.prefix.checkpoint(checkpoint.step());
        let supersedes = self.newest.filter(|old| *old != name);
        if let Err(error) = self
            .job
            .keep_checkpoint(name, &checkpoint.to_bytes(), supersedes)
        {
            // The result may be small enough for what is left of the disk.
            errln!("the checkpoint of step {} is not kept: {error}", name.step);
            self.failed = Some(Instant::now());
            return;
        }
        self.newest = Some(name).filter(|name| !self.stays(name.step));
        self.any = true;
        self.since = Instant::now();
        self.failed = None;
    }
}
