//! From the tree to serde types, with every mistake noted and not only the first.
//!
//! serde stops at the first error. So each error is noted with its place, a [`Substitute`] is read there from then on, a
//! harmless value of whatever type is asked for, and the tree is decoded again, until nothing new is found. A tree with
//! mistakes yields no value; substitutes never leave this module.

mod choice;
mod fault;
mod substitute;

use std::collections::{HashMap, HashSet};

use runs::spanned::{self, Parts};
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Unexpected,
    Visitor,
};

use crate::diagnostic::{Draft, Span, nearest};
use crate::yaml::{Entry, Node, Value};
use choice::Choice;
use fault::{Fault, Kind, Location};
use substitute::Substitute;

/// Mistakes noted in one tree before giving up on finding more.
const MOST_MISTAKES: usize = 200;

/// Decodes `node`, which stands under the key `name` at `key`; `None` if there was a mistake.
pub(crate) fn decode<T: DeserializeOwned>(
    node: &Node,
    name: &str,
    key: Span,
    mistakes: &mut Vec<Draft>,
) -> Option<T> {
    let mut marks = Marks::default();
    for pass in 0..MOST_MISTAKES {
        match T::deserialize(At {
            node,
            key,
            name,
            marks: &marks,
        }) {
            Ok(value) => return (pass == 0).then_some(value),
            Err(fault) => {
                let Some(location) = &fault.location else {
                    return None;
                };
                let known = marks.explains(&fault.kind, location);
                let new = marks.note(&fault.kind, location);
                if !known {
                    mistakes.extend(fault.draft());
                }
                if !new {
                    return None;
                }
            }
        }
    }
    None
}

/// What was found wrong so far.
#[derive(Default)]
struct Marks {
    /// Values to read as substitutes, and how often each of these was out of range.
    replaced: HashMap<Span, usize>,
    /// Keys to pass over.
    skipped: HashSet<Span>,
    /// The mappings that these are in.
    partial: HashSet<Span>,
    /// Keys that a mapping lacks.
    added: HashMap<Span, Vec<&'static str>>,
}

impl Marks {
    /// Whether a mistake of a mapping as a whole (what it lacks, what does not go together) may come of a key that was
    /// passed over.
    fn explains(&self, kind: &Kind, location: &Location) -> bool {
        matches!((kind, location), (Kind::Other { .. }, Location::Value { span, .. }) if self.partial.contains(span))
    }

    /// Whether that was news.
    fn note(&mut self, kind: &Kind, location: &Location) -> bool {
        if let Location::Key { mapping, .. } = location {
            self.partial.insert(*mapping);
        }
        match (kind, location) {
            (
                Kind::UnknownKey { key, known },
                Location::Key {
                    mapping,
                    span,
                    present,
                    ..
                },
            ) => {
                // What was meant is there, misspelt: it is not missing as well.
                if let Some(meant) =
                    nearest(key, known).filter(|meant| !present.iter().any(|p| p == meant))
                {
                    self.added.entry(*mapping).or_default().push(meant);
                }
                self.skipped.insert(*span)
            }
            (Kind::Missing(field), Location::Value { span, .. }) => {
                let added = self.added.entry(*span).or_default();
                let new = !added.contains(field);
                added.push(field);
                new
            }
            (_, Location::Key { span, .. }) => self.skipped.insert(*span),
            (Kind::Consequence, Location::Value { span, .. }) => {
                let misses = self.replaced.entry(*span).and_modify(|misses| *misses += 1);
                *misses.or_insert(0) < Substitute::WAYS
            }
            (_, Location::Value { span, .. }) => self.replaced.insert(*span, 0).is_none(),
        }
    }
}

/// A node being decoded.
#[derive(Clone, Copy)]
struct At<'a> {
    node: &'a Node,
    /// The nearest key above it.
    key: Span,
    name: &'a str,
    marks: &'a Marks,
}

impl<'a> At<'a> {
    /// What marks are made at. What a bare word holds has no place of its own: it is the word's.
    fn place(self) -> Span {
        if self.node.span == choice::NOTHING.span {
            self.key
        } else {
            self.node.span
        }
    }

