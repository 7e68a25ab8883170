//! What a study expands to.

mod inputs;
mod memory;

use engine::{Graph, Source, Stage};
use serde_json::json;
use study::Study;

const FULL: &str = include_str!("../studies/full.yaml");

fn expand(text: &str) -> Graph {
    match Study::parse("study.yaml", text) {
        Ok(study) => study.expand(),
        Err(mistakes) => panic!("{:?}", miette::Report::new(mistakes)),
    }
}

fn stage<'a>(graph: &'a Graph, name: &str) -> &'a Stage {
    graph.stage(
        graph
            .find(name)
            .unwrap_or_else(|| panic!("no stage {name}")),
    )
}

fn family(graph: &Graph, name: &str) -> usize {
    graph
        .stages()
        .iter()
        .filter(|stage| stage.family == name)
        .count()
}

#[test]
fn a_study_expands_to_the_product_of_its_sweeps() {
    let graph = expand(FULL);
    // 5 batch sizes, 4 x 4 values, 2 seeds; for each of 2 methods and 5 batch sizes 5 fresh seeds.
    assert_eq!(family(&graph, "kfac"), 5 * 4 * 4 * 2);
    assert_eq!(family(&graph, "sgd"), 5 * 4 * 4 * 2);
    assert_eq!(family(&graph, "confirmed"), 2 * 5 * 5);
    assert_eq!(graph.len(), 1 + 160 + 160 + 1 + 50 + 1 + 1 + 1);
    let study = Study::parse("study.yaml", FULL).unwrap();
    assert!(study.warnings().is_empty(), "{:?}", study.warnings());
    let total: u64 = study.summary().iter().map(|stage| stage.stages).sum();
    assert_eq!(total, graph.len() as u64);
    assert_eq!(study.name(), "digits");
}

#[test]
fn a_run_carries_the_settings_of_the_contract() {
    let graph = expand(FULL);
    let run = stage(
        &graph,
        "kfac/batch_size=16,damping=0.003,learning_rate=0.01,seed=1",
    );
    let expected = json!({
        "model": {"mlp": {"hidden": [32]}},
        "batch_size": 16, "learning_rate": 0.01, "seed": 1,
        "budget": {"epochs": 12.0, "adjusted_from_batch": 16},
        "schedule": {"constant": {}},
        "optimizer": {"kfac": {"damping": 0.003, "momentum": 0.9, "weight_decay": 0.0, "factor_decay": 0.95,
                      "factor_every": 1, "inverse_every": 10, "damping_method": "eigen", "fisher": "sampled"}},
        "evaluation": {"spacing": 1.1, "epochs": [12.0], "iterations": [60]},
        "last_batch": "drop"
    });
    assert_eq!(serde_json::Value::Object(run.settings.clone()), expected);
    assert_eq!(run.kind, "train");
    assert_eq!(run.inputs.len(), 1);
    assert_eq!(run.inputs[0].name, "dataset");
    let digits = stage(&graph, "digits");
    let expected =
        json!({"source": "digits", "train": 1280, "validation": 258, "test": 259, "split_seed": 7});
    assert_eq!(serde_json::Value::Object(digits.settings.clone()), expected);
}

#[test]
fn readers_carry_the_settings_of_the_contract() {
    let graph = expand(FULL);
    let settings = |name: &str| serde_json::Value::Object(stage(&graph, name).settings.clone());
    assert_eq!(
        settings("winners"),
        json!({"by": "validation_accuracy", "at": "end", "per": ["method", "batch_size"]})
    );
    assert_eq!(
        settings("targets"),
        json!({"targets": {"train_loss": [0.03, 0.01], "test_accuracy": [0.93]}})
    );
    assert_eq!(
        settings("sensitivity"),
        json!({
            "x": {"kfac": "damping", "sgd": "momentum"}, "y": "learning_rate", "value": "test_accuracy",
            "at": [{"epochs": 12.0}, {"iterations": 60}], "good": {"at_least": 0.9, "within": 0.02}
        })
    );
    assert_eq!(
        settings("report"),
        json!({
            "title": "Digits",
            "claims": [
                {"comparable_performance": {"margin": 0.02, "metric": "test_accuracy"}},
                {"diminishing_returns": {}},
                {"region_shrinks_at_fixed_epochs": {}},
                {"region_grows_at_fixed_iterations": {}},
                {"rates_and_dampings_correlate": {}},
                {"faster_per_iteration": {}},
                {"large_damping_is_sgd": {"margin": 0.01, "metric": "train_loss"}}
            ]
        })
    );
}

