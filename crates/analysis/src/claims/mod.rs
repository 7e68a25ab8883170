//! The study's claims as tests: from tables to a verdict with its statistic, interval and n.
//!
//! The unit is the seed, never the cell. Fewer than [`SEEDS_TO_DECIDE`] seeds decide nothing, but what
//! they point towards is shown. Seeds are compared in pairs: both methods of a seed start from the same
//! weights and see the same batches. Intervals are Student's t over seeds, 95 % unless a rule says
//! otherwise. A claim may come out either way; each rule is in the module of its claim.
//!
//! A verdict says why by values ([`Reason`], [`Remark`], [`Missing`]), never in words: the page puts them
//! into sentences, so that better words compute nothing anew.

mod choice;
mod control;
mod correlation;
mod decide;
mod judge;
mod performance;
mod progress;
mod reason;
mod region;
mod returns;
mod statistic;
mod timings;
mod verdict;

pub use choice::{Agreement, Alternative, Choice, Dampings, TimedRuns};
pub use decide::decide;
pub use judge::SEEDS_TO_DECIDE;
pub use reason::{Missing, Reason, Remark, Slopes, Tally};
pub use runs::reader::{Claim, Comparison};
pub use statistic::{Direction, Level, Part, Quantity, Statistic, Unit};
pub use verdict::{ClaimVerdict, Figure, Verdict};

use judge::Decision;

/// The methods that the claims compare.
const KFAC: &str = "kfac";
const SGD: &str = "sgd";
