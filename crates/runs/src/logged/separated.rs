//! Values with separators between them, under a header: commas, semicolons or tabs.
//!
//! Where a semicolon or a tab separates, a comma is a decimal one, as spreadsheets of half the world write.

use std::collections::BTreeSet;

use csv::{ReaderBuilder, StringRecord, Trim};

use super::table::Reader;
use super::{LogError, LogProblem};

/// Reads a header and the lines below it.
pub(super) fn read(text: &str, reader: &mut Reader<'_>) -> Result<(), LogError> {
    let file = reader.file;
    let mut first = text.lines().filter(|line| !line.trim().is_empty());
    let first = first.next().unwrap_or_default();
    if is_of_mlflow(first) {
        return mlflow(text, reader);
    }
    let said = first.trim().strip_prefix("sep=");
    let separator = match said.map(str::as_bytes) {
        Some([separator]) => *separator,
        _ => separator(first),
    };
    let mut lines = ReaderBuilder::new()
        .delimiter(separator)
        .has_headers(false)
        .flexible(true)
        .trim(Trim::All)
        .from_reader(text.as_bytes());
    let mut record = StringRecord::new();
    let mut header: Option<Vec<String>> = None;
    while lines
        .read_record(&mut record)
        .map_err(|error| file.wrong(LogProblem::Csv(error)))?
    {
        let line = record.position().map_or(0, |at| at.line() as usize);
        if record.iter().all(str::is_empty) {
            continue;
        }
        let Some(names) = &header else {
            if record.get(0).is_some_and(|cell| cell.starts_with("sep=")) {
                continue;
            }
            let mut names: Vec<String> = record.iter().map(|name| bare(name).to_owned()).collect();
            // As numpy has it.
            if let Some(first) = names.first_mut()
                && first.starts_with('#')
                && !file.knows(first)
            {
                *first = first.trim_start_matches(['#', ' ']).to_owned();
            }
            check_header(&names).map_err(|problem| file.at(line, problem))?;
            for name in &names {
                reader.meet(name);
            }
            header = Some(names);
            continue;
        };
        if record.iter().map(bare).eq(names.iter().map(String::as_str)) {
            return Err(file.at(line, LogProblem::HeaderAgain));
        }
        if record.len() != names.len() {
            let (found, columns) = (record.len(), names.len());
            return Err(file.at(line, LogProblem::Cells { found, columns }));
        }
        let cells = names
            .iter()
            .map(String::as_str)
            .zip(record.iter().map(bare));
        reader.record(line, separator != b',', cells)?;
    }
    Ok(())
}

/// Whether a line is one of `MLflow`'s files of a metric: a time in milliseconds, a value and a step, and no header.
fn is_of_mlflow(line: &str) -> bool {
    let mut words = line.split(' ');
    let mut word = || words.next().unwrap_or_default();
    let (time, value, step) = (word(), word(), word());
    time.len() == 13
        && time.parse::<u64>().is_ok()
        && value.parse::<f64>().is_ok()
        && step.parse::<u64>().is_ok()
        && words.next().is_none()
}

/// Reads such a file, as columns `timestamp`, `value` and `step`.
fn mlflow(text: &str, reader: &mut Reader<'_>) -> Result<(), LogError> {
    let names = ["timestamp", "value", "step"];
    for name in names {
        reader.meet(name);
    }
    for (line, record) in (1..).zip(text.lines()) {
        let cells: Vec<&str> = record.split_whitespace().collect();
        match cells.len() {
            0 => {}
            3 => reader.record(line, false, names.into_iter().zip(cells))?,
            found => {
                let columns = names.len();
                return Err(reader.file.at(line, LogProblem::Cells { found, columns }));
            }
        }
    }
    Ok(())
}

/// A cell without quotes that do not begin it: `1, "2"` is written by hand.
fn bare(cell: &str) -> &str {
    cell.trim_matches('"')
}

/// What separates the names in a header.
fn separator(header: &str) -> u8 {
    let counted = |separator: char| header.matches(separator).count();
    let all = [b',', b';', b'\t'];
    all.into_iter()
        .rev()
        .max_by_key(|separator| counted(char::from(*separator)))
        .unwrap_or(b',')
}

fn check_header(names: &[String]) -> Result<(), LogProblem> {
    if let Some(number) = names.iter().find(|name| name.parse::<f64>().is_ok()) {
        return Err(LogProblem::NoHeader {
            number: number.clone(),
        });
    }
    if let [one] = names
        && one.contains([' ', '|'])
    {
        return Err(LogProblem::OneColumn { name: one.clone() });
    }
    let mut seen = BTreeSet::new();
    let twice: BTreeSet<&String> = names
        .iter()
        .filter(|name| !name.is_empty() && !seen.insert(name.as_str()))
        .collect();
    if twice.is_empty() {
        return Ok(());
    }
    Err(LogProblem::ColumnTwice {
        names: twice.into_iter().cloned().collect(),
    })
}
