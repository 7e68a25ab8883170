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
    /// A setting of the analysis contradicts itself or names what the runs lack.
    #[error("{0}")]
    Invalid(String),
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
