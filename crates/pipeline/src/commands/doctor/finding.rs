//! One line of what was found.

use std::fmt;
use std::path::Path;

use serde::Serialize;

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was looked at: `device`, `locks`.
    pub(super) topic: &'static str,
    pub(super) state: State,
    /// What is there.
    pub(super) found: String,
    /// What that means for a study.
    pub(super) meaning: String,
}

/// What it means in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// As it should be.
    Ok,
    /// Studies run, but slower, or with less safety, than they could.
    Note,
    /// No study can run.
    Problem,
}

impl Finding {
    pub(super) fn ok(topic: &'static str, found: impl Into<String>, meaning: &str) -> Self {
        Self::new(State::Ok, topic, found, meaning)
    }

    pub(super) fn note(topic: &'static str, found: impl Into<String>, meaning: &str) -> Self {
        Self::new(State::Note, topic, found, meaning)
    }

    pub(super) fn problem(topic: &'static str, found: impl Into<String>, meaning: &str) -> Self {
        Self::new(State::Problem, topic, found, meaning)
    }

    fn new(state: State, topic: &'static str, found: impl Into<String>, meaning: &str) -> Self {
        Self {
            topic,
            state,
            found: found.into(),
            meaning: meaning.to_owned(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Ok => "ok",
            State::Note => "note",
            State::Problem => "PROBLEM",
        };
        let Self {
            topic,
            found,
            meaning,
            ..
        } = self;
        write!(f, "{state:<8}{topic:<13}{found}; {meaning}")
    }
}

/// A path without the name of the home folder.
pub(super) fn shown(path: &Path) -> String {
    let home = std::env::home_dir().filter(|home| home.parent().is_some());
    match home.and_then(|home| path.strip_prefix(home).ok().map(Path::to_owned)) {
        Some(below) => Path::new("~").join(below).display().to_string(),
        None => path.display().to_string(),
    }
}
