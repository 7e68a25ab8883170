//! Frames of steps to target: crossings, seeds together, fits.

use analysis::targets::{Crossing, FitNote, RunSteps, Steps, TargetsTable};
use analysis::{Named, Target};

use super::{bounded, estimate, in_a_row, rows, told};
use crate::frame::runs::fields_in_a_row;
use crate::frame::{Frame, Rows};

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
