//! Writes the page of a made-up study, to look at:
//! `cargo run -p report --example sample_page -- page.html [quick|paper|many|empty]`.

#[path = "../tests/sample/mod.rs"]
mod sample;

use std::process::ExitCode;

use sample::Study;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(path) = arguments.next() else {
        eprintln!("usage: sample_page PAGE.html [quick|paper|many|empty]");
        return ExitCode::from(2);
    };
    let table = match arguments.next().as_deref() {
        Some("empty") => sample::empty(),
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
    match std::fs::write(&path, report::page(&table, &sample::provenance())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot write {path}: {error}");
            ExitCode::FAILURE
        }
    }
}
