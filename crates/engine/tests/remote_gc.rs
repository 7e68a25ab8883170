//! What gc deletes from a remote and what it never does; that nothing is lost if it is killed.

#[path = "toy/lab.rs"]
mod lab;
#[path = "toy/mod.rs"]
mod toy;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use engine::{
    DeletionReason, Error, FreezeOptions, Frozen, GRACE, GcReport, Options, Policy, Store,
};
use lab::{Lab, files, flip};
use serde_json::Value;
use toy::Toy;

const DAY: Duration = Duration::from_hours(24);

/// One -> two -> one, with outputs inside records and beside them.
fn study(number: u64) -> Vec<Toy> {
    vec![
        Toy::sum("data", 1, &[]).with("bytes", 20_000),
        Toy::sum("run/a", number, &["data"]).with("bytes", 20_000),
        Toy::sum("run/b", 20, &["data"]).with("bytes", 20_000),
        Toy::sum("targets", 40, &["run/a", "run/b"]),
    ]
}

fn older(days: u32) -> Policy {
    Policy {
        older_than: Some(DAY * days),
        ..Policy::default()
    }
}

/// All that may go at all, and one study counts no longer.
fn everything(forget: &[&str]) -> Policy {
    Policy {
        older_than: Some(Duration::ZERO),
        max_bytes: Some(0),
        forget: forget.iter().map(|&it| it.to_owned()).collect(),
        checkpoints: false,
    }
}

/// What a copy on a machine, started by hand or of a plan, executed and found.
fn take_part(
    lab: &Lab,
    machine: &str,
    toys: &[Toy],
    frozen: Option<Arc<Frozen>>,
) -> (usize, usize) {
    let (graph, store) = (toy::graph(toys), lab.store_of(machine));
    let options = Options {
        frozen,
        ..lab.options()
    };
    let summary = engine::run(&graph, &store, &toy::kinds("1"), &options, &mut |_| {}).unwrap();
    assert!(summary.complete(), "{summary:?}");
    (summary.ran(), summary.cached())
}

fn by_hand(lab: &Lab, machine: &str, toys: &[Toy]) -> (usize, usize) {
    take_part(lab, machine, toys, None)
}

fn freeze(lab: &Lab, machine: &str, toys: &[Toy]) -> Result<Arc<Frozen>, Error> {
    let options = FreezeOptions {
        study: "toy study".to_owned(),
        keep_going: true,
        device: "cpu".to_owned(),
        build: toy::build(),
        program: Value::Null,
    };
    let (graph, store) = (toy::graph(toys), lab.store_of(machine));
    engine::freeze(&graph, &store, &toy::kinds("1"), options).map(Arc::new)
}

/// gc by somebody whose cache knows nothing.
fn gc(lab: &Lab, policy: &Policy, delete: bool) -> Result<GcReport, Error> {
    gc_by(lab, "somebody", policy, delete)
}

fn gc_by(lab: &Lab, machine: &str, policy: &Policy, delete: bool) -> Result<GcReport, Error> {
    let store = lab.store_of(machine);
    store.remote().unwrap().gc(&store, policy, GRACE, delete)
}

fn remote_files(lab: &Lab) -> Vec<PathBuf> {
    files(&lab.path("remote/v1"))
}

/// Those of a folder of the remote.
fn of(lab: &Lab, folder: &str) -> usize {
    files(&lab.path("remote/v1").join(folder)).len()
}

/// Makes everything in the remote this much older.
fn age(lab: &Lab, by: Duration) {
    for path in remote_files(lab) {
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        set_modified(&path, modified - by);
    }
}

fn set_modified(path: &Path, to: SystemTime) {
    File::open(path).unwrap().set_modified(to).unwrap();
}

fn reasons(report: &GcReport) -> Vec<DeletionReason> {
    let mut reasons: Vec<DeletionReason> =
        report.deletions.iter().map(|one| one.why.clone()).collect();
    reasons.sort();
    reasons.dedup();
    reasons
}

