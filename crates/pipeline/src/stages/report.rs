//! `report`: everything that the page shows but provenance. The page itself is drawn after the run.

use analysis::heatmap::HeatmapTable;
use analysis::report::{ReadError, ReportTable, assemble};
use analysis::select::WinnersTable;
use analysis::targets::TargetsTable;
use analysis::{Evidence, Named};
use engine::{Job, Output, Record, Store};
use serde::Deserialize;

use super::{Error, Failure, runs, settings, table};

/// A table that a report includes; each kind has a field that the others lack.
#[derive(Deserialize)]
#[serde(untagged)]
enum Table {
    Winners(WinnersTable),
    Heatmap(HeatmapTable),
    Targets(TargetsTable),
}

pub(crate) fn execute(job: &Job<'_>) -> Result<Output, Failure> {
    let mut evidence = Evidence {
        runs: runs::read(job)?,
        ..Evidence::default()
    };
    for stage in job
        .manifest()
        .inputs()
        .keys()
        .filter(|name| !name.contains('/'))
    {
        let bytes = job.read(stage)?;
        let stage = stage.clone();
        let table = match serde_json::from_slice(&bytes) {
            Ok(table) => table,
            Err(error) => return Err(Error::Table { stage, error }.into()),
        };
        match table {
            Table::Winners(table) => evidence.winners.push(Named { stage, table }),
            Table::Heatmap(table) => evidence.heatmaps.push(Named { stage, table }),
            Table::Targets(table) => evidence.targets.push(Named { stage, table }),
        }
    }
    let mut output = Output::default();
    table(&mut output, "report", &assemble(&settings(job)?, &evidence))?;
    Ok(output)
}

/// Reads back the table of a report stage's record, and the text that it is stored as.
pub(crate) fn read(store: &Store, record: &Record) -> Result<(ReportTable, Vec<u8>), Failure> {
    let text = text(store, record)?;
    Ok((from_json(&text)?, text))
}

/// The text of the table of a report stage's record.
pub(crate) fn text(store: &Store, record: &Record) -> Result<Vec<u8>, Failure> {
    let blob = record.outputs.get("report").ok_or(Error::NoReportTable)?;
    Ok(store.read(blob.digest)?)
}

/// A report's table from its JSON, or why it is none.
pub(crate) fn from_json(text: &[u8]) -> Result<ReportTable, Failure> {
    ReportTable::from_json(text).map_err(|error| match error {
        ReadError::OtherFormat { .. } => Error::OtherReport(error).into(),
        ReadError::NotAReport(_) => error.into(),
    })
}
