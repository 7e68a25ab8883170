//! What a command reads: files, outputs of stages, and which runs of a swept stage.

use crate::diagnostic::Span;

/// An input.
pub(crate) struct Read {
    /// Its name in the working folder.
    pub(crate) name: String,
    pub(crate) from: From,
    /// Whether it is a folder kept as a tar file.
    pub(crate) unpack: bool,
}

/// Where an input comes from.
pub(crate) enum From {
    /// A file, written at this place of the study.
    File(String, Span),
    /// An output of a stage that is one stage.
    Stage { stage: String, output: String },
    /// An output of those runs of a stage that agree in what both sweep.
    Runs {
        stage: String,
        output: String,
        shared: Vec<String>,
        /// Whether that is one run: then a file, else a folder.
        one: bool,
    },
}

/// The stage, and the output if it is said, that an input names; none if it is a file.
pub(crate) fn reference(
    text: &str,
    is_stage: impl Fn(&str) -> bool,
) -> Option<(&str, Option<&str>)> {
    if text.contains('/') || text.starts_with('.') {
        return None;
    }
    match text.split_once('.') {
        Some((stage, output)) => is_stage(stage).then_some((stage, Some(output))),
        // A name without a dot is a stage, or a mistake: a file is written `./NAME`.
        None => Some((text, None)),
    }
}
