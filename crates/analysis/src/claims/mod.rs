//! The study's claims as tests: from tables to an effect with its interval, and a verdict.
//!
//! The unit is the seed, never the cell. Fewer than [`SEEDS_TO_DECIDE`] seeds decide nothing. Seeds are compared in
//! pairs: the methods of a seed start from the same weights and see the same batches. Every claim has one effect over
//! all its parts (batch sizes, cells), by Student's t over seeds, then its parts with intervals that hold all at once,
//! then the verdict, by the one rule in `judge.rs`. A claim may come out either way; what is compared is in the module
//! of each claim.
//!
//! No run is taken out for what happened to it: one that did not reach a target, or diverged, enters with the bounds of
//! what it would have needed. Leaving it out would condition on the outcome. Only what has no number at all is left out:
//! a seed's slope over a single damping, and a difference where both methods diverged.
//!
//! A verdict says why by values ([`Reason`], [`Remark`], [`Missing`], [`Need`]), never in words: the page puts them
//! into sentences, so that better words compute nothing anew.

mod choice;
mod control;
mod correlation;
mod decide;
mod judge;
mod look;
mod need;
mod pairs;
mod performance;
mod progress;
mod reason;
mod region;
mod returns;
mod sample;
mod statistic;
mod test_set;
mod timings;
mod verdict;

pub use choice::{Agreement, Alternative, Choice, Dampings, TimedRuns};
pub use decide::decide;
pub use judge::{LEVEL, SEEDS_TO_DECIDE};
pub use look::{Look, Rules};
pub use need::{Need, Seeds};
pub use reason::{Missing, Reason, Remark, Tally};
pub use runs::reader::{
    Claim, Comparison, Control, Correlation, Looks, Methods, Progress, Region, Scaling,
};
pub use statistic::{Direction, Level, Pair, Part, Quantity, Statistic, Unit};
pub use test_set::TestSet;
pub use verdict::{ClaimVerdict, Figure, Verdict};

use judge::Decision;

/// The methods of claims that are on K-FAC by what they say.
const KFAC: &str = "kfac";
