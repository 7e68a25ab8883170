//! What a run measures as it goes, as columns of safetensors.

use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use burn_kfac::Spectrum;

use crate::noise::NoiseScale;
use crate::{Evaluated, Score};

/// Measurements up to some step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// Mini-batch loss before update i + 1, in nats; `[updates made]`.
    pub loss: Vec<f32>,
    /// Learning rate of update i + 1; `[updates made]`.
    pub learning_rate: Vec<f64>,
    /// In the order of their steps.
    pub evaluations: Vec<Evaluated>,
}

/// The two columns of a part in an evaluation row.
const COLUMNS: [(&str, &str); 3] = [
    ("train_loss", "train_accuracy"),
    ("validation_loss", "validation_accuracy"),
    ("test_loss", "test_accuracy"),
];

/// Columns of what not every evaluation has: the steps of those that have it, and two numbers.
const NOISE: [&str; 3] = ["noise.step", "noise.trace", "noise.gradient"];
const CURVATURE: [&str; 3] = ["curvature.step", "curvature.median", "curvature.largest"];

fn noise(row: &Evaluated) -> Option<[f64; 2]> {
    row.noise.map(|noise| [noise.trace, noise.gradient])
}

fn curvature(row: &Evaluated) -> Option<[f64; 2]> {
    row.curvature
        .map(|curvature| [curvature.median, curvature.top])
}

fn pairs(
    evaluations: &[Evaluated],
    of: fn(&Evaluated) -> Option<[f64; 2]>,
) -> Vec<(u64, [f64; 2])> {
    let rows = evaluations.iter();
    rows.filter_map(|row| Some((row.step, of(row)?))).collect()
}

/// One-dimensional arrays by name, as safetensors keeps them.
#[derive(Default)]
pub(crate) struct Columns(BTreeMap<String, (Dtype, Vec<u8>)>);

impl Columns {
    fn insert(&mut self, name: String, dtype: Dtype, bytes: Vec<u8>) {
        self.0.insert(name, (dtype, bytes));
    }

