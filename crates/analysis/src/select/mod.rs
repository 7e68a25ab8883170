//! Selection of winners on the tuning seeds.
//!
//! The best of many noisy values is biased; nothing here is quoted as performance. The winners are
//! rerun on fresh seeds, and those runs are.

mod bootstrap;
mod table;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::configuration::{compare_parameters, configuration_key, swept_parameters, without_seed};
use crate::statistics::mean;
use crate::targets::{Steps, median, steps_to};
use crate::{Error, Metric, Moment, Run};

pub use runs::reader::{By, Select};
pub use table::{Candidate, Edge, ExpectedBest, Score, Winner, WinnersTable};

/// What a selection gives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Selection {
    /// The table.
    pub winners: WinnersTable,
    /// By the winner's entry (`kfac/16`), its train settings without `seed`.
    pub configurations: BTreeMap<String, Value>,
}

/// Picks a winner for each group. There is always one, whatever happened to the runs.
///
/// Configurations rank by [`Score`]: values from the best, or steps from the fewest, those of which a seed lost the
/// target again (the edge of stability) after those that kept it; then not reached,
/// by the target's metric at the last evaluation; then not evaluated; then diverged, fewer diverged
/// seeds first. A configuration of which one seed diverged counts as diverged, and one of which a seed did not reach
/// the target as not reached: nobody would use it. Seeds are averaged;
/// for steps the median seed counts, the slower of the two in the middle. Ties go to the smaller
/// learning rate, then to the smaller value of each other setting in the order of their names.
///
/// # Errors
/// [`Error::NoRuns`]; [`Error::NotMeasured`] if no run has the metric; [`Error::NoGroup`] if `per`
/// names what a run lacks.
pub fn select(settings: &Select, runs: &[Run]) -> Result<Selection, Error> {
    let metric = settings.by.metric();
    Error::unless_measured(metric, runs)?;
    let mut groups: Vec<(Vec<Value>, Vec<&Run>)> = Vec::new();
    for run in runs {
        let values = settings
            .per
            .iter()
            .map(|name| group_value(run, name))
            .collect::<Result<Vec<_>, _>>()?;
        match groups.iter_mut().find(|(group, _)| *group == values) {
            Some((_, members)) => members.push(run),
            None => groups.push((values, vec![run])),
        }
    }
    let mut winners: Vec<Winner> = groups
        .into_iter()
        .map(|(values, members)| winner(settings, &values, &members))
        .collect();
    winners.sort_by(|a, b| {
        (&a.method, a.batch_size, &a.entry).cmp(&(&b.method, b.batch_size, &b.entry))
    });
    let configurations = winners
        .iter()
        .map(|winner| (winner.entry.clone(), winner.settings.clone()))
        .collect();
    let table = WinnersTable {
        by: *settings.by,
        at: *settings.at,
        per: settings.per.iter().map(ToString::to_string).collect(),
        winners,
    };
    Ok(Selection {
        winners: table,
        configurations,
    })
}

fn group_value(run: &Run, name: &str) -> Result<Value, Error> {
    match name {
        "method" => Ok(run.method().into()),
        "stage" => Ok(run.stage.clone().into()),
        _ => run.parameter(name).cloned().ok_or_else(|| Error::NoGroup {
            name: name.to_owned(),
            run: run.label.clone(),
        }),
    }
}

/// A configuration of a group with its seeds.
struct Contender<'a> {
    runs: Vec<&'a Run>,
    parameters: BTreeMap<String, Value>,
    merit: Merit,
}

/// How a configuration did with some seeds.
struct Merit {
    score: Score,
    /// Runs that reached the target of the selection and were short of it again.
    fell_back: usize,
}

fn winner(settings: &Select, values: &[Value], members: &[&Run]) -> Winner {
    let parameters = swept_parameters(members, &["seed"]);
    let mut by_key: BTreeMap<String, Contender<'_>> = BTreeMap::new();
    for (&run, parameters) in members.iter().zip(parameters) {
        by_key
            .entry(configuration_key(run))
            .or_insert_with(|| Contender {
                runs: Vec::new(),
                parameters,
                merit: Merit {
                    score: Score::NotEvaluated,
                    fell_back: 0,
                },
            })
            .runs
            .push(run);
    }
    let mut contenders: Vec<Contender<'_>> = by_key.into_values().collect();
    for contender in &mut contenders {
        contender.merit = Merit::of(settings, &contender.runs);
    }
    contenders.sort_by(|a, b| {
        compare(*settings.by, &a.merit, &b.merit)
            .then_with(|| compare_parameters(&a.parameters, &b.parameters))
    });
    let best = &contenders[0];
    let first = best
        .runs
        .iter()
        .min_by_key(|run| (run.seed(), &run.label))
        .expect("a configuration has runs");
    let seeds: BTreeSet<u64> = members.iter().map(|run| run.seed()).collect();
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    Winner {
        entry: values.iter().map(text).collect::<Vec<_>>().join("/"),
        group: settings
            .per
            .iter()
            .map(ToString::to_string)
            .zip(values.iter().cloned())
            .collect(),
        method: first.method().into(),
        batch_size: first.batch_size(),
        stage: first.stage.clone(),
        settings: without_seed(&first.settings.all),
        parameters: best.parameters.clone(),
        score: best.merit.score,
        seeds: seeds.into_iter().collect(),
        on_grid_edge: edges(best, &contenders),
        fell_back: best.merit.fell_back,
        stability: bootstrap::stability(settings, &contenders),
        runner_up: contenders.get(1).map(|second| Candidate {
            parameters: second.parameters.clone(),
            score: second.merit.score,
        }),
        candidates: contenders.len(),
        diverged: contenders
            .iter()
            .filter(|c| matches!(c.merit.score, Score::Diverged { .. }))
            .count(),
        expected_best: expected_best(*settings.by, &contenders),
    }
}

