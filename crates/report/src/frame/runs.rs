//! Frames of runs: the runs themselves, their evaluations, their losses, what else they measured.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value as Json;

use super::{Frame, Kind, Value};
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

    fn frame(&self, name: &str, more: &[(&str, Kind)]) -> Frame {
        let more = more.iter().map(|(name, kind)| ((*name).to_owned(), *kind));
        Frame::new(name, self.columns.iter().cloned().chain(more))
    }

    /// # Panics
    /// If the run is not one of those that the coordinates were made of.
    fn row(&self, run: &Run) -> impl Iterator<Item = Value> + '_ {
        self.rows[&run.label].iter().cloned()
    }

    /// `runs`: one row a run, with its outcome and all its settings as `settings.PATH`.
    pub fn runs(&self, runs: &[Run]) -> Frame {
        let flats: Vec<Flat> = runs.iter().map(|run| flatten(&run.settings.all)).collect();
        let paths: BTreeSet<&String> = flats.iter().flat_map(BTreeMap::keys).collect();
        let settings: Vec<(&String, Kind)> = paths
            .into_iter()
            .map(|path| (path, kind(flats.iter().filter_map(|flat| flat.get(path)))))
            .collect();
        let names: Vec<String> = settings
            .iter()
            .map(|(path, _)| format!("settings.{path}"))
            .collect();
        let mut more = vec![
            ("outcome", Kind::Text),
            ("outcome_step", Kind::Integer),
            ("budget_steps", Kind::Integer),
            ("steps_per_epoch", Kind::Integer),
            ("train_examples", Kind::Integer),
            ("parameters", Kind::Integer),
        ];
        more.extend(
            names
                .iter()
                .zip(&settings)
                .map(|(name, (_, kind))| (name.as_str(), *kind)),
        );
        let mut frame = self.frame("runs", &more);
        for (run, flat) in runs.iter().zip(&flats) {
            let (outcome, step) = match run.outcome {
                Outcome::Finished => ("finished", run.budget_steps),
                Outcome::Diverged { step } => ("diverged", step),
                Outcome::Stopped { step } => ("stopped", step),
            };
            let own = [
                outcome.into(),
                step.into(),
                run.budget_steps.into(),
                run.steps_per_epoch.into(),
                run.train_examples.into(),
                run.parameters.into(),
            ];
            let settings = settings
                .iter()
                .map(|(path, kind)| setting(flat.get(*path), *kind));
            frame.push(self.row(run).chain(own).chain(settings));
        }
        frame
    }

    /// `evaluations`: one row an evaluation; losses in nats, accuracies from 0 to 1.
    pub fn evaluations(&self, runs: &[Run]) -> Frame {
        let mut more = vec![
            ("step", Kind::Integer),
            ("examples", Kind::Integer),
            ("epoch", Kind::Number),
        ];
        more.extend(Metric::ALL.map(|metric| (metric.name(), Kind::Number)));
        let mut frame = self.frame("evaluations", &more);
        for run in runs {
            for evaluation in &run.evaluations {
                let own = [
                    evaluation.step.into(),
                    evaluation.examples.into(),
                    (evaluation.step as f64 / run.steps_per_epoch as f64).into(),
                ];
                let metrics =
                    Metric::ALL.map(|metric| measured(metric.measured(evaluation)).into());
                frame.push(self.row(run).chain(own).chain(metrics));
            }
        }
        frame
    }

    /// `losses`: one row an update of some of the runs that has one, the mini-batch loss before it (nats) and its
    /// learning rate (`rate`). A study's losses are many: take runs of [`LOSS_ROWS`] updates or so at a
    /// time.
    pub fn losses(&self, runs: &[Run]) -> Frame {
        let more = [
            ("step", Kind::Integer),
            ("loss", Kind::Single),
            ("rate", Kind::Number),
        ];
        let mut frame = self.frame("losses", &more);
        for run in runs {
            for (step, loss, rate) in run.updates.rows() {
                let known = (!loss.is_nan()).then_some(f64::from(loss));
                let loss = measured(known).map(|loss| loss as f32);
                let own = [step.into(), loss.into(), rate.into()];
                frame.push(self.row(run).chain(own));
            }
        }
        frame
    }

    /// `curvature` and `noise`: one row a measurement, where the runs have any.
    pub fn measurements(&self, runs: &[Run]) -> Vec<Frame> {
        let named = |name, first, second| {
            self.frame(
                name,
                &[
                    ("step", Kind::Integer),
                    (first, Kind::Number),
                    (second, Kind::Number),
                ],
            )
        };
        let mut curvature = named("curvature", "median", "largest");
        let mut noise = named("noise", "trace", "gradient");
        for run in runs {
            for at in &run.curvature {
                let own = [at.step.into(), at.median.into(), at.largest.into()];
                curvature.push(self.row(run).chain(own));
            }
            for at in &run.noise {
                let own = [at.step.into(), at.trace.into(), at.gradient.into()];
                noise.push(self.row(run).chain(own));
            }
        }
        let mut frames = vec![curvature, noise];
        frames.retain(|frame| frame.rows() > 0);
        frames
    }
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

/// `{"damping": 0.01}` as one text, for tables whose rows have settings of their own.
pub(crate) fn parameters(parameters: &BTreeMap<String, Json>) -> Value {
    fields_in_a_row(parameters).into()
}

/// `damping=0.01,learning_rate=0.1`
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
