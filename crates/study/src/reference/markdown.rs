//! The JSON Schema as a page to read: every key with what it takes, its default and its meaning.

use std::fmt::Write as _;

use serde_json::Value;

use super::{definition_name, full_schema, only_property};
use crate::schema::{File, StageKeys};
use crate::site;

const STUDY: &str = "\
# The study file

Every key that a study may have. This page is made from the types that read the file; `pipeline schema` prints \
the same as JSON Schema, for editors.

A study is YAML 1.2 with one document. Stages are named, refer to each other by name, and stand in any order. \
An unknown key is a mistake, and every mistake is reported at once. Comments, the order of keys, `1e-3` for \
`0.001`, anchors (`&a`, `*a`, `<<`) instead of copies, and the order of a sweep's values change no result.

Where something is one of several (`optimizer: {kfac: {damping: 0.01}}`), a bare word is short for the choice \
with all its defaults (`optimizer: sgd`). Paths of files are relative to the study's folder.
";

const SITE: &str = "\
# The site file

Where and how studies run on a machine, so that the command line need not say it each time. Nothing in it is part of \
a result's key: another site file runs nothing again. This page is made from the types that read the file; \
`pipeline schema site` prints the same as JSON Schema, for editors.

It is the file that `--site FILE` or the variable `PIPELINE_SITE` names, else `site.yaml` beside the study file, else \
`site.yaml` in the working folder; one of them, never several together. What the command line says, or \
`PIPELINE_CACHE`, comes first. The report's provenance quotes the file. It is YAML as the study file is, and an \
unknown key is a mistake here too.

```yaml
jobs: 4
threads: 2
device: cuda
gpus: [0, 1]
cache: { path: /data/cache }
```
";

/// The reference page of the study file.
///
/// # Panics
///
/// Never: the schema is made from types that have definitions.
pub fn reference_markdown() -> String {
    page(STUDY, "Study", &full_schema::<File<StageKeys>>("Study"))
}

/// The reference page of the site file.
///
/// # Panics
///
/// Never: the schema is made from types that have definitions.
pub fn site_reference_markdown() -> String {
    page(SITE, "Site", &full_schema::<site::File>("Site"))
}

fn page(introduction: &str, title: &str, schema: &Value) -> String {
    let mut page = introduction.to_owned();
    section(&mut page, title, schema);
    let definitions = schema["$defs"]
        .as_object()
        .expect("the schema has definitions");
    // In the order of first mention, as a reader meets them.
    let mut order = Vec::new();
    mentions(&schema["properties"], &mut order);
    let mut next = 0;
    while let Some(name) = order.get(next).cloned() {
        mentions(&definitions[&name], &mut order);
        section(&mut page, &name, &definitions[&name]);
        next += 1;
    }
    page
}

/// Appends the names of definitions that a schema refers to and that are not there yet.
fn mentions(schema: &Value, order: &mut Vec<String>) {
    if let Some(name) = definition_name(schema)
        && !order.iter().any(|known| known == name)
    {
        order.push(name.to_owned());
    }
    match schema {
        Value::Array(items) => items.iter().for_each(|item| mentions(item, order)),
        Value::Object(object) => {
            object
                .iter()
                .filter(|(key, _)| *key != "$defs")
                .for_each(|(_, value)| mentions(value, order));
        }
        _ => {}
    }
}

fn section(page: &mut String, name: &str, schema: &Value) {
    let mut write = |text: String| page.push_str(&text);
    write(format!("\n## {name}\n\n{}\n", description(schema)));
    if let Some(properties) = schema["properties"].as_object() {
        write("\n| key | takes | default | meaning |\n| --- | --- | --- | --- |\n".to_owned());
        let required: Vec<&str> = schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        for (key, value) in properties {
            let (meaning, stated) = split_default(description(value));
            let default = match value.get("default") {
                _ if required.contains(&key.as_str()) => "required".to_owned(),
                _ if !stated.is_empty() => stated,
                None | Some(Value::Null) => String::new(),
                Some(Value::Array(list)) if list.is_empty() => "none".to_owned(),
                Some(Value::Object(object)) if object.is_empty() => String::new(),
                Some(default) => format!("`{}`", plain(default)),
            };
            write(format!(
                "| `{key}` | {} | {default} | {meaning} |\n",
                takes(value)
            ));
        }
    }
    let choices = schema["oneOf"]
        .as_array()
        .or_else(|| schema["anyOf"].as_array());
    if let Some(choices) = choices {
        let rows: Vec<_> = choices.iter().flat_map(rows).collect();
        write("\n| one of | meaning |\n| --- | --- |\n".to_owned());
        for (word, meaning) in rows {
            write(format!("| {word} | {meaning} |\n"));
        }
    } else if let Some(words) = schema["enum"].as_array() {
        write(format!(
            "\nOne of {}.\n",
            words
                .iter()
                .map(|word| format!("`{}`", plain(word)))
                .collect::<Vec<_>>()
                .join(", ")
        ));
    }
}

