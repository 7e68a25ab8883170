//! Studies: one YAML file that says what to train, what to measure and what to report.
//!
//! [`Study::load`] reads and checks a file; every mistake in it is reported at once, each with its place and a
//! hint ([`Diagnostics`]). [`Study::expand`] makes the [`engine::Graph`] of its stages: one for each run, and
//! those that read them. [`json_schema`] and [`reference_markdown`] describe the file, from the same types
//! that read it. Where and how a study runs is in a file of its own, the [`Site`].
//!
//! Not here: running anything, printing anything, and what a setting does to a training run.

#[macro_use]
mod inline_schema;

mod check;
mod decode;
mod diagnostic;
mod expand;
mod extend;
mod grid;
mod include;
mod like;
mod program;
mod reference;
mod schema;
mod set;
mod settings;
mod site;
mod size;
mod source;
mod sources;
mod sweep;
mod training;
mod yaml;

use std::path::Path;

use serde::de::IgnoredAny;

pub use diagnostic::{Diagnostic, Diagnostics, Severity, mistakes_markdown};
pub use program::is_secret;
pub use reference::{json_schema, reference_markdown, site_json_schema, site_reference_markdown};
pub use site::{Device, JobsPerGpu, Memory, Site, Slurm};
pub use size::Size;

use check::Checked;
use diagnostic::{Draft, Mistake, Span};
use sources::Sources;
use yaml::Node;

/// A study that can be run.
pub struct Study {
    name: String,
    sources: Sources,
    checked: Checked,
    warnings: Vec<Diagnostic>,
}

/// How many stages of the graph a stage of the study comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageSummary {
    /// Its name in the study.
    pub name: String,
    /// Its kind, as the study writes it: `train`.
    pub kind: &'static str,
    /// Stages of the graph: runs, or 1, and one for each file to download.
    pub stages: u64,
    /// Whether those are training runs, by whatever program.
    pub is_training: bool,
    /// Training: updates of all runs together if none ends early; none where that is not known.
    pub steps: Option<u64>,
}

impl Study {
    /// Reads and checks a study file. Files that it names are relative to its folder.
    ///
    /// # Errors
    ///
    /// Every mistake found, if there is one; that the file cannot be read is one.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Diagnostics> {
        Self::load_with(path, &[])
    }

    /// As [`load`](Self::load), with some values set anew: each is `PATH=VALUE`, the path from a stage's name
    /// on (`kfac.train.budget.epochs=5`), the value a plain scalar, a quoted text, or a list or mapping in YAML's flow
    /// style; `null` takes a key away.
    ///
    /// # Errors
    ///
    /// Every mistake found, if there is one; that the file cannot be read is one.
    pub fn load_with(path: impl AsRef<Path>, set: &[String]) -> Result<Self, Diagnostics> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let text = sources::read(path).map_err(|error| {
            let mut sources = Sources::default();
            sources.add(&name, "", Path::new(""));
            let draft = Draft::error(Mistake::CannotRead, format!("cannot read {name}: {error}"));
            Diagnostics::new(&name, &sources, vec![draft])
        })?;
        Self::read(&name, &text, path.parent().unwrap_or(Path::new("")), set)
    }

    /// Checks the text of a study; `name` is what diagnostics call it. Files that it names are relative to
    /// the current folder.
    ///
    /// # Errors
    ///
    /// Every mistake found, if there is one.
    pub fn parse(name: &str, text: &str) -> Result<Self, Diagnostics> {
        Self::read(name, text, Path::new(""), &[])
    }

    fn read(name: &str, text: &str, folder: &Path, set: &[String]) -> Result<Self, Diagnostics> {
        let mut drafts = Vec::new();
        let mut sources = Sources::default();
        let mut root = match extend::tree(name, text, folder, &mut sources, &mut drafts) {
            Ok(root) => root,
            Err(draft) => {
                drafts.push(draft);
                return Err(Diagnostics::new(name, &sources, drafts));
            }
        };
        let read = drafts.len();
        let mut versions = vec![(root.clone(), root.span)];
        for assignment in set {
            let span = set::set(&mut root, assignment, folder, &mut sources, &mut drafts);
            versions.push((root.clone(), span));
        }
        mask_secrets(&root, &mut sources);
        let (file, checked) = examine(&root, &sources, &mut drafts);
        blame_set(&versions, &sources, &mut drafts[read..]);
        if drafts.iter().any(Draft::is_error) {
            return Err(Diagnostics::new(name, &sources, drafts));
        }
        let file = file.expect("a file that is not decoded has a mistake");
        Ok(Self {
            name: file.study.to_string(),
            checked,
            warnings: diagnostic::finish(&sources, drafts),
            sources,
        })
    }

    /// The texts that it was read from, each with its name: its file, those that it extends, and what was set.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.sources
            .iter()
            .map(|text| (text.name.as_str(), text.contents.as_str()))
    }

    /// The study's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is likely not what was meant, in the order of the file.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// The study's stages, each after those it refers to, with how many stages of the graph they come to.
    pub fn summary(&self) -> Vec<StageSummary> {
        let stages = self.checked.order.iter().map(|name| {
            let training = self.checked.trainings.get(name);
            StageSummary {
                name: name.clone(),
                kind: self.checked.stages[name].stage.kind.name(),
                stages: self.checked.count(name),
                is_training: training.is_some(),
                steps: training.and_then(|training| training.steps),
            }
        });
        stages.collect()
    }

    /// The graph of stages. The same for every spelling of the study: comments, order of keys, spelling of
    /// numbers, anchors or copies, order of a sweep's values (but for the order of stages).
    pub fn expand(&self) -> engine::Graph {
        expand::expand(&self.checked, &self.name, &self.sources)
    }
}

