//! How many requests a copy makes.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::lab::{Lab, files};
use super::toy::{self, Toy};
use super::{copy, counts, study};

#[test]
fn a_copy_started_by_hand_reads_no_more_than_the_newest_of_many_old_beats() {
    let (lab, study) = (Lab::fleet(), study(0));
    counts(copy(&lab, "a", &study));
    let of_run = files(&lab.path("remote/v1/run"));
    let is_beat = |file: &&PathBuf| file.parent().unwrap().ends_with("open/beat");
    let own = of_run.iter().find(is_beat).unwrap();
    let beats = own.parent().unwrap();
    let long_ago = SystemTime::now() - Duration::from_hours(48);
    for number in 0..1000 {
        let old = beats.join(format!("old-{number}"));
        fs::copy(own, &old).unwrap();
        let file = File::options().append(true).open(&old).unwrap();
        file.set_modified(long_ago).unwrap();
    }
    let store = lab.store_of("b");
    let (graph, kinds) = (toy::graph(&study), toy::kinds("1"));
    let summary = engine::run(&graph, &store, &kinds, &lab.options(), &mut |_| {}).unwrap();
    assert_eq!(summary.cached(), study.len());
    let asked = store.remote().unwrap().asked();
    assert!((200..300).contains(&asked), "{asked} requests");
}

#[test]
fn what_many_stages_read_is_fetched_once() {
    let lab = Lab::fleet();
    let mut study = vec![Toy::sum("data", 1, &[]).with("bytes", 100_000)];
    counts(copy(&lab, "a", &study));
    let runs = (0..200).map(|number| Toy::sum(&format!("run/{number}"), number, &["data"]));
    study.extend(runs);
    let store = lab.store_of("b");
    let (graph, kinds) = (toy::graph(&study), toy::kinds("1"));
    let summary = engine::run(&graph, &store, &kinds, &lab.options(), &mut |_| {}).unwrap();
    assert_eq!((summary.ran(), summary.cached()), (200, 1));
    // Three for each stage that ran, and beats.
    let asked = store.remote().unwrap().asked();
    assert!(asked < 750, "{asked} requests");
}
