//! What serde found wrong, and where.

use std::fmt;

use serde::de::{Error, Expected, Unexpected};

use crate::diagnostic::{Draft, Mistake, Span, did_you_mean, nearest};

/// One error of one decoding.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    /// `None` until the nearest node has said where it is.
    pub(super) location: Option<Box<Location>>,
}

#[derive(Debug)]
pub(super) enum Kind {
    UnknownKey {
        key: String,
        known: &'static [&'static str],
    },
    UnknownChoice {
        word: String,
        known: &'static [&'static str],
    },
    Missing(&'static str),
    Other {
        message: String,
        help: Option<String>,
    },
    /// A substitute did not fit: the mistake behind it has been noted.
    Consequence,
}

#[derive(Debug)]
pub(super) enum Location {
    /// The value at `span`; `label` is what to underline, `name` the key it stands under.
    Value {
        span: Span,
        label: Span,
        name: String,
    },
    /// The key at `span` in the mapping at `mapping` under `name`, beside the keys `present`.
    Key {
        mapping: Span,
        span: Span,
        name: String,
        present: Vec<String>,
    },
}

impl Fault {
    pub(super) fn consequence() -> Self {
        Self {
            kind: Kind::Consequence,
            location: None,
        }
    }

    pub(super) fn or_at(mut self, location: impl FnOnce() -> Location) -> Self {
        self.location.get_or_insert_with(|| Box::new(location()));
        self
    }

    /// The mistake in words; none for a consequence of a substitute.
    pub(super) fn draft(self) -> Option<Draft> {
        let location = self.location?;
        let (span, name) = match &*location {
            Location::Value { label, name, .. } => (*label, name),
            Location::Key { span, name, .. } => (*span, name),
        };
        Some(match self.kind {
            Kind::UnknownKey { key, known } => {
                Draft::error(Mistake::UnknownKey, format!("unknown key `{key}`"))
                    .at(span, format!("not a key of `{name}`"))
                    .help(did_you_mean(&key, known.iter().copied()))
            }
            Kind::UnknownChoice { word, known } => Draft::error(
                Mistake::UnknownChoice,
                format!("unknown choice `{word}` for `{name}`"),
            )
            .at(
                span,
                if nearest(&word, known).is_some() {
                    "misspelt?"
                } else {
                    "not one of the choices"
                },
            )
            .help(did_you_mean(&word, known.iter().copied())),
            Kind::Missing(field) => {
                Draft::error(Mistake::MissingSetting, format!("`{name}` lacks `{field}`"))
                    .at(span, format!("`{field}` is missing here"))
                    .help(format!(
                        "add `{field}:`; doc/study-file.md says what it takes"
                    ))
            }
            Kind::Other { message, help } => {
                let colon = if ["must ", "needs ", "takes "]
                    .iter()
                    .any(|start| message.starts_with(start))
                {
                    ""
                } else {
                    ":"
                };
                let draft = Draft::error(Mistake::WrongValue, format!("`{name}`{colon} {message}"))
                    .at(span, "here");
                match help {
                    Some(help) => draft.help(help),
                    None => draft,
                }
            }
            Kind::Consequence => return None,
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.kind)
    }
}

impl std::error::Error for Fault {}

impl Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self {
            kind: Kind::Other {
                message: message.to_string(),
                help: None,
            },
            location: None,
        }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let message = format!(
            "expected {}, found {}",
            plain_words(expected),
            found_words(found)
        );
        Self {
            kind: Kind::Other {
                message,
                help: hint(found, &expected.to_string()),
            },
            location: None,
        }
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        Self {
            kind: Kind::UnknownChoice {
                word: word.to_owned(),
                known,
            },
            location: None,
        }
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        Self {
            kind: Kind::UnknownKey {
                key: key.to_owned(),
                known,
            },
            location: None,
        }
    }

    fn missing_field(field: &'static str) -> Self {
        Self {
            kind: Kind::Missing(field),
            location: None,
        }
    }
}

/// What to write instead, where that is clear.
fn hint(found: Unexpected<'_>, expected: &str) -> Option<String> {
    let written = match found {
        Unexpected::Bool(flag) => flag.to_string(),
        Unexpected::Unsigned(number) => number.to_string(),
        Unexpected::Signed(number) => number.to_string(),
        Unexpected::Float(number) => number.to_string(),
        Unexpected::Str(text) => text.to_owned(),
        _ => return None,
    };
    match (expected, found) {
        ("a sequence", _) => Some(format!("write a list: `[{written}]`")),
        ("a string", _) => Some(format!("write text in quotes: `\"{written}\"`")),
        ("f64" | "u64" | "u32", Unexpected::Str(text)) if text.trim().parse::<f64>().is_ok() => {
            Some(format!("write a number without quotes: `{}`", text.trim()))
        }
        ("a boolean", Unexpected::Str("yes" | "on")) => Some("write `true`".to_owned()),
        ("a boolean", Unexpected::Str("no" | "off")) => Some("write `false`".to_owned()),
        _ => None,
    }
}

/// The names of an enum's variants as what was expected.
pub(super) struct OneOf(pub(super) &'static [&'static str]);

impl Expected for OneOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.0.iter().map(|word| format!("`{word}`")).collect();
        f.write_str(&words.join(" or "))
    }
}

/// What serde's derive says it expects, in a researcher's words.
fn plain_words(expected: &dyn Expected) -> String {
    let text = expected.to_string();
    match text.as_str() {
        "f64" => "a number".to_owned(),
        "u64" | "usize" | "u32" => "a whole number, 0 or more".to_owned(),
        "a string" => "text".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list `[…]`".to_owned(),
        "an array of length 2" => "a list of two values `[…, …]`".to_owned(),
        _ if text.starts_with("struct ") || text == "a map" => "a mapping `key: value`".to_owned(),
        _ => text,
    }
}

fn found_words(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(flag) => format!("`{flag}`"),
        Unexpected::Unsigned(number) => format!("the number {number}"),
        Unexpected::Signed(number) => format!("the number {number}"),
        Unexpected::Float(number) => format!("the number {number}"),
        Unexpected::Str(text) => format!("the text `{text}`"),
        Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a mapping".to_owned(),
        other => other.to_string(),
    }
}
