//! Frames of runs: the runs themselves, their evaluations, their losses, what else they measured.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value as Json;

use super::{Frame, Kind, Rows, Value};
use analysis::configuration::{Flat, flatten, plain_name, swept_parameters};
use analysis::{Metric, Outcome, Run};

/// Rows that a chunk of losses should have, about.
pub const LOSS_ROWS: usize = 100_000;

/// The columns that say which run a row is of: `run`, `stage`, `method`, `batch_size`, `learning_rate`,
/// `seed`, then the other settings that differ among runs of a method.
pub struct Coordinates {
    columns: Vec<(String, Kind)>,
    /// By the run's label.
    rows: BTreeMap<String, Vec<Value>>,
}

const FIRST: [(&str, Kind); 6] = [
    ("run", Kind::Text),
    ("stage", Kind::Text),
    ("method", Kind::Text),
    ("batch_size", Kind::Integer),
    ("learning_rate", Kind::Number),
    ("seed", Kind::Integer),
];

impl Coordinates {
    /// The coordinates of some runs.
    pub fn new(runs: &[Run]) -> Self {
        let all: Vec<&Run> = runs.iter().collect();
        let swept = swept_parameters(&all, &["batch_size", "learning_rate", "seed"]);
        let names: BTreeSet<&String> = swept.iter().flat_map(BTreeMap::keys).collect();
        let kinds: Vec<(&String, Kind)> = names
            .into_iter()
            .map(|name| (name, kind(swept.iter().filter_map(|row| row.get(name)))))
            .collect();
        let columns = FIRST
            .map(|(name, kind)| (name.to_owned(), kind))
            .into_iter();
        let rows = runs.iter().zip(&swept).map(|(run, swept)| {
            let label: Arc<str> = run.label.as_str().into();
            let mut row = vec![
                label.into(),
                Value::from(&run.stage),
                run.method().into(),
                run.batch_size().into(),
                run.learning_rate().into(),
                run.seed().into(),
            ];
            row.extend(
                kinds
                    .iter()
                    .map(|(name, kind)| setting(swept.get(*name), *kind)),
            );
            (run.label.clone(), row)
        });
        Self {
            rows: rows.collect(),
            columns: columns
                .chain(kinds.iter().map(|(name, kind)| ((*name).clone(), *kind)))
                .collect(),
        }
    }

    /// Rows of some runs, with the coordinates as their first columns.
    ///
    /// # Panics
    /// If a run is not one of those that the coordinates were made of.
    fn rows<'t, R: Copy>(
        &'t self,
        name: &str,
        rows: impl IntoIterator<Item = (&'t Run, R)>,
    ) -> Rows<(&'t [Value], &'t Run, R)> {
        let rows = rows.into_iter();
        let with_own = rows.map(|(run, row)| (self.rows[&run.label].as_slice(), run, row));
        let columns = self.columns.iter().enumerate();
        columns.fold(Rows::new(name, with_own), |rows, (place, (name, kind))| {
            rows.of_kind(name, *kind, |(own, ..)| own[place].clone())
        })
    }

    /// `runs`: one row a run, with its outcome and all its settings as `settings.PATH`.
    pub fn runs(&self, runs: &[Run]) -> Frame {
        let flats: Vec<Flat> = runs.iter().map(|run| flatten(&run.settings.all)).collect();
        let paths: BTreeSet<&String> = flats.iter().flat_map(BTreeMap::keys).collect();
        let mut rows = self
            .rows("runs", runs.iter().zip(&flats))
            .column("outcome", |(_, run, _)| match run.outcome {
                Outcome::Finished => "finished",
                Outcome::Diverged { .. } => "diverged",
                Outcome::Stopped { .. } => "stopped",
            })
            .column("outcome_step", |(_, run, _)| match run.outcome {
                Outcome::Finished => run.budget_steps,
                Outcome::Diverged { step } | Outcome::Stopped { step } => step,
            })
            .column("budget_steps", |(_, run, _)| run.budget_steps)
            .column("steps_per_epoch", |(_, run, _)| run.steps_per_epoch)
            .column("train_examples", |(_, run, _)| run.train_examples)
            .column("parameters", |(_, run, _)| run.parameters);
        for path in paths {
            let kind = kind(flats.iter().filter_map(|flat| flat.get(path)));
            let name = format!("settings.{path}");
            rows = rows.of_kind(&name, kind, |(.., flat)| setting(flat.get(path), kind));
        }
        rows.frame()
    }

