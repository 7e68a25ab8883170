//! Frames of selections: winners, and what random trials would have found.

use analysis::Named;
use analysis::select::{By, Score, WinnersTable};

use super::{in_a_row, rows};
use crate::frame::runs::fields_in_a_row;
use crate::frame::{Frame, Rows};

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
        .column("chosen_again", |(.., winner)| winner.stability)
        .column("fell_back", |(.., winner)| winner.fell_back)
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
