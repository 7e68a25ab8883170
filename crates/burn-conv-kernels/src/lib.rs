//! Convolution and batch normalisation on burn tensors, with kernels of their own: [`conv_kernels`] on the CPU, and in
//! `CubeCL` on GPUs.
//!
//! The functions here compute what burn's `conv2d`, `linear`, `batch_norm_train`, `batch_norm` and `relu` do,
//! as one node of the autodiff graph each. On burn's CPU backend (flex) forward and backward pass
//! are the kernels', but for `linear`. On its GPU backends (features `wgpu` and `cuda`) they are the kernels' for all of
//! them; there are also `Updates`, which is SGD for all parameters at once, `Examples`, which puts batches together from
//! bytes there, and `Losses`, softmax cross-entropy with its gradient. For the rest, and for what the kernels do not do
//! (other types than `f32`), burn's own operations are called.
//!
//! How it is bound: [`Ops`] is a backend extension. Its methods have burn's operations as default,
//! which is all that other backends need; `Flex`, `Cube` and both with `Autodiff` have their own. Tensors are read in
//! place, without a copy: on the CPU where they are contiguous, on GPUs in any order of dimensions.

#[cfg(feature = "gpu")]
mod cube;
mod flex;
#[cfg(not(feature = "gpu"))]
mod no_cube;
mod ops;
pub mod transfer;

use burn::backend::Dispatch;
use burn::tensor::activation::relu;
use burn::tensor::{Gradients, Tensor};

pub use conv_kernels::Level;

#[cfg(feature = "gpu")]
pub use crate::cube::{
    entropy::Losses,
    examples::{Examples, Labels},
    update::{Descent, Updates},
};
#[cfg(not(feature = "gpu"))]
pub use crate::no_cube::{Examples, Labels, Losses};
pub use crate::ops::{Maybe, Ops, Then};

/// An example of a batch, and how its image is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chosen {
    /// Its place among the examples.
    pub index: u32,
    /// Rows from the corner of the image with its border to that of the window that is cut out of it.
    pub down: u32,
    /// Columns likewise, fewer than 2^31.
    pub right: u32,
    /// Whether the window is then mirrored, left to right.
    pub flip: bool,
}

/// Gradients of the mean loss of a batch at its logits, `[batch, classes]`.
#[derive(Debug)]
pub struct Descents {
    /// For the labels that were given.
    pub given: Tensor<2>,
    /// For labels that were drawn, if they were to be.
    pub drawn: Option<Tensor<2>>,
}

/// What follows a normalisation in the same pass.
#[derive(Debug, Clone)]
#[allow(
    clippy::large_enum_variant,
    reason = "passed once a layer, never stored"
)]
pub enum Follow {
    /// Nothing.
    Nothing,
    /// `max(z, 0)`
    Relu,
    /// `max(z + shortcut, 0)`, as in a residual block; of the shape of the images.
    AddRelu(Tensor<4>),
}

/// A batch, normalised by its own statistics.
#[derive(Debug, Clone)]
pub struct Normalised {
    /// `[batch, channels, rows, columns]`
    pub output: Tensor<4>,
    /// Mean of each channel, `[channels]`; no gradient flows through it.
    pub mean: Tensor<1>,
    /// Biased variance of each channel, `[channels]`; no gradient flows through it.
    pub variance: Tensor<1>,
}

/// Steps and borders of a convolution, each for (rows, columns).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Pixels from one position of the kernel to the next.
    pub stride: [usize; 2],
    /// Zeros on either side of the image.
    pub padding: [usize; 2],
}

/// The convolution of x: `[batch, in, rows, columns]` with weight: `[out, in, rows, columns]` and
/// bias: `[out]`, without groups or dilation. Result: `[batch, out, rows, columns]`.
pub fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    geometry: Geometry,
) -> Tensor<4> {
    convolve(x, weight, bias, None, geometry)
}

/// [`conv2d`] with a probe: zeros of the result's shape that require a gradient. Theirs is the
/// gradient at the result, as if they had been added to it, which costs no addition.
pub fn probed_conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    probe: Tensor<4>,
    geometry: Geometry,
) -> Tensor<4> {
    convolve(x, weight, bias, Some(probe), geometry)
}

/// A fully connected layer: `x weight + bias`. x: `[batch, in]`, weight: `[in, out]`, bias: `[out]`. With a probe as
/// [`probed_conv2d`], `[batch, out]`.
pub fn linear(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    probe: Option<Tensor<2>>,
) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as Ops>::connect(
        x.into_dispatch(),
        weight.into_dispatch(),
        maybe(bias),
        maybe(probe),
    ))
}

fn convolve(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    probe: Option<Tensor<4>>,
    geometry: Geometry,
) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Ops>::convolve(
        x.into_dispatch(),
        weight.into_dispatch(),
        maybe(bias),
        maybe(probe),
        geometry.stride,
        geometry.padding,
    ))
}

fn maybe<const D: usize>(tensor: Option<Tensor<D>>) -> Maybe<Dispatch> {
    tensor.map_or(Maybe::None, |tensor| Maybe::Some(tensor.into_dispatch()))
}

/// `scale (x - mean) / sqrt(variance + epsilon) + shift` with the statistics of x itself, as in
/// training, and what follows. x: `[batch, channels, rows, columns]`, scale and shift: `[channels]`.
pub fn batch_norm_train(
    x: Tensor<4>,
    scale: Tensor<1>,
    shift: Tensor<1>,
    epsilon: f64,
    follow: Follow,
) -> Normalised {
    let (output, mean, variance) = <Dispatch as Ops>::normalise(
        x.into_dispatch(),
        scale.into_dispatch(),
        shift.into_dispatch(),
        epsilon,
        follow.into_then(),
    );
    Normalised {
        output: Tensor::from_dispatch(output),
        mean: Tensor::from_dispatch(mean),
        variance: Tensor::from_dispatch(variance),
    }
}

/// The same with given statistics, `[channels]` each, as in evaluation.
pub fn batch_norm(
    x: Tensor<4>,
    scale: Tensor<1>,
    shift: Tensor<1>,
    [mean, variance]: [Tensor<1>; 2],
    epsilon: f64,
    follow: Follow,
) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Ops>::normalise_with(
        x.into_dispatch(),
        scale.into_dispatch(),
        shift.into_dispatch(),
        mean.into_dispatch(),
        variance.into_dispatch(),
        epsilon,
        follow.into_then(),
    ))
}

/// The gradients of a number at all that `x` was made from, given its gradient at `x`: where a backward pass begins.
pub fn backward<const D: usize>(x: Tensor<D>, gradient: Tensor<D>) -> Gradients {
    let root = <Dispatch as Ops>::root(x.into_dispatch(), gradient.into_dispatch());
    Tensor::<1>::from_dispatch(root).backward()
}

/// The instructions that the kernels use on this processor. Results differ in their last bits from
/// one level to another.
pub fn level() -> Level {
    Level::best()
}

impl Follow {
    /// What follows, by itself. z: `[batch, channels, rows, columns]`.
    #[must_use]
    pub fn after(self, z: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Nothing => z,
            Self::Relu => relu(z),
            Self::AddRelu(shortcut) => relu(z + shortcut),
        }
    }

    fn into_then(self) -> Then<Dispatch> {
        match self {
            Self::Nothing => Then::Nothing,
            Self::Relu => Then::Relu,
            Self::AddRelu(shortcut) => Then::AddRelu(shortcut.into_dispatch()),
        }
    }
}
