//! The extension on burn's CPU backend.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops as Node, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend, Flex, TensorMetadata};
use burn::tensor::{DType, TensorData};
use conv_kernels::{Affine, Channels, Conv2d, Kernels, Statistics, Through};

use crate::ops::{self, Maybe, Ops, Then};

/// A tensor whose values are read in place.
#[derive(Debug, Clone)]
struct Values(FlexTensor);

impl Values {
    /// Copies only what is not contiguous.
    fn new(tensor: FlexTensor) -> Self {
        match tensor.as_slice::<f32>() {
            Some(_) => Self(tensor),
            None => Self(tensor.to_contiguous()),
        }
    }

    fn get(&self) -> &[f32] {
        self.0.as_slice().expect("contiguous values of type f32")
    }

    fn dims<const D: usize>(&self) -> [usize; D] {
        self.0.shape().dims()
    }
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

fn all_f32(tensors: &[&FlexTensor]) -> bool {
    tensors.iter().all(|tensor| tensor.dtype() == DType::F32)
}

/// Convolution forward and backward.
#[derive(Debug, Clone)]
struct Convolution {
    shape: Conv2d,
    x: Values,
    weight: Values,
}

impl Convolution {
    /// `None` if the kernels do not do it.
    fn new(
        x: &FlexTensor,
        weight: &FlexTensor,
        stride: [usize; 2],
        padding: [usize; 2],
    ) -> Option<Self> {
        if !all_f32(&[x, weight]) {
            return None;
        }
        let (x, weight) = (Values::new(x.clone()), Values::new(weight.clone()));
        let [batch, inputs, rows, columns] = x.dims();
        let [outputs, weight_inputs, kernel_rows, kernel_columns] = weight.dims();
        if weight_inputs != inputs {
            return None; // burn says what is wrong
        }
        let shape = Conv2d::with(
            batch,
            [inputs, outputs],
            [rows, columns],
            [kernel_rows, kernel_columns],
            stride,
            padding,
        );
        Some(Self {
            shape: shape.ok()?,
            x,
            weight,
        })
    }

    fn output_dims(&self) -> [usize; 4] {
        let [rows, columns] = self.shape.out_size();
        [self.shape.batch(), self.shape.out_channels(), rows, columns]
    }

    fn forward(&self, bias: Option<&Values>) -> FlexTensor {
        let mut output = vec![0.0; self.shape.output_len()];
        Kernels::best().conv2d(
            &self.shape,
            self.x.get(),
            self.weight.get(),
            bias.map(Values::get),
            &mut output,
        );
        tensor(output, self.output_dims())
    }

    fn x_gradient(&self, gradient: &Values) -> FlexTensor {
        let mut result = vec![0.0; self.shape.input_len()];
        Kernels::best().conv2d_data_gradient(
            &self.shape,
            gradient.get(),
            self.weight.get(),
            &mut result,
        );
        tensor(result, self.x.dims::<4>())
    }

    fn weight_gradient(&self, gradient: &Values) -> FlexTensor {
        let mut result = vec![0.0; self.shape.weight_len()];
        Kernels::best().conv2d_weight_gradient(
            &self.shape,
            self.x.get(),
            gradient.get(),
            &mut result,
        );
        tensor(result, self.weight.dims::<4>())
    }

    fn bias_gradient(&self, gradient: &Values) -> FlexTensor {
        let mut result = vec![0.0; self.shape.out_channels()];
        Kernels::best().conv2d_bias_gradient(&self.shape, gradient.get(), &mut result);
        tensor(result, [self.shape.out_channels()])
    }
}

/// Normalisation forward and backward.
#[derive(Debug, Clone)]
struct Normalisation {
    channels: Channels,
    x: Values,
    scale: Values,
    shift: Values,
    epsilon: f32,
}

impl Normalisation {
    /// `None` if the kernels do not do it.
    fn new(
        x: &FlexTensor,
        scale: &FlexTensor,
        shift: &FlexTensor,
        then: &Then<Flex>,
        epsilon: f64,
    ) -> Option<Self> {
        let shortcut = match then {
            Then::AddRelu(shortcut) => shortcut,
            Then::Nothing | Then::Relu => x,
        };
        if !all_f32(&[x, scale, shift, shortcut]) {
            return None;
        }
        let x = Values::new(x.clone());
        let [batch, channels, rows, columns] = x.dims();
        let channels = Channels {
            batch,
            channels,
            area: rows * columns,
        };
        (!channels.is_empty()).then(|| Self {
            channels,
            x,
            scale: Values::new(scale.clone()),
            shift: Values::new(shift.clone()),
            epsilon: epsilon as f32,
        })
    }

    fn affine(&self) -> Affine<'_> {
        Affine {
            scale: self.scale.get(),
            shift: self.shift.get(),
            epsilon: self.epsilon,
        }
    }

