//! The preconditioner between the backward pass and the optimiser: running averages of the
//! factors, cached inverses, and the counter that says when each is renewed.
//!
//! Not an optimiser: momentum and weight decay follow, as for plain SGD.

use burn::optim::GradientsParams;
use burn::tensor::Gradients;
use rayon::prelude::*;

use crate::capture::{Arithmetic, Capture};
use crate::error::Quantity;
use crate::gradient::{LayerGradient, Parameters, Preconditioned, Ready};
use crate::settings::Settings;
use crate::{Error, KroneckerFactors, Preconditioner, Symmetric, Tape};

/// Multiplications above which threads earn what starting them costs.
pub(crate) const PARALLEL_WORK: usize = 4_000_000;

/// K-FAC for one network.
///
/// One step: forward and backward; if [`needs_factors`](Kfac::needs_factors), an
/// [`update`](Kfac::update); always [`precondition`](Kfac::precondition); the optimiser.
#[derive(Debug)]
pub struct Kfac {
    settings: Settings,
    /// In the order of their first application.
    pub(crate) layers: Vec<Layer>,
    pub(crate) step: u64,
    arithmetic: Option<Arithmetic>,
}

#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) parameters: Parameters,
    /// Running averages before bias correction.
    pub(crate) averages: KroneckerFactors,
    pub(crate) updates: u32,
    pub(crate) examples: u64,
    /// Bias-corrected averages as they were when `inverse` was computed, or is to be.
    pub(crate) inverted: Option<KroneckerFactors>,
    pub(crate) inverse: Option<Ready>,
}

/// What [`Kfac::precondition`] did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// lr^2 sum over layers of <U, V>, before clipping: twice the predicted KL divergence.
    pub vg: f64,
    /// min(1, sqrt(kappa / vg)), by which every U is multiplied; 1 without clipping.
    pub nu: f64,
    /// False during burn-in: gradients are then unchanged, vg is that of U = V, nu is 1.
    pub preconditioned: bool,
}