#[test]
fn winners_are_bound_one_by_one_and_trained_on_the_same_data() {
    let graph = expand(FULL);
    let run = stage(&graph, "confirmed/batch_size=64,method=sgd,seed=103");
    assert_eq!(
        serde_json::Value::Object(run.settings.clone()),
        json!({"seed": 103})
    );
    assert_eq!(run.bindings.len(), 1);
    assert_eq!(run.bindings[0].from, graph.find("winners").unwrap());
    assert_eq!(run.bindings[0].output, "configurations");
    assert_eq!(run.bindings[0].entry, "sgd/64");
    let Source::Stage { stage, ref output } = run.inputs[0].source else {
        panic!("not a file")
    };
    assert_eq!(
        (graph.stage(stage).name.as_str(), output.as_str()),
        ("digits", "dataset")
    );
}

#[test]
fn what_a_winner_s_run_states_itself_stays() {
    let text = FULL.replace(
        "train: { configuration: winners }",
        "train: { configuration: winners, budget: { iterations: 900 }, stop: { train_loss: 0.01, test_accuracy: 0.93 } }",
    );
    let graph = expand(&text);
    let run = stage(&graph, "confirmed/batch_size=64,method=sgd,seed=103");
    assert_eq!(
        serde_json::Value::Object(run.settings.clone()),
        json!({"seed": 103, "budget": {"iterations": 900}, "stop": {"train_loss": 0.01, "test_accuracy": 0.93}})
    );
}

#[test]
fn readers_get_the_curves_of_their_declared_runs_by_name() {
    let graph = expand(FULL);
    let inputs = |name: &str| -> Vec<String> {
        stage(&graph, name)
            .inputs
            .iter()
            .map(|i| i.name.clone())
            .collect()
    };
    assert_eq!(inputs("winners").len(), 320);
    assert_eq!(inputs("targets").len(), 370);
    let report = inputs("report");
    assert_eq!(report.len(), 370 + 3, "the tables, and each run once");
    for name in [
        "winners",
        "targets",
        "sensitivity",
        "sgd/batch_size=256,learning_rate=0.27,momentum=0.5,seed=0",
    ] {
        assert!(
            report.iter().any(|input| input == name),
            "{name} in {report:?}"
        );
    }
    let tables: Vec<&str> = stage(&graph, "report")
        .inputs
        .iter()
        .filter(|input| !input.name.contains('/'))
        .map(|input| match &input.source {
            Source::Stage { output, .. } => output.as_str(),
            Source::File(_) => "file",
        })
        .collect();
    assert_eq!(tables, ["heatmap", "targets", "winners"]);
}

#[test]
fn a_new_value_in_a_sweep_adds_runs_and_touches_no_other() {
    let before = expand(FULL);
    let after = expand(&FULL.replace("seed: [0, 1]", "seed: [2, 1, 0]"));
    assert_eq!(family(&after, "kfac"), 5 * 4 * 4 * 3);
    for old in before.stages().iter().filter(|stage| stage.kind == "train") {
        let new = stage(&after, &old.name);
        assert_eq!(
            (&new.settings, &new.coordinates),
            (&old.settings, &old.coordinates)
        );
    }
}

#[test]
fn a_stop_that_no_reader_minds_is_accepted() {
    let text = FULL
        .replace(
            "      evaluation:",
            "      stop: { train_loss: 0.01, test_accuracy: 0.93, not_before: { epochs: 12, iterations: 60 } }\n      evaluation:",
        )
        .replace("by: validation_accuracy", "by: { steps_to: { train_loss: 0.03 } }");
    let graph = expand(&text);
    assert_eq!(family(&graph, "confirmed"), 50);
    let settings = &stage(
        &graph,
        "sgd/batch_size=16,learning_rate=0.01,momentum=0.95,seed=0",
    )
    .settings;
    assert_eq!(
        settings["stop"],
        json!({"train_loss": 0.01, "test_accuracy": 0.93, "not_before": {"epochs": 12.0, "iterations": 60}})
    );
    let winners = serde_json::Value::Object(stage(&graph, "winners").settings.clone());
    assert_eq!(
        winners,
        json!({"by": {"steps_to": {"train_loss": 0.03}}, "per": ["method", "batch_size"]})
    );
}

#[test]
fn annealed_runs_serve_the_slice_at_their_end_each_its_own() {
    let text = r"
study: annealed
stages:
  data: { dataset: { source: digits, train: 1280, validation: 258, test: 259 } }
  epochs:
    train:
      dataset: data
      model: { mlp: { hidden: [32] } }
      budget: { epochs: 12 }
      schedule: cosine
      optimizer: kfac
    sweep: { batch_size: [16, 64], learning_rate: [0.1, 0.2], damping: [0.1, 0.2] }
  iterations: { like: epochs, train: { budget: { iterations: 300 } } }
  map:
    heatmap:
      runs: [epochs, iterations]
      x: damping
      y: learning_rate
      value: test_accuracy
      at: [{ epochs: 12 }, { iterations: 300 }]
      good: { within: 0.02 }
";
    let graph = expand(text);
    assert_eq!(stage(&graph, "map").inputs.len(), 16);
    assert!(
        Study::parse(
            "study.yaml",
            &text.replace("iterations: 300 }]", "iterations: 301 }]")
        )
        .is_err()
    );
}

