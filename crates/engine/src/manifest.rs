//! The canonical text of what a stage's result depends on, and the key derived from it.
//!
//! ```text
//! pipeline manifest 1
//! kind: train
//! code: 1
//! batch_size: 16
//! optimizer.kfac.damping: 0.001
//! input dataset: 5c3a...
//! ```
//!
//! One line a setting, named by its dotted path, in the order of the names; an empty object is a
//! value, `{}`; a name with other characters than letters, digits, `_` and `-` is a JSON string.
//! Numbers are the shortest decimal that reads back to the same double, so `0.001` and `1e-3` are
//! one setting, and so are `1` and `1.0`. [`Manifest::parse`] is the exact inverse of
//! [`Manifest::text`] and refuses every other spelling.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use crate::{Digest, Error};

const TITLE: &str = "pipeline manifest 1";
const KEY_DOMAIN: &str = "pipeline 2026-11 key of a stage manifest";

/// What a stage's result depends on: kind, code version, settings and contents of its inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    kind: String,
    code: String,
    settings: Map<String, Value>,
    inputs: BTreeMap<String, Digest>,
}

/// A line that two manifests do not share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What it is about: `optimizer.kfac.damping`, `code`, `input dataset`.
    pub path: String,
    /// The value in the old manifest, as written there.
    pub old: Option<String>,
    /// The value in the new manifest, as written there.
    pub new: Option<String>,
}

impl Manifest {
    /// A manifest; numbers are brought to the form that [`Manifest::parse`] gives back.
    pub fn new(
        kind: &str,
        code: &str,
        settings: Map<String, Value>,
        inputs: BTreeMap<String, Digest>,
    ) -> Self {
        let settings = settings
            .into_iter()
            .map(|(name, value)| (name, canonical(value)))
            .collect();
        Self {
            kind: kind.to_owned(),
            code: code.to_owned(),
            settings,
            inputs,
        }
    }

    /// What executes the stage.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The version of the code that executes it.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The settings, ready for a typed struct.
    pub fn settings(&self) -> &Map<String, Value> {
        &self.settings
    }

    /// The digests of the inputs' contents, by name.
    pub fn inputs(&self) -> &BTreeMap<String, Digest> {
        &self.inputs
    }

    /// The canonical text.
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(256 + 128 * self.inputs.len());
        text.push_str(TITLE);
        text.push_str("\nkind: ");
        write_name(&self.kind, &mut text);
        text.push_str("\ncode: ");
        write_name(&self.code, &mut text);
        text.push('\n');
        write_settings(&self.settings, &mut String::new(), &mut text);
        for (name, digest) in &self.inputs {
            text.push_str("input ");
            write_name(name, &mut text);
            writeln!(text, ": {digest}").expect("writing to a String cannot fail");
        }
        text
    }

    /// The key of the stage's result.
    pub fn key(&self) -> Digest {
        key(&self.text())
    }

    /// Reads a canonical text.
    ///
    /// # Errors
    ///
    /// If the text is not exactly what [`Manifest::text`] writes.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let fail = |line: usize, message: &str| Error::Manifest {
            line: line + 1,
            message: message.to_owned(),
        };
        let mut lines = text.lines().enumerate();
        if lines.next().is_none_or(|(_, line)| line != TITLE) {
            return Err(fail(0, "not a manifest of this version"));
        }
        let mut header = |name: &'static str, at: usize| {
            let value = lines
                .next()
                .and_then(|(_, line)| line.strip_prefix(name))
                .and_then(read_name);
            value.ok_or_else(|| fail(at, &format!("expected `{name}`")))
        };
        let (kind, code) = (header("kind: ", 1)?, header("code: ", 2)?);
        let (mut settings, mut inputs) = (Map::new(), BTreeMap::new());
        for (at, line) in lines {
            let (path, value) = split(line).ok_or_else(|| fail(at, "expected `name: value`"))?;
            if let Some(name) = path.strip_prefix("input ") {
                let name = read_name(name).ok_or_else(|| fail(at, "not a name"))?;
                inputs.insert(name, value.parse().map_err(|_| fail(at, "not a digest"))?);
            } else {
                let path = read_path(path).ok_or_else(|| fail(at, "not a dotted path"))?;
                let value =
                    serde_json::from_str(value).map_err(|error| fail(at, &error.to_string()))?;
                insert(&mut settings, path, value)
                    .ok_or_else(|| fail(at, "a setting is set twice"))?;
            }
        }
        let manifest = Self::new(&kind, &code, settings, inputs);
        let again = manifest.text();
        if again != text {
            let at = again
                .lines()
                .zip(text.lines())
                .take_while(|(a, b)| a == b)
                .count();
            return Err(fail(at, "not in canonical form"));
        }
        Ok(manifest)
    }
}

/// The key of the result of a stage with this manifest text.
pub fn key(text: &str) -> Digest {
    blake3::Hasher::new_derive_key(KEY_DOMAIN)
        .update(text.as_bytes())
        .finalize()
        .into()
}

/// The kind in a manifest text.
pub(crate) fn kind(text: &str) -> Option<String> {
    text.lines()
        .nth(1)?
        .strip_prefix("kind: ")
        .and_then(read_name)
}

