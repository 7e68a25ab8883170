//! Preconditioning by tensor operations, for devices whose memory is not the host's.

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use faer::Mat;

use super::{Kind, LayerGradient, Parameters, Weight};
use crate::Preconditioner;
use crate::preconditioner::Inverse;

/// [`Inverse`] as tensors.
#[derive(Debug)]
pub(crate) struct DeviceInverse {
    /// Qg, or (G + s/pi I)^-1 / T: `[rows, rows]`.
    left: Tensor<2>,
    /// Qa, or (A + pi s I)^-1: `[cols, cols]`.
    right: Tensor<2>,
    /// Of the eigenbasis: `[rows, cols]`.
    scale: Option<Tensor<2>>,
}

/// V or U, `[rows, cols]`.
pub(super) struct DeviceGradient(Tensor<2>);

impl DeviceInverse {
    pub(super) fn new(inverse: &Preconditioner, device: &Device) -> Self {
        let upload = |m: &Mat<f32>| {
            let rows = (0..m.nrows()).flat_map(|i| m.row(i).iter().copied().collect::<Vec<_>>());
            let data = TensorData::new(rows.collect(), [m.nrows(), m.ncols()]);
            Tensor::from_data(data, device)
        };
        match &inverse.0 {
            Inverse::Eigen { qa, qg, scale } => Self {
                left: upload(qg),
                right: upload(qa),
                scale: Some(upload(scale)),
            },
            Inverse::Factored { a, g } => Self {
                left: upload(g),
                right: upload(a),
                scale: None,
            },
        }
    }

    fn apply(&self, v: Tensor<2>) -> Tensor<2> {
        let (left, right) = (self.left.clone(), self.right.clone());
        match &self.scale {
            Some(scale) => {
                let inner = left.clone().transpose().matmul(v).matmul(right.clone());
                left.matmul(inner * scale.clone()).matmul(right.transpose())
            }
            None => left.matmul(v).matmul(right),
        }
    }
}

impl DeviceGradient {
    pub(super) fn new(of: &Parameters, taken: LayerGradient) -> Self {
        let v = match taken.weight {
            Weight::Linear(weight) => weight.transpose(),
            Weight::Conv2d(weight) => weight.reshape([of.rows, of.weights() / of.rows]),
        };
        Self(match taken.bias {
            None => v,
            Some(bias) => Tensor::cat(vec![v, bias.unsqueeze_dim(1)], 1),
        })
    }

    /// U = F^-1 V, and <U, V> of shape `[1]`.
    pub(super) fn precondition(self, inverse: &DeviceInverse) -> (Self, Tensor<1>) {
        let u = inverse.apply(self.0.clone());
        let product = (u.clone() * self.0).sum();
        (Self(u), product)
    }

    /// Registers scale * self as the layer's gradients, for a scale of at most 1.
    pub(super) fn put(self, of: &Parameters, scale: f64, gradients: &mut GradientsParams) {
        let u = if scale < 1.0 {
            self.0.mul_scalar(scale)
        } else {
            self.0
        };
        let inputs = of.weights() / of.rows;
        let weight = u.clone().narrow(1, 0, inputs);
        match of.kind {
            Kind::Linear => gradients.register(of.weight, weight.transpose()),
            Kind::Conv2d(shape) => gradients.register(of.weight, weight.reshape(shape)),
        }
        if let Some(id) = of.bias {
            gradients.register(id, u.narrow(1, inputs, 1).squeeze_dim::<1>(1));
        }
    }
}
