//! Files that stages read: of data sets, weights and folders.

use super::*;

/// The inputs of the data set `c` with this under `dataset`, each with its file, relative to the study's folder.
fn files(folder: &std::path::Path, dataset: &str) -> Vec<(String, String)> {
    let path = folder.join("study.yaml");
    let text = format!("study: s\nstages: {{ c: {{ dataset: {{ {dataset} }} }} }}");
    std::fs::write(&path, text).unwrap();
    let graph = Study::load(&path).unwrap().expand();
    let name = |input: &engine::Input| {
        let place = match &input.source {
            Source::File(path) => path.strip_prefix(folder).unwrap().display().to_string(),
            Source::Stage { stage, output } => {
                format!("{output} of {}", graph.stage(*stage).name)
            }
        };
        (input.name.clone(), place)
    };
    stage(&graph, "c").inputs.iter().map(name).collect()
}

#[test]
fn a_data_set_on_disk_is_an_input_and_no_setting() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("study.yaml");
    let text = "study: s\nstages: { c: { dataset: { source: cifar10, path: data/cifar.tar.gz, validation: 5000 } } }";
    std::fs::write(&path, text).unwrap();
    let graph = Study::load(&path).unwrap().expand();
    let stage = stage(&graph, "c");
    // 50,000 images to train on and 10,000 to test, as CIFAR-10 is distributed.
    assert_eq!(
        serde_json::Value::Object(stage.settings.clone()),
        json!({"source": "cifar10", "train": 45_000, "validation": 5000, "test": 10_000, "split_seed": 0})
    );
    assert_eq!(stage.inputs[0].name, "cifar-10-binary.tar.gz");
    assert_eq!(
        stage.inputs[0].source,
        Source::File(folder.path().join("data/cifar.tar.gz"))
    );
}

#[test]
fn initial_weights_are_an_input_of_every_run_and_cannot_be_swept() {
    let study = |sweep: &str| {
        format!(
            "{{study: s, stages: {{
                data: {{dataset: {{source: digits, train: 100}}}},
                sgd: {{train: {{dataset: data, model: {{mlp: {{hidden: []}}}}, batch_size: 10, learning_rate: 0.1,
                              budget: {{epochs: 1}}, optimizer: {{sgd: {{}}}}, initial_weights: weights.safetensors}},
                      sweep: {{{sweep}}}}}}}}}"
        )
    };
    let graph = expand(&study("seed: [0, 1]"));
    let runs = graph.stages().iter().filter(|stage| stage.kind == "train");
    for run in runs {
        let weights = run.inputs.iter().find(|it| it.name == "initial_weights");
        let Source::File(path) = &weights.unwrap().source else {
            panic!("a file")
        };
        assert!(path.ends_with("weights.safetensors"));
        assert!(!run.settings.contains_key("initial_weights"));
    }
    let Err(mistakes) = Study::parse("study.yaml", &study("initial_weights: [a, b]")) else {
        panic!("a sweep over files")
    };
    let text = format!("{:?}", miette::Report::new(mistakes));
    assert!(text.contains("`initial_weights` cannot be swept"), "{text}");
}

#[test]
fn a_folder_is_read_file_by_file() {
    let folder = tempfile::tempdir().unwrap();
    let pair = |name: &str| (name.to_owned(), format!("data/{name}"));
    let cifar10 = files(folder.path(), "source: cifar10, path: ./data");
    let mut expected: Vec<_> = (1..=5)
        .map(|batch| pair(&format!("data_batch_{batch}.bin")))
        .collect();
    expected.push(pair("test_batch.bin"));
    assert_eq!(cifar10, expected);
    assert_eq!(
        files(folder.path(), "source: svhn, path: data"),
        [pair("test_32x32.mat"), pair("train_32x32.mat")]
    );
    assert_eq!(
        files(folder.path(), "source: svhn, path: data, extra: true")[0],
        pair("extra_32x32.mat")
    );
}

#[test]
fn files_of_mnist_may_be_compressed_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let read = || files(folder.path(), "source: mnist, path: data");
    let plain = "train-labels-idx1-ubyte";
    let compressed = format!("data/{plain}.gz");
    assert_eq!(read()[3], (plain.to_owned(), compressed));
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data").join(plain), "").unwrap();
    assert_eq!(read()[3], (plain.to_owned(), format!("data/{plain}")));
}

#[test]
fn a_file_to_download_is_a_stage_of_its_own() {
    let (a, b) = ("a".repeat(64), "B".repeat(64));
    let text = format!(
        "study: s\nstages: {{ c: {{ dataset: {{ source: svhn, url: http://x.org/digits/, validation: 7, sha256: \
         {{ train_32x32.mat: {a}, test_32x32.mat: {b} }} }}, execution: {{ retries: 2 }} }} }}"
    );
    let graph = Study::parse("study.yaml", &text).unwrap().expand();
    let test = stage(&graph, "c/download=test_32x32.mat");
    assert_eq!(
        (test.kind.as_str(), test.family.as_str()),
        ("download", "c")
    );
    assert_eq!(test.execution.retries, 2);
    assert_eq!(
        serde_json::Value::Object(test.settings.clone()),
        json!({"url": "http://x.org/digits/test_32x32.mat", "sha256": "b".repeat(64)})
    );
    let inputs = &stage(&graph, "c").inputs;
    assert_eq!(inputs.len(), 2);
    assert_eq!(inputs[1].name, "train_32x32.mat");
    assert_eq!(
        inputs[1].source,
        Source::Stage {
            stage: graph.find("c/download=train_32x32.mat").unwrap(),
            output: "file".to_owned()
        }
    );
    // One address for the only file.
    let text = format!(
        "study: s\nstages: {{ c: {{ dataset: {{ source: cifar10, url: https://x.org/c.tgz, sha256: {a} }} }} }}"
    );
    let graph = Study::parse("study.yaml", &text).unwrap().expand();
    let download = stage(&graph, "c/download=cifar-10-binary.tar.gz");
    assert_eq!(download.settings["url"], "https://x.org/c.tgz");
}
