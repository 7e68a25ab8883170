//! Batch normalisation and what follows it, forward and as a node of the autodiff graph.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops as Node};
use burn::backend::flex::FlexTensor;
use conv_kernels::{Affine, Channels, Kernels, Statistics, Through};

use super::{Values, all_f32, tensor};
use crate::ops::Then;

/// Normalisation forward and backward.
#[derive(Debug, Clone)]
pub(super) struct Normalisation {
    channels: Channels,
    x: Values,
    scale: Values,
    shift: Values,
    epsilon: f32,
}

impl Normalisation {
    /// `None` if the kernels do not do it.
    pub(super) fn new(
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

    pub(super) fn forward(&self, then: conv_kernels::Then<'_>) -> (FlexTensor, Statistics) {
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

    pub(super) fn with(&self, statistics: &Statistics, then: conv_kernels::Then<'_>) -> FlexTensor {
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
    pub(super) fn gradients(
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
pub(super) enum Follows {
    Nothing,
    Relu,
    AddRelu(Values),
}

impl Follows {
    pub(super) fn new(then: &Then<Flex>) -> Self {
        match then {
            Then::Nothing => Self::Nothing,
            Then::Relu => Self::Relu,
            Then::AddRelu(shortcut) => Self::AddRelu(Values::new(shortcut.clone())),
        }
    }

    pub(super) fn then(&self) -> conv_kernels::Then<'_> {
        match self {
            Self::Nothing => conv_kernels::Then::Nothing,
            Self::Relu => conv_kernels::Then::Relu,
            Self::AddRelu(shortcut) => conv_kernels::Then::AddRelu(shortcut.get()),
        }
    }
}

pub(super) fn statistics_tensors(statistics: &Statistics) -> [FlexTensor; 2] {
    [&statistics.mean, &statistics.variance].map(|values| tensor(values.clone(), [values.len()]))
}

#[derive(Debug)]
pub(super) struct NormalisationStep;

/// What the backward pass of a normalisation needs.
#[derive(Debug, Clone)]
pub(super) struct Normalised {
    pub(super) normalisation: Normalisation,
    pub(super) statistics: Statistics,
    pub(super) relu: bool,
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
