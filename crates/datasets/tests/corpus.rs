//! What fuzzing started from, and what it found, read once more.

use std::fs;
use std::path::Path;

#[path = "../../../fuzz/src/readers.rs"]
mod readers;

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
fn whatever_the_bytes_are_the_readers_give_a_data_set_or_an_error() {
    replay("idx", readers::idx);
    replay("mat", readers::mat);
    replay("cifar", readers::cifar);
    replay("tar", readers::tar);
    replay("dataset", readers::dataset);
}
