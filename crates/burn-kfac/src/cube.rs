//! K-FAC on burn's GPU backends, by kernels of ours: factors and their running averages stay on the device, and go to
//! the host only when inverses are due, all layers in one piece, as lower triangles; inverses come back in one piece.

mod layout;
mod moments;
mod preconditioning;
mod products;
mod reading;
mod second_moment;
mod transfer;

use burn::backend::{Cube, TensorMetadata as _};
use burn::tensor::{DType, Tensor};
use burn_cubecl::cubecl::zspace::metadata::Metadata;
use burn_cubecl::tensor::CubeTensor;

use crate::capture::{Capture, Signals};
use crate::gradient::Parameters;
use crate::preconditioner::Inverse;
use crate::{DampingMethod, KroneckerFactors, Preconditioner, Symmetric, Traffic};

use layout::Layout;
use transfer::Link;

pub(crate) use reading::{Products, Read, Snapshot};

/// Units of a cube where nothing is shared.
const UNITS: u32 = 256;

/// The fewest cubes that any device can launch in one dimension.
const MOST_CUBES: usize = u16::MAX as usize;

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
}
