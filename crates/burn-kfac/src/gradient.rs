//! A layer's gradient as one matrix V `[rows, cols]`: weight and bias in homogeneous
//! coordinates, taken out of and put back into burn-optim's [`GradientsParams`].
//!
//! burn stores the weight of `Linear` as `[in, out]`, V transposed; the weight of `Conv2d` as
//! `[out, in, kh, kw]`, V's rows. Neither is transposed in memory: V is a strided view.

use burn::module::ParamId;
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Tensor, TensorData};
use faer::{MatMut, MatRef};

use crate::capture::{Capture, Signals, host};
use crate::{Error, Preconditioner};

/// Which parameters a layer has, and how they lie in V.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameters {
    pub(crate) layer: String,
    pub(crate) weight: ParamId,
    pub(crate) bias: Option<ParamId>,
    pub(crate) kind: Kind,
    pub(crate) rows: usize,
    /// One more than the inputs if there is a bias.
    pub(crate) cols: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Linear,
    /// Shape of the weight.
    Conv2d([usize; 4]),
}

/// Weight and bias gradients of one layer as burn keeps them.
pub(crate) struct LayerGradient {
    pub(crate) weight: Weight,
    pub(crate) bias: Option<Tensor<1>>,
}

pub(crate) enum Weight {
    Linear(Tensor<2>),
    Conv2d(Tensor<4>),
}

impl Parameters {
    pub(crate) fn of(capture: &Capture) -> Self {
        let kind = match capture.signals() {
            Signals::Linear { .. } => Kind::Linear,
            Signals::Conv2d { x, window, .. } => {
                let [kh, kw] = window.kernel;
                Kind::Conv2d([capture.rows(), x.dims()[1], kh, kw])
            }
        };
        Self {
            layer: capture.name.clone(),
            weight: capture.weight,
            bias: capture.bias,
            kind,
            rows: capture.rows(),
            cols: capture.cols(),
        }
    }

    /// Multiplications of one preconditioning.
    pub(crate) fn work(&self) -> usize {
        2 * self.rows * self.cols * (self.rows + self.cols)
    }

    /// Takes the gradients of the layer out of `gradients`.
    pub(crate) fn take(&self, gradients: &mut GradientsParams) -> Result<LayerGradient, Error> {
        let missing = |parameter| Error::NoGradient {
            layer: self.layer.clone(),
            parameter,
        };
        let weight = match self.kind {
            Kind::Linear => gradients.remove::<2>(self.weight).map(Weight::Linear),
            Kind::Conv2d(_) => gradients.remove::<4>(self.weight).map(Weight::Conv2d),
        };
        let weight = weight.ok_or_else(|| missing("weight"))?;
        let bias = match self.bias {
            None => None,
            Some(id) => Some(gradients.remove::<1>(id).ok_or_else(|| missing("bias"))?),
        };
        Ok(LayerGradient { weight, bias })
    }

    fn weights(&self) -> usize {
        self.rows * (self.cols - usize::from(self.bias.is_some()))
    }
}

impl LayerGradient {
    fn device(&self) -> Device {
        match &self.weight {
            Weight::Linear(weight) => weight.device(),
            Weight::Conv2d(weight) => weight.device(),
        }
    }

    /// Sum of squared entries.
    pub(crate) fn square(&self) -> f64 {
        let mut square = match &self.weight {
            Weight::Linear(weight) => square_of(weight),
            Weight::Conv2d(weight) => square_of(weight),
        };
        if let Some(bias) = &self.bias {
            square += square_of(bias);
        }
        square
    }

    /// Puts the gradients back as they were.
    pub(crate) fn put_back(self, of: &Parameters, gradients: &mut GradientsParams) {
        match self.weight {
            Weight::Linear(weight) => gradients.register(of.weight, weight),
            Weight::Conv2d(weight) => gradients.register(of.weight, weight),
        }
        if let (Some(id), Some(bias)) = (of.bias, self.bias) {
            gradients.register(id, bias);
        }
    }
}

fn square_of<const D: usize>(tensor: &Tensor<D>) -> f64 {
    let data = host::data(tensor.clone());
    host::values(&data)
        .iter()
        .map(|&x| f64::from(x).powi(2))
        .sum()
}

/// U of one layer.
pub(crate) struct Preconditioned {
    u: HostGradient,
    /// <U, V>.
    pub(crate) product: f64,
    /// Of V.
    pub(crate) gradient_was_finite: bool,
}

impl Preconditioned {
    pub(crate) fn new(of: &Parameters, inverse: &Preconditioner, taken: LayerGradient) -> Self {
        let v = HostGradient::new(of, taken);
        let (u, product) = v.precondition(of, inverse);
        Self {
            u,
            product,
            // Looked at only where something is wrong: U and V share the fate of <U, V>.
            gradient_was_finite: product.is_finite() || v.is_finite(),
        }
    }

