//! What gc deletes and what it never does; what the cache says lies in it.

#[path = "toy/lab.rs"]
mod lab;
#[path = "toy/mod.rs"]
mod toy;

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use engine::{DeletionReason, Error, GcReport, Policy, Reason, Verdict};
use lab::{Lab, files};
use toy::Toy;

const DAY: Duration = Duration::from_hours(24);

fn study(number: u64) -> Vec<Toy> {
    vec![
        Toy::sum("data", 1, &[]),
        Toy::sum("run/a", number, &["data"]),
        Toy::sum("run/b", 20, &["data"]),
        Toy::sum("targets", 40, &["run/a", "run/b"]),
    ]
}

fn older(days: u32) -> Policy {
    Policy {
        older_than: Some(DAY * days),
        ..Policy::default()
    }
}

/// Makes everything in the cache this much older.
fn age(lab: &Lab, by: Duration) {
    for path in files(&lab.path("cache")) {
        set_age(&path, by);
    }
}

fn set_age(path: &Path, by: Duration) {
    let file = File::open(path).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    file.set_modified(modified - by).unwrap();
}

fn reasons(report: &GcReport) -> Vec<DeletionReason> {
    let mut reasons: Vec<DeletionReason> =
        report.deletions.iter().map(|one| one.why.clone()).collect();
    reasons.sort();
    reasons.dedup();
    reasons
}

#[test]
fn what_a_study_had_when_it_last_ran_is_never_deleted_however_old() {
    let lab = Lab::new();
    lab.ran(&study(10));
    age(&lab, DAY * 400);
    let everything = Policy {
        older_than: Some(Duration::ZERO),
        max_bytes: Some(0),
        forget: Vec::new(),
        checkpoints: true,
    };
    let report = lab.store().gc(&everything, true).unwrap();
    assert!(report.deletions.is_empty(), "{:?}", report.deletions);
    assert_eq!(report.kept["study toy study"], 4);
    assert!(lab.ran(&study(10)).is_empty());
}

#[test]
fn old_results_of_no_study_go_with_their_outputs_and_young_ones_stay() {
    let lab = Lab::new();
    lab.ran(&study(10));
    let before = files(&lab.path("cache/v1"));
    let gone = lab.blob(&study(10), "run/a");
    age(&lab, DAY * 40);
    lab.ran(&study(11));
    let dry = lab.store().gc(&older(30), false).unwrap();
    // `data` and `run/b` are of the study still; `run/a` and `targets` as they were are not.
    assert_eq!(reasons(&dry), [DeletionReason::Old]);
    assert!(!dry.deleted && gone.exists());
    let kinds: Vec<_> = dry
        .deletions
        .iter()
        .filter_map(|one| one.kind.as_deref())
        .collect();
    assert_eq!(kinds, ["sum"; 6], "record, log and output of each");
    assert_eq!(
        dry.after,
        dry.before - dry.deletions.iter().map(|one| one.bytes).sum::<u64>()
    );
    assert!(
        lab.store()
            .gc(&older(50), true)
            .unwrap()
            .deletions
            .is_empty()
    );
    let report = lab.store().gc(&older(30), true).unwrap();
    assert_eq!(
        report.deletions, dry.deletions,
        "the dry run said what would go"
    );
    assert!(!gone.exists());
    let left = files(&lab.path("cache/v1"));
    assert!(before.iter().filter(|path| !left.contains(path)).count() == 6);
    assert!(lab.ran(&study(11)).is_empty());
    assert_eq!(lab.ran(&study(10)), ["run/a", "targets"], "gone is gone");
    assert!(lab.store().verify_all(2).unwrap().flaws.is_empty());
}

#[test]
fn a_size_limit_takes_the_oldest_first_and_stops_when_it_is_met() {
    let lab = Lab::new();
    for number in 10..14 {
        lab.ran(&study(number));
        age(&lab, DAY);
    }
    lab.ran(&study(14));
    let bytes = lab.store().usage().unwrap().bytes;
    let limit = |max_bytes| Policy {
        max_bytes: Some(max_bytes),
        ..Policy::default()
    };
    assert!(
        lab.store()
            .gc(&limit(bytes), true)
            .unwrap()
            .deletions
            .is_empty()
    );
    let report = lab.store().gc(&limit(bytes - 1), true).unwrap();
    assert_eq!(reasons(&report), [DeletionReason::TooLarge]);
    let ages: Vec<u64> = report
        .deletions
        .iter()
        .map(|one| one.age / DAY.as_secs())
        .collect();
    assert_eq!(ages, [4; 3], "one result of the oldest run");
    assert_eq!(report.after, lab.store().usage().unwrap().bytes);
    assert!(lab.ran(&study(13)).is_empty(), "the youngest are there");
}

