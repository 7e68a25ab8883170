//! The extension on burn's GPU backends, by kernels of ours, for every runtime of `CubeCL`.

mod convolution;
pub(crate) mod entropy;
pub(crate) mod examples;
mod images;
mod normalisation;
pub(crate) mod update;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops as Node, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend as _, Cube, TensorMetadata as _};
use burn::tensor::DType;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;

use crate::ops::{self, Maybe, Ops, Then};
use convolution::{Convolution, ConvolutionStep};
use images::Images;
use normalisation::{Follows, Normalisation, Statistics};

fn follows(then: &Then<Cube>) -> Follows {
    match then {
        Then::Nothing => Follows::Nothing,
        Then::Relu => Follows::Relu,
        Then::AddRelu(shortcut) => Follows::AddRelu(Images::new(shortcut.clone())),
    }
}

/// `None` if the kernels do not do it.
fn normalisation(
    x: &CubeTensor,
    scale: &CubeTensor,
    shift: &CubeTensor,
    then: &Then<Cube>,
    epsilon: f64,
) -> Option<Normalisation> {
    let shortcut = match then {
        Then::AddRelu(shortcut) => shortcut,
        Then::Nothing | Then::Relu => x,
    };
    let are_done = [x, scale, shift, shortcut].map(|tensor| tensor.dtype() == DType::F32);
    (are_done == [true; 4] && x.shape().num_elements() > 0).then(|| Normalisation {
        x: Images::new(x.clone()),
        scale: scale.clone(),
        shift: shift.clone(),
        epsilon: epsilon as f32,
    })
}

impl Ops for Cube {
    fn convolve(
        x: CubeTensor,
        weight: CubeTensor,
        bias: Maybe<Self>,
        probe: Maybe<Self>,
        stride: [usize; 2],
        padding: [usize; 2],
    ) -> CubeTensor {
        // A probe is of zeros: nothing is added.
        match Convolution::new(&x, &weight, stride, padding) {
            Some(convolution) => convolution.forward(bias.into_option().as_ref()),
            None => ops::convolve::<Self>(x, weight, bias, probe, stride, padding),
        }
    }

    fn connect(
        x: CubeTensor,
        weight: CubeTensor,
        bias: Maybe<Self>,
        probe: Maybe<Self>,
    ) -> CubeTensor {
        match Convolution::connected(&x, &weight) {
            Some(layer) => layer.forward(bias.into_option().as_ref()),
            None => ops::connect::<Self>(x, weight, bias, probe),
        }
    }

    fn normalise(
        x: CubeTensor,
        scale: CubeTensor,
        shift: CubeTensor,
        epsilon: f64,
        then: Then<Self>,
    ) -> (CubeTensor, CubeTensor, CubeTensor) {
        let Some(normalisation) = normalisation(&x, &scale, &shift, &then, epsilon) else {
            return ops::normalise::<Self>(x, scale, shift, epsilon, then);
        };
        let (output, Statistics { mean, variance }) = normalisation.forward(&follows(&then));
        (output.into_tensor(), mean, variance)
    }

    fn normalise_with(
        x: CubeTensor,
        scale: CubeTensor,
        shift: CubeTensor,
        mean: CubeTensor,
        variance: CubeTensor,
        epsilon: f64,
        then: Then<Self>,
    ) -> CubeTensor {
        let are_f32 = [&mean, &variance].map(|tensor| tensor.dtype() == DType::F32);
        match normalisation(&x, &scale, &shift, &then, epsilon) {
            Some(normalisation) if are_f32 == [true; 2] => normalisation
                .with(&Statistics { mean, variance }, &follows(&then))
                .into_tensor(),
            _ => ops::normalise_with::<Self>(x, scale, shift, mean, variance, epsilon, then),
        }
    }
}