    fn locate(self, fault: Fault) -> Fault {
        // A whole mapping is a poor thing to underline: its key says as much.
        let label = match self.node.value {
            Value::Mapping(_) | Value::Null => self.key,
            _ => self.node.span,
        };
        fault.or_at(|| Location::Value {
            span: self.place(),
            label,
            name: self.name.to_owned(),
        })
    }

    /// Decodes, and gives its place also to what is found wrong after reading (a range, a combination).
    fn feed<T: DeserializeSeed<'a>>(self, seed: T) -> Result<T::Value, Fault> {
        if let Some(&misses) = self.marks.replaced.get(&self.place()) {
            return seed.deserialize(Substitute::given(misses)).map_err(|_| {
                // Read otherwise the next time; in the end, what it is in is substituted.
                if misses + 1 < Substitute::WAYS {
                    self.locate(Fault::consequence())
                } else {
                    Fault::consequence()
                }
            });
        }
        seed.deserialize(self).map_err(|fault| self.locate(fault))
    }

    fn unexpected(self, visitor: &dyn serde::de::Expected) -> Fault {
        let found = match &self.node.value {
            Value::Null => Unexpected::Unit,
            Value::Bool(flag) => Unexpected::Bool(*flag),
            Value::Integer(number) => {
                i64::try_from(*number).map_or(Unexpected::Float(*number as f64), Unexpected::Signed)
            }
            Value::Float(number) => Unexpected::Float(*number),
            Value::Text(text) => Unexpected::Str(text),
            Value::Sequence(_) => Unexpected::Seq,
            Value::Mapping(entries) if entries.is_empty() => Unexpected::Other("an empty mapping"),
            Value::Mapping(_) => Unexpected::Map,
        };
        Fault::invalid_type(found, visitor)
    }

    fn any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(flag) => visitor.visit_bool(*flag),
            Value::Integer(number) => match (u64::try_from(*number), i64::try_from(*number)) {
                (Ok(number), _) => visitor.visit_u64(number),
                (_, Ok(number)) => visitor.visit_i64(number),
                _ => visitor.visit_f64(*number as f64),
            },
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Text(text) => visitor.visit_str(text),
            Value::Sequence(items) => {
                let mut rest = Items {
                    items: items.iter(),
                    at: self,
                };
                let value = visitor.visit_seq(&mut rest)?;
                match rest.items.len() {
                    0 => Ok(value),
                    more => Err(Fault::custom(format!("{more} too many in the list"))),
                }
            }
            Value::Mapping(entries) => visitor.visit_map(Entries::new(entries, self)),
        }
    }

    fn whole<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node.value {
            // `1e3` is a whole number too.
            Value::Float(number) if number.fract() == 0.0 && number.abs() < 2f64.powi(53) => {
                if number < 0.0 {
                    visitor.visit_i64(number as i64)
                } else {
                    visitor.visit_u64(number as u64)
                }
            }
            _ => self.any(visitor),
        }
    }

    fn number<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node.value {
            Value::Integer(number) => visitor.visit_f64(number as f64),
            _ => self.any(visitor),
        }
    }

    fn mapping<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Null => visitor.visit_map(Entries::new(&[], self)),
            Value::Mapping(entries) => visitor.visit_map(Entries::new(entries, self)),
            // serde would take a list as the values of a struct's fields.
            _ => Err(self.unexpected(&visitor)),
        }
    }

    fn choice<V: Visitor<'a>>(
        self,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Text(word) => visitor.visit_enum(Choice {
                word,
                word_span: self.node.span,
                content: None,
                at: self,
            }),
            Value::Mapping(entries) if entries.len() == 1 => visitor.visit_enum(Choice {
                word: &entries[0].key,
                word_span: entries[0].key_span,
                content: Some(&entries[0]),
                at: self,
            }),
            Value::Mapping(entries) if !entries.is_empty() => {
                let found = entries
                    .iter()
                    .map(|entry| format!("`{}`", entry.key))
                    .collect::<Vec<_>>()
                    .join(" and ");
                Err(Fault::custom(format!(
                    "takes one choice, not {found} together"
                )))
            }
            _ => Err(self.unexpected(&fault::OneOf(variants))),
        }
    }
}

