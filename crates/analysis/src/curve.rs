//! Reading a run from the output `curve` of a train stage.
//!
//! The format: safetensors with `loss` f32 and `learning_rate` f64 `[steps]`; `step`, `examples` u64
//! and up to six metrics f64 `[evaluations]`; metadata entry `run`, a JSON object.

use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use serde_json::Value;

use crate::{Error, Evaluation, Metric, Outcome, Run};

/// The metadata entry `run`.
#[derive(Deserialize)]
struct RunEntry {
    settings: Value,
    outcome: Outcome,
    train_examples: u64,
    steps_per_epoch: u64,
    budget_steps: u64,
    #[serde(default)]
    rate_drops: Vec<u64>,
    parameters: u64,
}

impl Run {
    /// Reads a curve. `label` is the name of the input, `STAGE/COORDINATES`; the stage's name is the
    /// part before the first slash.
    ///
    /// # Errors
    /// [`Error::NotACurve`] if the bytes are not of the format, [`Error::Setting`] if the settings
    /// lack what [`Run::check`] wants.
    pub fn from_safetensors(label: &str, bytes: &[u8]) -> Result<Self, Error> {
        let malformed = |reason: String| Error::NotACurve {
            label: label.into(),
            reason,
        };
        let (_, header) =
            SafeTensors::read_metadata(bytes).map_err(|error| malformed(error.to_string()))?;
        let entry = header
            .metadata()
            .as_ref()
            .and_then(|metadata| metadata.get("run"))
            .ok_or_else(|| malformed("no metadata entry `run`".into()))?;
        let entry: RunEntry = serde_json::from_str(entry)
            .map_err(|error| malformed(format!("metadata entry `run`: {error}")))?;
        let arrays =
            SafeTensors::deserialize(bytes).map_err(|error| malformed(error.to_string()))?;
        let array = |name: &str, dtype: Dtype| {
            let view = arrays
                .tensor(name)
                .map_err(|error| malformed(error.to_string()))?;
            if view.dtype() == dtype && view.shape().len() == 1 {
                Ok(view.data().to_vec())
            } else {
                Err(malformed(format!(
                    "`{name}` is not one-dimensional {dtype:?}"
                )))
            }
        };
        let counts = |name: &str| -> Result<Vec<u64>, Error> {
            Ok(words::<8>(&array(name, Dtype::U64)?)
                .map(u64::from_le_bytes)
                .collect())
        };
        let examples = counts("examples")?;
        let mut evaluations: Vec<_> = counts("step")?
            .into_iter()
            .map(|step| Evaluation {
                step,
                ..Evaluation::default()
            })
            .collect();
        let mismatch = |name: &str| malformed(format!("`{name}` and `step` differ in length"));
        if examples.len() != evaluations.len() {
            return Err(mismatch("examples"));
        }
        for (evaluation, examples) in evaluations.iter_mut().zip(examples) {
            evaluation.examples = examples;
        }
        for metric in Metric::ALL {
            if !arrays.names().contains(&metric.name()) {
                continue;
            }
            let values = array(metric.name(), Dtype::F64)?;
            if values.len() != 8 * evaluations.len() {
                return Err(mismatch(metric.name()));
            }
            for (evaluation, value) in evaluations
                .iter_mut()
                .zip(words::<8>(&values).map(f64::from_le_bytes))
            {
                *metric.of_mut(evaluation) = value.is_finite().then_some(value);
            }
        }
        if !evaluations.is_sorted_by(|a, b| a.step < b.step) {
            return Err(malformed("`step` does not ascend".into()));
        }
        let run = Self {
            stage: label.split('/').next().unwrap_or(label).into(),
            label: label.into(),
            settings: entry.settings,
            outcome: entry.outcome,
            train_examples: entry.train_examples,
            steps_per_epoch: entry.steps_per_epoch,
            budget_steps: entry.budget_steps,
            rate_drops: entry.rate_drops,
            parameters: entry.parameters,
            loss: words::<4>(&array("loss", Dtype::F32)?)
                .map(f32::from_le_bytes)
                .collect(),
            learning_rate: words::<8>(&array("learning_rate", Dtype::F64)?)
                .map(f64::from_le_bytes)
                .collect(),
            evaluations,
        };
        run.check()?;
        Ok(run)
    }
}

