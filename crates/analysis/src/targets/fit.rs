//! Scaling with the batch size: the law `steps = s_min + e_min / batch` and the log-log slope.
//!
//! Source: McCandlish et al. 2018, section 2: `(S / S_min - 1) (E / E_min - 1) = 1` with `E = B S`,
//! which is `S = S_min + E_min / B`, and `B_crit = E_min / S_min`. Seeds scatter lognormally around it;
//! see [`super::likelihood`] for what each run adds.

use super::likelihood::{Likelihood, Observation};
use super::{Bounded, CriticalBatchFit};
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
/// The critical batch size is sought up to a thousand times beyond the batch sizes; an end of its
/// interval out there is no bound. Where it has no upper one, the data are as likely under
/// `steps = e_min / batch`: `s_min` is held from above only. Where it has no lower one, they are as
/// likely under constant steps, and so is `e_min`.
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
    let best = examples.best();
    let ([log_batch, log_examples, log_sigma], cost) = best;
    if !cost.is_finite() {
        return None;
    }
    let steps = Likelihood {
        observations,
        mean: by_least_steps,
        shapes,
    };
    let log_steps = log_examples - log_batch;
    let at_steps = ([log_batch, log_steps, log_sigma], cost);
    let around = |centre: f64| (centre - 12.0, centre + 12.0);
    let profiles = Profiles {
        least_steps: &|allowance| steps.profile(at_steps, 1, allowance, around(log_steps)),
        least_examples: &|allowance| examples.profile(best, 1, allowance, around(log_examples)),
        critical_batch: &|allowance| examples.profile(best, 0, allowance, shapes),
        two_sided: examples.allowance(CONFIDENCE),
        one_sided: examples.allowance(2.0 * CONFIDENCE - 1.0),
    };
    let (from_below, from_above) = profiles
        .two_sided
        .map_or((None, None), profiles.critical_batch);
    let four = 4f64.ln();
    Some(CriticalBatchFit {
        s_min: log_steps.exp(),
        e_min: log_examples.exp(),
        b_crit: log_batch.exp(),
        least_steps: profiles.bounded(
            log_steps,
            profiles.least_steps,
            (from_above.is_some(), true),
        ),
        least_examples: profiles.bounded(
            log_examples,
            profiles.least_examples,
            (from_below.is_some(), true),
        ),
        critical_batch: profiles.bounded(
            log_batch,
            profiles.critical_batch,
            (
                log_batch - four >= smallest - 1e-9,
                log_batch + four <= largest + 1e-9,
            ),
        ),
        sigma: log_sigma.exp(),
        log_likelihood: -cost,
    })
}

/// Ends of a profile-likelihood interval, as logs, by how much the cost may rise.
type Ends<'a> = &'a dyn Fn(f64) -> (Option<f64>, Option<f64>);

/// The profiles of the law's parameters, and the allowances of a 95 % interval and of a 95 % bound;
/// `None` with too few runs.
struct Profiles<'a> {
    least_steps: Ends<'a>,
    least_examples: Ends<'a>,
    critical_batch: Ends<'a>,
    two_sided: Option<f64>,
    one_sided: Option<f64>,
}

impl Profiles<'_> {
    /// What may be said of a parameter that the data hold (from below, from above).
    fn bounded(&self, value: f64, ends: Ends<'_>, held: (bool, bool)) -> Bounded {
        let one_sided = || self.one_sided.map_or((None, None), ends);
        match held {
            (true, true) => Bounded::Estimate(exponentiated(
                value,
                self.two_sided.map_or((None, None), ends),
            )),
            (true, false) => one_sided()
                .0
                .map_or(Bounded::Undetermined, |low| Bounded::AtLeast {
                    low: low.exp(),
                }),
            (false, true) => one_sided()
                .1
                .map_or(Bounded::Undetermined, |high| Bounded::AtMost {
                    high: high.exp(),
                }),
            (false, false) => Bounded::Undetermined,
        }
    }
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
