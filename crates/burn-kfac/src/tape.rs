//! What a forward pass leaves behind for K-FAC: each layer's input, and a zero tensor added to
//! its output whose gradient is the gradient at that output.
//!
//! Not an autodiff tape: burn's graph does the differentiation. The graph of a tensor that
//! requires a gradient must start there (burn refuses `require_grad` on anything but a leaf),
//! hence the zero.

use burn::module::{Param, ParamId};
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, Linear};
use burn::tensor::module::{batch_norm_train, conv2d};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Gradients, Tensor};

use crate::capture::{Capture, Signals};
use crate::window::Window;
use crate::{Error, KroneckerFactors};

/// Goes through a model's forward pass beside the activations. Networks apply their layers
/// through it, in any order, each under its own name.
#[derive(Debug)]
pub struct Tape {
    mode: Mode,
    records: Vec<Record>,
    /// On a device where each tensor of zeros would be a launch: the one that all probes show.
    zero: Option<Tensor<1>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Off,
    On,
    CurvatureOnly,
}

#[derive(Debug)]
struct Record {
    name: String,
    weight: ParamId,
    bias: Option<ParamId>,
    /// `None` for a grouped convolution, which is refused once factors are asked for.
    signals: Option<Pending>,
}

#[derive(Debug)]
enum Pending {
    /// a: `[batch, in]`, probe: `[batch, out]`.
    Linear { a: Tensor<2>, probe: Tensor<2> },
    /// x: `[batch, channels, height, width]`, probe: the output's shape.
    Conv2d {
        x: Tensor<4>,
        probe: Tensor<4>,
        window: Window,
    },
}

impl Tape {
    /// Records nothing; layers apply plainly, at no cost.
    pub fn off() -> Self {
        Self::with(Mode::Off)
    }

    /// Records, and parameters get their gradients as always: for the empirical Fisher.
    pub fn on() -> Self {
        Self::with(Mode::On)
    }

    /// Records, and takes weights and biases of recorded layers as constants, which saves a
    /// third of the backward pass: for the pass with sampled labels, whose parameter gradients
    /// nobody wants. [`Tape::batch_norm`] leaves running statistics alone in this mode.
    pub fn curvature_only() -> Self {
        Self::with(Mode::CurvatureOnly)
    }

    fn with(mode: Mode) -> Self {
        Self {
            mode,
            records: Vec::new(),
            zero: None,
        }
    }

    /// Whether layers are recorded.
    pub fn is_on(&self) -> bool {
        self.mode != Mode::Off
    }

    /// Applies a linear layer. x: `[batch, in]`, result: `[batch, out]`.
    ///
    /// # Panics
    /// If the tape is on and the layer is not on an autodiff device.
    pub fn linear(&mut self, name: &str, layer: &Linear, x: Tensor<2>) -> Tensor<2> {
        let mut weight = layer.weight.val();
        let mut bias = layer.bias.as_ref().map(Param::val);
        if self.mode == Mode::Off {
            return connected(x, weight, bias, None);
        }
        let (a, device) = (x.clone().inner(), weight.device());
        if self.mode == Mode::CurvatureOnly {
            (weight, bias) = (weight.inner(), bias.map(Tensor::inner));
        }
        let ([batch, _], [_, out]) = (x.dims(), weight.dims());
        let probe = self.probe([batch, out], &device);
        let y = connected(x, weight, bias, Some(probe.clone()));
        self.records.push(Record {
            name: name.to_owned(),
            weight: layer.weight.id,
            bias: layer.bias.as_ref().map(|bias| bias.id),
            signals: Some(Pending::Linear { a, probe }),
        });
        y
    }

    /// Applies a convolution. x: `[batch, channels, height, width]`.
    ///
    /// # Panics
    /// If the tape is on and the layer is not on an autodiff device.
    pub fn conv2d(&mut self, name: &str, layer: &Conv2d, x: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = x.dims();
        let window = Window::new(layer, height, width);
        let mut weight = layer.weight.val();
        let mut bias = layer.bias.as_ref().map(Param::val);
        if self.mode == Mode::Off {
            return convolution(x, weight, bias, None, layer, &window);
        }
        let (inner, device) = (x.clone().inner(), weight.device());
        if self.mode == Mode::CurvatureOnly {
            (weight, bias) = (weight.inner(), bias.map(Tensor::inner));
        }
        let ([batch, ..], [out, ..]) = (x.dims(), weight.dims());
        let [rows, columns] = window.output();
        let probe = self.probe([batch, out, rows, columns], &device);
        let y = convolution(x, weight, bias, Some(probe.clone()), layer, &window);
        self.records.push(Record {
            name: name.to_owned(),
            weight: layer.weight.id,
            bias: layer.bias.as_ref().map(|bias| bias.id),
            signals: (layer.groups == 1).then_some(Pending::Conv2d {
                x: inner,
                probe,
                window,
            }),
        });
        y
    }

