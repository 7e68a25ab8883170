//! The preconditioner between the backward pass and the optimiser: running averages of the
//! factors, cached inverses, and the counter that says when each is renewed.
//!
//! Not an optimiser: momentum and weight decay follow, as for plain SGD.

mod renewal;
mod update;

use burn::optim::GradientsParams;
use rayon::prelude::*;

use crate::cube::OnDevice;
use crate::error::Quantity;
use crate::gradient::{LayerGradient, Parameters, Preconditioned};
use crate::settings::Settings;
use crate::step::Step;
use crate::{Error, KroneckerFactors, Preconditioner, Symmetric, Traffic};

use renewal::Correction;
pub(crate) use renewal::Pending;

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
    /// Inverses that do not act yet.
    pub(crate) pending: Option<Pending>,
    on_host: bool,
    /// What is on a device; the averages of the layers are then those there.
    device: Option<OnDevice>,
}

#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) parameters: Parameters,
    /// Running averages before bias correction, unless they are on a device.
    pub(crate) averages: KroneckerFactors,
    pub(crate) updates: u32,
    pub(crate) examples: u64,
    /// Bias-corrected averages as they were when `inverse` was computed, or is to be.
    pub(crate) inverted: Option<KroneckerFactors>,
    pub(crate) inverse: Option<Preconditioner>,
}

impl Kfac {
    /// No layer is known yet; the first [`update`](Kfac::update) brings them.
    ///
    /// # Panics
    /// If [`Settings::check`] complains.
    pub fn new(settings: Settings) -> Self {
        settings.check().expect("settings that fit together");
        Self {
            settings,
            layers: Vec::new(),
            step: 0,
            pending: None,
            on_host: false,
            device: None,
        }
    }

    /// Computes on the host wherever the tensors lie. Without, it does so where there are no kernels for
    /// the device (see the features), and for other types than `f32`.
    #[must_use]
    pub fn on_host(mut self) -> Self {
        self.on_host = true;
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

    /// The running averages of a layer, bias-corrected. Reads those of all layers where they are on a device.
    pub fn factors(&self, layer: &str) -> Option<KroneckerFactors> {
        let at = self.layers().position(|known| known == layer)?;
        Some(self.all_factors().swap_remove(at))
    }

    /// The running averages of all layers, bias-corrected.
    pub(crate) fn all_factors(&self) -> Vec<KroneckerFactors> {
        let layers = self.layers.iter().zip(self.averages());
        layers
            .map(|(layer, averages)| {
                let correction = Correction::new(layer, &self.settings);
                correction.of(&averages.a_mean, &averages.g_mean)
            })
            .collect()
    }

    /// The running averages of all layers before bias correction.
    pub(crate) fn averages(&self) -> Vec<KroneckerFactors> {
        let layers = self.layers.iter();
        match &self.device {
            None => layers.map(|layer| layer.averages.clone()).collect(),
            Some(device) => {
                let read = device.snapshot().read().wait();
                layers
                    .zip(read.averages)
                    .map(|(layer, averages)| layer.averages.of(averages))
                    .collect()
            }
        }
    }

    /// What has gone to a device and come from it, beside the tensors given.
    pub fn traffic(&self) -> Traffic {
        (self.device.as_ref()).map_or_else(Traffic::default, OnDevice::traffic)
    }

    /// Whether this step renews the factors.
    pub fn needs_factors(&self) -> bool {
        self.step
            .is_multiple_of(u64::from(self.settings.factor_every.get()))
    }

    /// Whether inverses are due at this step: of its factors, in [`Settings::delay`] steps.
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

    /// Replaces the gradients of recorded layers by nu U, U = (F + lambda I)^-1 V. All others
    /// stay as they are. `learning_rate` only matters for [`Step`] and for KL clipping.
    ///
    /// # Errors
    /// [`Error::NoFactors`], [`Error::NoGradient`], [`Error::NonFinite`],
    /// [`Error::Decomposition`]. After an error `gradients` are of no use. On a device nobody waits for U: one that is
    /// not finite is an error when inverses are next due; [`Step::check`] finds it at once.
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
            self.renew()?;
            self.apply(learning_rate, gradients)?
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
        if self.device.is_some() {
            return Ok(Step::passed_through(None));
        }
        let mut squares = 0.0;
        for layer in &self.layers {
            let taken = layer.parameters.take(gradients)?;
            squares += layer.finite(taken.square(), Quantity::Gradient)?;
            taken.put_back(&layer.parameters, gradients);
        }
        Ok(Step::passed_through(Some(learning_rate.powi(2) * squares)))
    }

