//! Weights as a safetensors file that `PyTorch` reads and writes: arrays of 32-bit floats by name.
//!
//! `PyTorch`'s `num_batches_tracked` is neither written nor read: it is a counter that no result depends on, and
//! `load_state_dict` does without.

use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

const COUNTER: &str = "num_batches_tracked";

/// One parameter tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    /// Such as `fc.weight`.
    pub name: String,
    /// `PyTorch`'s.
    pub shape: Vec<usize>,
    /// Row by row.
    pub values: Vec<f32>,
}

/// What is wrong with the bytes of weights.
#[derive(Debug, thiserror::Error)]
pub enum NotWeights {
    /// Weights are no safetensors file.
    #[error("{0}")]
    Safetensors(#[from] SafeTensorError),
    /// Weights are stored in other numbers than 32-bit floats.
    #[error("`{name}` is {numbers:?}, not F32; save the weights as 32-bit floats")]
    Numbers {
        /// The weight.
        name: String,
        /// Its numbers.
        numbers: Dtype,
    },
}

/// Weights as a safetensors file; equal weights give equal bytes.
///
/// # Panics
///
/// If a weight's shape is not that of its values.
pub fn to_bytes(weights: &[Weight]) -> Vec<u8> {
    let mut tensors: Vec<(&str, &[usize], Vec<u8>)> = weights
        .iter()
        .map(|weight| {
            let bytes = weight.values.iter().flat_map(|x| x.to_le_bytes()).collect();
            (weight.name.as_str(), weight.shape.as_slice(), bytes)
        })
        .collect();
    tensors.sort_by_key(|(name, ..)| *name);
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.to_vec(), bytes);
        (*name, view.expect("a weight's shape is that of its values"))
    });
    // What `safetensors.torch.load_file` looks for.
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    safetensors::serialize(views, Some(metadata))
        .expect("every tensor was checked when it was made")
}

/// Reads weights from a safetensors file, in the order of their names.
///
/// # Errors
///
/// What is wrong with the bytes, or which tensor is not of 32-bit floats.
pub fn from_bytes(bytes: &[u8]) -> Result<Vec<Weight>, NotWeights> {
    let tensors = SafeTensors::deserialize(bytes)?;
    let mut weights = Vec::new();
    for (name, tensor) in tensors.iter() {
        if name.rsplit('.').next() == Some(COUNTER) {
            continue;
        }
        if tensor.dtype() != Dtype::F32 {
            return Err(NotWeights::Numbers {
                name: name.to_owned(),
                numbers: tensor.dtype(),
            });
        }
        let values = tensor.data().as_chunks().0;
        weights.push(Weight {
            name: name.to_owned(),
            shape: tensor.shape().to_vec(),
            values: values.iter().map(|x| f32::from_le_bytes(*x)).collect(),
        });
    }
    weights.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(weights)
}
