//! Stochastic gradient descent with momentum for many parameters in one launch.

use std::cmp::Reverse;

use burn::backend::{Cube, TensorMetadata as _};
use burn::tensor::{DType, Tensor};
use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::ops::permute;
use burn_cubecl::tensor::CubeTensor;

/// Units of a cube.
const UNITS: u32 = 256;

/// Values of a unit at most, so that a large parameter is divided among many cubes.
const EACH: usize = 4;

/// Where a device names no limit, as many as wgpu has in a group.
const MOST_BINDINGS: u32 = 1000;

/// The numbers of the rule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Descent {
    /// The learning rate.
    pub rate: f64,
    /// What remains of the velocity.
    pub momentum: f64,
    /// Times the parameter, added to the gradient.
    pub weight_decay: f64,
}

/// A parameter and where its update goes; all of the same size, and with the same order of dimensions in memory.
#[derive(Debug)]
struct Waiting {
    parameter: CubeTensor,
    gradient: CubeTensor,
    velocity: Option<CubeTensor>,
    /// Of parameter and velocity.
    updated: [CubeTensor; 2],
}

/// Updates that are still to be computed. Each has its results' memory already, so that a network can be put together
/// from them; their values are there after [`launch`](Self::launch).
#[derive(Debug, Default)]
pub struct Updates(Vec<Waiting>);

impl Updates {
    /// The parameter after `w - rate v`, and its velocity, `v = momentum v + g + weight_decay w`; without a velocity yet
    /// `v = g + weight_decay w`. `None` where no kernel does it: on a CPU, and for other types than `f32`.
    ///
    /// In memory both have the gradient's order of dimensions. That of a convolution's is the one that convolutions
    /// read weights in, so that they need no copy.
    pub fn add<const D: usize>(
        &mut self,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        velocity: Option<Tensor<D>>,
    ) -> Option<[Tensor<D>; 2]> {
        let on_device = |tensor: Tensor<D>| {
            let tensor = tensor.try_into_primitive::<Cube>().ok()?;
            (tensor.dtype() == DType::F32 && !tensor.meta.is_tiled()).then_some(tensor)
        };
        let gradient = on_device(gradient)?;
        let gradient = if is_dense(&gradient) {
            gradient
        } else {
            into_contiguous(gradient)
        };
        let like = |tensor: Tensor<D>| Some(laid_out_as(&gradient, on_device(tensor)?));
        let parameter = like(parameter)?;
        let velocity = match velocity {
            Some(velocity) => Some(like(velocity)?),
            None => None,
        };
        let updated = [empty_like(&gradient), empty_like(&gradient)];
        self.0.push(Waiting {
            parameter,
            gradient,
            velocity,
            updated: updated.clone(),
        });
        Some(updated.map(Tensor::from_primitive::<Cube>))
    }

    /// Computes what was added, in as few launches as the device's number of bindings allows.
    pub fn launch(&mut self, by: Descent) {
        let waiting = std::mem::take(&mut self.0);
        let Some(first) = waiting.first() else { return };
        let client = first.parameter.client.clone();
        // Five tensors a parameter; one binding is the launch's own.
        let bindings = client.properties().hardware.max_bindings.min(MOST_BINDINGS);
        let most = (bindings as usize - 1) / 5;
        for at_once in waiting.chunk_by(|a, b| a.velocity.is_some() == b.velocity.is_some()) {
            for at_once in at_once.chunks(most) {
                launch(&client, at_once, by);
            }
        }
    }
}

/// The tensor with the order of dimensions in memory that a dense one has.
fn laid_out_as(dense: &CubeTensor, tensor: CubeTensor) -> CubeTensor {
    if tensor.meta.strides() == dense.meta.strides() {
        return tensor;
    }
    let strides = dense.meta.strides();
    let mut axes: Vec<usize> = (0..strides.len()).collect();
    axes.sort_by_key(|axis| Reverse(strides[*axis]));
    let mut laid_out = into_contiguous(permute(tensor, &axes));
    *laid_out.meta = (*dense.meta).clone();
    laid_out
}

