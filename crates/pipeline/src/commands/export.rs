//! `pipeline export`: every curve and table of a study as files that data-frame libraries read.
//!
//! Only what is in the cache, nothing is computed. The folder is written beside its place and moved
//! there whole, so that no file of an earlier export stays behind.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use analysis::report::ReportTable;
use analysis::{Named, Run, Updates};
use engine::{Digest, Graph, Record, Store, Summary};
use report::frame::{
    self, Coordinates, Frame, LOSS_ROWS, ParquetWriter, csv_header, csv_rows, to_latex,
    to_markdown, to_safetensors,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::cli::{self, Cli, ExportFormat};
use crate::commands::{counted, expand, load, open};
use crate::{DONE, Failed, Failure, Usage, stages};

/// What marks a folder as an export, and describes its files.
const CONTENTS: &str = "contents.json";

pub(crate) fn export(cli: &Cli, arguments: &cli::Export) -> Result<u8, Failure> {
    let study = load(&arguments.file)?;
    let store = open(cli, Some(&arguments.file))?;
    let graph = expand(&study, &store)?;
    let chosen = chosen(&graph, &arguments.stages)?;
    let target = arguments
        .output
        .clone()
        .unwrap_or_else(|| PathBuf::from("exports").join(study.name()));
    check_target(&target)?;
    let plan = engine::plan(&graph, &store, &stages::kinds(), study.name())?;
    let summary = Summary::of(&plan);
    let found = Found::of(&graph, &chosen, &summary, &store)?;
    if found.is_empty() {
        return Err(Usage::NothingToExport {
            study: study.name().to_owned(),
        }
        .into());
    }
    if found.missing > 0 {
        errln!(
            "left out, because the cache has no result: {}; `pipeline run` makes them",
            counted(found.missing, "stage")
        );
    }
    let parent = target
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(Failed::file("make the folder", parent))?;
    let staged = tempfile::Builder::new()
        .prefix(".export-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .tempdir_in(parent)?;
    let mut folder = Folder {
        path: staged.path(),
        format: arguments.format,
        contents: Vec::new(),
    };
    found.write(&store, &mut folder)?;
    if arguments.weights {
        found.write_weights(&store, &mut folder)?;
    }
    folder.describe(study.name())?;
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    fs::rename(staged.keep(), &target)?;
    outln!("{}", target.display());
    Ok(DONE)
}

/// The stages of the study file to export; all without names.
fn chosen(graph: &Graph, names: &[String]) -> Result<BTreeSet<String>, Failure> {
    let all: BTreeSet<String> = graph
        .iter()
        .map(|(_, stage)| family(&stage.name).to_owned())
        .collect();
    if let Some(unknown) = names.iter().find(|name| !all.contains(*name)) {
        return Err(Usage::NoStageToExport {
            unknown: unknown.clone(),
            known: all.into_iter().collect(),
        }
        .into());
    }
    Ok(if names.is_empty() {
        all
    } else {
        names.iter().cloned().collect()
    })
}

/// A stage's name in the study file.
fn family(name: &str) -> &str {
    name.split('/').next().unwrap_or(name)
}

/// Refuses a folder that holds anything but an earlier export.
fn check_target(target: &Path) -> Result<(), Failure> {
    let is_free = match fs::read_dir(target) {
        Ok(mut entries) => entries.next().is_none() || target.join(CONTENTS).is_file(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    if is_free {
        return Ok(());
    }
    Err(Usage::NotAnExport {
        path: target.to_owned(),
    }
    .into())
}

/// What the cache holds of the chosen stages.
#[derive(Default)]
struct Found {
    /// Curves by the names that analyses give their runs.
    curves: Vec<(String, Digest)>,
    /// Training runs, in the same way.
    trained: Vec<(String, Arc<Record>)>,
    targets: Vec<Named<analysis::targets::TargetsTable>>,
    winners: Vec<Named<analysis::select::WinnersTable>>,
    heatmaps: Vec<Named<analysis::heatmap::HeatmapTable>>,
    reports: Vec<Named<ReportTable>>,
    /// Chosen stages that would have something, but have no result.
    missing: usize,
}

impl Found {
    fn of(
        graph: &Graph,
        chosen: &BTreeSet<String>,
        summary: &Summary,
        store: &Store,
    ) -> Result<Self, Failure> {
        let mut found = Self::default();
        for (id, stage) in graph.iter() {
            if !chosen.contains(family(&stage.name)) || stage.kind == "dataset" {
                continue;
            }
            let Some(record) = summary.record(id) else {
                found.missing += 1;
                continue;
            };
            let name = &stage.name;
            match stage.kind.as_str() {
                "train" | "command" => {
                    if let Some(curve) = record.outputs.get("curve") {
                        let label = if name.contains('/') {
                            name.clone()
                        } else {
                            format!("{name}/run")
                        };
                        if stage.kind == "train" {
                            found.trained.push((label.clone(), Arc::clone(record)));
                        }
                        found.curves.push((label, curve.digest));
                    }
                }
                "steps_to_target" => found.targets.push(read(store, record, name, "targets")?),
                "select" => found.winners.push(read(store, record, name, "winners")?),
                "heatmap" => found.heatmaps.push(read(store, record, name, "heatmap")?),
                "report" => found.reports.push(read(store, record, name, "report")?),
                _ => {}
            }
        }
        Ok(found)
    }

    fn is_empty(&self) -> bool {
        self.curves.is_empty()
            && self.targets.is_empty()
            && self.winners.is_empty()
            && self.heatmaps.is_empty()
            && self.reports.is_empty()
    }

    fn write(&self, store: &Store, folder: &mut Folder<'_>) -> Result<(), Failure> {
        if !self.curves.is_empty() && !folder.format.is_for_the_eye() {
            self.write_curves(store, folder)?;
        }
        let tables = frame::targets_frames(&self.targets)
            .into_iter()
            .chain(frame::winners_frames(&self.winners))
            .chain(frame::heatmap_frames(&self.heatmaps))
            .chain(frame::report_frames(&self.reports));
        for table in tables.filter(|table| table.rows() > 0) {
            folder.write(std::iter::once(Ok(table)))?;
        }
        Ok(())
    }

    /// Says of how many runs there are none, and why of the first.
    fn write_weights(&self, store: &Store, folder: &mut Folder<'_>) -> Result<(), Failure> {
        let mut weights = stages::Weights::new(store);
        let mut without: Option<(&str, stages::Failure)> = None;
        let mut missing = 0;
        for (label, record) in &self.trained {
            match weights.read(record) {
                Ok(bytes) => folder.copy("weights", label, &bytes)?,
                Err(why) => {
                    missing += 1;
                    without.get_or_insert((label, why));
                }
            }
        }
        if let Some((label, why)) = without {
            let count = counted(missing, "run");
            errln!("{count} left out without weights; of {label}: {why}");
        }
        Ok(())
    }

    /// Losses are read once more, some runs at a time: there may be too many for the memory.
    fn write_curves(&self, store: &Store, folder: &mut Folder<'_>) -> Result<(), Failure> {
        let run = |(label, digest): &(String, Digest)| -> Result<Run, Failure> {
            Ok(Run::from_bytes(label, &store.read(*digest)?)?)
        };
        let mut runs = Vec::with_capacity(self.curves.len());
        for curve in &self.curves {
            let mut run = run(curve)?;
            run.curve.updates = Updates::default();
            runs.push(run);
        }
        let coordinates = Coordinates::new(&runs);
        folder.write(std::iter::once(Ok(coordinates.runs(&runs))))?;
        folder.write(std::iter::once(Ok(coordinates.evaluations(&runs))))?;
        for measured in coordinates.measurements(&runs) {
            folder.write(std::iter::once(Ok(measured)))?;
        }
        if folder.format == ExportFormat::Safetensors {
            // What is cached is of that format already, each run in a file of its own.
            return self.curves.iter().try_for_each(|(label, digest)| {
                folder.copy("curves", label, &store.read(*digest)?)
            });
        }
        let mut rest = self.curves.as_slice();
        let chunks = std::iter::from_fn(|| {
            let mut some = Vec::new();
            let mut rows = 0;
            while let Some((curve, others)) = rest.split_first().filter(|_| rows < LOSS_ROWS) {
                rest = others;
                match run(curve) {
                    Ok(run) => {
                        rows += run.curve.updates.len();
                        some.push(run);
                    }
                    Err(failure) => return Some(Err(failure)),
                }
            }
            (!some.is_empty()).then(|| Ok(coordinates.losses(&some)))
        });
        folder.write(chunks)
    }
}

fn read<T: DeserializeOwned>(
    store: &Store,
    record: &Record,
    stage: &str,
    output: &str,
) -> Result<Named<T>, Failure> {
    let blob = record.outputs.get(output).ok_or_else(|| Failed::NoOutput {
        stage: stage.to_owned(),
        output: output.to_owned(),
    })?;
    Ok(Named {
        stage: stage.to_owned(),
        table: serde_json::from_slice(&store.read(blob.digest)?)?,
    })
}

/// The folder being written.
struct Folder<'a> {
    path: &'a Path,
    format: ExportFormat,
    contents: Vec<Value>,
}

impl Folder<'_> {
    /// Writes a frame that comes in chunks of the same columns. A file of any format but CSV and Parquet is one chunk.
    fn write(
        &mut self,
        chunks: impl Iterator<Item = Result<Frame, Failure>>,
    ) -> Result<(), Failure> {
        let mut file: Option<(fs::File, String, Option<ParquetWriter>)> = None;
        let mut rows = 0;
        let mut columns = Vec::new();
        for chunk in chunks {
            let chunk = chunk?;
            rows += chunk.rows();
            if file.is_none() {
                let name = format!("{}.{}", chunk.name, self.format.ending());
                let mut made = fs::File::create(self.path.join(&name))?;
                let mut parquet = None;
                match self.format {
                    ExportFormat::Csv => made.write_all(csv_header(&chunk).as_bytes())?,
                    ExportFormat::Parquet => {
                        let (writer, first) = ParquetWriter::new(&chunk);
                        made.write_all(&first)?;
                        parquet = Some(writer);
                    }
                    ExportFormat::Safetensors | ExportFormat::Latex | ExportFormat::Markdown => {}
                }
                columns = chunk
                    .columns
                    .iter()
                    .map(|column| column.name.clone())
                    .collect();
                file = Some((made, name, parquet));
            }
            let (file, _, parquet) = file.as_mut().expect("it was made for the first chunk");
            match (self.format, parquet) {
                (ExportFormat::Parquet, Some(writer)) => file.write_all(&writer.rows(&chunk)?)?,
                (ExportFormat::Safetensors, _) => file.write_all(&to_safetensors(&chunk)?)?,
                (ExportFormat::Latex, _) => file.write_all(to_latex(&chunk).as_bytes())?,
                (ExportFormat::Markdown, _) => file.write_all(to_markdown(&chunk).as_bytes())?,
                _ => file.write_all(csv_rows(&chunk).as_bytes())?,
            }
        }
        if let Some((mut file, name, parquet)) = file {
            if let Some(writer) = parquet {
                file.write_all(&writer.finish())?;
            }
            self.contents
                .push(json!({"file": name, "rows": rows, "columns": columns}));
        }
        Ok(())
    }

    fn copy(&mut self, what: &str, label: &str, bytes: &[u8]) -> Result<(), Failure> {
        let name = format!("{what}/{label}.safetensors");
        let path = self.path.join(&name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        Ok(fs::write(&path, bytes).map_err(Failed::file("write", &path))?)
    }

    fn describe(&self, study: &str) -> Result<(), Failure> {
        let contents =
            json!({"study": study, "format": self.format.ending(), "files": self.contents});
        let text = serde_json::to_string_pretty(&contents)? + "\n";
        Ok(fs::write(self.path.join(CONTENTS), text)?)
    }
}
