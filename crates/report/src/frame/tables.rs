//! Frames of the tables of `steps_to_target`, `select` and `heatmap`. `table` is the stage that made one.

use super::runs::fields_in_a_row;
use super::{Frame, Rows};
use analysis::configuration::flatten;
use analysis::heatmap::{CellState, GoodRule, HeatmapTable, Panel, Side};
use analysis::select::{By, Score, WinnersTable};
use analysis::targets::{Bounded, Crossing, FitNote, RunSteps, Steps, TargetsTable};
use analysis::{Estimate, Metric, Moment, Named, Target};
use serde::Serialize;
use serde_json::Value as Json;

/// An estimate's value and the ends of its interval.
pub(crate) fn estimate(estimate: Option<&Estimate>) -> [Option<f64>; 3] {
    let interval = estimate.and_then(|estimate| estimate.interval);
    [
        estimate.map(|estimate| estimate.value),
        interval.and_then(|interval| interval.low),
        interval.and_then(|interval| interval.high),
    ]
}

/// What a fit holds of a parameter: estimate (none for a bound) and ends.
pub(crate) fn bounded(bounded: Option<Bounded>) -> [Option<f64>; 3] {
    match bounded {
        Some(Bounded::Estimate(held)) => estimate(Some(&held)),
        Some(Bounded::AtLeast { low }) => [None, Some(low), None],
        Some(Bounded::AtMost { high }) => [None, None, Some(high)],
        Some(Bounded::Undetermined) | None => [None; 3],
    }
}

/// A typed value as its name and its fields: `steps_ratio` and `target.train_loss=0.01`.
pub(super) fn told(value: &impl Serialize) -> [Option<String>; 2] {
    let json = serde_json::to_value(value)
        .unwrap_or_else(|error| unreachable!("typed values are plain data: {error}"));
    let (name, fields) = match json {
        Json::Object(map) => match map.into_iter().next() {
            Some((name, fields)) => (Json::String(name), fields),
            None => (Json::Null, Json::Null),
        },
        name => (name, Json::Null),
    };
    let fields = match fields {
        Json::Null => None,
        Json::String(text) => Some(text),
        fields => {
            let mut fields = flatten(&fields);
            fields.retain(|_, value| !value.is_null());
            Some(fields_in_a_row(&fields)).filter(|text| !text.is_empty())
        }
    };
    [name.as_str().map(str::to_owned), fields]
}

/// Every row of some tables, each with the stage that made its table, the table, and itself.
fn rows<'t, T, R: 't>(
    tables: &'t [Named<T>],
    of: impl Fn(&'t T) -> &'t [R],
) -> impl Iterator<Item = (&'t str, &'t T, &'t R)> {
    tables.iter().flat_map(move |Named { stage, table }| {
        let rows = of(table).iter();
        rows.map(move |row| (stage.as_str(), table, row))
    })
}

/// Names in one text; none of nothing.
fn in_a_row<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let names: Vec<&str> = names.into_iter().collect();
    (!names.is_empty()).then(|| names.join(","))
}

/// `crossings` (a row for each run and target), `steps` (each batch size's seeds together) and `fits`.
pub fn targets_frames(tables: &[Named<TargetsTable>]) -> Vec<Frame> {
    let all = rows(tables, |table| &table.runs).flat_map(|(stage, table, run)| {
        let crossings = run.crossings.iter().zip(&table.targets);
        crossings.map(move |(crossing, note)| (stage, run, crossing, note.target))
    });
    vec![crossings(all), steps(tables), fits(tables)]
}

/// A row a crossing: the stage that made its table, its run, its target.
pub(crate) fn crossings<'t>(
    all: impl Iterator<Item = (&'t str, &'t RunSteps, &'t Crossing, Target)>,
) -> Frame {
    Rows::new("crossings", all)
        .column("table", |(stage, ..)| stage)
        .column("run", |(_, run, ..)| &run.label)
        .column("stage", |(_, run, ..)| &run.stage)
        .column("method", |(_, run, ..)| &run.method)
        .column("batch_size", |(_, run, ..)| run.batch_size)
        .column("seed", |(_, run, ..)| run.seed)
        .column("configuration", |(_, run, ..)| {
            fields_in_a_row(&run.parameters)
        })
        .column("metric", |(.., target)| target.metric.name())
        .column("level", |(.., target)| target.level)
        .column("outcome", |(_, _, crossing, _)| match crossing.steps {
            Steps::Reached { .. } => "reached",
            Steps::NotReached { .. } => "not_reached",
            Steps::Diverged { .. } => "diverged",
        })
        .columns(
            ["after", "by", "step"],
            |(_, _, crossing, _)| match crossing.steps {
                Steps::Reached { after, by } => [Some(after), Some(by), None],
                Steps::NotReached { budget: step } | Steps::Diverged { step } => {
                    [None, None, Some(step)]
                }
            },
        )
        .column("after_first_drop", |(_, _, crossing, _)| {
            crossing.after_first_drop
        })
        .column("just_after_drop", |(_, _, crossing, _)| {
            crossing.just_after_drop
        })
        .frame()
}

