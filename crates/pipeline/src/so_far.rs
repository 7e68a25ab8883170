//! The page of a study that is not done: its stages that only read, over the runs that are there.
//!
//! It is made of what lies in the cache, whoever put it there. Its tables are computed in memory by the executors of the
//! stages, and never stored.

mod progress;

use std::path::Path;

use analysis::claims::Claim;
use engine::{Graph, Stage, StageId, Store, Summary};
use report::Page;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use study::Study;

use crate::Failure;
use crate::provenance::{Made, provenance};
use crate::stages::{self, Stages};
use progress::Progress;

/// What a page quotes of its study.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Quoted {
    pub(crate) study: String,
    /// The name of its file, without folders.
    pub(crate) file: String,
    pub(crate) text: String,
}

impl Quoted {
    /// Of a study file as it is now.
    pub(crate) fn new(study: &Study, file: &Path) -> Self {
        let name = file.file_name().unwrap_or(file.as_os_str());
        Self {
            study: study.name().to_owned(),
            file: name.to_string_lossy().into_owned(),
            text: text(study),
        }
    }
}

/// The study's text; with what it extends and what was set, if there is such.
fn text(study: &Study) -> String {
    let mut texts = study.texts();
    let first = texts.next().map_or("", |(_, text)| text).to_owned();
    let others = texts.map(|(name, text)| format!("\n# {name}\n{text}\n"));
    std::iter::once(first).chain(others).collect()
}

/// A page.
#[derive(Serialize, Deserialize)]
pub(crate) struct Drawn {
    /// Its file's name, without an ending.
    pub(crate) name: String,
    /// Whether its report is done: then it is as any other page.
    pub(crate) finished: bool,
    pub(crate) html: String,
}

/// The pages of a study that is not done, and how far it is.
pub(crate) struct Pages {
    pub(crate) drawn: Vec<Drawn>,
    pub(crate) runs: report::Runs,
}

/// The settings with which a stage may be given a part of its inputs; none of a stage that does more than read.
fn partly(stage: &Stage) -> Option<Map<String, Value>> {
    let mut settings = stage.settings.clone();
    match stage.kind.as_str() {
        "select" | "steps_to_target" | "heatmap" => {}
        // A verdict is given once, on all runs.
        "report" => drop(settings.remove("claims")),
        _ => return None,
    }
    Some(settings)
}

/// Draws them. `command`: what the user typed; `reload`: after how many seconds an open page loads itself anew.
pub(crate) fn draw(
    of: &Quoted,
    graph: &Graph,
    store: &Store,
    command: Option<&str>,
    reload: Option<u64>,
) -> Result<Pages, Failure> {
    let there = engine::so_far(
        graph,
        store,
        &stages::kinds(),
        &of.study,
        &partly,
        &mut Stages::default(),
    )?;
    let summary = Summary::of(&there.plan);
    let progress = Progress::of(graph, store, &of.study, &there)?;
    let made = Made {
        graph,
        summary: &summary,
        run: None,
        study_file: &of.file,
        study_text: &of.text,
    };
    let mut provenance = provenance(&made);
    if let Some(command) = command {
        command.clone_into(&mut provenance.command);
    }
    let reports: Vec<(StageId, &Stage)> = graph
        .iter()
        .filter(|(_, stage)| stage.kind == "report")
        .collect();
    let several = reports.len() > 1;
    let mut drawn = Vec::new();
    for (id, stage) in reports {
        let page = if let Some(record) = summary.record(id) {
            let (table, _) = stages::read_report(store, record)?;
            Page::new(&table, &provenance, None)
        } else {
            let partial = there.partial.get(&id).map(|partial| &partial.outputs);
            let outputs = partial.ok_or("a report stage is one that only reads")?;
            let outputs = outputs.as_ref().map_err(String::as_str)?;
            let table = stages::report_from_json(&outputs["report"])?;
            let settings: runs::reader::Report = stages::parse(&stage.settings)?;
            let claims = settings.claims.iter().map(|claim| Claim::clone(claim));
            let claims = claims.collect();
            Page::so_far(&table, &provenance, &progress.page(id, claims, reload))
        };
        let name = if several {
            format!("{}-{}", of.study, stage.name)
        } else {
            of.study.clone()
        };
        drawn.push(Drawn {
            name,
            finished: summary.record(id).is_some(),
            html: page.html(),
        });
    }
    Ok(Pages {
        drawn,
        runs: progress.runs,
    })
}