    /// Zeros that require a gradient.
    fn probe<const D: usize>(&mut self, dims: [usize; D], device: &Device) -> Tensor<D> {
        let inner = device.clone().inner();
        if inner == Device::flex() {
            return Tensor::zeros(dims, device).require_grad();
        }
        let zero = self.zero.get_or_insert_with(|| Tensor::zeros([1], &inner));
        let all = zero.clone().reshape([1; D]).expand(dims);
        Tensor::from_inner(all).require_grad()
    }

    /// Applies batch normalisation: as the layer itself does, but in a
    /// [curvature-only](Tape::curvature_only) pass the running statistics stay as they are,
    /// so that the second look at a batch does not count twice.
    pub fn batch_norm<const D: usize>(&self, layer: &BatchNorm, x: Tensor<D>) -> Tensor<D> {
        if self.mode == Mode::CurvatureOnly && layer.training.is_enabled() {
            batch_norm_train(x, layer.gamma.val(), layer.beta.val(), layer.epsilon).output
        } else {
            layer.forward(x)
        }
    }

    /// Takes the gradients at the layers' outputs out of `gradients`, the result of the
    /// backward pass from the *mean* loss of this forward pass.
    ///
    /// # Errors
    /// [`Error::NoOutputGradient`], [`Error::Repeated`], [`Error::Grouped`].
    pub fn captures(self, gradients: &mut Gradients) -> Result<Vec<Capture>, Error> {
        for (i, record) in self.records.iter().enumerate() {
            let same =
                |earlier: &Record| earlier.name == record.name || earlier.weight == record.weight;
            if self.records[..i].iter().any(same) {
                return Err(Error::Repeated {
                    layer: record.name.clone(),
                });
            }
        }
        self.records
            .into_iter()
            .map(|record| record.capture(gradients))
            .collect()
    }

    /// The factors of this one batch, by layer, in the order of application.
    ///
    /// # Errors
    /// As [`Tape::captures`], and [`Error::NonFinite`].
    pub fn factors(self, gradients: &mut Gradients) -> Result<Vec<KroneckerFactors>, Error> {
        self.captures(gradients)?
            .into_iter()
            .map(Capture::factors)
            .collect()
    }
}

/// A fully connected layer with weights that may be constants, and a probe at its output: by the kernels of
/// `burn-conv-kernels` if they are built in.
fn connected(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    probe: Option<Tensor<2>>,
) -> Tensor<2> {
    #[cfg(feature = "kernels")]
    return burn_conv_kernels::linear(x, weight, bias, probe);
    #[cfg(not(feature = "kernels"))]
    {
        let y = burn::tensor::module::linear(x, weight, bias);
        match probe {
            None => y,
            Some(probe) => y + probe,
        }
    }
}

/// A layer's convolution with weights that may be constants, and a probe at its output: by the kernels of
/// `burn-conv-kernels` where they do it and are built in.
fn convolution(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    probe: Option<Tensor<4>>,
    layer: &Conv2d,
    window: &Window,
) -> Tensor<4> {
    #[cfg(feature = "kernels")]
    if let Some(geometry) = geometry(layer, window) {
        return match probe {
            None => burn_conv_kernels::conv2d(x, weight, bias, geometry),
            Some(probe) => burn_conv_kernels::probed_conv2d(x, weight, bias, probe, geometry),
        };
    }
    let options = ConvOptions::new_with_padding(
        layer.stride,
        window.padding.map(|[before, after]| (before, after)),
        layer.dilation,
        layer.groups,
    );
    let y = conv2d(x, weight, bias, options);
    match probe {
        None => y,
        Some(probe) => y + probe,
    }
}

/// What the kernels need to know of a convolution, if they do it.
#[cfg(feature = "kernels")]
fn geometry(layer: &Conv2d, window: &Window) -> Option<burn_conv_kernels::Geometry> {
    let plain = layer.groups == 1 && layer.dilation == [1, 1];
    let same = |[before, after]: [usize; 2]| before == after;
    (plain && window.padding.into_iter().all(same)).then(|| burn_conv_kernels::Geometry {
        stride: layer.stride,
        padding: window.padding.map(|[before, _]| before),
    })
}

impl Record {
    fn capture(self, gradients: &mut Gradients) -> Result<Capture, Error> {
        let missing = |name: &str| Error::NoOutputGradient {
            layer: name.to_owned(),
        };
        let signals = match self.signals {
            None => return Err(Error::Grouped { layer: self.name }),
            Some(Pending::Linear { a, probe }) => Signals::Linear {
                a,
                d: probe
                    .grad_remove(gradients)
                    .ok_or_else(|| missing(&self.name))?,
            },
            Some(Pending::Conv2d { x, probe, window }) => Signals::Conv2d {
                x,
                d: probe
                    .grad_remove(gradients)
                    .ok_or_else(|| missing(&self.name))?,
                window,
            },
        };
        Ok(Capture {
            name: self.name,
            weight: self.weight,
            bias: self.bias,
            signals,
        })
    }
}