#[test]
fn a_stage_like_another_differs_in_what_it_says() {
    let text = r"
study: s
stages:
  data: { dataset: { source: digits, validation: 100 } }
  base:
    train:
      dataset: data
      model: { mlp: { hidden: [16, 8] } }
      batch_size: 32
      learning_rate: 0.1
      budget: { epochs: 4, adjusted_from_batch: 32 }
      optimizer: { kfac: { damping: 0.01, inverse_every: 5 } }
      evaluation: { spacing: 1.5, epochs: [1] }
  other:
    like: base
    train:
      budget: { iterations: 7 }
      optimizer: { kfac: { damping: 0.1 } }
      evaluation: { epochs: [2] }
  third: { like: other, train: { optimizer: sgd, evaluation: null } }
";
    let graph = expand(text);
    let other = &stage(&graph, "other").settings;
    assert_eq!(
        other["budget"],
        json!({"iterations": 7}),
        "replaced as a whole"
    );
    assert_eq!(other["optimizer"]["kfac"]["damping"], json!(0.1));
    assert_eq!(
        other["optimizer"]["kfac"]["inverse_every"],
        json!(5),
        "merged"
    );
    assert_eq!(
        other["evaluation"],
        json!({"spacing": 1.5, "epochs": [2.0]})
    );
    assert_eq!(other["model"], json!({"mlp": {"hidden": [16, 8]}}));
    let third = &stage(&graph, "third").settings;
    assert_eq!(
        third["optimizer"],
        json!({"sgd": {"momentum": 0.9, "weight_decay": 0.0}})
    );
    assert_eq!(third["evaluation"], json!({"spacing": 1.1}));
    assert_eq!(third["budget"], json!({"iterations": 7}));
}

#[test]
fn the_paper_s_grid_expands_to_its_thousands_of_runs() {
    let text = r"
study: paper
stages:
  c: { dataset: { source: cifar10, path: cifar.tar.gz, validation: 5000 } }
  kfac:
    train:
      dataset: c
      model: resnet20
      budget: { epochs: 100, adjusted_from_batch: 128 }
      schedule: { step: { factor: 0.1, at: [0.4, 0.8] } }
      warmup: { epochs: 5 }
      augment: { pad_crop: 4, flip: true }
      optimizer: { kfac: { weight_decay: 5e-4, factor_every: 10, inverse_every: 100 } }
    sweep:
      batch_size: { powers_of_two: [128, 16384] }
      learning_rate: { geometric: { from: 1e-3, ratio: 3, count: 8 } }
      damping: { geometric: { from: 1e-4, ratio: 3, count: 8 } }
      seed: { linear: { from: 0, step: 1, count: 18 } }
";
    let graph = expand(text);
    assert_eq!(family(&graph, "kfac"), 9216);
    let run = stage(
        &graph,
        "kfac/batch_size=16384,damping=0.2187,learning_rate=2.187,seed=17",
    );
    assert_eq!(
        run.settings["schedule"],
        json!({"step": {"factor": 0.1, "at": [0.4, 0.8]}, "warmup": {"epochs": 5.0}})
    );
    assert_eq!(
        run.settings["augment"],
        json!({"pad_crop": 4, "flip": true})
    );
    assert_eq!(run.settings["optimizer"]["kfac"]["damping"], json!(0.2187));
    assert_eq!(run.settings["model"], json!("resnet20"));
}

#[test]
fn every_optimizer_has_its_settings_swept_by_their_plain_names_and_zero_weight_decay_by_default() {
    for (method, setting) in [
        ("sgd", "momentum"),
        ("adamw", "beta_2"),
        ("lamb", "epsilon"),
        ("lion", "beta_1"),
        ("muon", "momentum"),
    ] {
        let study = format!(
            "study: rules\nstages:\n  data: {{ dataset: {{ source: digits, train: 1000, test: 300 }} }}\n  \
             runs:\n    train:\n      dataset: data\n      model: {{ mlp: {{ hidden: [8] }} }}\n      \
             optimizer: {method}\n      batch_size: 50\n      learning_rate: 0.1\n      \
             budget: {{ epochs: 1 }}\n    sweep: {{ {setting}: [0.5, 0.75] }}\n  \
             best: {{ select: {{ runs: [runs], by: test_accuracy }} }}\n"
        );
        let graph = expand(&study);
        let name = format!("runs/{setting}=0.75");
        let settings = &stage(&graph, &name).settings["optimizer"][method];
        assert_eq!(settings[setting], json!(0.75), "{method}");
        assert_eq!(settings["weight_decay"], json!(0.0), "{method}");
    }
}