/// Every record has its outputs, and nothing is damaged.
fn is_sound(lab: &Lab) {
    let store = lab.store_of("somebody");
    let verified = store.remote().unwrap().verify_all().unwrap();
    assert!(verified.flaws.is_empty(), "{:?}", verified.flaws);
}

#[test]
fn what_a_study_had_last_stays_however_old_and_what_it_had_before_goes() {
    let lab = Lab::fleet();
    assert_eq!(by_hand(&lab, "a", &study(10)), (4, 0));
    age(&lab, DAY * 40);
    assert_eq!(by_hand(&lab, "a", &study(11)), (2, 2));
    age(&lab, DAY * 400);
    // So that the two lists of results are apart.
    let before = remote_files(&lab);
    let dry = gc(&lab, &older(30), false).unwrap();
    assert!(!dry.deleted && remote_files(&lab) == before);
    assert_eq!(
        reasons(&dry),
        [
            DeletionReason::Old,
            DeletionReason::Superseded,
            DeletionReason::Finished
        ]
    );
    assert_eq!(dry.kept["study toy study, run by hand"], 4);
    let done = gc(&lab, &older(30), true).unwrap();
    assert_eq!(done.deletions, dry.deletions, "the dry run said it");
    let mut left = before;
    left.retain(|path| !done.deletions.iter().any(|it| it.path == *path));
    assert_eq!(remote_files(&lab), left, "these have gone and no others");
    assert_eq!(of(&lab, "ac") + of(&lab, "cas"), 4 + 3);
    assert_eq!(of(&lab, "attempt") + of(&lab, "gc") + of(&lab, "probe"), 0);
    is_sound(&lab);
    assert_eq!(by_hand(&lab, "b", &study(11)), (0, 4));
    assert_eq!(by_hand(&lab, "c", &study(10)), (2, 2), "gone is gone");
}

#[test]
fn within_the_grace_nothing_goes_whatever_is_asked_for() {
    let lab = Lab::fleet();
    by_hand(&lab, "a", &study(10));
    age(&lab, DAY * 6);
    let report = gc(&lab, &everything(&["toy study"]), true).unwrap();
    assert!(report.deletions.is_empty(), "{:?}", report.deletions);
    age(&lab, DAY * 2);
    let report = gc(&lab, &everything(&["toy study"]), true).unwrap();
    assert_eq!(of(&lab, ""), 1, "the name of the remote: {report:?}");
    assert_eq!(report.after, 0, "its name is no result");
}

#[test]
fn what_the_cache_itself_remembers_of_a_study_and_its_pins_is_kept_in_the_remote_too() {
    let lab = Lab::fleet();
    by_hand(&lab, "a", &study(10));
    let pinned = Store::open(&lab.path("a"))
        .unwrap()
        .pin("first", "toy study");
    assert_eq!(pinned.unwrap(), Some(4));
    by_hand(&lab, "a", &study(11));
    for list in files(&lab.path("remote/v1/run")) {
        fs::remove_file(list).unwrap();
    }
    age(&lab, DAY * 400);
    let report = gc_by(&lab, "a", &older(30), true).unwrap();
    assert_eq!(report.kept["study toy study"], 4);
    assert_eq!(report.kept["pin first"], 2);
    assert_eq!(of(&lab, "ac"), 6);
    let report = gc_by(&lab, "a", &everything(&["toy study"]), true).unwrap();
    assert_eq!((of(&lab, "ac"), report.kept["pin first"]), (4, 4));
    is_sound(&lab);
}

