//! What a K-FAC run may set, checked once.
//!
//! Numbers that could be swapped silently are newtypes. Everything reads from and writes to
//! plain numbers and strings with serde; a value outside its domain is refused while reading.
//! Not here: learning rate (an argument of each step), momentum and weight decay (the
//! optimiser's that follows).

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::Error;

/// A number with a domain, read from and written to a plain `f64`.
macro_rules! checked_number {
    ($(#[$doc:meta])* $name:ident, $setting:literal, $expected:literal, |$value:ident| $ok:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
        #[serde(try_from = "f64", into = "f64")]
        pub struct $name(f64);

        impl $name {
            /// Checks the domain.
            ///
            /// # Errors
            /// [`Error::Setting`] outside it.
            pub fn new($value: f64) -> Result<Self, Error> {
                if $ok {
                    Ok(Self($value))
                } else {
                    Err(Error::Setting { name: $setting, expected: $expected, value: $value })
                }
            }

            /// The number.
            pub fn get(self) -> f64 {
                self.0
            }
        }

        impl TryFrom<f64> for $name {
            type Error = Error;
            fn try_from(value: f64) -> Result<Self, Error> {
                Self::new(value)
            }
        }

        impl From<$name> for f64 {
            fn from(value: $name) -> f64 {
                value.0
            }
        }
    };
}

checked_number!(
    /// lambda in (F + lambda I)^-1, in units of curvature: loss per squared unit of a parameter.
    Damping, "damping", "finite and above 0", |x| x.is_finite() && x > 0.0
);
checked_number!(
    /// b in the running average S <- b S + (1 - b) new: 0 keeps the last batch only.
    FactorDecay, "factor_decay", "in [0, 1)", |x| (0.0..1.0).contains(&x)
);
checked_number!(
    /// kappa of KL clipping: bound on lr^2 <U, V>.
    KlClip, "kl_clip", "finite and above 0", |x| x.is_finite() && x > 0.0
);

/// How lambda enters the inverse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DampingMethod {
    /// (F + lambda I)^-1 exactly, in the Kronecker eigenbasis.
    Eigen,
    /// Tikhonov damping of each factor, split by pi: an upper bound on F + lambda I.
    /// Source: Martens & Grosse 2015, section 6.3.
    Factored(Pi),
}

/// How factored damping is split between A and G.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pi {
    /// Ratio of mean eigenvalues (traces); what "pi" means in Martens & Grosse 2015, section 6.3.
    Trace,
    /// Ratio of root mean square eigenvalues (Frobenius norms).
    Frobenius,
    /// Ratio of largest eigenvalues.
    Spectral,
    /// No balance, pi = 1: the result then depends on how T is split between the factors.
    One,
}

impl DampingMethod {
    /// Every method, in the order of its documentation.
    pub const ALL: [Self; 5] = [
        Self::Eigen,
        Self::Factored(Pi::Trace),
        Self::Factored(Pi::Frobenius),
        Self::Factored(Pi::Spectral),
        Self::Factored(Pi::One),
    ];

    /// The name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Eigen => "eigen",
            Self::Factored(Pi::Trace) => "factored",
            Self::Factored(Pi::Frobenius) => "factored_frobenius",
            Self::Factored(Pi::Spectral) => "factored_spectral",
            Self::Factored(Pi::One) => "factored_unbalanced",
        }
    }
}

impl TryFrom<String> for DampingMethod {
    type Error = Error;
    fn try_from(given: String) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|method| method.name() == given)
            .ok_or(Error::UnknownMethod { given })
    }
}

impl From<DampingMethod> for String {
    fn from(method: DampingMethod) -> String {
        method.name().to_owned()
    }
}

/// Whose labels the output gradients are taken with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fisher {
    /// Labels drawn from the model, one a sample: the true Fisher, by Monte Carlo. Costs one
    /// more forward and backward pass on steps that refresh factors.
    Sampled,
    /// The data's labels: free, and another matrix; it vanishes as the loss does.
    Empirical,
}

/// When the first inverse may be used. Before, every gradient passes through unchanged and
/// unclipped, that is, the steps are those of the optimiser that follows, alone;
/// [`Step::preconditioned`](crate::Step) says so. The default is no burn-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BurnIn {
    /// Updates of the factors before the first inverse is used.
    #[serde(default)]
    pub batches: u32,
    /// Examples per dimension of the largest A before the first inverse is used.
    #[serde(default)]
    pub examples_per_dimension: u32,
}

