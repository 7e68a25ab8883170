//! What the kept states of a study's runs will take on disk, at most, and what they may take.
//!
//! Counted are the runs that a plan does not find cached, but for those that are known to take too little time for
//! their states to be worth keeping. What a winner's run will be is not known yet: it is counted as the largest of the
//! study's other runs.

use std::collections::BTreeMap;

use engine::{Graph, Keep, Keeping, Plan, Stage, Store, Verdict};
use serde_json::Value;
use training::{Settings, Shapes};

use crate::{Failure, stages};

/// Images `[channels, height, width]` and training images of the sources that do not say how many are taken.
const SOURCES: [(&str, [usize; 3], u64); 5] = [
    ("digits", [1, 8, 8], 1_797),
    ("cifar10", [3, 32, 32], 50_000),
    ("svhn", [3, 32, 32], 604_388),
    ("mnist", [1, 28, 28], 60_000),
    ("fashion-mnist", [1, 28, 28], 60_000),
];
/// All of them have ten.
const CLASSES: usize = 10;

/// Kept states on disk.
#[derive(Clone, Copy)]
pub(crate) struct States {
    /// What all take once all have run, at most; 0 if no state of any run is kept.
    pub(crate) bytes: u64,
    /// What they may take, all that are in the cache together.
    pub(crate) space: u64,
}

impl States {
    /// Of the runs of a plan.
    pub(crate) fn of(
        graph: &Graph,
        plan: &Plan,
        store: &Store,
        keeping: Keeping,
    ) -> Result<Self, Failure> {
        Ok(Self {
            bytes: bytes(graph, plan, keeping),
            space: store.space_of_states(keeping)?,
        })
    }
}

fn bytes(graph: &Graph, plan: &Plan, keeping: Keeping) -> u64 {
    if keeping.what < Keep::Last {
        return 0;
    }
    let mut networks = BTreeMap::new();
    let (mut sum, mut largest, mut unknown) = (0, 0, 0);
    for (id, stage) in graph.iter().filter(|(_, stage)| stage.kind == "train") {
        let planned = plan.stage(id);
        let is_cached = matches!(planned.verdict, Verdict::Cached | Verdict::Shared { .. });
        let seconds = planned.seconds.unwrap_or(f64::INFINITY);
        if is_cached || seconds < keeping.worth.as_secs_f64() {
            continue;
        }
        match of_run(graph, stage, keeping.what, &mut networks) {
            Some(bytes) => {
                sum += bytes;
                largest = largest.max(bytes);
            }
            None => unknown += 1,
        }
    }
    sum + unknown * largest
}

/// Bytes that a run leaves; none if its settings are not known.
fn of_run(
    graph: &Graph,
    stage: &Stage,
    what: Keep,
    networks: &mut BTreeMap<String, Option<Shapes>>,
) -> Option<u64> {
    let settings: Settings = stages::parse(&stage.settings).ok()?;
    let dataset = stage.inputs.iter().find_map(|input| match input.source {
        engine::Source::Stage { stage, .. } => Some(&graph.stage(stage).settings),
        engine::Source::File(_) => None,
    })?;
    let source = dataset.get("source").and_then(Value::as_str)?;
    let (_, image, all) = *SOURCES.iter().find(|(name, ..)| *name == source)?;
    let examples = dataset.get("train").and_then(Value::as_u64).unwrap_or(all);
    let model = serde_json::to_string(&(source, &settings.model)).ok()?;
    let shapes = networks
        .entry(model)
        .or_insert_with(|| Shapes::of(&settings.model, image, CLASSES).ok())
        .as_ref()?;
    let batch_size = settings.batch_size;
    let steps_per_epoch = settings.last_batch.steps_per_epoch(examples, batch_size);
    let steps = settings.budget.steps(batch_size, steps_per_epoch);
    let mut ends = vec![steps];
    if what == Keep::Segments {
        ends.extend(settings.schedule.rate_drops(steps));
    }
    let bytes = ends
        .iter()
        .map(|&end| shapes.state_bytes(&settings, end, steps_per_epoch));
    Some(bytes.sum())
}