    fn forward(&self, then: conv_kernels::Then<'_>) -> (FlexTensor, Statistics) {
        let mut output = vec![0.0; self.channels.len()];
        let statistics = Kernels::best().batch_norm(
            self.channels,
            self.x.get(),
            self.affine(),
            then,
            &mut output,
        );
        (tensor(output, self.x.dims::<4>()), statistics)
    }

    fn with(&self, statistics: &Statistics, then: conv_kernels::Then<'_>) -> FlexTensor {
        let mut output = vec![0.0; self.channels.len()];
        Kernels::best().batch_norm_with(
            self.channels,
            self.x.get(),
            self.affine(),
            statistics,
            then,
            &mut output,
        );
        tensor(output, self.x.dims::<4>())
    }

    /// With respect to x, scale and shift.
    fn gradients(
        &self,
        statistics: &Statistics,
        through: Through<'_>,
        gradient: &Values,
    ) -> [FlexTensor; 3] {
        let mut x = vec![0.0; self.channels.len()];
        let mut scale = vec![0.0; self.channels.channels];
        let mut shift = vec![0.0; self.channels.channels];
        Kernels::best().batch_norm_gradient(
            self.channels,
            self.x.get(),
            self.affine(),
            statistics,
            through,
            gradient.get(),
            &mut x,
            &mut scale,
            &mut shift,
        );
        let channels = [self.channels.channels];
        [
            tensor(x, self.x.dims::<4>()),
            tensor(scale, channels),
            tensor(shift, channels),
        ]
    }
}

/// What follows, with the shortcut's values.
#[derive(Debug, Clone)]
enum Follows {
    Nothing,
    Relu,
    AddRelu(Values),
}

impl Follows {
    fn new(then: &Then<Flex>) -> Self {
        match then {
            Then::Nothing => Self::Nothing,
            Then::Relu => Self::Relu,
            Then::AddRelu(shortcut) => Self::AddRelu(Values::new(shortcut.clone())),
        }
    }

    fn then(&self) -> conv_kernels::Then<'_> {
        match self {
            Self::Nothing => conv_kernels::Then::Nothing,
            Self::Relu => conv_kernels::Then::Relu,
            Self::AddRelu(shortcut) => conv_kernels::Then::AddRelu(shortcut.get()),
        }
    }
}

fn statistics_tensors(statistics: &Statistics) -> [FlexTensor; 2] {
    [&statistics.mean, &statistics.variance].map(|values| tensor(values.clone(), [values.len()]))
}

impl Ops for Flex {
    fn convolve(
        x: FlexTensor,
        weight: FlexTensor,
        bias: Maybe<Self>,
        probe: Maybe<Self>,
        stride: [usize; 2],
        padding: [usize; 2],
    ) -> FlexTensor {
        let Some(convolution) = Convolution::new(&x, &weight, stride, padding) else {
            return ops::convolve::<Self>(x, weight, bias, probe, stride, padding);
        };
        convolution.forward(bias.into_option().map(Values::new).as_ref())
    }

    fn normalise(
        x: FlexTensor,
        scale: FlexTensor,
        shift: FlexTensor,
        epsilon: f64,
        then: Then<Self>,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let Some(normalisation) = Normalisation::new(&x, &scale, &shift, &then, epsilon) else {
            return ops::normalise::<Self>(x, scale, shift, epsilon, then);
        };
        let (output, statistics) = normalisation.forward(Follows::new(&then).then());
        let [mean, variance] = statistics_tensors(&statistics);
        (output, mean, variance)
    }

    fn normalise_with(
        x: FlexTensor,
        scale: FlexTensor,
        shift: FlexTensor,
        mean: FlexTensor,
        variance: FlexTensor,
        epsilon: f64,
        then: Then<Self>,
    ) -> FlexTensor {
        let normalisation = Normalisation::new(&x, &scale, &shift, &then, epsilon);
        let Some(normalisation) = normalisation.filter(|_| all_f32(&[&mean, &variance])) else {
            return ops::normalise_with::<Self>(x, scale, shift, mean, variance, epsilon, then);
        };
        let statistics = Statistics {
            mean: Values::new(mean).get().to_vec(),
            variance: Values::new(variance).get().to_vec(),
        };
        normalisation.with(&statistics, Follows::new(&then).then())
    }
}

#[derive(Debug)]
struct ConvolutionStep;

/// Parents: x, weight, bias, probe.
impl Backward<Flex, 4> for ConvolutionStep {
    type State = Convolution;

    fn backward(self, node: Node<Convolution, 4>, grads: &mut Gradients, _: &mut Checkpointer) {
        let output = grads.consume::<Flex>(&node.node);
        let gradient = Values::new(output.clone());
        let convolution = node.state;
        let [x, weight, bias, probe] = node.parents;
        if let Some(x) = x {
            grads.register::<Flex>(x.id, convolution.x_gradient(&gradient));
        }
        if let Some(weight) = weight {
            grads.register::<Flex>(weight.id, convolution.weight_gradient(&gradient));
        }
        if let Some(bias) = bias {
            grads.register::<Flex>(bias.id, convolution.bias_gradient(&gradient));
        }
        if let Some(probe) = probe {
            grads.register::<Flex>(probe.id, output);
        }
    }
}

