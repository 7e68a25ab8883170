//! The extension on burn's CPU backend.

mod convolution;
mod normalisation;

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::ops::{Backward as _, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend as _, Flex, TensorMetadata as _};
use burn::tensor::{DType, TensorData};
use conv_kernels::Statistics;

use crate::ops::{self, Maybe, Ops, Then};
use convolution::{Convolution, ConvolutionStep};
use normalisation::{Follows, Normalisation, NormalisationStep, Normalised, statistics_tensors};

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
