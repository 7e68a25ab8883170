//! Exactly the stages that a change affects run, and no other.

#[path = "toy/lab.rs"]
mod lab;
#[path = "toy/mod.rs"]
mod toy;

use std::fs;
use std::path::Path;

use engine::{Event, Outcome, Reason, Verdict};
use lab::{Lab, flip};
use toy::Toy;

/// data -> run/0..3 -> targets -> report, and data -> sizes -> report.
fn study() -> Vec<Toy> {
    vec![
        Toy::sum("data", 1, &[]),
        Toy::sum("run/a", 10, &["data"]),
        Toy::sum("run/b", 20, &["data"]),
        Toy::sum("run/c", 30, &["data"]),
        Toy::sum("targets", 40, &["run/a", "run/b", "run/c"]),
        Toy::sum("sizes", 50, &["data"]),
        Toy::sum("report", 60, &["targets", "sizes"]),
    ]
}

fn ran_before() -> (Lab, Vec<Toy>) {
    let lab = Lab::new();
    assert_eq!(lab.ran(&study()).len(), 7);
    (lab, study())
}

#[test]
fn in_a_first_plan_what_reads_something_is_new() {
    let lab = Lab::new();
    let plan = lab.plan(&study());
    assert_eq!((plan.run(), plan.fresh(), plan.maybe()), (1, 6, 0));
    // Another study has run some of it already: it was not known to be cached, and is.
    lab.ran(&study()[..3]);
    lab.forget();
    let plan = lab.plan(&study());
    assert_eq!((plan.cached(), plan.run(), plan.fresh()), (3, 2, 2));
    assert_eq!(lab.ran(&study()).len(), 4);
}

#[test]
fn when_nothing_changed_nothing_runs() {
    let (lab, study) = ran_before();
    assert_eq!(lab.plan(&study).cached(), 7);
    assert!(lab.ran(&study).is_empty());
}

#[test]
fn the_order_and_the_names_of_stages_do_not_matter() {
    let (lab, _) = ran_before();
    let renamed = [
        Toy::sum("data", 1, &[]),
        Toy::sum("sizes", 50, &["data"]),
        Toy::sum("kfac/c", 30, &["data"]),
        Toy::sum("kfac/b", 20, &["data"]),
        Toy::sum("kfac/a", 10, &["data"]),
    ];
    assert!(lab.ran(&renamed).is_empty());
}

#[test]
fn an_edited_setting_reruns_its_stage_and_what_reads_it_and_undo_runs_nothing() {
    let (lab, mut study) = ran_before();
    study[2].set("number", 21);
    let plan = lab.plan(&study);
    let Verdict::Run {
        reason: Reason::Changed { changes },
    } = &plan.stages()[2].verdict
    else {
        panic!("{:?}", plan.stages()[2].verdict)
    };
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].path, "number");
    assert_eq!(
        (changes[0].old.as_deref(), changes[0].new.as_deref()),
        (Some("20"), Some("21"))
    );
    assert_eq!((plan.cached(), plan.run(), plan.maybe()), (4, 1, 2));
    assert_eq!(lab.ran(&study), ["report", "run/b", "targets"]);
    study[2].set("number", 20);
    assert!(lab.ran(&study).is_empty());
}

#[test]
fn an_added_stage_runs_alone_with_its_readers() {
    let (lab, mut study) = ran_before();
    study.insert(4, Toy::sum("run/d", 35, &["data"]));
    study[5].reads.push("run/d".to_owned());
    assert_eq!(
        lab.plan(&study).stages()[4].verdict,
        Verdict::Run {
            reason: Reason::NeverRan
        }
    );
    assert_eq!(lab.ran(&study), ["report", "run/d", "targets"]);
}

