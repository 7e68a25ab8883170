//! What a run would do, and why, without doing it.
//!
//! A plan promises: the stages that [`Verdict::Run`] are among those that ran, and those that ran
//! are among [`Verdict::Run`], [`Verdict::New`] and [`Verdict::Maybe`]. What it cannot know is damage that only
//! reading shows, and what other processes do meanwhile.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

use crate::history::{Durations, History};
use crate::nearest::EarlierPoints;
use crate::resolve::{Resolver, Unresolved};
use crate::{
    Change, Digest, Error, Frozen, Graph, Kinds, Lookup, Record, StageId, Store, manifest,
};

/// What a run would do with each stage.
#[derive(Debug)]
pub struct Plan {
    stages: Vec<Planned>,
}

/// What a run would do with one stage.
#[derive(Debug, Clone)]
pub struct Planned {
    /// What happens.
    pub verdict: Verdict,
    /// The stage's manifest text, where what it reads is known.
    pub manifest: Option<String>,
    /// The digest of that text.
    pub key: Option<Digest>,
    /// The result that is there. Its blobs may be lost, then the stage runs.
    pub record: Option<Arc<Record>>,
    /// How long it is expected to run in seconds, where anything of its kind ever ran.
    pub seconds: Option<f64>,
}

/// What a run would do with a stage.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Its result is there.
    Cached,
    /// It runs.
    Run {
        /// Why.
        reason: Reason,
    },
    /// It runs if another stage makes it necessary: usually one that it reads, should that come
    /// out other than before; or a reader that may run, because this stage's output is lost.
    Maybe {
        /// The other stage.
        because: StageId,
    },
    /// The study never ran it, and what it reads is not known yet: it runs unless its result turns
    /// out to be in the cache.
    New {
        /// A stage that is to run before.
        because: StageId,
    },
    /// An earlier stage has the same manifest; its result serves both.
    Shared {
        /// The earlier stage.
        with: StageId,
    },
    /// It cannot run: what it reads is not there and will not be, or has not the form it counts on.
    Unfit {
        /// What is wrong.
        error: String,
    },
}

impl Verdict {
    fn may_run(&self) -> bool {
        matches!(
            self,
            Self::Run { .. } | Self::New { .. } | Self::Maybe { .. }
        )
    }
}

/// Why a stage runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The study has no earlier result of a stage of this name.
    NeverRan,
    /// As above, and it is a point of a sweep that has earlier ones.
    NewPoint {
        /// The earlier point that is nearest to it; the study may have it still.
        nearest: String,
        /// The lines of their manifests that differ.
        changes: Vec<Change>,
    },
    /// Its manifest is not the one of the last result.
    Changed {
        /// The lines that differ.
        changes: Vec<Change>,
    },
    /// It failed as it is now.
    Failed {
        /// How, the last time.
        error: String,
    },
    /// It ran, but its record or an output that is needed is lost or damaged.
    Lost,
}

/// Says what [`run`](crate::run()) would do. Changes nothing but the memory of input files' digests.
///
/// # Errors
///
/// If an input file or the cache cannot be read, or nobody executes a stage's kind.
pub fn plan(graph: &Graph, store: &Store, kinds: &Kinds, study: &str) -> Result<Plan, Error> {
    let history = match History::load(store, study) {
        Err(Error::Damaged { .. }) => History::default(),
        history => history?,
    };
    let mut plan = make(
        graph,
        store,
        &mut Resolver::new(graph, store, kinds, None)?,
        &history,
        None,
        &|key| store.find(key),
    )?;
    explain_further(graph, store, &history, &mut plan.stages)?;
    Ok(plan)
}

