//! Folders, and patterns such as `data/*.csv`, as inputs.
//!
//! Their digest is that of a text with a line for each file: whether it may be executed, the digest of its contents,
//! its name. Order, times and owners are no part of it, and neither are folders without files. Links are followed:
//! what they lead to is what a program reads.

use std::fmt::Write as _;
use std::fs::{self, File, Metadata, Permissions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::{Digest, Error, Store, UnfitInput};

/// What programs leave in folders and nobody means.
const LEFT_OUT: [&str; 4] = [".git", "__pycache__", ".ipynb_checkpoints", ".DS_Store"];
/// Digests of folders are derived in a domain of their own: no file's contents have one.
const DOMAIN: &str = "pipeline 2026-11-28 folder as an input";
/// Files that an input may have.
const MOST: usize = 1_000_000;

/// A file in a folder.
pub(crate) struct Entry {
    /// Its path in the folder, with `/`.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) executable: bool,
}

/// What a path of an input leads to.
pub(crate) enum There {
    File,
    /// A folder, or what fits a pattern: its files by name.
    Folder(Vec<Entry>),
}

/// Whether there is something to read at the path of an input, a file, a folder or a pattern.
pub fn input_exists(path: &Path) -> bool {
    match pattern(path) {
        None => path.exists(),
        Some(pattern) => matches!(fitting(path, &pattern), Ok(found) if !found.is_empty()),
    }
}

/// Looks at what an input's path leads to.
///
/// # Errors
///
/// If it cannot be read, or is nothing that can be an input.
pub(crate) fn there(path: &Path) -> Result<There, Error> {
    if let Some(pattern) = pattern(path) {
        let found = fitting(path, &pattern)?;
        if found.is_empty() {
            return Err(unfit(path, UnfitInput::NoFileFits));
        }
        return Ok(There::Folder(found));
    }
    let metadata = fs::metadata(path).map_err(reading(path))?;
    if metadata.is_dir() {
        let mut found = Vec::new();
        descend(path, "", &mut Vec::new(), &mut found)?;
        found.sort_by(|a, b| a.name.cmp(&b.name));
        return Ok(There::Folder(found));
    }
    regular(path, &metadata).map(|()| There::File)
}

/// The digest of a folder's files.
///
/// # Errors
///
/// If one cannot be read.
pub(crate) fn digest(store: &Store, entries: &[Entry]) -> Result<Digest, Error> {
    let digests = entries
        .iter()
        .map(|entry| store.digest_of_file(&entry.path));
    let digests = digests.collect::<Result<Vec<_>, _>>()?;
    Ok(digest_of(listed(entries).zip(digests)))
}

fn listed(entries: &[Entry]) -> impl Iterator<Item = (bool, &str)> {
    entries
        .iter()
        .map(|entry| (entry.executable, entry.name.as_str()))
}

/// The digest of files: whether each may be executed, its name, and the digest of its contents.
pub(crate) fn digest_of<'e>(files: impl Iterator<Item = ((bool, &'e str), Digest)>) -> Digest {
    let mut text = String::new();
    for ((executable, name), digest) in files {
        let mode = if executable { 'x' } else { '-' };
        // Names may hold line ends.
        writeln!(text, "{mode} {digest} {name:?}").expect("writing to a String cannot fail");
    }
    blake3::Hash::from_bytes(blake3::derive_key(DOMAIN, text.as_bytes())).into()
}

/// Copies the files into a new folder, for reading alone. Gives their digest, of what was copied, and their length.
///
/// # Errors
///
/// If one cannot be read or written.
pub(crate) fn copy(entries: &[Entry], folder: &Path) -> Result<(Digest, u64), Error> {
    fs::create_dir(folder).map_err(Error::io("create", folder))?;
    let (mut digests, mut bytes) = (Vec::new(), 0);
    let mut buffer = vec![0; 1 << 16];
    for entry in entries {
        let to = folder.join(&entry.name);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
        }
        let mut from = File::open(&entry.path).map_err(reading(&entry.path))?;
        let mut copy = File::create_new(&to).map_err(Error::io("create", &to))?;
        let mut hasher = blake3::Hasher::new();
        loop {
            let read = from.read(&mut buffer).map_err(reading(&entry.path))?;
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
            copy.write_all(&buffer[..read])
                .map_err(Error::io("write", &to))?;
            bytes += read as u64;
        }
        let mode = if entry.executable { 0o555 } else { 0o444 };
        copy.set_permissions(Permissions::from_mode(mode))
            .map_err(Error::io("write", &to))?;
        digests.push(hasher.finalize().into());
    }
    Ok((digest_of(listed(entries).zip(digests)), bytes))
}

