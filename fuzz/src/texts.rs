//! Texts that people write: studies, what is set in them, site files; and manifests. Each function is a fuzz target, and
//! the tests of `study` replay its corpus: whatever the text is, what comes back is a value or diagnostics.

use std::path::PathBuf;
use std::sync::OnceLock;

use miette::GraphicalReportHandler;

/// What `--set` changes: a study with all that a path may lead through.
const BASE: &str = include_str!("../corpus/study/all.yaml");

/// A file of this process.
fn written(name: &str, contents: &[u8]) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the temporary folder can be written");
        folder
    });
    let path = folder.join(name);
    std::fs::write(&path, contents).expect("the temporary folder can be written");
    path
}

/// A study, checked; and its graph if it is not large.
pub(crate) fn study(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match study::Study::parse("study.yaml", text) {
        Ok(study) => expand(&study),
        Err(mistakes) => show(&mistakes),
    }
}

/// Assignments, one a line.
pub(crate) fn set(bytes: &[u8]) {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let path = PATH.get_or_init(|| {
        let path = written("study.yaml", BASE.as_bytes());
        let sound = study::Study::load(&path);
        sound.unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
        path
    });
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let assignments: Vec<String> = text.lines().take(4).map(str::to_owned).collect();
    match study::Study::load_with(path, &assignments) {
        Ok(study) => expand(&study),
        Err(mistakes) => show(&mistakes),
    }
}

/// Every mistake can be shown in its text, underlined.
fn show(mistakes: &dyn miette::Diagnostic) {
    let mut shown = String::new();
    let shows = GraphicalReportHandler::new().render_report(&mut shown, mistakes);
    shows.expect("a place in the text");
}

/// The graph, if it is not large.
fn expand(study: &study::Study) {
    let stages: u64 = study.summary().iter().map(|summary| summary.stages).sum();
    if stages < 2000 {
        study.expand();
    }
}

/// A site file.
pub(crate) fn site(bytes: &[u8]) {
    if let Err(mistakes) = study::Site::load(&written("site.yaml", bytes)) {
        show(&mistakes);
    }
}

/// A manifest: what is read is written the same.
pub(crate) fn manifest(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(manifest) = engine::Manifest::parse(text) {
        assert_eq!(manifest.text(), text);
    }
}
