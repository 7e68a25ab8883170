//! Frozen plans: a study carried out by copies that have nothing of it but its name.

#[path = "toy/lab.rs"]
mod lab;
#[path = "frozen/packs.rs"]
mod packs;
#[path = "toy/mod.rs"]
mod toy;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use engine::{
    Digest, Error, Event, FreezeOptions, Frozen, MemoryLimits, Options, Outcome, PlanId, Remote,
    Store, Summary,
};
use lab::{Lab, files, flip};
use serde_json::json;
use toy::Toy;

fn freeze_options() -> FreezeOptions {
    FreezeOptions {
        study: "toy study".to_owned(),
        keep_going: true,
        device: "cpu".to_owned(),
        build: toy::build(),
        program: json!({"text": "as it was"}),
    }
}

fn freeze(lab: &Lab, toys: &[Toy]) -> Frozen {
    let store = lab.store_of("login");
    engine::freeze(
        &toy::graph(toys),
        &store,
        &toy::kinds("1"),
        freeze_options(),
    )
    .unwrap()
}

/// What the remote has of a plan.
fn thaw(lab: &Lab, plan: &PlanId) -> Arc<Frozen> {
    let store = Store::open(&lab.path("reader")).unwrap();
    let remote = Remote::open_to_read(&lab.path("remote"), &store).unwrap();
    Arc::new(remote.plan(plan).unwrap().unwrap())
}

/// How a copy on a machine carries a plan out, in this process.
struct Copy {
    summary: Summary,
    events: Vec<Event>,
    /// How often the remote was asked.
    asked: usize,
}

fn take_part(lab: &Lab, machine: &str, plan: &PlanId, options: Options) -> Result<Copy, Error> {
    let (store, frozen) = (lab.store_of(machine), thaw(lab, plan));
    let options = Options {
        frozen: Some(Arc::clone(&frozen)),
        ..options
    };
    let mut events = Vec::new();
    let summary = engine::run(
        &frozen.graph,
        &store,
        &toy::kinds("1"),
        &options,
        &mut |event| events.push(event),
    )?;
    let asked = store.remote().unwrap().asked();
    Ok(Copy {
        summary,
        events,
        asked,
    })
}

/// A copy as a process. It knows the name of the plan alone.
fn process(lab: &Lab, machine: &str, plan: &PlanId) -> Child {
    let nothing = lab.path("nothing.json");
    // A copy that was started before may be reading it.
    if !nothing.exists() {
        fs::write(&nothing, "[]").unwrap();
    }
    let mut command = Command::new(Lab::program());
    command.arg("run").arg(nothing);
    command.args([lab.path(machine), lab.path("log")]);
    command.env("TOY_REMOTE", lab.path("remote"));
    command.env("TOY_PLAN", serde_json::to_string(plan).unwrap());
    command.stdout(Stdio::piped()).spawn().unwrap()
}

/// The digests of all outputs, by stage.
fn outputs(frozen: &Frozen, summary: &Summary) -> BTreeMap<String, Digest> {
    let stages = frozen.graph.stages().iter().zip(summary.outcomes());
    let output = |outcome: &Outcome| match outcome {
        Outcome::Ran(record) | Outcome::Cached(record) => record.outputs["out"].digest,
        other => panic!("{other:?}"),
    };
    stages
        .map(|(stage, outcome)| (stage.name.clone(), output(outcome)))
        .collect()
}

