//! What is written is what is read, also where a crash or a damage came between.

use std::fs;

use super::write::KEPT;
use super::*;
use crate::{Store, history};

fn begin(study: &str) -> Begin {
    Begin {
        study: study.to_owned(),
        host: "here".to_owned(),
        pid: std::process::id(),
        at: now(),
        stages: 3,
        cached: 1,
    }
}

#[test]
fn a_run_is_seen_while_it_lives_and_after_it_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let mut journal = Journal::begin(&store, begin("study")).unwrap();
    let stage = |name: &str| (name.to_owned(), Digest::of(name.as_bytes()));
    let ((a, key), (b, other)) = (stage("a"), stage("b"));
    journal.note(&Line::Began {
        stage: a.clone(),
        key,
        at: 5,
    });
    journal.note(&Line::Began {
        stage: b.clone(),
        key: other,
        at: 6,
    });
    journal.note(&Line::Ran {
        stage: a.clone(),
        key,
        seconds: 1.0,
    });
    journal.flush().unwrap();
    let [run] = &store.runs().unwrap()[..] else {
        panic!()
    };
    assert!(run.alive && run.end.is_none());
    assert_eq!((run.running.as_slice(), run.ran), (&[(b, 6)][..], 1));
    assert_eq!(run.keys, [(a, key)]);
    // Killed: the lock goes with the process.
    let path = journal.path.clone();
    drop(journal);
    let run = read(&path).unwrap().unwrap();
    assert!(!run.alive && run.end.is_none());
}

#[test]
fn a_line_cut_short_is_no_line_and_a_flipped_byte_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let line = |stage: &str| {
        seal(&Line::Failed {
            stage: stage.to_owned(),
            error: "so".to_owned(),
        })
    };
    let mut bytes = seal(&Line::Run(begin("study")));
    let first = bytes.len();
    bytes.extend(line("a"));
    bytes.extend(line("b"));
    for length in first..bytes.len() {
        fs::write(&path, &bytes[..length]).unwrap();
        let run = read(&path).unwrap().unwrap();
        assert_eq!(run.damaged, 0);
        assert_eq!(
            run.failed.len(),
            usize::from(length >= first + line("a").len())
        );
    }
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        fs::write(&path, &flipped).unwrap();
        let seen = read(&path).unwrap();
        assert!(seen.is_none_or(|run| run.failed.len() < 2), "byte {at}");
    }
}

#[test]
fn a_line_of_another_build_is_no_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let json = r#"{"states_gone":{"states":1,"bytes":9}}"#;
    let mut bytes = seal(&Line::Run(begin("study")));
    bytes.extend(format!("{} {json}\n", checksum(json.as_bytes())).into_bytes());
    fs::write(&path, bytes).unwrap();
    assert_eq!(read(&path).unwrap().unwrap().damaged, 0);
}

#[test]
fn the_last_runs_are_kept_and_dead_ones_until_one_ends() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let place = history::folder(&store, "study");
    fs::create_dir_all(&place).unwrap();
    let ended = End {
        at: 0,
        ran: 0,
        cached: 3,
        failed: 0,
        skipped: 0,
        interrupted: false,
    };
    for number in 0..30 {
        let mut bytes = seal(&Line::Run(begin("study")));
        if number != 7 {
            bytes.extend(seal(&Line::Ended(ended.clone())));
        }
        fs::write(place.join(format!("1990-{number:02}")), bytes).unwrap();
    }
    let interrupted = End {
        interrupted: true,
        ..ended.clone()
    };
    let journal = Journal::begin(&store, begin("study")).unwrap();
    journal.end(&store, "study", interrupted).unwrap();
    let runs = store.runs().unwrap();
    assert_eq!(runs.len(), KEPT + 1, "the dead one is needed");
    fs::remove_file(paths(&place).unwrap().pop().unwrap()).unwrap();
    let journal = Journal::begin(&store, begin("study")).unwrap();
    journal.end(&store, "study", ended).unwrap();
    let runs = store.runs().unwrap();
    assert_eq!(runs.len(), KEPT);
    assert!(runs.iter().all(|run| run.end.is_some()));
}
