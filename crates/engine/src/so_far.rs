//! What stages that only read would give over the results that are there.
//!
//! A study of weeks is looked at before its last run. The same executors make its tables then, given the inputs that
//! there are. Nothing of that is published, here or by whoever asks: under the key of a stage lies the table of all
//! its runs or none.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value};

use crate::history::History;
use crate::job::{Contents, Execute, Inputs, Job, lock};
use crate::resolve::Resolver;
use crate::worker::{Wire, with_sources};
use crate::{
    CheckpointPolicy, Digest, Error, Graph, Kinds, Manifest, Plan, Record, Site, Source, Stage,
    StageId, Store, plan,
};

/// What there is of a study.
#[derive(Debug)]
pub struct SoFar {
    /// The results that are there.
    pub plan: Plan,
    /// What the stages that only read and have no result yet would give.
    pub partial: BTreeMap<StageId, Partial>,
}

/// What a stage would give over those of its inputs that are there.
#[derive(Debug, Clone)]
pub struct Partial {
    /// Its outputs, or why it gives none: usually because nothing that it reads is there.
    pub outputs: Result<BTreeMap<String, Arc<Vec<u8>>>, String>,
    /// How many of its inputs are there.
    pub there: usize,
    /// How many are not.
    pub absent: usize,
}

/// An input that is not there yet.
#[derive(Debug, Clone)]
pub struct Absent {
    /// The name that the stage knows it by.
    pub name: String,
    /// The kind of the stage that will make it.
    pub kind: String,
    /// The settings of that stage; none where an earlier stage has yet to decide some.
    pub settings: Option<Map<String, Value>>,
}

/// Looks at what there is of a study, and makes from it what stages that only read would give.
///
/// `partly` names the stages that may be given a part of their inputs, by their settings to do so with. The store is
/// read only, but for the memory of input files' digests and what is found damaged. A study that runs at the same time,
/// here or elsewhere, is not disturbed.
///
/// # Errors
///
/// If an input file or the cache cannot be read, or nobody executes a stage's kind. What an executor says of a stage is
/// in its [`Partial`].
pub fn so_far(
    graph: &Graph,
    store: &Store,
    kinds: &Kinds,
    study: &str,
    partly: &dyn Fn(&Stage) -> Option<Map<String, Value>>,
    executor: &mut dyn Execute,
) -> Result<SoFar, Error> {
    let history = match History::load(store, study) {
        Err(Error::Damaged { .. }) => History::default(),
        history => history?,
    };
    let plan = plan::make(
        graph,
        store,
        &mut Resolver::new(graph, store, kinds, None)?,
        &history,
        None,
        &|key| store.find(key),
    )?;
    let mut making = Making {
        graph,
        store,
        plan: &plan,
        executor,
        inputs: Mutex::default(),
        lost: HashSet::new(),
        partial: BTreeMap::new(),
    };
    for (id, stage) in graph.iter() {
        if making.is_there(id) {
            continue;
        }
        if let Some(settings) = partly(stage) {
            let partial = making.make(stage, &settings);
            making.partial.insert(id, partial);
        }
    }
    let partial = making.partial;
    Ok(SoFar { plan, partial })
}

struct Making<'a> {
    graph: &'a Graph,
    store: &'a Store,
    plan: &'a Plan,
    executor: &'a mut dyn Execute,
    inputs: Mutex<Inputs>,
    /// Outputs that were thought to be there, and could not be read.
    lost: HashSet<Digest>,
    partial: BTreeMap<StageId, Partial>,
}

impl Making<'_> {
    /// Whether a stage has its result, with its outputs.
    fn is_there(&self, id: StageId) -> bool {
        let record = self.plan.stage(id).record.as_ref();
        let has = |record: &Arc<Record>| {
            let mut outputs = record.outputs.values();
            outputs.all(|blob| self.store.can_have(record.key, blob))
        };
        record.is_some_and(has)
    }

    fn make(&mut self, stage: &Stage, settings: &Map<String, Value>) -> Partial {
        let site = Site {
            threads: 1,
            device: "cpu".to_owned(),
            gpu: None,
            checkpoints: CheckpointPolicy::default(),
        };
        loop {
            let (there, absent) = self.inputs_of(stage);
            let manifest = Manifest::new(&stage.kind, "so far", settings.clone(), there);
            let job = Job {
                manifest: &manifest,
                site: &site,
                files: &BTreeMap::new(),
                packs: &BTreeMap::new(),
                store: self.store,
                inputs: &self.inputs,
                absent: &absent,
                lost: Mutex::default(),
                unstored: AtomicBool::new(false),
                begun_from: Mutex::default(),
                wire: &Wire::to_nobody(),
                interrupted: &AtomicBool::new(false),
            };
            let executed = self.executor.execute(&job);
            let lost = job
                .lost
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(lost) = lost
                && self.lost.insert(lost)
            {
                continue;
            }
            return Partial {
                outputs: executed
                    .map(|output| self.keep(output.blobs))
                    .map_err(|error| with_sources(&*error)),
                there: manifest.inputs().len(),
                absent: absent.len(),
            };
        }
    }

    /// The inputs of a stage that are there, and those that are not.
    fn inputs_of(&self, stage: &Stage) -> (BTreeMap<String, Digest>, Vec<Absent>) {
        let mut there = BTreeMap::new();
        let mut absent = Vec::new();
        for input in &stage.inputs {
            let Source::Stage {
                stage: from,
                output,
            } = &input.source
            else {
                continue;
            };
            if let Some(digest) = self.output(*from, output) {
                there.insert(input.name.clone(), digest);
                continue;
            }
            let from = self.graph.stage(*from);
            absent.push(Absent {
                name: input.name.clone(),
                kind: from.kind.clone(),
                settings: from.bindings.is_empty().then(|| from.settings.clone()),
            });
        }
        (there, absent)
    }

    fn output(&self, from: StageId, output: &str) -> Option<Digest> {
        if let Some(partial) = self.partial.get(&from) {
            let bytes = partial.outputs.as_ref().ok()?.get(output)?;
            return Some(Digest::of(bytes));
        }
        let record = self.plan.stage(from).record.as_ref()?;
        let blob = record.outputs.get(output)?;
        let is_there = self.store.can_have(record.key, blob) && !self.lost.contains(&blob.digest);
        is_there.then_some(blob.digest)
    }

    /// Keeps outputs in memory, where those that read them find them.
    fn keep(&self, blobs: BTreeMap<String, Contents>) -> BTreeMap<String, Arc<Vec<u8>>> {
        let keep = |(name, contents)| match contents {
            Contents::Bytes(bytes) => {
                let bytes = Arc::new(bytes);
                lock(&self.inputs).pin(Digest::of(&bytes), Arc::clone(&bytes));
                Some((name, bytes))
            }
            // It is no part of any result; gc takes it.
            Contents::Stored(_) => None,
        };
        blobs.into_iter().filter_map(keep).collect()
    }
}
