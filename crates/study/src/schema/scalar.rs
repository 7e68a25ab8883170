//! A number, a word, or true or false.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{Error, Unexpected};
use serde_json::{Value, json};

use super::shape::{Shape, by_shape};

/// A number, a word, or true or false.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum Scalar {
    /// A number, rounded to 12 significant digits.
    Number(f64),
    /// A whole number.
    #[schemars(skip)]
    Integer(i128),
    /// True or false.
    Flag(bool),
    /// A word.
    Word(String),
}

by_shape!(Scalar);

impl Shape<'_> for Scalar {
    const WANTED: &'static str = "a number, a word, or true or false";

    fn scalar<E: Error>(scalar: Scalar) -> Result<Self, E> {
        Ok(scalar)
    }
}

impl Scalar {
    /// As it is used in a sweep: a number rounded to 12 significant digits, so that `0.1 * 3` and `0.3` are one value.
    pub(crate) fn rounded(&self) -> Self {
        match self {
            Self::Number(number) => Self::Number(rounded(*number)),
            other => other.clone(),
        }
    }

    /// As JSON; a whole number is one however it is written.
    pub(crate) fn json(&self) -> Value {
        match self {
            Self::Integer(number) => {
                i64::try_from(*number).map_or_else(|_| json!(*number as f64), Value::from)
            }
            Self::Number(number) if number.fract() == 0.0 && number.abs() < 2f64.powi(53) => {
                json!(*number as i64)
            }
            Self::Number(number) => json!(number),
            Self::Flag(flag) => json!(flag),
            Self::Word(word) => json!(word),
        }
    }

    /// The number, if it is one.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Integer(number) => Some(*number as f64),
            Self::Flag(_) | Self::Word(_) => None,
        }
    }

    /// The word, if it is one.
    pub(crate) fn word(&self) -> Option<&str> {
        match self {
            Self::Word(word) => Some(word),
            _ => None,
        }
    }

    /// The mistake that something else is wanted.
    pub(crate) fn unfit<E: Error>(&self, wanted: &str) -> E {
        let found = match self {
            Self::Integer(number) => match u64::try_from(*number) {
                Ok(number) => Unexpected::Unsigned(number),
                Err(_) => i64::try_from(*number)
                    .map_or(Unexpected::Float(*number as f64), Unexpected::Signed),
            },
            Self::Number(number) => Unexpected::Float(*number),
            Self::Flag(flag) => Unexpected::Bool(*flag),
            Self::Word(word) => Unexpected::Str(word),
        };
        E::invalid_type(found, &wanted)
    }
}

/// In as few digits as a number takes: the same for `1e-3` and `0.001`.
impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => number.fmt(f),
            Self::Number(number) if *number != 0.0 && !(1e-6..1e15).contains(&number.abs()) => {
                write!(f, "{number:e}")
            }
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::Word(word) => word.fmt(f),
        }
    }
}

/// To 12 significant digits.
pub(crate) fn rounded(number: f64) -> f64 {
    format!("{number:.11e}")
        .parse()
        .expect("a formatted number parses")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_rounded_to_twelve_digits() {
        assert_eq!(rounded(0.1 * 3.0).to_bits(), 0.3_f64.to_bits());
        assert_eq!(
            rounded(1e-3 * 3.0 * 3.0 * 3.0).to_bits(),
            0.027_f64.to_bits()
        );
        assert_eq!(
            rounded(123_456_789_012.4).to_bits(),
            123_456_789_012_f64.to_bits()
        );
        assert_eq!(rounded(0.0).to_bits(), 0.0_f64.to_bits());
    }

    #[test]
    fn a_value_has_one_name_however_it_is_written() {
        assert_eq!(Scalar::Number(1e-3).to_string(), "0.001");
        assert_eq!(Scalar::Number(16.0).to_string(), "16");
        assert_eq!(Scalar::Integer(16).to_string(), "16");
        assert_eq!(Scalar::Number(1e-7).to_string(), "1e-7");
        assert_eq!(Scalar::Number(2.5e20).to_string(), "2.5e20");
        assert_eq!(Scalar::Word("resnet20".to_owned()).to_string(), "resnet20");
    }
}
