//! `include: {NAME: OTHER.yaml}`: the stages of other studies, each under its name with `NAME-` before it.
//!
//! Names are no part of a key, so a run is the same run in the study that is included and in the one that includes it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::diagnostic::Draft;
use crate::extend;
use crate::program;
use crate::sources::Sources;
use crate::yaml::{Entry, Node, Value};

/// Puts the stages that a study includes under its own.
///
/// `read` are the files that are being read, to find a circle.
///
/// # Errors
/// Where nothing can be said about the rest.
pub(crate) fn include(
    tree: &mut Node,
    sources: &mut Sources,
    read: &[PathBuf],
    mistakes: &mut Vec<Draft>,
) -> Result<(), Draft> {
    let Some(Entry { node, .. }) = tree.entry("include").cloned() else {
        return Ok(());
    };
    let mut included = Vec::new();
    for entry in node.entries() {
        // Anything but text is found when the file is decoded.
        let Some(path) = entry.node.text() else {
            continue;
        };
        let path = sources.of(entry.node.span).folder.join(path);
        let (name, text, read) = extend::read(&path, &entry.node, read)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let other = extend::tree_of(&name, &text, folder, read, sources, mistakes)?;
        let stages = other.get("stages").map_or(&[][..], Node::entries);
        let names: BTreeSet<&str> = stages.iter().map(|stage| stage.key.as_str()).collect();
        let renaming = Renaming {
            before: &entry.key,
            names: &names,
        };
        for stage in stages {
            let mut stage = stage.clone();
            renaming.stage(&mut stage.node);
            stage.key = renaming.renamed(&stage.key);
            included.push(stage);
        }
    }
    let mut stages = Node {
        span: node.span,
        value: Value::Mapping(included),
    };
    let own = tree
        .entry("stages")
        .map(|entry| (entry.key_span, entry.node.clone()));
    let key_span = own.as_ref().map_or(node.span, |(key_span, _)| *key_span);
    if let Some((_, own)) = &own {
        extend::stages(&mut stages, own);
    }
    *tree.value_at("stages", key_span) = stages;
    Ok(())
}

/// What becomes of the names of an included study's stages.
struct Renaming<'a> {
    before: &'a str,
    names: &'a BTreeSet<&'a str>,
}

impl Renaming<'_> {
    fn renamed(&self, name: &str) -> String {
        format!("{}-{name}", self.before)
    }

    /// Renames the stages that a stage refers to.
    fn stage(&self, stage: &mut Node) {
        let Value::Mapping(entries) = &mut stage.value else {
            return;
        };
        for entry in entries {
            if entry.key == "like" {
                self.name(&mut entry.node);
                continue;
            }
            let Value::Mapping(settings) = &mut entry.node.value else {
                continue;
            };
            for setting in settings {
                match (entry.key.as_str(), setting.key.as_str()) {
                    ("train", "dataset" | "configuration") => self.name(&mut setting.node),
                    ("select" | "steps_to_target" | "heatmap" | "report", "runs")
                    | ("report", "include") => {
                        if let Value::Sequence(names) = &mut setting.node.value {
                            for name in names {
                                self.name(name);
                            }
                        }
                    }
                    ("command", "inputs") => {
                        if let Value::Mapping(inputs) = &mut setting.node.value {
                            for input in inputs {
                                self.input(&mut input.node);
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    fn name(&self, node: &mut Node) {
        if let Value::Text(name) = &mut node.value
            && self.names.contains(name.as_str())
        {
            *name = self.renamed(name);
        }
    }

    /// `STAGE`, `STAGE.OUTPUT`, or a file.
    fn input(&self, node: &mut Node) {
        if let Value::Text(text) = &mut node.value
            && let Some((stage, _)) = program::reference(text, |name| self.names.contains(name))
            && self.names.contains(stage)
        {
            *text = self.renamed(text);
        }
    }
}
