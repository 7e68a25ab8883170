//! Why a verdict is what it is, as values. The words are those of the crate `report`.

use serde::{Deserialize, Serialize};

use super::judge::{Condition, Piece};
use super::{Pair, Verdict};
use crate::Target;
use crate::heatmap::Side;

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// There is nothing to decide on.
    Missing(Missing),
    /// Too few seeds: it can only be said where the estimates lie.
    TooFewSeeds {
        /// Fewest seeds behind any number.
        seeds: usize,
        /// Fewest that decide: [`SEEDS_TO_DECIDE`](super::SEEDS_TO_DECIDE), or those of the first declared look.
        needed: usize,
        /// How many estimates lie on the claim's side, how many on the other.
        estimates: Tally,
    },
    /// What the parts say: each on its own where all are for it, else after the correction for their number.
    Parts(Tally),
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
    /// What tests said.
    pub(super) fn of(said: &[Verdict]) -> Self {
        let count = |wanted| said.iter().filter(|verdict| **verdict == wanted).count();
        Self {
            supported: count(Verdict::Supported),
            contradicted: count(Verdict::Contradicted),
            of: said.len(),
        }
    }

    /// On which side of their conditions the estimates lie.
    pub(super) fn of_estimates(pieces: &[Piece]) -> Self {
        let sides = pieces.iter().map(|piece| {
            // A part that is open on both sides lies nowhere.
            let Some(estimate) = piece
                .sample
                .estimate(0.95)
                .filter(|estimate| piece.sample.0.len() < 2 || estimate.interval.is_some())
            else {
                return Verdict::Undecided;
            };
            let holds = match piece.condition {
                Condition::Above(zero) => estimate.value > zero,
                Condition::Within(margin) => estimate.value.abs() < margin,
            };
            if holds {
                Verdict::Supported
            } else {
                Verdict::Contradicted
            }
        });
        Self::of(&sides.collect::<Vec<_>>())
    }
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
    /// Runs of both methods with common seeds are timed at too few batch sizes.
    BatchSizes {
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
    /// No heatmap declares from which level on a cell is good.
    DeclaredLevel,
    /// The method has cells at fewer than two batch sizes.
    BatchSizesOfHeatmap,
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
    /// No runs of these two methods could be compared.
    PairNotCompared {
        /// The methods.
        methods: Pair,
    },
    /// No seed has a number at every part, so that there is no effect over all of them.
    NoCommonSeeds,
    /// Some parts have a run that does not tell below or none that tells above: there is no effect over all parts.
    NoOverallEffect,
    /// Seeds of a method's winner diverged at a batch size: they count as anything from nothing to guessing.
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
    /// Runs of these methods, seeds and batch sizes that did not reach the target: they need at least their budget.
    NotReached {
        /// Such runs.
        runs: usize,
        /// All runs.
        of: usize,
    },
    /// Runs that diverged before they reached the target, which they never do: they count like those that did not reach
    /// it.
    DivergedBefore {
        /// Such runs.
        runs: usize,
        /// All runs.
        of: usize,
    },
    /// The good region touches the edge of the grid at some batch size: what is found is of this grid.
    OfThisGrid {
        /// The sides that are touched.
        sides: Vec<Side>,
    },
    /// Of the seed-mean share of good cells, averaged over batch sizes: nearly all cells or nearly none are good, so that
    /// the level tells little.
    LevelTellsLittle {
        /// The share.
        share: f64,
    },
    /// Batch sizes at which the good cells lie at fewer than two dampings, which are left out.
    NoBand {
        /// How many.
        batch_sizes: usize,
        /// Whether only dampings below the curvature count.
        below_curvature: bool,
    },
    /// Seeds, each at each of the other batch sizes, whose own good cells lie at fewer than two dampings: they have no
    /// slope and are left out.
    SeedsWithoutBand {
        /// How many.
        seeds: usize,
        /// Of how many.
        of: usize,
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
    /// At these cells both methods diverged with every seed: they are left out.
    BothDiverged {
        /// How many.
        cells: usize,
    },
    /// Seeds of which one method diverged and the other did not: the difference is not known.
    OneDiverged {
        /// How many.
        seeds: usize,
    },
    /// No run recorded the curvature: the largest damping with SGD runs is taken for a large one.
    LargestDampingTaken,
}
