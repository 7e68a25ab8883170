//! The page on foreign programs, followed to the letter, on logs that the loggers themselves wrote.
//!
//! `loggers/` has what `CSVLogger` of Lightning 2.6, the trainer of transformers 5.24, `CSVLogger` of Keras 3.15 and
//! the download of Tensorboard 2.20 gave for softmax regressions, and the file store of `MLflow` 3.17 for the same numbers;
//! the export of Weights & Biases and the JSON Lines are of these by hand.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::lab::{Lab, stderr, stdout};

const PAGE: &str = include_str!("../../../../doc/foreign-programs.md");

/// A lab with a study of the page.
fn lab(name: &str) -> Lab {
    let start = format!("```yaml\n# {name}.yaml\n");
    let at = PAGE
        .find(&start)
        .unwrap_or_else(|| panic!("the page has {name}"));
    let study = &PAGE[at + start.len()..];
    Lab::new(&study[..study.find("```").expect("the example ends")])
}

/// Puts a script there that does what a training script with the logger does, and a `python3` that runs it.
fn script(lab: &Lab, writes: &str, log: &str) {
    let folder = writes.rsplit_once('/').map_or(".", |(folder, _)| folder);
    let script = format!(
        "mkdir -p {folder}\ncat > {writes} <<'END'\n{log}\nEND\necho left > {folder}/hparams.yaml\n"
    );
    let script = if folder == "." {
        script.replace("echo left > ./hparams.yaml\n", "")
    } else {
        script
    };
    fs::write(lab.path("train.py"), script).expect("a file");
    fs::create_dir(lab.path("bin")).expect("a folder");
    let python = lab.path("bin/python3");
    fs::write(&python, "#!/bin/sh\nexec /bin/sh \"$1\"\n").expect("a file");
    fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).expect("it is executable");
}

