//! A folder with a study, a cache and reports, in which the real binary runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// The study that most tests edit and run.
pub(crate) const TINY: &str = include_str!("tiny.yaml");

/// The folder.
pub(crate) struct Lab {
    folder: TempDir,
}

/// What a run said of itself.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Stages of the study.
    pub(crate) stages: usize,
    /// Stages that were in the cache.
    pub(crate) cached: usize,
    /// The stages that ran, in the order in which they ended.
    pub(crate) names: Vec<String>,
}

impl Ran {
    /// How many stages of these families ran, and of no other: a count each, in the order given.
    ///
    /// # Panics
    ///
    /// If a stage of another family ran.
    pub(crate) fn only(&self, families: &[&str]) -> Vec<usize> {
        let family = |name: &String| name.split('/').next().expect("a name").to_owned();
        if let Some(other) = self
            .names
            .iter()
            .map(family)
            .find(|name| !families.contains(&name.as_str()))
        {
            panic!("{other} ran too: {:?}", self.names);
        }
        families
            .iter()
            .map(|wanted| {
                self.names
                    .iter()
                    .filter(|name| family(name) == *wanted)
                    .count()
            })
            .collect()
    }
}

impl Lab {
    /// A lab with this study in `study.yaml`.
    pub(crate) fn new(study: &str) -> Self {
        let lab = Self {
            folder: TempDir::new().expect("a temporary folder"),
        };
        lab.write(study);
        lab
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, study: &str) {
        std::fs::write(self.path("study.yaml"), study).expect("the study can be written");
    }

    /// Writes the tiny study with one edit.
    ///
    /// # Panics
    ///
    /// If the text to replace is not in it: the test would test nothing.
    pub(crate) fn edit(&self, from: &str, to: &str) {
        assert!(TINY.contains(from), "the study does not say `{from}`");
        self.write(&TINY.replace(from, to));
    }

    /// The binary with this lab as its current folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pipeline"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_remove("PIPELINE_CACHE")
            .env_remove("PIPELINE_SITE")
            .env("NO_COLOR", "1");
        command
    }

    pub(crate) fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the binary starts")
    }

    /// Runs the study to its end.
    pub(crate) fn run(&self) -> Ran {
        let output = self.output(&["run", "--verbose", "study.yaml"]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(0), "{said}");
        ran(&said)
    }

    /// The page of the tiny study but for its provenance.
    pub(crate) fn page(&self) -> String {
        without_provenance(&self.path("reports/tiny.html"))
    }
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("messages are UTF-8")
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("results are UTF-8")
}

/// The stages named and counted in what a run said.
pub(crate) fn ran(said: &str) -> Ran {
    let line = said.lines().last().expect("a run says something");
    let before = |word: &str| -> usize {
        let words: Vec<&str> = line
            .split([' ', ',', ';', ':'])
            .filter(|word| !word.is_empty())
            .collect();
        let at = words
            .iter()
            .position(|one| *one == word)
            .unwrap_or_else(|| panic!("no `{word}` in: {line}"));
        words[at - 1]
            .parse()
            .unwrap_or_else(|_| panic!("no number before `{word}` in: {line}"))
    };
    let finished = said.lines().filter_map(|line| {
        Some(
            line.strip_prefix("finished ")?
                .rsplit_once(" in ")?
                .0
                .to_owned(),
        )
    });
    let ran = Ran {
        stages: before("stages"),
        cached: before("cached"),
        names: finished.collect(),
    };
    assert_eq!(
        ran.names.len(),
        before("ran"),
        "the last line counts the stages that were named: {said}"
    );
    ran
}

/// A page without the section that may differ between runs to the same tables.
pub(crate) fn without_provenance(path: &Path) -> String {
    let page = std::fs::read_to_string(path).expect("the page was written");
    let start = page
        .find("<section id=\"provenance\"")
        .expect("a page has provenance");
    let length = page[start..].find("</section>").expect("the section ends");
    format!("{}{}", &page[..start], &page[start + length..])
}
