//! Frames of the tables of `steps_to_target`, `select` and `heatmap`. `table` is the stage that made one.

use super::runs::{fields_in_a_row, parameters};
use super::{Frame, Kind, Value};
use analysis::configuration::flatten;
use analysis::heatmap::{CellState, GoodRule, HeatmapTable, Panel, Side};
use analysis::select::{By, Score, WinnersTable};
use analysis::targets::{Bounded, Crossing, FitNote, RunSteps, Steps, TargetsTable};
use analysis::{Estimate, Metric, Moment, Named, Target};
use serde::Serialize;
use serde_json::Value as Json;

const TEXT: Kind = Kind::Text;
const INTEGER: Kind = Kind::Integer;
const NUMBER: Kind = Kind::Number;
const FLAG: Kind = Kind::Flag;

/// An estimate's value and interval as three fields.
pub(crate) fn estimate(estimate: Option<&Estimate>) -> [Value; 3] {
    let interval = estimate.and_then(|estimate| estimate.interval);
    [
        estimate.map(|estimate| estimate.value).into(),
        interval.and_then(|interval| interval.low).into(),
        interval.and_then(|interval| interval.high).into(),
    ]
}

/// What a fit holds of a parameter: estimate (null for a bound) and ends.
pub(crate) fn bounded(bounded: Option<Bounded>) -> [Value; 3] {
    match bounded {
        Some(Bounded::Estimate(held)) => estimate(Some(&held)),
        Some(Bounded::AtLeast { low }) => [Value::Null, low.into(), Value::Null],
        Some(Bounded::AtMost { high }) => [Value::Null, Value::Null, high.into()],
        Some(Bounded::Undetermined) | None => [Value::Null, Value::Null, Value::Null],
    }
}

/// A typed value as its name and its fields: `steps_ratio` and `target.train_loss=0.01`.
pub(super) fn told(value: &impl Serialize) -> [Value; 2] {
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
    [name.as_str().map(str::to_owned).into(), fields.into()]
}

/// `crossings` (a row for each run and target), `steps` (each batch size's seeds together) and `fits`.
pub fn targets_frames(tables: &[Named<TargetsTable>]) -> Vec<Frame> {
    let all = tables.iter().flat_map(|Named { stage, table }| {
        table.runs.iter().flat_map(move |run| {
            let crossings = run.crossings.iter().zip(&table.targets);
            crossings.map(move |(crossing, note)| (stage.as_str(), run, crossing, note.target))
        })
    });
    vec![crossings(all), steps(tables), fits(tables)]
}

/// A row a crossing: the stage that made its table, its run, its target.
pub(crate) fn crossings<'t>(
    all: impl Iterator<Item = (&'t str, &'t RunSteps, &'t Crossing, Target)>,
) -> Frame {
    let mut crossings = Frame::of(
        "crossings",
        &[
            ("table", TEXT),
            ("run", TEXT),
            ("stage", TEXT),
            ("method", TEXT),
            ("batch_size", INTEGER),
            ("seed", INTEGER),
            ("configuration", TEXT),
            ("metric", TEXT),
            ("level", NUMBER),
            ("outcome", TEXT),
            ("after", INTEGER),
            ("by", INTEGER),
            ("step", INTEGER),
            ("after_first_drop", FLAG),
            ("just_after_drop", FLAG),
        ],
    );
    for (stage, run, crossing, target) in all {
        let (outcome, after, by, step) = match crossing.steps {
            Steps::Reached { after, by } => ("reached", Some(after), Some(by), None),
            Steps::NotReached { budget } => ("not_reached", None, None, Some(budget)),
            Steps::Diverged { step } => ("diverged", None, None, Some(step)),
        };
        crossings.push([
            stage.into(),
            Value::from(&run.label),
            (&run.stage).into(),
            (&run.method).into(),
            run.batch_size.into(),
            run.seed.into(),
            parameters(&run.parameters),
            target.metric.name().into(),
            target.level.into(),
            outcome.into(),
            after.into(),
            by.into(),
            step.into(),
            crossing.after_first_drop.into(),
            crossing.just_after_drop.into(),
        ]);
    }
    crossings
}