/// Runs to the end; gives what the export has of the first run's evaluations.
fn exported(lab: &Lab) -> String {
    let path = format!(
        "{}:{}",
        lab.path("bin").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let run = lab
        .command(&["run", "study.yaml"])
        .env("PATH", path)
        .output();
    let run = run.expect("the binary starts");
    assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
    let export = lab.output(&["export", "study.yaml", "--output", "out"]);
    assert_eq!(export.status.code(), Some(0), "{}", stderr(&export));
    fs::read_to_string(lab.path("out/evaluations.csv")).expect("evaluations")
}

/// The cells of a column at a step, one for each run.
fn cells(csv: &str, step: u64, column: &str) -> Vec<String> {
    let mut lines = csv.lines();
    let header: Vec<&str> = lines.next().expect("a header").split(',').collect();
    // From the end: names of runs, at the beginning, have commas in them.
    let place = |name: &str| {
        let at = header.iter().rev().position(|one| *one == name);
        at.unwrap_or_else(|| panic!("no {name} in {header:?}"))
    };
    let (at, of) = (place("step"), place(column));
    let cells = lines.map(|line| line.rsplit(',').collect::<Vec<_>>());
    cells
        .filter(|cells| cells[at] == step.to_string())
        .map(|cells| cells[of].to_owned())
        .collect()
}

#[test]
fn a_lightning_script_is_followed_from_its_metrics_file_to_the_report() {
    let lab = lab("lightning");
    let log = include_str!("loggers/lightning.csv");
    script(&lab, "lightning_logs/version_0/metrics.csv", log);
    let evaluations = exported(&lab);
    // The validation after the first 8 updates, which Lightning has under 7; six runs.
    assert_eq!(
        cells(&evaluations, 8, "validation_loss"),
        ["0.5866794586181641"; 6]
    );
    assert_eq!(
        cells(&evaluations, 48, "validation_accuracy"),
        ["0.925000011920929"; 6]
    );
    assert_eq!(
        cells(&evaluations, 48, "train_loss"),
        ["0.3104138970375061"; 6]
    );
    let page = fs::read_to_string(lab.path("reports/lightning.html")).expect("the page");
    assert!(page.contains("A Lightning script") && page.contains("learning_rate=0.5"));
    assert!(!page.contains("0 parameters"), "nobody said how many");
}

#[test]
fn a_log_beside_the_study_is_shown_as_it_is_understood() {
    let lab = lab("lightning");
    fs::create_dir_all(lab.path("lightning_logs/version_0")).expect("a folder");
    let path = lab.path("lightning_logs/version_0/metrics.csv");
    fs::write(&path, include_str!("loggers/lightning.csv")).expect("a file");
    let said = stdout(&lab.output(&["check", "study.yaml"]));
    assert!(
        said.contains("  step 4: loss 0.7255492806434631\n"),
        "{said}"
    );
    assert!(said.contains("  12 rows, 48 steps of 48\n"), "{said}");
    fs::write(&path, "epoch,step,val_los\n0,7,0.5\n").expect("a file");
    let said = stdout(&lab.output(&["check", "study.yaml"]));
    assert!(
        said.contains("cannot be read as curves:")
            && said.contains("it has `epoch`, `step`, `val_los`"),
        "{said}"
    );
}

#[test]
fn what_a_hugging_face_trainer_saved_is_a_curve_without_its_summary() {
    let lab = lab("huggingface");
    script(
        &lab,
        "out/trainer_state.json",
        include_str!("loggers/trainer_state.json"),
    );
    let evaluations = exported(&lab);
    assert_eq!(
        cells(&evaluations, 8, "validation_loss"),
        ["0.5512174367904663"; 3]
    );
    // The mean of the summary.
    assert!(!evaluations.contains("0.471789"), "{evaluations}");
}

#[test]
fn what_keras_logs_after_each_epoch_stands_after_its_steps() {
    let lab = lab("keras");
    script(&lab, "training.csv", include_str!("loggers/keras.csv"));
    let evaluations = exported(&lab);
    assert_eq!(
        cells(&evaluations, 8, "validation_loss"),
        ["0.6203843951225281"; 3]
    );
    assert_eq!(
        cells(&evaluations, 48, "train_accuracy"),
        ["0.9679999947547913"; 3]
    );
    // 250 examples an epoch, not 8 times 32.
    assert_eq!(cells(&evaluations, 8, "examples"), ["250"; 3]);
    // A mean over an epoch, which the study takes for the loss on the training set, is no loss of a mini-batch.
    let losses = fs::read_to_string(lab.path("out/losses.csv")).expect("losses");
    assert_eq!(losses.lines().count(), 1, "{losses}");
}

#[test]
fn exports_of_tensorboard_are_one_curve() {
    let lab = lab("tensorboard");
    fs::create_dir(lab.path("exports")).expect("a folder");
    for (name, contents) in [
        (
            "train_loss",
            include_str!("loggers/tensorboard/train_loss.csv"),
        ),
        ("val_loss", include_str!("loggers/tensorboard/val_loss.csv")),
        (
            "val_accuracy",
            include_str!("loggers/tensorboard/val_accuracy.csv"),
        ),
    ] {
        fs::write(lab.path(&format!("exports/{name}.csv")), contents).expect("a file");
    }
    let evaluations = exported(&lab);
    assert_eq!(
        cells(&evaluations, 8, "validation_loss"),
        ["0.5866794586181641"]
    );
    assert_eq!(
        cells(&evaluations, 8, "validation_accuracy"),
        ["0.862500011920929"]
    );
}

#[test]
fn metrics_of_mlflow_are_one_curve() {
    let lab = lab("mlflow");
    fs::create_dir(lab.path("metrics")).expect("a folder");
    for (name, contents) in [
        ("train_loss", include_str!("loggers/mlflow/train_loss")),
        ("val_loss", include_str!("loggers/mlflow/val_loss")),
    ] {
        fs::write(lab.path("metrics").join(name), contents).expect("a file");
    }
    assert_eq!(
        cells(&exported(&lab), 16, "validation_loss"),
        ["0.45184698700904846"]
    );
}

#[test]
fn an_export_of_weights_and_biases_is_read() {
    let lab = lab("wandb");
    fs::write(lab.path("export.csv"), include_str!("loggers/wandb.csv")).expect("a file");
    assert_eq!(
        cells(&exported(&lab), 16, "validation_loss"),
        ["0.45184698700904846"]
    );
}

#[test]
fn lines_written_by_hand_are_a_curve() {
    let lab = lab("lines");
    script(&lab, "curves.jsonl", include_str!("loggers/lines.jsonl"));
    assert_eq!(
        cells(&exported(&lab), 48, "validation_loss"),
        ["0.3070007264614105"; 3]
    );
}