    /// `evaluations`: one row an evaluation; losses in nats, accuracies from 0 to 1.
    pub fn evaluations(&self, runs: &[Run]) -> Frame {
        let mut rows = self
            .rows("evaluations", each(runs, |run| &run.curve.evaluations))
            .column("step", |(.., at)| at.step)
            .column("examples", |(.., at)| at.examples)
            .column("epoch", |(_, run, at)| {
                at.step as f64 / run.steps_per_epoch as f64
            });
        for metric in Metric::ALL {
            rows = rows.column(metric.name(), |(.., at)| measured(metric.measured(at)));
        }
        rows.frame()
    }

    /// `losses`: one row an update of some of the runs that has one, the mini-batch loss before it (nats) and its
    /// learning rate (`rate`). A study's losses are many: take runs of [`LOSS_ROWS`] updates or so at a
    /// time.
    pub fn losses(&self, runs: &[Run]) -> Frame {
        let updates = runs
            .iter()
            .flat_map(|run| run.curve.updates.rows().map(move |row| (run, row)));
        self.rows("losses", updates)
            .column("step", |(.., (step, _, _))| step)
            .column("loss", |(.., (_, loss, _))| {
                let known = (!loss.is_nan()).then_some(f64::from(loss));
                measured(known).map(|loss| loss as f32)
            })
            .column("rate", |(.., (_, _, rate))| rate)
            .frame()
    }

    /// `curvature` and `noise`: one row a measurement, where the runs have any.
    pub fn measurements(&self, runs: &[Run]) -> Vec<Frame> {
        let curvature = self
            .rows("curvature", each(runs, |run| &run.curve.curvature))
            .column("step", |(.., at)| at.step)
            .column("median", |(.., at)| at.median)
            .column("largest", |(.., at)| at.largest)
            .frame();
        let noise = self
            .rows("noise", each(runs, |run| &run.curve.noise))
            .column("step", |(.., at)| at.step)
            .column("trace", |(.., at)| at.trace)
            .column("gradient", |(.., at)| at.gradient)
            .frame();
        let mut frames = vec![curvature, noise];
        frames.retain(|frame| frame.rows() > 0);
        frames
    }
}

/// What was measured of each run, in turn.
fn each<'t, R: 't>(
    runs: &'t [Run],
    of: impl Fn(&'t Run) -> &'t [R],
) -> impl Iterator<Item = (&'t Run, &'t R)> {
    runs.iter()
        .flat_map(move |run| of(run).iter().map(move |row| (run, row)))
}

/// What was measured and is not finite is not a number, whichever it was.
fn measured(value: Option<f64>) -> Option<f64> {
    value.map(|value| if value.is_finite() { value } else { f64::NAN })
}

/// The kind that holds all values of a setting: text (of the JSON) where they differ in kind.
pub(crate) fn kind<'a>(values: impl Iterator<Item = &'a Json>) -> Kind {
    let mut kinds = values
        .filter(|value| !value.is_null())
        .map(|value| match value {
            Json::Number(_) => Kind::Number,
            Json::Bool(_) => Kind::Flag,
            _ => Kind::Text,
        });
    let Some(first) = kinds.next() else {
        return Kind::Text;
    };
    if kinds.all(|kind| kind == first) {
        first
    } else {
        Kind::Text
    }
}

/// A setting's value as one of a kind.
pub(crate) fn setting(value: Option<&Json>, kind: Kind) -> Value {
    match (value, kind) {
        (None | Some(Json::Null), _) => Value::Null,
        (Some(value), Kind::Number) => value.as_f64().into(),
        (Some(value), Kind::Flag) => value.as_bool().into(),
        (Some(Json::String(text)), _) => text.into(),
        (Some(value), _) => value.to_string().into(),
    }
}

/// `damping=0.01,learning_rate=0.1`, for tables whose rows have settings of their own.
pub(super) fn fields_in_a_row(fields: &BTreeMap<String, Json>) -> String {
    let pairs: Vec<String> = fields
        .iter()
        .map(|(name, value)| match value {
            Json::String(text) => format!("{}={text}", plain_name(name)),
            value => format!("{}={value}", plain_name(name)),
        })
        .collect();
    pairs.join(",")
}