/// A choice as rows of a table: its word with what it takes, and what it means.
fn rows(choice: &Value) -> Vec<(String, String)> {
    let meaning = description(choice);
    if let Some((key, content)) = only_property(choice) {
        let takes = takes(content);
        let row = if takes == NOTHING {
            format!("`{key}`")
        } else {
            format!("`{key}:` {takes}")
        };
        return vec![(row, meaning)];
    }
    if let Some(words) = choice["enum"].as_array() {
        return words
            .iter()
            .map(|word| (format!("`{}`", plain(word)), meaning.clone()))
            .collect();
    }
    if choice.get("const").is_some() {
        return vec![(format!("`{}`", plain(&choice["const"])), meaning)];
    }
    vec![(takes(choice), meaning)]
}

/// Takes the last sentence of a description apart if it says the default, or that the key is required.
fn split_default(description: String) -> (String, String) {
    for marker in [" Default: ", " Default ", " Required "] {
        if let Some((meaning, default)) = description.rsplit_once(marker) {
            let required = if marker == " Required " {
                "required "
            } else {
                ""
            };
            return (
                meaning.to_owned(),
                format!("{required}{}", default.trim_end_matches('.')),
            );
        }
    }
    (description, String::new())
}

/// What a choice without settings takes.
const NOTHING: &str = "nothing";

/// What a key takes, in words, with a link to what has a section of its own.
fn takes(schema: &Value) -> String {
    if let Some(name) = definition_name(schema) {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    for several in ["anyOf", "oneOf"] {
        if let Some(choices) = schema[several].as_array() {
            let texts: Vec<String> = choices
                .iter()
                .filter(|choice| choice["type"] != "null")
                .map(takes)
                .collect();
            return texts.join(" or ");
        }
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds
            .iter()
            .find(|kind| *kind != "null")
            .and_then(Value::as_str),
        kind => kind.as_str(),
    };
    match kind {
        Some("array")
            if schema.get("prefixItems").is_some() || schema.get("maxItems").is_some() =>
        {
            format!(
                "a list of {} of {}",
                schema["maxItems"],
                takes(&schema["items"])
            )
        }
        Some("array") => format!("a list of {}", takes(&schema["items"])),
        Some("object") => match &schema["additionalProperties"] {
            Value::Object(_) => format!("names with {}", takes(&schema["additionalProperties"])),
            _ => match schema["patternProperties"]
                .as_object()
                .and_then(|patterns| patterns.values().next())
            {
                Some(content) => format!("names with {}", takes(content)),
                None => NOTHING.to_owned(),
            },
        },
        Some("integer") => format!("a whole number{}", bounds(schema)),
        Some("number") => format!("a number{}", bounds(schema)),
        Some("boolean") => "`true` or `false`".to_owned(),
        Some("string") if schema.get("format").is_some() => {
            format!("a {}", schema["format"].as_str().unwrap_or("text"))
        }
        Some("string") if schema.get("contentEncoding").is_some() => {
            "hexadecimal digits".to_owned()
        }
        Some("string") if schema.get("pattern").is_some() => "a name".to_owned(),
        _ => "text".to_owned(),
    }
}

fn bounds(schema: &Value) -> String {
    let mut text = String::new();
    for (key, sign) in [
        ("exclusiveMinimum", "above"),
        ("minimum", "at least"),
        ("exclusiveMaximum", "below"),
        ("maximum", "at most"),
    ] {
        // Limits of a machine's integers say nothing.
        if let Some(bound) = schema[key].as_f64().filter(|bound| *bound < 4e9) {
            write!(text, ", {sign} {bound}").expect("writing to a string does not fail");
        }
    }
    text
}

/// The description on one line, safe in a table.
fn description(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
        .replace('<', "&lt;")
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
