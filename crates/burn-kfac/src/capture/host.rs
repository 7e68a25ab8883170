//! Factors from slices in the host's memory.

use burn::tensor::{DType, Tensor, TensorData};
use faer::MatRef;

use super::patches::Patches;
use super::{Capture, Signals};
use crate::{KroneckerFactors, Symmetric};

pub(super) fn factors(capture: Capture) -> KroneckerFactors {
    let (batch, positions) = (capture.batch(), capture.positions());
    let (rows, cols) = (capture.rows(), capture.cols());
    let bias = capture.bias.is_some();
    // d = N g for the gradient g of the mean loss, hence 1/(N T) d d^T = N/T g g^T.
    let a_scale = 1.0 / (batch * positions) as f32;
    let g_scale = batch as f32 / positions as f32;
    let mut a_mean = Symmetric::zeros(cols);
    let mut g_mean = Symmetric::zeros(rows);
    match capture.signals {
        Signals::Linear { a, d } => {
            let a = data(a);
            let inputs = with_ones(values(&a), cols, bias);
            a_mean.add_outer(
                a_scale,
                MatRef::from_column_major_slice(&inputs, cols, batch),
            );
            let d = data(d);
            g_mean.add_outer(
                g_scale,
                MatRef::from_column_major_slice(values(&d), rows, batch),
            );
        }
        Signals::Conv2d { x, d, window } => {
            let channels = x.dims()[1];
            let x = data(x);
            let mut patches = Patches::new(window, channels, bias);
            patches.each(values(&x), |patches| a_mean.add_outer(a_scale, patches));
            let d = data(d);
            for sample in values(&d).chunks_exact(rows * positions) {
                g_mean.add_outer(
                    g_scale,
                    MatRef::from_row_major_slice(sample, rows, positions),
                );
            }
        }
    }
    KroneckerFactors {
        layer: capture.name,
        a_mean,
        g_mean,
        positions,
    }
}

/// Rows of `values` with a 1 appended where there is a bias: `[batch, cols]`.
fn with_ones(values: &[f32], cols: usize, bias: bool) -> std::borrow::Cow<'_, [f32]> {
    if !bias {
        return values.into();
    }
    let mut rows = Vec::with_capacity(values.len() / (cols - 1) * cols);
    for row in values.chunks_exact(cols - 1) {
        rows.extend_from_slice(row);
        rows.push(1.0);
    }
    rows.into()
}

/// In single precision, row-major.
pub(crate) fn data<const D: usize>(tensor: Tensor<D>) -> TensorData {
    let data = tensor.into_data();
    if data.dtype() == DType::F32 {
        data
    } else {
        data.convert::<f32>()
    }
}

pub(crate) fn values(data: &TensorData) -> &[f32] {
    data.as_slice().expect("the data were converted to f32")
}
