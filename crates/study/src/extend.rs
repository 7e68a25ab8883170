//! `extends: OTHER.yaml` and `include: {NAME: OTHER.yaml}`: the tree of a study from several texts.
//!
//! As with `like`, trees are merged before anything is decoded, and every part keeps its place.

use std::fs;
use std::path::{Path, PathBuf};

use crate::diagnostic::{Draft, Mistake};
use crate::include;
use crate::like;
use crate::sources::Sources;
use crate::yaml::{self, Node, Value};

/// Files that may name each other: a study needs two or three.
const LONGEST: usize = 20;

/// Reads a study's tree with what it extends and includes.
///
/// # Errors
/// Where nothing can be said about the rest.
pub(crate) fn tree(
    name: &str,
    text: &str,
    folder: &Path,
    sources: &mut Sources,
    mistakes: &mut Vec<Draft>,
) -> Result<Node, Draft> {
    let read = fs::canonicalize(name).into_iter().collect();
    tree_of(name, text, folder, read, sources, mistakes)
}

/// As [`tree`], of a study that others are being read for.
///
/// # Errors
/// Where nothing can be said about the rest.
pub(crate) fn tree_of(
    name: &str,
    text: &str,
    folder: &Path,
    mut read: Vec<PathBuf>,
    sources: &mut Sources,
    mistakes: &mut Vec<Draft>,
) -> Result<Node, Draft> {
    let start = sources.add(name, text, folder);
    let mut chain = vec![document(text, start, mistakes)?];
    let mut folder = folder.to_owned();
    while let Some(extends) = chain[chain.len() - 1].get("extends") {
        // Anything but text is found when the file is decoded.
        let Some(path) = extends.text() else { break };
        let path = folder.join(path);
        let (shown, text, longer) = self::read(&path, extends, &read)?;
        read = longer;
        path.parent()
            .unwrap_or(Path::new(""))
            .clone_into(&mut folder);
        let start = sources.add(&shown, &text, &folder);
        chain.push(document(&text, start, mistakes)?);
    }
    let mut chain = chain.into_iter().rev();
    let mut tree = chain.next().expect("the study itself is read first");
    for own in chain {
        extend(&mut tree, &own);
    }
    include::include(&mut tree, sources, &read, mistakes)?;
    Ok(tree)
}

/// Reads a file that another names at `node`: its name for messages, its text, and `read` with it.
///
/// # Errors
/// If it cannot be read, or is being read already.
pub(crate) fn read(
    path: &Path,
    node: &Node,
    read: &[PathBuf],
) -> Result<(String, String, Vec<PathBuf>), Draft> {
    let shown = path.display().to_string();
    let fail = |message: String, help: &str| {
        Err(Draft::error(Mistake::CannotExtend, message)
            .at(node.span, "named here")
            .help(help.to_owned()))
    };
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            return fail(
                format!("cannot read {shown}: {error}"),
                "the path is relative to the folder of the file that names it",
            );
        }
    };
    let mut longer = read.to_vec();
    if let Ok(path) = fs::canonicalize(path) {
        if read.contains(&path) || read.len() > LONGEST {
            return fail(
                format!("{shown} reads itself"),
                "one of the files must be complete without the others",
            );
        }
        longer.push(path);
    }
    Ok((shown, text, longer))
}

fn document(text: &str, start: usize, mistakes: &mut Vec<Draft>) -> Result<Node, Draft> {
    let mut tree = yaml::parse(text, start, mistakes)?.ok_or_else(|| {
        Draft::error(Mistake::EmptyFile, "the file is empty")
            .help("start with `study: NAME` and `stages:`")
    })?;
    // A home for anchors: their aliases are expanded by now.
    if let Value::Mapping(entries) = &mut tree.value {
        entries.retain(|entry| !entry.key.starts_with("x-"));
    }
    Ok(tree)
}

/// Puts `own` on top of a study.
fn extend(tree: &mut Node, own: &Node) {
    let (Value::Mapping(entries), Value::Mapping(more)) = (&mut tree.value, &own.value) else {
        *tree = own.clone();
        return;
    };
    entries.retain(|entry| entry.key != "extends");
    for entry in more {
        let old = entries.iter_mut().find(|old| old.key == entry.key);
        match old {
            Some(old) if entry.key == "stages" => {
                stages(&mut old.node, &entry.node);
                old.key_span = entry.key_span;
            }
            Some(old) => *old = entry.clone(),
            None => entries.push(entry.clone()),
        }
    }
    tree.span = own.span;
}

/// Stage by stage, each as `like` merges.
pub(crate) fn stages(tree: &mut Node, own: &Node) {
    let (Value::Mapping(entries), Value::Mapping(more)) = (&mut tree.value, &own.value) else {
        *tree = own.clone();
        return;
    };
    for entry in more {
        let at = entries.iter().position(|old| old.key == entry.key);
        match (at, &entry.node.value) {
            (Some(at), Value::Null) => {
                entries.remove(at);
            }
            (Some(at), _) => {
                like::merge(&mut entries[at].node, &entry.node, &[]);
                entries[at].key_span = entry.key_span;
            }
            // A stage that is taken away must be there, unlike a key: `null` is told as a mistake then.
            (None, _) => entries.push(entry.clone()),
        }
    }
    tree.span = own.span;
}