/// A row for the seeds of a batch size and target together.
pub(crate) fn steps(tables: &[Named<TargetsTable>]) -> Frame {
    Rows::new("steps", rows(tables, |table| &table.summaries))
        .column("table", |(stage, ..)| stage)
        .column("stage", |(.., row)| &row.stage)
        .column("method", |(.., row)| &row.method)
        .column("batch_size", |(.., row)| row.batch_size)
        .column("metric", |(.., row)| row.target.metric.name())
        .column("level", |(.., row)| row.target.level)
        .column("admissible", |(_, table, row)| {
            let note = table.targets.iter().find(|note| note.target == row.target);
            note.map(|note| note.admissible)
        })
        .column("configuration", |(.., row)| {
            fields_in_a_row(&row.parameters)
        })
        .column("configurations", |(.., row)| row.configurations)
        .column("seeds", |(.., row)| row.seeds)
        .column("reached", |(.., row)| row.reached)
        .column("not_reached", |(.., row)| row.not_reached)
        .column("diverged", |(.., row)| row.diverged)
        .column("median_after", |(.., row)| {
            row.median.map(|median| median.after)
        })
        .column("median_by", |(.., row)| row.median.map(|median| median.by))
        .column("examples_after", |(.., row)| {
            row.examples.map(|examples| examples.after)
        })
        .column("examples_by", |(.., row)| {
            row.examples.map(|examples| examples.by)
        })
        .column("fastest_by", |(.., row)| row.fastest.map(|steps| steps.by))
        .column("slowest_by", |(.., row)| row.slowest.map(|steps| steps.by))
        .column("ideal", |(.., row)| row.ideal)
        .column("speed_up", |(.., row)| row.speed_up)
        .column("over_tenth_of_data", |(.., row)| row.over_tenth_of_data)
        .column("after_first_drop", |(.., row)| row.after_first_drop)
        .column("just_after_drop", |(.., row)| row.just_after_drop)
        .frame()
}

/// A row a fit of steps against batch size.
pub(crate) fn fits(tables: &[Named<TargetsTable>]) -> Frame {
    Rows::new("fits", rows(tables, |table| &table.fits))
        .column("table", |(stage, ..)| stage)
        .column("stage", |(.., fit)| &fit.stage)
        .column("method", |(.., fit)| &fit.method)
        .column("metric", |(.., fit)| fit.target.metric.name())
        .column("level", |(.., fit)| fit.target.level)
        .column("reached", |(.., fit)| fit.reached)
        .column("not_reached", |(.., fit)| fit.not_reached)
        .column("diverged", |(.., fit)| fit.diverged)
        .column("after_drop", |(.., fit)| fit.after_drop)
        .columns(["s_min", "s_min_low", "s_min_high"], |(.., fit)| {
            bounded(fit.law.map(|law| law.least_steps))
        })
        .columns(["e_min", "e_min_low", "e_min_high"], |(.., fit)| {
            bounded(fit.law.map(|law| law.least_examples))
        })
        .columns(["b_crit", "b_crit_low", "b_crit_high"], |(.., fit)| {
            bounded(fit.law.map(|law| law.critical_batch))
        })
        .column("sigma", |(.., fit)| fit.law.map(|law| law.sigma))
        .columns(["slope", "slope_low", "slope_high"], |(.., fit)| {
            estimate(fit.slope.as_ref())
        })
        .column("notes", |(.., fit)| notes(&fit.notes))
        .frame()
}

/// The names of a fit's notes; their numbers have columns of their own.
fn notes(notes: &[FitNote]) -> Option<String> {
    let names: Vec<[Option<String>; 2]> = notes.iter().map(told).collect();
    in_a_row(names.iter().filter_map(|[name, _]| name.as_deref()))
}

