//! One of several: a word, or a mapping with the word as its only key.

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error as _, VariantAccess, Visitor};

use super::At;
use super::fault::{Fault, Location};
use crate::diagnostic::Span;
use crate::yaml::{Entry, Node, Value};

/// One of several: a word, or a mapping with the word as its only key.
pub(super) struct Choice<'a> {
    pub(super) word: &'a str,
    pub(super) word_span: Span,
    pub(super) content: Option<&'a Entry>,
    pub(super) at: At<'a>,
}

impl<'de> EnumAccess<'de> for Choice<'de> {
    type Error = Fault;
    type Variant = Content<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Content<'de>), Fault> {
        let word: StrDeserializer<'_, Fault> = StrDeserializer::new(self.word);
        let variant = seed.deserialize(word).map_err(|fault| {
            fault.or_at(|| Location::Value {
                span: self.at.node.span,
                label: self.word_span,
                name: self.at.name.to_owned(),
            })
        })?;
        Ok((
            variant,
            Content {
                word: self.word,
                entry: self.content,
                at: self.at,
            },
        ))
    }
}

pub(super) struct Content<'a> {
    word: &'a str,
    entry: Option<&'a Entry>,
    at: At<'a>,
}

/// What a bare word holds: `optimizer: sgd` is short for `optimizer: {sgd: {}}`.
pub(super) static NOTHING: Node = Node {
    span: Span {
        start: usize::MAX,
        end: usize::MAX,
    },
    value: Value::Null,
};

impl<'a> Content<'a> {
    fn inner(&self) -> At<'a> {
        match self.entry {
            Some(entry) => At {
                node: &entry.node,
                key: entry.key_span,
                name: &entry.key,
                marks: self.at.marks,
            },
            None => At {
                node: &NOTHING,
                key: self.at.node.span,
                name: self.word,
                marks: self.at.marks,
            },
        }
    }
}

impl<'de> VariantAccess<'de> for Content<'de> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        let inner = self.inner();
        let known = inner.marks.replaced.contains_key(&inner.place());
        match self.entry {
            Some(Entry { node, .. })
                if !known && !matches!(node.value, Value::Null) && !is_empty(node) =>
            {
                Err(inner.locate(Fault::custom("takes no settings")))
            }
            _ => Ok(()),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        self.inner().feed(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Fault> {
        self.inner().deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.inner().deserialize_struct("", fields, visitor)
    }
}

fn is_empty(node: &Node) -> bool {
    matches!(&node.value, Value::Mapping(entries) if entries.is_empty())
}
