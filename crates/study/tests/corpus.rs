//! What fuzzing started from, and what it found, read once more.

use std::fs;
use std::path::Path;

#[path = "../../../fuzz/src/texts.rs"]
mod texts;

/// Each file of a target's corpus.
fn replay(target: &str, read: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let files = fs::read_dir(folder.join(target)).unwrap();
    let mut count = 0;
    for file in files {
        read(&fs::read(file.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0, "the corpus of {target} is empty");
}

#[test]
fn whatever_the_text_is_a_study_a_site_or_a_manifest_or_mistakes_come_back() {
    replay("study", texts::study);
    replay("set", texts::set);
    replay("site", texts::site);
    replay("manifest", texts::manifest);
}
