//! The backend extension: what is computed, in burn's own operations.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, ExtensionType, backend_extension};
use burn::tensor::ops::ConvOptions;

/// A tensor or none: what `Option` is elsewhere.
#[derive(Debug, Clone, ExtensionType)]
pub enum Maybe<B: Backend> {
    /// None.
    None,
    /// A tensor.
    Some(FloatTensor<B>),
}

impl<B: Backend> Maybe<B> {
    pub(crate) fn into_option(self) -> Option<FloatTensor<B>> {
        match self {
            Self::None => None,
            Self::Some(tensor) => Some(tensor),
        }
    }
}

/// What follows a normalisation in the same pass.
#[derive(Debug, Clone, ExtensionType)]
pub enum Then<B: Backend> {
    /// Nothing.
    Nothing,
    /// `max(z, 0)`
    Relu,
    /// `max(z + shortcut, 0)`; of the shape of the images.
    AddRelu(FloatTensor<B>),
}

impl<B: Backend> Then<B> {
    fn apply(self, z: FloatTensor<B>) -> FloatTensor<B> {
        match self {
            Self::Nothing => z,
            Self::Relu => B::relu(z),
            Self::AddRelu(shortcut) => B::relu(B::float_add(z, shortcut)),
        }
    }
}

/// Operations with a default in burn's own. The functions at the root of this crate say what they
/// compute.
#[backend_extension(
    Flex,
    Cube: cfg(feature = "gpu"),
    Autodiff
)]
pub trait Ops: Backend {
    /// Convolution, with a probe of zeros at its output.
    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        #[extension_type] bias: Maybe<Self>,
        #[extension_type] probe: Maybe<Self>,
        stride: [usize; 2],
        padding: [usize; 2],
    ) -> FloatTensor<Self> {
        convolve::<Self>(x, weight, bias, probe, stride, padding)
    }

    /// A fully connected layer, with a probe of zeros at its output.
    fn connect(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        #[extension_type] bias: Maybe<Self>,
        #[extension_type] probe: Maybe<Self>,
    ) -> FloatTensor<Self> {
        connect::<Self>(x, weight, bias, probe)
    }

    /// Batch normalisation by the batch's statistics: output, mean and biased variance.
    fn normalise(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        epsilon: f64,
        #[extension_type] then: Then<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        normalise::<Self>(x, scale, shift, epsilon, then)
    }

    /// Normalisation by given statistics.
    fn normalise_with(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        epsilon: f64,
        #[extension_type] then: Then<Self>,
    ) -> FloatTensor<Self> {
        normalise_with::<Self>(x, scale, shift, mean, variance, epsilon, then)
    }

    /// A number whose gradient at `x` is `gradient`.
    fn root(x: FloatTensor<Self>, gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_sum(Self::float_mul(x, gradient))
    }
}

/// [`Ops::convolve`] in burn's operations.
pub(crate) fn convolve<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: Maybe<B>,
    probe: Maybe<B>,
    stride: [usize; 2],
    padding: [usize; 2],
) -> FloatTensor<B> {
    let options = ConvOptions::new(stride, padding, [1, 1], 1);
    let y = B::conv2d(x, weight, bias.into_option(), options);
    probed::<B>(y, probe)
}

/// [`Ops::connect`] in burn's operations.
pub(crate) fn connect<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: Maybe<B>,
    probe: Maybe<B>,
) -> FloatTensor<B> {
    let y = B::linear(x, weight, bias.into_option());
    probed::<B>(y, probe)
}

fn probed<B: Backend>(y: FloatTensor<B>, probe: Maybe<B>) -> FloatTensor<B> {
    match probe {
        Maybe::None => y,
        Maybe::Some(probe) => B::float_add(y, probe),
    }
}

/// [`Ops::normalise`] in burn's operations.
pub(crate) fn normalise<B: Backend>(
    x: FloatTensor<B>,
    scale: FloatTensor<B>,
    shift: FloatTensor<B>,
    epsilon: f64,
    then: Then<B>,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let normalised = B::batch_norm_train(x, scale, shift, epsilon);
    (
        then.apply(normalised.output),
        normalised.mean,
        normalised.variance,
    )
}

/// [`Ops::normalise_with`] in burn's operations.
pub(crate) fn normalise_with<B: Backend>(
    x: FloatTensor<B>,
    scale: FloatTensor<B>,
    shift: FloatTensor<B>,
    mean: FloatTensor<B>,
    variance: FloatTensor<B>,
    epsilon: f64,
    then: Then<B>,
) -> FloatTensor<B> {
    then.apply(B::batch_norm(x, scale, shift, mean, variance, epsilon))
}
