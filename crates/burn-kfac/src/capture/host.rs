//! Factors from slices in the host's memory.

use burn::tensor::{DType, Tensor, TensorData};
use faer::MatRef;

use super::correlations::Images;
use super::{Capture, Signals, overlap, patches};
use crate::{KroneckerFactors, Symmetric};

pub(super) fn factors(capture: Capture) -> KroneckerFactors {
    let (batch, positions) = (capture.batch(), capture.positions());
    let (rows, cols) = (capture.rows(), capture.cols());
    let bias = capture.bias.is_some();
    // d = N g for the gradient g of the mean loss, hence 1/(N T) d d^T = N/T g g^T.
    let a_scale = 1.0 / (batch * positions) as f64;
    let g_scale = batch as f64 / positions as f64;
    let (a_mean, g_mean) = match capture.signals {
        Signals::Linear { a, d } => (
            of_rows(values(&data(a)), cols, bias, a_scale),
            of_rows(values(&data(d)), rows, false, g_scale),
        ),
        Signals::Conv2d { x, d, window } => {
            let channels = x.dims()[1];
            let x = data(x);
            let images = Images {
                values: values(&x),
                channels,
                size: window.input,
            };
            let a_mean = if overlap::covers(&window, channels) {
                overlap::second_moment(images, &window, bias, a_scale)
            } else {
                patches::second_moment(images, &window, bias, a_scale)
            };
            let d = data(d);
            let mut g_mean = Symmetric::zeros(rows);
            for sample in values(&d).chunks_exact(rows * positions) {
                let sample = MatRef::from_row_major_slice(sample, rows, positions);
                g_mean.add_outer(g_scale as f32, sample);
            }
            (a_mean, g_mean)
        }
    };
    KroneckerFactors {
        layer: capture.name,
        a_mean,
        g_mean,
        positions,
    }
}

/// Scale * sum of r r^T over the rows r of `values`, `[batch, cols]` or, where each row gets a
/// last 1 for a bias, `[batch, cols - 1]`.
fn of_rows(values: &[f32], cols: usize, bias: bool, scale: f64) -> Symmetric {
    let inputs = cols - usize::from(bias);
    let batch = values.len() / inputs;
    let mut moment = Symmetric::zeros(cols);
    moment.add_outer(
        scale as f32,
        MatRef::from_column_major_slice(values, inputs, batch),
    );
    if bias {
        let mut sums = vec![0.0; inputs];
        for row in values.chunks_exact(inputs) {
            for (sum, &x) in sums.iter_mut().zip(row) {
                *sum += f64::from(x);
            }
        }
        for (j, sum) in sums.into_iter().enumerate() {
            moment.set(inputs, j, (scale * sum) as f32);
        }
        moment.set(inputs, inputs, (scale * batch as f64) as f32);
    }
    moment
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