impl Merit {
    fn of(settings: &Select, runs: &[&Run]) -> Self {
        Self {
            score: score(settings, runs),
            fell_back: fell_back(*settings.by, runs),
        }
    }
}

fn score(settings: &Select, runs: &[&Run]) -> Score {
    // A run that diverged after it reached the target, or after the slice, has done what is asked.
    match *settings.by {
        By::StepsTo { steps_to: target } => {
            let steps: Vec<Steps> = runs.iter().map(|run| steps_to(run, target)).collect();
            let diverged = steps
                .iter()
                .filter(|steps| matches!(steps, Steps::Diverged { .. }))
                .count();
            if diverged > 0 {
                return Score::Diverged { seeds: diverged };
            }
            let all_reached = steps
                .iter()
                .all(|steps| matches!(steps, Steps::Reached { .. }));
            match median(&steps) {
                Steps::Reached { after, by } if all_reached => Score::Steps { after, by },
                _ => Score::NotReached {
                    value: mean_at(runs, Moment::End, target.metric),
                },
            }
        }
        By::Metric(metric) => {
            let diverged = runs
                .iter()
                .filter(|run| run.has_diverged_by(*settings.at))
                .count();
            if diverged > 0 {
                return Score::Diverged { seeds: diverged };
            }
            mean_at(runs, *settings.at, metric).map_or(Score::NotEvaluated, Score::Value)
        }
    }
}

/// Runs that reached the target and were short of it again at their last evaluation, or diverged.
fn fell_back(by: By, runs: &[&Run]) -> usize {
    let By::StepsTo { steps_to: target } = by else {
        return 0;
    };
    let is_short = |run: &&&Run| {
        let last = run
            .curve
            .evaluations
            .last()
            .and_then(|at| target.metric.of(at));
        let holds = last.is_some_and(|last| target.metric.is_at_or_past(last, target.level));
        matches!(steps_to(run, target), Steps::Reached { .. })
            && (!holds || run.diverged_at().is_some())
    };
    runs.iter().filter(is_short).count()
}

/// Mean over the runs of a metric at exactly the slice's step; `None` unless every run has it.
fn mean_at(runs: &[&Run], at: Moment, metric: Metric) -> Option<f64> {
    let values: Option<Vec<f64>> = runs
        .iter()
        .map(|run| metric.of(run.evaluation_at(run.step_at(at))?))
        .collect();
    mean(&values?)
}

/// The order of configurations, better first.
fn compare(by: By, a: &Merit, b: &Merit) -> Ordering {
    let metric = by.metric();
    let worst_if_none =
        |value: Option<f64>| value.map_or(f64::INFINITY, |value| -metric.goodness(value));
    let rank = |merit: &Merit| match merit.score {
        Score::Value(value) => (0, -metric.goodness(value), 0.0),
        Score::Steps { after, by } => (usize::from(merit.fell_back > 0), by as f64, after as f64),
        Score::NotReached { value } => (2, worst_if_none(value), 0.0),
        Score::NotEvaluated => (3, 0.0, 0.0),
        Score::Diverged { seeds } => (4, seeds as f64, 0.0),
    };
    let (a, b) = (rank(a), rank(b));
    a.0.cmp(&b.0)
        .then(a.1.total_cmp(&b.1))
        .then(a.2.total_cmp(&b.2))
}

/// Swept numbers are not negative: nothing lies below a momentum of 0.
fn edges(best: &Contender<'_>, contenders: &[Contender<'_>]) -> BTreeMap<String, Edge> {
    let mut edges = BTreeMap::new();
    for (name, value) in &best.parameters {
        let tried: Option<Vec<f64>> = contenders
            .iter()
            .map(|contender| contender.parameters.get(name).and_then(Value::as_f64))
            .collect();
        if let (Some(value), Some(tried)) = (value.as_f64(), tried) {
            let (below, above) = (
                tried.iter().any(|&x| x < value),
                tried.iter().any(|&x| x > value),
            );
            if above && !below && value > 0.0 {
                edges.insert(name.clone(), Edge::Low);
            } else if below && !above {
                edges.insert(name.clone(), Edge::High);
            }
        }
    }
    edges
}

/// Expected best of k draws with replacement from n values, best last: the sum over ranks i of
/// `v_i ((i/n)^k - ((i-1)/n)^k)`. Source: Dodge et al. 2019, section 3.
fn expected_best(by: By, contenders: &[Contender<'_>]) -> Vec<ExpectedBest> {
    let By::Metric(metric) = by else {
        return Vec::new();
    };
    let value_of = |contender: &Contender<'_>| match contender.merit.score {
        Score::Value(value) => Some(value),
        _ => None,
    };
    let Some(worst) = contenders
        .iter()
        .filter_map(value_of)
        .min_by(|a, b| metric.goodness(*a).total_cmp(&metric.goodness(*b)))
    else {
        return Vec::new();
    };
    let mut values: Vec<f64> = contenders
        .iter()
        .map(|c| value_of(c).unwrap_or(worst))
        .collect();
    values.sort_by(|a, b| metric.goodness(*a).total_cmp(&metric.goodness(*b)));
    let n = values.len() as f64;
    let doublings =
        std::iter::successors(Some(1), |k| Some(k * 2)).take_while(|&k| k < values.len());
    doublings
        .chain([values.len()])
        .map(|trials| {
            let within = |rank: usize| (rank as f64 / n).powf(trials as f64);
            let value = values
                .iter()
                .enumerate()
                .map(|(i, v)| v * (within(i + 1) - within(i)))
                .sum();
            ExpectedBest { trials, value }
        })
        .collect()
}
