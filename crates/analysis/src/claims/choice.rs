//! The choices of level, target, runs or margin under which a claim is judged.

use serde::{Deserialize, Serialize};

use super::{Level, Missing, Statistic, Verdict};
use crate::{Metric, Moment, Target};

/// One way to judge a claim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Of the confirmed winners of a selection.
    Winners {
        /// What is compared.
        metric: Metric,
        /// Largest difference that counts as equal.
        margin: f64,
        /// Stage that selected.
        selection: String,
    },
    /// Of K-FAC at a large damping beside SGD.
    Control {
        /// What is compared.
        metric: Metric,
        /// Largest difference that counts as equal.
        margin: f64,
    },
    /// Of steps.
    Steps {
        /// The target.
        target: Target,
        /// Which runs are timed.
        runs: TimedRuns,
    },
    /// Of a good region.
    Region {
        /// The level.
        level: Level,
        /// Where on the curves.
        at: Moment,
        /// Stage of the heatmaps.
        heatmaps: String,
        /// Which dampings count; `None` where the claim is not on them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dampings: Option<Dampings>,
    },
}

/// Which runs are timed, and which of their crossings count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimedRuns {
    /// Stage of the steps to target.
    pub targets: String,
    /// Stage that selected the winners whose confirmed runs are timed. `None`: the fastest configuration
    /// for each target, chosen and timed on the tuning seeds, which is optimistic.
    pub selection: Option<String>,
    /// Whether crossings after the first drop of the learning rate count, too. They depend on the budget,
    /// which grows with the batch size, so they never decide.
    pub after_drops: bool,
}

/// Which dampings count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dampings {
    /// Those below the median curvature eigenvalue.
    BelowCurvature,
    /// All, above it too, where a slope of 1 is built in.
    All,
    /// All, since no run recorded the curvature.
    AllUntold,
}

/// The verdict under another choice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alternative {
    /// The choice.
    pub choice: Choice,
    /// Verdict under it.
    pub verdict: Verdict,
    /// The effect over all parts.
    pub statistic: Option<Statistic>,
    /// What is missing, where there is no number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
}

/// What another choice says beside the verdict that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Agreement {
    /// The same verdict.
    Agrees,
    /// The claim was decided, and under this choice it is not: weaker, but nothing against it.
    IsUndecided,
    /// The claim is undecided, and this choice would decide it.
    WouldDecide,
    /// One of the two verdicts is mixed, the other not.
    IsMixed,
    /// The opposite verdict.
    Contradicts,
}
