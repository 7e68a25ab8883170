//! Where a command's inputs and outputs lie in its working folder.

use crate::diagnostic::{Draft, Span};
use crate::like::Written;
use crate::schema::{Command, Name};
use crate::sweep::items;
use crate::yaml::{Node, Value};

/// Paths in the working folder stay in it and do not meet.
pub(crate) fn check_paths(command: &Command, written: &Written, mistakes: &mut Vec<Draft>) {
    let Some(node) = written.node.get("command") else {
        return;
    };
    for entry in node.get("inputs").map_or(&[][..], Node::entries) {
        if !is_file_name(&entry.key) {
            mistakes.push(
                Draft::error(format!("`{}` is no name for an input", entry.key))
                    .at(entry.key_span, "its name in the working folder")
                    .help("use letters, digits, `.`, `-` and `_`, not beginning with `.`"),
            );
        }
    }
    let mut taken: Vec<(&str, Span)> = node
        .get("inputs")
        .map_or(&[][..], Node::entries)
        .iter()
        .map(|entry| (entry.key.as_str(), entry.key_span))
        .collect();
    let outputs = node.get("outputs").map_or(&[][..], Node::entries);
    for entry in outputs {
        if Name::is_name(&entry.key) && !(entry.key == "curve" && command.curves.is_some()) {
            continue;
        }
        mistakes.push(
            Draft::error(format!("`{}` is no name for an output", entry.key))
                .at(entry.key_span, "here")
                .help(if entry.key == "curve" {
                    "`curve` is what `curves` becomes; choose another name"
                } else {
                    "use letters, digits, `-` and `_`"
                }),
        );
    }
    let discarded = items(node, "discard");
    let is_discarded = |path: &str| {
        let folders = discarded.iter().filter_map(|node| node.text());
        folders
            .filter(|folder| folder.ends_with('/'))
            .any(|folder| path.starts_with(folder))
    };
    let paths = outputs
        .iter()
        .map(|entry| &entry.node)
        .chain(curve_paths(node))
        .chain(discarded);
    for path in paths {
        let Some(text) = path.text() else { continue };
        let parts: Vec<&str> = text.trim_end_matches('/').split('/').collect();
        if text.trim_end_matches('/').is_empty()
            || text.contains(['\0', '\\', '\n'])
            || parts.iter().any(|part| matches!(*part, "" | "." | ".."))
        {
            mistakes.push(
                Draft::error(format!("`{text}` is no path in the working folder"))
                    .at(path.span, "here")
                    .help("give it relative to that folder, without `.` and `..`"),
            );
            continue;
        }
        let meets = |other: &str| {
            let (a, b) = (text.trim_end_matches('/'), other.trim_end_matches('/'));
            a == b || a.starts_with(&format!("{b}/")) || b.starts_with(&format!("{a}/"))
        };
        // What is read of a folder that is thrown away is read before.
        let in_the_way = taken.iter().find(|(other, _)| {
            meets(other) && !(is_discarded(text) || text.ends_with('/') && is_discarded(other))
        });
        if let Some((other, span)) = in_the_way {
            mistakes.push(
                Draft::error(format!("`{text}` and `{other}` are in each other's way"))
                    .at(path.span, "here")
                    .also(*span, "and here")
                    .help("inputs and outputs are different files; none lies in another"),
            );
        }
        taken.push((text, path.span));
    }
}

/// Where the paths of the files with curves stand.
pub(super) fn curve_paths(command: &Node) -> Vec<&Node> {
    let curves = command.get("curves");
    let files = match curves.map(|curves| &curves.value) {
        Some(Value::Sequence(files)) => files.as_slice(),
        _ => curves.map_or(&[][..], std::slice::from_ref),
    };
    let path = |file| match Node::text(file) {
        Some(_) => Some(file),
        None => file.get("path"),
    };
    files.iter().filter_map(path).collect()
}

fn is_file_name(name: &str) -> bool {
    !name.starts_with('.')
        && !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}
