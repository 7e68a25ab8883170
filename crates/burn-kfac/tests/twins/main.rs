//! The product against brute force: loops instead of patches, a dense matrix instead of a
//! Kronecker product, a closed form instead of a recursion.

mod damping;
mod delay;
mod factors;
mod optimiser;
mod tape;

use std::num::NonZeroU32;

use burn::module::Param;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use burn_kfac::{Damping, Settings};

/// Numbers in -1..1, the same for the same seed.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 40) as f32 / (1_u64 << 23) as f32) - 1.0
    }

    fn tensor<const D: usize>(&mut self, shape: [usize; D], device: &Device) -> Tensor<D> {
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| self.next()).collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }
}

fn device() -> Device {
    Device::flex().autodiff()
}

fn linear(inputs: usize, outputs: usize, bias: bool, numbers: &mut Numbers) -> Linear {
    let mut layer = LinearConfig::new(inputs, outputs)
        .with_bias(bias)
        .init(&device());
    layer.weight = Param::from_tensor(numbers.tensor([inputs, outputs], &device()));
    layer
}

fn settings(damping: f64) -> Settings {
    Settings {
        factor_every: NonZeroU32::MIN,
        ..Settings::new(Damping::new(damping).unwrap())
    }
}

/// Gradients of sum(weights * y) / batch for an output y, where each sample's loss is linear in y.
fn backward<const D: usize>(y: Tensor<D>, weights: Tensor<D>) -> Gradients {
    let batch = y.dims()[0];
    (y * weights).sum().div_scalar(batch as f32).backward()
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

fn assert_close(ours: &[f32], reference: &[f64], tolerance: f64, what: &str) {
    assert_eq!(ours.len(), reference.len(), "{what}: lengths");
    let scale = reference.iter().fold(1e-12, |m: f64, x| m.max(x.abs()));
    for (at, (&a, &b)) in ours.iter().zip(reference).enumerate() {
        let error = (f64::from(a) - b).abs() / scale;
        assert!(
            error <= tolerance,
            "{what}: entry {at} is {a}, not {b} (error {error:.1e})"
        );
    }
}

/// Mean of r r^T over the rows r.
fn mean_outer(rows: &[Vec<f32>]) -> Vec<f64> {
    let dim = rows[0].len();
    let entry = |i: usize, j: usize| {
        rows.iter()
            .map(|r| f64::from(r[i]) * f64::from(r[j]))
            .sum::<f64>()
    };
    (0..dim * dim)
        .map(|at| entry(at / dim, at % dim) / rows.len() as f64)
        .collect()
}
