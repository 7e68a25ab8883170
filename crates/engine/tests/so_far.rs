//! What stages that only read would give over the results that are there, without a trace in the store.

#[path = "toy/lab.rs"]
mod lab;
#[path = "toy/mod.rs"]
mod toy;

use std::collections::BTreeMap;
use std::error::Error;

use engine::{Execute, Job, Output, Partial, SoFar, Stage};
use lab::{Lab, files, flip};
use serde_json::{Map, Value};
use toy::Toy;

/// data -> run/a..c -> targets -> report, and data -> sizes -> report; the winner again.
fn study() -> Vec<Toy> {
    vec![
        Toy::sum("data", 1, &[]),
        Toy::sum("run/a", 10, &["data"]),
        Toy::sum("run/b", 20, &["data"]),
        Toy::sum("run/c", 30, &["data"]),
        Toy::sum("targets", 40, &["run/a", "run/b", "run/c"]),
        Toy::sum("choice", 2, &["run/a", "run/b", "run/c"]).kind("choose"),
        Toy::sum("again", 0, &["data"]).bound_to("choice"),
        Toy::sum(
            "report",
            60,
            &["targets", "run/a", "run/b", "run/c", "again"],
        ),
    ]
}

/// The same if it had only these runs.
fn without(study: &[Toy], gone: &[&str]) -> Vec<Toy> {
    let mut less = study.to_vec();
    less.retain(|toy| !gone.contains(&toy.name.as_str()));
    for toy in &mut less {
        toy.reads.retain(|read| !gone.contains(&read.as_str()));
    }
    less
}

/// Remembers what it was told is absent.
#[derive(Default)]
struct Reader(BTreeMap<String, Vec<(String, bool)>>);

impl Execute for Reader {
    fn execute(&mut self, job: &Job<'_>) -> Result<Output, Box<dyn Error + Send + Sync>> {
        let manifest = job.manifest();
        if manifest.inputs().is_empty() {
            return Err("nothing to read".into());
        }
        let absent = job.absent().iter();
        let absent = absent.map(|absent| (absent.name.clone(), absent.settings.is_some()));
        let number = manifest.settings()["number"].to_string();
        self.0.insert(number, absent.collect());
        let inputs = manifest.inputs().keys().map(|name| job.read(name));
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        let inputs = inputs.iter().map(|input| input.as_slice());
        let bytes = toy::result(manifest.kind(), manifest.settings(), inputs);
        Ok(Output {
            blobs: BTreeMap::from([("out".to_owned(), bytes.into())]),
            ..Output::default()
        })
    }
}

fn partly(stage: &Stage) -> Option<Map<String, Value>> {
    ["targets", "choice", "report"]
        .contains(&stage.name.as_str())
        .then(|| stage.settings.clone())
}

fn so_far(lab: &Lab, toys: &[Toy], reader: &mut Reader) -> SoFar {
    let store = lab.store();
    let kinds = toy::kinds(lab.code);
    engine::so_far(
        &toy::graph(toys),
        &store,
        &kinds,
        "toy study",
        &partly,
        reader,
    )
    .unwrap()
}

fn of<'s>(so_far: &'s SoFar, toys: &[Toy], name: &str) -> &'s Partial {
    let id = toy::graph(toys).find(name).unwrap();
    so_far
        .partial
        .get(&id)
        .unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn what_reads_is_given_what_there_is_and_the_store_none_of_it() {
    let lab = Lab::new();
    let study = study();
    lab.run(&study[..3]);
    let before = files(&lab.path("cache"));
    let mut reader = Reader::default();
    let there = so_far(&lab, &study, &mut reader);
    assert_eq!(files(&lab.path("cache")), before);
    // As the whole study would be without what is missing: no `run/c`, and no winner again.
    let twin = toy::twin(&without(&study, &["run/c", "again"]), lab.code);
    for name in ["targets", "choice", "report"] {
        let outputs = of(&there, &study, name).outputs.as_ref().unwrap();
        assert_eq!(*outputs["out"], twin[name].0, "{name}");
    }
    let report = of(&there, &study, "report");
    assert_eq!((report.there, report.absent), (3, 2));
    // What a choice has yet to decide has no settings.
    let absent = [("again".to_owned(), false), ("run/c".to_owned(), true)];
    assert_eq!(reader.0["60"], absent);
    assert_eq!(there.plan.cached(), 3);
    // All of it afterwards: nothing was spoilt.
    lab.ran(&study);
    let there = so_far(&lab, &study, &mut Reader::default());
    assert!(there.partial.is_empty(), "every stage has its result");
}

#[test]
fn a_result_that_is_damaged_or_gone_counts_as_absent() {
    let lab = Lab::new();
    let study = study();
    lab.run(&study[..4]);
    flip(&lab.blob(&study, "run/b"));
    std::fs::remove_file(lab.blob(&study, "run/c")).unwrap();
    let there = so_far(&lab, &study, &mut Reader::default());
    let targets = of(&there, &study, "targets");
    assert_eq!((targets.there, targets.absent), (1, 2));
    let twin = toy::twin(&without(&study, &["run/b", "run/c"]), lab.code);
    assert_eq!(*targets.outputs.as_ref().unwrap()["out"], twin["targets"].0);
}

#[test]
fn a_stage_that_can_make_nothing_of_what_there_is_says_why() {
    let lab = Lab::new();
    let study = study();
    let there = so_far(&lab, &study, &mut Reader::default());
    let targets = of(&there, &study, "targets");
    assert_eq!(targets.outputs.as_ref().unwrap_err(), "nothing to read");
    assert_eq!((targets.there, targets.absent), (0, 3));
}