/// A row for the seeds of a batch size and target together.
pub(crate) fn steps(tables: &[Named<TargetsTable>]) -> Frame {
    let mut steps = Frame::of(
        "steps",
        &[
            ("table", TEXT),
            ("stage", TEXT),
            ("method", TEXT),
            ("batch_size", INTEGER),
            ("metric", TEXT),
            ("level", NUMBER),
            ("admissible", FLAG),
            ("configuration", TEXT),
            ("configurations", INTEGER),
            ("seeds", INTEGER),
            ("reached", INTEGER),
            ("not_reached", INTEGER),
            ("diverged", INTEGER),
            ("median_after", INTEGER),
            ("median_by", INTEGER),
            ("examples_after", INTEGER),
            ("examples_by", INTEGER),
            ("fastest_by", INTEGER),
            ("slowest_by", INTEGER),
            ("ideal", NUMBER),
            ("speed_up", NUMBER),
            ("over_tenth_of_data", FLAG),
            ("after_first_drop", INTEGER),
            ("just_after_drop", INTEGER),
        ],
    );
    for Named { stage, table } in tables {
        for row in &table.summaries {
            let note = table.targets.iter().find(|note| note.target == row.target);
            steps.push([
                stage.into(),
                Value::from(&row.stage),
                (&row.method).into(),
                row.batch_size.into(),
                row.target.metric.name().into(),
                row.target.level.into(),
                note.map(|note| note.admissible).into(),
                parameters(&row.parameters),
                row.configurations.into(),
                row.seeds.into(),
                row.reached.into(),
                row.not_reached.into(),
                row.diverged.into(),
                row.median.map(|median| median.after).into(),
                row.median.map(|median| median.by).into(),
                row.examples.map(|examples| examples.after).into(),
                row.examples.map(|examples| examples.by).into(),
                row.fastest.map(|steps| steps.by).into(),
                row.slowest.map(|steps| steps.by).into(),
                row.ideal.into(),
                row.speed_up.into(),
                row.over_tenth_of_data.into(),
                row.after_first_drop.into(),
                row.just_after_drop.into(),
            ]);
        }
    }
    steps
}

/// A row a fit of steps against batch size.
pub(crate) fn fits(tables: &[Named<TargetsTable>]) -> Frame {
    let mut fits = Frame::of(
        "fits",
        &[
            ("table", TEXT),
            ("stage", TEXT),
            ("method", TEXT),
            ("metric", TEXT),
            ("level", NUMBER),
            ("reached", INTEGER),
            ("not_reached", INTEGER),
            ("diverged", INTEGER),
            ("after_drop", INTEGER),
            ("s_min", NUMBER),
            ("s_min_low", NUMBER),
            ("s_min_high", NUMBER),
            ("e_min", NUMBER),
            ("e_min_low", NUMBER),
            ("e_min_high", NUMBER),
            ("b_crit", NUMBER),
            ("b_crit_low", NUMBER),
            ("b_crit_high", NUMBER),
            ("sigma", NUMBER),
            ("slope", NUMBER),
            ("slope_low", NUMBER),
            ("slope_high", NUMBER),
            ("notes", TEXT),
        ],
    );
    for Named { stage, table } in tables {
        for fit in &table.fits {
            let first = [
                stage.into(),
                Value::from(&fit.stage),
                (&fit.method).into(),
                fit.target.metric.name().into(),
                fit.target.level.into(),
                fit.reached.into(),
                fit.not_reached.into(),
                fit.diverged.into(),
                fit.after_drop.into(),
            ];
            let fields = first
                .into_iter()
                .chain(bounded(fit.law.map(|law| law.least_steps)))
                .chain(bounded(fit.law.map(|law| law.least_examples)))
                .chain(bounded(fit.law.map(|law| law.critical_batch)))
                .chain([fit.law.map(|law| law.sigma).into()])
                .chain(estimate(fit.slope.as_ref()))
                .chain([notes(&fit.notes)]);
            fits.push(fields);
        }
    }
    fits
}

/// The names of a fit's notes; their numbers have columns of their own.
fn notes(notes: &[FitNote]) -> Value {
    let names = notes.iter().map(|note| match told(note) {
        [Value::Text(name), _] => name,
        _ => unreachable!("a note is a variant"),
    });
    let names: Vec<_> = names.collect();
    (!names.is_empty()).then(|| names.join(",")).into()
}

/// `winners`, and `trials`: what so many random draws from a group's grid are expected to find.
pub fn winners_frames(tables: &[Named<WinnersTable>]) -> Vec<Frame> {
    vec![winners(tables), trials(tables)]
}

