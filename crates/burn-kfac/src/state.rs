//! What K-FAC remembers from step to step, as plain data: for a run that is to go on elsewhere.
//!
//! Inverses are not in it. They are computed again from the factors that they were computed from, which gives
//! them bit for bit; where the next step computes new ones anyway, even those factors are left out.

use burn::module::ParamId;

use crate::gradient::{Kind, Parameters};
use crate::kfac::Layer;
use crate::{Kfac, KroneckerFactors, Settings};

/// What a [`Kfac`] remembers.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Steps made.
    pub step: u64,
    /// In the order of their first application.
    pub layers: Vec<LayerState>,
}

/// What is remembered of one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerState {
    /// The weight.
    pub weight: ParamId,
    /// The bias, if the layer has one.
    pub bias: Option<ParamId>,
    /// Shape of a convolution's weight, `[out, in, kh, kw]`; none for a linear layer.
    pub convolution: Option<[usize; 4]>,
    /// Running averages before bias correction, under the layer's name on the tape.
    pub averages: KroneckerFactors,
    /// Batches in them.
    pub updates: u32,
    /// Examples in them.
    pub examples: u64,
    /// The bias-corrected factors whose inverse the next step uses; none if it computes a new one, or uses none.
    pub inverted: Option<KroneckerFactors>,
}

impl Kfac {
    /// What it remembers.
    pub fn state(&self) -> State {
        let renewed = self.inverses_are_due() && !self.is_burning_in();
        let layers = self.layers.iter().map(|layer| LayerState {
            weight: layer.parameters.weight,
            bias: layer.parameters.bias,
            convolution: match layer.parameters.kind {
                Kind::Linear => None,
                Kind::Conv2d(shape) => Some(shape),
            },
            averages: layer.averages.clone(),
            updates: layer.updates,
            examples: layer.examples,
            inverted: layer.inverted.clone().filter(|_| !renewed),
        });
        State {
            step: self.step,
            layers: layers.collect(),
        }
    }

    /// Goes on from there, as if it had never stopped.
    ///
    /// # Panics
    ///
    /// If factors of a layer differ in size, or from its convolution.
    pub fn resume(settings: Settings, state: State) -> Self {
        let mut kfac = Self::new(settings);
        kfac.step = state.step;
        kfac.layers = state.layers.into_iter().map(layer).collect();
        kfac
    }
}

fn layer(state: LayerState) -> Layer {
    let dims = |factors: &KroneckerFactors| (factors.g_mean.dim(), factors.a_mean.dim());
    let (rows, cols) = dims(&state.averages);
    if let Some(inverted) = &state.inverted {
        assert_eq!(dims(inverted), (rows, cols), "factors of one layer");
    }
    if let Some([out, inputs, kh, kw]) = state.convolution {
        let expected = (out, inputs * kh * kw + usize::from(state.bias.is_some()));
        assert_eq!((rows, cols), expected, "factors of a convolution");
    }
    Layer {
        parameters: Parameters {
            layer: state.averages.layer.clone(),
            weight: state.weight,
            bias: state.bias,
            kind: state.convolution.map_or(Kind::Linear, Kind::Conv2d),
            rows,
            cols,
        },
        averages: state.averages,
        updates: state.updates,
        examples: state.examples,
        inverted: state.inverted,
        inverse: None,
    }
}
