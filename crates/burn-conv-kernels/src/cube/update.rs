//! Stochastic gradient descent with momentum for many parameters in one launch.

use burn::backend::{Cube, TensorMetadata as _};
use burn::tensor::{DType, Tensor};
use burn_cubecl::cubecl::zspace::metadata::Metadata;
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

/// A parameter and where its update goes, with their dimensions in the order of memory.
#[derive(Debug)]
struct Waiting {
    parameter: CubeTensor,
    /// With any strides.
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
    /// Both are laid out in memory as convolutions read their weights, which then need no copy.
    pub fn add<const D: usize>(
        &mut self,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        velocity: Option<Tensor<D>>,
    ) -> Option<[Tensor<D>; 2]> {
        let in_order = |tensor: Tensor<D>| {
            let tensor = tensor.try_into_primitive::<Cube>().ok()?;
            let fits = D <= 4 && tensor.dtype() == DType::F32 && !tensor.meta.is_tiled();
            fits.then(|| permute(tensor, &order::<D>()))
        };
        let parameter = into_contiguous(in_order(parameter)?);
        let gradient = in_four_dimensions(in_order(gradient)?);
        let velocity = match velocity {
            Some(velocity) => Some(into_contiguous(in_order(velocity)?)),
            None => None,
        };
        let updated = [(); 2].map(|()| {
            let Metadata { shape, .. } = (*parameter.meta).clone();
            let (client, device) = (parameter.client.clone(), parameter.device.clone());
            empty_device_contiguous_dtype(client, device, shape, parameter.dtype)
        });
        self.0.push(Waiting {
            parameter,
            gradient,
            velocity,
            updated: updated.clone(),
        });
        let mut back = order::<D>();
        for (at, axis) in order::<D>().into_iter().enumerate() {
            back[axis] = at;
        }
        Some(updated.map(|tensor| Tensor::from_primitive::<Cube>(permute(tensor, &back))))
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

/// The dimensions in the order of memory: channels last in the weights of a convolution, `[out, in, rows, columns]`.
fn order<const D: usize>() -> [usize; D] {
    let last = |at: usize| match at {
        0 => 0,
        3 => 1,
        _ => at + 1,
    };
    std::array::from_fn(|at| if D == 4 { last(at) } else { at })
}

/// With dimensions of length 1 before its own.
fn in_four_dimensions(mut tensor: CubeTensor) -> CubeTensor {
    let missing = 4 - tensor.meta.shape().num_dims();
    let padded = |given: &[usize]| -> [usize; 4] {
        std::array::from_fn(|at| at.checked_sub(missing).map_or(1, |at| given[at]))
    };
    let (shape, strides) = (padded(tensor.meta.shape()), padded(tensor.meta.strides()));
    *tensor.meta = Metadata::new(shape, strides);
    tensor
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

/// Where the value at a place in the order of the dimensions is.
#[cube]
fn offset(tensor: &OwnedTensor<f32>, place: usize) -> usize {
    let mut rest = place;
    let mut offset = 0usize.runtime();
    #[unroll]
    for back in 0..4usize {
        let axis = comptime!(3 - back);
        offset += rest % tensor.shape(axis) * tensor.stride(axis);
        rest /= tensor.shape(axis);
    }
    offset
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
                let mut v = gradient[offset(gradient, place)] + weight_decay * w;
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
