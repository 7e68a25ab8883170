//! The same study gives the same bytes however its work is spread.

use std::collections::BTreeSet;
use std::path::Path;

use crate::lab::{Lab, TINY, stderr};

/// The digests of everything in the cache: a blob's name is the blake3 of its contents.
fn blobs(folder: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(folder).expect("the cache is there") {
        let entry = entry.expect("it can be read");
        if entry.file_type().expect("it has a type").is_dir() {
            names.extend(blobs(&entry.path()));
        } else {
            names.insert(entry.file_name().into_string().expect("digests are text"));
        }
    }
    names
}

#[test]
fn jobs_and_threads_change_no_byte_of_any_result() {
    // Convolutions, big enough batches that threads share the work of a step.
    let study = TINY.replace("{ mlp: { hidden: [8] } }", "{ cnn: { channels: [8, 16] } }");
    assert_ne!(study, TINY);
    let results = |spread: &[&str]| {
        let lab = Lab::new(&study);
        let output = lab.output(&[&["run", "study.yaml"], spread].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        blobs(&lab.path("cache/v1/cas"))
    };
    let one = results(&["--jobs", "1", "--threads", "1"]);
    assert!(one.len() > 20, "{one:?}");
    assert!(one == results(&["--jobs", "2", "--threads", "1"]));
    assert!(one == results(&["--jobs", "1", "--threads", "3"]));
}
