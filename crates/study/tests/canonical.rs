//! How a study is written changes nothing; what it says changes its keys.

use std::collections::BTreeMap;

use engine::Graph;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value, json};
use study::Study;

/// A stage's settings, bindings and names of inputs, by its name.
type Stages = BTreeMap<String, (String, Map<String, Value>, Vec<String>, Vec<String>)>;

fn stages(text: &str) -> Stages {
    let graph: Graph = match Study::parse("study.yaml", text) {
        Ok(study) => study.expand(),
        Err(mistakes) => panic!("{:?}\n{text}", miette::Report::new(mistakes)),
    };
    let all = graph.stages().iter().map(|stage| {
        let entries = stage
            .bindings
            .iter()
            .map(|binding| binding.entry.clone())
            .collect();
        let inputs = stage
            .inputs
            .iter()
            .map(|input| input.name.clone())
            .collect();
        (
            stage.name.clone(),
            (stage.kind.clone(), stage.settings.clone(), entries, inputs),
        )
    });
    all.collect()
}

/// A study with every setting of `train` at a value other than its default.
fn maximal() -> Value {
    json!({
        "study": "maximal",
        "stages": {
            "data": {"dataset": {"source": "digits", "train": 1000, "validation": 200, "test": 300, "split_seed": 3}},
            "kfac": {
                "train": {
                    "dataset": "data",
                    "model": {"mlp": {"hidden": [32, 16]}},
                    "batch_size": 50,
                    "learning_rate": 0.05,
                    "seed": 5,
                    "budget": {"epochs": 12, "adjusted_from_batch": 25},
                    "schedule": {"step": {"factor": 0.1, "at": [0.4, 0.8]}},
                    "warmup": {"epochs": 1.5},
                    "optimizer": {"kfac": {
                        "damping": 0.003, "momentum": 0.8, "weight_decay": 0.0005, "factor_decay": 0.9,
                        "factor_every": 2, "inverse_every": 20, "delay": 15, "damping_method": "factored",
                        "fisher": "empirical", "kl_clip": 0.001,
                        "burn_in": {"batches": 10, "examples_per_dimension": 11}
                    }},
                    "augment": {"pad_crop": 1, "flip": true},
                    "evaluation": {"spacing": 1.2, "epochs": [12, 6], "iterations": [100, 200], "train_subset": 500, "test_predictions": true,
                                   "statistics_examples": 256},
                    "batch_norm": "running",
                    "ghost_batch": 25,
                    "noise_scale": {"small": 16, "batches": 8},
                    "initial_weights": "weights.safetensors",
                    "stop": {"train_loss": 0.01, "train_accuracy": 0.999, "validation_loss": 0.1,
                             "validation_accuracy": 0.96, "test_loss": 0.11, "test_accuracy": 0.95,
                             "not_before": {"epochs": 30, "iterations": 700}},
                    "last_batch": "keep",
                    "divergence": {"factor": 10, "steps": 20}
                }
            },
            "targets": {"steps_to_target": {"runs": ["kfac"], "train_loss": [0.5, 0.1], "test_accuracy": [0.9, 0.95]}}
        }
    })
}

/// The same without `kfac.train.sweep`, with a sweep, so that its order can vary.
fn swept() -> Value {
    let mut study = maximal();
    let kfac = &mut study["stages"]["kfac"];
    kfac["train"].as_object_mut().unwrap().remove("batch_size");
    kfac["train"]["optimizer"]["kfac"]
        .as_object_mut()
        .unwrap()
        .remove("damping");
    kfac["sweep"] =
        json!({"batch_size": [25, 50, 100], "damping": [0.003, 0.01], "seed": [0, 1, 2]});
    study
}

/// Writes a study in flow style, its keys, numbers and layout varied by `choices`.
struct Writer<'a> {
    choices: &'a [Index],
    next: usize,
}

