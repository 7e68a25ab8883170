//! Reading a run from the output `curve` of a train stage.
//!
//! The format: safetensors with `loss` f32 and `learning_rate` f64 `[steps]`; `step`, `examples` u64
//! and up to six metrics f64 `[evaluations]`; metadata entry `run`, a JSON object. Optional are
//! `curvature.step` u64, `curvature.median`, `curvature.largest` f64 `[refreshes]` and `noise.step` u64,
//! `noise.trace`, `noise.gradient` f64 `[measurements]`.

use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use serde_json::Value;

use crate::{Curvature, Error, Evaluation, GradientNoise, Metric, Outcome, Run};

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
        // Two numbers by step, where the run recorded them; all three arrays or none.
        let measured = |[step, first, second]: [&str; 3]| -> Result<Vec<(u64, f64, f64)>, Error> {
            if !arrays.names().contains(&step) {
                return Ok(Vec::new());
            }
            let steps = counts(step)?;
            let (first_values, second_values) =
                (array(first, Dtype::F64)?, array(second, Dtype::F64)?);
            if first_values.len() != 8 * steps.len() || second_values.len() != 8 * steps.len() {
                return Err(malformed(format!(
                    "`{step}`, `{first}` and `{second}` differ in length"
                )));
            }
            if !steps.is_sorted() {
                return Err(malformed(format!("`{step}` does not ascend")));
            }
            Ok(steps
                .into_iter()
                .zip(words::<8>(&first_values).map(f64::from_le_bytes))
                .zip(words::<8>(&second_values).map(f64::from_le_bytes))
                .map(|((step, first), second)| (step, first, second))
                .filter(|(_, first, second)| first.is_finite() && second.is_finite())
                .collect())
        };
        let curvature = measured(["curvature.step", "curvature.median", "curvature.largest"])?
            .into_iter()
            .map(|(step, median, largest)| Curvature {
                step,
                median,
                largest,
            })
            .collect();
        let noise = measured(["noise.step", "noise.trace", "noise.gradient"])?
            .into_iter()
            .map(|(step, trace, gradient)| GradientNoise {
                step,
                trace,
                gradient,
            })
            .collect();
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
            curvature,
            noise,
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
        file_with(run, accuracy, &[])
    }

    /// A curve with more arrays: `(name, steps, or values where there are no steps)`.
    fn file_with(run: &str, accuracy: &[f64], more: &[(&str, &[u64], &[f64])]) -> Vec<u8> {
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
        let more: Vec<(&str, Dtype, Vec<u8>)> = more
            .iter()
            .map(|(name, steps, values)| match steps {
                [] => (*name, Dtype::F64, bytes_of(values)),
                steps => (*name, Dtype::U64, integers(steps)),
            })
            .collect();
        let mut arrays = vec![
            ("loss", view(Dtype::F32, 2, loss.as_slice())),
            ("learning_rate", view(Dtype::F64, 2, rate.as_slice())),
            ("step", view(Dtype::U64, 2, step.as_slice())),
            ("examples", view(Dtype::U64, 2, examples.as_slice())),
            (
                "test_accuracy",
                view(Dtype::F64, accuracy.len(), accuracy_bytes.as_slice()),
            ),
        ];
        arrays.extend(
            more.iter()
                .map(|(name, dtype, bytes)| (*name, view(*dtype, bytes.len() / 8, bytes))),
        );
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
    fn curvature_and_gradient_noise_are_read_where_they_were_recorded() {
        let none = Run::from_safetensors("a/b", &file(RUN, &[0.1, 0.2])).expect("a curve");
        assert!(none.curvature.is_empty() && none.noise.is_empty());
        let bytes = file_with(
            RUN,
            &[0.1, 0.2],
            &[
                ("curvature.step", &[0, 10], &[]),
                ("curvature.median", &[], &[1e-4, 2e-4]),
                ("curvature.largest", &[], &[3.0, f64::INFINITY]),
                ("noise.step", &[4], &[]),
                ("noise.trace", &[], &[8.0]),
                ("noise.gradient", &[], &[-0.5]),
            ],
        );
        let run = Run::from_safetensors("a/b", &bytes).expect("a curve");
        let (median, largest) = (1e-4, 3.0);
        assert_eq!(
            run.curvature,
            [Curvature {
                step: 0,
                median,
                largest
            }]
        );
        let (trace, gradient) = (8.0, -0.5);
        assert_eq!(
            run.noise,
            [GradientNoise {
                step: 4,
                trace,
                gradient
            }]
        );
        let short = file_with(
            RUN,
            &[0.1, 0.2],
            &[
                ("noise.step", &[4], &[]),
                ("noise.trace", &[], &[8.0, 9.0]),
                ("noise.gradient", &[], &[1.0]),
            ],
        );
        let error = Run::from_safetensors("a/b", &short).expect_err("lengths differ");
        assert!(error.to_string().contains("noise.trace"), "{error}");
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
