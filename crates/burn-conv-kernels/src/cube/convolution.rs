//! Convolution, and fully connected layers as convolutions of images of one pixel: one launch forward, one for the
//! gradient at the input, one or two for that at weight and bias.

mod kernels;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops as Node};
use burn::backend::{Cube, TensorMetadata as _};
use burn::tensor::DType;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::cubecl::zspace::metadata::Metadata;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;

use kernels::{EACH, ENTRIES, GeometryLaunch, Pass, Plan, ROWS};

/// Units of a cube at most.
const UNITS: usize = 256;

/// Units along the shorter side of a tile at least and at most.
const SIDE: [usize; 2] = [4, 16];

/// Cubes that may be launched in one dimension on any device.
const MOST_CUBES: usize = u16::MAX as usize;

/// Positions of a part of a sum at least, parts at most, and cubes of all parts unless the tiles of one are more: enough
/// to fill a GPU.
const PART: usize = 256;
const MOST_PARTS: usize = 512;
const CUBES: usize = 1024;

/// A convolution without groups or dilation, or a fully connected layer.
#[derive(Debug, Clone)]
pub(super) struct Convolution {
    /// `[batch, in, rows, columns]`
    x: CubeTensor,
    /// `[out, in, rows, columns]`
    weight: CubeTensor,
    stride: [usize; 2],
    padding: [usize; 2],
    /// Of the result.
    size: [usize; 2],
    /// Whether tensors are those of a fully connected layer: `[batch, in]`, `[in, out]`, `[batch, out]`.
    connected: bool,
}

impl Convolution {
    /// `None` if the kernels do not do it.
    pub(super) fn new(
        x: &CubeTensor,
        weight: &CubeTensor,
        stride: [usize; 2],
        padding: [usize; 2],
    ) -> Option<Self> {
        let [batch, inputs, rows, columns] = x.shape().dims();
        let [outputs, seen, kernel_rows, kernel_columns] = weight.shape().dims();
        let kernel = [kernel_rows, kernel_columns];
        let padded = [rows + 2 * padding[0], columns + 2 * padding[1]];
        let fits = |axis: usize| kernel[axis] <= padded[axis] && stride[axis] > 0;
        let lengths = [
            batch,
            inputs,
            rows,
            columns,
            outputs,
            kernel_rows,
            kernel_columns,
        ];
        let are_done = [x, weight].map(|tensor| tensor.dtype() == DType::F32) == [true; 2]
            && seen == inputs // else burn says what is wrong
            && !lengths.contains(&0)
            && (0..2).all(fits);
        are_done.then(|| Self {
            x: plain(x.clone()),
            weight: plain(weight.clone()),
            stride,
            padding,
            size: [0, 1].map(|axis| (padded[axis] - kernel[axis]) / stride[axis] + 1),
            connected: false,
        })
    }

    /// A fully connected layer. x: `[batch, in]`, weight: `[in, out]`. `None` if the kernels do not do it.
    pub(super) fn connected(x: &CubeTensor, weight: &CubeTensor) -> Option<Self> {
        let x = pixels(plain(x.clone()), [0, 1]);
        let weight = pixels(plain(weight.clone()), [1, 0]);
        let convolution = Self::new(&x, &weight, [1, 1], [0, 0])?;
        Some(Self {
            connected: true,
            ..convolution
        })
    }

    /// A gradient at the output as a pass reads it.
    fn gradient(&self, gradient: CubeTensor) -> CubeTensor {
        let gradient = plain(gradient);
        if self.connected {
            pixels(gradient, [0, 1])
        } else {
            gradient
        }
    }

    /// What a pass wrote with these dimensions, channels last, as the layer's own, whose dimensions are in this order.
    fn own(&self, mut tensor: CubeTensor, shape: [usize; 4], order: [usize; 2]) -> CubeTensor {
        let [_, channels, rows, columns] = shape;
        let strides = [rows * columns * channels, 1, columns * channels, channels];
        *tensor.meta = if self.connected {
            Metadata::new(
                order.map(|axis| shape[axis]),
                order.map(|axis| strides[axis]),
            )
        } else {
            Metadata::new(shape, strides)
        };
        tensor
    }

    fn dims(&self) -> Dims {
        let [batch, inputs, rows, columns] = self.x.shape().dims();
        let [outputs, _, kernel_rows, kernel_columns] = self.weight.shape().dims();
        Dims {
            batch,
            inputs,
            outputs,
            input: [rows, columns],
            kernel: [kernel_rows, kernel_columns],
        }
    }

    /// What a pass over the pixels of images of this size needs to know.
    fn geometry(&self, size: [usize; 2], channels: usize) -> GeometryLaunch {
        let Dims { batch, kernel, .. } = self.dims();
        let [rows, columns] = size;
        GeometryLaunch::new(
            columns,
            rows * columns,
            batch * rows * columns,
            channels,
            kernel[1],
            kernel[0] * kernel[1] * channels,
            self.stride[0] as u32,
            self.stride[1] as u32,
            self.padding[0] as u32,
            self.padding[1] as u32,
        )
    }

