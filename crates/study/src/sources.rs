//! The texts that a study is made of, laid end to end, so that a span says which of them it is in.

use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::NamedSource;

use crate::diagnostic::Span;
use crate::set;

/// Bytes of a file at most.
const LONGEST: u64 = 16 << 20;

/// The text of a file. What is called a study need not be one: a device, or a table of some gigabytes.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let file = File::open(path)?;
    // That there is too much counts for more than what it is.
    let read = file.take(LONGEST + 1).read_to_string(&mut text);
    if text.len() as u64 > LONGEST {
        return Err(io::Error::other(
            "a file of more than 16 MiB cannot be a study",
        ));
    }
    read.map(|_| text)
}

/// Files and settings of the command line, in the order in which they were read.
#[derive(Default)]
pub(crate) struct Sources(Vec<Text>);

/// One of them.
pub(crate) struct Text {
    pub(crate) name: String,
    written: String,
    /// As it is shown: without the user parts of addresses and what was masked, which are stars.
    pub(crate) contents: String,
    /// What paths in it are relative to.
    pub(crate) folder: PathBuf,
    /// Where it begins among all.
    start: usize,
    source: Arc<NamedSource<String>>,
}

impl Sources {
    /// Adds a text; returns where it begins.
    pub(crate) fn add(&mut self, name: &str, text: &str, folder: &Path) -> usize {
        // One between two texts, so that the end of one is not the start of the next.
        let start = self
            .0
            .last()
            .map_or(0, |last| last.start + last.contents.len() + 1);
        let contents = engine::mask_users(text);
        self.0.push(Text {
            name: name.to_owned(),
            source: source(name, &contents),
            written: text.to_owned(),
            contents,
            folder: folder.to_owned(),
            start,
        });
        start
    }

    /// Puts stars in the place of something that is not to be shown.
    pub(crate) fn mask(&mut self, span: Span) {
        let after = self.0.partition_point(|text| text.start <= span.start);
        let text = &mut self.0[after.max(1) - 1];
        let range = text.range(span);
        // As many bytes, in as many lines: all that comes after keeps its place.
        let stars = |byte: u8| if byte == b'\n' { '\n' } else { '*' };
        let stars: String = text.contents[range.clone()].bytes().map(stars).collect();
        text.contents.replace_range(range, &stars);
        text.source = source(&text.name, &text.contents);
    }

    /// The text that a span is in.
    ///
    /// # Panics
    /// Without any text.
    pub(crate) fn of(&self, span: Span) -> &Text {
        let after = self.0.partition_point(|text| text.start <= span.start);
        &self.0[after.max(1) - 1]
    }

    /// Whether a span is in something that was set on the command line.
    pub(crate) fn is_set(&self, span: Span) -> bool {
        self.of(span).name == set::NAME
    }

    /// A file that is named at this place.
    pub(crate) fn file(&self, path: &str, span: Span) -> PathBuf {
        let path = path.strip_prefix("./").unwrap_or(path);
        self.of(span).folder.join(path)
    }

    /// What stands at a span.
    pub(crate) fn text(&self, span: Span) -> &str {
        let text = self.of(span);
        &text.written[text.range(span)]
    }

    /// The texts, the study file first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Text> {
        self.0.iter()
    }
}

fn source(name: &str, contents: &str) -> Arc<NamedSource<String>> {
    Arc::new(NamedSource::new(name, contents.to_owned()).with_language("yaml"))
}

impl Text {
    /// A span's bytes in this text.
    pub(crate) fn range(&self, span: Span) -> Range<usize> {
        let place = |at: usize| at.saturating_sub(self.start).min(self.contents.len());
        place(span.start)..place(span.end)
    }

    /// For a message: the text with its name.
    pub(crate) fn source(&self) -> Arc<NamedSource<String>> {
        Arc::clone(&self.source)
    }

    /// `base.yaml, line 3`.
    pub(crate) fn line(&self, span: Span) -> String {
        let before = &self.contents[..self.range(span).start];
        format!("{}, line {}", self.name, 1 + before.matches('\n').count())
    }
}