#[test]
fn an_old_plan_goes_with_what_it_alone_keeps_and_the_last_one_stays() {
    let lab = Lab::fleet();
    let plans = [10, 11].map(|number| {
        let plan = freeze(&lab, "login", &study(number)).unwrap();
        take_part(&lab, "node", &study(number), Some(Arc::clone(&plan)));
        age(&lab, DAY * 40);
        plan
    });
    let report = gc(&lab, &older(60), true).unwrap();
    assert_eq!(report.kept[&format!("plan {}", plans[1].plan_id())], 4);
    let store = lab.store_of("looks");
    let there = store.remote().unwrap().plans(None).unwrap();
    assert_eq!(there, [plans[1].plan_id()]);
    let folder = lab.path("remote/v1/run/toy%20study").join(&plans[0].id);
    assert!(!folder.exists(), "nor is its folder there");
    assert_eq!(of(&lab, "ac"), 4);
    let last = Some(Arc::clone(&plans[1]));
    assert_eq!(take_part(&lab, "new", &study(11), last), (0, 4));
    is_sound(&lab);
}

#[test]
fn a_plan_with_a_copy_that_gave_a_sign_of_life_lately_stays_with_all_it_keeps() {
    let lab = Lab::fleet();
    let first = freeze(&lab, "login", &study(10)).unwrap();
    take_part(&lab, "node", &study(10), Some(Arc::clone(&first)));
    let second = freeze(&lab, "login", &study(11)).unwrap();
    take_part(&lab, "node", &study(11), Some(second));
    age(&lab, DAY * 400);
    let beats = lab
        .path("remote/v1/run/toy%20study")
        .join(&first.id)
        .join("beat");
    set_modified(&files(&beats)[0], SystemTime::now() - DAY);
    let report = gc(&lab, &everything(&[]), true).unwrap();
    assert_eq!(report.kept[&format!("plan {}", first.plan_id())], 4);
    assert_eq!(of(&lab, "ac"), 6);
    set_modified(&files(&beats)[0], SystemTime::now() - DAY * 8);
    gc(&lab, &older(0), true).unwrap();
    assert_eq!(of(&lab, "ac"), 4);
    is_sound(&lab);
}

#[test]
fn a_size_limit_takes_old_results_first_and_then_plans_that_are_not_the_last() {
    let lab = Lab::fleet();
    for number in [10, 11, 12] {
        let plan = freeze(&lab, "login", &study(number)).unwrap();
        take_part(&lab, "node", &study(number), Some(plan));
        age(&lab, DAY * 10);
    }
    by_hand(
        &lab,
        "x",
        &[Toy::sum("another", 1, &[]).with("bytes", 90_000)],
    );
    fs::remove_dir_all(lab.path("remote/v1/run/toy%20study/open")).unwrap();
    age(&lab, DAY * 10);
    let limit = |max_bytes| Policy {
        max_bytes: Some(max_bytes),
        ..Policy::default()
    };
    let mut size = gc(&lab, &limit(u64::MAX), true).unwrap().after;
    let plans = || {
        let store = lab.store_of("looks");
        store.remote().unwrap().plans(None).unwrap().len()
    };
    // What is kept by nobody, the oldest plan, and what then is kept by nobody, one after the other.
    for (left, results) in [(3, 8), (2, 8), (2, 7), (2, 6), (1, 6)] {
        let report = gc(&lab, &limit(size - 1), true).unwrap();
        assert_eq!(reasons(&report), [DeletionReason::TooLarge]);
        assert_eq!((plans(), of(&lab, "ac")), (left, results), "{report:?}");
        size = report.after;
    }
    gc(&lab, &limit(0), true).unwrap();
    assert_eq!(of(&lab, "ac"), 4, "all but the last");
    is_sound(&lab);
}

