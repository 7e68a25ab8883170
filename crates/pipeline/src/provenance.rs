//! Where a page's numbers come from, gathered from the records behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime};

use engine::{Graph, Manifest, Options, Record, Summary};
use report::{
    DataSet, Provenance, Share, SiteFile, StageCounts, StageGraph, StageKeys, StageNode, StageTime,
    TrainingTime,
};
use serde_json::Value;

use crate::secrets::mask_word;
use crate::{stages, version};

/// How many of the slowest stages are named.
const SLOWEST: usize = 10;

/// What a page was made from.
pub(crate) struct Made<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) summary: &'a Summary,
    /// None where a page is drawn again.
    pub(crate) run: Option<&'a Ran<'a>>,
    pub(crate) study_file: &'a str,
    pub(crate) study_text: &'a str,
}

/// How a run was done.
pub(crate) struct Ran<'a> {
    pub(crate) options: &'a Options,
    pub(crate) begun: Instant,
    pub(crate) site: Option<&'a study::Site>,
}

/// What this process was called with; names of files need not be UTF-8.
fn command_line() -> String {
    let words = std::env::args_os().map(|word| mask_word(&word.to_string_lossy()).into_owned());
    words.collect::<Vec<_>>().join(" ")
}

/// Gathers it all.
pub(crate) fn provenance(made: &Made<'_>) -> Provenance {
    let records: Vec<(&engine::Stage, &Record)> = made
        .graph
        .iter()
        .filter_map(|(id, stage)| Some((stage, &**made.summary.record(id)?)))
        .collect();
    let elapsed = made.run.map_or(Duration::ZERO, |run| run.begun.elapsed());
    let now = SystemTime::now();
    let trained = records.iter().filter(|(stage, _)| stage.kind == "train");
    let summary = made.summary;
    Provenance {
        version: version::SHORT.to_owned(),
        commit: version::COMMIT.map(str::to_owned),
        command: command_line(),
        machines: shares(
            records
                .iter()
                .map(|(_, record)| record.provenance.host.clone()),
        ),
        devices: shares(trained.map(|(_, record)| device(record))),
        threads: made.run.map(|run| run.options.site.threads),
        jobs: made.run.map(|run| run.options.jobs),
        started: engine::utc(now - elapsed),
        finished: engine::utc(now),
        elapsed_seconds: elapsed.as_secs_f64(),
        compute_seconds: records
            .iter()
            .map(|(_, record)| record.provenance.seconds)
            .sum(),
        stages: StageCounts {
            ran: summary.ran(),
            cached: summary.cached(),
            failed: summary.failed() + summary.skipped(),
        },
        slowest: slowest(&records),
        training: training(&records),
        keys: keys(&records),
        data: data(&records),
        study_file: made.study_file.to_owned(),
        study_text: made.study_text.to_owned(),
        site: made.run.and_then(|run| run.site).map(|site| SiteFile {
            path: site.path.display().to_string(),
            text: site.text.clone(),
        }),
        graph: stage_graph(made.graph),
    }
}

/// The devices that runs were trained on, in the order of a page.
pub(crate) fn trained_on<'r>(records: impl IntoIterator<Item = &'r Record>) -> Vec<String> {
    let devices: BTreeSet<String> = records.into_iter().map(device).collect();
    devices.into_iter().collect()
}

/// The device that a run was trained on; the one asked for where its executor did not say.
fn device(record: &Record) -> String {
    match record.provenance.executor.get("device") {
        Some(Value::String(name)) => name.clone(),
        _ => record.provenance.device.clone(),
    }
}

fn shares(names: impl Iterator<Item = String>) -> Vec<Share> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    counts
        .into_iter()
        .map(|(name, stages)| Share { name, stages })
        .collect()
}

fn slowest(records: &[(&engine::Stage, &Record)]) -> Vec<StageTime> {
    let mut times: Vec<StageTime> = records
        .iter()
        .map(|(stage, record)| StageTime {
            stage: stage.name.clone(),
            seconds: record.provenance.seconds,
        })
        .collect();
    times.sort_by(|a, b| {
        b.seconds
            .total_cmp(&a.seconds)
            .then_with(|| a.stage.cmp(&b.stage))
    });
    times.truncate(SLOWEST);
    times
}

/// Time of training by method and batch size.
fn training(records: &[(&engine::Stage, &Record)]) -> Vec<TrainingTime> {
    let mut times: BTreeMap<(String, u64), TrainingTime> = BTreeMap::new();
    for (stage, record) in records {
        let Ok(manifest) = Manifest::parse(&record.manifest) else {
            continue;
        };
        let settings = stages::run_settings(&stage.kind, manifest.settings());
        let setting = |name| settings.and_then(|settings| settings.get(name));
        let optimizer = setting("optimizer").and_then(Value::as_object);
        let method = optimizer.and_then(|optimizer| optimizer.keys().next());
        let batch_size = setting("batch_size").and_then(Value::as_u64);
        let (Some(method), Some(batch_size)) = (method, batch_size) else {
            continue;
        };
        let time = times
            .entry((method.clone(), batch_size))
            .or_insert_with(|| TrainingTime {
                method: method.clone(),
                batch_size,
                ..TrainingTime::default()
            });
        time.runs += 1;
        time.steps += record
            .notes
            .get("steps")
            .and_then(Value::as_u64)
            .unwrap_or_default();
        time.seconds += record.provenance.seconds;
    }
    times.into_values().collect()
}

fn keys(records: &[(&engine::Stage, &Record)]) -> Vec<StageKeys> {
    let mut families: Vec<StageKeys> = Vec::new();
    for (stage, record) in records {
        match families
            .last_mut()
            .filter(|family| family.stage == stage.family)
        {
            Some(family) => family.keys.push(record.key.to_string()),
            None => families.push(StageKeys {
                stage: stage.family.clone(),
                kind: stage.kind.clone(),
                keys: vec![record.key.to_string()],
            }),
        }
    }
    families
}

fn data(records: &[(&engine::Stage, &Record)]) -> Vec<DataSet> {
    let sets = records.iter().filter(|(stage, _)| stage.kind == "dataset");
    sets.filter_map(|(stage, record)| {
        let digest = record.outputs.get("dataset")?.digest.to_string();
        Some(DataSet {
            name: stage.name.clone(),
            digest,
        })
    })
    .collect()
}

/// The graph with the runs of one stage of the study as one node.
pub(crate) fn stage_graph(graph: &Graph) -> StageGraph {
    let mut nodes: Vec<StageNode> = Vec::new();
    let mut edges = std::collections::BTreeSet::new();
    let place = |nodes: &[StageNode], name: &str| nodes.iter().position(|node| node.name == name);
    for (id, stage) in graph.iter() {
        let at = place(&nodes, &stage.family).unwrap_or_else(|| {
            nodes.push(StageNode {
                name: stage.family.clone(),
                kind: stage.kind.clone(),
                count: 0,
            });
            nodes.len() - 1
        });
        nodes[at].count += 1;
        for &read in graph.upstream(id) {
            let from =
                place(&nodes, &graph.stage(read).family).expect("what is read comes earlier");
            edges.insert((from, at));
        }
    }
    StageGraph {
        nodes,
        edges: edges.into_iter().collect(),
    }
}
