//! Damage is found without a run; a cache of a newer version or one that cannot be written.

#[path = "toy/lab.rs"]
mod lab;
#[path = "toy/mod.rs"]
mod toy;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use engine::{Error, Flaw, Verified};
use lab::{Lab, flip};
use toy::Toy;

fn study() -> Vec<Toy> {
    vec![
        Toy::sum("data", 1, &[]),
        Toy::sum("run", 2, &["data"]),
        Toy::sum("bad", 3, &["data"]).with("end", "fail"),
    ]
}

/// A cache with something of everything.
fn full() -> Lab {
    let lab = Lab::new();
    let file = lab.path("input");
    fs::write(&file, "input").unwrap();
    let mut study = study();
    study[0] = study[0].clone().file(&file);
    lab.run(&study);
    lab.store().pin("kept", "toy study").unwrap();
    assert_eq!(verify(&lab).flaws, []);
    lab
}

fn verify(lab: &Lab) -> Verified {
    lab.store().verify_all(2).unwrap()
}

fn checked(lab: &Lab) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![fs::canonicalize(lab.path("cache/v1")).unwrap()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && !["log", "tmp", "aside"].contains(&name) {
                folders.push(path);
            } else if path.is_file() && name != "lock" {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn replace(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn any_byte_flipped_or_cut_from_any_file_is_found_without_a_run() {
    let lab = full();
    let kinds = |path: &Path| path.iter().any(|part| part == "run");
    let mut damages = 0;
    for path in checked(&lab) {
        let sound = fs::read(&path).unwrap();
        let mut tried: Vec<Vec<u8>> = Vec::new();
        // All of what says what a file is, then enough of the rest.
        for at in (0..sound.len()).filter(|at| *at < 90 || at % 4 == 0 || at + 3 > sound.len()) {
            let mut flipped = sound.clone();
            flipped[at] ^= 1 << (at % 8);
            tried.push(flipped);
            // A journal may end anywhere: its engine was killed there.
            if !kinds(&path) {
                tried.push(sound[..at].to_vec());
            }
        }
        for damaged in tried {
            replace(&path, &damaged);
            let flaws = verify(&lab).flaws;
            let found = flaws.iter().find_map(|flaw| match flaw {
                Flaw::Damaged {
                    path: at, aside, ..
                } if *at == path => Some(aside.clone()),
                _ => None,
            });
            let aside = found.unwrap_or_else(|| panic!("{}: {flaws:?}", path.display()));
            let aside = aside.expect("it can be set aside");
            assert_eq!(fs::read(&aside).unwrap(), damaged);
            assert!(!path.exists());
            fs::remove_file(aside).unwrap();
            fs::write(&path, &sound).unwrap();
            damages += 1;
        }
    }
    assert_eq!(verify(&lab).flaws, []);
    assert!(damages > 2000, "{damages}");
}

#[test]
fn what_is_gone_is_missed() {
    let study = study();
    let lab = full();
    let cas = checked(&lab)
        .into_iter()
        .find(|path| path.iter().any(|part| part == "cas"))
        .unwrap();
    fs::remove_file(&cas).unwrap();
    let flaws = verify(&lab).flaws;
    assert!(
        matches!(&flaws[..], [Flaw::LostOutput { kind, output, .. }] if kind == "sum" && output == "out"),
        "{flaws:?}"
    );
    fs::remove_dir_all(lab.path("cache/v1/ac")).unwrap();
    let flaws = verify(&lab).flaws;
    let lost = |name: &str| Flaw::LostResult {
        study: "toy study".to_owned(),
        stage: name.to_owned(),
    };
    assert_eq!(flaws, [lost("data"), lost("run")]);
    assert_eq!(lab.run(&study).summary.ran(), 2);
    assert_eq!(verify(&lab).flaws, []);
    fs::write(lab.path("cache/v1/notes.txt"), "mine").unwrap();
    assert!(
        matches!(&verify(&lab).flaws[..], [Flaw::Stray { path }] if path.ends_with("notes.txt"))
    );
}

#[test]
fn what_verify_set_aside_is_computed_again() {
    let (lab, study) = (Lab::new(), &study()[..2]);
    lab.ran(study);
    flip(&lab.blob(study, "run"));
    flip(&lab.record_file(study, "data"));
    assert_eq!(verify(&lab).flaws.len(), 2);
    assert_eq!(lab.ran(study), ["data", "run"]);
    assert_eq!(verify(&lab).flaws, []);
}

#[test]
fn a_damaged_void_mark_still_voids() {
    let lab = Lab::new();
    let study = [Toy::sum("data", 1, &[]).with("random", true)];
    lab.ran(&study);
    fs::remove_file(lab.blob(&study, "data")).unwrap();
    lab.ran(&study);
    assert_eq!(lab.record(&study, "data").attempt, 2);
    let void = checked(&lab)
        .into_iter()
        .find(|path| path.iter().any(|part| part == "void"))
        .unwrap();
    flip(&void);
    let flaws = verify(&lab).flaws;
    assert!(
        matches!(&flaws[..], [Flaw::Damaged { aside: None, path, .. }] if *path == void),
        "{flaws:?}"
    );
    assert_eq!(lab.record(&study, "data").attempt, 2);
}

#[test]
fn a_record_of_a_newer_version_is_no_damage() {
    let (lab, study) = (Lab::new(), &study()[..2]);
    lab.ran(study);
    let path = lab.record_file(study, "run");
    let body = b"{}";
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"pipeline record 2\n").update(body);
    let mut newer = format!("pipeline record 2 {}\n", hasher.finalize()).into_bytes();
    newer.extend(body);
    replace(&path, &newer);
    let refused = lab.store().verify_all(1).unwrap_err();
    assert!(
        matches!(refused, Error::Newer { version: 2, .. }),
        "{refused}"
    );
    assert!(path.exists());
}

/// Mounts a file system on a folder; false where this process may not.
fn mount(options: &[&str]) -> bool {
    let done = Command::new("mount").args(options).output();
    done.is_ok_and(|output| output.status.success())
}

struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).output();
    }
}

