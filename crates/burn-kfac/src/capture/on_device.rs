//! Factors by tensor operations, for devices whose memory is not the host's.

use burn::tensor::ops::PadMode;
use burn::tensor::{Tensor, s};

use super::host::{data, values};
use super::{Capture, Signals};
use crate::window::Window;
use crate::{KroneckerFactors, Symmetric};

pub(super) fn factors(capture: &Capture) -> KroneckerFactors {
    let (batch, positions) = (capture.batch(), capture.positions());
    // Scales as in the twin on the host.
    let a_scale = 1.0 / (batch * positions) as f32;
    let g_scale = batch as f32 / positions as f32;
    let (a, d) = match &capture.signals {
        Signals::Linear { a, d } => (a.clone().transpose(), d.clone().transpose()),
        Signals::Conv2d { x, d, window } => {
            let [batch, rows, height, width] = d.dims();
            let d = d
                .clone()
                .swap_dims(0, 1)
                .reshape([rows, batch * height * width]);
            (patches(x.clone(), window), d)
        }
    };
    let a = if capture.bias.is_some() {
        let ones = Tensor::ones([1, a.dims()[1]], &a.device());
        Tensor::cat(vec![a, ones], 0)
    } else {
        a
    };
    KroneckerFactors {
        layer: capture.name.clone(),
        a_mean: second_moment(a, a_scale),
        g_mean: second_moment(d, g_scale),
        positions,
    }
}

/// scale m m^T. m: `[dim, k]`.
fn second_moment(m: Tensor<2>, scale: f32) -> Symmetric {
    let dim = m.dims()[0];
    let product = m.clone().matmul(m.transpose()).mul_scalar(scale);
    Symmetric::from_dense(dim, values(&data(product)))
}

/// Patches as columns, `[channels * kh * kw, batch * positions]`, rows in the weight's order.
fn patches(x: Tensor<4>, window: &Window) -> Tensor<2> {
    let [batch, channels, ..] = x.dims();
    let [[top, bottom], [left, right]] = window.padding;
    let x = x.pad([(top, bottom), (left, right)], PadMode::Constant(0.0));
    let [height, width] = window.output();
    let [kh, kw] = window.kernel;
    let slices = (0..kh * kw).map(|k| {
        let [y, x0] = [k / kw * window.dilation[0], k % kw * window.dilation[1]];
        let [sy, sx] = window.stride;
        let (y_end, x_end) = (y + (height - 1) * sy + 1, x0 + (width - 1) * sx + 1);
        x.clone()
            .slice(s![.., .., y..y_end;sy, x0..x_end;sx])
            .unsqueeze_dim::<5>(2)
    });
    // [batch, channels, kh * kw, height, width] -> [channels, kh * kw, batch, height, width]
    Tensor::cat(slices.collect(), 2)
        .permute([1, 2, 0, 3, 4])
        .reshape([channels * kh * kw, batch * height * width])
}