    /// The columns as what `safetensors::serialize` takes.
    pub(crate) fn views(&self) -> impl Iterator<Item = (&str, TensorView<'_>)> {
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
    /// The measurements before update `step` and before the evaluation there.
    pub(crate) fn before(&self, step: u64) -> Self {
        let updates = step as usize;
        let rows = self.evaluations.iter().filter(|row| row.step < step);
        Self {
            loss: self.loss[..updates].to_vec(),
            learning_rate: self.learning_rate[..updates].to_vec(),
            evaluations: rows.copied().collect(),
        }
    }

    /// Columns whose names begin with `prefix`.
    ///
    /// # Panics
    ///
    /// If some evaluations have a part that others lack.
    pub(crate) fn columns(
        loss: &[f32],
        learning_rate: &[f64],
        evaluations: &[Evaluated],
        prefix: &str,
    ) -> Columns {
        let mut columns = Columns::default();
        let mut insert = |name: &str, dtype: Dtype, bytes: Vec<u8>| {
            columns.insert(format!("{prefix}{name}"), dtype, bytes);
        };
        insert(
            "loss",
            Dtype::F32,
            loss.iter().flat_map(|x| x.to_le_bytes()).collect(),
        );
        insert(
            "learning_rate",
            Dtype::F64,
            doubles(learning_rate.iter().copied()),
        );
        let integers = |value: fn(&Evaluated) -> u64| {
            let values = evaluations.iter();
            values.flat_map(|row| value(row).to_le_bytes()).collect()
        };
        insert("step", Dtype::U64, integers(|row| row.step));
        insert("examples", Dtype::U64, integers(|row| row.examples));
        for (part, (loss, accuracy)) in COLUMNS.into_iter().enumerate() {
            let scores: Vec<Score> = evaluations
                .iter()
                .filter_map(|row| row.scores()[part])
                .collect();
            if scores.is_empty() {
                continue;
            }
            assert_eq!(
                scores.len(),
                evaluations.len(),
                "a part is in all rows or in none"
            );
            insert(
                loss,
                Dtype::F64,
                doubles(scores.iter().map(|score| score.loss)),
            );
            insert(
                accuracy,
                Dtype::F64,
                doubles(scores.iter().map(|score| score.accuracy)),
            );
        }
        for ([step, first, second], measured) in [
            (NOISE, pairs(evaluations, noise)),
            (CURVATURE, pairs(evaluations, curvature)),
        ] {
            if measured.is_empty() {
                continue;
            }
            let steps = measured.iter().flat_map(|(step, _)| step.to_le_bytes());
            insert(step, Dtype::U64, steps.collect());
            insert(
                first,
                Dtype::F64,
                doubles(measured.iter().map(|(_, [value, _])| *value)),
            );
            insert(
                second,
                Dtype::F64,
                doubles(measured.iter().map(|(_, [_, value])| *value)),
            );
        }
        columns
    }

    /// Reads the columns whose names begin with `prefix`. The error says what is wrong with them.
    pub(crate) fn from_columns(tensors: &SafeTensors<'_>, prefix: &str) -> Result<Self, String> {
        let column = |name: &str, dtype: Dtype| -> Result<&[u8], String> {
            let tensor = tensors
                .tensor(&format!("{prefix}{name}"))
                .map_err(|error| error.to_string())?;
            if tensor.dtype() != dtype || tensor.shape().len() != 1 {
                return Err(format!(
                    "{name} is {:?} {:?}",
                    tensor.dtype(),
                    tensor.shape()
                ));
            }
            Ok(tensor.data())
        };
        let reals = |name: &str| -> Result<Vec<f64>, String> {
            let bytes = column(name, Dtype::F64)?.as_chunks().0;
            Ok(bytes.iter().map(|x| f64::from_le_bytes(*x)).collect())
        };
        let integers = |name: &str| -> Result<Vec<u64>, String> {
            let bytes = column(name, Dtype::U64)?.as_chunks().0;
            Ok(bytes.iter().map(|x| u64::from_le_bytes(*x)).collect())
        };
        let (steps, examples) = (integers("step")?, integers("examples")?);
        let rows = steps.len();
        let scores = |part: usize| -> Result<Option<Vec<Score>>, String> {
            let (loss, accuracy) = COLUMNS[part];
            let name = format!("{prefix}{loss}");
            if !tensors.names().iter().any(|known| **known == name) {
                return Ok(None);
            }
            let (losses, accuracies) = (reals(loss)?, reals(accuracy)?);
            if losses.len() != rows || accuracies.len() != rows {
                return Err(format!("{loss} or {accuracy} has not {rows} rows"));
            }
            let pairs = losses.into_iter().zip(accuracies);
            Ok(Some(
                pairs
                    .map(|(loss, accuracy)| Score { loss, accuracy })
                    .collect(),
            ))
        };
        let (train, validation, test) = (scores(0)?.unwrap_or_default(), scores(1)?, scores(2)?);
        if examples.len() != rows || train.len() != rows {
            return Err(format!("examples or train_loss has not {rows} rows"));
        }
        let measured =
            |[step, first, second]: [&str; 3]| -> Result<BTreeMap<u64, [f64; 2]>, String> {
                let name = format!("{prefix}{step}");
                if !tensors.names().iter().any(|known| **known == name) {
                    return Ok(BTreeMap::new());
                }
                let (at, first, second) = (integers(step)?, reals(first)?, reals(second)?);
                let ascending = at.windows(2).all(|pair| pair[0] < pair[1]);
                let known = at.iter().all(|step| steps.contains(step));
                if !ascending || !known || first.len() != at.len() || second.len() != at.len() {
                    return Err(format!(
                        "{step} does not go with its values or the evaluations"
                    ));
                }
                let values = first.into_iter().zip(second).map(|(a, b)| [a, b]);
                Ok(at.into_iter().zip(values).collect())
            };
        let (noise, curvature) = (measured(NOISE)?, measured(CURVATURE)?);
        let evaluations = (0..rows)
            .map(|row| Evaluated {
                step: steps[row],
                examples: examples[row],
                train: train[row],
                validation: validation.as_ref().map(|scores| scores[row]),
                test: test.as_ref().map(|scores| scores[row]),
                noise: noise.get(&steps[row]).map(|[trace, gradient]| NoiseScale {
                    trace: *trace,
                    gradient: *gradient,
                }),
                curvature: curvature
                    .get(&steps[row])
                    .map(|[median, largest]| Spectrum {
                        median: *median,
                        top: *largest,
                    }),
            })
            .collect();
        let loss = column("loss", Dtype::F32)?.as_chunks().0;
        Ok(Self {
            loss: loss.iter().map(|x| f32::from_le_bytes(*x)).collect(),
            learning_rate: reals("learning_rate")?,
            evaluations,
        })
    }
}

fn doubles(values: impl Iterator<Item = f64>) -> Vec<u8> {
    values.flat_map(f64::to_le_bytes).collect()
}