/// Finds the files below `folder/path`; `above` are the folders that are being looked through.
fn descend(
    folder: &Path,
    path: &str,
    above: &mut Vec<PathBuf>,
    found: &mut Vec<Entry>,
) -> Result<(), Error> {
    let here = folder.join(path);
    let own = fs::canonicalize(&here).map_err(reading(&here))?;
    if above.contains(&own) {
        return Err(unfit(&here, UnfitInput::LinksToItsFolder));
    }
    above.push(own);
    for entry in fs::read_dir(&here).map_err(reading(&here))? {
        let name = entry.map_err(reading(&here))?.file_name();
        let inside = here.join(&name);
        let Some(name) = name.to_str() else {
            return Err(unfit(&inside, UnfitInput::NotUtf8));
        };
        if LEFT_OUT.contains(&name) {
            continue;
        }
        let inner = if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}/{name}")
        };
        let metadata = fs::metadata(&inside).map_err(reading(&inside))?;
        if metadata.is_dir() {
            descend(folder, &inner, above, found)?;
        } else {
            add(inside, inner, &metadata, found)?;
        }
    }
    above.pop();
    Ok(())
}

fn add(
    path: PathBuf,
    name: String,
    metadata: &Metadata,
    found: &mut Vec<Entry>,
) -> Result<(), Error> {
    regular(&path, metadata)?;
    if found.len() == MOST {
        return Err(unfit(&path, UnfitInput::TooManyFiles));
    }
    found.push(Entry {
        name,
        path,
        executable: metadata.permissions().mode() & 0o111 != 0,
    });
    Ok(())
}

/// A pipe or a device would never end, or have other contents each time.
fn regular(path: &Path, metadata: &Metadata) -> Result<(), Error> {
    if metadata.is_file() {
        return Ok(());
    }
    Err(unfit(path, UnfitInput::NeitherFileNorFolder))
}

/// The part of a path from its first `*` on, in words; none where there is no `*`, or a file is really called so.
fn pattern(path: &Path) -> Option<Vec<String>> {
    let words: Vec<String> = path
        .components()
        .map(|word| word.as_os_str().to_string_lossy().into_owned())
        .collect();
    let first = words.iter().position(|word| word.contains('*'))?;
    (!path.exists()).then(|| words[first..].to_vec())
}

/// The files that fit a pattern, named from the folder on in which its first `*` is.
fn fitting(path: &Path, pattern: &[String]) -> Result<Vec<Entry>, Error> {
    let words = path.components().count() - pattern.len();
    let base: PathBuf = path.components().take(words).collect();
    let mut found = Vec::new();
    if !base.as_os_str().is_empty() && !base.exists() {
        return Ok(found);
    }
    fit(&base, "", pattern, &mut found)?;
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn fit(base: &Path, path: &str, pattern: &[String], found: &mut Vec<Entry>) -> Result<(), Error> {
    let Some((word, rest)) = pattern.split_first() else {
        return Ok(());
    };
    let here = if base.as_os_str().is_empty() && path.is_empty() {
        PathBuf::from(".")
    } else {
        base.join(path)
    };
    for entry in fs::read_dir(&here).map_err(reading(&here))? {
        let name = entry.map_err(reading(&here))?.file_name();
        let Some(name) = name.to_str() else { continue };
        // As in a shell, what is hidden is asked for by its dot.
        if !fits(word, name) || name.starts_with('.') && !word.starts_with('.') {
            continue;
        }
        let inside = here.join(name);
        let inner = if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}/{name}")
        };
        let metadata = fs::metadata(&inside).map_err(reading(&inside))?;
        match (metadata.is_dir(), rest.is_empty()) {
            (true, false) => fit(base, &inner, rest, found)?,
            (true, true) => descend(base, &inner, &mut Vec::new(), found)?,
            (false, true) => add(inside, inner, &metadata, found)?,
            (false, false) => {}
        }
    }
    Ok(())
}

/// Whether a word with `*`, which stands for any text, is this name.
fn fits(word: &str, name: &str) -> bool {
    let Some((before, after)) = word.split_once('*') else {
        return word == name;
    };
    let Some(rest) = name.strip_prefix(before) else {
        return false;
    };
    let mut ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    ends.any(|at| fits(after, &rest[at..]))
}

fn reading(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| match source.kind() {
        ErrorKind::NotFound if path.symlink_metadata().is_ok() => {
            unfit(&path, UnfitInput::LinksToNothing)
        }
        ErrorKind::NotFound => Error::NoInputFile { path },
        _ => Error::Io {
            doing: "read the input",
            path,
            source,
        },
    }
}

