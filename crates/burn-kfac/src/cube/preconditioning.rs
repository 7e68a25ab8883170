//! The launches of a preconditioning: V gathered, a product each for all layers, and KL clipping.

use burn::backend::{Cube, TensorMetadata as _};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::cubecl::zspace::metadata::Metadata;
use burn_cubecl::tensor::CubeTensor;

use super::products::{self, Stage};
use super::{MOST_CUBES, OnDevice, Products, UNITS, in_four_dimensions, primitive};
use crate::gradient::{Kind, LayerGradient, Parameters, Weight};
use crate::{DampingMethod, Error, Settings};

/// Where a device names no limit, as many as wgpu has in a group.
const MOST_BINDINGS: u32 = 1000;

impl OnDevice {
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
