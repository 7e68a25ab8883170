//! How exactly a test set can tell methods apart: a limit that no number of seeds moves.

use serde::{Deserialize, Serialize};

use super::Claim;
use crate::Evidence;

/// The standard error of a difference of accuracies that comes from which images the test set happens to have.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TestSet {
    /// Images in the test set.
    pub examples: u64,
    /// The standard error of one pair of runs, a share: the root of the mean square over seeds and batch sizes.
    pub error: f64,
}

/// Of the runs that a claim on accuracies compares.
pub(super) fn of(_claim: &Claim, _evidence: &Evidence) -> Option<TestSet> {
    None
}
