//! The schema against every study in `pipelines/` and the one that `pipeline init` writes.
//!
//! Read with a small validator: the crates that validate JSON Schema ask for features of packages that burn is built
//! with, which would have it built twice. A keyword that the validator does not know is a failure of the test.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::json_schema;
use crate::yaml::{self, Node};

fn as_json(node: &Node) -> Value {
    match &node.value {
        yaml::Value::Null => Value::Null,
        yaml::Value::Bool(flag) => json!(flag),
        yaml::Value::Integer(number) => json!(i64::try_from(*number).expect("a small number")),
        yaml::Value::Float(number) => json!(number),
        yaml::Value::Text(text) => json!(text),
        yaml::Value::Sequence(items) => items.iter().map(as_json).collect(),
        yaml::Value::Mapping(entries) => entries
            .iter()
            .map(|entry| (entry.key.clone(), as_json(&entry.node)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

/// Whether a key fits a pattern of keys.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern {
        "^[A-Za-z0-9_-]+$" => crate::schema::Name::is_name(name),
        "^x-" => name.starts_with("x-"),
        _ => panic!("no pattern {pattern}"),
    }
}

/// What is wrong with a value, each with its path; nothing if the schema accepts it.
/// Source: JSON Schema 2020-12, as far as the schema of studies uses it.
fn faults(root: &Value, schema: &Value, value: &Value, path: &str) -> Vec<String> {
    let rules = match schema {
        Value::Bool(true) => return Vec::new(),
        Value::Bool(false) => return vec![format!("{path}: not allowed")],
        Value::Object(rules) => rules,
        other => panic!("{other} is no schema"),
    };
    let mut found = Vec::new();
    for (keyword, rule) in rules {
        let mut must = |fits: bool| {
            if !fits {
                found.push(format!("{path}: {keyword} {rule}"));
            }
        };
        let accepts = |schema: &Value| faults(root, schema, value, path).is_empty();
        match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "default" | "format"
            | "contentEncoding" => {}
            "$ref" => {
                let name = rule.as_str().and_then(|rule| rule.strip_prefix("#/$defs/"));
                let definition = &root["$defs"][name.expect("a definition")];
                found.extend(faults(root, definition, value, path));
            }
            "type" => {
                let is = |kind: &Value| match kind.as_str().expect("a type") {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "boolean" => value.is_boolean(),
                    "null" => value.is_null(),
                    "number" => value.is_number(),
                    "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
                    other => panic!("no type {other}"),
                };
                must(
                    rule.as_array()
                        .map_or_else(|| is(rule), |kinds| kinds.iter().any(is)),
                );
            }
            "const" => must(value == rule),
            "enum" => must(rule.as_array().expect("a list").contains(value)),
            "anyOf" => must(rule.as_array().expect("a list").iter().any(accepts)),
            "oneOf" => {
                let fitting = rule
                    .as_array()
                    .expect("a list")
                    .iter()
                    .filter(|one| accepts(one));
                must(fitting.count() == 1);
            }
            "minimum" => must(
                value
                    .as_f64()
                    .is_none_or(|x| x >= rule.as_f64().expect("a number")),
            ),
            "maximum" => must(
                value
                    .as_f64()
                    .is_none_or(|x| x <= rule.as_f64().expect("a number")),
            ),
            "exclusiveMinimum" => must(
                value
                    .as_f64()
                    .is_none_or(|x| x > rule.as_f64().expect("a number")),
            ),
            "exclusiveMaximum" => must(
                value
                    .as_f64()
                    .is_none_or(|x| x < rule.as_f64().expect("a number")),
            ),
            "minItems" => must(
                value
                    .as_array()
                    .is_none_or(|x| x.len() as u64 >= rule.as_u64().expect("a number")),
            ),
            "maxItems" => must(
                value
                    .as_array()
                    .is_none_or(|x| x.len() as u64 <= rule.as_u64().expect("a number")),
            ),
            "minProperties" => {
                must(
                    value
                        .as_object()
                        .is_none_or(|x| x.len() as u64 >= rule.as_u64().expect("a number")),
                );
            }
            "pattern" => must(value.as_str().is_none_or(|text| match rule.as_str() {
                Some("^[A-Za-z0-9_-]+$") => crate::schema::Name::is_name(text),
                Some("^ *[0-9.]+ *(s|m|min|h)$") => ["s", "m", "min", "h"].iter().any(|unit| {
                    let number = text.strip_suffix(unit).unwrap_or_default().trim();
                    !number.is_empty() && number.bytes().all(|byte| b"0123456789.".contains(&byte))
                }),
                Some("^[0-9a-fA-F]{64}$") => {
                    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
                }
                _ => panic!("no pattern {rule}"),
            })),
            "uniqueItems" => must(value.as_array().is_none_or(|list| {
                let mut items = list.iter().enumerate();
                items.all(|(place, item)| !list[..place].contains(item))
            })),
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    found.extend(faults(root, rule, item, &format!("{path}/{index}")));
                }
            }
            "required" => {
                for name in rule.as_array().expect("a list") {
                    let name = name.as_str().expect("a key");
                    if value
                        .as_object()
                        .is_some_and(|object| !object.contains_key(name))
                    {
                        found.push(format!("{path}: lacks {name}"));
                    }
                }
            }
            "properties" => {
                for (name, property) in value.as_object().into_iter().flatten() {
                    if let Some(schema) = rule.get(name) {
                        found.extend(faults(root, schema, property, &format!("{path}/{name}")));
                    }
                }
            }
            "patternProperties" | "additionalProperties" => {
                let named = &schema["properties"];
                let patterns = schema["patternProperties"].as_object();
                for (name, property) in value.as_object().into_iter().flatten() {
                    let by_pattern = patterns.and_then(|patterns| {
                        let mut patterns = patterns.iter();
                        patterns.find_map(|(pattern, schema)| fits(pattern, name).then_some(schema))
                    });
                    let schema = match (keyword.as_str(), by_pattern) {
                        ("patternProperties", Some(schema)) => schema,
                        ("additionalProperties", None) => rule,
                        _ => continue,
                    };
                    if named.get(name).is_none() {
                        found.extend(faults(root, schema, property, &format!("{path}/{name}")));
                    }
                }
            }
            other => panic!("the schema has a keyword that the test does not know: {other}"),
        }
    }
    found
}

