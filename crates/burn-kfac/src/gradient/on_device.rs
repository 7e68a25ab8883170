//! Preconditioning by tensor operations, for devices whose memory is not the host's.

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use faer::Mat;

use super::{Kind, Parameters, Taken, Weight};
use crate::Preconditioner;
use crate::preconditioner::Inverse;

/// [`Inverse`] as tensors.
#[derive(Debug)]
pub(crate) enum DeviceInverse {
    Eigen {
        qa: Tensor<2>,
        qg: Tensor<2>,
        scale: Tensor<2>,
    },
    Factored {
        a: Tensor<2>,
        g: Tensor<2>,
    },
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
            Inverse::Eigen { qa, qg, scale } => Self::Eigen {
                qa: upload(qa),
                qg: upload(qg),
                scale: upload(scale),
            },
            Inverse::Factored { a, g } => Self::Factored {
                a: upload(a),
                g: upload(g),
            },
        }
    }

    fn apply(&self, v: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Eigen { qa, qg, scale } => {
                let inner = qg.clone().transpose().matmul(v).matmul(qa.clone()) * scale.clone();
                qg.clone().matmul(inner).matmul(qa.clone().transpose())
            }
            Self::Factored { a, g } => g.clone().matmul(v).matmul(a.clone()),
        }
    }
}

impl DeviceGradient {
    pub(super) fn new(of: &Parameters, taken: Taken) -> Self {
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

    /// Registers scale * self as the layer's gradients.
    pub(super) fn put(self, of: &Parameters, scale: f64, gradients: &mut GradientsParams) {
        let u = if scale == 1.0 {
            self.0
        } else {
            self.0.mul_scalar(scale)
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