/// A row a winner.
pub(crate) fn winners(tables: &[Named<WinnersTable>]) -> Frame {
    let mut frame = Frame::of(
        "winners",
        &[
            ("table", TEXT),
            ("entry", TEXT),
            ("stage", TEXT),
            ("method", TEXT),
            ("batch_size", INTEGER),
            ("by", TEXT),
            ("configuration", TEXT),
            ("score", TEXT),
            ("value", NUMBER),
            ("after", INTEGER),
            ("step", INTEGER),
            ("on_edge", TEXT),
            ("candidates", INTEGER),
            ("diverged", INTEGER),
            ("tuning_seeds", INTEGER),
            ("chosen_again", NUMBER),
            ("fell_back", INTEGER),
        ],
    );
    for Named { stage, table } in tables {
        let by = match table.by {
            By::Metric(metric) => format!("{} {}", metric.name(), table.at),
            By::StepsTo { steps_to } => format!("steps to {steps_to}"),
        };
        for winner in &table.winners {
            let (score, value, after, step) = match winner.score {
                Score::Value(value) => ("value", Some(value), None, None),
                Score::Steps { after, by } => ("steps", None, Some(after), Some(by)),
                Score::NotReached { value } => ("not_reached", value, None, None),
                Score::NotEvaluated => ("not_evaluated", None, None, None),
                Score::Diverged { .. } => ("diverged", None, None, None),
            };
            let edges: Vec<&str> = winner.on_grid_edge.keys().map(String::as_str).collect();
            frame.push([
                stage.into(),
                Value::from(&winner.entry),
                (&winner.stage).into(),
                (&winner.method).into(),
                winner.batch_size.into(),
                by.as_str().into(),
                parameters(&winner.parameters),
                score.into(),
                value.into(),
                after.into(),
                step.into(),
                (!edges.is_empty()).then(|| edges.join(",")).into(),
                winner.candidates.into(),
                winner.diverged.into(),
                winner.seeds.len().into(),
                winner.stability.into(),
                winner.fell_back.into(),
            ]);
        }
    }
    frame
}

/// A row for each number of trials.
pub(crate) fn trials(tables: &[Named<WinnersTable>]) -> Frame {
    let mut trials = Frame::of(
        "trials",
        &[
            ("table", TEXT),
            ("entry", TEXT),
            ("method", TEXT),
            ("batch_size", INTEGER),
            ("trials", INTEGER),
            ("expected_best", NUMBER),
        ],
    );
    for Named { stage, table } in tables {
        for winner in &table.winners {
            for best in &winner.expected_best {
                trials.push([
                    stage.into(),
                    Value::from(&winner.entry),
                    (&winner.method).into(),
                    winner.batch_size.into(),
                    best.trials.into(),
                    best.value.into(),
                ]);
            }
        }
    }
    trials
}

/// A slice as its kind and its number, null for the end.
fn slice(at: Moment) -> [Value; 2] {
    match at {
        Moment::End => ["end".into(), Value::Null],
        Moment::Epochs(epochs) => ["epochs".into(), epochs.into()],
        Moment::Iterations(steps) => ["iterations".into(), (steps as f64).into()],
    }
}

fn rule(rule: GoodRule) -> [Value; 2] {
    match rule {
        GoodRule::AtLeast(level) => ["at_least".into(), level.into()],
        GoodRule::Within(distance) => ["within".into(), distance.into()],
    }
}

fn sides(sides: &[Side]) -> Value {
    let names: Vec<&str> = sides
        .iter()
        .map(|side| match side {
            Side::Left => "left",
            Side::Right => "right",
            Side::Bottom => "bottom",
            Side::Top => "top",
        })
        .collect();
    (!names.is_empty()).then(|| names.join(",")).into()
}

/// A cell's state in words, its value and how many seeds there are.
fn state(state: CellState) -> [Value; 3] {
    match state {
        CellState::Value { mean, seeds } => ["value".into(), mean.into(), seeds.into()],
        CellState::Diverged { seeds, .. } => ["diverged".into(), Value::Null, seeds.into()],
        CellState::StoppedEarly { .. } => ["stopped_early".into(), Value::Null, Value::Null],
        CellState::NotEvaluated => ["not_evaluated".into(), Value::Null, Value::Null],
        CellState::Missing => ["missing".into(), Value::Null, Value::Null],
    }
}

/// `cells`, `regions` and `shares` (share of good cells against step).
pub fn heatmap_frames(tables: &[Named<HeatmapTable>]) -> Vec<Frame> {
    let all = tables.iter().flat_map(|Named { stage, table }| {
        let panels = table.panels.iter();
        panels.map(move |panel| (stage.as_str(), table.value, panel))
    });
    vec![cells(all), regions(tables), shares(tables)]
}

