//! Curves and weights from other programs. Each function is a fuzz target, and the tests of `runs` replay its corpus:
//! whatever the bytes are, what comes back is a value that can be written and read again, or an error.

use runs::{LogError, Logged, Record, Run, weights};
use serde_json::{Value, json};

/// What studies say of a file, from the plainest to all that can be said.
fn sayings() -> Vec<Value> {
    vec![
        json!({}),
        json!({"columns": {"loss": "train_loss_step", "train_loss": "train_loss_epoch", "validation_loss": "val_loss"},
               "ignore": ["epoch"], "counted_from": 0}),
        json!({"columns": {"validation_loss": "eval_loss", "validation_accuracy": "eval_accuracy"},
               "ignore": ["epoch", "grad_norm", "eval_*", "*__M*N"]}),
        json!({"columns": {"step": "epoch", "train_loss": "loss", "loss": null}, "counted_in": "epochs", "counted_from": 0,
               "percent": true}),
        json!({"columns": {"step": "Step", "loss": "Value"}, "ignore": ["Wall time"], "counted_in": "examples"}),
        json!({"ignore": ["*"], "counted_in": "tokens", "tokens_per_example": 3}),
    ]
}

/// A file with a curve after a byte that says what the study says of it.
pub(crate) fn logged(bytes: &[u8]) {
    let Some((&which, file)) = bytes.split_first() else {
        return;
    };
    let sayings = sayings();
    let mut saying = sayings[usize::from(which) % sayings.len()].clone();
    saying["path"] = json!("curves");
    // The last batch of an epoch is a full one or not.
    let steps_per_epoch = if which & 0x80 == 0 { 10 } else { 11 };
    let budget_steps = if which & 0x40 == 0 { 50 } else { u64::MAX };
    let logged: Logged = serde_json::from_value(json!({
        "files": [saying], "train_examples": 105, "steps_per_epoch": steps_per_epoch, "budget_steps": budget_steps,
        "parameters": 0,
        "settings": {"batch_size": 10, "learning_rate": 0.1, "seed": 0, "optimizer": {"sgd": {}}},
    }))
    .expect("what is said of a curve");
    let contents = |_: &str| Ok::<_, LogError>(file.to_vec());
    let Ok(kept) = logged.read(contents) else {
        assert!(logged.preview(contents).is_err());
        return;
    };
    let run = Run::from_bytes("sgd/seed=0", &kept.bytes).expect("what was kept can be read");
    assert_eq!(run.outcome, kept.outcome);
    assert!(run.curve.evaluations.iter().all(|at| at.step <= kept.steps));
    logged
        .preview(contents)
        .expect("what can be read can be shown");
}

/// With a text for its header in front: its length is made right, or nothing else would be tried.
fn safetensors(bytes: &[u8]) -> Vec<u8> {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    match end {
        Some(end) if bytes.starts_with(b"{") => {
            let length = (end as u64).to_le_bytes();
            [&length, &bytes[..end], &bytes[end + 1..]].concat()
        }
        _ => bytes.to_vec(),
    }
}

/// A curve as it is kept.
pub(crate) fn curve(bytes: &[u8]) {
    let bytes = safetensors(bytes);
    if let Ok(record) = Record::<Value>::from_bytes(&bytes) {
        let written = record.to_bytes();
        let again = Record::<Value>::from_bytes(&written).expect("what was written can be read");
        // What is not a number is not equal to itself.
        assert_eq!(again.to_bytes(), written);
    }
    drop(Run::from_bytes("sgd/seed=0", &bytes));
}

/// Weights, as other programs save them.
pub(crate) fn weights(bytes: &[u8]) {
    if let Ok(read) = weights::from_bytes(&safetensors(bytes)) {
        let written = weights::to_bytes(&read);
        let again = weights::from_bytes(&written).expect("what was written can be read");
        assert_eq!(weights::to_bytes(&again), written);
    }
}
