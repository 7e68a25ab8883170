//! When a run whose numbers are still finite counts as diverged.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::number::{Count, Positive};

/// When a run counts as diverged: at once if a number is not finite, and if the mini-batch loss stays above `factor`
/// times the loss of guessing for `steps` steps in a row. The loss of guessing is ln(classes), 2.3 nats for 10 classes.
///
/// The loss must stay high, so that a run whose loss jumps and recovers, as with K-FAC before its factors have settled, is
/// measured to its end. The first loss of a run does not matter: with given initial weights it may be any number.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Divergence {
    /// Times ln(classes). Default 100.
    pub factor: Positive,
    /// Steps in a row. Default 10.
    pub steps: Count,
}

impl Default for Divergence {
    fn default() -> Self {
        Self {
            factor: Positive::preset(100.0),
            steps: Count::preset(10),
        }
    }
}

impl Divergence {
    /// The mini-batch loss above which the next step's ends a run of `classes` classes with these losses before; it is
    /// infinite while not enough of them are high.
    pub fn bound(&self, classes: usize, losses: &[f32]) -> f64 {
        let level = self.factor.get() * (classes as f64).ln();
        let before = usize::try_from(self.steps.get() - 1).unwrap_or(usize::MAX);
        let high = |loss: &f32| f64::from(*loss) > level;
        match losses.len().checked_sub(before) {
            Some(from) if losses[from..].iter().all(high) => level,
            _ => f64::INFINITY,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_that_is_high_in_every_step_of_a_row_ends_the_run_and_a_leap_does_not() {
        let rule = Divergence {
            factor: Positive::preset(10.0),
            steps: Count::preset(3),
        };
        // 10 ln 10
        let level = 23.025_850_929_940_457;
        let bound = |losses: &[f32]| rule.bound(10, losses);
        assert!((bound(&[1.0, 24.0, 30.0]) - level).abs() < 1e-12);
        for losses in [&[][..], &[24.0], &[24.0, 30.0, 2.0], &[30.0, 2.0, 30.0]] {
            assert!(bound(losses).is_infinite(), "{losses:?}");
        }
    }

    #[test]
    fn one_step_in_a_row_needs_none_before_it() {
        let rule = Divergence {
            steps: Count::preset(1),
            ..Divergence::default()
        };
        assert!(rule.bound(10, &[]).is_finite());
    }
}
