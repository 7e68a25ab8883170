//! A folder as a tar file with the same bytes wherever and whenever it is made: entries by name, no times, no owners.

use std::fs::{self, File};
use std::io::{BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{Error, Failure};

/// Bytes that are read at once.
const CHUNK: usize = 1 << 18;

/// The paths of all files below a folder, relative to it, sorted, but for those that are passed over; links are an
/// error.
pub(super) fn files(folder: &Path, over: &dyn Fn(&str) -> bool) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    descend(folder, "", over, &mut found)?;
    found.sort();
    Ok(found)
}

fn descend(
    folder: &Path,
    path: &str,
    over: &dyn Fn(&str) -> bool,
    found: &mut Vec<String>,
) -> Result<(), Failure> {
    for entry in fs::read_dir(folder.join(path))? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name
            .to_str()
            .ok_or_else(|| Error::NotUtf8 { path: entry.path() })?;
        let inner = if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}/{name}")
        };
        if over(&inner) {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            descend(folder, &inner, over, found)?;
        } else if kind.is_file() {
            found.push(inner);
        } else {
            return Err(Error::NeitherFileNorFolder { name: inner }.into());
        }
    }
    Ok(())
}

/// Writes the folder's files as a tar file. Folders in it that are empty are left out.
pub(super) fn pack(folder: &Path, tar: &mut dyn Write) -> Result<(), Failure> {
    let mut tar = tar::Builder::new(tar);
    for name in files(folder, &|_| false)? {
        let file = File::open(folder.join(&name))?;
        let metadata = file.metadata()?;
        let executable = metadata.permissions().mode() & 0o111 != 0;
        let mut header = tar::Header::new_gnu();
        header.set_size(metadata.len());
        header.set_mode(if executable { 0o755 } else { 0o644 });
        tar.append_data(&mut header, &name, file)?;
    }
    Ok(tar.finish()?)
}

/// Unpacks what [`pack`] made.
pub(super) fn unpack(tar: impl Read, folder: &Path) -> Result<(), Failure> {
    let mut archive = tar::Archive::new(BufReader::with_capacity(CHUNK, tar));
    archive.set_preserve_mtime(false);
    Ok(archive.unpack(folder)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_folders_are_equal_files_and_come_back_as_they_were() {
        let write = |order: &[&str]| {
            let folder = tempfile::tempdir().expect("a folder");
            fs::create_dir(folder.path().join("b")).expect("a folder in it");
            for name in order {
                fs::write(folder.path().join(name), name).expect("a file");
            }
            let mut bytes = Vec::new();
            pack(folder.path(), &mut bytes).expect("it can be packed");
            (folder, bytes)
        };
        let (_, bytes) = write(&["a", "b/c", "d"]);
        let (folder, other) = write(&["d", "b/c", "a"]);
        assert_eq!(bytes, other);
        let copy = tempfile::tempdir().expect("a folder");
        unpack(&bytes[..], copy.path()).expect("it can be unpacked");
        let found = files(copy.path(), &|_| false).expect("files");
        assert_eq!(found, ["a", "b/c", "d"]);
        assert_eq!(
            fs::read_to_string(copy.path().join("b/c")).expect("a file"),
            "b/c"
        );
        std::os::unix::fs::symlink("a", folder.path().join("link")).expect("a link");
        assert!(
            pack(folder.path(), &mut Vec::new()).is_err(),
            "a link is not followed"
        );
    }
}
