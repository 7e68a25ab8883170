//! Settings as flat maps: which of them differ among runs, and which runs share a configuration.
//!
//! A *configuration* is the settings of a train stage without its seed.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::Run;

/// Settings by dotted path. An empty object is a value of its own.
pub type Flat = BTreeMap<String, Value>;

/// Settings as dotted paths.
pub fn flatten(settings: &Value) -> Flat {
    fn descend(path: &str, value: &Value, into: &mut Flat) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                for (key, value) in map {
                    let path = if path.is_empty() {
                        key.clone()
                    } else {
                        format!("{path}.{key}")
                    };
                    descend(&path, value, into);
                }
            }
            leaf => {
                into.insert(path.into(), leaf.clone());
            }
        }
    }
    let mut flat = Flat::new();
    descend("", settings, &mut flat);
    flat
}

/// Settings without the seed, as a JSON object.
pub(crate) fn without_seed(settings: &Value) -> Value {
    let mut settings = settings.clone();
    if let Some(map) = settings.as_object_mut() {
        map.remove("seed");
    }
    settings
}

/// A text that two runs share exactly if they share their configuration.
pub(crate) fn configuration_key(run: &Run) -> String {
    Value::from_iter(flatten(&without_seed(&run.settings.all))).to_string()
}

/// The paths whose values, or presence, differ among some settings.
pub(crate) fn differing<'a>(all: impl IntoIterator<Item = &'a Flat>) -> BTreeSet<String> {
    let all: Vec<&Flat> = all.into_iter().collect();
    let paths: BTreeSet<&String> = all.iter().flat_map(|flat| flat.keys()).collect();
    paths
        .into_iter()
        .filter(|&path| all.iter().any(|flat| flat.get(path) != all[0].get(path)))
        .cloned()
        .collect()
}

/// The plain name of a path: `damping` for `optimizer.kfac.damping`, others as they are.
pub fn plain_name(path: &str) -> &str {
    path.strip_prefix("optimizer.")
        .and_then(|rest| rest.split_once('.'))
        .map_or(path, |(_, name)| name)
}

/// By plain name, the values of the settings that differ among runs of the same method, but for those
/// in `except`. `Value::Null` stands for a setting that is left to its default.
pub fn swept_parameters(runs: &[&Run], except: &[&str]) -> Vec<BTreeMap<String, Value>> {
    let flats: Vec<Flat> = runs.iter().map(|run| flatten(&run.settings.all)).collect();
    let mut paths: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for run in runs {
        paths.entry(run.method()).or_insert_with(|| {
            differing(
                flats
                    .iter()
                    .zip(runs)
                    .filter(|(_, other)| other.method() == run.method())
                    .map(|pair| pair.0),
            )
        });
    }
    flats
        .iter()
        .zip(runs)
        .map(|(flat, run)| {
            paths[run.method()]
                .iter()
                .filter(|path| !except.contains(&plain_name(path)))
                .map(|path| {
                    (
                        plain_name(path).to_owned(),
                        flat.get(path).cloned().unwrap_or(Value::Null),
                    )
                })
                .collect()
        })
        .collect()
}

/// The order that breaks ties: the smaller learning rate, then the smaller value of each other
/// setting in the order of their names; text after numbers.
pub(crate) fn compare_parameters(
    a: &BTreeMap<String, Value>,
    b: &BTreeMap<String, Value>,
) -> Ordering {
    let compare = |name: &str| {
        let (a, b) = (
            a.get(name).unwrap_or(&Value::Null),
            b.get(name).unwrap_or(&Value::Null),
        );
        match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => a.to_string().cmp(&b.to_string()),
        }
    };
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    names
        .into_iter()
        .fold(compare("learning_rate"), |order, name| {
            order.then_with(|| compare(name))
        })
}

/// A text that two runs share if they share their settings but for the seed and whatever says how long
/// a run trains and where it is evaluated.
pub(crate) fn essential_key(settings: &Value) -> String {
    let parts: BTreeMap<String, String> = flatten(settings)
        .into_iter()
        .filter(|(path, _)| {
            let head = path.split('.').next().unwrap_or(path);
            !matches!(head, "seed" | "budget" | "schedule" | "evaluation" | "stop")
        })
        // 1 and 1.0 are the same number.
        .map(|(path, value)| {
            let value = value
                .as_f64()
                .map_or_else(|| value.to_string(), |x| format!("{x}"));
            (path, value)
        })
        .collect();
    format!("{parts:?}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_flatten_to_dotted_paths() {
        let flat = flatten(&json!({"a": {"b": {"c": 1}, "d": {}}, "e": [1, 2]}));
        let paths: Vec<_> = flat.keys().map(String::as_str).collect();
        assert_eq!(paths, ["a.b.c", "a.d", "e"]);
        assert_eq!(plain_name("optimizer.kfac.damping"), "damping");
        assert_eq!(plain_name("budget.epochs"), "budget.epochs");
    }

    #[test]
    fn ties_go_to_the_smaller_learning_rate_before_anything_else() {
        let parameters = |rate: f64, damping: f64| {
            BTreeMap::from([
                ("damping".to_owned(), json!(damping)),
                ("learning_rate".to_owned(), json!(rate)),
            ])
        };
        assert_eq!(
            compare_parameters(&parameters(0.1, 1.0), &parameters(0.2, 0.1)),
            Ordering::Less
        );
        assert_eq!(
            compare_parameters(&parameters(0.1, 1.0), &parameters(0.1, 0.1)),
            Ordering::Greater
        );
    }
}
