//! The values of a sweep.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::number::{Count, Finite, Positive};

/// The values of one setting: a list, or a progression.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum Values {
    /// One by one.
    List(#[schemars(length(min = 1))] Vec<Scalar>),
    /// By a rule.
    Progression(Progression),
}

/// A number, a word, or true or false.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
#[expect(
    dead_code,
    reason = "the values themselves are read from the tree, with their places"
)]
pub(crate) enum Scalar {
    /// A number, rounded to 12 significant digits.
    Number(f64),
    /// True or false.
    Flag(bool),
    /// A word.
    Word(String),
}

/// Values by a rule, rounded to 12 significant digits.
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Progression {
    /// `[from, to]`: from, twice that, ... up to and with to.
    PowersOfTwo([Count; 2]),
    /// Each the `ratio` times the one before.
    Geometric(Geometric),
    /// Each the `step` more than the one before.
    Linear(Linear),
}

/// `from`, `from * ratio`, `from * ratio^2`, ...
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Geometric {
    /// The first value.
    pub(crate) from: Positive,
    /// What each is multiplied by to give the next.
    pub(crate) ratio: Positive,
    /// How many values.
    pub(crate) count: Count,
}

/// `from`, `from + step`, `from + 2 step`, ...
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Linear {
    /// The first value.
    pub(crate) from: Finite,
    /// What is added to each to give the next.
    pub(crate) step: Finite,
    /// How many values.
    pub(crate) count: Count,
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListOrRule;

        impl<'de> Visitor<'de> for ListOrRule {
            type Value = Values;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of values, or `powers_of_two`, `geometric` or `linear`")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Values, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Values::List)
            }

            fn visit_map<A: MapAccess<'de>>(self, rule: A) -> Result<Values, A::Error> {
                Progression::deserialize(MapAccessDeserializer::new(rule)).map(Values::Progression)
            }
        }

        deserializer.deserialize_seq(ListOrRule)
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyScalar;

        impl Visitor<'_> for AnyScalar {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, a word, or true or false")
            }

            fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
                Ok(Scalar::Number(number))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
                Ok(Scalar::Number(number as f64))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar::Number(number as f64))
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Scalar, E> {
                Ok(Scalar::Flag(flag))
            }

            fn visit_str<E>(self, word: &str) -> Result<Scalar, E> {
                Ok(Scalar::Word(word.to_owned()))
            }
        }

        deserializer.deserialize_any(AnyScalar)
    }
}
