//! K-FAC on burn's GPU backends, by kernels of ours: factors and their running averages stay on the device, and go to
//! the host only when inverses are due, all layers in one piece, as lower triangles; inverses come back in one piece.

mod layout;
mod moments;
mod products;
mod second_moment;
mod transfer;

use burn::backend::{Cube, TensorMetadata as _};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Tensor};
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::cubecl::zspace::metadata::Metadata;
use burn_cubecl::tensor::CubeTensor;

use crate::capture::{Capture, Signals, host};
use crate::gradient::{Kind, LayerGradient, Parameters, Weight};
use crate::preconditioner::Inverse;
use crate::{DampingMethod, Error, KroneckerFactors, Preconditioner, Settings, Symmetric, Traffic};

use layout::{Layout, Place, triangle};
use products::Stage;
use transfer::Link;

/// Units of a cube where nothing is shared.
const UNITS: u32 = 256;

/// The fewest cubes that any device can launch in one dimension.
const MOST_CUBES: usize = u16::MAX as usize;

/// Where a device names no limit, as many as wgpu has in a group.
const MOST_BINDINGS: u32 = 1000;

/// What K-FAC keeps on a device.
#[derive(Debug)]
pub(crate) struct OnDevice {
    link: Link,
    layout: Layout,
    table: CubeTensor,
    /// Running averages before bias correction; never written to.
    averages: CubeTensor,
    /// Of each cube of a product whether it ever had a product that is not finite: 1, else 0.
    unfit: CubeTensor,
    /// What the last update needed beside the tensors.
    factors: Option<(second_moment::Table, [CubeTensor; 2])>,
    inverses: Option<CubeTensor>,
}

/// The averages of a moment.
#[derive(Debug)]
pub(crate) struct Snapshot {
    link: Link,
    places: Vec<Place>,
    averages: CubeTensor,
    unfit: CubeTensor,
}

/// A snapshot on its way to the host.
pub(crate) struct Reading {
    places: Vec<Place>,
    numbers: transfer::Reading<2>,
}

/// What was read.
#[derive(Debug)]
pub(crate) struct Read {
    /// A and G of each layer, averages before bias correction.
    pub(crate) averages: Vec<[Symmetric; 2]>,
    /// The first layer that had a product that is not finite.
    pub(crate) unfit: Option<usize>,
}

/// <U, V> by cubes, which nobody has looked at yet.
#[derive(Debug)]
pub(crate) struct Products {
    link: Link,
    dots: CubeTensor,
    /// The cube after the last of each layer.
    ends: Vec<usize>,
}

/// The tensor where the kernels take it: on a GPU backend, of single precision.
fn primitive<const D: usize>(tensor: &Tensor<D>) -> Option<CubeTensor> {
    let tensor = tensor.clone().try_into_primitive::<Cube>().ok()?;
    (tensor.dtype() == DType::F32 && !tensor.meta.is_tiled()).then_some(tensor)
}

/// Read as one of four dimensions.
fn in_four_dimensions(
    mut tensor: CubeTensor,
    shape: [usize; 4],
    strides: [usize; 4],
) -> CubeTensor {
    *tensor.meta = Metadata::new(shape, strides);
    tensor
}

/// Whether the kernels do what is to be done with these.
pub(crate) fn takes(captures: &[Capture]) -> bool {
    captures.iter().all(|capture| match &capture.signals {
        Signals::Linear { a, d } => primitive(a).is_some() && primitive(d).is_some(),
        Signals::Conv2d { x, d, .. } => primitive(x).is_some() && primitive(d).is_some(),
    })
}

/// The factors of one batch: of one layer.
pub(crate) fn factors(capture: &Capture) -> KroneckerFactors {
    let none = KroneckerFactors::none(&Parameters::of(capture));
    let parameters = Parameters::of(capture);
    let layers = [(&parameters, &none)];
    let mut one = OnDevice::new(std::slice::from_ref(capture), &layers, DampingMethod::Eigen);
    one.update(&[(0, capture)], 0.0);
    let [a_mean, g_mean] = one.snapshot().read().wait().averages.remove(0);
    KroneckerFactors {
        a_mean,
        g_mean,
        positions: capture.positions(),
        ..none
    }
}

