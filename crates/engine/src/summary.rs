//! How a run ended, stage by stage.

use std::path::PathBuf;
use std::sync::Arc;

use crate::{Plan, Record, StageId, Verdict};

/// How one stage ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It ran in this run.
    Ran(Arc<Record>),
    /// Its result was there, or another process or a stage with the same manifest computed it.
    Cached(Arc<Record>),
    /// It failed.
    Failed {
        /// Why.
        error: String,
        /// What it wrote, where it came to run.
        log: Option<PathBuf>,
    },
    /// A stage that it reads failed.
    Skipped {
        /// The one that failed.
        because: StageId,
    },
    /// Another copy of the program has it, or it waits for one that another copy has.
    Elsewhere,
    /// The run ended before it: it was interrupted, or stopped at a failure.
    NotRun,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Summary {
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) interrupted: bool,
}

impl Summary {
    /// What there is without a run: the results that a plan found.
    pub fn of(plan: &Plan) -> Self {
        let outcomes =
            plan.stages()
                .iter()
                .map(|planned| match (&planned.verdict, &planned.record) {
                    (Verdict::Cached, Some(record)) => Outcome::Cached(Arc::clone(record)),
                    _ => Outcome::NotRun,
                });
        Self {
            outcomes: outcomes.collect(),
            interrupted: false,
        }
    }

    /// How each stage ended, in the order of the graph.
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// How one stage ended.
    ///
    /// # Panics
    ///
    /// If the id is of another graph.
    pub fn outcome(&self, stage: StageId) -> &Outcome {
        &self.outcomes[stage.index()]
    }

    /// The result of a stage, if it has one.
    ///
    /// # Panics
    ///
    /// If the id is of another graph.
    pub fn record(&self, stage: StageId) -> Option<&Arc<Record>> {
        match self.outcome(stage) {
            Outcome::Ran(record) | Outcome::Cached(record) => Some(record),
            _ => None,
        }
    }

    /// Whether the run was interrupted.
    pub fn interrupted(&self) -> bool {
        self.interrupted
    }

    /// Whether every stage has its result.
    pub fn complete(&self) -> bool {
        self.ran() + self.cached() == self.outcomes.len()
    }

    /// How many stages ran.
    pub fn ran(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Ran(_)))
    }

    /// How many results were there.
    pub fn cached(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Cached(_)))
    }

    /// How many stages failed.
    pub fn failed(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Failed { .. }))
    }

    /// How many stages were skipped because one that they read failed.
    pub fn skipped(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Skipped { .. }))
    }

    /// How many stages were left to other copies of the program.
    pub fn elsewhere(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Elsewhere))
    }

    fn count(&self, which: impl Fn(&Outcome) -> bool) -> usize {
        self.outcomes
            .iter()
            .filter(|outcome| which(outcome))
            .count()
    }
}
