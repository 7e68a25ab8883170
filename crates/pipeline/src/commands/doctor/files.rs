//! The folders that studies write to, and what their file systems can do.
//!
//! Each is tried with a file of no name that anybody knows, which is gone afterwards. Where a folder is not there yet,
//! it is the one that it would be made in.

mod mount;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use engine::{Store, size};
use tempfile::NamedTempFile;

use super::finding::{Finding, shown};
use crate::commands::reason;
use crate::machine::disk;
use mount::Mount;

/// Free bytes below which results may not fit.
const LITTLE: u64 = 1 << 30;

/// Of the cache, of the folder for reports, and of the one for temporary files.
pub(super) fn findings(cache: &Path) -> Vec<Finding> {
    let mut findings = vec![folder(cache)];
    let there = there(&cache.join("v1"));
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mount = there.canonicalize().ok();
    let mount = mount.and_then(|there| Mount::of(&mounts, &there));
    findings.push(file_system(&there, mount.as_ref()));
    if let Ok(file) = NamedTempFile::new_in(&there) {
        findings.extend([
            locks(&file, mount.as_ref()),
            links(&file),
            permissions(&there),
        ]);
    }
    findings.push(written(
        "reports",
        Path::new("reports"),
        "`run` writes reports there (`--reports`)",
    ));
    findings.push(written(
        "temporary",
        &std::env::temp_dir(),
        "`command` stages run there (TMPDIR)",
    ));
    findings
}

/// The folder, or the nearest above it that is there.
fn there(folder: &Path) -> PathBuf {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let there = folder.ancestors().find(|path| path.exists());
    there.unwrap_or(Path::new("/")).to_owned()
}

fn folder(cache: &Path) -> Finding {
    let name = shown(cache);
    let there = there(&cache.join("v1"));
    if !there.is_dir() {
        let meaning = "it is not a folder: choose another (`--cache`)";
        return Finding::problem("cache", name, meaning);
    }
    if let Err(error) = NamedTempFile::new_in(&there) {
        let found = format!("{name} cannot be written: {}", reason(&error));
        let meaning =
            "its results can be used, but nothing can run: choose another folder (`--cache`)";
        return Finding::problem("cache", found, meaning);
    }
    if !cache.is_dir() {
        return Finding::ok(
            "cache",
            format!("{name} does not exist yet"),
            "the first run creates it",
        );
    }
    let kept = "results are kept there (`--cache`)";
    // One that holds nothing yet would be made by opening it.
    if !cache.join("v1").is_dir() {
        return Finding::ok("cache", name, kept);
    }
    match Store::open(cache) {
        Ok(_) => Finding::ok("cache", name, kept),
        Err(engine::Error::Newer { version, .. }) => Finding::problem(
            "cache",
            format!("{name} has version {version} of the layout"),
            "a newer version of this program wrote it: use that version, or choose another folder (`--cache`)",
        ),
        Err(_) => Finding::problem(
            "cache",
            format!("{name} cannot be read"),
            "choose another folder (`--cache`), or correct its permissions",
        ),
    }
}

fn file_system(there: &Path, mount: Option<&Mount>) -> Finding {
    let (kind, meaning) = match mount {
        Some(mount) => (mount.kind.as_str(), mount.meaning()),
        None => ("unknown type", "not said by this system"),
    };
    let (free, all) = match disk(there) {
        Ok(space) => space,
        Err(error) => {
            let found = format!("{kind}, free space unknown: {}", reason(&error));
            return Finding::note("file system", found, meaning);
        }
    };
    let found = format!("{kind}, {} free of {}", size(free), size(all));
    if free < LITTLE {
        let meaning = format!("{meaning}; a study of images may need more (`cache gc` makes room)");
        return Finding::note("file system", found, &meaning);
    }
    if mount.is_some_and(Mount::is_doubtful) {
        return Finding::note("file system", found, meaning);
    }
    Finding::ok("file system", found, meaning)
}

fn locks(file: &NamedTempFile, mount: Option<&Mount>) -> Finding {
    match file.as_file().try_lock() {
        Err(error) => Finding::problem(
            "locks",
            format!("do not work: {error}"),
            "two runs could execute the same stage at the same time: choose another folder (`--cache`)",
        ),
        Ok(()) if mount.is_some_and(Mount::locks_are_local) => Finding::note(
            "locks",
            "work on this machine only, as it is mounted",
            "runs on several machines may train the same run twice",
        ),
        Ok(()) => Finding::ok("locks", "work", "several runs may share the cache"),
    }
}

fn links(file: &NamedTempFile) -> Finding {
    let mut link = file.path().as_os_str().to_owned();
    link.push("-link");
    match fs::hard_link(file.path(), &link).and_then(|()| fs::remove_file(&link)) {
        Ok(()) => Finding::ok(
            "hard links",
            "work",
            "a result is complete or absent, even after a crash",
        ),
        Err(error) => Finding::problem(
            "hard links",
            format!("do not work: {}", reason(&error)),
            "results cannot be kept there: choose another folder (`--cache`)",
        ),
    }
}

fn permissions(there: &Path) -> Finding {
    let me = rustix::process::geteuid().as_raw();
    let owner = match fs::metadata(there) {
        Ok(folder) if folder.uid() == me => "your folder",
        Ok(_) => "another user's folder",
        Err(_) => "a folder of unknown owner",
    };
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let umask = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    let umask = umask.and_then(|text| u32::from_str_radix(text.trim(), 8).ok());
    let Some(umask) = umask else {
        return Finding::ok("permissions", owner, "who may share it is not known");
    };
    let meaning = match (umask & 0o050, umask & 0o020) {
        (0, 0) => "your group may read what you add, and add to it",
        (0, _) => "your group may read what you add, but not add to it",
        _ => "nobody else may read what you add",
    };
    Finding::ok(
        "permissions",
        format!("{owner}, umask {umask:03o}"),
        meaning,
    )
}

fn written(topic: &'static str, folder: &Path, meaning: &str) -> Finding {
    let name = shown(folder);
    match NamedTempFile::new_in(there(folder)) {
        Ok(_) => Finding::ok(topic, format!("{name} can be written"), meaning),
        Err(error) => Finding::problem(
            topic,
            format!("{name} cannot be written: {}", reason(&error)),
            meaning,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_is_tried_where_it_would_be_made_and_not_made() {
        let lab = tempfile::tempdir().unwrap();
        let cache = lab.path().join("a/b");
        let findings = findings(&cache);
        assert!(findings[0].found.ends_with("does not exist yet"));
        for finding in &findings[2..5] {
            assert_eq!(finding.state, State::Ok, "{finding}");
        }
        assert_eq!(
            fs::read_dir(lab.path()).unwrap().count(),
            0,
            "left as it was"
        );
    }

    #[test]
    fn a_file_in_the_place_of_the_cache_and_a_newer_cache_are_problems() {
        let lab = tempfile::tempdir().unwrap();
        let cache = lab.path().join("cache");
        fs::write(&cache, "").unwrap();
        assert_eq!(folder(&cache).state, State::Problem);
        fs::remove_file(&cache).unwrap();
        fs::create_dir_all(cache.join("v1")).unwrap();
        assert_eq!(folder(&cache).state, State::Ok);
        fs::create_dir_all(cache.join("v7")).unwrap();
        let newer = folder(&cache);
        assert_eq!(newer.state, State::Problem);
        assert!(newer.found.contains("version 7"), "{newer}");
    }
}
