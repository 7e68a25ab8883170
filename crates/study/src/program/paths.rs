//! Where a command's inputs and outputs lie in its working folder.

use crate::diagnostic::{Draft, Mistake, Span};
use crate::schema::{Command, Name};

/// Paths in the working folder stay in it and do not meet.
pub(crate) fn check_paths(command: &Command, mistakes: &mut Vec<Draft>) {
    for (name, input) in &command.inputs {
        if !is_file_name(name) {
            mistakes.push(
                Draft::error(
                    Mistake::BadFileName,
                    format!("`{name}` cannot be the name of an input"),
                )
                .at(input.key, "its name in the working folder")
                .help("use letters, digits, `.`, `-` and `_`, not beginning with `.`"),
            );
        }
    }
    let inputs = command.inputs.iter();
    let mut taken: Vec<(&str, Span)> = inputs
        .map(|(name, input)| (name.as_str(), input.key))
        .collect();
    for (name, path) in &command.outputs {
        if Name::is_name(name) && !(name == "curve" && command.curves.is_some()) {
            continue;
        }
        mistakes.push(
            Draft::error(
                Mistake::BadFileName,
                format!("`{name}` cannot be the name of an output"),
            )
            .at(path.key, "here")
            .help(if name == "curve" {
                "`curve` is the output that `curves` gives; choose another name"
            } else {
                "use letters, digits, `-` and `_`"
            }),
        );
    }
    let is_discarded = |path: &str| {
        let mut folders = command
            .discard
            .iter()
            .filter(|folder| folder.ends_with('/'));
        folders.any(|folder| path.starts_with(folder.as_str()))
    };
    // In the order of the file: the later of two is in the way.
    let declared = command.outputs.values().chain(&command.discard);
    let declared = declared.map(|path| (path.as_str(), path.span));
    let curves = command.curve_files();
    let curves = curves.map(|(file, span)| (file.path.as_str(), span));
    let mut paths: Vec<(&str, Span)> = declared.chain(curves).collect();
    paths.sort_by_key(|(_, span)| *span);
    for (text, span) in paths {
        let parts: Vec<&str> = text.trim_end_matches('/').split('/').collect();
        if text.trim_end_matches('/').is_empty()
            || text.contains(['\0', '\\', '\n'])
            || parts.iter().any(|part| matches!(*part, "" | "." | ".."))
        {
            mistakes.push(
                Draft::error(
                    Mistake::PathLeavesFolder,
                    format!("`{text}` is not a path in the working folder"),
                )
                .at(span, "here")
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
        if let Some((other, place)) = in_the_way {
            mistakes.push(
                Draft::error(
                    Mistake::PathsMeet,
                    format!("`{text}` and `{other}` overlap"),
                )
                .at(span, "here")
                .also(*place, "and here")
                .help("each input and output is a file or folder of its own, and none lies in another"),
            );
        }
        taken.push((text, span));
    }
}

fn is_file_name(name: &str) -> bool {
    !name.starts_with('.')
        && !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}
