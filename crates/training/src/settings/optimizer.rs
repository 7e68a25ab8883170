//! Update rules and their settings.
//!
//! Weight decay is of weights, biases and BatchNorm parameters alike. SGD and K-FAC add it to the (preconditioned)
//! gradient, LAMB to the update that it then scales; for AdamW, Lion and Muon it is decoupled, `w -= rate *
//! weight_decay * w`. Its default is 0 for all of them, so that a study that does not ask for it compares update
//! rules alone.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::Error;

/// An update rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Optimizer {
    /// Stochastic gradient descent.
    Sgd(Sgd),
    /// K-FAC. It shares momentum with SGD, `v = momentum v + (u + weight_decay w)`, `w -= rate v`, and
    /// differs in `u` alone: the preconditioned gradient instead of the gradient.
    Kfac(Kfac),
    /// Loshchilov and Hutter 2019, algorithm 2.
    AdamW(AdamW),
    /// You et al. 2020, algorithm 2, with the norm itself as `phi`.
    Lamb(Lamb),
    /// Chen et al. 2023, algorithm 2.
    Lion(Lion),
    /// Jordan et al. 2024, scaled as Liu et al. 2025, eq. (4): hidden matrices and convolutions; AdamW at the same
    /// rate for the rest.
    Muon(Muon),
}

/// Settings of stochastic gradient descent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sgd {
    /// In `[0, 1)`; default 0.9.
    pub momentum: f64,
    /// Added to the gradient; default 0.
    pub weight_decay: f64,
}

impl Default for Sgd {
    fn default() -> Self {
        Self {
            momentum: 0.9,
            weight_decay: 0.0,
        }
    }
}

/// Settings of K-FAC; see [`burn_kfac::Settings`] for their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kfac {
    /// Added to the Fisher matrix before it is inverted.
    pub damping: burn_kfac::Damping,
    /// In `[0, 1)`; default 0.9.
    #[serde(default = "default_momentum")]
    pub momentum: f64,
    /// As for SGD; added after preconditioning; default 0.
    #[serde(default)]
    pub weight_decay: f64,
    /// How the damping enters the inverse; default `eigen`.
    #[serde(default = "default_damping_method")]
    pub damping_method: burn_kfac::DampingMethod,
    /// Whose labels the Fisher matrix is taken over; default `sampled`.
    #[serde(default = "default_fisher")]
    pub fisher: burn_kfac::Fisher,
    /// Decay of the running averages of the factors; default 0.95.
    #[serde(default = "default_factor_decay")]
    pub factor_decay: burn_kfac::FactorDecay,
    /// Steps from one update of the factors to the next; default 1.
    #[serde(default = "default_factor_every")]
    pub factor_every: NonZeroU32,
    /// Steps from one inversion to the next; default 10.
    #[serde(default = "default_inverse_every")]
    pub inverse_every: NonZeroU32,
    /// KL clipping; default off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kl_clip: Option<burn_kfac::KlClip>,
    /// What must be seen before the first inverse is used; default nothing.
    #[serde(default, skip_serializing_if = "burn_kfac::BurnIn::is_off")]
    pub burn_in: burn_kfac::BurnIn,
}

impl Kfac {
    /// What the preconditioner takes.
    pub fn preconditioner(&self) -> burn_kfac::Settings {
        burn_kfac::Settings {
            damping: self.damping,
            damping_method: self.damping_method,
            fisher: self.fisher,
            factor_decay: self.factor_decay,
            factor_every: self.factor_every,
            inverse_every: self.inverse_every,
            kl_clip: self.kl_clip,
            burn_in: self.burn_in,
        }
    }
}

/// Settings of AdamW.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdamW {
    /// Decay of the average gradient, in `[0, 1)`; default 0.9.
    pub beta_1: f64,
    /// Decay of the average squared gradient, in `[0, 1)`; default 0.999.
    pub beta_2: f64,
    /// Added to the root of the latter; default 1e-8.
    pub epsilon: f64,
    /// Decoupled; default 0.
    pub weight_decay: f64,
}

impl Default for AdamW {
    fn default() -> Self {
        Self {
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
        }
    }
}

/// Settings of LAMB.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lamb {
    /// Decay of the average gradient, in `[0, 1)`; default 0.9.
    pub beta_1: f64,
    /// Decay of the average squared gradient, in `[0, 1)`; default 0.999.
    pub beta_2: f64,
    /// Added to the root of the latter; default 1e-6.
    pub epsilon: f64,
    /// Added to the update before it is scaled; default 0.
    pub weight_decay: f64,
}

