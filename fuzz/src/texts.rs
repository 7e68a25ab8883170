//! Texts that people write: studies, what is set in them, site files; and manifests. Each function is a fuzz target, and
//! the tests of `study` replay its corpus: whatever the text is, what comes back is a value or diagnostics.

use std::path::PathBuf;
use std::sync::OnceLock;

/// What `--set` changes.
const BASE: &str = include_str!("../corpus/study/quickstart.yaml");

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
    if let Ok(study) = study::Study::parse("study.yaml", text) {
        let stages: u64 = study.summary().iter().map(|summary| summary.stages).sum();
        if stages < 2000 {
            study.expand();
        }
    }
}

/// An assignment.
pub(crate) fn set(bytes: &[u8]) {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let path = PATH.get_or_init(|| written("study.yaml", BASE.as_bytes()));
    if let Ok(text) = std::str::from_utf8(bytes) {
        drop(study::Study::load_with(path, &[text.to_owned()]));
    }
}

/// A site file.
pub(crate) fn site(bytes: &[u8]) {
    drop(study::Site::load(&written("site.yaml", bytes)));
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
