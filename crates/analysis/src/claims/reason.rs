//! Why a verdict is what it is, as values. The words are those of the crate `report`.

use serde::{Deserialize, Serialize};

use super::{Decision, SEEDS_TO_DECIDE, Statistic, Verdict};
use crate::Target;

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// There is nothing to decide on.
    Missing(Missing),
    /// Fewer than [`SEEDS_TO_DECIDE`] seeds: it can only be said where the estimates lie.
    TooFewSeeds {
        /// Fewest seeds behind any number.
        seeds: usize,
        /// How many estimates lie on the claim's side, how many on the other.
        estimates: Tally,
    },
    /// What the parts say, each by its own test.
    Parts(Tally),
    /// What the slopes of log steps over log batch size say.
    Slopes(Slopes),
}

/// How many of some parts speak for a claim and how many against it. The rest is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// For it.
    pub supported: usize,
    /// Against it.
    pub contradicted: usize,
    /// All parts, those without a number too.
    pub of: usize,
}

impl Tally {
    /// By the tests of the parts, of which `of` were looked for.
    pub(super) fn of_tests(parts: &[Statistic], of: usize) -> Self {
        let count = |verdict| parts.iter().filter(|part| part.verdict == verdict).count();
        Self {
            supported: count(Verdict::Supported),
            contradicted: count(Verdict::Contradicted),
            of,
        }
    }

    /// By the signs of the estimates: positive supports.
    pub(super) fn of_signs(parts: &[Statistic]) -> Self {
        let count = |is: fn(f64) -> bool| {
            let values = parts.iter().map(|part| part.estimate.value);
            values.filter(|&value| is(value)).count()
        };
        Self {
            supported: count(|value| value > 0.0),
            contradicted: count(|value| value < 0.0),
            of: parts.len(),
        }
    }

    /// By whether the estimates lie within the margin, of `of` parts that were looked for.
    pub(super) fn of_margin(parts: &[Statistic], margin: f64, of: usize) -> Self {
        let near = parts
            .iter()
            .filter(|part| part.estimate.value.abs() < margin)
            .count();
        Self {
            supported: near,
            contradicted: parts.len() - near,
            of,
        }
    }
}

impl Reason {
    /// The reason for a decision by tests of parts: their count, or, with too few seeds, that of the
    /// estimates. Nothing at all counts as too few seeds.
    pub(super) fn of_parts(parts: &[Statistic], tests: Tally, estimates: Tally) -> Self {
        match Decision::seeds_of(parts) {
            seeds if seeds < SEEDS_TO_DECIDE => Self::TooFewSeeds { seeds, estimates },
            _ => Self::Parts(tests),
        }
    }

    /// The same where the sign of each estimate is what counts.
    pub(super) fn of_signs(parts: &[Statistic]) -> Self {
        let tests = Tally::of_tests(parts, parts.len());
        Self::of_parts(parts, tests, Tally::of_signs(parts))
    }
}

/// What the slopes of two methods say of their scaling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Slopes {
    /// Both have diminishing returns, and K-FAC departs from ideal scaling further.
    KfacDepartsFurther,
    /// K-FAC departs further, but a slope may be ideal.
    KfacDepartsFurtherOneMayBeIdeal,
    /// SGD departs further.
    SgdDepartsFurther,
    /// A method gains more than in proportion to the batch size.
    OneIsBetterThanIdeal,
    /// The seeds do not agree on which departs further.
    NotToldApart,
}

/// What is missing for a decision.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// No stage selects winners.
    Selection,
    /// No batch size has confirmed runs of both methods on fresh seeds.
    ConfirmedPairs,
    /// No stage times steps to a target; to a training loss, where the claim is on such.
    Target,
    /// Every target, or every training loss, is crossed too early at the largest batch size to be timed.
    TimeableTarget,
    /// No target is reached by every common seed of both methods at enough batch sizes.
    BatchSizesReached {
        /// How many it takes.
        needed: usize,
    },
    /// No batch size has runs of both methods with common seeds timed to the target.
    TimedPairs {
        /// The target.
        target: Target,
    },
    /// No heatmap shows the moment that the claim is on.
    Heatmap,
    /// No level at which neither nearly all nor nearly no cells are good.
    TellingLevel,
    /// No heatmap declares what is good.
    GoodRule,
    /// No batch size has good cells at two dampings or more.
    Band {
        /// Whether only dampings below the curvature count.
        below_curvature: bool,
    },
    /// No K-FAC run has an SGD run at learning rate / damping.
    ControlPairs,
    /// No damping with such a run is large beside the curvature.
    LargeDamping {
        /// The largest.
        largest: f64,
    },
}

/// What a reader must know beside the reason: what was left out, what forbids a verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remark {
    /// Seeds of a method's winner diverged at a batch size, which forbids the verdict equal there.
    WinnerDiverged {
        /// Optimiser.
        method: String,
        /// Examples in a batch.
        batch_size: u64,
        /// Seeds that diverged.
        diverged: usize,
        /// All seeds.
        seeds: usize,
    },
    /// In some pairs of a batch size and a target, which are left out, a seed did not reach the target.
    NotReached {
        /// Such pairs.
        cases: usize,
        /// Whether the verdict is the same with the seeds' budgets as their steps, a lower bound.
        same_with_bounds: bool,
    },
    /// In some pairs of a batch size and a target, which are left out, a seed diverged.
    DivergedLeftOut {
        /// Such pairs.
        cases: usize,
    },
    /// At these batch sizes a seed diverged, so that nothing is decided.
    DivergedAt {
        /// The batch sizes, ascending.
        batch_sizes: Vec<u64>,
    },
    /// Batch sizes at which the good cells lie at fewer than two dampings, which are left out.
    NoBand {
        /// How many.
        batch_sizes: usize,
        /// Whether only dampings below the curvature count.
        below_curvature: bool,
    },
    /// No run recorded the curvature.
    NoCurvature,
    /// How many dampings, each at each batch size, are at or above the median curvature eigenvalue.
    DampingsAboveCurvature {
        /// Such dampings.
        above: usize,
        /// All dampings.
        of: usize,
        /// Whether they are left out.
        left_out: bool,
    },
    /// At these cells both methods diverged with every seed.
    BothDiverged {
        /// How many.
        cells: usize,
    },
    /// Seeds of which one method diverged and the other did not, which forbids agreement.
    OneDiverged {
        /// How many.
        seeds: usize,
    },
    /// No run recorded the curvature: the largest damping with SGD runs is taken for a large one.
    LargestDampingTaken,
}
