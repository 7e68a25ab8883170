//! What a training step needs beside its network, on Vulkan's software device: batches against a naive twin to the bit,
//! losses, gradients, drawn labels and scores against one in double precision.
//!
//! Built with the feature `wgpu` only; left out as `on_a_gpu.rs` is.

mod software;

use burn::tensor::{Tensor, TensorData};
use burn_conv_kernels::transfer::{Transfers, transfers};
use burn_conv_kernels::{Chosen, Descents, Examples, Labels, Losses, backward};
use software::software;

/// Numbers in `0..n`, always the same.
fn numbers(n: u32) -> impl FnMut() -> u32 {
    let mut state = 1_u64;
    move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as u32 % n
    }
}

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().unwrap()
}

#[test]
fn batches_are_windows_of_bordered_images_to_the_bit() {
    let Some(device) = software() else { return };
    let (count, pad) = (23, 2_u32);
    for [channels, rows, columns] in [[1, 1, 1], [3, 5, 4], [2, 3, 7]] {
        let size = channels * rows * columns;
        let mut byte = numbers(256);
        let pixels: Vec<u8> = (0..count * size).map(|_| byte() as u8).collect();
        let labels: Vec<u8> = (0..count).map(|_| byte() as u8).collect();
        let values: Vec<f32> = (0..channels * 256)
            .map(|at| 1.0 / (at as f32 + 0.3))
            .collect();
        let shape = [channels, rows, columns];
        let examples = Examples::new(&pixels, &labels, values.clone(), shape, &device).unwrap();
        let mut any = numbers(1 << 20);
        let chosen: Vec<Chosen> = (0..40)
            .map(|_| Chosen {
                index: any() % count as u32,
                down: any() % (2 * pad + 1),
                right: any() % (2 * pad + 1),
                flip: any() % 2 == 1,
            })
            .collect();
        let (images, on_device) = examples.batch(chosen.iter().copied(), pad as usize);

        let mut expected = Vec::new();
        for it in &chosen {
            for channel in 0..channels {
                // The bordered image as a whole, then the window, then its mirror.
                let (high, wide) = (rows + 2 * pad as usize, columns + 2 * pad as usize);
                let mut bordered = vec![vec![0.0; wide]; high];
                for at in 0..rows * columns {
                    let pixel = pixels[it.index as usize * size + channel * rows * columns + at];
                    bordered[at / columns + pad as usize][at % columns + pad as usize] =
                        values[channel * 256 + usize::from(pixel)];
                }
                for row in &bordered[it.down as usize..][..rows] {
                    let mut row = row[it.right as usize..][..columns].to_vec();
                    if it.flip {
                        row.reverse();
                    }
                    expected.extend(row);
                }
            }
        }
        assert_eq!(images.dims(), [40, size]);
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        assert_eq!(bits(floats(images)), bits(expected), "{shape:?}");
        // Labels have no values that can be read, but what is right by them.
        let logits = Tensor::<2>::from_data(
            TensorData::new(
                chosen
                    .iter()
                    .flat_map(|it| (0..=255).map(|class| class == labels[it.index as usize]))
                    .map(|own| f32::from(u8::from(own)))
                    .collect::<Vec<_>>(),
                [40, 256],
            ),
            &device,
        );
        let right = &floats(on_device.scores(logits))[40..];
        assert!(right.iter().all(|right| *right > 0.5), "{right:?}");
    }
}

/// Rows of logits, labels and numbers to draw by.
struct Case {
    logits: Vec<f32>,
    classes: usize,
    labels: Vec<u8>,
    uniforms: Vec<f32>,
}

impl Case {
    /// `scale` is how far logits are apart.
    fn new(batch: usize, classes: usize, scale: f32) -> Self {
        let mut any = numbers(1 << 20);
        let mut uniform = move || any() as f32 / (1 << 20) as f32;
        Self {
            logits: (0..batch * classes)
                .map(|_| scale * (uniform() - 0.5))
                .collect(),
            classes,
            labels: (0..batch)
                .map(|_| (uniform() * classes as f32) as u8)
                .collect(),
            uniforms: (0..batch).map(|_| uniform()).collect(),
        }
    }

    /// Probabilities of each row.
    fn softmax(&self) -> Vec<Vec<f64>> {
        let rows = self.logits.chunks(self.classes);
        rows.map(|row| {
            let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let weights = row.iter().map(|x| f64::from(x - largest).exp());
            let total: f64 = weights.clone().sum();
            weights.map(|weight| weight / total).collect()
        })
        .collect()
    }