fn unfit(path: &Path, why: UnfitInput) -> Error {
    Error::UnfitInput {
        path: path.to_owned(),
        why,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    struct Lab {
        folder: tempfile::TempDir,
        store: Store,
    }

    impl Lab {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::open(&folder.path().join("cache")).unwrap();
            let lab = Self { folder, store };
            lab.write("src/a.py", "a");
            lab.write("src/sub/b.py", "b");
            lab
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn write(&self, name: &str, contents: &str) {
            let path = self.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, contents).unwrap();
        }

        fn digest(&self, name: &str) -> Digest {
            self.store.digest_file(&self.path(name)).unwrap()
        }

        fn error(&self, name: &str) -> String {
            let error = self.store.digest_file(&self.path(name)).unwrap_err();
            error
                .to_string()
                .replace(&self.path("").display().to_string(), "")
        }

        fn copied(&self, name: &str) -> (Digest, Vec<String>) {
            let There::Folder(entries) = there(&self.path(name)).unwrap() else {
                panic!("a folder");
            };
            let copy = self.path("copy");
            let digest = super::copy(&entries, &copy).unwrap().0;
            fs::remove_dir_all(copy).unwrap();
            (
                digest,
                entries.into_iter().map(|entry| entry.name).collect(),
            )
        }
    }

    #[test]
    fn a_folder_is_its_names_contents_and_executable_bits() {
        let lab = Lab::new();
        let before = lab.digest("src");
        assert_eq!(
            lab.copied("src"),
            (before, vec!["a.py".to_owned(), "sub/b.py".to_owned()])
        );
        // Neither where it lies nor what programs leave there.
        for file in [
            "other/sub/b.py",
            "other/a.py",
            "other/.git/HEAD",
            "other/__pycache__/a.pyc",
        ] {
            lab.write(file, &file[file.len() - 4..][..1]);
        }
        fs::create_dir(lab.path("other/empty")).unwrap();
        assert_eq!(lab.digest("other"), before);
        let mut seen = vec![before];
        lab.write("src/c.py", "c");
        seen.push(lab.digest("src"));
        fs::rename(lab.path("src/c.py"), lab.path("src/d.py")).unwrap();
        seen.push(lab.digest("src"));
        lab.write("src/d.py", "d");
        seen.push(lab.digest("src"));
        fs::set_permissions(lab.path("src/d.py"), Permissions::from_mode(0o755)).unwrap();
        seen.push(lab.digest("src"));
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 5, "each change is seen");
    }

    #[test]
    fn a_pattern_is_the_files_that_fit_it() {
        let lab = Lab::new();
        for file in [
            "data/1.csv",
            "data/2.csv",
            "data/2.txt",
            "data/.3.csv",
            "runs/x/m.csv",
            "runs/y/m.csv",
            "runs/z",
        ] {
            lab.write(file, file);
        }
        assert_eq!(lab.copied("data/*.csv").1, ["1.csv", "2.csv"]);
        assert_eq!(lab.copied("runs/*/m.csv").1, ["x/m.csv", "y/m.csv"]);
        assert_eq!(lab.copied("s*").1, ["src/a.py", "src/sub/b.py"]);
        assert_eq!(lab.digest("data/*.csv"), lab.copied("data/*.csv").0);
        assert_eq!(
            lab.error("data/*.json"),
            "`data/*.json` cannot be an input: no file fits this pattern"
        );
        assert!(
            lab.error("none/*.json")
                .ends_with("no file fits this pattern")
        );
        assert!(input_exists(&lab.path("data/*.csv")) && !input_exists(&lab.path("data/*.json")));
    }

    #[test]
    fn links_are_followed_unless_they_lead_nowhere_or_round() {
        let lab = Lab::new();
        let before = lab.digest("src");
        fs::rename(lab.path("src/sub"), lab.path("elsewhere")).unwrap();
        symlink("../elsewhere", lab.path("src/sub")).unwrap();
        assert_eq!(lab.digest("src"), before);
        symlink("..", lab.path("elsewhere/up")).unwrap();
        assert!(
            lab.error("src")
                .ends_with("it links to a folder that it is in")
        );
        fs::remove_file(lab.path("elsewhere/up")).unwrap();
        symlink("nothing", lab.path("src/lost")).unwrap();
        assert_eq!(
            lab.error("src"),
            "`src/lost` cannot be an input: it links to nothing"
        );
    }

    #[test]
    fn what_is_no_file_is_refused_before_it_is_read() {
        let lab = Lab::new();
        let _socket = UnixListener::bind(lab.path("src/socket")).unwrap();
        assert_eq!(
            lab.error("src"),
            "`src/socket` cannot be an input: it is neither a file nor a folder"
        );
        assert_eq!(
            lab.error("src/socket"),
            "`src/socket` cannot be an input: it is neither a file nor a folder"
        );
        assert!(lab.error("none").starts_with("there is no file `none`"));
    }
}