#[derive(Debug)]
struct NormalisationStep;

/// What the backward pass of a normalisation needs.
#[derive(Debug, Clone)]
struct Normalised {
    normalisation: Normalisation,
    statistics: Statistics,
    relu: bool,
}

impl Backward<Flex, 3> for NormalisationStep {
    type State = Normalised;

    fn backward(self, node: Node<Normalised, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = Values::new(grads.consume::<Flex>(&node.node));
        let state = node.state;
        let through = if state.relu {
            Through::Relu
        } else {
            Through::Nothing
        };
        let results = state
            .normalisation
            .gradients(&state.statistics, through, &gradient);
        for (parent, result) in node.parents.into_iter().zip(results) {
            if let Some(parent) = parent {
                grads.register::<Flex>(parent.id, result);
            }
        }
    }
}

impl Backward<Flex, 4> for NormalisationStep {
    /// And the output.
    type State = (Normalised, Values);

    fn backward(
        self,
        node: Node<(Normalised, Values), 4>,
        grads: &mut Gradients,
        _: &mut Checkpointer,
    ) {
        let gradient = Values::new(grads.consume::<Flex>(&node.node));
        let (state, output) = node.state;
        let mut shortcut = vec![0.0; state.normalisation.channels.len()];
        let through = Through::AddRelu {
            output: output.get(),
            shortcut_gradient: &mut shortcut,
        };
        let [x, scale, shift] =
            state
                .normalisation
                .gradients(&state.statistics, through, &gradient);
        let shortcut = tensor(shortcut, output.dims::<4>());
        for (parent, result) in node.parents.into_iter().zip([x, scale, shift, shortcut]) {
            if let Some(parent) = parent {
                grads.register::<Flex>(parent.id, result);
            }
        }
    }
}

impl<C: CheckpointStrategy> Ops for Autodiff<Flex, C> {
    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Maybe<Self>,
        probe: Maybe<Self>,
        stride: [usize; 2],
        padding: [usize; 2],
    ) -> FloatTensor<Self> {
        let inner = Convolution::new(x.primitive(), weight.primitive(), stride, padding);
        let Some(convolution) = inner else {
            return ops::convolve::<Self>(x, weight, bias, probe, stride, padding);
        };
        let bias = bias.into_option();
        let values = bias.as_ref().map(|it| Values::new(it.primitive().clone()));
        let output = convolution.forward(values.as_ref());
        // What is not given stands in as a constant.
        let node = |tensor: Option<FloatTensor<Self>>| match tensor {
            Some(tensor) => tensor.node(),
            None => Self::from_inner(self::tensor(Vec::new(), [0])).node(),
        };
        let nodes = [
            x.node(),
            weight.node(),
            node(bias),
            node(probe.into_option()),
        ];
        match ConvolutionStep
            .prepare::<C>(nodes)
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(node) => node.finish(convolution, output),
            OpsKind::UnTracked(node) => node.finish(output),
        }
    }

    fn normalise(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        epsilon: f64,
        then: Then<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let inner = match &then {
            Then::Nothing => Then::Nothing,
            Then::Relu => Then::Relu,
            Then::AddRelu(shortcut) => Then::AddRelu(shortcut.primitive().clone()),
        };
        let normalisation = Normalisation::new(
            x.primitive(),
            scale.primitive(),
            shift.primitive(),
            &inner,
            epsilon,
        );
        let Some(normalisation) = normalisation else {
            return ops::normalise::<Self>(x, scale, shift, epsilon, then);
        };
        let (output, statistics) = normalisation.forward(Follows::new(&inner).then());
        let [mean, variance] = statistics_tensors(&statistics).map(Self::from_inner);
        let state = Normalised {
            normalisation,
            statistics,
            relu: matches!(then, Then::Relu),
        };
        let output = match then {
            Then::AddRelu(shortcut) => {
                let nodes = [x.node(), scale.node(), shift.node(), shortcut.node()];
                match NormalisationStep
                    .prepare::<C>(nodes)
                    .compute_bound()
                    .stateful()
                {
                    OpsKind::Tracked(node) => {
                        node.finish((state, Values::new(output.clone())), output)
                    }
                    OpsKind::UnTracked(node) => node.finish(output),
                }
            }
            Then::Nothing | Then::Relu => {
                let nodes = [x.node(), scale.node(), shift.node()];
                match NormalisationStep
                    .prepare::<C>(nodes)
                    .compute_bound()
                    .stateful()
                {
                    OpsKind::Tracked(node) => node.finish(state, output),
                    OpsKind::UnTracked(node) => node.finish(output),
                }
            }
        };
        (output, mean, variance)
    }
}