impl<C: CheckpointStrategy> Ops for Autodiff<Cube, C> {
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
        applied(convolution, [&x, &weight], bias, probe)
    }

    fn connect(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Maybe<Self>,
        probe: Maybe<Self>,
    ) -> FloatTensor<Self> {
        match Convolution::connected(x.primitive(), weight.primitive()) {
            Some(layer) => applied(layer, [&x, &weight], bias, probe),
            None => ops::connect::<Self>(x, weight, bias, probe),
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
        let [x_inner, scale_inner, shift_inner] =
            [x.primitive(), scale.primitive(), shift.primitive()];
        let normalisation = normalisation(x_inner, scale_inner, shift_inner, &inner, epsilon);
        let Some(normalisation) = normalisation else {
            return ops::normalise::<Self>(x, scale, shift, epsilon, then);
        };
        let (output, statistics) = normalisation.forward(&follows(&inner));
        let [mean, variance] =
            [&statistics.mean, &statistics.variance].map(|it| Self::from_inner(it.clone()));
        let (through, shortcut) = match then {
            Then::Nothing => (Follows::Nothing, None),
            Then::Relu => (Follows::Relu, None),
            Then::AddRelu(shortcut) => (Follows::AddRelu(output.clone()), Some(shortcut)),
        };
        // A constant stands in for a shortcut that is not there.
        let shortcut = shortcut.unwrap_or_else(|| mean.clone());
        let nodes = [x.node(), scale.node(), shift.node(), shortcut.node()];
        let output = output.into_tensor();
        let output = match NormalisationStep
            .prepare::<C>(nodes)
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(node) => node.finish((normalisation, statistics, through), output),
            OpsKind::UnTracked(node) => node.finish(output),
        };
        (output, mean, variance)
    }

    /// What its value is nobody asks, so nothing is computed.
    fn root(x: FloatTensor<Self>, gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        let gradient = gradient.primitive().clone();
        let (client, device) = (gradient.client.clone(), gradient.device.clone());
        let output = empty_device_contiguous_dtype(client, device, [1].into(), gradient.dtype);
        match RootStep.prepare::<C>([x.node()]).compute_bound().stateful() {
            OpsKind::Tracked(node) => node.finish(gradient, output),
            OpsKind::UnTracked(node) => node.finish(output),
        }
    }
}

/// A layer's output, as a node of the graph.
fn applied<C: CheckpointStrategy>(
    layer: Convolution,
    [x, weight]: [&FloatTensor<Autodiff<Cube, C>>; 2],
    bias: Maybe<Autodiff<Cube, C>>,
    probe: Maybe<Autodiff<Cube, C>>,
) -> FloatTensor<Autodiff<Cube, C>> {
    let (bias, probe) = (bias.into_option(), probe.into_option());
    let output = match &bias {
        Some(bias) => layer.forward(Some(bias.primitive())),
        None => layer.forward(None),
    };
    // What is not given stands in as a constant. A probe is of zeros: nothing is added.
    let none = Autodiff::<Cube, C>::from_inner(output.clone());
    let node =
        |tensor: &Option<FloatTensor<Autodiff<Cube, C>>>| tensor.as_ref().unwrap_or(&none).node();
    let nodes = [x.node(), weight.node(), node(&bias), node(&probe)];
    match ConvolutionStep
        .prepare::<C>(nodes)
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(node) => node.finish(layer, output),
        OpsKind::UnTracked(node) => node.finish(output),
    }
}

#[derive(Debug)]
struct RootStep;

/// The pass begins here, with a gradient of 1.
impl Backward<Cube, 1> for RootStep {
    type State = CubeTensor;

    fn backward(self, node: Node<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        grads.consume::<Cube>(&node.node);
        if let [Some(parent)] = node.parents {
            grads.register::<Cube>(parent.id, node.state);
        }
    }
}

#[derive(Debug)]
struct NormalisationStep;

/// Parents: x, scale, shift, shortcut.
impl Backward<Cube, 4> for NormalisationStep {
    type State = (Normalisation, Statistics, Follows);

    fn backward(self, node: Node<Self::State, 4>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = Images::new(grads.consume::<Cube>(&node.node));
        let (normalisation, statistics, through) = node.state;
        let results = normalisation.gradients(&statistics, &through, &gradient);
        let results = [
            Some(results.x.into_tensor()),
            Some(results.scale),
            Some(results.shift),
            results.shortcut.map(Images::into_tensor),
        ];
        for (parent, result) in node.parents.into_iter().zip(results) {
            if let (Some(parent), Some(result)) = (parent, result) {
                grads.register::<Cube>(parent.id, result);
            }
        }
    }
}
