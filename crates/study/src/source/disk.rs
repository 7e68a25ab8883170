//! Where the files of a source are below a path, under the names that browsers, unpackers and other tools gave them.
//!
//! Names are the same if they differ in case, in the signs between words, and in `.gz` (`train-images.idx3-ubyte`). A
//! file may lie in a folder of its own name, as some unpackers make it. What a Mac leaves beside a file (`._NAME`) is
//! none.

use std::fs;
use std::path::{Path, PathBuf};

/// Names of a folder that a message shows.
const SHOWN: usize = 6;

/// The file of one of these names in one of these folders below `path`, the first that is there.
pub(super) fn find(path: &Path, folders: &[&str], called: &[&str]) -> Option<PathBuf> {
    let mut exact = called.iter().map(|name| path.join(name));
    if let Some(found) = exact.find(|path| path.is_file()) {
        return Some(found);
    }
    folders.iter().find_map(|folder| {
        let parts = folder.split('/').filter(|part| !part.is_empty());
        let folder = parts.into_iter().try_fold(path.to_owned(), |at, part| {
            child(&at, &[part], Path::is_dir)
        })?;
        child(&folder, called, Path::is_file).or_else(|| {
            let own = child(&folder, called, Path::is_dir)?;
            child(&own, called, Path::is_file)
        })
    })
}

/// What a folder holds under one of these names: as they are before alike, and of several the first by name.
fn child(folder: &Path, called: &[&str], is: fn(&Path) -> bool) -> Option<PathBuf> {
    let mut exact = called.iter().map(|name| folder.join(name));
    exact.find(|path| is(path)).or_else(|| {
        let alike = |name: &&String| called.iter().any(|called| plain(called) == plain(name));
        let names = names(folder);
        let mut paths = names.iter().filter(alike).map(|name| folder.join(name));
        paths.find(|path| is(path))
    })
}

/// A name without what may differ.
fn plain(name: &str) -> String {
    let name = name.to_lowercase();
    let name = name
        .strip_suffix(".tgz")
        .map_or(name.clone(), |stem| format!("{stem}.tar"));
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.chars().filter(|c| !"-_. ".contains(*c)).collect()
}

/// What is in a folder, sorted, but for what is hidden.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.') && name != "__MACOSX")
        .collect();
    names.sort_unstable();
    names
}

/// What is at a path, if there is anything.
pub(crate) fn contents_in_words(path: &Path) -> Option<String> {
    if path.is_file() {
        return Some("it is a file".to_owned());
    }
    if !path.is_dir() {
        return None;
    }
    let names = names(path);
    let shown = names[..names.len().min(SHOWN)].join(", ");
    Some(match names.len() {
        0 => "the folder is empty".to_owned(),
        1..=SHOWN => format!("the folder has {shown}"),
        all => format!("the folder has {shown} and {} more", all - SHOWN),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        folder
    }

    /// Which of the files is found.
    fn found(files: &[&str], folders: &[&str], called: &[&str]) -> Option<String> {
        let folder = with(files);
        find(folder.path(), folders, called).map(|path| fs::read_to_string(path).unwrap())
    }

    const CALLED: &[&str] = &["train-images-idx3-ubyte.gz", "train-images-idx3-ubyte"];
    const FOLDERS: &[&str] = &["", "raw", "mnist/raw"];

    #[test]
    fn a_file_is_found_under_the_names_that_it_has_in_practice() {
        for name in [
            "train-images-idx3-ubyte",
            "train-images-idx3-ubyte.gz",
            "train-images.idx3-ubyte",
            "Train-Images.IDX3-UByte.GZ",
            "train-images-idx3-ubyte/train-images-idx3-ubyte",
            "train-images.idx3-ubyte/train-images.idx3-ubyte",
            "MNIST/raw/train-images-idx3-ubyte",
            "raw/train-images-idx3-ubyte.gz",
        ] {
            assert_eq!(found(&[name], FOLDERS, CALLED).as_deref(), Some(name));
        }
        for name in [
            "._train-images-idx3-ubyte",
            "FashionMNIST/raw/train-images-idx3-ubyte",
        ] {
            assert_eq!(found(&[name], FOLDERS, CALLED), None);
        }
    }

    #[test]
    fn of_several_files_the_one_with_the_usual_name_counts() {
        let both = [
            "train-images.idx3-ubyte",
            "train-images-idx3-ubyte",
            "raw/train-images-idx3-ubyte.gz",
        ];
        assert_eq!(
            found(&both, FOLDERS, CALLED).as_deref(),
            Some("train-images-idx3-ubyte")
        );
        let names = ["train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"];
        assert_eq!(
            found(&names, FOLDERS, CALLED).as_deref(),
            Some("train-images-idx3-ubyte.gz")
        );
    }

    #[test]
    fn what_is_there_is_said() {
        let words = |files: &[&str]| contents_in_words(with(files).path()).unwrap();
        assert_eq!(words(&[]), "the folder is empty");
        assert_eq!(words(&["b", "a", ".hidden"]), "the folder has a, b");
        assert_eq!(
            words(&["1", "2", "3", "4", "5", "6", "7", "8"]),
            "the folder has 1, 2, 3, 4, 5, 6 and 2 more"
        );
    }
}