/// One -> many -> one, from a file, a folder and a pattern.
fn study(lab: &Lab) -> Vec<Toy> {
    let write = |name: &str, text: &str| {
        let path = lab.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("in/file.csv", "1, 2, 3\n");
    write("in/source/main.py", "print()\n");
    write("in/source/part/empty.py", "");
    write("in/source/part/one.py", "1\n");
    let mut study = vec![
        Toy::sum("data", 1, &[]).file(&lab.path("in/file.csv")),
        Toy::sum("source", 2, &["data"]).file(&lab.path("in/source")),
        Toy::sum("parts", 3, &[]).file(&lab.path("in/source/*/*.py")),
    ];
    study.extend(
        (0..12).map(|number| Toy::sum(&format!("run/{number}"), number, &["source", "parts"])),
    );
    let names = study[3..].iter().map(|toy| toy.name.clone()).collect();
    study.push(Toy {
        reads: names,
        ..Toy::sum("table", 5, &[])
    });
    study
}

#[test]
fn three_copies_without_a_study_and_its_files_come_to_what_a_machine_alone_comes_to() {
    let lab = Lab::fleet();
    let study = study(&lab);
    let alone = lab.run(&study);
    assert!(alone.summary.complete(), "{:?}", alone.summary);
    let (before, plan) = (lab.begun(), freeze(&lab, &study).plan_id());
    fs::remove_dir_all(lab.path("in")).unwrap();
    let copies = ["a", "b", "c"].map(|machine| process(&lab, machine, &plan));
    for copy in copies {
        assert!(copy.wait_with_output().unwrap().status.success());
    }
    assert_eq!(lab.begun() - before, study.len(), "each stage once");
    let frozen = thaw(&lab, &plan);
    let found = take_part(&lab, "d", &plan, lab.options()).unwrap();
    assert_eq!(found.summary.cached(), study.len());
    assert_eq!(
        outputs(&frozen, &found.summary),
        outputs(&frozen, &alone.summary)
    );
    assert_eq!(frozen.program, json!({"text": "as it was"}));
    let beats = files(&lab.path("remote/v1/run"));
    let beats = beats
        .iter()
        .filter(|it| it.parent().unwrap().ends_with("beat"));
    let of_plan = |path: &&PathBuf| path.to_string_lossy().contains(&plan.id);
    assert_eq!(
        beats.filter(of_plan).count(),
        4,
        "all are copies of the plan"
    );
}

#[test]
fn plans_are_found_by_their_study_the_newest_last() {
    let lab = Lab::fleet();
    let toys = [Toy::sum("one", 1, &[])];
    let plans = [freeze(&lab, &toys).plan_id(), {
        // Names are in the order of time from one second to the next.
        std::thread::sleep(Duration::from_millis(1100));
        freeze(&lab, &toys).plan_id()
    }];
    let store = lab.store_of("a");
    let remote = store.remote().unwrap();
    assert_eq!(remote.plans(Some("toy study")).unwrap(), plans);
    assert_eq!(remote.plans(None).unwrap(), plans);
    assert_eq!(remote.plans(Some("another")).unwrap(), []);
    let nowhere = PlanId {
        id: "../../remote".to_owned(),
        ..plans[0].clone()
    };
    assert!(remote.plan(&nowhere).unwrap().is_none());
    assert_eq!(remote.copies(&plans[0]).unwrap(), []);
}

#[test]
fn another_build_is_refused_with_the_names_of_both() {
    let lab = Lab::fleet();
    let plan = freeze(&lab, &[Toy::sum("one", 1, &[])]).plan_id();
    let mut options = lab.options();
    options.build.id = "toy 2".to_owned();
    let refused = take_part(&lab, "a", &plan, options).err().unwrap();
    let said = refused.to_string();
    assert!(said.contains("(toy 1; this one is toy 2)"), "{said}");
    assert_eq!(lab.begun(), 0);
}

#[test]
fn a_plan_of_a_newer_format_and_one_that_is_damaged_are_refused() {
    let lab = Lab::fleet();
    let plan = freeze(&lab, &[Toy::sum("one", 1, &[])]).plan_id();
    let path = files(&lab.path("remote/v1/run")).remove(0);
    assert!(path.ends_with("plan"), "{}", path.display());
    let plan_now = || {
        let store = lab.store_of("a");
        store.remote().unwrap().plan(&plan)
    };
    let sealed = fs::read(&path).unwrap();
    flip(&path);
    assert!(matches!(plan_now(), Err(Error::Damaged { .. })));
    let end = sealed.iter().position(|&byte| byte == b'\n').unwrap();
    let newer = [b"pipeline plan 2\n", &sealed[end + 1..]].concat();
    let head = format!("pipeline plan 2 {}\n", Digest::of(&newer));
    fs::write(&path, [head.as_bytes(), &sealed[end + 1..]].concat()).unwrap();
    assert!(matches!(plan_now(), Err(Error::Newer { version: 2, .. })));
}

#[test]
fn a_copy_that_leaves_a_kind_to_others_takes_nothing_of_it_and_does_the_rest() {
    let lab = Lab::fleet();
    let mut study: Vec<Toy> = (0..3)
        .map(|number| Toy::sum(&format!("run/{number}"), number, &[]))
        .collect();
    study.push(Toy {
        reads: study.iter().map(|toy| toy.name.clone()).collect(),
        ..Toy::sum("table", 1, &[]).kind("choose")
    });
    let plan = freeze(&lab, &study).plan_id();
    let leaving = || {
        let mut options = lab.options();
        options.sharing.leave = vec!["sum".to_owned()];
        options
    };
    let first = take_part(&lab, "a", &plan, leaving()).unwrap().summary;
    assert_eq!((first.elsewhere(), lab.begun()), (4, 0));
    // The others have trained, and have ended before the last stage.
    let mut trains = lab.options();
    trains.sharing.leave = vec!["choose".to_owned()];
    let second = take_part(&lab, "b", &plan, trains).unwrap().summary;
    assert_eq!((second.ran(), second.elsewhere()), (3, 1));
    let last = take_part(&lab, "a", &plan, leaving()).unwrap().summary;
    assert_eq!((last.ran(), last.cached()), (1, 3));
}

#[test]
fn a_copy_whose_machine_is_too_small_leaves_what_is_too_large_and_takes_the_result() {
    let lab = Lab::fleet();
    let mut large = Toy::sum("large", 1, &[]);
    large.execution.memory = 3;
    let study = [
        large,
        Toy::sum("small", 2, &[]),
        Toy::sum("both", 3, &["large", "small"]),
    ];
    let plan = freeze(&lab, &study).plan_id();
    let memory = |each| {
        Some(MemoryLimits {
            together: 2,
            each,
            there: String::new(),
        })
    };
    let small = || Options {
        memory: memory(2),
        ..lab.options()
    };
    let first = take_part(&lab, "a", &plan, small()).unwrap().summary;
    assert_eq!(
        (first.ran(), first.elsewhere(), first.failed()),
        (1, 2, 0),
        "{first:?}"
    );
    let fits = Options {
        memory: memory(3),
        ..lab.options()
    };
    let second = take_part(&lab, "b", &plan, fits).unwrap().summary;
    assert_eq!((second.ran(), second.cached()), (2, 1));
    let last = take_part(&lab, "a", &plan, small()).unwrap().summary;
    assert!(last.complete(), "{last:?}");
    assert_eq!(lab.begun(), 3);
}

#[test]
fn failures_count_for_all_copies_of_a_plan_and_not_for_the_next_one() {
    let lab = Lab::fleet();
    let study = [
        Toy::sum("bad", 1, &[]).with("end", "fail"),
        Toy::sum("after", 1, &["bad"]),
    ];
    let plan = freeze(&lab, &study).plan_id();
    let first = plan.clone();
    let failed = |machine: &str, plan: &PlanId| {
        let copy = take_part(&lab, machine, plan, lab.options()).unwrap();
        let says =
            |error: &String| error.contains("a new one does") == (machine == "b" && *plan == first);
        let told = copy.events.iter().find_map(|event| match event {
            Event::Failed { error, .. } => Some(error),
            _ => None,
        });
        assert!(told.is_some_and(says), "{told:?}");
        (copy.summary.failed(), copy.summary.skipped())
    };
    assert_eq!((failed("a", &plan), lab.begun()), ((1, 1), 1));
    // The first one has ended long before.
    assert_eq!((failed("b", &plan), lab.begun()), ((1, 1), 1));
    let store = lab.store_of("c");
    let failures = store.remote().unwrap().failures(&plan).unwrap();
    assert_eq!(failures.len(), 1);
    assert_eq!(
        (failures[0].attempt, failures[0].why.as_str()),
        (1, "told to fail")
    );
    assert!(failures[0].tail.contains("on stderr"), "{failures:?}");
    let next = freeze(&lab, &study).plan_id();
    assert_eq!((failed("b", &next), lab.begun()), ((1, 1), 2));
}

#[test]
fn a_beat_tells_what_a_copy_runs_and_how_far_that_is() {
    let lab = Lab::fleet();
    let study = [
        Toy::sum("short", 1, &[]),
        Toy::sum("long", 2, &[]).with("beats", 400),
    ];
    let plan = freeze(&lab, &study).plan_id();
    let store = lab.store_of("looker");
    let remote = store.remote().unwrap();
    let mut options = lab.options();
    options.sharing.job = Some("17_3".to_owned());
    std::thread::scope(|scope| {
        let copy = scope.spawn(|| take_part(&lab, "a", &plan, options).unwrap());
        Lab::wait_until(|| {
            let copies = remote.copies(&plan).unwrap();
            let Some(copy) = copies.first() else {
                return false;
            };
            let long = |held: &&engine::HeldSeen| held.name.as_deref() == Some("long");
            let progress = copy
                .holds
                .iter()
                .find(long)
                .and_then(|it| it.progress.clone());
            progress.is_some_and(|progress| progress.done > 0 && progress.text == "beat")
                && copy.ran == 1
                && copy.settled == 1
                && copy.job.as_deref() == Some("17_3")
                && copy.modified.is_some()
                && !copy.ended
        });
        copy.join().unwrap();
    });
    let seen = remote.copies(&plan).unwrap().remove(0);
    assert!(seen.ended && seen.holds.is_empty(), "{seen:?}");
    assert_eq!((seen.ran, seen.settled, seen.failed), (2, 2, 0));
}

#[test]
fn what_a_copy_of_a_plan_has_when_it_is_killed_another_takes_over() {
    let lab = Lab::fleet();
    let runs =
        (0..4).map(|number| Toy::sum(&format!("run/{number}"), number, &[]).with("beats", 60));
    let study: Vec<Toy> = runs.collect();
    let plan = freeze(&lab, &study).plan_id();
    let mut killed = process(&lab, "a", &plan);
    Lab::wait_until(|| lab.begun() >= 2);
    killed.kill().unwrap();
    killed.wait().unwrap();
    let mut options = lab.options();
    options.sharing.ttl = Duration::from_secs(2);
    let copy = take_part(&lab, "b", &plan, options).unwrap();
    assert!(copy.summary.complete(), "{:?}", copy.summary);
    assert!(lab.begun() <= 4 + 2, "{}", lab.begun());
}

/// Many stages without inputs, and one that reads all.
fn wide(runs: u64) -> Vec<Toy> {
    let runs = (0..runs).map(|number| Toy::sum(&format!("run/{number}"), number, &[]));
    let mut study: Vec<Toy> = runs.collect();
    study.push(Toy {
        reads: study.iter().map(|toy| toy.name.clone()).collect(),
        ..Toy::sum("table", 1, &[])
    });
    study
}

#[test]
fn a_copy_with_an_empty_cache_asks_for_what_was_there_in_a_handful_of_requests() {
    let lab = Lab::fleet();
    let study = wide(60);
    let (runs, table) = (60, study.len());
    let first = freeze(&lab, &study[..runs]).plan_id();
    let made = take_part(&lab, "a", &first, lab.options()).unwrap();
    assert_eq!(made.summary.ran(), runs);
    // What a copy has made is packed when it leaves,
    let found = take_part(&lab, "b", &first, lab.options()).unwrap();
    assert_eq!(found.summary.cached(), runs);
    assert!(found.asked < 40, "{}", found.asked);
    assert!(
        files(&lab.path("b/v1/ac")).is_empty(),
        "its cache has none of it"
    );
    // and what there is when a plan is frozen. A stage that reads all has it all brought here.
    let second = freeze(&lab, &study).plan_id();
    let read = take_part(&lab, "c", &second, lab.options()).unwrap();
    assert_eq!((read.summary.ran(), read.summary.cached()), (1, runs));
    assert!(read.asked < 80, "{}", read.asked);
    let alone = lab.run(&study);
    let frozen = thaw(&lab, &second);
    assert_eq!(
        outputs(&frozen, &read.summary),
        outputs(&frozen, &alone.summary)
    );
    // A pack that is damaged is as none.
    flip(&blob(&lab, frozen.known.unwrap().records.digest));
    for known in files(&lab.path("remote/v1/run")) {
        if known.parent().unwrap().ends_with("known") {
            flip(&known);
        }
    }
    let found = take_part(&lab, "d", &second, lab.options()).unwrap();
    assert_eq!(found.summary.cached(), table);
    assert!(found.asked > runs, "{}", found.asked);
}

/// The file of a blob in the remote.
fn blob(lab: &Lab, digest: Digest) -> PathBuf {
    let name = digest.to_string();
    lab.path("remote/v1/cas").join(&name[..2]).join(name)
}

#[test]
fn small_outputs_whose_pack_is_lost_are_read_from_their_records() {
    let lab = Lab::fleet();
    let study = wide(50);
    let first = freeze(&lab, &study[..50]).plan_id();
    take_part(&lab, "a", &first, lab.options()).unwrap();
    let second = freeze(&lab, &study);
    fs::remove_file(blob(&lab, second.known.unwrap().contents.digest)).unwrap();
    for known in files(&lab.path("remote/v1/run")) {
        if known.parent().unwrap().ends_with("known") {
            fs::remove_file(known).unwrap();
        }
    }
    let read = take_part(&lab, "b", &second.plan_id(), lab.options()).unwrap();
    assert_eq!((read.summary.ran(), read.summary.cached()), (1, 50));
    let alone = lab.run(&study);
    assert_eq!(
        outputs(&second, &read.summary),
        outputs(&second, &alone.summary)
    );
}

#[test]
fn results_that_only_the_cache_has_go_along_when_a_study_is_frozen() {
    let lab = Lab::fleet();
    let study = [Toy::sum("one", 1, &[]), Toy::sum("two", 2, &["one"])];
    let graph = toy::graph(&study);
    let alone = Store::open(&lab.path("login")).unwrap();
    engine::run(
        &graph,
        &alone,
        &toy::kinds("1"),
        &lab.options(),
        &mut |_| {},
    )
    .unwrap();
    let frozen = freeze(&lab, &study);
    assert!(frozen.seconds.iter().all(|&seconds| seconds > 0.0));
    let copy = take_part(&lab, "a", &frozen.plan_id(), lab.options()).unwrap();
    assert_eq!((copy.summary.cached(), lab.begun()), (2, 2));
}

#[test]
fn an_input_that_the_remote_has_lost_fails_its_stage_alone() {
    let lab = Lab::fleet();
    let study = study(&lab);
    let frozen = freeze(&lab, &study);
    let input = &frozen.inputs[&lab.path("in/file.csv")];
    fs::remove_file(blob(&lab, input.blob().digest)).unwrap();
    let copy = take_part(&lab, "a", &frozen.plan_id(), lab.options()).unwrap();
    assert_eq!((copy.summary.failed(), copy.summary.ran()), (1, 1));
    let said = copy.events.iter().find_map(|event| match event {
        Event::Failed { error, .. } => Some(error.clone()),
        _ => None,
    });
    assert!(said.unwrap().contains("the remote has lost an input"));
    // What the message advises helps, also where the contents are damaged.
    let mut other = input.blob();
    for digest in frozen.inputs.values().map(|it| it.blob().digest) {
        let path = blob(&lab, digest);
        if path.exists() {
            flip(&path);
            other.digest = digest;
        }
    }
    assert_ne!(other, input.blob());
    let again = freeze(&lab, &study).plan_id();
    let copy = take_part(&lab, "b", &again, lab.options()).unwrap();
    assert!(copy.summary.complete(), "{:?}", copy.summary);
}

#[test]
fn what_cannot_be_frozen_is_refused_and_leaves_no_plan() {
    let lab = Lab::fleet();
    let none = Store::open(&lab.path("alone")).unwrap();
    let refused = |store: &Store, toys: &[Toy]| {
        let graph = toy::graph(toys);
        engine::freeze(&graph, store, &toy::kinds("1"), freeze_options())
            .unwrap_err()
            .to_string()
    };
    let one = [Toy::sum("one", 1, &[])];
    let said = refused(&none, &one);
    assert!(said.ends_with("there is no remote"), "{said}");
    let mut reader = Store::open(&lab.path("reader")).unwrap();
    let remote = Remote::open_to_read(&lab.path("remote"), &reader).unwrap();
    reader.put_before(remote);
    let said = refused(&reader, &one);
    assert!(said.contains("cannot be written"), "{said}");
    let missing = [Toy::sum("one", 1, &[]).file(&lab.path("missing.csv"))];
    let said = refused(&lab.store_of("a"), &missing);
    assert!(said.starts_with("there is no file"), "{said}");
    let unknown = [Toy::sum("one", 1, &[]).kind("unheard")];
    let said = refused(&lab.store_of("a"), &unknown);
    assert!(said.contains("of the kind `unheard`"), "{said}");
    assert!(files(&lab.path("remote/v1/run")).is_empty());
}
