//! What K-FAC remembers from step to step, as plain data: for a run that is to go on elsewhere.
//!
//! Inverses are not in it. They are computed again from the factors that they were computed from, which gives
//! them bit for bit; where the next step computes new ones anyway, even those factors are left out.

use burn::module::ParamId;

use crate::gradient::{Kind, Parameters};
use crate::kfac::{Layer, Pending};
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
    /// Bias-corrected factors whose inverse is yet to act, see [`Settings::delay`].
    pub pending: Option<KroneckerFactors>,
}

impl Kfac {
    /// What it remembers. Reads what is on a device.
    pub fn state(&self) -> State {
        let renewed = match (&self.pending, self.settings().delay) {
            (Some(pending), _) => pending.acts_at() == self.step,
            (None, 0) => self.inverses_are_due() && !self.is_burning_in(),
            (None, _) => false,
        };
        let mut pending = (self.pending.as_ref()).map(|it| it.factors().into_iter());
        let both = self.layers.iter().zip(self.averages());
        let layers = both.map(|(layer, averages)| LayerState {
            weight: layer.parameters.weight,
            bias: layer.parameters.bias,
            convolution: match layer.parameters.kind {
                Kind::Linear => None,
                Kind::Conv2d(shape) => Some(shape),
            },
            averages,
            updates: layer.updates,
            examples: layer.examples,
            inverted: layer.inverted.clone().filter(|_| !renewed),
            pending: pending.as_mut().and_then(Iterator::next),
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
        let pending: Option<Vec<KroneckerFactors>> = (state.layers.iter())
            .map(|layer| layer.pending.clone())
            .collect();
        kfac.pending = pending
            .filter(|factors| !factors.is_empty())
            .map(|factors| Pending::resumed(factors, state.step, &settings));
        kfac.layers = state.layers.into_iter().map(layer).collect();
        kfac
    }
}

fn layer(state: LayerState) -> Layer {
    let dims = |factors: &KroneckerFactors| (factors.g_mean.dim(), factors.a_mean.dim());
    let (rows, cols) = dims(&state.averages);
    for factors in [&state.inverted, &state.pending].into_iter().flatten() {
        assert_eq!(dims(factors), (rows, cols), "factors of one layer");
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