#[test]
fn what_a_plan_has_begun_stays_with_it_and_goes_after_it() {
    let lab = Lab::fleet();
    let bad = [Toy::sum("bad", 1, &[]).with("end", "fail")];
    let plan = freeze(&lab, "login", &bad).unwrap();
    let store = lab.store_of("node");
    let options = Options {
        frozen: Some(Arc::clone(&plan)),
        ..lab.options()
    };
    engine::run(&plan.graph, &store, &toy::kinds("1"), &options, &mut |_| {}).unwrap();
    age(&lab, DAY * 40);
    gc(&lab, &everything(&[]), true).unwrap();
    assert_eq!((of(&lab, "attempt"), of(&lab, "fail")), (1, 1));
    let failures = store.remote().unwrap().failures(&plan.plan_id()).unwrap();
    assert_eq!(failures.len(), 1);
    freeze(&lab, "login", &study(11)).unwrap();
    age(&lab, DAY * 40);
    gc(&lab, &older(30), true).unwrap();
    assert_eq!((of(&lab, "attempt"), of(&lab, "fail")), (0, 0));
}

#[test]
fn a_cache_that_noted_what_the_remote_had_publishes_it_again_after_a_gc() {
    let lab = Lab::fleet();
    by_hand(&lab, "a", &study(10));
    age(&lab, DAY * 40);
    gc(&lab, &everything(&["toy study"]), true).unwrap();
    assert_eq!(of(&lab, "ac"), 0);
    assert_eq!(by_hand(&lab, "a", &study(10)), (0, 4));
    assert_eq!(by_hand(&lab, "b", &study(10)), (0, 4));
    is_sound(&lab);
}

#[test]
fn a_reader_whose_outputs_went_computes_them_again() {
    let lab = Lab::fleet();
    by_hand(&lab, "a", &study(10));
    // This one knows the records, and has not fetched what they name.
    let mut study = study(10);
    assert_eq!(by_hand(&lab, "b", &study), (0, 4));
    age(&lab, DAY * 40);
    gc(&lab, &everything(&["toy study"]), true).unwrap();
    study.push(Toy::sum("reads", 1, &["run/a", "run/b"]));
    let (ran, _) = by_hand(&lab, "b", &study);
    assert!(ran > 1, "{ran}");
    assert_eq!(by_hand(&lab, "c", &study), (0, 5));
    is_sound(&lab);
}

#[test]
fn nothing_goes_while_it_is_not_known_what_something_keeps() {
    for what in ["plan", "known", "beat", "results", "pack"] {
        let lab = Lab::fleet();
        let mut toys = study(10);
        toys.extend((0..20).map(|it| Toy::sum(&format!("more/{it}"), it, &["data"])));
        let plan = freeze(&lab, "login", &toys).unwrap();
        take_part(&lab, "node", &toys, Some(plan));
        let second = freeze(&lab, "login", &toys).unwrap();
        age(&lab, DAY * 40);
        let digest = second.known.unwrap().records.digest.to_string();
        let damaged = remote_files(&lab).into_iter().find(|path| {
            let path = path.to_str().unwrap();
            path.contains(&format!("/{what}")) && path.contains("/run/")
                || what == "pack" && path.ends_with(&digest)
        });
        let damaged = damaged.unwrap_or_else(|| panic!("there is a {what}"));
        flip(&damaged);
        set_modified(&damaged, SystemTime::now() - DAY * 40);
        let before = remote_files(&lab);
        let Err(Error::KeepsUnknown { path, .. }) = gc(&lab, &everything(&[]), true) else {
            panic!("{what}");
        };
        assert_eq!((path, remote_files(&lab)), (damaged, before), "{what}");
        gc(&lab, &everything(&["toy study"]), true).unwrap();
        assert_eq!(of(&lab, ""), 1, "{what}");
    }
}

#[test]
fn a_damaged_record_can_no_longer_be_served_and_its_number_is_never_given_again() {
    let lab = Lab::fleet();
    by_hand(&lab, "a", &study(10));
    let record = files(&lab.path("remote/v1/ac")).remove(0);
    flip(&record);
    age(&lab, DAY * 40);
    let report = gc(&lab, &older(30), true).unwrap();
    assert!(reasons(&report).contains(&DeletionReason::Void));
    assert_eq!((record.exists(), of(&lab, "void")), (false, 1));
    let (ran, _) = by_hand(&lab, "b", &study(10));
    assert!(ran > 0);
    let second = record
        .to_str()
        .unwrap()
        .strip_suffix("-1")
        .unwrap()
        .to_owned()
        + "-2";
    assert!(Path::new(&second).exists(), "{second}");
    is_sound(&lab);
}