impl OnDevice {
    /// With these layers and their averages, where the captures lie, at least one.
    pub(crate) fn new(
        captures: &[Capture],
        layers: &[(&Parameters, &KroneckerFactors)],
        method: DampingMethod,
    ) -> Self {
        let first = match captures[0].signals() {
            Signals::Linear { a, .. } => primitive(a),
            Signals::Conv2d { x, .. } => primitive(x),
        };
        let link = Link::to(&first.expect("one that the kernels take"));
        let alignment = link.client.properties().memory.alignment as usize;
        let alignment = alignment.div_ceil(size_of::<f32>());
        let layout = Layout::new(layers.iter().map(|(of, _)| *of), method, alignment);
        let triangles = layers
            .iter()
            .flat_map(|(_, averages)| [&averages.a_mean, &averages.g_mean])
            .flat_map(Symmetric::to_triangle);
        Self {
            table: link.upload(layout.table()),
            averages: link.upload(triangles.collect()),
            unfit: link.upload(vec![0.0_f32; layout.tiles()]),
            factors: None,
            inverses: None,
            layout,
            link,
        }
    }

    pub(crate) fn traffic(&self) -> Traffic {
        self.link.traffic()
    }

    /// What the host may want to know, as it is now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            link: self.link.clone(),
            places: self.layout.layers.clone(),
            averages: self.averages.clone(),
            unfit: self.unfit.clone(),
        }
    }

    pub(crate) fn has_inverses(&self) -> bool {
        self.inverses.is_some()
    }

    /// From now on these are applied, in the order of the layers.
    pub(crate) fn put_inverses<'a>(&mut self, all: impl Iterator<Item = &'a Preconditioner>) {
        let mut values: Vec<f32> = Vec::with_capacity(self.layout.inverses);
        for inverse in all {
            match &inverse.0 {
                Inverse::Eigen {
                    qa, qg, of_a, of_g, ..
                } => {
                    for matrix in [qg, qa] {
                        matrix
                            .col_iter()
                            .for_each(|column| values.extend(column.iter()));
                    }
                    values.extend(of_g);
                    values.extend(of_a);
                }
                Inverse::Factored { a, g } => {
                    for matrix in [g, a] {
                        for (j, column) in matrix.col_iter().enumerate() {
                            values.extend(column.iter().skip(j));
                        }
                    }
                }
            }
        }
        self.inverses = Some(self.link.upload(values));
    }

    /// Takes the gradients of all layers and puts U, or with KL clipping nu U, in their place. `None`, and they stay,
    /// where the kernels do not take them.
    pub(crate) fn precondition(
        &self,
        layers: &[&Parameters],
        settings: &Settings,
        learning_rate: f64,
        gradients: &mut GradientsParams,
    ) -> Result<Option<Products>, Error> {
        let taken = layers.iter().map(|of| of.take(gradients));
        let taken: Vec<LayerGradient> = taken.collect::<Result<_, _>>()?;
        let Some(v) = self.gather(&taken) else {
            for (of, taken) in layers.iter().zip(taken) {
                taken.put_back(of, gradients);
            }
            return Ok(None);
        };
        let dots = self.link.empty(self.layout.tiles());
        let u = self.multiply(&v, &dots, settings);
        let u = match settings.kl_clip {
            Some(kappa) => self.clip(&u, &dots, kappa.get() / learning_rate.powi(2)),
            None => u,
        };
        for (at, of) in layers.iter().enumerate() {
            self.put(&u, at, of, gradients);
        }
        Ok(Some(self.products(dots)))
    }

    fn products(&self, dots: CubeTensor) -> Products {
        Products {
            link: self.link.clone(),
            dots,
            ends: self.layout.layers.iter().map(|it| it.tiles).collect(),
        }
    }

    /// V of all layers, row by row.
    fn gather(&self, taken: &[LayerGradient]) -> Option<CubeTensor> {
        let mut matrices = Vec::new();
        for (place, taken) in self.layout.layers.iter().zip(taken) {
            let weight = match &taken.weight {
                Weight::Linear(weight) => primitive(weight)?,
                Weight::Conv2d(weight) => primitive(weight)?,
            };
            let strides = weight.meta.strides().to_vec();
            let weight = match *weight.shape().as_slice() {
                // V transposed.
                [inputs, rows] => {
                    in_four_dimensions(weight, [rows, 1, 1, inputs], [strides[1], 0, 0, strides[0]])
                }
                _ => weight,
            };
            matrices.push((weight, place.v, place.cols));
            if let Some(bias) = &taken.bias {
                let bias = primitive(bias)?;
                let strides = [bias.meta.strides()[0], 0, 0, 0];
                let bias = in_four_dimensions(bias, [place.rows, 1, 1, 1], strides);
                matrices.push((bias, place.v + place.inputs, place.cols));
            }
        }
        let v = self.link.empty(self.layout.v);
        let bindings = self.link.client.properties().hardware.max_bindings;
        // One binding is V's, one the launch's own.
        let most = bindings.min(MOST_BINDINGS) as usize - 2;
        for at_once in matrices.chunks(most) {
            let (mut tensors, mut begins) = (SequenceArg::new(), SequenceArg::new());
            let (mut pitches, mut ends) = (SequenceArg::new(), SequenceArg::new());
            let mut end = 0;
            for (matrix, begin, pitch) in at_once {
                end += matrix.meta.num_elements().div_ceil(UNITS as usize * 4);
                tensors.push(matrix.clone().into_tensor_arg());
                begins.push(*begin);
                pitches.push(*pitch);
                ends.push(end as u32);
            }
            products::gather::launch(
                &self.link.client,
                CubeCount::new_1d(end as u32),
                CubeDim::new_1d(UNITS),
                v.required_address_type(),
                tensors,
                v.clone().into_tensor_arg(),
                begins,
                pitches,
                ends,
            );
        }
        Some(v)
    }

    /// U of all layers, and the parts of <U, V>.
    fn multiply(&self, v: &CubeTensor, dots: &CubeTensor, settings: &Settings) -> CubeTensor {
        let inverses = self.inverses.as_ref().expect("inverses were put");
        let stage = |from_left, transposed| Stage {
            from_left,
            transposed,
            packed: false,
            damped: false,
            last: false,
        };
        let [left, right] = [stage(true, false), stage(false, false)];
        let stages = match settings.damping_method {
            DampingMethod::Eigen => vec![
                stage(true, true),
                Stage {
                    damped: true,
                    ..right
                },
                left,
                Stage {
                    last: true,
                    ..stage(false, true)
                },
            ],
            DampingMethod::Factored(_) => vec![
                Stage {
                    packed: true,
                    ..left
                },
                Stage {
                    packed: true,
                    last: true,
                    ..right
                },
            ],
        };
        let cubes = self.layout.tiles();
        let mut matrix = v.clone();
        for stage in stages {
            let count = if stage.last {
                self.layout.u
            } else {
                self.layout.v
            };
            let result = self.link.empty(count);
            products::multiply::launch(
                &self.link.client,
                CubeCount::new_2d(
                    cubes.min(MOST_CUBES) as u32,
                    cubes.div_ceil(MOST_CUBES) as u32,
                ),
                CubeDim::new_2d(products::SIDE as u32, products::SIDE as u32),
                inverses.required_address_type(),
                self.table.clone().into_tensor_arg(),
                inverses.clone().into_tensor_arg(),
                matrix.into_tensor_arg(),
                v.clone().into_tensor_arg(),
                result.clone().into_tensor_arg(),
                dots.clone().into_tensor_arg(),
                self.unfit.clone().into_tensor_arg(),
                settings.damping.get() as f32,
                cubes,
                stage,
            );
            matrix = result;
        }
        matrix
    }

    fn clip(&self, u: &CubeTensor, dots: &CubeTensor, bound: f64) -> CubeTensor {
        let clipped = self.link.empty(self.layout.u);
        let cubes = self.layout.u.div_ceil(UNITS as usize * 4).min(MOST_CUBES);
        products::clip::launch(
            &self.link.client,
            CubeCount::new_1d(cubes as u32),
            CubeDim::new_1d(UNITS),
            u.required_address_type(),
            u.clone().into_tensor_arg(),
            dots.clone().into_tensor_arg(),
            clipped.clone().into_tensor_arg(),
            bound as f32,
        );
        clipped
    }

    /// Registers the part of U that is a layer's.
    fn put(&self, u: &CubeTensor, at: usize, of: &Parameters, gradients: &mut GradientsParams) {
        let place = &self.layout.layers[at];
        let view = |begin: usize, end: usize, metadata: Metadata| {
            let mut part = u.clone();
            let bytes = |values: usize| (values * size_of::<f32>()) as u64;
            part.handle =
                (part.handle.offset_start(bytes(begin))).offset_end(bytes(self.layout.u - end));
            *part.meta = metadata;
            part
        };
        let (rows, inputs) = (place.rows, place.inputs);
        let weight = |metadata| view(place.weight, place.bias, metadata);
        match of.kind {
            Kind::Linear => {
                let weight = weight(Metadata::new([inputs, rows], [1, inputs]));
                gradients.register(of.weight, Tensor::<2>::from_primitive::<Cube>(weight));
            }
            Kind::Conv2d(shape) => {
                let [_, channels, kh, kw] = shape;
                let strides = [channels * kh * kw, kh * kw, kw, 1];
                let weight = weight(Metadata::new(shape, strides));
                gradients.register(of.weight, Tensor::<4>::from_primitive::<Cube>(weight));
            }
        }
        if let Some(id) = of.bias {
            let next = self.layout.layers.get(at + 1);
            let end = next.map_or(self.layout.u, |next| next.weight);
            let bias = view(place.bias, end, Metadata::new([rows], [1]));
            gradients.register(id, Tensor::<1>::from_primitive::<Cube>(bias));
        }
    }
}

