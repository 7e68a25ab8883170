//! Mistakes in a study file: what is wrong, where it stands, what to do.
//!
//! All of them are collected and handed over at once. Printing is the reader's: the types implement
//! [`miette::Diagnostic`].

mod catalogue;

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use miette::{LabeledSpan, NamedSource, SourceCode};

use crate::sources::Sources;
pub(crate) use catalogue::Mistake;
pub use catalogue::markdown as mistakes_markdown;
pub(crate) use runs::Span;

/// Whether a study with it can be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, but the result is likely not what was meant.
    Warning,
}

/// One mistake, or one doubt, about a study file.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// Its labels' spans are in the source.
    draft: Draft,
    source: Arc<NamedSource<String>>,
}

impl Diagnostic {
    /// Which kind of mistake it is, as in `doc/errors.md`: `no-such-stage`.
    pub fn code(&self) -> &'static str {
        self.draft.mistake.code()
    }

    /// What is wrong, as a sentence without a full stop.
    pub fn message(&self) -> &str {
        &self.draft.message
    }

    /// What the underline says, if a place in the file is to blame.
    pub fn label(&self) -> Option<&str> {
        self.draft.labels.first().map(|(_, text)| text.as_str())
    }

    /// The bytes of the file that are underlined.
    pub fn span(&self) -> Option<Range<usize>> {
        self.draft
            .labels
            .first()
            .map(|(span, _)| span.start..span.end)
    }

    /// What to do about it.
    pub fn help(&self) -> Option<&str> {
        self.draft.help.as_deref()
    }

    /// Whether the study can be run all the same.
    pub fn severity(&self) -> Severity {
        self.draft.severity
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.draft.message)
    }
}

impl std::error::Error for Diagnostic {}

impl miette::Diagnostic for Diagnostic {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code()))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.draft.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.draft.help.as_ref().map(|help| Box::new(help) as _)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&*self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let labels = self
            .draft
            .labels
            .iter()
            .enumerate()
            .map(|(index, (span, text))| {
                let range = span.start..span.end;
                if index == 0 {
                    LabeledSpan::new_primary_with_span(Some(text.clone()), range)
                } else {
                    LabeledSpan::new_with_span(Some(text.clone()), range)
                }
            });
        (!self.draft.labels.is_empty()).then(|| Box::new(labels) as _)
    }
}

/// Every mistake in a study file, in the order of the file.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    name: String,
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// The mistakes, in the order of the file, each with its own underline.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// How many there are: at least one.
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn new(name: &str, sources: &Sources, drafts: Vec<Draft>) -> Self {
        Self {
            name: name.to_owned(),
            list: finish(sources, drafts),
        }
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors = self
            .list
            .iter()
            .filter(|one| one.severity() == Severity::Error)
            .count();
        let plural = if errors == 1 { "mistake" } else { "mistakes" };
        write!(f, "{}: {errors} {plural}", self.name)
    }
}

impl std::error::Error for Diagnostics {}

impl miette::Diagnostic for Diagnostics {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        Some(Box::new(
            self.list.iter().map(|one| one as &dyn miette::Diagnostic),
        ))
    }
}

/// A mistake before it is tied to its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Draft {
    mistake: Mistake,
    message: String,
    severity: Severity,
    labels: Vec<(Span, String)>,
    help: Option<String>,
}

impl Draft {
    pub(crate) fn error(mistake: Mistake, message: impl Into<String>) -> Self {
        Self {
            mistake,
            message: message.into(),
            severity: Severity::Error,
            labels: Vec::new(),
            help: None,
        }
    }

    pub(crate) fn warning(mistake: Mistake, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(mistake, message)
        }
    }

    /// The place to blame.
    pub(crate) fn at(mut self, span: Span, label: impl Into<String>) -> Self {
        self.labels.insert(0, (span, label.into()));
        self
    }

    /// A place that explains the first one.
    pub(crate) fn also(mut self, span: Span, label: impl Into<String>) -> Self {
        self.labels.push((span, label.into()));
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Whether none of them is more than a warning.
    pub(crate) fn are_warnings(drafts: &[Self]) -> bool {
        !drafts.iter().any(Self::is_error)
    }

    /// Puts the first place that fits before the others; says whether there is one.
    pub(crate) fn lead_with(&mut self, fits: impl Fn(Span) -> bool) -> bool {
        let at = self.labels.iter().position(|(span, _)| fits(*span));
        if let Some(at) = at {
            let label = self.labels.remove(at);
            self.labels.insert(0, label);
        }
        at.is_some()
    }
}

/// Ties drafts to their files, sorted by place, each said once.
pub(crate) fn finish(sources: &Sources, mut drafts: Vec<Draft>) -> Vec<Diagnostic> {
    drafts.sort_by_key(|draft| {
        (
            draft.labels.first().map(|(span, _)| *span),
            draft.severity,
            draft.message.clone(),
        )
    });
    // The same mistake is met again wherever `like` or an alias carries it.
    drafts.dedup_by(|a, b| {
        a.message == b.message && a.labels.first().map(|l| l.0) == b.labels.first().map(|l| l.0)
    });
    drafts
        .into_iter()
        .map(|draft| place(sources, draft))
        .collect()
}

/// Moves the labels to the text of the first one. Another in another text cannot be underlined: it is said.
fn place(sources: &Sources, mut draft: Draft) -> Diagnostic {
    let top = Span { start: 0, end: 0 };
    let text = sources.of(draft.labels.first().map_or(top, |(span, _)| *span));
    let mut elsewhere = Vec::new();
    draft.labels.retain_mut(|(span, label)| {
        let other = sources.of(*span);
        if !std::ptr::eq(other, text) {
            elsewhere.push(format!("{label}: {}", other.line(*span)));
            return false;
        }
        let range = text.range(*span);
        *span = Span {
            start: range.start,
            end: range.end,
        };
        true
    });
    if !elsewhere.is_empty() {
        elsewhere.extend(draft.help.take());
        draft.help = Some(elsewhere.join("; "));
    }
    Diagnostic {
        draft,
        source: text.source(),
    }
}

/// "did you mean `kfac`?" if one of `known` is near `word`, else the list of them.
pub(crate) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let mut seen = BTreeSet::new();
    let known = known.into_iter().filter(|name| seen.insert(*name));
    let known: Vec<&str> = known.collect();
    match nearest(word, &known) {
        Some(best) => format!("did you mean `{best}`?"),
        None if known.is_empty() => "there is nothing to choose from".to_owned(),
        None => format!(
            "known here: {}",
            known
                .iter()
                .map(|k| format!("`{k}`"))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    }
}

/// The nearest of `known`, if a slip of the fingers explains the difference.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&word.to_lowercase(), &candidate.to_lowercase()),
                *candidate,
            )
        })
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().max(word.len()) / 5)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["learning_rate", "batch_size", "seed", "kfac", "sgd"];
        assert_eq!(nearest("kfca", &known), Some("kfac"));
        assert_eq!(nearest("Seed", &known), Some("seed"));
        assert_eq!(nearest("learningrate", &known), Some("learning_rate"));
        assert_eq!(nearest("adam", &known), None);
        assert_eq!(nearest("momentum", &known), None);
    }
}