#[test]
fn of_two_gcs_one_goes_on_and_one_that_was_killed_is_forgotten() {
    let lab = Lab::fleet();
    by_hand(&lab, "a", &study(10));
    age(&lab, DAY * 40);
    let mark = lab.path("remote/v1/gc/of-another");
    fs::create_dir_all(mark.parent().unwrap()).unwrap();
    fs::write(&mark, "something").unwrap();
    let refused = gc(&lab, &everything(&["toy study"]), true);
    assert!(
        matches!(refused, Err(Error::GcAtWork { .. })),
        "{refused:?}"
    );
    assert_eq!((of(&lab, "ac"), of(&lab, "gc")), (4, 1));
    gc(&lab, &everything(&["toy study"]), false).expect("to look does no harm");
    set_modified(&mark, SystemTime::now() - Duration::from_hours(2));
    gc(&lab, &everything(&["toy study"]), true).unwrap();
    assert_eq!((of(&lab, "ac"), of(&lab, "gc")), (0, 0));
}

#[test]
fn a_plan_is_taken_back_if_what_it_names_went_while_it_was_frozen() {
    let lab = Lab::fleet();
    by_hand(&lab, "a", &study(10));
    let store = lab.store_of("a");
    // A gc that ran between the start of this process and the plan.
    age(&lab, DAY * 40);
    gc(&lab, &everything(&["toy study"]), true).unwrap();
    let options = FreezeOptions {
        study: "toy study".to_owned(),
        keep_going: true,
        device: "cpu".to_owned(),
        build: toy::build(),
        program: Value::Null,
    };
    let graph = toy::graph(&study(10));
    let refused = engine::freeze(&graph, &store, &toy::kinds("1"), options);
    assert!(
        matches!(refused, Err(Error::CannotFreeze { .. })),
        "{refused:?}"
    );
    assert_eq!(store.remote().unwrap().plans(None).unwrap(), []);
    let plan = freeze(&lab, "a", &study(10)).expect("a new process sees what is there");
    assert_eq!(take_part(&lab, "b", &study(10), Some(plan)), (0, 4));
}

#[test]
fn gc_of_a_remote_may_end_before_any_change() {
    let mut changes = 0;
    for at in 1.. {
        let lab = Lab::fleet();
        for number in [10, 11] {
            let plan = freeze(&lab, "login", &study(number)).unwrap();
            take_part(&lab, "node", &study(number), Some(plan));
            age(&lab, DAY * 40);
        }
        let crashed = lab.path("crashed");
        let mut command = Command::new(Lab::program());
        command
            .arg("gc")
            .arg(lab.path("somebody"))
            .env("TOY_REMOTE", lab.path("remote"))
            .env("TOY_CRASH", format!("gc {at}"))
            .env("TOY_CRASHED", &crashed)
            .stderr(Stdio::null());
        let ended = command.status().unwrap();
        assert_ne!(ended.success(), crashed.exists());
        is_sound(&lab);
        // A mark that was left is of a gc that was killed.
        for mark in files(&lab.path("remote/v1/gc")) {
            set_modified(&mark, SystemTime::now() - Duration::from_hours(2));
        }
        age(&lab, DAY * 8);
        gc(&lab, &older(0), true).unwrap();
        assert_eq!(
            (of(&lab, "ac"), of(&lab, "tmp"), of(&lab, "probe")),
            (4, 0, 0),
            "change {at}"
        );
        assert_eq!(by_hand(&lab, "new", &study(11)), (0, 4), "change {at}");
        if !crashed.exists() {
            break;
        }
        changes = at;
    }
    assert!(changes > 20, "{changes}");
}