/// As [`plan`], with what a run needs afterwards made by the caller. `find` gives the results that there are.
pub(crate) fn make(
    graph: &Graph,
    store: &Store,
    resolver: &mut Resolver<'_>,
    history: &History,
    frozen: Option<&Frozen>,
    find: &dyn Fn(Digest) -> Result<Lookup, Error>,
) -> Result<Plan, Error> {
    let durations = Durations::new(graph, history);
    let mut stages: Vec<Planned> = Vec::with_capacity(graph.len());
    // Outputs that must be made again before a stage can be told anything.
    let mut demanded: Vec<StageId> = Vec::new();
    for id in graph.ids() {
        let unknown = graph
            .upstream(id)
            .iter()
            .copied()
            .find(|read| stages[read.index()].record.is_none());
        let mut planned = Planned {
            verdict: Verdict::Cached,
            manifest: None,
            key: None,
            record: None,
            seconds: None,
        };
        let mut read = graph.upstream(id).iter();
        let barred =
            |read: &&StageId| matches!(stages[read.index()].verdict, Verdict::Unfit { .. });
        if let Some(barred) = read.find(barred) {
            let name = &graph.stage(*barred).family;
            planned.verdict = Verdict::Unfit {
                error: format!("it reads `{name}`, which cannot run"),
            };
        } else if let Some(because) = unknown {
            planned.verdict = match history.get(&graph.stage(id).name) {
                Some(_) => Verdict::Maybe { because },
                None => Verdict::New { because },
            };
        } else {
            match resolver.manifest(id, |read| known(&stages, read))? {
                Ok(manifest) => {
                    let text = manifest.text();
                    let key = manifest::key(&text);
                    let found = find(key)?;
                    if found.record.is_none() {
                        let earlier = history.get(&graph.stage(id).name).map(|entry| entry.key);
                        let reason = reason(store, &text, key, earlier, !found.damaged.is_empty())?;
                        planned.verdict = Verdict::Run { reason };
                    }
                    (planned.record, planned.key, planned.manifest) =
                        (found.record, Some(key), Some(text));
                }
                Err(Unresolved::Lost { stage, .. }) => {
                    planned.verdict = Verdict::Maybe { because: stage };
                    demanded.push(stage);
                }
                Err(Unresolved::Unfit(error)) => planned.verdict = Verdict::Unfit { error },
            }
        }
        let of_plan = || frozen.and_then(|frozen| frozen.seconds.get(id.index()).copied());
        let expected = of_plan().filter(|&seconds| seconds > 0.0);
        planned.seconds = expected.or_else(|| durations.expected(graph, id));
        stages.push(planned);
    }
    demand_lost(graph, store, &mut stages, &demanded);
    share(&mut stages, graph);
    Ok(Plan { stages })
}

/// Says of what failed before how it did, and of new points what is new about them. A run need not know.
fn explain_further(
    graph: &Graph,
    store: &Store,
    history: &History,
    stages: &mut [Planned],
) -> Result<(), Error> {
    let mut earlier = None;
    for (stage, planned) in graph.stages().iter().zip(stages) {
        let Verdict::Run { reason } = &mut planned.verdict else {
            continue;
        };
        if *reason != Reason::Lost
            && let Some(key) = planned.key
            && let Some(last) = store.failures(key)?.pop()
        {
            *reason = Reason::Failed { error: last.error };
        } else if *reason == Reason::NeverRan
            && let Some(text) = &planned.manifest
            && let Some((name, key)) = earlier
                .get_or_insert_with(|| EarlierPoints::new(graph, history))
                .nearest(stage)
            && let Some(record) = store.lookup(key)?.record
        {
            *reason = Reason::NewPoint {
                nearest: name.to_owned(),
                changes: manifest::diff(&record.manifest, text),
            };
        }
    }
    Ok(())
}

fn known(stages: &[Planned], id: StageId) -> &Record {
    stages[id.index()]
        .record
        .as_deref()
        .expect("a manifest is made once all it reads is known")
}

fn reason(
    store: &Store,
    text: &str,
    key: Digest,
    earlier: Option<Digest>,
    damaged: bool,
) -> Result<Reason, Error> {
    Ok(match earlier {
        _ if damaged => Reason::Lost,
        None => Reason::NeverRan,
        Some(earlier) if earlier == key => Reason::Lost,
        Some(earlier) => match store.lookup(earlier)?.record {
            Some(record) => Reason::Changed {
                changes: manifest::diff(&record.manifest, text),
            },
            None => Reason::NeverRan,
        },
    })
}