#[test]
fn an_output_that_another_result_has_too_stays() {
    let lab = Lab::new();
    // Different manifests, equal bytes.
    lab.ran(&[Toy::sum("a", 5, &[]).with("unread", 1)]);
    age(&lab, DAY * 40);
    let now = [Toy::sum("a", 5, &[]).with("unread", 2)];
    lab.ran(&now);
    let report = lab.store().gc(&older(30), true).unwrap();
    assert_eq!(
        report.deletions.len(),
        2,
        "record and log: {:?}",
        report.deletions
    );
    assert!(lab.blob(&now, "a").exists());
}

#[test]
fn a_pin_keeps_results_until_it_is_taken_away() {
    let lab = Lab::new();
    lab.ran(&study(10));
    assert_eq!(lab.store().pin("paper v1", "toy study").unwrap(), Some(4));
    assert_eq!(lab.store().pin("other", "no such study").unwrap(), None);
    lab.ran(&study(11));
    age(&lab, DAY * 40);
    let report = lab.store().gc(&older(30), true).unwrap();
    assert!(report.deletions.is_empty(), "{:?}", report.deletions);
    assert_eq!(lab.store().pins().unwrap()["paper v1"].stages.len(), 4);
    assert!(lab.store().unpin("paper v1").unwrap());
    assert!(!lab.store().unpin("paper v1").unwrap());
    assert_eq!(lab.store().gc(&older(30), true).unwrap().deletions.len(), 6);
    assert!(lab.ran(&study(11)).is_empty());
}

#[test]
fn a_forgotten_study_goes_like_no_study() {
    let lab = Lab::new();
    lab.ran(&study(10));
    let forget = Policy {
        older_than: Some(Duration::ZERO),
        forget: vec!["toy study".to_owned()],
        ..Policy::default()
    };
    let report = lab.store().gc(&forget, true).unwrap();
    assert_eq!(
        reasons(&report),
        [DeletionReason::Old, DeletionReason::Forgotten]
    );
    let left = files(&lab.path("cache/v1"));
    assert_eq!(left, [fs::canonicalize(lab.path("cache/v1/lock")).unwrap()]);
    assert_eq!(lab.ran(&study(10)).len(), 4);
}

#[test]
fn what_a_killed_run_left_is_kept_for_the_next() {
    let lab = Lab::new();
    lab.ran(&study(10));
    let slow = {
        let mut slow = study(11);
        slow[3].set("beats", 1_000_000);
        slow
    };
    let mut engine = lab.engine(&slow);
    Lab::wait_until(|| lab.begun() == 6);
    engine.kill().unwrap();
    engine.wait().unwrap();
    age(&lab, DAY * 40);
    let report = lab.store().gc(&older(30), true).unwrap();
    assert!(report.deletions.is_empty(), "{:?}", report.deletions);
    assert_eq!(lab.ran(&study(11)), ["targets"]);
    // Now a run has ended that did not need `run/a` and `targets` as they were.
    assert_eq!(lab.store().gc(&older(30), true).unwrap().deletions.len(), 7);
}

#[test]
fn gc_waits_for_no_run_and_deletes_beside_none() {
    let lab = Lab::new();
    let mut engine = lab.engine(&[Toy::sum("endless", 1, &[]).with("beats", 1_000_000)]);
    Lab::wait_until(|| lab.begun() == 1);
    let refused = lab.store().gc(&older(0), true).unwrap_err();
    assert!(matches!(refused, Error::InUse { .. }), "{refused}");
    lab.store().gc(&older(0), false).unwrap();
    let runs = lab.store().runs().unwrap();
    assert!(runs[0].alive && runs[0].end.is_none());
    assert_eq!(runs[0].running[0].0, "endless");
    engine.kill().unwrap();
    engine.wait().unwrap();
    Lab::wait_until(|| lab.store().gc(&older(0), true).is_ok());
    assert!(!lab.store().runs().unwrap()[0].alive);
}

