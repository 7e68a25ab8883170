//! Scaling with the batch size: the law `steps = s_min + e_min / batch` and the log-log slope.
//!
//! Source: McCandlish et al. 2018, eq. 2.11: `(S / S_min - 1) (E / E_min - 1) = 1` with `E = B S`,
//! which is `S = S_min + E_min / B`; `B_crit = E_min / S_min`, eq. 2.12. Seeds scatter lognormally
//! around it; see [`super::likelihood`] for what each run adds.

use super::likelihood::{Likelihood, Observation};
use super::{CriticalBatch, CriticalBatchFit};
use crate::{Estimate, Interval};

const CONFIDENCE: f64 = 0.95;

/// Natural logs of the batch sizes.
fn log_batches(observations: &[Observation]) -> (f64, f64) {
    let logs = observations.iter().map(|run| run.batch.ln());
    logs.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), log| {
        (low.min(log), high.max(log))
    })
}

/// `location` is log `S_min`, `shape` log `B_crit`.
fn by_least_steps(shape: f64, location: f64, batch: f64) -> f64 {
    location + (shape - batch.ln()).exp().ln_1p()
}

/// `location` is log `E_min`, `shape` log `B_crit`.
fn by_least_examples(shape: f64, location: f64, batch: f64) -> f64 {
    location + ((-shape).exp() + batch.recip()).ln()
}

fn exponentiated(value: f64, (low, high): (Option<f64>, Option<f64>)) -> Estimate {
    let interval = Interval {
        low: low.map(f64::exp),
        high: high.map(f64::exp),
        confidence: CONFIDENCE,
    };
    let bounded = low.is_some() || high.is_some();
    Estimate {
        value: value.exp(),
        interval: bounded.then_some(interval),
    }
}

/// The law's fit. `None` with fewer than three batch sizes, or where no law makes the data possible.
///
/// The critical batch size is quoted as an estimate only if the batch sizes span it fourfold each way;
/// otherwise the one side that they do bound (95 %, one-sided). It is sought up to a thousand times
/// beyond the batch sizes; an end out there is no bound.
pub(super) fn fit_law(observations: &[Observation]) -> Option<CriticalBatchFit> {
    let mut batches: Vec<f64> = observations.iter().map(|run| run.batch).collect();
    batches.sort_by(f64::total_cmp);
    batches.dedup();
    if batches.len() < 3 {
        return None;
    }
    let (smallest, largest) = log_batches(observations);
    let shapes = (smallest - 1000f64.ln(), largest + 1000f64.ln());
    let examples = Likelihood {
        observations,
        mean: by_least_examples,
        shapes,
    };
    let (best, cost) = examples.best();
    if !cost.is_finite() {
        return None;
    }
    let [log_batch, log_examples, log_sigma] = best;
    let steps = Likelihood {
        observations,
        mean: by_least_steps,
        shapes,
    };
    let log_steps = log_examples - log_batch;
    let at_steps = ([log_batch, log_steps, log_sigma], cost);

    let allowance = examples.allowance(CONFIDENCE);
    let around = |centre: f64| (centre - 12.0, centre + 12.0);
    let interval =
        |likelihood: &Likelihood<'_>, at: ([f64; 3], f64), coordinate: usize, reach: (f64, f64)| {
            allowance.map_or((None, None), |allowance| {
                likelihood.profile(at, coordinate, allowance, reach)
            })
        };
    let four = 4f64.ln();
    let critical_batch = match (
        log_batch - four >= smallest - 1e-9,
        log_batch + four <= largest + 1e-9,
    ) {
        (true, true) => {
            let ends = interval(&examples, (best, cost), 0, shapes);
            CriticalBatch::Estimate(exponentiated(log_batch, ends))
        }
        (from_below, from_above) => {
            let one_sided = examples.allowance(2.0 * CONFIDENCE - 1.0);
            let ends =
                one_sided.map(|allowance| examples.profile((best, cost), 0, allowance, shapes));
            match (from_below, from_above, ends) {
                (true, false, Some((Some(low), _))) => CriticalBatch::AtLeast { low: low.exp() },
                (false, true, Some((_, Some(high)))) => CriticalBatch::AtMost { high: high.exp() },
                _ => CriticalBatch::Undetermined,
            }
        }
    };
    Some(CriticalBatchFit {
        s_min: exponentiated(log_steps, interval(&steps, at_steps, 1, around(log_steps))),
        e_min: exponentiated(
            log_examples,
            interval(&examples, (best, cost), 1, around(log_examples)),
        ),
        b_crit: log_batch.exp(),
        critical_batch,
        sigma: log_sigma.exp(),
        log_likelihood: -cost,
    })
}

/// Slope of log steps over log batch size by the same likelihood: -1 is ideal scaling. `None` with
/// fewer than two batch sizes.
pub(super) fn fit_slope(observations: &[Observation]) -> Option<Estimate> {
    let (smallest, largest) = log_batches(observations);
    if observations.is_empty() || smallest.total_cmp(&largest).is_eq() {
        return None;
    }
    let line = Likelihood {
        observations,
        mean: |slope, location, batch| location + slope * batch.ln(),
        shapes: (-5.0, 5.0),
    };
    let best = line.best();
    if !best.1.is_finite() {
        return None;
    }
    let interval = line.allowance(CONFIDENCE).map(|allowance| {
        let (low, high) = line.profile(best, 0, allowance, line.shapes);
        Interval {
            low,
            high,
            confidence: CONFIDENCE,
        }
    });
    Some(Estimate {
        value: best.0[0],
        interval,
    })
}