/// Memory for as many values.
fn empty_like(dense: &CubeTensor) -> CubeTensor {
    let mut empty = empty_device_contiguous_dtype(
        dense.client.clone(),
        dense.device.clone(),
        dense.shape(),
        dense.dtype,
    );
    *empty.meta = (*dense.meta).clone();
    empty
}

/// Whether there are no gaps between its values, in whatever order of dimensions, and none is there twice.
fn is_dense(tensor: &CubeTensor) -> bool {
    let (shape, strides) = (tensor.meta.shape().iter(), tensor.meta.strides().iter());
    let mut axes: Vec<_> = strides.zip(shape).filter(|(_, size)| **size > 1).collect();
    axes.sort_unstable();
    let mut values = 1;
    axes.into_iter().all(|(stride, size)| {
        let follows = *stride == values;
        values *= size;
        follows
    })
}

fn launch(client: &Client, updates: &[Waiting], by: Descent) {
    let count = |update: &Waiting| update.parameter.meta.num_elements();
    let cubes = |update: &Waiting| count(update).div_ceil(UNITS as usize * EACH);
    let mut ends = SequenceArg::new();
    let mut end = 0;
    for update in updates {
        end += cubes(update);
        ends.push(end as u32);
    }
    let all = |tensor: fn(&Waiting) -> &CubeTensor| -> SequenceArg<OwnedTensor<f32>> {
        let tensors = updates.iter().map(tensor);
        tensors.map(|it| it.clone().into_tensor_arg()).collect()
    };
    let has_velocity = updates[0].velocity.is_some();
    let addresses = updates.iter().map(|it| it.gradient.required_address_type());
    descend::launch(
        client,
        CubeCount::new_1d(end as u32),
        CubeDim::new_1d(UNITS),
        addresses.max().unwrap_or_default(),
        all(|it| &it.parameter),
        all(|it| &it.gradient),
        if has_velocity {
            all(|it| {
                it.velocity
                    .as_ref()
                    .expect("those with one are launched together")
            })
        } else {
            SequenceArg::new()
        },
        all(|it| &it.updated[0]),
        all(|it| &it.updated[1]),
        ends,
        by.rate as f32,
        by.momentum as f32,
        by.weight_decay as f32,
        has_velocity,
    );
}

/// The cubes up to `ends[i]` work on parameter i.
#[allow(
    clippy::needless_pass_by_value,
    reason = "what `CubeCL` asks of numbers"
)]
#[cube(launch, address_type = "dynamic")]
fn descend(
    parameters: &Sequence<OwnedTensor<f32>>,
    gradients: &Sequence<OwnedTensor<f32>>,
    velocities: &Sequence<OwnedTensor<f32>>,
    new_parameters: &mut Sequence<OwnedTensor<f32>>,
    new_velocities: &mut Sequence<OwnedTensor<f32>>,
    ends: Sequence<u32>,
    rate: f32,
    momentum: f32,
    weight_decay: f32,
    #[comptime] has_velocity: bool,
) {
    let cube = CUBE_POS as u32;
    let mut begin = 0u32;
    #[unroll]
    for at in 0..parameters.len() {
        let end = ends[at];
        if cube >= begin && cube < end {
            let parameter = parameters.index(at);
            let gradient = gradients.index(at);
            let units = (end - begin) * CUBE_DIM;
            let mut place = ((cube - begin) * CUBE_DIM + UNIT_POS) as usize;
            while place < parameter.len() {
                let w = parameter[place];
                let mut v = gradient[place] + weight_decay * w;
                if comptime!(has_velocity) {
                    v += momentum * velocities.index(at)[place];
                }
                new_parameters.index_mut(at)[place] = w - rate * v;
                new_velocities.index_mut(at)[place] = v;
                place += units as usize;
            }
        }
        begin = end;
    }
}
