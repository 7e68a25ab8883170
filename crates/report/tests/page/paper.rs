//! Figures as a paper wants them.

use std::path::Path;
use std::process::Command;

use report::Page;

use crate::sample::{self, Study};

fn output(program: &str, arguments: &[&str], folder: &Path) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .ok()?;
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {error}");
    Some(String::from_utf8(output.stdout).expect("text"))
}

/// The line of `doc/export.md` that makes a PDF, without what is the shell's.
fn documented() -> Vec<String> {
    let page = include_str!("../../../../doc/export.md");
    let line = page
        .lines()
        .find(|line| line.trim().starts_with("rsvg-convert "))
        .expect("the page has the line");
    line.replace("\"${figure%.svg}.pdf\"", "figure.pdf")
        .replace("\"$figure\"", "figure.svg")
        .split_whitespace()
        .map(str::to_owned)
        .collect()
}

#[test]
fn each_figure_becomes_a_pdf_as_wide_as_a_column_with_its_fonts_embedded() {
    let line = documented();
    let arguments: Vec<&str> = line[1..].iter().map(String::as_str).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let tools = [
        (line[0].as_str(), "--version"),
        ("pdffonts", "-v"),
        ("pdfinfo", "-v"),
    ];
    for (tool, version) in tools {
        if output(tool, &[version], folder.path()).is_none() {
            eprintln!("skipped: {tool} is not here");
            return;
        }
    }
    let table = Study::quick().table();
    let files = Page::new(&table, &sample::provenance(), None).files();
    let mut figures = 0;
    for file in files
        .iter()
        .filter(|file| Path::new(&file.name).extension() == Some("svg".as_ref()))
    {
        std::fs::write(folder.path().join("figure.svg"), &file.text).expect("written");
        output(&line[0], &arguments, folder.path());
        // Two lines of a head, then a font a line: name, type, encoding, embedded, subset, unicode, object.
        let fonts = output("pdffonts", &["figure.pdf"], folder.path()).expect("it is here");
        let fonts: Vec<&str> = fonts.lines().skip(2).collect();
        assert!(!fonts.is_empty(), "{}: no letters", file.name);
        for font in fonts {
            let words: Vec<&str> = font.split_whitespace().collect();
            let embedded = words[words.len() - 5];
            assert_eq!(embedded, "yes", "{}: {font}", file.name);
        }
        let info = output("pdfinfo", &["figure.pdf"], folder.path()).expect("it is here");
        let size = info
            .lines()
            .find_map(|line| line.strip_prefix("Page size:"))
            .expect("a size");
        let width: f64 = size
            .split_whitespace()
            .next()
            .and_then(|points| points.parse().ok())
            .expect("a width in points");
        let column = 85.0 / 25.4 * 72.0;
        assert!(
            (width - column).abs() < 1.0,
            "{}: {width} points",
            file.name
        );
        figures += 1;
    }
    assert!(figures > 5, "{figures} figures");
}