/// The lines that differ, in the order of their paths.
pub fn diff(old: &str, new: &str) -> Vec<Change> {
    let (old, new): (BTreeMap<_, _>, BTreeMap<_, _>) = (
        old.lines().map(path_and_value).collect(),
        new.lines().map(path_and_value).collect(),
    );
    let paths: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
    let differ = paths
        .into_iter()
        .filter(|path| old.get(path) != new.get(path));
    let owned = |value: Option<&&str>| value.map(|&value| value.to_owned());
    differ
        .map(|path| Change {
            path: path.to_owned(),
            old: owned(old.get(path)),
            new: owned(new.get(path)),
        })
        .collect()
}

fn path_and_value(line: &str) -> (&str, &str) {
    // The title has no colon: its last word is its version.
    split(line)
        .or_else(|| line.rsplit_once(' '))
        .unwrap_or((line, ""))
}

/// `1.0` becomes `1`: typed settings read the same double from both. Beyond 2^53 an integer says
/// more digits than the double has, and -0 is not 0.
fn canonical(value: Value) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) if number.is_f64() => {
            let double = number.as_f64().expect("is_f64 was asked");
            let integral = double.fract() == 0.0
                && double.abs() <= EXACT
                && !(double == 0.0 && double.is_sign_negative());
            Value::Number(if integral {
                Number::from(double as i64)
            } else {
                number
            })
        }
        Value::Array(items) => Value::Array(items.into_iter().map(canonical).collect()),
        Value::Object(object) => Value::Object(
            object
                .into_iter()
                .map(|(name, value)| (name, canonical(value)))
                .collect(),
        ),
        other => other,
    }
}

fn write_settings(settings: &Map<String, Value>, path: &mut String, text: &mut String) {
    for (name, value) in sorted(settings) {
        let parent = path.len();
        if parent > 0 {
            path.push('.');
        }
        if !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        {
            path.push_str(name);
        } else {
            write_string(name, path);
        }
        match value {
            Value::Object(object) if !object.is_empty() => write_settings(object, path, text),
            value => {
                text.push_str(path);
                text.push_str(": ");
                write_value(value, text);
                text.push('\n');
            }
        }
        path.truncate(parent);
    }
}

fn write_value(value: &Value, text: &mut String) {
    match value {
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { "," });
                write_value(item, text);
            }
            text.push(']');
        }
        Value::Object(object) => {
            text.push('{');
            for (index, (name, value)) in sorted(object).into_iter().enumerate() {
                text.push_str(if index == 0 { "" } else { "," });
                write_string(name, text);
                text.push(':');
                write_value(value, text);
            }
            text.push('}');
        }
        Value::String(string) => write_string(string, text),
        // Rust's own shortest form, not serde_json's: which of `1e-5` and `0.00001` that writes has
        // changed between its versions, and with it every key would.
        Value::Number(number) if number.is_f64() => {
            let double = number.as_f64().expect("is_f64 was asked");
            write!(text, "{double:?}").expect("writing to a String cannot fail");
        }
        scalar => write!(text, "{scalar}").expect("writing to a String cannot fail"),
    }
}

/// By name, whatever order the map keeps: another crate may switch on `serde_json`'s `preserve_order`.
fn sorted(object: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut entries: Vec<_> = object.iter().collect();
    entries.sort_unstable_by_key(|&(name, _)| name);
    entries
}

fn write_string(string: &str, text: &mut String) {
    text.push_str(&Value::from(string).to_string());
}

/// Kinds, code versions and names of inputs are bare where no reader could be misled.
fn write_name(name: &str, text: &mut String) {
    if is_bare(name) {
        text.push_str(name);
    } else {
        write_string(name, text);
    }
}

fn is_bare(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-./=,+".contains(&byte))
}

fn read_name(text: &str) -> Option<String> {
    if is_bare(text) {
        Some(text.to_owned())
    } else {
        serde_json::from_str(text).ok()
    }
}

/// Splits at the first `: ` that is not within a JSON string.
fn split(line: &str) -> Option<(&str, &str)> {
    let end = end_of_path(line.as_bytes(), |rest| rest.starts_with(b": "))?;
    Some((&line[..end], &line[end + 2..]))
}

fn read_path(mut text: &str) -> Option<Vec<String>> {
    let mut path = Vec::new();
    loop {
        let end = end_of_path(text.as_bytes(), |rest| rest[0] == b'.').unwrap_or(text.len());
        let name = &text[..end];
        path.push(if name.starts_with('"') {
            serde_json::from_str(name).ok()?
        } else {
            name.to_owned()
        });
        match text.get(end + 1..) {
            Some(rest) => text = rest,
            None => return Some(path),
        }
    }
}

fn end_of_path(bytes: &[u8], ends: impl Fn(&[u8]) -> bool) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if !quoted && ends(&bytes[at..]) => return Some(at),
            _ => {}
        }
    }
    None
}

fn insert(settings: &mut Map<String, Value>, path: Vec<String>, value: Value) -> Option<()> {
    let mut names = path.into_iter();
    let mut name = names.next()?;
    let mut object = settings;
    for next in names {
        object = object
            .entry(name)
            .or_insert_with(|| Value::Object(Map::new()))
            .as_object_mut()?;
        name = next;
    }
    object.insert(name, value).is_none().then_some(())
}
