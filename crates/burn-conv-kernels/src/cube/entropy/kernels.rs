//! The kernels of softmax cross-entropy. A unit takes an example: its row of logits, which is short.
//!
//! All is `f32`, and no difference of nearly equal numbers is taken: with `e` the exponentials of the logits less the
//! largest one, and `rest` the sum of the others' `e`, the loss of label y is `(largest - x_y) + ln(1 + rest)`, and the
//! gradient at its logit is minus the sum of all `e` but its own, over `1 + rest`.

use burn_cubecl::cubecl::{self, prelude::*};

/// A row of logits: the largest, where it is first, and the sum of the exponentials of the others less the largest.
#[derive(CubeType)]
struct Row {
    first: usize,
    step: usize,
    classes: usize,
    largest: f32,
    at: usize,
    rest: f32,
}

#[cube]
fn row(logits: &Tensor<f32>, example: usize) -> Row {
    let first = example * logits.stride(0);
    let step = logits.stride(1);
    let classes = logits.shape(1);
    let mut largest = logits[first];
    let mut at = 0usize.runtime();
    for class in 1..classes {
        let logit = logits[first + class * step];
        if logit > largest {
            largest = logit;
            at = class;
        }
    }
    let mut rest = 0.0f32;
    for class in 0..classes {
        if class != at {
            rest += (logits[first + class * step] - largest).exp();
        }
    }
    Row {
        first,
        step,
        classes,
        largest,
        at,
        rest,
    }
}

/// `ln(1 + x)` of what is not negative. A device may have logarithms next to 1 with a fixed error only, so those up to
/// ln 2 are the series of `2 artanh(x / (2 + x))`, whose first term left out is below 1e-8 of it.
#[cube]
fn ln_1_plus(x: f32) -> f32 {
    let s = x / (2.0f32 + x);
    let q = s * s;
    let series = 1.0f32
        + q * (0.333_333_34f32
            + q * (0.2f32
                + q * (0.142_857_15f32
                    + q * (0.111_111_11f32
                        + q * (0.090_909_09f32 + q * (0.076_923_08f32 + q * 0.066_666_67f32))))));
    select(x <= 1.0f32, 2.0f32 * s * series, (1.0f32 + x).ln())
}

/// The loss of a label, in nats; what is not finite among the logits is passed on, except minus infinity where it is
/// not of the label, unless `all`.
#[cube]
fn loss(logits: &Tensor<f32>, row: &Row, label: usize, #[comptime] all: bool) -> f32 {
    let own = logits[row.first + label * row.step];
    let mut loss = row.largest - own + ln_1_plus(row.rest);
    for class in 0..row.classes {
        let logit = logits[row.first + class * row.step];
        let is_infinite = logit.is_inf();
        let passes = class != label && logit < 0.0f32;
        if logit.is_nan() || (is_infinite && (!passes || comptime!(all))) {
            loss = logit;
        }
    }
    loss
}

/// Writes the gradient of the mean loss of `batch` examples at the logits of one with a label.
#[cube]
fn write_gradient(
    logits: &Tensor<f32>,
    row: &Row,
    label: usize,
    batch: f32,
    gradient: &mut Tensor<f32>,
    example: usize,
) {
    let total = 1.0f32 + row.rest;
    for class in 0..row.classes {
        let weight = weight(logits, row, class);
        let others = select(class == row.at, row.rest, total - weight);
        let share = select(class == label, -others, weight);
        gradient[example * row.classes + class] = share / total / batch;
    }
}

/// The exponential of a logit less the largest.
#[cube]
fn weight(logits: &Tensor<f32>, row: &Row, class: usize) -> f32 {
    let weight = (logits[row.first + class * row.step] - row.largest).exp();
    select(class == row.at, 1.0f32, weight)
}

/// The first class at which the cumulated probability exceeds a number in `[0, 1)`.
#[cube]
fn draw(logits: &Tensor<f32>, row: &Row, uniform: f32) -> usize {
    let mut left = uniform * (1.0f32 + row.rest);
    // Rounding can leave a crumb of the sum: it belongs to the last class that has weight.
    let mut drawn = 0usize.runtime();
    let mut is_drawn = false;
    for class in 0..row.classes {
        let weight = weight(logits, row, class);
        if !is_drawn && weight > 0.0f32 {
            drawn = class;
        }
        left -= weight;
        if left < 0.0f32 {
            is_drawn = true;
        }
    }
    drawn
}

/// Shares of the mean loss, summed by cubes, from `to` on; the gradient for the labels; and, if some are drawn, that for them.
#[cube(launch, address_type = "dynamic")]
pub(super) fn descents(
    logits: &Tensor<f32>,
    labels: &Tensor<u32>,
    uniforms: &Tensor<f32>,
    losses: &mut Tensor<f32>,
    gradient: &mut Tensor<f32>,
    drawn_gradient: &mut Tensor<f32>,
    to: usize,
    #[comptime] draws: bool,
    #[comptime] units: usize,
) {
    let mut sums = Shared::<[f32]>::new_slice(units);
    let unit = UNIT_POS as usize;
    let example = CUBE_POS * units + unit;
    let examples = logits.shape(0);
    let mut sum = 0.0f32;
    if example < examples {
        let row = row(logits, example);
        let batch = examples as f32;
        let label = labels[example] as usize;
        // Large losses of a batch must not overflow where their mean does not.
        sum = loss(logits, &row, label, draws) / batch;
        write_gradient(logits, &row, label, batch, gradient, example);
        if comptime!(draws) {
            let drawn = draw(logits, &row, uniforms[example]);
            write_gradient(logits, &row, drawn, batch, drawn_gradient, example);
        }
    }
    sums[unit] = sum;
    sync_cube();
    let mut half = CUBE_DIM as usize / 2;
    while half > 0 {
        if unit < half {
            let other = sums[unit + half];
            sums[unit] += other;
        }
        sync_cube();
        half /= 2;
    }
    if unit == 0 {
        losses[to + CUBE_POS] = sums[0];
    }
}

/// Of each example its loss, then whether its label has the largest logit (the first of equal ones): 1 or 0.
#[cube(launch, address_type = "dynamic")]
pub(super) fn scores(logits: &Tensor<f32>, labels: &Tensor<u32>, scores: &mut Tensor<f32>) {
    let example = ABSOLUTE_POS;
    let examples = logits.shape(0);
    if example < examples {
        let row = row(logits, example);
        let label = labels[example] as usize;
        let own = logits[row.first + label * row.step];
        let mut right = 1.0f32;
        for class in 0..row.classes {
            let logit = logits[row.first + class * row.step];
            if logit >= own && (logit > own || class < label) {
                right = 0.0f32;
            }
        }
        scores[example] = loss(logits, &row, label, false);
        scores[examples + example] = right;
    }
}
