//! The text of a manifest: what it looks like, and that nothing is lost or ambiguous in it.

use std::collections::BTreeMap;

use engine::{Change, Digest, Manifest, manifest};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(object) = value else {
        panic!("{value} is no object")
    };
    object
}

fn train(settings: Value) -> Manifest {
    let inputs = BTreeMap::from([("dataset".to_owned(), Digest::of(b"digits"))]);
    Manifest::new("train", "1", object(settings), inputs)
}

#[test]
fn the_text_of_a_training_run() {
    let manifest = train(json!({
        "batch_size": 16, "learning_rate": 1e-1, "last_batch": "drop",
        "schedule": {"constant": {}},
        "model": {"mlp": {"hidden": [32.0, 1e-5]}},
        "optimizer": {"kfac": {"damping": 1e-3, "momentum": 0.0, "inverse_every": 10, "clip": null}},
        "strange name": "line\nbreak: \"quoted\"",
    }));
    insta::assert_snapshot!(manifest.text(), @r#"
    pipeline manifest 1
    kind: train
    code: 1
    batch_size: 16
    last_batch: "drop"
    learning_rate: 0.1
    model.mlp.hidden: [32,1e-5]
    optimizer.kfac.clip: null
    optimizer.kfac.damping: 0.001
    optimizer.kfac.inverse_every: 10
    optimizer.kfac.momentum: 0
    schedule.constant: {}
    "strange name": "line\nbreak: \"quoted\""
    input dataset: e11c016792a14c65f59a873f01d78fd0966c0389bcde368bbba0d9328915ad60
    "#);
    // Pinned: a key that changes orphans every cache in the world.
    insta::assert_snapshot!(manifest.key(), @"91d00b8cf04e33a7fb62074620f8caab03fe24580b2d08e0f5a38915d5f1b67e");
}

#[test]
fn one_number_has_one_spelling() {
    let key =
        |text: &str| train(json!({"rate": serde_json::from_str::<Value>(text).unwrap()})).key();
    for same in [
        &["0.001", "1e-3", "0.10e-2"][..],
        &["1", "1.0", "10e-1"],
        &["9007199254740992", "9007199254740992.0"],
    ] {
        assert!(
            same.iter().all(|text| key(text) == key(same[0])),
            "{same:?}"
        );
    }
    let different = [
        "0.1",
        "0.1000000000000001",
        "0",
        "-0.0",
        "1e300",
        "18446744073709551615",
        "-1",
        "\"1\"",
        "[1]",
    ];
    let keys: std::collections::BTreeSet<Digest> = different.iter().map(|text| key(text)).collect();
    assert_eq!(keys.len(), different.len());
}

#[test]
fn a_key_is_not_the_digest_of_its_text() {
    let text = train(json!({})).text();
    assert_ne!(manifest::key(&text), Digest::of(text.as_bytes()));
}

#[test]
fn a_difference_names_its_path_and_both_values() {
    let old = train(json!({"optimizer": {"kfac": {"damping": 0.01, "momentum": 0.9}}, "a: b": 1}));
    let new = Manifest::new(
        "train",
        "2",
        object(json!({"optimizer": {"kfac": {"damping": 0.001}}, "a: b": 1, "c": 2})),
        BTreeMap::new(),
    );
    let change = |path: &str, old: Option<&str>, new: Option<&str>| Change {
        path: path.to_owned(),
        old: old.map(str::to_owned),
        new: new.map(str::to_owned),
    };
    let digest = Digest::of(b"digits").to_string();
    let expected = [
        change("c", None, Some("2")),
        change("code", Some("1"), Some("2")),
        change("input dataset", Some(&digest), None),
        change("optimizer.kfac.damping", Some("0.01"), Some("0.001")),
        change("optimizer.kfac.momentum", Some("0.9"), None),
    ];
    assert_eq!(manifest::diff(&old.text(), &new.text()), expected);
    assert!(manifest::diff(&old.text(), &old.text()).is_empty());
    let future = old.text().replace("manifest 1", "manifest 2");
    assert_eq!(
        manifest::diff(&old.text(), &future),
        [change("pipeline manifest", Some("1"), Some("2"))]
    );
}

#[test]
fn every_other_spelling_is_refused_with_its_line() {
    let text = train(json!({"a": 1, "b": {"c": 2}})).text();
    for (from, to, line) in [
        ("manifest 1", "manifest 2", 1),
        ("kind: train", "kind:train", 2),
        ("code: 1", "code: two words", 3),
        ("a: 1", "a: 1.0", 4),
        ("a: 1", "a: ", 4),
        ("a: 1", "\"a\": 1", 4),
        ("a: 1\nb.c: 2", "b.c: 2\na: 1", 4),
        ("b.c: 2", "b: {\"c\":2}", 5),
        ("b.c: 2", "a.c: 2", 5),
        ("b.c: 2", "no colon", 5),
        ("input dataset: ", "input dataset: 0", 6),
        ("input dataset: ", "input two words: ", 6),
    ] {
        let wrong = text.replace(from, to);
        assert_ne!(wrong, text);
        let error = Manifest::parse(&wrong).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("line {line} of the manifest: ")),
            "{to:?}: {error}"
        );
    }
    assert!(
        Manifest::parse(text.trim_end()).is_err(),
        "the last line ends too"
    );
    assert!(Manifest::parse(&format!("{text}\n")).is_err());
    assert!(Manifest::parse("").is_err());
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("JSON has finite numbers", |double| {
            serde_json::Number::from_f64(double).map(Value::from)
        }),
        (-1000..1000_i32).prop_map(|number| Value::from(f64::from(number))),
        name().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z_]{1,4}",
        "[a.:\" \\\\\n\r=/,{}\u{85}\u{2028}é-]{0,5}",
        Just("input x".to_owned()),
        Just("kind".to_owned())
    ]
}

/// Integral doubles as integers: the one thing that a manifest does not keep.
fn same_number(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || (a.is_f64() && a.as_f64().map(f64::to_bits) == b.as_f64().map(f64::to_bits))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_number(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, a)| b.get(name).is_some_and(|b| same_number(a, b)))
        }
        (a, b) => a == b,
    }
}

fn any_manifest() -> impl Strategy<Value = (Map<String, Value>, Manifest)> {
    let settings = prop::collection::btree_map(name(), value(), 0..6);
    let inputs = prop::collection::btree_map(
        name(),
        any::<u64>().prop_map(|seed| Digest::of(&seed.to_le_bytes())),
        0..4,
    );
    (name(), name(), settings, inputs).prop_map(|(kind, code, settings, inputs)| {
        let settings: Map<String, Value> = settings.into_iter().collect();
        (
            settings.clone(),
            Manifest::new(&kind, &code, settings, inputs),
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_manifest_reads_back_from_its_text((settings, manifest) in any_manifest()) {
        let text = manifest.text();
        let parsed = Manifest::parse(&text).unwrap();
        prop_assert_eq!(&parsed, &manifest);
        prop_assert_eq!(parsed.text(), text);
        prop_assert!(same_number(&Value::Object(settings), &Value::Object(parsed.settings().clone())));
    }

    #[test]
    fn different_manifests_have_different_texts((_, a) in any_manifest(), (_, b) in any_manifest()) {
        prop_assert_eq!(a == b, a.text() == b.text());
    }
}