    /// Registers scale * U as the layer's gradients, for a scale of at most 1.
    pub(crate) fn put(self, of: &Parameters, scale: f64, gradients: &mut GradientsParams) {
        self.u.put(of, scale, gradients);
    }
}

/// V or U in the host's memory.
struct HostGradient {
    /// Column-major `[rows, cols]` for a linear layer, row-major for a convolution.
    values: Vec<f32>,
    device: Device,
    dtype: DType,
}

impl HostGradient {
    fn new(of: &Parameters, taken: LayerGradient) -> Self {
        let device = taken.device();
        let bias = taken.bias.map(host::data);
        let bias = bias.as_ref().map(host::values);
        let (values, dtype) = match taken.weight {
            Weight::Linear(weight) => {
                let dtype = weight.dtype();
                let weight = host::data(weight);
                let mut values = Vec::with_capacity(of.rows * of.cols);
                values.extend_from_slice(host::values(&weight));
                values.extend_from_slice(bias.unwrap_or_default());
                (values, dtype)
            }
            Weight::Conv2d(weight) => {
                let dtype = weight.dtype();
                let weight = host::data(weight);
                let weight = host::values(&weight);
                let values = match bias {
                    None => weight.to_vec(),
                    Some(bias) => weight
                        .chunks_exact(of.cols - 1)
                        .zip(bias)
                        .flat_map(|(row, bias)| row.iter().chain([bias]).copied())
                        .collect(),
                };
                (values, dtype)
            }
        };
        Self {
            values,
            device,
            dtype,
        }
    }

    /// U = F^-1 V, and <U, V>.
    fn precondition(&self, of: &Parameters, inverse: &Preconditioner) -> (Self, f64) {
        let mut u = vec![0.0; self.values.len()];
        inverse.multiply(view(of, &self.values), view_mut(of, &mut u));
        let dot = dot(&u, &self.values);
        (
            Self {
                values: u,
                device: self.device.clone(),
                dtype: self.dtype,
            },
            dot,
        )
    }

    fn is_finite(&self) -> bool {
        self.values.iter().all(|x| x.is_finite())
    }

    /// Registers scale * self as the layer's gradients, for a scale of at most 1.
    fn put(mut self, of: &Parameters, scale: f64, gradients: &mut GradientsParams) {
        if scale < 1.0 {
            self.values
                .iter_mut()
                .for_each(|x| *x = (f64::from(*x) * scale) as f32);
        }
        let (device, dtype) = (self.device, self.dtype);
        let (weight, bias) = match (of.kind, of.bias.is_some()) {
            (Kind::Linear, true) => {
                let bias = self.values.split_off(of.weights());
                (self.values, Some(bias))
            }
            (Kind::Conv2d(_), true) => {
                let rows = self.values.chunks_exact(of.cols);
                let bias = rows.clone().map(|row| row[of.cols - 1]).collect();
                (
                    rows.flat_map(|row| &row[..of.cols - 1]).copied().collect(),
                    Some(bias),
                )
            }
            (_, false) => (self.values, None),
        };
        match of.kind {
            Kind::Linear => {
                let shape = [of.weights() / of.rows, of.rows];
                gradients.register(of.weight, tensor::<2>(weight, shape, &device, dtype));
            }
            Kind::Conv2d(shape) => {
                gradients.register(of.weight, tensor::<4>(weight, shape, &device, dtype));
            }
        }
        if let (Some(id), Some(bias)) = (of.bias, bias) {
            gradients.register(id, tensor::<1>(bias, [of.rows], &device, dtype));
        }
    }
}

/// In double precision, in eight sums that do not wait for each other.
fn dot(u: &[f32], v: &[f32]) -> f64 {
    let mut sums = [0.0; 8];
    for (u, v) in u.chunks(8).zip(v.chunks(8)) {
        for ((sum, &u), &v) in sums.iter_mut().zip(u).zip(v) {
            *sum += f64::from(u) * f64::from(v);
        }
    }
    sums.iter().sum()
}

fn view<'a>(of: &Parameters, values: &'a [f32]) -> MatRef<'a, f32> {
    match of.kind {
        Kind::Linear => MatRef::from_column_major_slice(values, of.rows, of.cols),
        Kind::Conv2d(_) => MatRef::from_row_major_slice(values, of.rows, of.cols),
    }
}

fn view_mut<'a>(of: &Parameters, values: &'a mut [f32]) -> MatMut<'a, f32> {
    match of.kind {
        Kind::Linear => MatMut::from_column_major_slice_mut(values, of.rows, of.cols),
        Kind::Conv2d(_) => MatMut::from_row_major_slice_mut(values, of.rows, of.cols),
    }
}

fn tensor<const D: usize>(
    values: Vec<f32>,
    shape: [usize; D],
    device: &Device,
    dtype: DType,
) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), (device, dtype))
}