impl Kfac {
    /// No layer is known yet; the first [`update`](Kfac::update) brings them.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            layers: Vec::new(),
            step: 0,
            arithmetic: None,
        }
    }

    /// Computes where `arithmetic` says instead of where the tensors lie.
    #[must_use]
    pub fn with_arithmetic(mut self, arithmetic: Arithmetic) -> Self {
        self.arithmetic = Some(arithmetic);
        self
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Steps made: calls of [`precondition`](Kfac::precondition) that succeeded.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Names of the layers, in the order of their first application.
    pub fn layers(&self) -> impl Iterator<Item = &str> {
        self.layers
            .iter()
            .map(|layer| layer.parameters.layer.as_str())
    }

    /// The running averages of a layer, bias-corrected.
    pub fn factors(&self, layer: &str) -> Option<KroneckerFactors> {
        let decay = self.settings.factor_decay.get();
        self.layers
            .iter()
            .find(|known| known.parameters.layer == layer)
            .map(|layer| layer.corrected(decay))
    }

    /// Whether this step renews the factors.
    pub fn needs_factors(&self) -> bool {
        self.step
            .is_multiple_of(u64::from(self.settings.factor_every.get()))
    }

    /// Whether this step renews the inverses.
    pub(crate) fn inverses_are_due(&self) -> bool {
        self.step
            .is_multiple_of(u64::from(self.settings.inverse_every.get()))
    }

    /// Whether gradients still pass through unchanged, see [`BurnIn`](crate::BurnIn).
    pub fn is_burning_in(&self) -> bool {
        let burn_in = &self.settings.burn_in;
        let dim = self
            .layers
            .iter()
            .map(|layer| layer.parameters.cols as u64)
            .max();
        let examples = u64::from(burn_in.examples_per_dimension) * dim.unwrap_or(0);
        self.layers
            .iter()
            .any(|layer| layer.updates < burn_in.batches || layer.examples < examples)
    }

    /// Adds one batch to the running averages: S <- b S + (1 - b) new, from zero.
    ///
    /// `gradients` come from the *mean* loss of the forward pass that `tape` went through, with
    /// the data's labels or labels drawn from the model as the settings say.
    ///
    /// # Errors
    /// [`Error::EmptyTape`], those of [`Tape::captures`], [`Error::NonFinite`],
    /// [`Error::Reshaped`]. Running averages are unchanged after an error.
    pub fn update(&mut self, tape: Tape, gradients: &mut Gradients) -> Result<(), Error> {
        let captures = tape.captures(gradients)?;
        let Some(first) = captures.first() else {
            return Err(Error::EmptyTape);
        };
        let arithmetic = self
            .arithmetic
            .unwrap_or_else(|| Arithmetic::of(&first.device()));
        let parallel = arithmetic == Arithmetic::Host
            && captures.iter().map(Capture::work).sum::<usize>() > PARALLEL_WORK;
        let facts: Vec<(Parameters, u64)> = captures
            .iter()
            .map(|c| (Parameters::of(c), c.batch() as u64))
            .collect();
        let one = |capture: Capture| capture.factors_by(arithmetic);
        let new: Vec<KroneckerFactors> = if parallel {
            captures
                .into_par_iter()
                .with_max_len(1)
                .map(one)
                .collect::<Result<_, _>>()?
        } else {
            captures.into_iter().map(one).collect::<Result<_, _>>()?
        };
        let decay = self.settings.factor_decay.get();
        let places: Vec<Option<usize>> = facts
            .iter()
            .enumerate()
            .map(|(i, (of, _))| self.place(i, of))
            .collect::<Result<_, _>>()?;
        for ((place, (parameters, batch)), new) in places.into_iter().zip(facts).zip(new) {
            let place = place.unwrap_or_else(|| {
                self.layers.push(Layer::new(parameters));
                self.layers.len() - 1
            });
            let layer = &mut self.layers[place];
            layer.averages.a_mean.average(decay, &new.a_mean);
            layer.averages.g_mean.average(decay, &new.g_mean);
            layer.averages.positions = new.positions;
            layer.updates = layer.updates.saturating_add(1);
            layer.examples = layer.examples.saturating_add(batch);
        }
        Ok(())
    }

    /// Where the i-th layer of a tape is kept: mostly at i.
    fn place(&self, i: usize, of: &Parameters) -> Result<Option<usize>, Error> {
        let is = |layer: &Layer| layer.parameters.layer == of.layer;
        let place = match self.layers.get(i) {
            Some(layer) if is(layer) => Some(i),
            _ => self.layers.iter().position(is),
        };
        match place {
            Some(place) if self.layers[place].parameters != *of => Err(Error::Reshaped {
                layer: of.layer.clone(),
            }),
            place => Ok(place),
        }
    }

    /// Replaces the gradients of recorded layers by nu U, U = (F + lambda I)^-1 V. All others
    /// stay as they are. `learning_rate` only matters for [`Step`] and for KL clipping.
    ///
    /// # Errors
    /// [`Error::NoFactors`], [`Error::NoGradient`], [`Error::NonFinite`],
    /// [`Error::Decomposition`]. After an error `gradients` are of no use.
    pub fn precondition(
        &mut self,
        learning_rate: f64,
        gradients: &mut GradientsParams,
    ) -> Result<Step, Error> {
        if self.layers.is_empty() {
            return Err(Error::NoFactors);
        }
        let step = if self.is_burning_in() {
            self.pass_through(learning_rate, gradients)?
        } else {
            self.apply(self.inverses_are_due(), learning_rate, gradients)?
        };
        self.step += 1;
        Ok(step)
    }

    /// A step of the burn-in.
    fn pass_through(
        &self,
        learning_rate: f64,
        gradients: &mut GradientsParams,
    ) -> Result<Step, Error> {
        let mut squares = 0.0;
        for layer in &self.layers {
            let taken = layer.parameters.take(gradients)?;
            squares += layer.finite(taken.square(), Quantity::Gradient)?;
            taken.put_back(&layer.parameters, gradients);
        }
        Ok(Step {
            vg: learning_rate.powi(2) * squares,
            nu: 1.0,
            preconditioned: false,
        })
    }

    fn apply(
        &mut self,
        due: bool,
        learning_rate: f64,
        gradients: &mut GradientsParams,
    ) -> Result<Step, Error> {
        let taken: Vec<LayerGradient> = self
            .layers
            .iter()
            .map(|layer| layer.parameters.take(gradients))
            .collect::<Result<_, _>>()?;
        let device = taken[0].device();
        let arithmetic = self.arithmetic.unwrap_or_else(|| Arithmetic::of(&device));
        for (layer, factors, inverse) in self.decompose(due)? {
            self.layers[layer].inverse = Some(Ready::new(inverse, arithmetic, &device));
            self.layers[layer].inverted = Some(factors);
        }
        let preconditioned = self.multiply(taken);
        let products = Preconditioned::products(&preconditioned);
        for (layer, (&product, u)) in self.layers.iter().zip(products.iter().zip(&preconditioned)) {
            let what = if u.gradient_was_finite {
                Quantity::PreconditionedGradient
            } else {
                Quantity::Gradient
            };
            layer.finite(product, what)?;
        }
        let vg = learning_rate.powi(2) * products.iter().sum::<f64>();
        let nu = match self.settings.kl_clip {
            Some(kappa) => (kappa.get() / vg.abs()).sqrt().min(1.0),
            None => 1.0,
        };
        for (layer, u) in self.layers.iter().zip(preconditioned) {
            u.put(&layer.parameters, nu, gradients);
        }
        Ok(Step {
            vg,
            nu,
            preconditioned: true,
        })
    }

    /// New decompositions, by index of the layer, with the factors that they are of: of all layers
    /// if `due`, else of those that have none yet.
    fn decompose(
        &self,
        due: bool,
    ) -> Result<Vec<(usize, KroneckerFactors, Preconditioner)>, Error> {
        let Settings {
            damping,
            damping_method,
            factor_decay,
            ..
        } = self.settings;
        let wanting: Vec<(usize, &Layer)> = (self.layers.iter().enumerate())
            .filter(|(_, layer)| due || layer.inverse.is_none())
            .collect();
        let one = |(at, layer): (usize, &Layer)| {
            let factors = match &layer.inverted {
                Some(before) if !due => before.clone(),
                _ => layer.corrected(factor_decay.get()),
            };
            let inverse = factors.preconditioner(damping, damping_method)?;
            Ok((at, factors, inverse))
        };
        let cubes = wanting
            .iter()
            .map(|(_, layer)| layer.parameters.cols.pow(3));
        if cubes.sum::<usize>() > PARALLEL_WORK {
            wanting.into_par_iter().with_max_len(1).map(one).collect()
        } else {
            wanting.into_iter().map(one).collect()
        }
    }

    /// U of each layer.
    fn multiply(&self, taken: Vec<LayerGradient>) -> Vec<Preconditioned> {
        let one = |(layer, taken): (&Layer, LayerGradient)| {
            let inverse = layer
                .inverse
                .as_ref()
                .expect("decompose leaves no layer without");
            inverse.precondition(&layer.parameters, taken)
        };
        let on_host = self
            .layers
            .iter()
            .all(|layer| matches!(layer.inverse, Some(Ready::Host(_))));
        let work: usize = self
            .layers
            .iter()
            .map(|layer| layer.parameters.work())
            .sum();
        let both = self.layers.iter().zip(taken);
        if on_host && work > PARALLEL_WORK {
            both.collect::<Vec<_>>().into_par_iter().map(one).collect()
        } else {
            both.map(one).collect()
        }
    }
}

impl Layer {
    fn new(parameters: Parameters) -> Self {
        let averages = KroneckerFactors {
            layer: parameters.layer.clone(),
            a_mean: Symmetric::zeros(parameters.cols),
            g_mean: Symmetric::zeros(parameters.rows),
            positions: 1,
        };
        Self {
            parameters,
            averages,
            updates: 0,
            examples: 0,
            inverted: None,
            inverse: None,
        }
    }

    /// S / (1 - b^k) after k updates: the weights of the batches then sum to 1.
    fn corrected(&self, decay: f64) -> KroneckerFactors {
        let weight = 1.0 - decay.powi(i32::try_from(self.updates).unwrap_or(i32::MAX));
        KroneckerFactors {
            layer: self.averages.layer.clone(),
            a_mean: self.averages.a_mean.scaled(1.0 / weight),
            g_mean: self.averages.g_mean.scaled(1.0 / weight),
            positions: self.averages.positions,
        }
    }

    fn finite(&self, x: f64, what: Quantity) -> Result<f64, Error> {
        let layer = || self.parameters.layer.clone();
        if x.is_finite() {
            Ok(x)
        } else {
            Err(Error::NonFinite {
                layer: layer(),
                what,
            })
        }
    }
}
