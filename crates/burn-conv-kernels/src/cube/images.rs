//! Tensors of images as the kernels take them, and how a launch is divided.

use burn::backend::TensorMetadata as _;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::cubecl::zspace::metadata::Metadata;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;

/// Units of a cube.
const UNITS: usize = 256;

/// Columns of a cube where channels are next to each other: what a plane of a GPU reads at once.
const LANES: usize = 32;

/// Cubes that a reduction of little data is divided into, if each unit has `FEW` values or more to take, and what one
/// of much data is at most, if each has `MANY`. Every cube of the next kernel reads what all of these made.
const CUBES: [usize; 2] = [128, 1024];
const FEW: usize = 8;
const MANY: usize = 64;

/// Values of each unit where nothing is reduced.
const EACH: usize = 8;

/// Images with rows and columns as one dimension: `[batch, channels, area]`.
#[derive(Debug, Clone)]
pub(super) struct Images {
    tensor: CubeTensor,
    size: [usize; 2],
}

impl Images {
    /// Copies only where rows do not follow each other as columns do.
    pub(super) fn new(tensor: CubeTensor) -> Self {
        let [_, _, rows, columns] = tensor.shape().dims();
        let follow = |tensor: &CubeTensor| {
            let strides = tensor.meta.strides();
            rows == 1 || columns == 1 || strides[2] == columns * strides[3]
        };
        let mut tensor = if tensor.meta.is_tiled() || !follow(&tensor) {
            into_contiguous(tensor)
        } else {
            tensor
        };
        let [batch, channels, ..] = tensor.shape().dims::<4>();
        let strides = tensor.meta.strides();
        let pixel = if columns == 1 { strides[2] } else { strides[3] };
        let strides = [strides[0], strides[1], pixel];
        *tensor.meta = Metadata::new([batch, channels, rows * columns], strides);
        Self {
            tensor,
            size: [rows, columns],
        }
    }

    pub(super) fn dims(&self) -> [usize; 3] {
        self.tensor.shape().dims()
    }

    fn strides(&self) -> [usize; 3] {
        let strides = self.tensor.meta.strides();
        [strides[0], strides[1], strides[2]]
    }

    /// Whether the positions of a channel are evenly spaced.
    fn is_even(&self) -> bool {
        let ([batch, _, area], [image, _, pixel]) = (self.dims(), self.strides());
        batch == 1 || image == area * pixel
    }

    fn channels_are_next_to_each_other(&self) -> bool {
        let ([_, channels, _], [_, channel, pixel]) = (self.dims(), self.strides());
        channels > 1 && channel < pixel
    }

    /// Nothing yet, of the same size, and in the same order of dimensions without gaps.
    pub(super) fn empty_like(&self) -> Self {
        let [batch, channels, area] = self.dims();
        let mut tensor = self.vector(batch * channels * area);
        let strides = if self.channels_are_next_to_each_other() {
            [area * channels, 1, channels]
        } else {
            [channels * area, area, 1]
        };
        *tensor.meta = Metadata::new([batch, channels, area], strides);
        Self {
            tensor,
            size: self.size,
        }
    }

    /// Numbers of which nothing is known yet.
    pub(super) fn vector(&self, length: usize) -> CubeTensor {
        self.table([length])
    }

    /// The same in several dimensions.
    pub(super) fn table<const D: usize>(&self, shape: [usize; D]) -> CubeTensor {
        let Self { tensor, .. } = self;
        empty_device_contiguous_dtype(
            tensor.client.clone(),
            tensor.device.clone(),
            shape.into(),
            tensor.dtype,
        )
    }

    pub(super) fn client(&self) -> &Client {
        &self.tensor.client
    }

    /// Addresses that reach all of it.
    pub(super) fn address_type(&self) -> AddressType {
        self.tensor.required_address_type()
    }

    pub(super) fn argument(&self) -> TensorArg {
        self.tensor.clone().into_tensor_arg()
    }

    /// The argument at a place once more, read as this.
    pub(super) fn alias(&self, place: usize) -> TensorArg {
        self.tensor.as_tensor_alias(place)
    }

    /// `[batch, channels, rows, columns]` again.
    pub(super) fn into_tensor(self) -> CubeTensor {
        let ([batch, channels, _], [image, channel, pixel]) = (self.dims(), self.strides());
        let [rows, columns] = self.size;
        let mut tensor = self.tensor;
        let strides = [image, channel, columns * pixel, pixel];
        *tensor.meta = Metadata::new([batch, channels, rows, columns], strides);
        tensor
    }
}

/// How a launch over all positions of all channels is divided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Division {
    pub(super) lanes: usize,
    pub(super) rows: usize,
    pub(super) even: bool,
    channels: usize,
    positions: usize,
}

impl Division {
    pub(super) fn new(images: &[&Images]) -> Self {
        let first = images[0];
        let [batch, channels, area] = first.dims();
        let most = first.client().properties().hardware.max_units_per_cube as usize;
        // A power of two.
        let units = 1 << UNITS.min(most).ilog2();
        let lanes = if first.channels_are_next_to_each_other() {
            channels.next_power_of_two().min(LANES).min(units)
        } else {
            1
        };
        Self {
            lanes,
            rows: units / lanes,
            even: images.iter().all(|images| images.is_even()),
            channels,
            positions: batch * area,
        }
    }

    /// Into parts that are reduced.
    pub(super) fn reducing(self) -> Parts {
        let groups = self.channels.div_ceil(self.lanes);
        let cubes = |each: usize| groups * self.positions.div_ceil(self.rows * each);
        let most = cubes(FEW).min(CUBES[0].max(cubes(MANY))).min(CUBES[1]);
        self.parts(most.div_ceil(groups))
    }

    /// Into parts that have nothing to do with each other.
    pub(super) fn apart(self) -> Parts {
        // The fewest that any device can launch in one dimension.
        let most = usize::from(u16::MAX);
        self.parts(self.positions.div_ceil(self.rows * EACH).min(most))
    }

    fn parts(self, count: usize) -> Parts {
        let span = self.positions.div_ceil(count);
        let count = self.positions.div_ceil(span);
        let groups = self.channels.div_ceil(self.lanes);
        Parts {
            count,
            span,
            cubes: CubeCount::new_2d(groups as u32, count as u32),
            units: CubeDim::new_2d(self.lanes as u32, self.rows as u32),
        }
    }
}

/// The positions in parts, a cube each for every group of channels.
#[derive(Debug, Clone)]
pub(super) struct Parts {
    pub(super) count: usize,
    /// Positions of each but the last.
    pub(super) span: usize,
    pub(super) cubes: CubeCount,
    pub(super) units: CubeDim,
}