/// Values of variables that are called as secrets are not shown, wherever the text is.
fn mask_secrets(root: &Node, sources: &mut Sources) {
    let stages = root.get("stages").map_or(&[][..], Node::entries);
    let environments = stages
        .iter()
        .filter_map(|stage| stage.node.get("command")?.get("environment"));
    let secrets: Vec<Span> = environments
        .flat_map(Node::entries)
        .filter(|entry| program::is_secret(&entry.key) && entry.node.entries().is_empty())
        .map(|entry| entry.node.span)
        .collect();
    for span in secrets {
        sources.mask(span);
    }
}

/// Decodes and checks a study's tree.
fn examine(
    root: &Node,
    sources: &Sources,
    drafts: &mut Vec<Draft>,
) -> (Option<schema::File<IgnoredAny>>, Checked) {
    let top = Span {
        start: root.span.start,
        end: root.span.start,
    };
    let file = decode::decode::<schema::File<IgnoredAny>>(root, "study file", top, drafts);
    let entries = root.get("stages").map_or(&[][..], Node::entries);
    if let Some(file) = file.as_ref().filter(|file| file.stages.is_empty()) {
        drafts.push(
            Draft::error(Mistake::NoStages, "no stages")
                .at(file.stages.span, "empty")
                .help("a study needs at least one stage"),
        );
    }
    let written = like::resolve(entries, drafts);
    let checked = check::check(written, drafts);
    check::missing_files(&checked, sources, drafts);
    (file, checked)
}

/// Shows what was set where that is what makes a mistake: correct lines of a file are not to blame.
///
/// `versions` are the tree as it was read and after each `--set`, with the place of the path that was set.
fn blame_set(versions: &[(Node, Span)], sources: &Sources, drafts: &mut [Draft]) {
    let mut elsewhere: Vec<&mut Draft> = drafts
        .iter_mut()
        .filter_map(|draft| (!draft.lead_with(|span| sources.is_set(span))).then_some(draft))
        .collect();
    if versions.len() == 1 || elsewhere.is_empty() {
        return;
    }
    let before: Vec<Vec<Draft>> = versions[..versions.len() - 1]
        .iter()
        .map(|(root, _)| {
            let mut drafts = Vec::new();
            examine(root, sources, &mut drafts);
            drafts
        })
        .collect();
    for draft in &mut elsewhere {
        let first = before.iter().position(|drafts| drafts.contains(draft));
        match first.unwrap_or(before.len()) {
            0 => {}
            at => **draft = draft.clone().at(versions[at].1, "since this is set"),
        }
    }
}