    fn loss(&self) -> f64 {
        let rows = self.logits.chunks(self.classes).zip(&self.labels);
        let losses = rows.map(|(row, label)| {
            let own = f64::from(row[usize::from(*label)]);
            // ln(1 + the others' exponentials less the largest), which is exact for a loss of nearly nothing, too.
            let (at, largest) = row
                .iter()
                .enumerate()
                .max_by(|a, b| a.1.total_cmp(b.1))
                .unwrap();
            let largest = f64::from(*largest);
            let others = row.iter().enumerate().filter(|(other, _)| *other != at);
            let rest: f64 = others.map(|(_, x)| (f64::from(*x) - largest).exp()).sum();
            largest - own + rest.ln_1p()
        });
        losses.sum::<f64>() / self.labels.len() as f64
    }

    fn gradient(&self, labels: &[u8]) -> Vec<f64> {
        let rows = self.softmax().into_iter().zip(labels);
        rows.flat_map(|(row, label)| {
            let batch = labels.len() as f64;
            let own = usize::from(*label);
            let others = row.iter().enumerate().filter(|(at, _)| *at != own);
            let others: f64 = others.map(|(_, p)| p).sum();
            let row = row.into_iter().enumerate();
            row.map(move |(class, p)| if class == own { -others } else { p } / batch)
                .collect::<Vec<_>>()
        })
        .collect()
    }

    /// `None` where a number is next to where one label gives way to another.
    fn drawn(&self) -> Vec<Option<u8>> {
        let rows = self.softmax().into_iter().zip(&self.uniforms);
        rows.map(|(row, uniform)| {
            let uniform = f64::from(*uniform);
            let mut sum = 0.0;
            let ends = row.iter().map(|p| {
                sum += p;
                sum
            });
            let ends: Vec<f64> = ends.collect();
            let is_near = ends.iter().any(|end| (end - uniform).abs() < 1e-5);
            let label = ends.iter().position(|end| uniform < *end);
            label.map(|label| label as u8).filter(|_| !is_near)
        })
        .collect()
    }
}

#[test]
fn losses_gradients_and_drawn_labels_are_those_in_double_precision() {
    let Some(device) = software() else { return };
    for (batch, classes, scale) in [
        (1, 2, 3.0),
        (7, 10, 8.0),
        (300, 10, 40.0),
        (513, 3, 0.1),
        (256, 256, 20.0),
        (32, 10, 1e15),
        (32, 10, 1e37),
    ] {
        let what = format!("{batch} of {classes}, {scale}");
        let case = Case::new(batch, classes, scale);
        let logits = TensorData::new(case.logits.clone(), [batch, classes]);
        // Laid out column by column: the kernels take any strides.
        let logits = Tensor::<2>::from_data(logits, &device).transpose();
        let logits = Tensor::<2>::from_data(logits.into_data(), &device).transpose();
        let labels = Labels::new(&case.labels, &device).unwrap();
        let mut losses = Losses::new(2, batch, &device).unwrap();
        let Descents { given, drawn } =
            losses.note(logits.clone(), &labels, Some(case.uniforms.clone()));
        assert!(losses.note(logits, &labels, None).drawn.is_none());
        assert_eq!(losses.noted(), 2);
        let (means, Transfers { waits, .. }) = transfers(|| losses.read());
        assert!(waits >= 1 && losses.noted() == 0 && losses.read().is_empty());
        assert_eq!(means.len(), 2, "{what}");
        for mean in means {
            let apart = (mean / case.loss() - 1.0).abs();
            assert!(apart < 2e-6, "{what}: {mean}, {apart}");
        }
        let close = |of: &str, ours: &[f32], expected: &[f64]| {
            assert_eq!(ours.len(), expected.len());
            for (ours, expected) in ours.iter().zip(expected) {
                let apart = (f64::from(*ours) - expected).abs() / expected.abs().max(1e-7);
                assert!(apart < 1e-5, "{what}, {of}: {ours}, expected {expected}");
            }
        };
        close("given", &floats(given), &case.gradient(&case.labels));
        let drawn = floats(drawn.unwrap());
        let expected = case.drawn();
        // Of the label alone the gradient is negative.
        let labels: Vec<u8> = drawn
            .chunks(classes)
            .zip(&expected)
            .map(|(row, expected)| {
                let lowest = row.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1));
                let label = lowest.unwrap().0 as u8;
                assert!(expected.is_none_or(|expected| expected == label), "{what}");
                label
            })
            .collect();
        assert!(expected.iter().filter(|label| label.is_some()).count() > batch / 2);
        close("drawn", &drawn, &case.gradient(&labels));
    }
}

