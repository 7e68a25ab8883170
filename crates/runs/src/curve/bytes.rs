//! The bytes of a curve: one-dimensional arrays of safetensors.
//!
//! `loss` f32 and `learning_rate` f64 `[rows]`; `loss.step` u64 `[rows]` where there is not a row for every update;
//! `step`, `examples` u64 and a metric f64 each `[evaluations]`, metrics that were never measured left out;
//! `curvature.step` u64, `curvature.median`, `curvature.largest` f64, and `noise.step` u64, `noise.trace`,
//! `noise.gradient` f64, all three or none; `test_correct.step` u64 `[n]` with `test_correct` u8, 0 or 1,
//! `[n * test images]`, step by step. A loss or a metric is NaN where it is not known, and infinite where what
//! was measured is not finite.

use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::{Correct, Curvature, Curve, GradientNoise, Updates};
use crate::{Evaluation, Malformed, Metric};

/// One-dimensional arrays by name.
#[derive(Default)]
pub struct Columns(BTreeMap<String, (Dtype, Vec<u8>)>);

impl Columns {
    fn reals(&mut self, name: String, values: impl Iterator<Item = f64>) {
        let bytes = values.flat_map(f64::to_le_bytes).collect();
        self.0.insert(name, (Dtype::F64, bytes));
    }

    fn integers(&mut self, name: String, values: impl Iterator<Item = u64>) {
        let bytes = values.flat_map(u64::to_le_bytes).collect();
        self.0.insert(name, (Dtype::U64, bytes));
    }

    /// The columns as what `safetensors::serialize` takes.
    ///
    /// # Panics
    ///
    /// Never: the shapes are those of the bytes.
    pub fn views(&self) -> impl Iterator<Item = (&str, TensorView<'_>)> {
        self.0.iter().map(|(name, (dtype, bytes))| {
            let length = bytes.len() / (dtype.bitsize() / 8);
            let view = TensorView::new(*dtype, vec![length], bytes);
            (
                name.as_str(),
                view.expect("the length is that of the bytes"),
            )
        })
    }
}

impl Curve {
    /// The curve as columns whose names begin with `prefix`.
    pub fn columns(&self, prefix: &str) -> Columns {
        let mut columns = Columns::default();
        let name = |name: &str| format!("{prefix}{name}");
        let updates = &self.updates;
        let losses = updates.loss.iter().flat_map(|loss| loss.to_le_bytes());
        columns
            .0
            .insert(name("loss"), (Dtype::F32, losses.collect()));
        columns.reals(name("learning_rate"), updates.learning_rate.iter().copied());
        if let Some(steps) = &updates.steps {
            columns.integers(name("loss.step"), steps.iter().copied());
        }
        let rows = || self.evaluations.iter();
        columns.integers(name("step"), rows().map(|row| row.step));
        columns.integers(name("examples"), rows().map(|row| row.examples));
        for metric in Metric::ALL {
            if rows().any(|row| metric.measured(row).is_some()) {
                let values = rows().map(|row| match metric.measured(row) {
                    None => f64::NAN,
                    Some(value) if value.is_nan() => f64::INFINITY,
                    Some(value) => value,
                });
                columns.reals(name(metric.name()), values);
            }
        }
        if !self.curvature.is_empty() {
            let rows = || self.curvature.iter();
            columns.integers(name("curvature.step"), rows().map(|at| at.step));
            columns.reals(name("curvature.median"), rows().map(|at| at.median));
            columns.reals(name("curvature.largest"), rows().map(|at| at.largest));
        }
        if !self.noise.is_empty() {
            let rows = || self.noise.iter();
            columns.integers(name("noise.step"), rows().map(|at| at.step));
            columns.reals(name("noise.trace"), rows().map(|at| at.trace));
            columns.reals(name("noise.gradient"), rows().map(|at| at.gradient));
        }
        if !self.correct.is_empty() {
            let rows = || self.correct.iter();
            columns.integers(name("test_correct.step"), rows().map(|at| at.step));
            let images = rows().flat_map(|at| at.images.iter().map(|right| u8::from(*right)));
            columns
                .0
                .insert(name("test_correct"), (Dtype::U8, images.collect()));
        }
        columns
    }

    /// Reads the columns whose names begin with `prefix`.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    pub fn from_columns(tensors: &SafeTensors<'_>, prefix: &str) -> Result<Self, Malformed> {
        Reader { tensors, prefix }.curve()
    }
}

/// Two numbers by step, where they were recorded.
type Measured = Vec<(u64, f64, f64)>;

struct Reader<'a> {
    tensors: &'a SafeTensors<'a>,
    prefix: &'a str,
}

impl<'a> Reader<'a> {
    fn has(&self, name: &str) -> bool {
        self.tensors
            .tensor(&format!("{}{name}", self.prefix))
            .is_ok()
    }

