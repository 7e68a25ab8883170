//! What one method contributes to a panel of steps to target: medians, seeds,
//! ideal, fit.

use analysis::Target;
use analysis::targets::{Bounded, CriticalBatchFit, Crossing, RunSteps, Steps};

use super::{Part, Series};
use crate::draw::number::{count, grouped};
use crate::draw::scale::{Scale, Spacing};
use crate::figure::by_batch::{Bar, Critical, Line, Mark, Point, Seed};
use crate::words;

impl<'a> Part<'a> {
    pub(super) fn steps_line(&self, series: Series<'a>, target: Target) -> Line {
        let (stage, method) = series;
        let label = words::method(method);
        let rows = self.summaries(series, target);
        let mut line = Line::new(self.book.look(method), label.clone(), Vec::new());
        for row in &rows {
            let seeds = self.seeds(row);
            let head = format!("{label}, batch {}", row.batch_size);
            let budget = seeds
                .iter()
                .filter_map(|(_, crossing)| match crossing.steps {
                    Steps::NotReached { budget } => Some(budget),
                    _ => None,
                })
                .max();
            let outcome = format!(
                "{} of {} reached; {}",
                row.reached,
                count(row.seeds, "seed"),
                words::settings(&row.parameters)
            );
            if let Some(median) = row.median {
                line.points.push(Point {
                    batch: row.batch_size,
                    value: median.by as f64,
                    bar: row
                        .fastest
                        .zip(row.slowest)
                        .filter(|(fastest, slowest)| fastest.by < slowest.by)
                        .map(|(fastest, slowest)| Bar {
                            low: Some(fastest.by as f64),
                            high: Some(slowest.by as f64),
                        }),
                    mark: Mark::Known,
                    tip: format!(
                        "{head}\nmedian steps {}\n{outcome}",
                        words::steps(median.after, median.by)
                    ),
                });
            } else if let Some(budget) = budget {
                line.points.push(Point {
                    batch: row.batch_size,
                    value: budget as f64,
                    bar: None,
                    mark: Mark::Above,
                    tip: format!("{head}\nmedian above {} steps\n{outcome}", grouped(budget)),
                });
            }
            if row.diverged > 0 {
                line.diverged.push((
                    row.batch_size as f64,
                    format!(
                        "{head}\n{} of {} diverged",
                        row.diverged,
                        count(row.seeds, "seed")
                    ),
                ));
            }
            line.seeds.extend(
                seeds
                    .iter()
                    .filter_map(|(run, crossing)| seed(&label, run, crossing)),
            );
        }
        line.ideal = rows
            .iter()
            .filter_map(|s| Some((s.batch_size as f64, s.ideal?)))
            .collect();
        let fit = self.table.fits.iter().find(|f| {
            (f.stage.as_str(), f.method.as_str()) == (stage, method) && f.target == target
        });
        if let Some((law, batches)) = fit.and_then(|f| Some((f.law?, &f.batch_sizes))) {
            line.law = law_curve(&law, batches);
            line.critical = critical(&label, &law);
        }
        line
    }
}

fn seed(label: &str, run: &RunSteps, crossing: &Crossing) -> Option<Seed> {
    let head = format!("{label}, batch {}, seed {}", run.batch_size, run.seed);
    let (value, from, above, what) = match crossing.steps {
        Steps::Reached { after, by } => (
            by,
            Some(after.max(1) as f64),
            false,
            format!("reached in {}", words::steps(after, by)),
        ),
        Steps::NotReached { budget } => (
            budget,
            None,
            true,
            format!("not reached through step {}", grouped(budget)),
        ),
        Steps::Diverged { .. } => return None,
    };
    let flag = match crossing {
        Crossing {
            just_after_drop: true,
            ..
        } => "\njust after a drop of the learning rate",
        Crossing {
            after_first_drop: true,
            ..
        } => "\nafter a drop of the learning rate",
        _ => "",
    };
    Some(Seed {
        batch: run.batch_size,
        value: value as f64,
        from,
        above,
        tip: format!("{head}\n{what}{flag}"),
    })
}

/// The fitted law over the batch sizes that it was fitted to.
fn law_curve(law: &CriticalBatchFit, batches: &[u64]) -> Vec<(f64, f64)> {
    let span = Scale::of(Spacing::Log2, batches.iter().map(|b| *b as f64), 0.0);
    span.spread(48)
        .map(|batch| (batch, law.s_min + law.e_min / batch))
        .collect()
}

fn critical(label: &str, law: &CriticalBatchFit) -> Option<Critical> {
    let (value, low, high) = match law.critical_batch {
        Bounded::Estimate(estimate) => {
            let interval = estimate.interval?;
            (Some(estimate.value), interval.low, interval.high)
        }
        // A bound is no estimate: the bar has no middle.
        Bounded::AtLeast { low } => (None, Some(low), None),
        Bounded::AtMost { high } => (None, None, Some(high)),
        Bounded::Undetermined => return None,
    };
    Some(Critical {
        value,
        low,
        high,
        tip: format!(
            "{label}\ncritical batch size {}",
            words::in_line(&words::bounded(&law.critical_batch))
        ),
    })
}
