//! What can be wrong with the input of an analysis.

use crate::{Metric, Run};

/// An expected failure: the input, not this crate, is at fault.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
pub enum Error {
    /// Nothing to analyse.
    #[error("there are no runs to read")]
    NoRuns,
    /// No run measured what the settings ask for.
    #[error("no run measured {metric}; does the data set have that part?")]
    NotMeasured {
        /// The quantity.
        metric: Metric,
    },
    /// Runs measured what the settings ask for, and no value of it is finite.
    #[error("no run has a finite {metric}: it is not finite in {not_finite} of {runs} runs")]
    NotFinite {
        /// The quantity.
        metric: Metric,
        /// Runs that measured it.
        not_finite: usize,
        /// Runs.
        runs: usize,
    },
    /// Steps to no target.
    #[error("there is no target to count steps to")]
    NoTarget,
    /// A heatmap of no moment.
    #[error("the heatmap names no moment in `at`")]
    NoMoment,
    /// Winners per something that a run does not have.
    #[error("`per` names `{name}`, which {run} does not have")]
    NoGroup {
        /// What is named.
        name: String,
        /// The run.
        run: String,
    },
    /// A heatmap of a setting against itself.
    #[error("both axes of the heatmap are `{setting}`")]
    SameAxes {
        /// The setting.
        setting: String,
    },
    /// A heatmap without an axis for some runs.
    #[error("the heatmap names no axis for the method `{method}`")]
    NoAxis {
        /// Their method.
        method: String,
    },
    /// An axis along something else than numbers.
    #[error("`{setting}` is not a number in {run}, and cannot be an axis")]
    AxisNotANumber {
        /// The setting.
        setting: String,
        /// The run.
        run: String,
    },
}

impl Error {
    /// Whether there is a run to look at, and one with a finite value of the metric.
    pub(crate) fn unless_measured(metric: Metric, runs: &[Run]) -> Result<(), Self> {
        let with = |is: fn(f64) -> bool| {
            let has = |run: &&Run| {
                let values = run
                    .curve
                    .evaluations
                    .iter()
                    .filter_map(|at| metric.measured(at));
                values.into_iter().any(is)
            };
            runs.iter().filter(has).count()
        };
        match (runs.len(), with(f64::is_finite), with(|_| true)) {
            (0, ..) => Err(Self::NoRuns),
            (_, 0, 0) => Err(Self::NotMeasured { metric }),
            (runs, 0, not_finite) => Err(Self::NotFinite {
                metric,
                not_finite,
                runs,
            }),
            _ => Ok(()),
        }
    }
}