#[test]
fn a_new_point_is_told_from_the_nearest_earlier_one() {
    let lab = Lab::new();
    let point = |rate: &str, seed: u64| {
        Toy::sum(&format!("kfac/rate={rate},seed={seed}"), seed, &["data"]).with("rate", rate)
    };
    let data = || Toy::sum("data", 1, &[]);
    lab.ran(&[data(), point("0.01", 1), point("0.3", 1), point("0.3", 2)]);
    // Of points that differ in one value, the one that the study has no longer: its place is taken.
    let study = [
        data(),
        point("0.01", 1),
        point("0.02", 1),
        point("0.3", 2),
        point("0.3", 3),
        Toy::sum("other/rate=1", 7, &["data"]),
    ];
    let plan = lab.plan(&study);
    let why = |at: usize| match &plan.stages()[at].verdict {
        Verdict::Run {
            reason: Reason::NewPoint { nearest, changes },
        } => {
            let change = |change: &engine::Change| {
                let [old, new] = [&change.old, &change.new].map(|value| value.clone().unwrap());
                format!("{}: {old} -> {new}", change.path)
            };
            let changes: Vec<String> = changes.iter().map(change).collect();
            format!("{nearest}; {}", changes.join("; "))
        }
        other => format!("{other:?}"),
    };
    assert_eq!(why(2), "kfac/rate=0.3,seed=1; rate: \"0.3\" -> \"0.02\"");
    assert_eq!(why(4), "kfac/rate=0.3,seed=1; number: 1 -> 3");
    assert_eq!(why(5), "Run { reason: NeverRan }");
    assert_eq!((plan.cached(), plan.run()), (3, 3));
}

#[test]
fn a_removed_stage_reruns_only_its_readers() {
    let (lab, mut study) = ran_before();
    study.remove(3);
    study[3].reads.pop();
    assert_eq!(lab.ran(&study), ["report", "targets"]);
}

#[test]
fn a_stage_that_reruns_to_the_same_bytes_does_not_rerun_its_readers() {
    let (lab, mut study) = ran_before();
    study[4].set("unread", true);
    let plan = lab.plan(&study);
    assert_eq!((plan.run(), plan.maybe()), (1, 1));
    assert_eq!(lab.ran(&study), ["targets"]);
}

#[test]
fn a_new_code_version_reruns_its_kind_and_what_reads_changed_bytes() {
    let mut study = study();
    study[0] = study[0].clone().kind("choose");
    let mut lab = Lab::new();
    assert_eq!(lab.ran(&study).len(), 7);
    lab.code = "2";
    let names = lab.ran(&study);
    assert_eq!(
        names,
        ["report", "run/a", "run/b", "run/c", "sizes", "targets"],
        "all but `choose`"
    );
    lab.code = "1";
    assert!(lab.ran(&study).is_empty());
}

#[test]
fn a_touched_input_file_reruns_nothing_and_an_edited_one_what_depends_on_it() {
    let lab = Lab::new();
    let path = lab.path("data.bin");
    fs::write(&path, "one").unwrap();
    let study = [
        Toy::sum("data", 1, &[]).file(&path),
        Toy::sum("run", 2, &["data"]),
        Toy::sum("other", 3, &[]),
    ];
    assert_eq!(lab.ran(&study).len(), 3);
    fs::write(&path, "one").unwrap();
    assert!(lab.ran(&study).is_empty());
    let moved = lab.path("moved.bin");
    fs::rename(&path, &moved).unwrap();
    let study = [
        study[0].clone().file(&moved),
        study[1].clone(),
        study[2].clone(),
    ];
    assert!(lab.ran(&study).is_empty());
    fs::write(&moved, "two").unwrap();
    assert_eq!(lab.ran(&study), ["data", "run"]);
}

#[test]
fn without_an_input_file_the_rest_is_planned_and_run() {
    let lab = Lab::new();
    let path = lab.path("data.bin");
    let study = [
        Toy::sum("data", 1, &[]).file(&path),
        Toy::sum("run", 2, &["data"]),
        Toy::sum("other", 3, &[]),
    ];
    let missing = format!("there is no file `{}`", path.display());
    let plan = lab.plan(&study);
    let error = missing.clone();
    assert_eq!(plan.stages()[0].verdict, Verdict::Unfit { error });
    assert_eq!(plan.run(), 1);

    let run = lab.run(&study);
    assert_eq!(run.names, ["other"]);
    assert_eq!((run.summary.failed(), run.summary.skipped()), (1, 1));
    let outcome = run
        .summary
        .outcome(toy::graph(&study).find("data").unwrap());
    assert!(matches!(outcome, Outcome::Failed { error, .. } if *error == missing));

    fs::write(&path, "one").unwrap();
    assert_eq!(lab.ran(&study), ["data", "run"]);
}

