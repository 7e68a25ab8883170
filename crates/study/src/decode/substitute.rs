//! What is read in place of a value that was found wrong: harmless, of whatever type is asked for.

use runs::spanned::{self, Parts};
use serde::de::value::{MapDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, VariantAccess, Visitor,
};

use super::fault::Fault;
use crate::diagnostic::Span;

/// Reads as 0.5, 1, a name, a list of one substitute, the first choice, a struct of substitutes; as something else where
/// that is out of the range of what is asked for.
#[derive(Clone, Copy)]
pub(super) struct Substitute {
    /// How often it was out of range: what it reads as is another each time.
    misses: usize,
    /// Whether the study says something here, be it wrong: what is optional is there then.
    given: bool,
}

impl Substitute {
    /// How many ways it can be read.
    pub(super) const WAYS: usize = 3;

    /// In place of a value that is there and wrong.
    pub(super) fn given(misses: usize) -> Self {
        Self {
            misses,
            given: true,
        }
    }

    /// In place of what would be in it.
    fn inner(self) -> Self {
        Self {
            given: false,
            ..self
        }
    }
}

/// An error inside a substitute is no news.
fn quiet<T>(result: Result<T, Fault>) -> Result<T, Fault> {
    result.map_err(|_| Fault::consequence())
}

impl<'de> Deserializer<'de> for Substitute {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        quiet(visitor.visit_unit())
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        quiet(visitor.visit_bool(false))
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        quiet(visitor.visit_u64(1))
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        // Together inside every range that the schema knows.
        quiet(visitor.visit_f64(if self.misses == 1 { 2.0 } else { 0.5 }))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        quiet(visitor.visit_str("substitute"))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.given && self.misses < 2 {
            return quiet(visitor.visit_some(self.inner()));
        }
        quiet(visitor.visit_none())
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if name == spanned::NAME {
            let nowhere = Span { start: 0, end: 0 };
            return quiet(visitor.visit_seq(Parts::new(nowhere, nowhere, self)));
        }
        quiet(visitor.visit_newtype_struct(self))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        quiet(
            visitor.visit_seq(SeqDeserializer::<_, Fault>::new(std::iter::once(
                self.inner(),
            ))),
        )
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Fault> {
        quiet(
            visitor.visit_seq(SeqDeserializer::<_, Fault>::new(std::iter::repeat_n(
                self.inner(),
                len,
            ))),
        )
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let nothing: MapDeserializer<'_, std::iter::Empty<(u64, u64)>, Fault> =
            MapDeserializer::new(std::iter::empty());
        quiet(visitor.visit_map(nothing))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        // At last one of nothing but defaults.
        let fields = if self.misses == 2 { &[] } else { fields };
        quiet(visitor.visit_map(Fields(fields.iter(), self.inner())))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        quiet(visitor.visit_enum(FirstOf(variants, self.inner())))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        quiet(visitor.visit_unit())
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u128 f32 char bytes byte_buf unit unit_struct tuple_struct identifier
    }
}

impl IntoDeserializer<'_, Fault> for Substitute {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

struct Fields(std::slice::Iter<'static, &'static str>, Substitute);

impl<'de> MapAccess<'de> for Fields {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        self.0
            .next()
            .map(|field| seed.deserialize(StrDeserializer::new(field)))
            .transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        seed.deserialize(self.1)
    }
}

struct FirstOf(&'static [&'static str], Substitute);

impl<'de> EnumAccess<'de> for FirstOf {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Fault> {
        let first = self.0.first().ok_or_else(Fault::consequence)?;
        Ok((
            seed.deserialize(StrDeserializer::<Fault>::new(first))?,
            self,
        ))
    }
}

impl<'de> VariantAccess<'de> for FirstOf {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        seed.deserialize(self.1)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Fault> {
        self.1.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.1.deserialize_struct("", fields, visitor)
    }
}
