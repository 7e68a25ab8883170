//! Update rules.
//!
//! SGD and K-FAC share momentum, `v = momentum v + (u + weight_decay w)`, `w -= rate v`, and differ in `u`. Weight
//! decay is of all parameters alike, and 0 unless asked for, whatever the rule.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::number::{Decay, Interval, NonNegative, Positive};
use runs::keys_of;

/// An update rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Optimizer {
    /// Stochastic gradient descent.
    Sgd(Sgd),
    /// K-FAC: the gradient times the inverse of a Kronecker-factored Fisher matrix.
    Kfac(Kfac),
    /// AdamW (Loshchilov and Hutter 2019, algorithm 2).
    AdamW(AdamW),
    /// LAMB (You et al. 2020, algorithm 2).
    Lamb(Lamb),
    /// Lion (Chen et al. 2023, algorithm 2).
    Lion(Lion),
    /// Muon (Jordan et al. 2024) for convolutions and hidden matrices, scaled to the size of AdamW's updates (Liu et
    /// al. 2025, eq. 4); AdamW at the same rate for the last layer, biases and BatchNorm.
    Muon(Muon),
}

impl Optimizer {
    /// The methods, as a study writes them.
    pub(crate) const METHODS: [&'static str; 6] = ["sgd", "kfac", "adamw", "lamb", "lion", "muon"];

    pub(crate) fn method(&self) -> &'static str {
        match self {
            Self::Sgd(_) => "sgd",
            Self::Kfac(_) => "kfac",
            Self::AdamW(_) => "adamw",
            Self::Lamb(_) => "lamb",
            Self::Lion(_) => "lion",
            Self::Muon(_) => "muon",
        }
    }

    /// The settings of a method; none of a word that is no method.
    pub(crate) fn settings_of(method: &str) -> &'static [&'static str] {
        match method {
            "sgd" => keys_of::<Sgd>(),
            "kfac" => keys_of::<Kfac>(),
            "adamw" => keys_of::<AdamW>(),
            "lamb" => keys_of::<Lamb>(),
            "lion" => keys_of::<Lion>(),
            "muon" => keys_of::<Muon>(),
            _ => &[],
        }
    }
}

/// Settings of stochastic gradient descent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Sgd {
    /// Momentum, in [0, 1).
    pub(crate) momentum: Decay,
    /// Weight decay, of all parameters alike.
    pub(crate) weight_decay: NonNegative,
}

impl Default for Sgd {
    fn default() -> Self {
        Self {
            momentum: Decay::preset(0.9),
            weight_decay: NonNegative::preset(0.0),
        }
    }
}

/// Settings of K-FAC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Kfac {
    /// lambda in (F + lambda I)^-1. Required here or in the sweep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) damping: Option<Positive>,
    /// Momentum, in [0, 1).
    pub(crate) momentum: Decay,
    /// Weight decay, added after preconditioning, of all parameters alike.
    pub(crate) weight_decay: NonNegative,
    /// Decay of the running averages of the factors, for each update of theirs.
    pub(crate) factor_decay: Decay,
    /// Steps from one update of the factors to the next.
    pub(crate) factor_every: Interval,
    /// Steps from one inversion to the next.
    pub(crate) inverse_every: Interval,
    /// How lambda enters the inverse.
    pub(crate) damping_method: DampingMethod,
    /// Whose labels the Fisher matrix is taken with.
    pub(crate) fisher: Fisher,
    /// Bound on rate^2 <u, v>, after which u is scaled down. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kl_clip: Option<Positive>,
    /// When the first inverse may be used; before, the steps are those of SGD.
    /// Default: at once.
    #[serde(skip_serializing_if = "BurnIn::is_off")]
    pub(crate) burn_in: BurnIn,
}

impl Default for Kfac {
    fn default() -> Self {
        Self {
            damping: None,
            momentum: Decay::preset(0.9),
            weight_decay: NonNegative::preset(0.0),
            factor_decay: Decay::preset(0.95),
            factor_every: Interval::preset(1),
            inverse_every: Interval::preset(10),
            damping_method: DampingMethod::Eigen,
            fisher: Fisher::Sampled,
            kl_clip: None,
            burn_in: BurnIn::default(),
        }
    }
}

