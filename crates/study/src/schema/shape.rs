//! Values that may be written in several ways: as a scalar, a list or a mapping.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, MapAccess, SeqAccess, Unexpected};

use super::Scalar;

/// A type that takes some of the three ways.
pub(crate) trait Shape<'de>: Sized {
    /// What is wanted, for a mistake.
    const WANTED: &'static str;

    fn scalar<E: Error>(scalar: Scalar) -> Result<Self, E> {
        Err(scalar.unfit(Self::WANTED))
    }

    fn list<A: SeqAccess<'de>>(_: A) -> Result<Self, A::Error> {
        Err(A::Error::invalid_type(Unexpected::Seq, &Self::WANTED))
    }

    fn mapping<A: MapAccess<'de>>(_: A) -> Result<Self, A::Error> {
        Err(A::Error::invalid_type(Unexpected::Map, &Self::WANTED))
    }
}

/// Reads such a type.
pub(crate) struct Visitor<S>(PhantomData<S>);

impl<S> Visitor<S> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<'de, S: Shape<'de>> serde::de::Visitor<'de> for Visitor<S> {
    type Value = S;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(S::WANTED)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<S, E> {
        S::scalar(Scalar::Number(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<S, E> {
        S::scalar(Scalar::Integer(number.into()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<S, E> {
        S::scalar(Scalar::Integer(number.into()))
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<S, E> {
        S::scalar(Scalar::Flag(flag))
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<S, E> {
        S::scalar(Scalar::Word(word.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<S, A::Error> {
        S::list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, mapping: A) -> Result<S, A::Error> {
        S::mapping(mapping)
    }
}

/// Reads types by their shapes.
macro_rules! by_shape {
    ($($type:ty),*) => {$(
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                // All the same to a study's tree; what stands in for a mistake is then a word.
                deserializer.deserialize_str($crate::schema::shape::Visitor::<Self>::new())
            }
        }
    )*};
}
pub(crate) use by_shape;
