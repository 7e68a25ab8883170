//! What it would take to decide a claim: seeds for the smallest effect that matters, or something else than seeds.

use serde::{Deserialize, Serialize};

use super::judge::{Condition, Piece, SEEDS_TO_DECIDE, Tests};
use super::{Part, Quantity};
use crate::statistics::{Aim, mean, spread_range, values_needed};

/// The probability with which a study should decide.
const POWER: f64 = 0.8;

/// What would decide a claim that is undecided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// Seeds.
    Seeds(Seeds),
    /// The study says no smallest effect that matters, for which a number of seeds could be given.
    Smallest,
    /// Steps are known between two evaluations only, and those lie further apart than the smallest effect that matters:
    /// more seeds would not decide it.
    Evaluations,
    /// Some run ended before it could tell, by its budget or by diverging: more seeds would not.
    Budget {
        /// The parts with such a run; empty where the claim has no parts.
        parts: Vec<Part>,
    },
}

/// Seeds with which the claim, if the smallest effect that matters is the true one (for a claim of equality: if there
/// is no difference), is decided with a probability of 80 %.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Seeds {
    /// The smallest effect that matters, in the unit of the claim's effect.
    pub smallest: f64,
    /// With the spread that was seen; `None` for more than a million.
    pub likely: Option<usize>,
    /// With the smallest spread that the seeds do not rule out (the interval of 80 %).
    pub low: Option<usize>,
    /// With the largest.
    pub high: Option<usize>,
}

/// What would decide a claim that is undecided on these pieces, at a level.
pub(super) fn need(pieces: &[Piece], smallest: Option<f64>, alpha: f64) -> Option<Need> {
    let holds = |piece: &&Piece| Tests::of(&piece.sample, piece.condition).holds <= alpha;
    let pieces: Vec<&Piece> = pieces.iter().filter(|piece| !holds(piece)).collect();
    if pieces.is_empty() {
        return None;
    }
    // Bounds of steps are the evaluations around them; those of any other number come from a run that diverged.
    let is_bounded = |piece: &Piece| match piece.quantity {
        Quantity::StepsRatio { .. } => piece.sample.is_open(),
        _ => !piece.sample.is_exact(),
    };
    let open = || pieces.iter().filter(|piece| is_bounded(piece));
    if open().next().is_some() {
        let parts = open().filter_map(|piece| piece.part.clone()).collect();
        return Some(Need::Budget { parts });
    }
    let Some(smallest) = smallest else {
        return Some(Need::Smallest);
    };
    // All pieces must be decided.
    let wanted = POWER.powf(1.0 / pieces.len() as f64);
    let mut seeds = Seeds {
        smallest,
        likely: Some(SEEDS_TO_DECIDE),
        low: Some(SEEDS_TO_DECIDE),
        high: Some(SEEDS_TO_DECIDE),
    };
    for piece in &pieces {
        // However many seeds there are, a ratio is known no better than its evaluations lie apart.
        let smallest = smallest - piece.sample.half_width();
        if smallest <= 0.0 {
            return Some(Need::Evaluations);
        }
        let values = piece.sample.middles();
        if values.len() < 3 {
            return None;
        }
        let spread = spread(&values);
        let (low, high) = spread_range(values.len());
        let aim = match piece.condition {
            Condition::Above(_) => Aim::Sign,
            Condition::Within(_) => Aim::Equivalence,
        };
        let needed = |factor: f64| {
            let spread = spread * factor;
            if spread <= 0.0 {
                return Some(SEEDS_TO_DECIDE);
            }
            values_needed(aim, smallest / spread, alpha, wanted, SEEDS_TO_DECIDE)
        };
        let larger = |so_far: Option<usize>, own: Option<usize>| Some(so_far?.max(own?));
        seeds.likely = larger(seeds.likely, needed(1.0));
        seeds.low = larger(seeds.low, needed(low));
        seeds.high = larger(seeds.high, needed(high));
    }
    Some(Need::Seeds(seeds))
}

/// The standard deviation of values.
fn spread(values: &[f64]) -> f64 {
    let centre = mean(values).unwrap_or(0.0);
    let squares: f64 = values.iter().map(|value| (value - centre).powi(2)).sum();
    (squares / (values.len() - 1) as f64).sqrt()
}