impl Default for Lamb {
    fn default() -> Self {
        Self {
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-6,
            weight_decay: 0.0,
        }
    }
}

/// Settings of Lion.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lion {
    /// Weight of the average in the update's sign, in `[0, 1)`; default 0.9.
    pub beta_1: f64,
    /// Decay of the average gradient, in `[0, 1)`; default 0.99.
    pub beta_2: f64,
    /// Decoupled; default 0.
    pub weight_decay: f64,
}

impl Default for Lion {
    fn default() -> Self {
        Self {
            beta_1: 0.9,
            beta_2: 0.99,
            weight_decay: 0.0,
        }
    }
}

/// Settings of Muon.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Muon {
    /// Nesterov momentum of the matrices, in `[0, 1)`; default 0.95.
    pub momentum: f64,
    /// AdamW's, for the rest; default 0.9.
    pub beta_1: f64,
    /// AdamW's, for the rest; default 0.999.
    pub beta_2: f64,
    /// AdamW's, for the rest; default 1e-8.
    pub epsilon: f64,
    /// Decoupled, of all parameters; default 0.
    pub weight_decay: f64,
}

impl Default for Muon {
    fn default() -> Self {
        let rest = AdamW::default();
        Self {
            momentum: 0.95,
            beta_1: rest.beta_1,
            beta_2: rest.beta_2,
            epsilon: rest.epsilon,
            weight_decay: rest.weight_decay,
        }
    }
}

impl Muon {
    /// The rule of all that is no hidden matrix.
    pub fn rest(&self) -> AdamW {
        AdamW {
            beta_1: self.beta_1,
            beta_2: self.beta_2,
            epsilon: self.epsilon,
            weight_decay: self.weight_decay,
        }
    }
}

impl Optimizer {
    /// Checks the ranges of the numbers that have no type for it.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for the first value that means nothing.
    pub(super) fn check(&self) -> Result<(), Error> {
        const MOMENTUM: &str = "optimizer.momentum";
        const BETAS: [&str; 2] = ["optimizer.beta_1", "optimizer.beta_2"];
        let [first, second] = BETAS;
        let (decays, weight_decay, epsilon) = match self {
            Self::Sgd(it) => (vec![(MOMENTUM, it.momentum)], it.weight_decay, None),
            Self::Kfac(it) => (vec![(MOMENTUM, it.momentum)], it.weight_decay, None),
            Self::AdamW(it) => (
                vec![(first, it.beta_1), (second, it.beta_2)],
                it.weight_decay,
                Some(it.epsilon),
            ),
            Self::Lamb(it) => (
                vec![(first, it.beta_1), (second, it.beta_2)],
                it.weight_decay,
                Some(it.epsilon),
            ),
            Self::Lion(it) => (
                vec![(first, it.beta_1), (second, it.beta_2)],
                it.weight_decay,
                None,
            ),
            Self::Muon(it) => (
                vec![
                    (MOMENTUM, it.momentum),
                    (first, it.beta_1),
                    (second, it.beta_2),
                ],
                it.weight_decay,
                Some(it.epsilon),
            ),
        };
        for (setting, decay) in decays {
            if !(0.0..1.0).contains(&decay) {
                let problem = format!("must be in [0, 1), is {decay}");
                return Err(Error::setting(setting, problem));
            }
        }
        if !(weight_decay.is_finite() && weight_decay >= 0.0) {
            return Err(Error::setting(
                "optimizer.weight_decay",
                format!("must not be negative, is {weight_decay}"),
            ));
        }
        match epsilon {
            Some(epsilon) if !(epsilon.is_finite() && epsilon > 0.0) => Err(Error::setting(
                "optimizer.epsilon",
                format!("must be above 0, is {epsilon}"),
            )),
            _ => Ok(()),
        }
    }
}

fn default_momentum() -> f64 {
    Sgd::default().momentum
}

/// The preconditioner's own defaults; they do not depend on the damping.
fn preconditioner_defaults() -> burn_kfac::Settings {
    let any = burn_kfac::Damping::new(1.0).expect("1 is a damping");
    burn_kfac::Settings::new(any)
}

fn default_damping_method() -> burn_kfac::DampingMethod {
    preconditioner_defaults().damping_method
}

fn default_fisher() -> burn_kfac::Fisher {
    preconditioner_defaults().fisher
}

fn default_factor_decay() -> burn_kfac::FactorDecay {
    preconditioner_defaults().factor_decay
}

fn default_factor_every() -> NonZeroU32 {
    preconditioner_defaults().factor_every
}

fn default_inverse_every() -> NonZeroU32 {
    preconditioner_defaults().inverse_every
}