/// Settings of K-FAC.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// lambda.
    pub damping: Damping,
    /// How lambda enters the inverse.
    #[serde(default = "default_method")]
    pub damping_method: DampingMethod,
    /// Whose labels.
    #[serde(default = "default_fisher")]
    pub fisher: Fisher,
    /// Decay of the running averages, a factor update.
    #[serde(default = "default_decay")]
    pub factor_decay: FactorDecay,
    /// Steps from one factor update to the next.
    #[serde(default = "default_factor_every")]
    pub factor_every: NonZeroU32,
    /// Steps from one decomposition to the next.
    #[serde(default = "default_inverse_every")]
    pub inverse_every: NonZeroU32,
    /// Steps from which on an inverse acts after that of its factors, fewer than `inverse_every`; the very first acts
    /// at once. On a device, factors are then read and decomposed while steps go on.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub delay: u32,
    /// KL clipping; off if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kl_clip: Option<KlClip>,
    /// When the first inverse may be used.
    #[serde(default, skip_serializing_if = "BurnIn::is_off")]
    pub burn_in: BurnIn,
}

impl BurnIn {
    /// Whether there is none.
    pub fn is_off(&self) -> bool {
        *self == Self::default()
    }
}

impl Settings {
    /// The defaults: `eigen`, `sampled`, decay 0.95, factors every step, inverses every 10
    /// steps, no delay, no clipping, no burn-in.
    pub fn new(damping: Damping) -> Self {
        Self {
            damping,
            damping_method: default_method(),
            fisher: default_fisher(),
            factor_decay: default_decay(),
            factor_every: default_factor_every(),
            inverse_every: default_inverse_every(),
            delay: 0,
            kl_clip: None,
            burn_in: BurnIn::default(),
        }
    }

    /// What of these settings does not fit together.
    ///
    /// # Errors
    /// [`Error::Setting`] for a delay that is not less than `inverse_every`.
    pub fn check(&self) -> Result<(), Error> {
        if self.delay < self.inverse_every.get() {
            return Ok(());
        }
        Err(Error::Setting {
            name: "delay",
            expected: "less than inverse_every",
            value: f64::from(self.delay),
        })
    }
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "what serde asks of a condition"
)]
fn is_zero(delay: &u32) -> bool {
    *delay == 0
}

fn default_method() -> DampingMethod {
    DampingMethod::Eigen
}
fn default_fisher() -> Fisher {
    Fisher::Sampled
}
fn default_decay() -> FactorDecay {
    FactorDecay(0.95)
}
fn default_factor_every() -> NonZeroU32 {
    NonZeroU32::MIN
}
fn default_inverse_every() -> NonZeroU32 {
    const { NonZeroU32::new(10).unwrap() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_read_from_json_with_the_documented_defaults() {
        let read: Settings = serde_json::from_str(r#"{"damping": 0.03}"#).unwrap();
        assert_eq!(read, Settings::new(Damping::new(0.03).unwrap()));
        let text = r#"{"damping":0.01,"damping_method":"factored","fisher":"empirical","factor_decay":0.9,
            "factor_every":2,"inverse_every":4,"kl_clip":0.001,"burn_in":{"batches":10}}"#;
        let read: Settings = serde_json::from_str(text).unwrap();
        assert_eq!(read.damping_method, DampingMethod::Factored(Pi::Trace));
        assert_eq!(read.fisher, Fisher::Empirical);
        assert_eq!((read.factor_every.get(), read.inverse_every.get()), (2, 4));
        assert_eq!(read.burn_in.batches, 10);
        let back: Settings = serde_json::from_str(&serde_json::to_string(&read).unwrap()).unwrap();
        assert_eq!(back, read);
    }

    #[test]
    fn values_outside_their_domain_are_refused_by_name() {
        for (text, says) in [
            (
                r#"{"damping": 0}"#,
                "damping must be finite and above 0, got 0",
            ),
            (
                r#"{"damping": 1, "factor_decay": 1}"#,
                "factor_decay must be in [0, 1), got 1",
            ),
            (
                r#"{"damping": 1, "kl_clip": -1}"#,
                "kl_clip must be finite and above 0, got -1",
            ),
            (
                r#"{"damping": 1, "damping_method": "eig"}"#,
                "no damping method \"eig\"; there are eigen, factored,",
            ),
            (r#"{"damping": 1, "inverse_every": 0}"#, "nonzero"),
        ] {
            let error = serde_json::from_str::<Settings>(text)
                .unwrap_err()
                .to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
        assert!(Damping::new(f64::NAN).is_err() && FactorDecay::new(f64::NAN).is_err());
    }
}