    /// `[batch, out, rows, columns]`, channels last in memory, or `[batch, out]`.
    pub(super) fn forward(&self, bias: Option<&CubeTensor>) -> CubeTensor {
        let Dims {
            batch,
            inputs,
            outputs,
            ..
        } = self.dims();
        let strides = self.weight.meta.strides();
        let columns_are_close = strides[0] < strides[1];
        let positions = batch * self.size[0] * self.size[1];
        let output = empty(&self.x, &[positions, outputs]);
        let tiles = Tiles::new(&self.x, [positions, outputs], Side::Columns);
        tiles.multiply(
            [&self.x, &self.weight],
            bias,
            &output,
            self.geometry(self.size, inputs),
            Sum::WHOLE,
            tiles.plan(
                Pass::Forward,
                bias.is_some(),
                self.is_dense(),
                columns_are_close,
            ),
        );
        let shape = [batch, outputs, self.size[0], self.size[1]];
        self.own(output, shape, [0, 1])
    }

    /// At the input, given that at the output; channels last in memory.
    fn input_gradient(&self, gradient: &CubeTensor) -> CubeTensor {
        let Dims {
            batch,
            inputs,
            outputs,
            input,
            ..
        } = self.dims();
        let strides = self.weight.meta.strides();
        let columns_are_close = strides[1] < strides[0];
        let positions = batch * input[0] * input[1];
        let result = empty(&self.x, &[positions, inputs]);
        let tiles = Tiles::new(&self.x, [positions, inputs], Side::Columns);
        tiles.multiply(
            [gradient, &self.weight],
            None,
            &result,
            self.geometry(input, outputs),
            Sum::WHOLE,
            tiles.plan(Pass::Input, false, self.is_dense(), columns_are_close),
        );
        self.own(result, [batch, inputs, input[0], input[1]], [0, 1])
    }

    /// At the weight, channels last in memory, and at the bias, `[out]`, if there is one.
    fn weight_gradient(
        &self,
        gradient: &CubeTensor,
        with_bias: bool,
    ) -> (CubeTensor, Option<CubeTensor>) {
        let Dims {
            batch,
            inputs,
            outputs,
            kernel,
            ..
        } = self.dims();
        let taps = kernel[0] * kernel[1] * inputs;
        let columns = taps + usize::from(with_bias);
        let tiles = Tiles::new(&self.x, [outputs, columns], Side::Rows);
        let sum = Sum::in_parts(batch * self.size[0] * self.size[1], tiles.count());
        let weight = empty(&self.x, &[outputs, taps]);
        let bias = with_bias.then(|| empty(&self.x, &[outputs]));
        let is_one = sum.parts == 1 && !with_bias;
        let parts = if is_one {
            weight.clone()
        } else {
            empty(&self.x, &[sum.parts, outputs, columns])
        };
        tiles.multiply(
            [&self.x, gradient],
            None,
            &parts,
            self.geometry(self.size, inputs),
            sum,
            tiles.plan(Pass::Weight, with_bias, self.is_dense(), false),
        );
        if !is_one {
            let entries = outputs * columns;
            kernels::add_parts::launch(
                &parts.client,
                spread(entries.div_ceil(ENTRIES), 1),
                CubeDim::new_2d(ENTRIES as u32, ROWS as u32),
                parts.required_address_type(),
                parts.clone().into_tensor_arg(),
                weight.clone().into_tensor_arg(),
                match &bias {
                    Some(bias) => bias.clone().into_tensor_arg(),
                    None => weight.as_tensor_alias(1),
                },
                sum.parts,
                columns,
                taps,
                entries,
            );
        }
        let shape = [outputs, inputs, kernel[0], kernel[1]];
        let weight = self.own(weight, shape, [1, 0]);
        (weight, bias)
    }

    fn is_dense(&self) -> bool {
        self.stride == [1, 1]
    }
}

struct Dims {
    batch: usize,
    inputs: usize,
    outputs: usize,
    /// Rows and columns of the input.
    input: [usize; 2],
    kernel: [usize; 2],
}

/// Terms of each part of a sum, and how many parts.
#[derive(Debug, Clone, Copy)]
struct Sum {
    span: usize,
    parts: usize,
}

impl Sum {
    const WHOLE: Self = Self {
        span: u32::MAX as usize >> 1,
        parts: 1,
    };

    fn in_parts(terms: usize, tiles: usize) -> Self {
        let most = CUBES.div_ceil(tiles).min(MOST_PARTS);
        let span = terms
            .div_ceil(most)
            .max(PART)
            .next_multiple_of(kernels::DEPTH);
        Self {
            span,
            parts: terms.div_ceil(span),
        }
    }
}

