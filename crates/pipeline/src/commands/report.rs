//! `pipeline report`: the pages of a study, from tables in the cache.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use engine::{Graph, Record, StageId, Store, Summary};
use study::Study;

use crate::cli::{self, Cli};
use crate::commands::{load, open};
use crate::provenance::{Made, Ran, provenance};
use crate::{DONE, Failure, stages};

/// Where a study's pages go, and what they quote of it.
pub(crate) struct Pages {
    study: String,
    file: String,
    text: String,
    folder: PathBuf,
}

impl Pages {
    /// For a study file as it is now.
    pub(crate) fn new(study: &Study, file: &Path, folder: &Path) -> Self {
        Self {
            study: study.name().to_owned(),
            file: file
                .file_name()
                .unwrap_or(file.as_os_str())
                .to_string_lossy()
                .into_owned(),
            text: quoted(study),
            folder: folder.to_owned(),
        }
    }

    /// Makes the folder, so that a long run does not end with a report that cannot be written.
    pub(crate) fn check_folder(&self) -> Result<(), Failure> {
        fs::create_dir_all(&self.folder)
            .and_then(|()| tempfile::tempfile_in(&self.folder).map(drop))
            .map_err(|error| {
                format!("cannot write reports to {}: {error}", self.folder.display()).into()
            })
    }

    /// Writes the page of every report stage that has its table. Returns their paths.
    pub(crate) fn write(
        &self,
        graph: &Graph,
        store: &Store,
        summary: &Summary,
        run: Option<&Ran<'_>>,
    ) -> Result<Vec<PathBuf>, Failure> {
        let ends: Vec<(StageId, &Record)> = graph
            .iter()
            .filter(|(_, stage)| stage.kind == "report")
            .filter_map(|(id, _)| Some((id, &**summary.record(id)?)))
            .collect();
        let mut written = Vec::new();
        for &(id, record) in &ends {
            let table = stages::read_report(store, record)?;
            let made = Made {
                graph,
                summary,
                run,
                study_file: &self.file,
                study_text: &self.text,
            };
            let page = report::page(&table, &provenance(&made));
            let name = match ends.len() {
                1 => format!("{}.html", self.study),
                _ => format!("{}-{}.html", self.study, graph.stage(id).name),
            };
            written.push(self.replace(&name, &page)?);
        }
        Ok(written)
    }

    /// Writes a page whole or not at all.
    fn replace(&self, name: &str, page: &str) -> Result<PathBuf, Failure> {
        let path = self.folder.join(name);
        let mut staged = tempfile::Builder::new()
            .permissions(read_by_all())
            .tempfile_in(&self.folder)?;
        staged.write_all(page.as_bytes())?;
        staged.persist(&path)?;
        Ok(path)
    }
}

/// The study's text; with what it extends and what was set, if there is such.
fn quoted(study: &Study) -> String {
    let mut texts = study.texts();
    let first = texts.next().map_or("", |(_, text)| text).to_owned();
    let others = texts.map(|(name, text)| format!("\n# {name}\n{text}\n"));
    std::iter::once(first).chain(others).collect()
}

/// A temporary file is its owner's alone; a page is not.
fn read_by_all() -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o644)
}

pub(crate) fn report(cli: &Cli, arguments: &cli::Report) -> Result<u8, Failure> {
    let study = load(&arguments.file)?;
    let graph = study.expand();
    let store = open(cli, Some(&arguments.file))?;
    let pages = Pages::new(&study, &arguments.file.study, &arguments.reports);
    pages.check_folder()?;
    let plan = engine::plan(&graph, &store, &stages::kinds(), study.name())?;
    let summary = Summary::of(&plan);
    let written = pages.write(&graph, &store, &summary, None)?;
    if written.is_empty() {
        return Err(Failure::Usage(format!(
            "the cache holds no report of {}; `pipeline run` makes it",
            study.name()
        )));
    }
    for path in &written {
        outln!("{}", path.display());
    }
    Ok(DONE)
}