#[test]
fn left_overs_go_once_they_cannot_be_of_a_process_at_work() {
    let lab = Lab::new();
    lab.ran(&study(10));
    let torn = lab.path("cache/v1/tmp/.tmpTorn");
    fs::write(&torn, "cur").unwrap();
    lab::flip(&lab.record_file(&study(10), "run/a"));
    lab.ran(&study(10));
    let orphan = lab.store().put(b"of no result").unwrap().digest.to_string();
    let orphan = lab.path("cache/v1/cas").join(&orphan[..2]).join(&orphan);
    let keep = |report: GcReport| assert!(report.deletions.is_empty(), "{:?}", report.deletions);
    keep(lab.store().gc(&older(30), true).unwrap());
    age(&lab, Duration::from_hours(2));
    let report = lab.store().gc(&older(30), true).unwrap();
    assert_eq!(
        reasons(&report),
        [
            DeletionReason::NoResult,
            DeletionReason::LeftOver,
            DeletionReason::SetAside
        ]
    );
    assert!(!torn.exists() && !orphan.exists());
    assert!(lab.ran(&study(10)).is_empty());
}

#[test]
fn a_clock_that_was_set_back_makes_nothing_old() {
    let lab = Lab::new();
    lab.ran(&study(10));
    lab.ran(&study(11));
    let later = SystemTime::now() + DAY * 365;
    for path in files(&lab.path("cache")) {
        File::open(path).unwrap().set_modified(later).unwrap();
    }
    let report = lab.store().gc(&older(1), true).unwrap();
    assert!(report.deletions.is_empty(), "{:?}", report.deletions);
    assert!(lab.ran(&study(11)).is_empty());
    // What is made after that looks older than what was made before: it is no less kept.
    lab.ran(&study(12));
    let all = Policy {
        max_bytes: Some(0),
        ..older(0)
    };
    lab.store().gc(&all, true).unwrap();
    assert!(lab.ran(&study(12)).is_empty());
    assert!(lab.store().verify_all(1).unwrap().flaws.is_empty());
}

#[test]
fn how_the_last_run_failed_is_kept_until_the_study_runs_again() {
    let lab = Lab::new();
    let mut study = study(10);
    study[1].set("end", "fail");
    lab.run(&study);
    let log = |study: &[Toy]| {
        let key = lab.plan(study).stages()[1].key;
        lab.store().log_path(key.expect("what it reads is there"))
    };
    let failed = log(&study);
    let report = lab.store().gc(&older(0), true).unwrap();
    assert!(failed.exists() && report.deletions.is_empty(), "{report:?}");
    assert_eq!(report.kept["study toy study"], 2, "failures are no results");
    let plan = lab.plan(&study);
    let Verdict::Run {
        reason: Reason::Failed { error },
    } = &plan.stages()[1].verdict
    else {
        panic!("the plan knows of it")
    };
    assert_eq!(error, "told to fail");
    assert_eq!(
        lab.store().studies().unwrap().len(),
        1,
        "nor are they listed"
    );
    study[1].set("end", "");
    lab.ran(&study);
    lab.store().gc(&older(0), true).unwrap();
    assert!(!failed.exists() && log(&study).exists());
}

#[test]
fn nothing_is_deleted_where_nobody_knows_what_is_needed() {
    for what in ["run/toy%20study/last", "pin/kept"] {
        let lab = Lab::new();
        lab.ran(&study(10));
        lab.store().pin("kept", "toy study").unwrap();
        lab::flip(&lab.path("cache/v1").join(what));
        let refused = lab.store().gc(&older(0), true).unwrap_err();
        assert!(matches!(refused, Error::Damaged { .. }), "{refused}");
    }
}

#[test]
fn studies_and_what_none_refers_to_are_listed() {
    let lab = Lab::new();
    lab.ran(&study(10));
    lab.ran(&study(11));
    let [of_study, unreferenced] = &lab.store().studies().unwrap()[..] else {
        panic!("a study, and results of none")
    };
    assert_eq!(of_study.study.as_deref(), Some("toy study"));
    assert_eq!((of_study.results, of_study.missing), (4, 0));
    assert_eq!(
        (unreferenced.study.as_ref(), unreferenced.results),
        (None, 2)
    );
    let usage = lab.store().usage().unwrap();
    let on_disk: u64 = files(&lab.path("cache/v1"))
        .iter()
        .map(|path| fs::metadata(path).unwrap().len())
        .sum();
    assert_eq!(usage.bytes, on_disk);
    assert_eq!(usage.by_kind["records"].1, 6);
}