/// `winners`, and `trials`: what so many random draws from a group's grid are expected to find.
pub fn winners_frames(tables: &[Named<WinnersTable>]) -> Vec<Frame> {
    vec![winners(tables), trials(tables)]
}

/// A row a winner.
pub(crate) fn winners(tables: &[Named<WinnersTable>]) -> Frame {
    Rows::new("winners", rows(tables, |table| &table.winners))
        .column("table", |(stage, ..)| stage)
        .column("entry", |(.., winner)| &winner.entry)
        .column("stage", |(.., winner)| &winner.stage)
        .column("method", |(.., winner)| &winner.method)
        .column("batch_size", |(.., winner)| winner.batch_size)
        .column("by", |(_, table, _)| match table.by {
            By::Metric(metric) => format!("{} {}", metric.name(), table.at),
            By::StepsTo { steps_to } => format!("steps to {steps_to}"),
        })
        .column("configuration", |(.., winner)| {
            fields_in_a_row(&winner.parameters)
        })
        .column("score", |(.., winner)| match winner.score {
            Score::Value(_) => "value",
            Score::Steps { .. } => "steps",
            Score::NotReached { .. } => "not_reached",
            Score::NotEvaluated => "not_evaluated",
            Score::Diverged { .. } => "diverged",
        })
        .column("value", |(.., winner)| match winner.score {
            Score::Value(value) => Some(value),
            Score::NotReached { value } => value,
            _ => None,
        })
        .columns(["after", "step"], |(.., winner)| match winner.score {
            Score::Steps { after, by } => [Some(after), Some(by)],
            _ => [None; 2],
        })
        .column("on_edge", |(.., winner)| {
            in_a_row(winner.on_grid_edge.keys().map(String::as_str))
        })
        .column("candidates", |(.., winner)| winner.candidates)
        .column("diverged", |(.., winner)| winner.diverged)
        .column("tuning_seeds", |(.., winner)| winner.seeds.len())
        .frame()
}

/// A row for each number of trials.
pub(crate) fn trials(tables: &[Named<WinnersTable>]) -> Frame {
    let all = rows(tables, |table| &table.winners).flat_map(|(stage, _, winner)| {
        let best = winner.expected_best.iter();
        best.map(move |best| (stage, winner, best))
    });
    Rows::new("trials", all)
        .column("table", |(stage, ..)| stage)
        .column("entry", |(_, winner, _)| &winner.entry)
        .column("method", |(_, winner, _)| &winner.method)
        .column("batch_size", |(_, winner, _)| winner.batch_size)
        .column("trials", |(.., best)| best.trials)
        .column("expected_best", |(.., best)| best.value)
        .frame()
}

/// A moment's kind and number; the end has no number.
fn moment(at: Moment) -> (&'static str, Option<f64>) {
    match at {
        Moment::End => ("end", None),
        Moment::Epochs(epochs) => ("epochs", Some(epochs)),
        Moment::Iterations(steps) => ("iterations", Some(steps as f64)),
    }
}

fn rule(rule: GoodRule) -> (&'static str, f64) {
    match rule {
        GoodRule::AtLeast(level) => ("at_least", level),
        GoodRule::Within(distance) => ("within", distance),
    }
}

fn sides(sides: &[Side]) -> Option<String> {
    in_a_row(sides.iter().map(|side| match side {
        Side::Left => "left",
        Side::Right => "right",
        Side::Bottom => "bottom",
        Side::Top => "top",
    }))
}

/// `cells`, `regions` and `shares` (share of good cells against step).
pub fn heatmap_frames(tables: &[Named<HeatmapTable>]) -> Vec<Frame> {
    let panels = rows(tables, |table| &table.panels);
    let all = panels.map(|(stage, table, panel)| (stage, table.value, panel));
    vec![cells(all), regions(tables), shares(tables)]
}

/// A cell of a panel, of one seed or of all.
#[derive(Clone, Copy)]
struct CellRow<'t> {
    table: &'t str,
    metric: Metric,
    panel: &'t Panel,
    x: f64,
    y: f64,
    seed: Option<u64>,
    run: Option<&'t str>,
    state: CellState,
    good: Option<bool>,
}