#[test]
fn a_cache_that_cannot_be_written_serves_what_it_holds_and_says_so_when_it_must_write() {
    let (lab, mut study) = (Lab::new(), study()[..2].to_vec());
    lab.ran(&study);
    let cache = lab.path("cache").display().to_string();
    if !mount(&["--bind", &cache, &cache]) {
        eprintln!("skipped: this user may not mount");
        return;
    }
    let _mounted = Mounted(lab.path("cache"));
    assert!(mount(&["-o", "remount,ro,bind", &cache]));
    assert!(lab.ran(&study).is_empty());
    assert_eq!(verify(&lab).flaws, []);
    assert_eq!(lab.store().runs().unwrap().len(), 1);
    study[1].set("number", 7);
    let (graph, options) = (toy::graph(&study), lab.options());
    let run = engine::run(
        &graph,
        &lab.store(),
        &toy::kinds("1"),
        &options,
        &mut |_| {},
    );
    let error = run.unwrap_err().to_string();
    let expected = format!(
        "the cache `{}` cannot be written, and it does not have all results yet; `--cache FOLDER` names another one",
        fs::canonicalize(lab.path("cache")).unwrap().display()
    );
    assert_eq!(error, expected);
    assert_eq!(lab.begun(), 2, "nothing began in vain");
}

#[test]
fn a_full_disk_is_said_and_leaves_nothing_half_written() {
    let lab = Lab::new();
    let disk = lab.path("disk");
    fs::create_dir(&disk).unwrap();
    let place = disk.display().to_string();
    if !mount(&["-t", "tmpfs", "-o", "size=256k", "tmpfs", &place]) {
        eprintln!("skipped: this user may not mount");
        return;
    }
    let _mounted = Mounted(disk.clone());
    std::os::unix::fs::symlink(disk.join("cache"), lab.path("cache")).unwrap();
    fs::create_dir(disk.join("cache")).unwrap();
    let mut study: Vec<Toy> = (0..8)
        .map(|number| Toy::sum(&format!("run/{number}"), number, &[]).with("bytes", 60_000))
        .collect();
    let run = lab.run(&study);
    let summary = &run.summary;
    assert!(
        summary.failed() > 0 && summary.failed() < 4,
        "it stops: {summary:?}"
    );
    let said = run.events.iter().any(|event| {
        matches!(event, engine::Event::Failed { error, .. } if error.contains("No space left on device"))
    });
    assert!(said, "{:?}", run.events);
    let done = run.names.clone();
    assert!(!done.is_empty());
    let verified = verify(&lab);
    assert_eq!(verified.flaws, []);
    let staged = fs::read_dir(disk.join("cache/v1/tmp")).unwrap().count();
    assert_eq!(staged, 0);
    // With more room the same command goes on.
    assert!(mount(&["-o", "remount,size=4m", &place]));
    let rest = lab.run(&study);
    assert!(rest.summary.complete());
    assert_eq!(rest.names.len(), 8 - done.len());
    study.truncate(1);
}
