//! The table of steps to target: rows by run, summaries by batch size, fits by method.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Estimate, Target};

/// When a run reached a target, in updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Steps {
    /// Reached within `(after, by]`: the last miss before the first of two consecutive hits, and
    /// that first hit. `after` is 0 where the very first evaluation was a hit.
    Reached {
        /// Last evaluated step that missed.
        after: u64,
        /// First evaluated step that hit.
        by: u64,
    },
    /// Not reached through this step: right-censored there.
    NotReached {
        /// Last evaluated step that missed. The end of the budget, or where the run was stopped; less
        /// if the last evaluation of all was a hit, which nothing confirms.
        budget: u64,
    },
    /// Diverged before it was reached: a failure.
    Diverged {
        /// The update at which it diverged.
        step: u64,
    },
}

/// One run's way to one target, that of its place in [`TargetsTable::targets`]. There are as many as runs
/// times targets: in JSON it names no target, and flags only that are set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Crossing {
    /// When it was reached.
    pub steps: Steps,
    /// Crossed after the first drop of the learning rate: the budget's length, not the method, placed
    /// the crossing. Fits and claims know of such a run only that it had not crossed before the drop.
    #[serde(default, skip_serializing_if = "is_unset")]
    pub after_first_drop: bool,
    /// Crossed within 5 % of the budget after a drop of the learning rate.
    #[serde(default, skip_serializing_if = "is_unset")]
    pub just_after_drop: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_unset(flag: &bool) -> bool {
    !flag
}

/// One run's row, with one crossing per target in the table's order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSteps {
    /// Name of the input.
    pub label: String,
    /// Stage that declares it.
    pub stage: String,
    /// Optimiser.
    pub method: String,
    /// Examples in a batch.
    pub batch_size: u64,
    /// Seed.
    pub seed: u64,
    /// Its values of the settings that differ among the runs of its stage, but for batch size and seed.
    pub parameters: BTreeMap<String, Value>,
    /// Step after which the learning rate falls for the first time.
    pub first_drop: Option<u64>,
    /// Crossings in the order of [`TargetsTable::targets`].
    pub crossings: Vec<Crossing>,
}

/// A target and whether it can be timed at all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetNote {
    /// The target.
    pub target: Target,
    /// False if some median at the largest batch size at which it is reached is under 16 steps: then
    /// the grid of evaluations, not the method, decides, and no claim uses it.
    pub admissible: bool,
    /// The fewest median steps at the largest batch size at which a stage and method reach it; `None` if no
    /// median seed reached it.
    pub fewest: Option<FewestSteps>,
}

/// Where a target takes the fewest steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FewestSteps {
    /// Stage.
    pub stage: String,
    /// Optimiser.
    pub method: String,
    /// The largest batch size at which its median seed reached the target.
    pub batch_size: u64,
    /// First hit of the median seed there, in updates.
    pub by: u64,
}

/// An interval of steps `(after, by]`, in updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepsInterval {
    /// Last miss.
    pub after: u64,
    /// First hit.
    pub by: u64,
}

/// An interval `(after, by]` in training examples seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExamplesInterval {
    /// At the last miss.
    pub after: u64,
    /// At the first hit.
    pub by: u64,
}

/// The seeds of one configuration at one batch size and target: the one with the fewest median steps
/// where a stage has several (tuned to the target, as an experimenter in a hurry would).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepsSummary {
    /// Stage.
    pub stage: String,
    /// Optimiser.
    pub method: String,
    /// Examples in a batch.
    pub batch_size: u64,
    /// Target.
    pub target: Target,
    /// Configurations among which this one was the fastest. More than one: chosen and measured on the
    /// same seeds, hence optimistic.
    pub configurations: usize,
    /// The configuration's swept settings.
    pub parameters: BTreeMap<String, Value>,
    /// Seeds, all outcomes together.
    pub seeds: usize,
    /// Seeds that reached the target.
    pub reached: usize,
    /// Seeds that did not within their budget.
    pub not_reached: usize,
    /// Seeds that diverged first.
    pub diverged: usize,
    /// Median seed, the slower of the two in the middle; seeds that did not reach rank last. `None` if
    /// that seed did not.
    pub median: Option<StepsInterval>,
    /// What the median seed had seen by then.
    #[serde(default)]
    pub examples: Option<ExamplesInterval>,
    /// Fastest seed that reached.
    pub fastest: Option<StepsInterval>,
    /// Slowest seed that reached.
    pub slowest: Option<StepsInterval>,
    /// Steps under ideal scaling, proportional to 1 / batch size from the stage's smallest batch size.
    pub ideal: Option<f64>,
    /// Median steps at the stage's smallest batch size over median steps here.
    pub speed_up: Option<f64>,
    /// Whether the batch is over a tenth of the training set, where gradients of one epoch are no
    /// independent draws any more.
    pub over_tenth_of_data: bool,
    /// Seeds that crossed after the first drop of the learning rate.
    pub after_first_drop: usize,
    /// Seeds that crossed within 5 % of the budget after a drop.
    pub just_after_drop: usize,
}

