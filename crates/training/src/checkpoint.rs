//! A run at a step, as a value: all that it needs to go on, bit for bit.
//!
//! Not in it: what follows from the settings and the data. Random streams are functions of seed, purpose and step
//! or epoch, so no generator has a state.
//!
//! The bytes are safetensors. Arrays: `weights.NAME` (PyTorch's names and layout), `optimizer.NAME.FIELD` (what the
//! update rule keeps of a parameter, in burn's layout), `kfac.LAYER.a` and `.g` (running averages before bias
//! correction, lower triangles column by column), `kfac.LAYER.inverted.a` and `.g` (what the inverse in use is of;
//! only where the next step does not compute it anew), `batch_norm.I.mean` and `.variance` (running averages, if the
//! run keeps them), and the curve so far as `curve.COLUMN`. Metadata entry `state`: format, step and counts.

mod unusable;

use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use crate::memory::{Array, Memory};
use crate::models::Weight;
use crate::{Curve, Error};
use runs::sorted;
pub use unusable::Unusable;

const FORMAT: u32 = 1;
const CURVE: &str = "curve.";
pub(crate) const WEIGHTS: &str = "weights.";

/// A run after `step` updates, before an evaluation there.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    pub(crate) step: u64,
    pub(crate) curve: Curve,
    pub(crate) memory: Memory,
}

/// The metadata entry `state`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    counts: BTreeMap<String, u64>,
    format: u32,
    step: u64,
}

impl Checkpoint {
    /// Updates made.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// What was measured before.
    pub fn curve(&self) -> &Curve {
        &self.curve
    }

    /// The weights, under PyTorch's names and in its layout.
    pub fn weights(&self) -> Vec<Weight> {
        let arrays = self.memory.arrays.range(WEIGHTS.to_owned()..);
        arrays
            .map_while(|(name, array)| {
                Some(Weight {
                    name: name.strip_prefix(WEIGHTS)?.to_owned(),
                    shape: array.shape.clone(),
                    values: array.values.clone(),
                })
            })
            .collect()
    }

    /// Safetensors; equal checkpoints give equal bytes.
    ///
    /// # Panics
    ///
    /// Never: a checkpoint is arrays and counts.
    pub fn to_bytes(&self) -> Vec<u8> {
        let description = Description {
            counts: self.memory.counts.clone(),
            format: FORMAT,
            step: self.step,
        };
        let description = serde_json::to_value(description).expect("a checkpoint is JSON");
        let columns = self.curve.columns(CURVE);
        let arrays: Vec<(&str, &[usize], Vec<u8>)> = self
            .memory
            .arrays
            .iter()
            .map(|(name, array)| {
                let bytes = array.values.iter().flat_map(|x| x.to_le_bytes()).collect();
                (name.as_str(), array.shape.as_slice(), bytes)
            })
            .collect();
        let arrays = arrays.iter().map(|(name, shape, bytes)| {
            let view = TensorView::new(Dtype::F32, shape.to_vec(), bytes);
            (*name, view.expect("an array has the values of its shape"))
        });
        let metadata = [("state".to_owned(), sorted(description).to_string())].into();
        safetensors::serialize(columns.views().chain(arrays), Some(metadata))
            .expect("every tensor was checked when it was made")
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    ///
    /// [`Error::NotACheckpoint`] if the bytes are something else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Self::read(bytes).map_err(Error::NotACheckpoint)
    }

    fn read(bytes: &[u8]) -> Result<Self, Unusable> {
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let text = header
            .metadata()
            .as_ref()
            .and_then(|metadata| metadata.get("state"))
            .ok_or(Unusable::NoMetadata)?;
        let description: Description = serde_json::from_str(text)?;
        if description.format != FORMAT {
            return Err(Unusable::OtherFormat {
                found: description.format,
            });
        }
        let tensors = SafeTensors::deserialize(bytes)?;
        let curve = Curve::from_columns(&tensors, CURVE)?;
        let mut arrays = BTreeMap::new();
        for (name, tensor) in tensors.iter() {
            if name.starts_with(CURVE) {
                continue;
            }
            if tensor.dtype() != Dtype::F32 {
                return Err(Unusable::Numbers {
                    name: name.to_owned(),
                    numbers: tensor.dtype(),
                });
            }
            let values = tensor.data().as_chunks().0;
            let array = Array {
                shape: tensor.shape().to_vec(),
                values: values.iter().map(|x| f32::from_le_bytes(*x)).collect(),
            };
            arrays.insert(name.to_owned(), array);
        }
        let step = description.step;
        if curve.updates.len() as u64 != step || curve.updates.last_step() != step {
            return Err(Unusable::Updates { step });
        }
        if curve.evaluations.iter().any(|row| row.step >= step) {
            return Err(Unusable::Evaluation { step });
        }
        Ok(Self {
            step,
            curve,
            memory: Memory {
                arrays,
                counts: description.counts,
            },
        })
    }
}