/// A row for each cell and seed, and before them one for all seeds, with a null seed: only it says whether the
/// cell is good. A panel comes with the stage that made its table and with what was measured.
pub(crate) fn cells<'t>(panels: impl Iterator<Item = (&'t str, Metric, &'t Panel)>) -> Frame {
    let mut cells = Frame::of(
        "cells",
        &[
            ("table", TEXT),
            ("stage", TEXT),
            ("method", TEXT),
            ("batch_size", INTEGER),
            ("at", TEXT),
            ("at_value", NUMBER),
            ("step", INTEGER),
            ("metric", TEXT),
            ("x_name", TEXT),
            ("x", NUMBER),
            ("y_name", TEXT),
            ("y", NUMBER),
            ("others", TEXT),
            ("seed", INTEGER),
            ("run", TEXT),
            ("state", TEXT),
            ("value", NUMBER),
            ("seeds", INTEGER),
            ("good", FLAG),
        ],
    );
    for (stage, metric, panel) in panels {
        let first: [Value; 4] = [
            stage.into(),
            Value::from(&panel.stage),
            (&panel.method).into(),
            panel.batch_size.into(),
        ];
        for (place, cell) in panel.cells.iter().enumerate() {
            let good = panel
                .regions
                .first()
                .and_then(|region| region.good.get(place));
            let all = (Value::Null, Value::Null, cell.state, good.copied().into());
            let seeds =
                cell.seeds.iter().zip(&cell.runs).map(|(part, run)| {
                    (part.seed.into(), Value::from(run), part.state, Value::Null)
                });
            for (seed, run, at_cell, good) in std::iter::once(all).chain(seeds) {
                let fields = first
                    .iter()
                    .cloned()
                    .chain(slice(panel.at))
                    .chain([
                        panel.step.into(),
                        metric.name().into(),
                        (&panel.x).into(),
                        cell.x.into(),
                        (&panel.y).into(),
                        cell.y.into(),
                        parameters(&panel.others),
                        seed,
                        run,
                    ])
                    .chain(state(at_cell))
                    .chain([good]);
                cells.push(fields);
            }
        }
    }
    cells
}

/// A row a rule and panel.
pub(crate) fn regions(tables: &[Named<HeatmapTable>]) -> Frame {
    let mut regions = Frame::of(
        "regions",
        &[
            ("table", TEXT),
            ("stage", TEXT),
            ("method", TEXT),
            ("batch_size", INTEGER),
            ("at", TEXT),
            ("at_value", NUMBER),
            ("rule", TEXT),
            ("rule_value", NUMBER),
            ("level", NUMBER),
            ("good", INTEGER),
            ("known", INTEGER),
            ("share", NUMBER),
            ("touches", TEXT),
            ("slope", NUMBER),
        ],
    );
    for Named { stage, table } in tables {
        for panel in &table.panels {
            let first: [Value; 4] = [
                stage.into(),
                Value::from(&panel.stage),
                (&panel.method).into(),
                panel.batch_size.into(),
            ];
            for region in &panel.regions {
                let fields = first
                    .iter()
                    .cloned()
                    .chain(slice(panel.at))
                    .chain(rule(region.rule))
                    .chain([
                        region.level.into(),
                        region.good.iter().filter(|&&good| good).count().into(),
                        region.known.into(),
                        region.share.into(),
                        sides(&region.touches),
                        region.slope.into(),
                    ]);
                regions.push(fields);
            }
        }
    }
    regions
}

/// A row a step of a course.
pub(crate) fn shares(tables: &[Named<HeatmapTable>]) -> Frame {
    let mut shares = Frame::of(
        "shares",
        &[
            ("table", TEXT),
            ("stage", TEXT),
            ("method", TEXT),
            ("batch_size", INTEGER),
            ("rule", TEXT),
            ("rule_value", NUMBER),
            ("step", INTEGER),
            ("epoch", NUMBER),
            ("share", NUMBER),
            ("good", INTEGER),
            ("known", INTEGER),
            ("diverged", INTEGER),
            ("touches", TEXT),
        ],
    );
    for Named { stage, table } in tables {
        for course in &table.courses {
            for point in &course.points {
                let first: [Value; 4] = [
                    stage.into(),
                    Value::from(&course.stage),
                    (&course.method).into(),
                    course.batch_size.into(),
                ];
                let fields = first.into_iter().chain(rule(course.rule)).chain([
                    point.step.into(),
                    (point.step as f64 / course.steps_per_epoch as f64).into(),
                    point.share.into(),
                    point.good.into(),
                    point.known.into(),
                    point.diverged.into(),
                    sides(&point.touches),
                ]);
                shares.push(fields);
            }
        }
    }
    shares
}
