//! Writes the page of a made-up study, to look at:
//! `cargo run -p report --example sample_page -- page.html [quick|paper|large|many|empty]`.

#[path = "../tests/sample/mod.rs"]
mod sample;

use std::process::ExitCode;

use sample::Study;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(path) = arguments.next() else {
        eprintln!("usage: sample_page PAGE.html [quick|paper|large|many|empty]");
        return ExitCode::from(2);
    };
    let table = match arguments.next().as_deref() {
        Some("empty") => sample::empty(),
        Some("large") => Study::large(),
        Some("paper") => Study::paper().table(),
        Some("many") => Study {
            batches: (0..40).map(|i| 8 * (i + 1)).collect(),
            targets: 12,
            grid: 8,
            ..Study::quick()
        }
        .table(),
        _ => Study::quick().table(),
    };
    let page = report::page(&table, &sample::provenance());
    let written = std::fs::write(&path, &page).and_then(|()| {
        // With a folder beside the page's path, its figures and tables too.
        let folder = std::path::Path::new(&path).with_extension("");
        if !folder.is_dir() {
            return Ok(());
        }
        report::exhibits(&page, &table)
            .iter()
            .try_for_each(|exhibit| std::fs::write(folder.join(&exhibit.name), &exhibit.text))
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot write {path}: {error}");
            ExitCode::FAILURE
        }
    }
}
