//! What fuzzing started from, and what it found, for tests that read it once more.

use std::fs;
use std::path::Path;

/// Reads each file of a target's corpus.
pub(crate) fn replay(target: &str, read: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let mut count = 0;
    for file in fs::read_dir(corpus.join(target)).expect("the target has a corpus") {
        let path = file.expect("it can be read").path();
        // A failure is told with the file.
        eprintln!("{}", path.display());
        read(&fs::read(path).expect("it can be read"));
        count += 1;
    }
    assert!(count > 0, "the corpus of {target} is empty");
}