/// Consecutive words of `N` bytes.
fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> + use<'_, N> {
    bytes
        .chunks_exact(N)
        .map(|chunk| chunk.try_into().expect("chunks_exact yields N bytes"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use safetensors::tensor::{TensorView, serialize};

    use super::*;

    fn file(run: &str, accuracy: &[f64]) -> Vec<u8> {
        let bytes_of = |values: &[f64]| {
            values
                .iter()
                .flat_map(|v| v.to_le_bytes())
                .collect::<Vec<u8>>()
        };
        let integers = |values: &[u64]| {
            values
                .iter()
                .flat_map(|v| v.to_le_bytes())
                .collect::<Vec<u8>>()
        };
        let loss: Vec<u8> = [2.5f32, f32::NAN]
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect();
        let rate = bytes_of(&[0.1, 0.1]);
        let (step, examples) = (integers(&[0, 2]), integers(&[0, 32]));
        let accuracy_bytes = bytes_of(accuracy);
        let view = |dtype, n, data| TensorView::new(dtype, vec![n], data).expect("shape fits");
        let arrays = [
            ("loss", view(Dtype::F32, 2, loss.as_slice())),
            ("learning_rate", view(Dtype::F64, 2, rate.as_slice())),
            ("step", view(Dtype::U64, 2, step.as_slice())),
            ("examples", view(Dtype::U64, 2, examples.as_slice())),
            (
                "test_accuracy",
                view(Dtype::F64, accuracy.len(), accuracy_bytes.as_slice()),
            ),
        ];
        serialize(arrays, Some(HashMap::from([("run".into(), run.into())]))).expect("serializes")
    }

    const RUN: &str = r#"{"settings": {"batch_size": 16, "learning_rate": 0.1, "seed": 3,
        "optimizer": {"kfac": {"damping": 0.01}}}, "outcome": {"diverged": {"step": 2}},
        "train_examples": 1280, "steps_per_epoch": 80, "budget_steps": 960, "rate_drops": [],
        "parameters": 2410}"#;

    #[test]
    fn a_curve_is_read_as_it_was_written() {
        let run =
            Run::from_safetensors("kfac/seed=3", &file(RUN, &[0.1, f64::NAN])).expect("a curve");
        assert_eq!(
            (
                run.stage.as_str(),
                run.method(),
                run.batch_size(),
                run.seed()
            ),
            ("kfac", "kfac", 16, 3)
        );
        assert_eq!(run.parameter("damping").and_then(Value::as_f64), Some(0.01));
        assert_eq!(
            run.parameter("learning_rate").and_then(Value::as_f64),
            Some(0.1)
        );
        assert_eq!(run.outcome, Outcome::Diverged { step: 2 });
        let accuracies: Vec<_> = run
            .evaluations
            .iter()
            .map(|e| (e.step, e.examples, e.test_accuracy))
            .collect();
        assert_eq!(accuracies, [(0, 0, Some(0.1)), (2, 32, None)]);
        assert_eq!(run.evaluations[0].train_loss, None);
        assert!(run.loss[1].is_nan());
    }

    #[test]
    fn a_malformed_curve_is_an_error_that_says_why() {
        let error = |bytes: &[u8]| {
            Run::from_safetensors("a/b", bytes)
                .expect_err("malformed")
                .to_string()
        };
        assert!(error(b"nonsense").contains("a/b"));
        assert!(error(&file("{}", &[0.1, 0.2])).contains("settings"));
        assert!(error(&file(RUN, &[0.1])).contains("differ in length"));
        let no_seed = RUN.replace("\"seed\": 3,", "");
        assert!(error(&file(&no_seed, &[0.1, 0.2])).contains("`seed`"));
        let whole = file(RUN, &[0.1, 0.2]);
        assert!(error(&whole[..whole.len() - 3]).contains("a/b"));
    }
}