impl Writer<'_> {
    fn choose(&mut self, of: usize) -> usize {
        let index = self.choices[self.next % self.choices.len()];
        self.next += 1;
        index.index(of)
    }

    fn write(&mut self, value: &Value, shuffle: bool) -> String {
        let space = ["", " ", "\n  ", " # a comment: {\n   "][self.choose(4)];
        match value {
            Value::Object(object) => {
                let mut keys: Vec<&String> = object.keys().collect();
                for i in (1..keys.len()).rev() {
                    let j = self.choose(i + 1);
                    keys.swap(i, j);
                }
                let entries: Vec<String> = keys
                    .into_iter()
                    .map(|key| {
                        let quoted = ["", "\""][self.choose(2)];
                        // The order of what is swept, evaluated and aimed at means nothing.
                        let sets = [
                            "seed",
                            "damping",
                            "epochs",
                            "iterations",
                            "train_loss",
                            "test_accuracy",
                        ];
                        let inner =
                            self.write(&object[key], shuffle || sets.contains(&key.as_str()));
                        format!("{space}{quoted}{key}{quoted}: {inner}")
                    })
                    .collect();
                format!("{{{}{space}}}", entries.join(","))
            }
            Value::Array(list) => {
                let mut items: Vec<String> =
                    list.iter().map(|item| self.write(item, false)).collect();
                if shuffle {
                    let by = self.choose(items.len());
                    items.rotate_left(by);
                }
                format!("[{}]", items.join(", "))
            }
            Value::Number(number) => {
                let x = number.as_f64().unwrap();
                match self.choose(4) {
                    0 => format!("{x:e}"),
                    1 => format!("{x:E}"),
                    2 if x.fract() == 0.0 => format!("{x:.1}"),
                    3 => format!("+{number}"),
                    _ => number.to_string(),
                }
            }
            Value::String(text) => match self.choose(3) {
                0 => format!("'{text}'"),
                1 => format!("\"{text}\""),
                _ => text.clone(),
            },
            other => other.to_string(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn comments_key_order_number_spelling_and_order_of_values_change_nothing(
        choices in prop::collection::vec(any::<Index>(), 200)
    ) {
        let study = swept();
        let text = Writer { choices: &choices, next: 0 }.write(&study, false);
        prop_assert_eq!(stages(&text), stages(&study.to_string()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_cut_or_copied_is_a_study_or_a_mistake_in_it(
        cuts in prop::collection::vec((any::<Index>(), any::<Index>(), any::<Index>(), any::<bool>()), 1..4)
    ) {
        let mut text: Vec<char> = include_str!("studies/full.yaml").chars().collect();
        for (from, length, to, copy) in cuts {
            let from = from.index(text.len());
            let piece = text[from..].iter().copied().take(length.index(40)).collect::<Vec<_>>();
            if copy {
                let to = to.index(text.len());
                text.splice(to..to, piece);
            } else {
                text.drain(from..from + piece.len());
            }
        }
        let text: String = text.into_iter().collect();
        match Study::parse("study.yaml", &text) {
            Ok(study) => prop_assert_eq!(
                study.summary().iter().map(|stage| stage.stages).sum::<u64>(),
                study.expand().len() as u64
            ),
            Err(mistakes) => {
                prop_assert!(mistakes.len() > 0);
                for mistake in &mistakes {
                    // In bounds, and between letters.
                    prop_assert!(mistake.span().is_none_or(|span| text.get(span).is_some()), "{mistake}");
                }
            }
        }
    }
}

#[test]
fn anchors_merge_keys_and_likes_are_as_good_as_copies() {
    let copies = r"
study: s
stages:
  data: { dataset: { source: digits, validation: 100 } }
  a: { train: { dataset: data, model: { mlp: { hidden: [8] } }, batch_size: 32, learning_rate: 0.1, budget: { epochs: 4 }, optimizer: { sgd: {} } } }
  b: { train: { dataset: data, model: { mlp: { hidden: [8] } }, batch_size: 64, learning_rate: 0.1, budget: { epochs: 4 }, optimizer: { sgd: {} } } }
";
    let anchors = r"
study: s
stages:
  data: { dataset: { source: digits, validation: 100 } }
  a:
    train: &train { dataset: data, model: &model { mlp: { hidden: [8] } }, batch_size: 32, learning_rate: 1e-1, budget: { epochs: 4 }, optimizer: sgd }
  b:
    train:
      <<: *train
      model: *model
      batch_size: 64
";
    let like = r"
study: s
stages:
  b: { like: a, train: { batch_size: 64 } }
  a: { train: { dataset: data, model: { mlp: { hidden: [8] } }, batch_size: 32, learning_rate: 0.1, budget: { epochs: 4 }, optimizer: sgd } }
  data: { dataset: { source: digits, validation: 100 } }
";
    assert_eq!(stages(anchors), stages(copies));
    assert_eq!(stages(like), stages(copies));
}

#[test]
fn a_default_written_out_is_as_good_as_none() {
    let short = r"
study: s
stages:
  data: { dataset: { source: digits, validation: 100 } }
  a: { train: { dataset: data, model: { mlp: { hidden: [8] } }, batch_size: 32, learning_rate: 0.1, budget: { epochs: 4 }, optimizer: { kfac: { damping: 0.1 } } } }
";
    let long = r"
study: s
stages:
  data: { dataset: { source: digits, train: 1697, validation: 100, test: 0, split_seed: 0 } }
  a:
    train:
      dataset: data
      model: { mlp: { hidden: [8] } }
      batch_size: 32
      learning_rate: 0.1
      seed: 0
      budget: { epochs: 4 }
      schedule: { constant: {} }
      optimizer: { kfac: { damping: 0.1, momentum: 0.9, weight_decay: 0, factor_decay: 0.95, factor_every: 1,
        inverse_every: 10, delay: 0, damping_method: eigen, fisher: sampled, kl_clip: null,
        burn_in: { batches: 0, examples_per_dimension: 0 } } }
      augment: { pad_crop: 0, flip: false }
      evaluation: { spacing: 1.1, epochs: [], iterations: [], statistics_examples: 1024 }
      batch_norm: recompute
      last_batch: drop
";
    assert_eq!(stages(long), stages(short));
}

/// Every leaf of a JSON value with its path.
fn leaves(value: &Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    match value {
        Value::Object(object) => {
            for (key, inner) in object {
                path.push(key.clone());
                leaves(inner, path, found);
                path.pop();
            }
        }
        Value::Array(list) => {
            for (index, inner) in list.iter().enumerate() {
                path.push(index.to_string());
                leaves(inner, path, found);
                path.pop();
            }
        }
        _ => found.push(path.clone()),
    }
}

/// Another value of the same setting.
fn perturbed(path: &[String], value: &Value) -> Value {
    let key = path
        .iter()
        .rev()
        .find(|key| key.parse::<usize>().is_err())
        .unwrap();
    match value {
        Value::Number(number) if number.is_u64() => json!(number.as_u64().unwrap() + 1),
        Value::Number(number) => json!(number.as_f64().unwrap() * 1.001),
        Value::Bool(flag) => json!(!flag),
        _ => json!(match key.as_str() {
            "damping_method" => "factored_spectral",
            "fisher" => "sampled",
            "batch_norm" => "recompute",
            "last_batch" => "drop",
            other => panic!("how to change {other}?"),
        }),
    }
}

#[test]
fn every_setting_of_a_run_is_in_its_text() {
    let study = maximal();
    let train = &study["stages"]["kfac"]["train"];
    // Nothing is left out of the study above: a new key of `train` makes this fail.
    let schema = study::json_schema();
    for (definition, written) in [
        ("Train", train),
        ("Kfac", &train["optimizer"]["kfac"]),
        (
            "Budget",
            &json!({"epochs": 0, "adjusted_from_batch": 0, "iterations": 0}),
        ),
        ("Step", &train["schedule"]["step"]),
        ("BurnIn", &train["optimizer"]["kfac"]["burn_in"]),
        ("Augment", &train["augment"]),
        ("Evaluation", &train["evaluation"]),
        ("NoiseScale", &train["noise_scale"]),
        ("Stop", &train["stop"]),
        ("NotBefore", &train["stop"]["not_before"]),
    ] {
        let known: Vec<&String> = schema["$defs"][definition]["properties"]
            .as_object()
            .unwrap()
            .keys()
            .collect();
        let here: Vec<&String> = written.as_object().unwrap().keys().collect();
        let missing: Vec<_> = known
            .iter()
            .filter(|key| !here.contains(key) && **key != "configuration")
            .collect();
        assert!(
            missing.is_empty(),
            "{definition} has {missing:?}, which the study does not set"
        );
    }
    let mut paths = Vec::new();
    leaves(train, &mut Vec::new(), &mut paths);
    assert!(paths.len() > 40, "{paths:?}");
    let before = stages(&study.to_string());
    let settings = &before["kfac"].1;
    let inputs = ["dataset", "initial_weights"];
    for path in paths
        .iter()
        .filter(|path| !inputs.contains(&path[0].as_str()))
    {
        let pointer = format!("/stages/kfac/train/{}", path.join("/"));
        let mut changed = study.clone();
        let leaf = changed.pointer_mut(&pointer).unwrap();
        *leaf = perturbed(path, leaf);
        let after = stages(&changed.to_string());
        assert_ne!(&after["kfac"].1, settings, "{pointer} changes nothing");
    }
    // The data set is an input, and so are weights.
    let mut changed = study.clone();
    changed["stages"]["kfac"]["train"]["initial_weights"] = json!("others.safetensors");
    assert_eq!(&stages(&changed.to_string())["kfac"].1, settings);
    let mut changed = study.clone();
    changed["stages"]["other"] = study["stages"]["data"].clone();
    changed["stages"]["kfac"]["train"]["dataset"] = json!("other");
    assert_eq!(&stages(&changed.to_string())["kfac"].1, settings);
}

#[test]
fn every_setting_of_a_data_set_is_in_its_text() {
    let study = maximal();
    let before = stages(&study.to_string());
    for key in ["train", "validation", "test", "split_seed"] {
        let mut changed = study.clone();
        let leaf = &mut changed["stages"]["data"]["dataset"][key];
        *leaf = json!(leaf.as_u64().unwrap() + 1);
        assert_ne!(
            stages(&changed.to_string())["data"].1,
            before["data"].1,
            "{key} changes nothing"
        );
    }
}
