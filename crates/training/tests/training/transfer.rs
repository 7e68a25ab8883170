//! What goes between host and device goes through one place, or counting it would mean nothing.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|of| of == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn nothing_in_this_crate_reads_or_sends_tensors_past_the_place_that_counts() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut seen = 0;
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        // Tests read what they like.
        let product = text
            .split("#[cfg(test)]")
            .next()
            .and_then(|text| text.split("#[cfg(all(test").next())
            .unwrap();
        seen += product.matches("transfer::").count();
        for past in [
            "into_data(",
            "to_data(",
            "into_scalar(",
            "from_data(",
            "from_floats(",
            "from_ints(",
            "Transaction",
        ] {
            assert!(!product.contains(past), "{}: {past}", file.display());
        }
    }
    assert!(seen > 10, "{seen}");
}
