//! The store by itself: what is published is found, what is damaged is not believed.

#[path = "toy/lab.rs"]
mod lab;
#[path = "toy/mod.rs"]
mod toy;

use std::collections::BTreeMap;
use std::fs;

use engine::{Digest, Error, Manifest, Provenance, Record, Store};
use lab::files;
use serde_json::Map;

fn provenance() -> Provenance {
    Provenance {
        program: "pipeline 0.1.0".to_owned(),
        commit: None,
        host: "host".to_owned(),
        device: "cpu".to_owned(),
        threads: 1,
        start: "2026-03-01T12:00:00Z".to_owned(),
        seconds: 0.5,
        executor: Map::new(),
    }
}

fn text() -> String {
    Manifest::new("train", "1", Map::new(), BTreeMap::new()).text()
}

fn publish(store: &Store, contents: &[u8]) -> std::sync::Arc<Record> {
    let blobs = BTreeMap::from([("curve".to_owned(), contents.to_vec().into())]);
    store
        .publish(&text(), blobs, Map::new(), provenance())
        .unwrap()
}

#[test]
fn a_result_is_found_by_another_process_with_its_contents() {
    let folder = tempfile::tempdir().unwrap();
    let published = publish(&Store::open(folder.path()).unwrap(), b"curve");
    let store = Store::open(folder.path()).unwrap();
    let found = store.lookup(published.key).unwrap().record.unwrap();
    assert_eq!(found, published);
    assert_eq!(found.manifest, text());
    assert!(store.holds(&found.outputs["curve"]));
    assert_eq!(store.read(found.outputs["curve"].digest).unwrap(), b"curve");
    assert!(store.lookup(Digest::of(b"else")).unwrap().record.is_none());
}

#[test]
fn published_files_lie_where_the_layout_says_and_are_read_only() {
    let folder = tempfile::tempdir().unwrap();
    let record = publish(&Store::open(folder.path()).unwrap(), b"curve");
    let (key, blob) = (
        record.key.to_string(),
        record.outputs["curve"].digest.to_string(),
    );
    let expected = [
        format!("v1/ac/{}/{key}/1", &key[..2]),
        format!("v1/cas/{}/{blob}", &blob[..2]),
    ];
    assert_eq!(
        files(folder.path()),
        expected.map(|path| folder.path().join(path))
    );
    assert!(
        files(folder.path())
            .iter()
            .all(|path| fs::metadata(path).unwrap().permissions().readonly())
    );
}

#[test]
fn publishing_the_same_again_leaves_the_record_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let first = publish(&store, b"curve");
    assert_eq!(publish(&store, b"curve"), first);
    assert_eq!(files(folder.path()).len(), 2);
}

#[test]
fn publishing_something_else_voids_the_record_and_numbers_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    for (attempt, contents) in [(1, b"one"), (2, b"two"), (3, b"one")] {
        let record = publish(&store, contents);
        assert_eq!(record.attempt, attempt);
        assert_eq!(store.lookup(record.key).unwrap().record.unwrap(), record);
    }
}

#[test]
fn every_flipped_byte_and_every_cut_of_any_file_is_noticed_and_made_good() {
    let folder = tempfile::tempdir().unwrap();
    let record = publish(&Store::open(folder.path()).unwrap(), b"curve");
    let blob = record.outputs["curve"].digest;
    for path in files(folder.path()) {
        let sound = fs::read(&path).unwrap();
        let mut damages: Vec<Vec<u8>> = (0..sound.len())
            .map(|length| sound[..length].to_vec())
            .collect();
        damages.extend((0..sound.len()).map(|at| {
            let mut flipped = sound.clone();
            flipped[at] ^= 0x20;
            flipped
        }));
        for damaged in damages {
            fs::remove_file(&path).unwrap();
            fs::write(&path, &damaged).unwrap();
            // A process that has read nothing yet.
            let store = Store::open(folder.path()).unwrap();
            let found = store.lookup(record.key).unwrap();
            let noticed = match found.record {
                None => found.damaged == [path.clone()],
                Some(_) => matches!(store.read(blob), Err(Error::Damaged { .. })),
            };
            assert!(noticed, "{} of {} bytes", damaged.len(), sound.len());
            publish(&store, b"curve");
            assert_eq!(fs::read(&path).unwrap(), sound);
            let problems = store.take_problems();
            assert_eq!(problems.len(), 1);
            assert_eq!(
                fs::read(&problems[0].path).unwrap(),
                damaged,
                "what was set aside is what was there"
            );
        }
    }
}

#[test]
fn a_record_under_another_key_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let record = publish(&store, b"curve");
    let other = Digest::of(b"other").to_string();
    let place = folder.path().join("v1/ac").join(&other[..2]).join(&other);
    fs::create_dir_all(&place).unwrap();
    fs::copy(&files(&folder.path().join("v1/ac"))[0], place.join("1")).unwrap();
    assert!(
        store
            .lookup(other.parse().unwrap())
            .unwrap()
            .record
            .is_none()
    );
    assert!(store.lookup(record.key).unwrap().record.is_some());
}

#[test]
fn a_file_that_was_being_written_when_the_power_went_is_in_nobodys_way() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let record = publish(&store, b"curve");
    fs::write(folder.path().join("v1/tmp/.tmpTorn"), b"cur").unwrap();
    assert_eq!(
        Store::open(folder.path())
            .unwrap()
            .lookup(record.key)
            .unwrap()
            .record
            .unwrap(),
        record
    );
}

#[test]
fn racing_publishers_leave_one_record() {
    let folder = tempfile::tempdir().unwrap();
    let publishers: Vec<_> = (0..16)
        .map(|_| {
            let cache = folder.path().to_owned();
            std::thread::spawn(move || publish(&Store::open(&cache).unwrap(), b"curve").attempt)
        })
        .collect();
    assert!(
        publishers
            .into_iter()
            .all(|publisher| publisher.join().unwrap() == 1)
    );
    assert_eq!(files(folder.path()).len(), 2);
}
