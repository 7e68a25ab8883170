//! The description of the study file for editors and readers.

mod catalogue;

use std::collections::BTreeSet;

use serde_json::Value;

/// Every key of every object in the schema.
fn keys(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get("properties") {
                found.extend(properties.keys().cloned());
            }
            object.values().for_each(|value| keys(value, found));
        }
        _ => {}
    }
}

#[test]
fn a_page_names_every_key_and_its_links_lead_somewhere() {
    let study = [
        "damping",
        "adjusted_from_batch",
        "powers_of_two",
        "configuration",
        "not_before",
    ];
    names_every_key(&study::reference_markdown(), &study::json_schema(), &study);
    let site = ["jobs", "gpus", "path"];
    names_every_key(
        &study::site_reference_markdown(),
        &study::site_json_schema(),
        &site,
    );
}

fn names_every_key(page: &str, schema: &Value, some: &[&str]) {
    let mut all = BTreeSet::new();
    keys(schema, &mut all);
    for &key in some {
        assert!(all.contains(key), "{key} is not in the schema");
    }
    for key in &all {
        let named = [
            format!("| `{key}` |"),
            format!("| `{key}:` "),
            format!("| `{key}` |"),
        ];
        assert!(
            named.iter().any(|row| page.contains(row)),
            "{key} is not on the page"
        );
    }
    let anchors: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(str::to_lowercase)
        .collect();
    for link in page.split("](#").skip(1) {
        let anchor = link.split(')').next().unwrap();
        assert!(anchors.contains(anchor), "#{anchor} leads nowhere");
    }
    assert!(!page.contains("  |  |"), "a row says nothing");
}

#[test]
fn every_key_has_a_meaning_in_the_schema() {
    fn check(schema: &Value, path: &str) {
        match schema {
            Value::Array(items) => items.iter().for_each(|item| check(item, path)),
            Value::Object(object) => {
                if let Some(Value::Object(properties)) = object.get("properties") {
                    let alone = object.get("description").is_some() && properties.len() == 1;
                    for (key, property) in properties {
                        assert!(
                            alone || property.get("description").is_some(),
                            "{path}.{key} has no description"
                        );
                    }
                }
                object
                    .iter()
                    .for_each(|(key, value)| check(value, &format!("{path}.{key}")));
            }
            _ => {}
        }
    }
    check(&study::json_schema(), "");
    check(&study::site_json_schema(), "");
}

#[test]
fn a_stage_like_another_need_not_repeat_what_is_required() {
    let schema = study::json_schema();
    for kind in [
        "Dataset",
        "Train",
        "Select",
        "StepsToTarget",
        "Heatmap",
        "Report",
    ] {
        let definition = &schema["$defs"][kind];
        assert!(definition.is_object(), "{kind} is not in the schema");
        assert!(
            definition.get("required").is_none(),
            "{kind} requires {:?}",
            definition["required"]
        );
        assert_eq!(
            definition["additionalProperties"],
            Value::Bool(false),
            "{kind} takes any key"
        );
    }
    assert_eq!(
        schema["$defs"]["Geometric"]["required"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
}

#[test]
fn what_has_only_defaults_may_be_a_bare_word() {
    let schema = study::json_schema();
    let words = |definition: &str| -> Vec<String> {
        let choices = schema["$defs"][definition]["oneOf"].as_array().unwrap();
        choices
            .iter()
            .filter_map(|choice| choice["const"].as_str().map(str::to_owned))
            .collect()
    };
    assert_eq!(words("Schedule"), ["constant", "cosine"]);
    assert_eq!(
        words("Optimizer"),
        ["sgd", "kfac", "adamw", "lamb", "lion", "muon"]
    );
    assert_eq!(words("Claim").len(), 7);
}

#[test]
fn the_committed_pages_are_those_that_the_schemas_give() {
    for (name, page) in [
        ("study-file.md", study::reference_markdown()),
        ("site-file.md", study::site_reference_markdown()),
        (
            "errors.md",
            study::mistakes_markdown() + &catalogue::markdown(),
        ),
    ] {
        let path = format!("{}/../../doc/{name}", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("PIPELINE_BLESS").is_some() {
            std::fs::write(&path, &page).expect("the page can be written");
        }
        let committed = std::fs::read_to_string(&path).expect("the page is there");
        assert!(
            committed == page,
            "doc/{name} is out of date: PIPELINE_BLESS=1 cargo test --release -p study --test reference writes it"
        );
    }
}