/// A row for each cell and seed, and before them one for all seeds, with a null seed: only it says whether the
/// cell is good. A panel comes with the stage that made its table and with what was measured.
pub(crate) fn cells<'t>(panels: impl Iterator<Item = (&'t str, Metric, &'t Panel)>) -> Frame {
    let all = panels.flat_map(|(table, metric, panel)| {
        panel
            .cells
            .iter()
            .enumerate()
            .flat_map(move |(place, cell)| {
                let region = panel.regions.first();
                let together = CellRow {
                    table,
                    metric,
                    panel,
                    x: cell.x,
                    y: cell.y,
                    seed: None,
                    run: None,
                    state: cell.state,
                    good: region.and_then(|region| region.good.get(place).copied()),
                };
                let seeds = cell.seeds.iter().zip(&cell.runs);
                let seeds = seeds.map(move |(part, run)| CellRow {
                    seed: Some(part.seed),
                    run: Some(run),
                    state: part.state,
                    good: None,
                    ..together
                });
                std::iter::once(together).chain(seeds)
            })
    });
    Rows::new("cells", all)
        .column("table", |row| row.table)
        .column("stage", |row| &row.panel.stage)
        .column("method", |row| &row.panel.method)
        .column("batch_size", |row| row.panel.batch_size)
        .column("at", |row| moment(row.panel.at).0)
        .column("at_value", |row| moment(row.panel.at).1)
        .column("step", |row| row.panel.step)
        .column("metric", |row| row.metric.name())
        .column("x_name", |row| &row.panel.x)
        .column("x", |row| row.x)
        .column("y_name", |row| &row.panel.y)
        .column("y", |row| row.y)
        .column("others", |row| fields_in_a_row(&row.panel.others))
        .column("seed", |row| row.seed)
        .column("run", |row| row.run)
        .column("state", |row| match row.state {
            CellState::Value { .. } => "value",
            CellState::Diverged { .. } => "diverged",
            CellState::StoppedEarly { .. } => "stopped_early",
            CellState::NotEvaluated => "not_evaluated",
            CellState::Missing => "missing",
        })
        .column("value", |row| match row.state {
            CellState::Value { mean, .. } => Some(mean),
            _ => None,
        })
        .column("seeds", |row| match row.state {
            CellState::Value { seeds, .. } | CellState::Diverged { seeds, .. } => Some(seeds),
            _ => None,
        })
        .column("good", |row| row.good)
        .frame()
}

/// A row a rule and panel.
pub(crate) fn regions(tables: &[Named<HeatmapTable>]) -> Frame {
    let all = rows(tables, |table| &table.panels).flat_map(|(stage, _, panel)| {
        let regions = panel.regions.iter();
        regions.map(move |region| (stage, panel, region))
    });
    Rows::new("regions", all)
        .column("table", |(stage, ..)| stage)
        .column("stage", |(_, panel, _)| &panel.stage)
        .column("method", |(_, panel, _)| &panel.method)
        .column("batch_size", |(_, panel, _)| panel.batch_size)
        .column("at", |(_, panel, _)| moment(panel.at).0)
        .column("at_value", |(_, panel, _)| moment(panel.at).1)
        .column("rule", |(.., region)| rule(region.rule).0)
        .column("rule_value", |(.., region)| rule(region.rule).1)
        .column("level", |(.., region)| region.level)
        .column("good", |(.., region)| {
            region.good.iter().filter(|&&good| good).count()
        })
        .column("known", |(.., region)| region.known)
        .column("share", |(.., region)| region.share)
        .column("touches", |(.., region)| sides(&region.touches))
        .column("slope", |(.., region)| region.slope)
        .frame()
}

/// A row a step of a course.
pub(crate) fn shares(tables: &[Named<HeatmapTable>]) -> Frame {
    let all = rows(tables, |table| &table.courses).flat_map(|(stage, _, course)| {
        let points = course.points.iter();
        points.map(move |point| (stage, course, point))
    });
    Rows::new("shares", all)
        .column("table", |(stage, ..)| stage)
        .column("stage", |(_, course, _)| &course.stage)
        .column("method", |(_, course, _)| &course.method)
        .column("batch_size", |(_, course, _)| course.batch_size)
        .column("rule", |(_, course, _)| rule(course.rule).0)
        .column("rule_value", |(_, course, _)| rule(course.rule).1)
        .column("step", |(.., point)| point.step)
        .column("epoch", |(_, course, point)| {
            point.step as f64 / course.steps_per_epoch as f64
        })
        .column("share", |(.., point)| point.share)
        .column("good", |(.., point)| point.good)
        .column("known", |(.., point)| point.known)
        .column("diverged", |(.., point)| point.diverged)
        .column("touches", |(.., point)| sides(&point.touches))
        .frame()
}