fn check(text: &str) -> Vec<String> {
    let tree = yaml::parse(text, 0, &mut Vec::new())
        .expect("the file is YAML")
        .expect("it is not empty");
    let schema = json_schema();
    faults(&schema, &schema, &as_json(&tree), "")
}

fn studies() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut studies = vec![root.join("crates/pipeline/src/commands/init.yaml")];
    let folder = fs::read_dir(root.join("pipelines")).expect("the folder is there");
    studies.extend(
        folder
            .map(|entry| entry.expect("it can be read").path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "yaml")),
    );
    studies
}

#[test]
fn every_study_fits_the_published_schema() {
    for path in studies() {
        let text = fs::read_to_string(&path).expect("a study");
        let faults = check(&text);
        assert!(faults.is_empty(), "{}: {faults:#?}", path.display());
    }
}

#[test]
fn every_key_that_a_study_may_have_fits_the_schema() {
    for text in [
        "extends: base.yaml\n",
        "study: s\nstages:\n  a: null\n  b:\n    like: a\n    execution: { retries: 1, timeout: 90 s }\n    sweep:\n      x: [1, word, true]\n      \
         y: null\n      z: { geometric: { from: 1, ratio: 2, count: 3 } }\n      zip: [{ a: [1], b: { powers_of_two: [1, 2] } }]\n      \
         points: [{ c: 1 }]\n      exclude: [{ x: 1, z: [1, 2] }]\n      when: [{ if: { x: { at_least: 1 } }, then: { z: 1 } }]\n    \
         command:\n      run: [python3, 1]\n      inputs: { a: b }\n      outputs: { c: d/ }\n      environment: { X: 1 }\n",
        "study: s\nstages: { c: { command: { run: echo } } }\n",
    ] {
        assert_eq!(check(text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn what_a_study_must_not_say_does_not_fit_the_schema() {
    let quickstart = fs::read_to_string(&studies()[0]).expect("a study");
    for (old, new) in [
        ("study: first", "studdy: first"),
        ("hidden: [32]", "hidden: 32"),
        ("momentum: 0.9", "momentum: 1"),
        ("by: validation_loss", "by: validation_los"),
        ("sgd: { momentum", "sdg: { momentum"),
        ("x: damping", "x: 1"),
        ("runs: [kfac]", "runs: []"),
        ("ratio: 4", "ratio: 0"),
        ("train: 1280", "train: 12.5"),
        ("like: sgd", "like: a b"),
        ("claims: [", "claims: [nothing, "),
    ] {
        assert!(quickstart.contains(old), "{old} is not in the study");
        let faults = check(&quickstart.replacen(old, new, 1));
        assert!(!faults.is_empty(), "{new} is accepted");
    }
}
