//! From a stage as written to the settings of its manifest: defaults filled in, optional settings that are
//! off left out, lists whose order means nothing sorted.

use runs::settings::{Augment, BatchNorm, BurnIn, Divergence, Evaluation, NotBefore, Settings};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::schema::{By, Dataset, Heatmap, Report, Select, StepsToTarget, Train};

fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value)
        .unwrap_or_else(|error| unreachable!("settings are plain data: {error}"))
}

/// Settings of a kind that reads runs and tables; those themselves are inputs.
fn without_inputs<T: Serialize>(settings: &T) -> Map<String, Value> {
    let Value::Object(mut settings) = json(settings) else {
        unreachable!("settings are an object")
    };
    settings.retain(|key, _| !matches!(key.as_str(), "runs" | "include"));
    settings
}

/// Settings of kind `dataset`.
pub(crate) fn dataset(dataset: &Dataset) -> Map<String, Value> {
    let mut settings = Map::new();
    settings.insert("source".to_owned(), json(&dataset.source));
    if let Some(train) = dataset.train_examples() {
        settings.insert("train".to_owned(), json!(train));
    }
    settings.insert("validation".to_owned(), json!(dataset.validation));
    settings.insert("test".to_owned(), json!(dataset.test_examples()));
    settings.insert("split_seed".to_owned(), json!(dataset.split_seed));
    settings
}

/// Settings of kind `download`.
pub(crate) fn download(url: &str, sha256: &str) -> Map<String, Value> {
    Map::from_iter([
        ("url".to_owned(), json!(url)),
        ("sha256".to_owned(), json!(sha256)),
    ])
}

/// Settings of kind `train`, all of them.
pub(crate) fn train(mut run: Settings) -> Map<String, Value> {
    run.evaluation = sorted(run.evaluation);
    let mut settings = without_optional(&run);
    if run.batch_norm == BatchNorm::default() {
        settings.remove("batch_norm");
    }
    if run.divergence == Divergence::default() {
        settings.remove("divergence");
    }
    settings
}

/// Settings of kind `train` that a stage states beside those of a winner.
pub(crate) fn beside_a_winner(mut train: Train) -> Map<String, Value> {
    train.evaluation = train.evaluation.map(sorted);
    let mut settings = without_optional(&train);
    // Inputs and the stage's own bindings are no settings, and a warm-up is part of the schedule.
    let elsewhere = ["dataset", "configuration", "initial_weights", "warmup"];
    settings.retain(|key, value| !value.is_null() && !elsewhere.contains(&key.as_str()));
    if let (Some(warmup), Some(Value::Object(schedule))) =
        (&train.warmup, settings.get_mut("schedule"))
    {
        schedule.insert("warmup".to_owned(), json(warmup));
    }
    settings
}

fn without_optional<T: Serialize>(settings: &T) -> Map<String, Value> {
    let Value::Object(mut settings) = json(settings) else {
        unreachable!("settings are an object")
    };
    for (key, defaults) in optional() {
        if let Some(own) = settings.get_mut(key) {
            leave_out(own, &defaults);
        }
    }
    settings
}

/// Optional settings that are left out of a manifest at their defaults, so that what ran before there was such a
/// setting keeps its key.
fn optional() -> [(&'static str, Value); 4] {
    let mut evaluation = json(&Evaluation::default());
    if let Value::Object(evaluation) = &mut evaluation {
        // It stands in every manifest.
        evaluation.remove("spacing");
    }
    [
        ("augment", json(&Augment::default())),
        ("evaluation", evaluation),
        ("stop", json!({ "not_before": NotBefore::default() })),
        (
            "optimizer",
            json!({ "kfac": { "burn_in": BurnIn::default() } }),
        ),
    ]
}

/// Takes away what is inside and as in `defaults`.
fn leave_out(settings: &mut Value, defaults: &Value) {
    let (Value::Object(own), Value::Object(defaults)) = (settings, defaults) else {
        return;
    };
    for (key, default) in defaults {
        if own.get(key) == Some(default) {
            own.remove(key);
        } else if let Some(inner) = own.get_mut(key) {
            leave_out(inner, default);
        }
    }
}

/// Where in the settings the value at `path` of `train` is.
pub(crate) fn path_in_settings(path: &[String]) -> Vec<String> {
    if path.first().is_some_and(|first| first == "warmup") {
        std::iter::once("schedule".to_owned())
            .chain(path.iter().cloned())
            .collect()
    } else {
        path.to_vec()
    }
}

fn sorted(mut evaluation: Evaluation) -> Evaluation {
    evaluation
        .epochs
        .sort_by(|a, b| a.get().total_cmp(&b.get()));
    evaluation.epochs.dedup();
    evaluation.iterations.sort_unstable();
    evaluation.iterations.dedup();
    evaluation
}

/// Settings of kind `select`.
pub(crate) fn select(select: &Select) -> Map<String, Value> {
    let mut settings = without_inputs(select);
    // Steps to a target are not read at one point.
    if matches!(*select.by, By::StepsTo { .. }) {
        settings.remove("at");
    }
    settings
}

/// Settings of kind `steps_to_target`: each metric's levels from the easiest to the hardest.
pub(crate) fn steps_to_target(targets: &StepsToTarget) -> Map<String, Value> {
    Map::from_iter([("targets".to_owned(), json(&targets.sorted()))])
}

/// Settings of kind `heatmap`.
pub(crate) fn heatmap(heatmap: &Heatmap) -> Map<String, Value> {
    without_inputs(heatmap)
}

/// Settings of kind `report`.
pub(crate) fn report(report: &Report, study: &str) -> Map<String, Value> {
    let mut settings = without_inputs(report);
    let title = report.title.as_deref().unwrap_or(study);
    settings.insert("title".to_owned(), json!(title));
    settings
}

/// The value at `path` of an object.
pub(crate) fn get<'a>(settings: &'a Map<String, Value>, path: &[String]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter()
        .try_fold(settings.get(first)?, |value, key| value.get(key))
}

/// Sets or removes the value at `path` of an object.
pub(crate) fn set(settings: &mut Map<String, Value>, path: &[String], value: Option<Value>) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    if rest.is_empty() {
        match value {
            Some(value) => settings.insert(first.clone(), value),
            None => settings.remove(first),
        };
        return;
    }
    if value.is_none() && !settings.contains_key(first) {
        return;
    }
    let inner = settings
        .entry(first.clone())
        .or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(inner) = inner {
        set(inner, rest, value);
    }
}