/// Settings of AdamW.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AdamW {
    /// Decay of the average gradient.
    pub(crate) beta_1: Decay,
    /// Decay of the average squared gradient.
    pub(crate) beta_2: Decay,
    /// Added to the root of the average squared gradient.
    pub(crate) epsilon: Positive,
    /// Weight decay, decoupled: a step takes rate times it off every parameter.
    pub(crate) weight_decay: NonNegative,
}

impl Default for AdamW {
    fn default() -> Self {
        Self {
            beta_1: Decay::preset(0.9),
            beta_2: Decay::preset(0.999),
            epsilon: Positive::preset(1e-8),
            weight_decay: NonNegative::preset(0.0),
        }
    }
}

/// Settings of LAMB.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Lamb {
    /// Decay of the average gradient.
    pub(crate) beta_1: Decay,
    /// Decay of the average squared gradient.
    pub(crate) beta_2: Decay,
    /// Added to the root of the average squared gradient.
    pub(crate) epsilon: Positive,
    /// Weight decay, added to the update before it is scaled to the size of its parameter.
    pub(crate) weight_decay: NonNegative,
}

impl Default for Lamb {
    fn default() -> Self {
        Self {
            beta_1: Decay::preset(0.9),
            beta_2: Decay::preset(0.999),
            epsilon: Positive::preset(1e-6),
            weight_decay: NonNegative::preset(0.0),
        }
    }
}

/// Settings of Lion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Lion {
    /// Weight of the average gradient in the update.
    pub(crate) beta_1: Decay,
    /// Decay of the average gradient.
    pub(crate) beta_2: Decay,
    /// Weight decay, decoupled.
    pub(crate) weight_decay: NonNegative,
}

impl Default for Lion {
    fn default() -> Self {
        Self {
            beta_1: Decay::preset(0.9),
            beta_2: Decay::preset(0.99),
            weight_decay: NonNegative::preset(0.0),
        }
    }
}

/// Settings of Muon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Muon {
    /// Nesterov momentum of convolutions and hidden matrices, in [0, 1).
    pub(crate) momentum: Decay,
    /// AdamW's, for the rest.
    pub(crate) beta_1: Decay,
    /// AdamW's, for the rest.
    pub(crate) beta_2: Decay,
    /// AdamW's, for the rest.
    pub(crate) epsilon: Positive,
    /// Weight decay, decoupled, of all parameters alike.
    pub(crate) weight_decay: NonNegative,
}

impl Default for Muon {
    fn default() -> Self {
        Self {
            momentum: Decay::preset(0.95),
            beta_1: Decay::preset(0.9),
            beta_2: Decay::preset(0.999),
            epsilon: Positive::preset(1e-8),
            weight_decay: NonNegative::preset(0.0),
        }
    }
}

/// How lambda enters the inverse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DampingMethod {
    /// (F + lambda I)^-1 exactly.
    Eigen,
    /// Each factor is damped, balanced by traces (Martens and Grosse 2015, section 6.3).
    Factored,
    /// The same, balanced by Frobenius norms.
    FactoredFrobenius,
    /// The same, balanced by largest eigenvalues.
    FactoredSpectral,
    /// The same, without balance.
    FactoredUnbalanced,
}

/// Whose labels the Fisher matrix is taken with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fisher {
    /// Drawn from the model: the true Fisher matrix.
    Sampled,
    /// The data's.
    Empirical,
}

/// When the first inverse may be used: after both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BurnIn {
    /// Updates of the factors before. Default 0.
    #[serde(skip_serializing_if = "BurnIn::is_zero")]
    pub(crate) batches: u32,
    /// Examples for each dimension of the largest input factor before. Default 0.
    #[serde(skip_serializing_if = "BurnIn::is_zero")]
    pub(crate) examples_per_dimension: u32,
}

impl BurnIn {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    fn is_off(&self) -> bool {
        *self == Self::default()
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    fn is_zero(number: &u32) -> bool {
        *number == 0
    }
}