/// What the data say about a parameter of a fit: a number only where they hold it from both sides.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bounded {
    /// Held from both sides.
    Estimate(Estimate),
    /// Held from below only (95 %, one-sided).
    AtLeast {
        /// The bound.
        low: f64,
    },
    /// Held from above only (95 %, one-sided).
    AtMost {
        /// The bound.
        high: f64,
    },
    /// Held from neither side, or too few runs for a bound.
    Undetermined,
}

/// Fit of `steps = s_min + e_min / batch_size`.
///
/// Source: McCandlish et al. 2018, section 2.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CriticalBatchFit {
    /// `s_min` as maximum likelihood has it, in steps, for drawing; quote `least_steps`.
    pub s_min: f64,
    /// `e_min` as maximum likelihood has it, in examples, for drawing; quote `least_examples`.
    pub e_min: f64,
    /// `e_min / s_min`, in examples, for drawing; quote `critical_batch`.
    pub b_crit: f64,
    /// Steps in the limit of large batches. At most a bound where the steps do not flatten: no batch
    /// size comes near the limit, and any smaller number fits as well.
    pub least_steps: Bounded,
    /// Examples in the limit of small batches. At most a bound where the steps hardly fall: no batch
    /// size is small enough.
    pub least_examples: Bounded,
    /// The critical batch size, in examples: an estimate only if the batch sizes span it fourfold each
    /// way.
    pub critical_batch: Bounded,
    /// Standard deviation of log steps between seeds.
    pub sigma: f64,
    /// Maximum of the log likelihood.
    pub log_likelihood: f64,
}

/// The fits over batch sizes for one stage, method and target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScalingFit {
    /// Stage.
    pub stage: String,
    /// Optimiser.
    pub method: String,
    /// Target.
    pub target: Target,
    /// Batch sizes with a run that counts.
    pub batch_sizes: Vec<u64>,
    /// Runs that reached the target, as intervals.
    pub reached: usize,
    /// Runs that did not: right-censored.
    pub not_reached: usize,
    /// Runs that diverged: failures, outside of the likelihood.
    pub diverged: usize,
    /// Those of the `not_reached` that did cross, but after the first drop of the learning rate:
    /// right-censored at the drop.
    pub after_drop: usize,
    /// The two-parameter law.
    pub law: Option<CriticalBatchFit>,
    /// Slope of log steps over log batch size: -1 is ideal scaling, 0 is none.
    pub slope: Option<Estimate>,
    /// Why there is no fit, and what a reader must know of it.
    pub notes: Vec<FitNote>,
}

/// What a reader must know of a fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FitNote {
    /// No law: it takes three batch sizes at which the target is reached.
    NoLaw {
        /// At how many it is.
        batch_sizes: usize,
    },
    /// Too few runs for intervals.
    NoIntervals,
    /// Runs that diverged and are no part of the fit.
    Diverged {
        /// How many.
        runs: usize,
    },
    /// Runs that crossed after the first drop of the learning rate, right-censored there.
    AfterDrop {
        /// How many.
        runs: usize,
    },
    /// Batch sizes over a tenth of the training data.
    LargeBatches {
        /// Which, ascending.
        batch_sizes: Vec<u64>,
    },
}

/// The table of kind `steps_to_target`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetsTable {
    /// The targets, by metric and then from the easiest to the hardest.
    pub targets: Vec<TargetNote>,
    /// Every run, sorted by stage, method, batch size, settings and seed.
    pub runs: Vec<RunSteps>,
    /// One row per stage, method, batch size and target.
    pub summaries: Vec<StepsSummary>,
    /// One row per stage, method and target.
    pub fits: Vec<ScalingFit>,
}

impl TargetsTable {
    /// The place of a target's crossing among those of each run.
    pub fn place_of(&self, target: Target) -> Option<usize> {
        self.targets.iter().position(|note| note.target == target)
    }
}
