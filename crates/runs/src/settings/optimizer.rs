//! Update rules.
//!
//! SGD and K-FAC share momentum, `v = momentum v + (u + weight_decay w)`, `w -= rate v`, and differ in `u`. Weight
//! decay is of weights, biases and BatchNorm parameters alike, and 0 unless asked for, whatever the rule, so that a
//! study that does not ask for it compares update rules alone. A new rule is a struct here, with its defaults, and a
//! line in the list; `training::optimizer` says what it does.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::keys_of;
use crate::number::{Decay, Interval, NonNegative, Positive};

/// The update rules: what each is, its settings, and how a study writes it.
macro_rules! optimizers {
    ($($(#[$doc:meta])* $rule:ident $name:literal,)*) => {
        /// An update rule.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        pub enum Optimizer {
            $(
                $(#[$doc])*
                #[serde(rename = $name)]
                $rule($rule),
            )*
        }

        impl Optimizer {
            /// The methods, as a study writes them.
            pub const METHODS: &'static [&'static str] = &[$($name),*];

            /// The method's name, as a study writes it.
            pub fn method(&self) -> &'static str {
                match self {
                    $(Self::$rule(_) => $name,)*
                }
            }

            /// The settings of a method; none of a word that is no method.
            pub fn settings_of(method: &str) -> &'static [&'static str] {
                match method {
                    $($name => keys_of::<$rule>(),)*
                    _ => &[],
                }
            }
        }
    };
}

optimizers! {
    /// Stochastic gradient descent.
    Sgd "sgd",
    /// K-FAC: the gradient times the inverse of a Kronecker-factored Fisher matrix.
    Kfac "kfac",
    /// AdamW (Loshchilov and Hutter 2019, algorithm 2).
    AdamW "adamw",
    /// LAMB (You et al. 2020, algorithm 2).
    Lamb "lamb",
    /// Lion (Chen et al. 2023, algorithm 2).
    Lion "lion",
    /// Muon (Jordan et al. 2024) for convolutions and hidden matrices, scaled to the size of AdamW's updates (Liu et
    /// al. 2025, eq. 4); AdamW at the same rate for the last layer, biases and BatchNorm.
    Muon "muon",
}

/// Settings of stochastic gradient descent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sgd {
    /// Momentum, in [0, 1).
    pub momentum: Decay,
    /// Weight decay, of all parameters alike.
    pub weight_decay: NonNegative,
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
pub struct Kfac {
    /// lambda in (F + lambda I)^-1. Required here or in the sweep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damping: Option<Positive>,
    /// Momentum, in [0, 1).
    pub momentum: Decay,
    /// Weight decay, added after preconditioning, of all parameters alike.
    pub weight_decay: NonNegative,
    /// Decay of the running averages of the factors, for each update of theirs.
    pub factor_decay: Decay,
    /// Steps from one update of the factors to the next.
    pub factor_every: Interval,
    /// Steps from one inversion to the next.
    pub inverse_every: Interval,
    /// Steps from that of the factors to the first in which their inverse acts, fewer than `inverse_every`. On a GPU
    /// these go on while the host inverts. The very first inverse acts at once. Default: 0.
    #[serde(skip_serializing_if = "is_zero")]
    pub delay: u32,
    /// How lambda enters the inverse.
    pub damping_method: DampingMethod,
    /// Which labels the Fisher matrix is computed with.
    pub fisher: Fisher,
    /// Bound on rate^2 <u, v>, after which u is scaled down. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kl_clip: Option<Positive>,
    /// When the first inverse may be used; before, the steps are those of SGD.
    /// Default: at once.
    #[serde(skip_serializing_if = "BurnIn::is_off")]
    pub burn_in: BurnIn,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "what serde asks of a condition"
)]
fn is_zero(delay: &u32) -> bool {
    *delay == 0
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
            delay: 0,
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
pub struct AdamW {
    /// Decay of the average gradient.
    pub beta_1: Decay,
    /// Decay of the average squared gradient.
    pub beta_2: Decay,
    /// Added to the root of the average squared gradient.
    pub epsilon: Positive,
    /// Weight decay, decoupled: a step takes rate times it off every parameter.
    pub weight_decay: NonNegative,
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
pub struct Lamb {
    /// Decay of the average gradient.
    pub beta_1: Decay,
    /// Decay of the average squared gradient.
    pub beta_2: Decay,
    /// Added to the root of the average squared gradient.
    pub epsilon: Positive,
    /// Weight decay, added to the update before it is scaled to the size of its parameter.
    pub weight_decay: NonNegative,
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
pub struct Lion {
    /// Weight of the average gradient in the update.
    pub beta_1: Decay,
    /// Decay of the average gradient.
    pub beta_2: Decay,
    /// Weight decay, decoupled.
    pub weight_decay: NonNegative,
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
pub struct Muon {
    /// Nesterov momentum of convolutions and hidden matrices, in [0, 1).
    pub momentum: Decay,
    /// For the parameters that AdamW updates.
    pub beta_1: Decay,
    /// For the parameters that AdamW updates.
    pub beta_2: Decay,
    /// For the parameters that AdamW updates.
    pub epsilon: Positive,
    /// Weight decay, decoupled, of all parameters alike.
    pub weight_decay: NonNegative,
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

/// How lambda enters the inverse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DampingMethod {
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

/// Which labels the Fisher matrix is computed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fisher {
    /// Drawn from the model: the true Fisher matrix.
    Sampled,
    /// Those of the data.
    Empirical,
}

/// When the first inverse may be used: after both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BurnIn {
    /// Updates of the factors before. Default 0.
    pub batches: u32,
    /// Examples for each dimension of the largest input factor before. Default 0.
    pub examples_per_dimension: u32,
}

impl BurnIn {
    /// Whether there is none.
    pub fn is_off(&self) -> bool {
        *self == Self::default()
    }
}