/// Which side of a result is the shorter one: the channels of the output or input.
#[derive(Clone, Copy)]
enum Side {
    Rows,
    Columns,
}

/// How a result is divided among cubes.
struct Tiles {
    result: [usize; 2],
    down: usize,
    across: usize,
}

impl Tiles {
    fn new(like: &CubeTensor, result: [usize; 2], shorter: Side) -> Self {
        let most = like.client.properties().hardware.max_units_per_cube as usize;
        let units: usize = 1 << UNITS.min(most).ilog2();
        let side = |length: usize| {
            length
                .div_ceil(EACH)
                .next_power_of_two()
                .clamp(SIDE[0], SIDE[1])
        };
        let [rows, columns] = result;
        let (down, across) = match shorter {
            Side::Rows => (side(rows), units / side(rows)),
            Side::Columns => (units / side(columns), side(columns)),
        };
        Self {
            result,
            down,
            across,
        }
    }

    fn count(&self) -> usize {
        let [rows, columns] = self.result;
        rows.div_ceil(self.down * EACH) * columns.div_ceil(self.across * EACH)
    }

    fn plan(&self, pass: Pass, bias: bool, dense: bool, columns_are_close: bool) -> Plan {
        Plan {
            pass,
            down: self.down,
            across: self.across,
            bias,
            dense,
            columns_are_close,
        }
    }

    fn multiply(
        &self,
        [images, other]: [&CubeTensor; 2],
        bias: Option<&CubeTensor>,
        result: &CubeTensor,
        geometry: GeometryLaunch,
        sum: Sum,
        plan: Plan,
    ) {
        let addresses = [images, other, result].map(CubeTensor::required_address_type);
        kernels::multiply::launch(
            &images.client,
            spread(self.count(), sum.parts),
            CubeDim::new_2d(self.across as u32, self.down as u32),
            addresses.into_iter().max().unwrap_or_default(),
            images.clone().into_tensor_arg(),
            other.clone().into_tensor_arg(),
            match bias {
                Some(bias) => bias.clone().into_tensor_arg(),
                None => images.as_tensor_alias(0),
            },
            result.clone().into_tensor_arg(),
            geometry,
            self.result[0],
            self.result[1],
            sum.span,
            plan,
        );
    }
}

/// So many cubes or a few more, which have nothing to do, for each of the parts.
fn spread(cubes: usize, parts: usize) -> CubeCount {
    let across = cubes.min(MOST_CUBES);
    CubeCount::new_3d(across as u32, cubes.div_ceil(across) as u32, parts as u32)
}

/// Numbers of which nothing is known yet.
fn empty(like: &CubeTensor, shape: &[usize]) -> CubeTensor {
    let (client, device) = (like.client.clone(), like.device.clone());
    empty_device_contiguous_dtype(client, device, shape.to_vec().into(), DType::F32)
}

/// A tensor whose strides say where its values are.
fn plain(tensor: CubeTensor) -> CubeTensor {
    if tensor.meta.is_tiled() {
        into_contiguous(tensor)
    } else {
        tensor
    }
}

/// A matrix whose dimensions are in this order as images of one pixel.
fn pixels(mut tensor: CubeTensor, order: [usize; 2]) -> CubeTensor {
    let (shape, strides) = (tensor.meta.shape(), tensor.meta.strides());
    let [shape, strides] = [
        [shape[order[0]], shape[order[1]], 1, 1],
        [strides[order[0]], strides[order[1]], 0, 0],
    ];
    *tensor.meta = Metadata::new(shape, strides);
    tensor
}

#[derive(Debug)]
pub(super) struct ConvolutionStep;

/// Parents: x, weight, bias, probe.
impl Backward<Cube, 4> for ConvolutionStep {
    type State = Convolution;

    fn backward(self, node: Node<Convolution, 4>, grads: &mut Gradients, _: &mut Checkpointer) {
        let output = grads.consume::<Cube>(&node.node);
        let convolution = node.state;
        let gradient = convolution.gradient(output.clone());
        let [x, weight, bias, probe] = node.parents;
        if let Some(x) = x {
            grads.register::<Cube>(x.id, convolution.input_gradient(&gradient));
        }
        if weight.is_some() || bias.is_some() {
            let (of_weight, of_bias) = convolution.weight_gradient(&gradient, bias.is_some());
            if let Some(weight) = weight {
                grads.register::<Cube>(weight.id, of_weight);
            }
            if let (Some(bias), Some(gradient)) = (bias, of_bias) {
                grads.register::<Cube>(bias.id, gradient);
            }
        }
        if let Some(probe) = probe {
            grads.register::<Cube>(probe.id, output);
        }
    }
}
