//! A value that knows where it stands.
//!
//! The decoder hands the place over by serde's own means: a newtype of a name that only it understands comes as a list
//! of the place's numbers and the value.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{DeserializeSeed, Error, IntoDeserializer, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::diagnostic::Span;

/// The newtype's name.
pub(crate) const NAME: &str = "study::Spanned";

/// A value, where it stands, and the nearest key above it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spanned<T> {
    value: T,
    pub(crate) span: Span,
    pub(crate) key: Span,
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// Where what was left out stands.
const NOWHERE: Span = Span { start: 0, end: 0 };

impl<T> Spanned<T> {
    /// A value that does not stand in the file by itself.
    pub(crate) fn nowhere(value: T) -> Self {
        Self {
            value,
            span: NOWHERE,
            key: NOWHERE,
        }
    }

    /// Where it stands, if it does.
    pub(crate) fn place(&self) -> Option<Span> {
        (self.span != NOWHERE).then_some(self.span)
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

/// What a [`Spanned`] is read from.
pub(crate) struct Parts<D> {
    place: std::array::IntoIter<usize, 4>,
    value: Option<D>,
}

impl<D> Parts<D> {
    pub(crate) fn new(span: Span, key: Span, value: D) -> Self {
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