macro_rules! forward {
    ($($method:ident($($arg:ident: $type:ty),*) => $to:ident;)*) => {$(
        fn $method<V: Visitor<'de>>(self, $($arg: $type,)* visitor: V) -> Result<V::Value, Fault> {
            if let Some(&misses) = self.marks.replaced.get(&self.node.span) {
                return Substitute::given(misses).$method($($arg,)* visitor);
            }
            self.$to(visitor).map_err(|fault| self.locate(fault))
        }
    )*};
}

impl<'de> Deserializer<'de> for At<'de> {
    type Error = Fault;

    forward! {
        deserialize_any() => any;
        deserialize_bool() => any;
        deserialize_i8() => whole;
        deserialize_i16() => whole;
        deserialize_i32() => whole;
        deserialize_i64() => whole;
        deserialize_u8() => whole;
        deserialize_u16() => whole;
        deserialize_u32() => whole;
        deserialize_u64() => whole;
        deserialize_f32() => number;
        deserialize_f64() => number;
        deserialize_char() => any;
        deserialize_str() => any;
        deserialize_string() => any;
        deserialize_bytes() => any;
        deserialize_byte_buf() => any;
        deserialize_unit() => any;
        deserialize_unit_struct(name: &'static str) => any;
        deserialize_seq() => any;
        deserialize_tuple(len: usize) => any;
        deserialize_tuple_struct(name: &'static str, len: usize) => any;
        deserialize_map() => mapping;
        deserialize_struct(name: &'static str, fields: &'static [&'static str]) => mapping;
        deserialize_identifier() => any;
        deserialize_ignored_any() => any;
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if name == spanned::NAME {
            return visitor.visit_seq(Parts::new(self.node.span, self.key, self));
        }
        visitor
            .visit_newtype_struct(self)
            .map_err(|fault| self.locate(fault))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if let Some(&misses) = self.marks.replaced.get(&self.node.span) {
            return Substitute::given(misses).deserialize_enum(name, variants, visitor);
        }
        self.choice(variants, visitor)
            .map_err(|fault| self.locate(fault))
    }
}

struct Items<'a> {
    items: std::slice::Iter<'a, Node>,
    at: At<'a>,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        let next = self.items.next();
        next.map(|node| At { node, ..self.at }.feed(seed))
            .transpose()
    }
}

struct Entries<'a> {
    rest: &'a [Entry],
    added: &'a [&'static str],
    value: Option<&'a Entry>,
    all: &'a [Entry],
    at: At<'a>,
}

impl<'a> Entries<'a> {
    fn new(entries: &'a [Entry], at: At<'a>) -> Self {
        let added = at
            .marks
            .added
            .get(&at.place())
            .map_or(&[][..], Vec::as_slice);
        Self {
            rest: entries,
            added,
            value: None,
            all: entries,
            at,
        }
    }
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        while let Some((entry, rest)) = self.rest.split_first() {
            self.rest = rest;
            if self.at.marks.skipped.contains(&entry.key_span) {
                continue;
            }
            self.value = Some(entry);
            let key: StrDeserializer<'_, Fault> = StrDeserializer::new(&entry.key);
            return seed.deserialize(key).map(Some).map_err(|fault| {
                fault.or_at(|| Location::Key {
                    mapping: self.at.place(),
                    span: entry.key_span,
                    name: self.at.name.to_owned(),
                    present: self.all.iter().map(|entry| entry.key.clone()).collect(),
                })
            });
        }
        self.value = None;
        let Some((field, rest)) = self.added.split_first() else {
            return Ok(None);
        };
        self.added = rest;
        seed.deserialize(StrDeserializer::new(field)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        match self.value {
            Some(entry) => At {
                node: &entry.node,
                key: entry.key_span,
                name: &entry.key,
                marks: self.at.marks,
            }
            .feed(seed),
            None => seed
                .deserialize(Substitute::given(0))
                .map_err(|_| Fault::consequence()),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        let read = |entry: &&Entry| !self.at.marks.skipped.contains(&entry.key_span);
        Some(self.rest.iter().filter(read).count() + self.added.len())
    }
}
