//! Frames of the tables of `steps_to_target`, `select` and `heatmap`. `table` is the stage that made one.

use super::runs::parameters;
use super::{Frame, Kind, Value};
use analysis::heatmap::{CellState, GoodRule, HeatmapTable, Side};
use analysis::select::{By, Score, WinnersTable};
use analysis::targets::{Bounded, Steps, TargetsTable};
use analysis::{Estimate, Moment, Named};

const TEXT: Kind = Kind::Text;
const INTEGER: Kind = Kind::Integer;
const NUMBER: Kind = Kind::Number;
const FLAG: Kind = Kind::Flag;

/// An estimate's value and interval as three fields.
pub(super) fn estimate(estimate: Option<&Estimate>) -> [Value; 3] {
    let interval = estimate.and_then(|estimate| estimate.interval);
    [
        estimate.map(|estimate| estimate.value).into(),
        interval.and_then(|interval| interval.low).into(),
        interval.and_then(|interval| interval.high).into(),
    ]
}

/// What a fit holds of a parameter: estimate (null for a bound) and ends.
pub(super) fn bounded(bounded: Option<Bounded>) -> [Value; 3] {
    match bounded {
        Some(Bounded::Estimate(held)) => estimate(Some(&held)),
        Some(Bounded::AtLeast { low }) => [Value::Null, low.into(), Value::Null],
        Some(Bounded::AtMost { high }) => [Value::Null, Value::Null, high.into()],
        Some(Bounded::Undetermined) | None => [Value::Null, Value::Null, Value::Null],
    }
}

/// `crossings` (a row for each run and target), `steps` (each batch size's seeds together) and `fits`.
pub fn targets_frames(tables: &[Named<TargetsTable>]) -> Vec<Frame> {
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
            ("note", TEXT),
        ],
    );
    for Named { stage, table } in tables {
        for run in &table.runs {
            for (crossing, note) in run.crossings.iter().zip(&table.targets) {
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
                    note.target.metric.name().into(),
                    note.target.level.into(),
                    outcome.into(),
                    after.into(),
                    by.into(),
                    step.into(),
                    crossing.after_first_drop.into(),
                    crossing.just_after_drop.into(),
                ]);
            }
        }
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
                .chain([fit.note.as_deref().into()]);
            fits.push(fields);
        }
    }
    vec![crossings, steps, fits]
}

/// `winners`, and `trials`: what so many random draws from a group's grid are expected to find.
pub fn winners_frames(tables: &[Named<WinnersTable>]) -> Vec<Frame> {
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
        ],
    );
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
            ]);
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
    vec![frame, trials]
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

/// `cells` (a row for each cell and seed, and one for all seeds with a null seed), `regions` and
/// `shares` (share of good cells against step).
pub fn heatmap_frames(tables: &[Named<HeatmapTable>]) -> Vec<Frame> {
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
        ],
    );
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
        for panel in &table.panels {
            let first: [Value; 4] = [
                stage.into(),
                Value::from(&panel.stage),
                (&panel.method).into(),
                panel.batch_size.into(),
            ];
            for cell in &panel.cells {
                let all = (Value::Null, Value::Null, cell.state);
                let seeds = cell
                    .seeds
                    .iter()
                    .zip(&cell.runs)
                    .map(|(part, run)| (part.seed.into(), Value::from(run), part.state));
                for (seed, run, at_cell) in std::iter::once(all).chain(seeds) {
                    let fields = first
                        .iter()
                        .cloned()
                        .chain(slice(panel.at))
                        .chain([
                            panel.step.into(),
                            table.value.name().into(),
                            (&panel.x).into(),
                            cell.x.into(),
                            (&panel.y).into(),
                            cell.y.into(),
                            parameters(&panel.others),
                            seed,
                            run,
                        ])
                        .chain(state(at_cell));
                    cells.push(fields);
                }
            }
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
    vec![cells, regions, shares]
}