impl Snapshot {
    /// Begins to read it.
    pub(crate) fn read(&self) -> Reading {
        Reading {
            places: self.places.clone(),
            numbers: self.link.read(&[&self.averages, &self.unfit]),
        }
    }
}

impl Reading {
    /// Waits for them.
    ///
    /// # Panics
    ///
    /// If the device is lost.
    pub(crate) fn wait(self) -> Read {
        let [averages, unfit] = self.numbers.wait();
        let (averages, unfit) = (host::values(&averages), host::values(&unfit));
        let one = |at: usize, dim: usize| {
            let entries = &averages[at..][..triangle(dim)];
            Symmetric::from_triangle(entries).expect("a triangle of that length")
        };
        let triangles = |it: &Place| [one(it.a, it.cols), one(it.g, it.rows)];
        let cube = unfit.iter().position(|&was| was > 0.0);
        Read {
            averages: self.places.iter().map(triangles).collect(),
            unfit: cube.and_then(|cube| self.places.iter().position(|it| cube < it.tiles)),
        }
    }
}

impl Products {
    /// <U, V> of each layer.
    pub(crate) fn read(&self) -> Vec<f64> {
        let [data] = self.link.read(&[&self.dots]).wait();
        let all = host::values(&data);
        let mut begin = 0;
        let layer = |&end: &usize| {
            let parts = &all[std::mem::replace(&mut begin, end)..end];
            parts.iter().map(|&part| f64::from(part)).sum()
        };
        self.ends.iter().map(layer).collect()
    }
}