#[test]
fn a_loss_of_nearly_nothing_is_not_rounded_to_nothing() {
    let Some(device) = software() else { return };
    for apart in [1.0_f32, 5.0, 15.0, 25.0, 60.0] {
        let logits = Tensor::<2>::from_floats([[apart, 0.0]], &device);
        let labels = Labels::new(&[0], &device).unwrap();
        let mut losses = Losses::new(1, 1, &device).unwrap();
        let gradient = floats(losses.note(logits, &labels, None).given);
        let expected = f64::from(-apart).exp().ln_1p();
        let loss = losses.read()[0];
        assert!((loss / expected - 1.0).abs() < 1e-5, "{apart}: {loss}");
        let expected = 1.0 / (1.0 + f64::from(apart).exp());
        for (gradient, sign) in gradient.into_iter().zip([-1.0, 1.0]) {
            let apart = (f64::from(gradient) * sign / expected - 1.0).abs();
            assert!(apart < 1e-5, "{gradient}, expected {expected}");
        }
    }
}

#[test]
fn a_logit_that_is_not_finite_shows_in_the_loss_and_one_that_cannot_be_drawn_from_does() {
    let Some(device) = software() else { return };
    let loss = |bad: f32, label: u8, draws: bool| {
        let logits = Tensor::<2>::from_floats([[0.0, 0.5, 1.0], [0.0, bad, 1.0]], &device);
        let labels = Labels::new(&[0, label], &device).unwrap();
        let mut losses = Losses::new(1, 2, &device).unwrap();
        losses.note(logits, &labels, draws.then(|| vec![0.5; 2]));
        losses.read()[0]
    };
    for bad in [f32::NAN, f32::INFINITY] {
        for (label, draws) in [(0, false), (1, false), (0, true)] {
            let loss = loss(bad, label, draws);
            assert!(!loss.is_finite(), "{bad} {label} {draws}: {loss}");
        }
    }
    assert!(!loss(f32::NEG_INFINITY, 1, false).is_finite());
    assert!(!loss(f32::NEG_INFINITY, 0, true).is_finite());
    // Without the class that has no probability.
    let of_first = (1.0 + 0.5_f64.exp() + 1.0_f64.exp()).ln();
    let expected = f64::midpoint(of_first, 1.0_f64.exp().ln_1p());
    let finite = loss(f32::NEG_INFINITY, 0, false);
    assert!((finite - expected).abs() < 1e-6, "{finite}");
}

#[test]
fn scores_are_the_losses_and_ties_go_to_the_first_class() {
    let Some(device) = software() else { return };
    let case = Case::new(300, 10, 8.0);
    let logits = TensorData::new(case.logits.clone(), [300, 10]);
    let logits = Tensor::<2>::from_data(logits, &device);
    let labels = Labels::new(&case.labels, &device).unwrap();
    let scores = floats(labels.scores(logits));
    let (losses, right) = scores.split_at(300);
    let mean = losses.iter().map(|loss| f64::from(*loss)).sum::<f64>() / 300.0;
    assert!((mean / case.loss() - 1.0).abs() < 2e-6);
    let largest = |row: &[f32]| {
        let best = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        row.iter().position(|x| *x >= best).unwrap()
    };
    for ((row, label), right) in case.logits.chunks(10).zip(&case.labels).zip(right) {
        assert_eq!(*right > 0.5, largest(row) == usize::from(*label));
    }
    let tied = Tensor::<2>::from_floats([[2.0, 2.0], [2.0, 2.0]], &device);
    let labels = Labels::new(&[0, 1], &device).unwrap();
    let right = &floats(labels.scores(tied))[2..];
    assert!(right[0] > 0.5 && right[1] < 0.5, "{right:?}");
}

#[test]
fn a_pass_begins_with_the_gradient_that_it_is_given() {
    let Some(device) = software() else { return };
    let device = device.autodiff();
    let w = Tensor::<2>::from_floats([[1.0, -2.0], [0.5, 3.0]], &device).require_grad();
    let x = Tensor::<2>::from_floats([[2.0, 1.0]], &device);
    let at_y = Tensor::<2>::from_floats([[10.0, 100.0]], &device);
    let gradients = backward(x.matmul(w.clone()), at_y);
    // x^T times the gradient.
    assert_eq!(
        floats(w.grad(&gradients).unwrap()),
        [20.0, 200.0, 10.0, 100.0]
    );
}
