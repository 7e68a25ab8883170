//! Writes the page of a made-up study, to look at:
//! `cargo run -p report --example sample_page -- PAGE.html [quick|paper|large|EDGE-CASE|FOLDER/report.json]`; into a folder
//! PAGE/ beside it, if there is one, its figures and tables. With a folder instead of a page: all of them.

#[path = "../tests/sample/mod.rs"]
mod sample;

use std::path::Path;
use std::process::ExitCode;

use analysis::report::ReportTable;
use report::{Page, Provenance};
use sample::Study;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(path) = arguments.next() else {
        eprintln!("usage: sample_page PAGE.html|FOLDER [NAME]");
        return ExitCode::from(2);
    };
    let mut pages = sample::edges::all();
    pages.push(("quick", Study::quick().table(), sample::provenance()));
    pages.push(("paper", Study::paper().table(), sample::provenance()));
    pages.push(("large", Study::large(12), sample::provenance_of(9216)));
    let path = Path::new(&path);
    let mut wanted = arguments.next().unwrap_or_else(|| "quick".into());
    if wanted.ends_with("report.json") {
        let table = std::fs::read(&wanted).map(|bytes| serde_json::from_slice(&bytes));
        let table: ReportTable = match table {
            Ok(Ok(table)) => table,
            other => {
                eprintln!("cannot read {wanted}: {:?}", other.map(Result::err));
                return ExitCode::FAILURE;
            }
        };
        pages.push(("report.json", table, sample::provenance()));
        wanted = "report.json".into();
    }
    let written = if path.is_dir() {
        pages.iter().try_for_each(|(name, table, provenance)| {
            write(&path.join(format!("{name}.html")), table, provenance)
        })
    } else {
        let Some((_, table, provenance)) = pages.iter().find(|(name, ..)| *name == wanted) else {
            let names: Vec<&str> = pages.iter().map(|(name, ..)| *name).collect();
            eprintln!("no study {wanted}; there are {}", names.join(", "));
            return ExitCode::from(2);
        };
        write(path, table, provenance)
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot write {}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}

fn write(path: &Path, table: &ReportTable, provenance: &Provenance) -> std::io::Result<()> {
    let page = Page::new(table, provenance, None);
    std::fs::write(path, page.html())?;
    let folder = path.with_extension("");
    if !folder.is_dir() {
        return Ok(());
    }
    page.files()
        .iter()
        .try_for_each(|file| std::fs::write(folder.join(&file.name), &file.text))
}