    /// By the inverses that every layer has.
    fn apply(
        &mut self,
        learning_rate: f64,
        gradients: &mut GradientsParams,
    ) -> Result<Step, Error> {
        if let Some(step) = self.apply_on_device(learning_rate, gradients)? {
            return Ok(step);
        }
        let taken: Vec<LayerGradient> = self
            .layers
            .iter()
            .map(|layer| layer.parameters.take(gradients))
            .collect::<Result<_, _>>()?;
        let preconditioned = self.multiply(taken);
        for (layer, u) in self.layers.iter().zip(&preconditioned) {
            let what = if u.gradient_was_finite {
                Quantity::PreconditionedGradient
            } else {
                Quantity::Gradient
            };
            layer.finite(u.product, what)?;
        }
        let products = preconditioned.iter().map(|u| u.product);
        let vg = learning_rate.powi(2) * products.sum::<f64>();
        let step = Step::known(vg, self.settings.kl_clip);
        for (layer, u) in self.layers.iter().zip(preconditioned) {
            u.put(&layer.parameters, step.nu(), gradients);
        }
        Ok(step)
    }

    /// `None` without a device, or if gradients are elsewhere.
    fn apply_on_device(
        &mut self,
        learning_rate: f64,
        gradients: &mut GradientsParams,
    ) -> Result<Option<Step>, Error> {
        let Some(device) = &mut self.device else {
            return Ok(None);
        };
        if !device.has_inverses() {
            let all = self
                .layers
                .iter()
                .filter_map(|layer| layer.inverse.as_ref());
            device.put_inverses(all);
        }
        let layers: Vec<&Parameters> = self.layers.iter().map(|it| &it.parameters).collect();
        let products = device.precondition(&layers, &self.settings, learning_rate, gradients)?;
        let names = || layers.iter().map(|of| of.layer.clone()).collect();
        let kappa = self.settings.kl_clip;
        Ok(products.map(|products| Step::unread(products, names(), learning_rate, kappa)))
    }

    /// U of each layer.
    fn multiply(&self, taken: Vec<LayerGradient>) -> Vec<Preconditioned> {
        let one = |(layer, taken): (&Layer, LayerGradient)| {
            let inverse = (layer.inverse.as_ref()).expect("no layer is left without");
            Preconditioned::new(&layer.parameters, inverse, taken)
        };
        let work: usize = self
            .layers
            .iter()
            .map(|layer| layer.parameters.work())
            .sum();
        let both = self.layers.iter().zip(taken);
        if work > PARALLEL_WORK {
            both.collect::<Vec<_>>().into_par_iter().map(one).collect()
        } else {
            both.map(one).collect()
        }
    }
}

impl KroneckerFactors {
    /// Of a layer of which nothing is known yet: zero.
    pub(crate) fn none(of: &Parameters) -> Self {
        Self {
            layer: of.layer.clone(),
            a_mean: Symmetric::zeros(of.cols),
            g_mean: Symmetric::zeros(of.rows),
            positions: 1,
        }
    }

    /// Others of the same layer.
    pub(crate) fn of(&self, [a_mean, g_mean]: [Symmetric; 2]) -> Self {
        Self {
            layer: self.layer.clone(),
            a_mean,
            g_mean,
            positions: self.positions,
        }
    }
}

impl Layer {
    fn new(parameters: Parameters) -> Self {
        Self {
            averages: KroneckerFactors::none(&parameters),
            parameters,
            updates: 0,
            examples: 0,
            inverted: None,
            inverse: None,
        }
    }

    /// Of a batch that was added to the averages.
    fn count(&mut self, batch: u64, positions: usize) {
        self.averages.positions = positions;
        self.updates = self.updates.saturating_add(1);
        self.examples = self.examples.saturating_add(batch);
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