#[test]
fn a_bound_setting_reruns_its_stage_only_when_its_value_changes() {
    let lab = Lab::new();
    let mut confirmed = Toy::sum("confirmed", 0, &["data"]).bound_to("winners");
    confirmed.settings.remove("number");
    let mut study = vec![
        Toy::sum("data", 1, &[]),
        Toy::sum("tuning", 4, &["data"]),
        Toy::sum("winners", 2, &["tuning"])
            .kind("choose")
            .with("modulus", 2),
        confirmed,
    ];
    assert_eq!(lab.ran(&study).len(), 4);
    let winner = |study: &[Toy]| toy::twin(study, "1")["winners"].0.clone();
    let (first, mut same, mut other) = (winner(&study), None, None);
    for number in 5..50 {
        study[1].set("number", number);
        let found = if winner(&study) == first {
            &mut same
        } else {
            &mut other
        };
        found.get_or_insert(number);
    }
    study[1].set("number", same.unwrap());
    assert_eq!(lab.ran(&study), ["tuning", "winners"]);
    study[1].set("number", other.unwrap());
    assert_eq!(lab.ran(&study), ["confirmed", "tuning", "winners"]);
    assert!(
        lab.record(&study, "confirmed")
            .manifest
            .contains("\nnumber: "),
        "the manifest carries the value"
    );
}

#[test]
fn a_binding_to_an_entry_that_is_not_there_fails_with_its_name() {
    let lab = Lab::new();
    let study = [
        Toy::sum("data", 1, &[]),
        Toy::sum("run", 2, &[]).bound_to("data"),
        Toy::sum("end", 3, &["run"]),
    ];
    let run = lab.run(&study);
    let Outcome::Failed { error, .. } = &run.summary.outcomes()[1] else {
        panic!("{:?}", run.summary)
    };
    assert_eq!(
        error,
        "the output `out` of `data` has no settings under `best`"
    );
    assert_eq!(
        (
            run.summary.ran(),
            run.summary.failed(),
            run.summary.skipped()
        ),
        (1, 1, 1)
    );
    assert!(
        matches!(&lab.plan(&study).stages()[1].verdict, Verdict::Unfit { error: planned } if planned == error)
    );
}

#[test]
fn a_binding_to_what_is_no_json_fails_and_says_where() {
    let lab = Lab::new();
    let study = [
        Toy::sum("data", 1, &[]).with("bytes", 3),
        Toy::sum("run", 2, &[]).bound_to("data"),
    ];
    let run = lab.run(&study);
    let Outcome::Failed { error, .. } = &run.summary.outcomes()[1] else {
        panic!("{:?}", run.summary)
    };
    assert_eq!(
        error,
        "the output `out` of `data` is not JSON: trailing characters at line 2 column 1"
    );
}

#[test]
fn stages_with_one_manifest_run_once() {
    let lab = Lab::new();
    let study = [
        Toy::sum("data", 1, &[]),
        Toy::sum("kfac/a", 10, &["data"]).with("beats", 5),
        Toy::sum("kfac-epochs/a", 10, &["data"]).with("beats", 5),
        Toy::sum("end", 10, &["kfac/a", "kfac-epochs/a"]),
    ];
    assert_eq!(lab.ran(&study), ["data", "end", "kfac/a"]);
    let lab = Lab::new();
    assert_eq!(lab.ran(&study[..1]), ["data"]);
    let plan = lab.plan(&study);
    assert!(matches!(plan.stages()[2].verdict, Verdict::Shared { with } if with.index() == 1));
}

#[test]
fn a_flipped_byte_in_a_blob_is_found_when_it_is_read_and_only_its_stage_runs_again() {
    let (lab, mut study) = ran_before();
    flip(&lab.blob(&study, "data"));
    assert!(lab.ran(&study).is_empty(), "nothing reads it");
    study[1].set("number", 11);
    let run = lab.run(&study);
    lab.check(&study, &run.summary);
    assert_eq!(run.names, ["data", "report", "run/a", "targets"]);
    let corrupt = run.events.iter().find_map(|event| match event {
        Event::Corrupt { what, path } => Some((what.as_str(), path)),
        _ => None,
    });
    let (what, path) = corrupt.expect("the damage is reported");
    assert_eq!(what, "blob");
    assert!(path.is_file(), "what was set aside can be looked at");
    assert!(lab.ran(&study).is_empty());
}