/// A lost output is made again if the stage is an end of the graph or what reads it runs. Readers
/// come later in the graph, so that walking it backwards finds all.
fn demand_lost(graph: &Graph, store: &Store, stages: &mut [Planned], demanded: &[StageId]) {
    let lost = Verdict::Run {
        reason: Reason::Lost,
    };
    for &id in demanded {
        stages[id.index()].verdict = lost.clone();
    }
    for id in graph.ids().rev() {
        let at = id.index();
        let held = |record: &Record| {
            let mut outputs = record.outputs.values();
            outputs.all(|blob| store.can_have(record.key, blob))
        };
        if stages[at].verdict == Verdict::Cached
            && graph.readers(id).is_empty()
            && !stages[at].record.as_deref().is_none_or(held)
        {
            stages[at].verdict = lost.clone();
        }
        let certain = match stages[at].verdict {
            Verdict::Run { .. } => true,
            Verdict::Maybe { .. } | Verdict::New { .. } => false,
            _ => continue,
        };
        let mut missing = Vec::new();
        for input in &graph.stage(id).inputs {
            if let crate::Source::Stage { stage, output } = &input.source
                && let Some(record) = &stages[stage.index()].record
                && let Some(blob) = record.outputs.get(output)
                && !store.can_have(record.key, blob)
            {
                missing.push(*stage);
            }
        }
        for producer in missing {
            let verdict = &mut stages[producer.index()].verdict;
            match verdict {
                Verdict::Cached | Verdict::Maybe { .. } if certain => *verdict = lost.clone(),
                Verdict::Cached => *verdict = Verdict::Maybe { because: id },
                _ => {}
            }
        }
    }
}

fn share(stages: &mut [Planned], graph: &Graph) {
    let mut first: HashMap<Digest, StageId> = HashMap::new();
    for id in graph.ids() {
        let planned = &mut stages[id.index()];
        if let (Verdict::Run { .. }, Some(key)) = (&planned.verdict, planned.key) {
            match first.get(&key) {
                Some(&with) => planned.verdict = Verdict::Shared { with },
                None => drop(first.insert(key, id)),
            }
        }
    }
}

impl Plan {
    /// What happens with each stage, in the order of the graph.
    pub fn stages(&self) -> &[Planned] {
        &self.stages
    }

    /// What happens with one stage.
    ///
    /// # Panics
    ///
    /// If the id is of another graph.
    pub fn stage(&self, id: StageId) -> &Planned {
        &self.stages[id.index()]
    }

    /// How many results are there, or come from another stage.
    pub fn cached(&self) -> usize {
        self.count(|verdict| matches!(verdict, Verdict::Cached | Verdict::Shared { .. }))
    }

    /// How many stages run.
    pub fn run(&self) -> usize {
        self.count(|verdict| matches!(verdict, Verdict::Run { .. }))
    }

    /// How many stages the study never ran run unless their results turn out to be in the cache.
    pub fn fresh(&self) -> usize {
        self.count(|verdict| matches!(verdict, Verdict::New { .. }))
    }

    /// How many stages run unless what they read comes out as before.
    pub fn maybe(&self) -> usize {
        self.count(|verdict| matches!(verdict, Verdict::Maybe { .. }))
    }

    /// How many stages cannot run: what they read is not there, or is nothing that their settings can be taken from.
    pub fn unfit(&self) -> usize {
        self.count(|verdict| matches!(verdict, Verdict::Unfit { .. }))
    }

    /// Expected working time of those that will or may run in seconds, summed over jobs; none if
    /// nothing is known about one of them.
    pub fn seconds(&self) -> Option<f64> {
        let busy = self
            .stages
            .iter()
            .filter(|planned| planned.verdict.may_run());
        busy.map(|planned| planned.seconds).sum()
    }

    /// Which of those that will or may run takes the most memory, where that is known of any.
    ///
    /// # Panics
    ///
    /// If the graph is another one.
    pub fn largest(&self, graph: &Graph) -> Option<StageId> {
        let memory = |id: &StageId| graph.stage(*id).execution.memory;
        let sized = graph.ids().rev();
        let sized = sized.filter(|id| memory(id) > 0 && self.stage(*id).verdict.may_run());
        sized.max_by_key(memory)
    }

    fn count(&self, which: impl Fn(&Verdict) -> bool) -> usize {
        self.stages
            .iter()
            .filter(|planned| which(&planned.verdict))
            .count()
    }
}
