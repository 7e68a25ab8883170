//! A value that knows where it stands in a study file.
//!
//! A decoder that knows places hands them over by serde's own means: a newtype of the name [`NAME`] comes as a list of
//! the place's numbers and the value. Any other, such as that of a manifest's JSON, gives the value alone.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{DeserializeSeed, Error, IntoDeserializer, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The newtype's name.
pub const NAME: &str = "runs::Spanned";

/// Bytes of a text, the end exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

/// A value, where it stands, and the nearest key above it. Equal to the same value anywhere else.
#[derive(Clone, Copy, Debug)]
pub struct Spanned<T> {
    value: T,
    /// Where the value stands.
    pub span: Span,
    /// Where its key stands.
    pub key: Span,
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Spanned<T> {}

/// Where what was left out stands.
const NOWHERE: Span = Span { start: 0, end: 0 };

impl<T> Spanned<T> {
    /// A value that does not stand in the file by itself.
    pub fn nowhere(value: T) -> Self {
        Self {
            value,
            span: NOWHERE,
            key: NOWHERE,
        }
    }

    /// Where it stands, if it does.
    pub fn place(&self) -> Option<Span> {
        (self.span != NOWHERE).then_some(self.span)
    }

    /// Another value at the same place.
    pub fn with<U>(&self, value: U) -> Spanned<U> {
        Spanned {
            value,
            span: self.span,
            key: self.key,
        }
    }
}

impl<T> From<T> for Spanned<T> {
    fn from(value: T) -> Self {
        Self::nowhere(value)
    }
}

/// What is left out stands nowhere.
impl<T: Default> Default for Spanned<T> {
    fn default() -> Self {
        Self::nowhere(T::default())
    }
}

impl<T: fmt::Display> fmt::Display for Spanned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T: Serialize> Serialize for Spanned<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PlaceAndValue<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for PlaceAndValue<T> {
            type Value = Spanned<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value with its place")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                value: D,
            ) -> Result<Spanned<T>, D::Error> {
                T::deserialize(value).map(Spanned::nowhere)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Spanned<T>, A::Error> {
                let mut next = || {
                    parts
                        .next_element::<usize>()?
                        .ok_or_else(|| A::Error::custom("no place"))
                };
                let (start, end) = (next()?, next()?);
                let span = Span { start, end };
                let (start, end) = (next()?, next()?);
                let key = Span { start, end };
                let value = parts.next_element()?;
                let value = value.ok_or_else(|| A::Error::custom("no value"))?;
                Ok(Spanned { value, span, key })
            }
        }

        deserializer.deserialize_newtype_struct(NAME, PlaceAndValue(PhantomData))
    }
}

/// What a decoder that knows places reads a [`Spanned`] from, by `visit_seq`.
pub struct Parts<D> {
    place: std::array::IntoIter<usize, 4>,
    value: Option<D>,
}

impl<D> Parts<D> {
    /// The value at a place, under a key.
    pub fn new(span: Span, key: Span, value: D) -> Self {
        let place = [span.start, span.end, key.start, key.end];
        Self {
            place: place.into_iter(),
            value: Some(value),
        }
    }
}

impl<'de, D: Deserializer<'de>> SeqAccess<'de> for Parts<D> {
    type Error = D::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, D::Error> {
        match self.place.next() {
            Some(number) => seed.deserialize(number.into_deserializer()).map(Some),
            None => self
                .value
                .take()
                .map(|value| seed.deserialize(value))
                .transpose(),
        }
    }
}

impl<T: JsonSchema> JsonSchema for Spanned<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_gives_a_value_without_a_place_and_equality_is_that_of_values() {
        let read: Spanned<u64> = serde_json::from_str("3").unwrap();
        assert_eq!((*read, read.place()), (3, None));
        let span = Span { start: 4, end: 5 };
        let written = Spanned {
            span,
            ..Spanned::nowhere(3)
        };
        assert_eq!(written.with(7).place(), Some(span));
        assert_eq!(written, read);
        assert_eq!(serde_json::to_string(&written).unwrap(), "3");
    }
}
