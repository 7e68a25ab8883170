//! A run that stops at a level cannot be timed to a harder one.

use runs::settings::Stop;

use crate::diagnostic::{Draft, Mistake, Span};
use crate::schema::Metric;
use crate::training::Training;

/// Checks one level of a metric against where the runs stop.
pub(super) fn check(
    trainings: &[(&str, &Training)],
    metric: Metric,
    level: f64,
    span: Span,
    mistakes: &mut Vec<Draft>,
) {
    let name = metric.name();
    // A winner's stop is to be changed where it is written.
    let mut stops: Vec<(&str, Obstacle)> = trainings
        .iter()
        .flat_map(|(_, training)| &training.cases)
        .filter_map(|case| {
            Some((
                case.stop_from.as_str(),
                obstacle(case.stop.as_ref()?, metric, level)?,
            ))
        })
        .collect();
    stops.dedup();
    for (stage, obstacle) in stops {
        let draft = match obstacle {
            Obstacle::Easier(stopped) => Draft::error(
                Mistake::StopsBeforeLevel,
                format!(
                    "runs of `{stage}` stop at {name} {stopped}, before they can reach {level}"
                ),
            ),
            Obstacle::OtherMetrics => Draft::error(
                Mistake::StopsBeforeLevel,
                format!("runs of `{stage}` may stop before they reach any level of {name}"),
            ),
        };
        mistakes.push(draft.at(span, "may never be reached").help(format!(
            "in `{stage}`, set `stop: {{{name}: {level}}}` beside its other levels, or remove `stop`"
        )));
    }
}

/// What keeps runs from a level.
#[derive(PartialEq)]
enum Obstacle {
    /// They stop at this easier level.
    Easier(f64),
    /// They stop at levels of other metrics.
    OtherMetrics,
}

fn obstacle(stop: &Stop, metric: Metric, level: f64) -> Option<Obstacle> {
    match stop.levels().find(|(stopped, _)| *stopped == metric) {
        None => Some(Obstacle::OtherMetrics),
        Some((_, stopped)) => {
            let harder = if metric.is_loss() {
                level < stopped
            } else {
                level > stopped
            };
            harder.then_some(Obstacle::Easier(stopped))
        }
    }
}
