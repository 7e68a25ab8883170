//! Caches as they are elsewhere: under names of other systems, with other people's umasks, on full disks.

#[path = "toy/lab.rs"]
mod lab;
#[path = "toy/mod.rs"]
mod toy;

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use engine::{Event, Store};
use lab::Lab;
use toy::Toy;

fn study(number: u64) -> Vec<Toy> {
    vec![
        Toy::sum("data", number, &[]),
        Toy::sum("run", 10, &["data"]).with("steps", 3),
    ]
}

#[test]
fn a_cache_and_an_input_whose_paths_are_not_utf_8_serve_as_any_other() {
    let lab = Lab::new();
    let folder = lab.path("").join(OsStr::from_bytes(b"caf\xe9"));
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("input"), "one").unwrap();
    let toys = [Toy::sum("data", 1, &[]).file(&folder.join("input"))];
    let run = |verify: bool| {
        let (graph, mut options) = (toy::graph(&toys), lab.options());
        if verify {
            options.verify = graph.ids().collect();
        }
        let store = Store::open(&folder).unwrap();
        let mut events = Vec::new();
        let summary = engine::run(&graph, &store, &toy::kinds("1"), &options, &mut |event| {
            events.push(event);
        });
        (summary.unwrap(), events)
    };
    assert_eq!(run(false).0.ran(), 1);
    assert_eq!(run(false).0.cached(), 1);
    // What is said of damage names a path, too.
    let blob = lab::files(&folder.join("v1/cas")).remove(0);
    lab::flip(&blob);
    let (summary, events) = run(true);
    assert_eq!(summary.ran(), 1);
    let told = events
        .iter()
        .find(|event| matches!(event, Event::Corrupt { .. }));
    assert!(
        serde_json::to_string(told.unwrap())
            .unwrap()
            .contains("aside")
    );
}

#[test]
fn a_study_with_a_very_long_name_is_remembered_and_its_results_are_kept() {
    let lab = Lab::new();
    let mut options = lab.options();
    options.study = "größer und größer ".repeat(40);
    assert!(lab.run_with(&study(1), &options).summary.complete());
    let studies = lab.store().studies().unwrap();
    assert_eq!(studies[0].study.as_ref(), Some(&options.study));
    assert_eq!(studies[0].results, 2);
    let all = engine::Policy {
        older_than: Some(std::time::Duration::ZERO),
        ..engine::Policy::default()
    };
    assert!(lab.store().gc(&all, true).unwrap().deletions.is_empty());
    assert_eq!(lab.run_with(&study(1), &options).summary.cached(), 2);
    assert_eq!(
        lab.store().pin(&options.study, &options.study).unwrap(),
        Some(2)
    );
    assert_eq!(lab.store().pins().unwrap().len(), 1);
}

#[test]
fn in_a_folder_of_a_group_everyone_of_it_may_use_the_cache_whatever_the_umask_of_who_ran_first() {
    let lab = Lab::new();
    fs::create_dir(lab.path("cache")).unwrap();
    fs::set_permissions(lab.path("cache"), Permissions::from_mode(0o2775)).unwrap();
    let engine = lab.engine_command(&study(1));
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "umask 077; exec \"$0\" \"$@\""])
        .arg(engine.get_program())
        .args(engine.get_args())
        .stdout(Stdio::null());
    assert!(shell.status().unwrap().success());
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode();
    for file in lab::files(&lab.path("cache")) {
        let path = file.strip_prefix(lab.path("cache/v1")).unwrap();
        let journal = path.starts_with("run") && !path.ends_with("last");
        // The lock and the logs are opened by all to lock and to write them.
        let wanted = match path.iter().next().and_then(OsStr::to_str) {
            Some("lock" | "log") => 0o060,
            _ => 0o040,
        };
        assert!(
            mode(&file) & wanted == wanted,
            "{} {:o}",
            path.display(),
            mode(&file)
        );
        assert!(!journal || mode(&file) & 0o040 != 0);
        let folder = mode(file.parent().unwrap());
        assert_eq!(
            folder & 0o070,
            0o070,
            "the folder of {}: {folder:o}",
            path.display()
        );
    }
}

#[test]
fn a_folder_of_one_user_stays_as_its_umask_has_it() {
    let lab = Lab::new();
    let engine = lab.engine_command(&study(1));
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "umask 077; exec \"$0\" \"$@\""])
        .arg(engine.get_program())
        .args(engine.get_args())
        .stdout(Stdio::null());
    assert!(shell.status().unwrap().success());
    for file in lab::files(&lab.path("cache")) {
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", file.display());
    }
}

#[test]
fn on_a_full_disk_checkpoints_that_nobody_needs_make_room_for_results() {
    let lab = Lab::new();
    let disk = lab.path("cache");
    fs::create_dir(&disk).unwrap();
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=400k", "tmpfs"])
        .arg(&disk)
        .stderr(Stdio::null())
        .status();
    if !mount.is_ok_and(|status| status.success()) {
        eprintln!("skipped: this user may not mount");
        return;
    }
    // 200 kB of checkpoints, then as much of results.
    let long = |number: u64| {
        let toy = Toy::sum(&format!("long/{number}"), number, &[]);
        toy.with("steps", 1).with("width", 50_000)
    };
    let first: Vec<Toy> = (0..4).map(long).collect();
    let then: Vec<Toy> = (0..4)
        .map(|number| Toy::sum(&format!("large/{number}"), number, &[]).with("bytes", 50_000))
        .collect();
    let (kept, run) = std::panic::catch_unwind(|| {
        lab.ran(&first);
        let kept = lab.kept().len();
        (kept, lab.run(&then).summary)
    })
    .unwrap_or_else(|_| panic!("a run did not come to its end"));
    let left = lab.kept().len();
    let flaws = lab.store().verify_all(1).unwrap().flaws;
    Command::new("umount")
        .arg("-l")
        .arg(&disk)
        .status()
        .unwrap();
    assert!(run.complete(), "{run:?}");
    assert!(kept == 4 && left < 4, "{kept}, {left}");
    assert_eq!(flaws, []);
}

#[test]
fn what_is_written_piece_by_piece_is_stored_as_what_is_given_whole() {
    let lab = Lab::new();
    let contents: Vec<u8> = (0..3_000_001_u32).map(|n| (n % 251) as u8).collect();
    let put = || {
        lab.store().put_written(|file| {
            contents
                .chunks(7001)
                .try_for_each(|piece| file.write_all(piece))
        })
    };
    let blob = put().unwrap().unwrap();
    assert_eq!(blob, lab.store().put(&contents).unwrap());
    assert_eq!(put().unwrap().unwrap(), blob, "it is there already");
    assert_eq!(lab.store().read(blob.digest).unwrap(), contents);
    let refused = lab.store().put_written(|file| {
        file.write_all(b"half")?;
        Err(std::io::Error::other("the reader says no"))
    });
    assert_eq!(
        refused.unwrap().unwrap_err().to_string(),
        "the reader says no"
    );
    assert!(lab::files(&lab.path("cache/v1/tmp")).is_empty());
}