#[test]
fn a_flipped_byte_in_what_the_caller_reads_is_made_good() {
    let (lab, study) = ran_before();
    flip(&lab.blob(&study, "report"));
    let mut options = lab.options();
    options.verify = vec![toy::graph(&study).find("report").unwrap()];
    let run = lab.run_with(&study, &options);
    assert_eq!(run.names, ["report"]);
    lab.check(&study, &run.summary);
}

#[test]
fn a_damaged_record_reruns_its_stage_and_stops_there() {
    for damage in [flip, delete, cut] {
        let (lab, study) = ran_before();
        damage(&lab.record_file(&study, "run/b"));
        let plan = lab.plan(&study);
        assert_eq!(
            plan.stages()[2].verdict,
            Verdict::Run {
                reason: Reason::Lost
            }
        );
        assert_eq!((plan.run(), plan.maybe()), (1, 2));
        assert_eq!(lab.ran(&study), ["run/b"]);
        assert!(lab.ran(&study).is_empty());
    }
}

fn delete(path: &Path) {
    fs::remove_file(path).unwrap();
}

fn empty(path: &Path) {
    // The store keeps its files read-only.
    delete(path);
    fs::write(path, "").unwrap();
}

fn cut(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::remove_file(path).unwrap();
    fs::write(path, &bytes[..bytes.len() - 10]).unwrap();
}

#[test]
fn a_lost_output_is_made_again_only_where_it_is_needed() {
    for damage in [delete, empty] {
        let (lab, mut study) = ran_before();
        let damage = |name| damage(&lab.blob(&study, name));
        ["data", "run/a", "run/b"].into_iter().for_each(damage);
        assert!(lab.ran(&study).is_empty(), "nothing needs them");
        damage("report");
        assert_eq!(
            lab.ran(&study),
            ["report"],
            "nothing reads it: it is what the study is for"
        );
        damage("targets");
        study[6].set("number", 61);
        let plan = lab.plan(&study);
        assert_eq!(
            plan.run(),
            5,
            "report, which reads targets, which reads run/a and run/b, which read data"
        );
        assert_eq!(
            lab.ran(&study),
            ["data", "report", "run/a", "run/b", "targets"]
        );
        assert!(lab.ran(&study).is_empty());
    }
}

#[test]
fn an_emptied_cache_is_filled_again() {
    let (lab, study) = ran_before();
    fs::remove_dir_all(lab.path("cache/v1/cas")).unwrap();
    assert_eq!(lab.ran(&study).len(), 7);
    fs::remove_dir_all(lab.path("cache")).unwrap();
    assert_eq!(lab.ran(&study).len(), 7);
}

#[test]
fn a_lost_output_that_does_not_come_out_as_before_voids_its_record_and_reruns_its_readers() {
    let lab = Lab::new();
    let mut study = [
        Toy::sum("data", 1, &[]).with("random", true),
        Toy::sum("run/a", 2, &["data"]),
        Toy::sum("run/b", 3, &["data"]),
        Toy::sum("end", 4, &["run/a", "run/b"]),
    ];
    assert_eq!(lab.ran(&study).len(), 4);
    let first = lab.record(&study, "data");
    fs::remove_file(lab.blob(&study, "data")).unwrap();
    study[2].set("number", 5);
    // `run/a` was cached for the bytes that are lost; beside the new ones it would be wrong.
    assert_eq!(lab.ran(&study), ["data", "end", "run/a", "run/b"]);
    let second = lab.record(&study, "data");
    assert_eq!((first.attempt, second.attempt), (1, 2));
    assert_ne!(first.outputs, second.outputs);
    assert!(lab.ran(&study).is_empty());
}

#[test]
fn a_cache_of_a_newer_version_is_refused() {
    let (lab, study) = ran_before();
    fs::create_dir(lab.path("cache/v2")).unwrap();
    let error = engine::Store::open(&lab.path("cache")).unwrap_err();
    assert!(
        error.to_string().ends_with(
            "was written by a newer version of this program (format 2; this one knows 1)"
        )
    );
    fs::remove_dir(lab.path("cache/v2")).unwrap();
    assert!(lab.ran(&study).is_empty());
}

#[test]
fn a_lost_history_costs_only_the_reasons() {
    let (lab, study) = ran_before();
    flip(&lab.path("cache/v1/run/toy%20study/last"));
    let run = lab.run(&study);
    assert!(run.names.is_empty());
    assert!(
        run.events
            .iter()
            .any(|event| matches!(event, Event::Corrupt { what, .. } if what == "index"))
    );
}
