//! `like: OTHER`: a stage that is another one but for what it says itself.
//!
//! The trees are merged before anything is decoded, and every part keeps its place in the file, so that a
//! mistake is shown where it was written. What is merged key by key and what is replaced as a whole is part
//! of the file format: see `like` in [`crate::schema::Stage`].

use std::collections::BTreeMap;

use runs::settings::Optimizer;

use crate::diagnostic::{Draft, Mistake, Span, did_you_mean};
use crate::yaml::{Entry, Node, Value};

/// A stage as written, and after merging.
pub(crate) struct Written {
    pub(crate) key_span: Span,
    pub(crate) node: Node,
}

/// Merges every stage with what it is like; `None` where that is impossible.
pub(crate) fn resolve(
    entries: &[Entry],
    mistakes: &mut Vec<Draft>,
) -> BTreeMap<String, Option<Written>> {
    let names: BTreeMap<&str, &Entry> = entries
        .iter()
        .map(|entry| (entry.key.as_str(), entry))
        .collect();
    let mut merged = BTreeMap::new();
    for entry in entries {
        let node = merge_chain(entry, &names, &mut Vec::new(), mistakes);
        merged.insert(
            entry.key.clone(),
            node.map(|node| Written {
                key_span: entry.key_span,
                node,
            }),
        );
    }
    merged
}

fn merge_chain<'a>(
    entry: &'a Entry,
    names: &BTreeMap<&str, &'a Entry>,
    above: &mut Vec<&'a str>,
    mistakes: &mut Vec<Draft>,
) -> Option<Node> {
    let Some(like) = entry.node.get("like") else {
        return Some(entry.node.clone());
    };
    // Anything but a name is found when the stage is decoded.
    let Some(name) = like.text() else {
        return Some(entry.node.clone());
    };
    above.push(&entry.key);
    if let Some(at) = above.iter().position(|stage| *stage == name) {
        // Met from each of its stages; told once.
        let circle = &above[at..];
        if circle.iter().all(|stage| name <= *stage) {
            mistakes.push(
                Draft::error(
                    Mistake::LikeCircle,
                    format!(
                        "stages are `like` each other in a circle: {} -> {name}",
                        circle.join(" -> ")
                    ),
                )
                .at(like.span, "closes the circle")
                .help("one of them must be complete without `like`"),
            );
        }
        return None;
    }
    let Some(other) = names.get(name) else {
        mistakes.push(
            Draft::error(Mistake::NoSuchStage, format!("no such stage `{name}`"))
                .at(like.span, "named by `like`")
                .help(did_you_mean(
                    name,
                    names.keys().copied().filter(|known| *known != entry.key),
                )),
        );
        return None;
    };
    let mut node = merge_chain(other, names, above, mistakes)?;
    merge(&mut node, &entry.node, &[]);
    node.span = entry.node.span;
    Some(node)
}

/// Puts `own` on top of `node`, both at `path` in their stages.
pub(crate) fn merge(node: &mut Node, own: &Node, path: &[&str]) {
    let (Value::Mapping(entries), Value::Mapping(more)) = (&mut node.value, &own.value) else {
        *node = own.clone();
        return;
    };
    if !key_by_key(path, entries, more) {
        *node = own.clone();
        return;
    }
    for entry in more {
        let at = entries.iter().position(|old| old.key == entry.key);
        match (at, &entry.node.value) {
            (Some(at), Value::Null) => {
                entries.remove(at);
            }
            (Some(at), _) => {
                let path: Vec<&str> = path.iter().copied().chain([entry.key.as_str()]).collect();
                merge(&mut entries[at].node, &entry.node, &path);
                entries[at].key_span = entry.key_span;
            }
            (None, Value::Null) => {}
            (None, _) => entries.push(entry.clone()),
        }
    }
    node.span = own.span;
}

/// Whether mappings at `path` are merged key by key.
pub(crate) fn key_by_key(path: &[&str], entries: &[Entry], more: &[Entry]) -> bool {
    match path {
        // The stage, its kind, its sweep.
        []
        | [_]
        | ["train", "evaluation" | "augment"]
        | ["command", "inputs" | "outputs" | "environment" | "settings"] => true,
        ["train", "optimizer", method] => Optimizer::METHODS.contains(method),
        ["train", "optimizer"] => more
            .iter()
            .all(|entry| entries.iter().any(|old| old.key == entry.key)),
        _ => false,
    }
}
