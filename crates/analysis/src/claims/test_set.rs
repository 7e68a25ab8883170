//! How exactly a test set can tell methods apart: a limit that no number of seeds moves.

use serde::{Deserialize, Serialize};

use super::{Claim, Comparison};
use crate::{Evidence, Metric, Run};

/// The standard error that a difference of test accuracies has from which images the test set happens to hold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TestSet {
    /// Images in the test set.
    pub images: usize,
    /// The standard error of the effect over all batch sizes and seeds, a share.
    ///
    /// Of each image the mean over pairs of runs of whether the first method is right minus whether the second is; the
    /// standard deviation of that over the root of the number of images. Of a single pair it is
    /// `sqrt((p10 + p01 - d^2) / m)`, with the shares of images that only the first and only the second has right, and
    /// their difference `d`.
    pub error: f64,
}

/// Of the confirmed runs that a claim on the test accuracies of two methods compares, if they kept which images were
/// right.
pub(super) fn of(claim: &Claim, evidence: &Evidence) -> Option<TestSet> {
    let Claim::ComparablePerformance(Comparison {
        methods, metric, ..
    }) = claim
    else {
        return None;
    };
    let [first, second] = &methods.0[..] else {
        return None;
    };
    if *metric != Metric::TestAccuracy {
        return None;
    }
    // The first selection that has confirmed runs is the one that decides.
    let confirmed = evidence
        .winners
        .iter()
        .map(|winners| evidence.confirmed(&winners.table))
        .find(|confirmed| confirmed.iter().any(|(_, runs)| !runs.is_empty()))?;
    let runs = |method: &str| -> Vec<&Run> {
        let own = confirmed
            .iter()
            .filter(|(winner, _)| winner.method == method);
        own.flat_map(|(_, runs)| runs.iter().copied()).collect()
    };
    let others = runs(second);
    let mut sums: Vec<f64> = Vec::new();
    let mut pairs = 0.0;
    for own in runs(first) {
        let is_pair =
            |other: &&&Run| other.batch_size() == own.batch_size() && other.seed() == own.seed();
        let Some(other) = others.iter().find(is_pair) else {
            continue;
        };
        let (Some(own), Some(other)) = (last(own), last(other)) else {
            continue;
        };
        if sums.is_empty() {
            sums = vec![0.0; own.len()];
        }
        if own.len() != sums.len() || other.len() != sums.len() {
            return None;
        }
        pairs += 1.0;
        for ((sum, own), other) in sums.iter_mut().zip(own).zip(other) {
            *sum += f64::from(u8::from(*own)) - f64::from(u8::from(*other));
        }
    }
    let images = sums.len();
    if images < 2 {
        return None;
    }
    let mean = sums.iter().sum::<f64>() / images as f64;
    let squares: f64 = sums.iter().map(|sum| (sum - mean).powi(2)).sum();
    Some(TestSet {
        images,
        error: (squares / images as f64).sqrt() / pairs / (images as f64).sqrt(),
    })
}

/// Which images a run had right when it was last evaluated.
fn last(run: &Run) -> Option<&[bool]> {
    let end = run.curve.evaluations.last()?.step;
    let last = run.curve.correct.last().filter(|last| last.step == end)?;
    Some(&last.images)
}