    fn column(&self, name: &str, dtype: Dtype) -> Result<&'a [u8], Malformed> {
        let name = format!("{}{name}", self.prefix);
        let tensor = self.tensors.tensor(&name)?;
        if tensor.dtype() != dtype || tensor.shape().len() != 1 {
            let numbers = format!("{dtype:?}");
            return Err(Malformed::Shape { name, numbers });
        }
        Ok(tensor.data())
    }

    fn reals(&self, name: &str) -> Result<impl ExactSizeIterator<Item = f64> + use<'a>, Malformed> {
        let numbers = self.column(name, Dtype::F64)?.as_chunks().0;
        Ok(numbers.iter().map(|number| f64::from_le_bytes(*number)))
    }

    fn integers(&self, name: &str) -> Result<Vec<u64>, Malformed> {
        let numbers = self.column(name, Dtype::U64)?.as_chunks().0;
        Ok(numbers
            .iter()
            .map(|number| u64::from_le_bytes(*number))
            .collect())
    }

    /// Steps, in strictly ascending order.
    fn steps(&self, name: &str) -> Result<Vec<u64>, Malformed> {
        let steps = self.integers(name)?;
        if steps.is_sorted_by(|a, b| a < b) {
            Ok(steps)
        } else {
            Err(Malformed::NotAscending {
                name: name.to_owned(),
            })
        }
    }

    fn curve(&self) -> Result<Curve, Malformed> {
        let measured = |[step, first, second]: [&str; 3]| -> Result<Measured, Malformed> {
            if !self.has(step) {
                return Ok(Vec::new());
            }
            let steps = self.steps(step)?;
            let (first_values, second_values) = (self.reals(first)?, self.reals(second)?);
            if first_values.len() != steps.len() || second_values.len() != steps.len() {
                return Err(Malformed::lengths(&[step, first, second]));
            }
            let values = first_values.zip(second_values);
            Ok(steps
                .into_iter()
                .zip(values)
                .map(|(step, (a, b))| (step, a, b))
                .collect())
        };
        let curvature = measured(["curvature.step", "curvature.median", "curvature.largest"])?;
        let noise = measured(["noise.step", "noise.trace", "noise.gradient"])?;
        Ok(Curve {
            updates: self.updates()?,
            correct: self.correct()?,
            evaluations: self.evaluations()?,
            curvature: curvature
                .into_iter()
                .map(|(step, median, largest)| Curvature {
                    step,
                    median,
                    largest,
                })
                .collect(),
            noise: noise
                .into_iter()
                .map(|(step, trace, gradient)| GradientNoise {
                    step,
                    trace,
                    gradient,
                })
                .collect(),
        })
    }

    fn updates(&self) -> Result<Updates, Malformed> {
        let losses = self.column("loss", Dtype::F32)?.as_chunks().0;
        let loss: Vec<f32> = losses
            .iter()
            .map(|loss| f32::from_le_bytes(*loss))
            .collect();
        let learning_rate: Vec<f64> = self.reals("learning_rate")?.collect();
        if learning_rate.len() != loss.len() {
            return Err(Malformed::lengths(&["loss", "learning_rate"]));
        }
        if !self.has("loss.step") {
            return Ok(Updates::of_every_step(loss, learning_rate));
        }
        let steps = self.steps("loss.step")?;
        if steps.len() != loss.len() || steps.first() == Some(&0) {
            return Err(Malformed::Mismatch {
                name: "loss.step",
                with: "loss",
            });
        }
        Ok(Updates::at(steps, loss, learning_rate))
    }

    fn correct(&self) -> Result<Vec<Correct>, Malformed> {
        if !self.has("test_correct.step") {
            return Ok(Vec::new());
        }
        let steps = self.steps("test_correct.step")?;
        let flags = self.column("test_correct", Dtype::U8)?;
        let images = flags.len() / steps.len().max(1);
        if images == 0 || images * steps.len() != flags.len() || flags.iter().any(|flag| *flag > 1)
        {
            return Err(Malformed::Mismatch {
                name: "test_correct",
                with: "test_correct.step",
            });
        }
        let rows = steps.into_iter().zip(flags.chunks_exact(images));
        Ok(rows
            .map(|(step, flags)| Correct {
                step,
                images: flags.iter().map(|flag| *flag == 1).collect(),
            })
            .collect())
    }

    fn evaluations(&self) -> Result<Vec<Evaluation>, Malformed> {
        let (steps, examples) = (self.steps("step")?, self.integers("examples")?);
        let mismatch = |name: &str| Malformed::lengths(&[name, "step"]);
        if examples.len() != steps.len() {
            return Err(mismatch("examples"));
        }
        let rows = steps.into_iter().zip(examples);
        let mut evaluations: Vec<Evaluation> = rows
            .map(|(step, examples)| Evaluation {
                step,
                examples,
                ..Evaluation::default()
            })
            .collect();
        for metric in Metric::ALL {
            if !self.has(metric.name()) {
                continue;
            }
            let values = self.reals(metric.name())?;
            if values.len() != evaluations.len() {
                return Err(mismatch(metric.name()));
            }
            for (evaluation, value) in evaluations.iter_mut().zip(values) {
                *metric.of_mut(evaluation) = (!value.is_nan()).then_some(value);
            }
        }
        Ok(evaluations)
    }
}
