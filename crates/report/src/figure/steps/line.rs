//! What one method contributes to a panel of steps to target: medians, seeds,
//! ideal, fit.

use analysis::Target;
use analysis::targets::{Bounded, CriticalBatchFit, Crossing, RunSteps, Steps, StepsSummary};

use super::{Group, Series};
use crate::draw::number::{count, grouped};
use crate::draw::scale::{Scale, Spacing};
use crate::figure::by_batch::{Bar, Critical, Line, Mark, Point, Seed};
use crate::words;

impl<'a> Group<'a> {
    pub(super) fn steps_line(&self, series: Series<'a>, target: Target) -> Line {
        let (stage, method) = series;
        let label = words::method(method);
        let rows = self.summaries(series, target);
        let mut line = Line::new(self.study.look(method), label.clone(), Vec::new());
        for row in &rows {
            let seeds = self.seeds(row);
            let budget = seeds
                .iter()
                .filter_map(|(_, crossing)| match crossing.steps {
                    Steps::NotReached { budget } => Some(budget),
                    _ => None,
                })
                .max();
            let more = more(row, &seeds);
            let some = if row.reached < row.seeds {
                format!(", {} of {} reached", row.reached, count(row.seeds, "seed"))
            } else {
                String::new()
            };
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
                    said: format!("{}{some}", words::steps(median.after, median.by)),
                    more,
                });
            } else if let Some(budget) = budget {
                line.points.push(Point {
                    batch: row.batch_size,
                    value: budget as f64,
                    bar: None,
                    mark: Mark::Above,
                    said: format!("above {}{some}", grouped(budget)),
                    more,
                });
            }
            if row.diverged > 0 {
                line.diverged.push((
                    row.batch_size as f64,
                    format!(
                        "{label}, batch {}\n{} of {} diverged",
                        row.batch_size,
                        row.diverged,
                        count(row.seeds, "seed")
                    ),
                ));
            }
            line.seeds.extend(
                seeds
                    .iter()
                    .filter_map(|(run, crossing)| seed(run, crossing)),
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

/// Settings and seeds of a point, each seed with what became of it.
fn more(row: &StepsSummary, seeds: &[(&RunSteps, &Crossing)]) -> String {
    let each: Vec<String> = seeds
        .iter()
        .map(|(run, crossing)| {
            let flag = match crossing {
                Crossing {
                    just_after_drop: true,
                    ..
                } => " just after a drop of the learning rate",
                Crossing {
                    after_first_drop: true,
                    ..
                } => " after a drop of the learning rate",
                _ => "",
            };
            let steps = match crossing.steps {
                Steps::Reached { after, by } => words::steps(after, by),
                Steps::NotReached { budget } => format!("not by {}", grouped(budget)),
                Steps::Diverged { step } => format!("diverged at {}", grouped(step)),
            };
            format!("{}: {steps}{flag}", run.seed)
        })
        .collect();
    let settings = if row.parameters.is_empty() {
        String::new()
    } else {
        format!("\n{}", words::settings(&row.parameters))
    };
    format!("seeds {}{settings}", each.join("; "))
}

fn seed(run: &RunSteps, crossing: &Crossing) -> Option<Seed> {
    let (value, from, above) = match crossing.steps {
        Steps::Reached { after, by } => (by, Some(after.max(1) as f64), false),
        Steps::NotReached { budget } => (budget, None, true),
        Steps::Diverged { .. } => return None,
    };
    Some(Seed {
        batch: run.batch_size,
        value: value as f64,
        from,
        above,
    })
}

/// The fitted law over the batch sizes that it was fitted to.
fn law_curve(law: &CriticalBatchFit, batches: &[u64]) -> Vec<(f64, f64)> {
    let span = Scale::of(Spacing::Log2, batches.iter().map(|b| *b as f64), 0.0);
    span.spread(20)
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
