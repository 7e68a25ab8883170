//! From a stage as written to the settings of its manifest: defaults filled in, optional settings that are
//! off left out, lists whose order means nothing sorted.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::schema::{
    Augment, BatchNorm, By, Dataset, Evaluation, Heatmap, LastBatch, Report, Schedule, Select,
    StepsToTarget, Train,
};

fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value)
        .unwrap_or_else(|error| unreachable!("settings are plain data: {error}"))
}

/// Settings of a kind that reads runs; the runs themselves are inputs.
fn without_runs<T: Serialize>(settings: &T) -> Map<String, Value> {
    let Value::Object(mut settings) = json(settings) else {
        unreachable!("settings are an object")
    };
    settings.remove("runs");
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

/// Fills in what a stage without `configuration` leaves out.
pub(crate) fn with_defaults(mut train: Train) -> Train {
    train.seed.get_or_insert(0);
    train.schedule.get_or_insert(Schedule::Constant {});
    train.evaluation.get_or_insert_with(Evaluation::default);
    train.last_batch.get_or_insert(LastBatch::Drop);
    train.augment = train
        .augment
        .filter(|augment| *augment != Augment::default());
    train.batch_norm = train
        .batch_norm
        .filter(|statistics| *statistics != BatchNorm::Recompute);
    train
}

/// Settings of kind `train`: what `train` says, no more.
pub(crate) fn train(train: &Train) -> Map<String, Value> {
    let mut settings = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            settings.insert(key.to_owned(), value);
        }
    };
    put("model", train.model.as_ref().map(json));
    put("batch_size", train.batch_size.as_ref().map(json));
    put("learning_rate", train.learning_rate.as_ref().map(json));
    put("seed", train.seed.as_ref().map(json));
    put("budget", train.budget.as_ref().map(json));
    put("schedule", train.schedule.as_ref().map(json));
    put("optimizer", train.optimizer.as_ref().map(json));
    put("augment", train.augment.as_ref().map(json));
    put(
        "evaluation",
        train
            .evaluation
            .as_ref()
            .map(|evaluation| json(&sorted(evaluation))),
    );
    put("batch_norm", train.batch_norm.as_ref().map(json));
    put("ghost_batch", train.ghost_batch.as_ref().map(json));
    put("noise_scale", train.noise_scale.as_ref().map(json));
    put("stop", train.stop.as_ref().map(json));
    put("last_batch", train.last_batch.as_ref().map(json));
    if let (Some(warmup), Some(Value::Object(schedule))) =
        (&train.warmup, settings.get_mut("schedule"))
    {
        schedule.insert("warmup".to_owned(), json(warmup));
    }
    settings
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

fn sorted(evaluation: &Evaluation) -> Evaluation {
    let mut evaluation = evaluation.clone();
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
    let mut settings = without_runs(select);
    // Steps to a target are not read at one point.
    if matches!(select.by, By::StepsTo { .. }) {
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
    without_runs(heatmap)
}

/// Settings of kind `report`.
pub(crate) fn report(report: &Report, study: &str) -> Map<String, Value> {
    Map::from_iter([
        (
            "title".to_owned(),
            json!(report.title.as_deref().unwrap_or(study)),
        ),
        ("claims".to_owned(), json(&report.claims)),
    ])
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
