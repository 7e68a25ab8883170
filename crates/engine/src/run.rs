//! Carrying out a plan.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::history::{self, Entry, History};
use crate::journal::{self, Begin, End, Journal};
use crate::resolve::Resolver;
use crate::scheduler::Scheduler;
use crate::worker::host;
use crate::{
    Build, Error, Event, Frozen, Graph, Keep, Kinds, Outcome, Site, Stage, StageId, Store, Summary,
    plan,
};

/// How to run a study.
#[derive(Debug, Clone)]
pub struct Options {
    /// The name of the study: where its history is kept.
    pub study: String,
    /// How many stages run at once.
    pub jobs: usize,
    /// GPUs that are given out, one to a worker (shared, where workers outnumber them), as the
    /// values of `CUDA_VISIBLE_DEVICES`: `0`, or a UUID. None: every worker sees all.
    pub gpus: Vec<String>,
    /// How much memory stages may take; none: as much as they like.
    pub memory: Option<MemoryLimits>,
    /// What each stage may use.
    pub site: Site,
    /// Starts a process that calls [`serve`](crate::serve).
    pub worker: WorkerCommand,
    /// This program. Workers of another build are refused.
    pub build: Build,
    /// Whether to go on after a stage failed, with what does not read it.
    pub keep_going: bool,
    /// Stages whose outputs the caller reads afterwards: they are verified, and computed again if
    /// damaged. Those that nothing reads are made sure to be there in any case.
    pub verify: Vec<StageId>,
    /// How it shares work with other machines, where the cache has a remote behind it.
    pub sharing: Sharing,
    /// The frozen plan that is carried out, if it is one: the graph is to be its graph, and the remote behind the cache the
    /// one that it is from.
    pub frozen: Option<Arc<Frozen>>,
    /// Set from outside to end the run early: no stage starts any more, running ones are stopped.
    pub interrupt: Arc<AtomicBool>,
}

impl Options {
    /// Whether a stage takes more memory than there is.
    pub(crate) fn is_too_large(&self, stage: &Stage) -> bool {
        let limits = self.memory.as_ref();
        limits.is_some_and(|limits| stage.execution.memory > limits.each)
    }

    /// Whether this copy leaves a stage to others: it is of a kind that it leaves, or, of a plan that many machines carry
    /// out, too large for this one.
    pub(crate) fn leaves(&self, stage: &Stage) -> bool {
        self.sharing.leave.contains(&stage.kind)
            || (self.frozen.is_some() && self.is_too_large(stage))
    }
}

/// How much memory stages may take, in bytes, by what is said of each ([`Execution::memory`](crate::Execution::memory)).
/// Those of which nothing is said take none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryLimits {
    /// All that run at once, together. One that takes more runs alone.
    pub together: u64,
    /// Each. One that takes more fails at once.
    pub each: u64,
    /// What there is and what can be done, for the failure: `this machine has 8 GiB`.
    pub there: String,
}

/// How a run shares work with other copies of the program on a remote. All of them should say the same.
#[derive(Debug, Clone)]
pub struct Sharing {
    /// The longest time between two signs of life of a copy.
    pub beat: Duration,
    /// A copy without a sign of life for so long is gone, and its stages are free.
    pub ttl: Duration,
    /// How long a copy with nothing to do waits for stages of others, where stages worth it wait for these; and how long
    /// it waits for a remote that does not answer.
    pub linger: Duration,
    /// The kinds of stage that are worth waiting for.
    pub worth: Vec<String>,
    /// The kinds of stage that this copy leaves to others.
    pub leave: Vec<String>,
    /// What the batch system calls this copy, for those who look at it from elsewhere.
    pub job: Option<String>,
}

impl Default for Sharing {
    /// A sign of life a minute, gone after five, ten minutes of patience; no kind is worth it.
    fn default() -> Self {
        let fleet::Terms { beat, ttl, .. } = fleet::Terms::default();
        Self {
            beat,
            ttl,
            linger: Duration::from_mins(10),
            worth: Vec::new(),
            leave: Vec::new(),
            job: None,
        }
    }
}

/// How to start a worker process.
#[derive(Debug, Clone)]
pub struct WorkerCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Environment variables that are set for it.
    pub env: Vec<(String, String)>,
}

/// Executes what is not cached.
///
/// A stage that fails is an [`Outcome`], not an error. The graph is read at the start; whatever
/// happens to the study's file meanwhile changes nothing.
///
/// # Errors
///
/// If an input file or the cache cannot be read, nobody executes a stage's kind, or workers cannot
/// be started or are of another build.
pub fn run(
    graph: &Graph,
    store: &Store,
    kinds: &Kinds,
    options: &Options,
    events: &mut dyn FnMut(Event),
) -> Result<Summary, Error> {
    let _presence = store.enter()?;
    let history = match History::load(store, &options.study) {
        Err(Error::Damaged { .. }) => {
            store.set_aside("index", &history::path(store, &options.study))?;
            History::default()
        }
        history => history?,
    };
    let frozen = options.frozen.as_deref();
    if let Some(frozen) = frozen {
        frozen.check_build(&options.build)?;
        frozen.prepare(store)?;
    }
    let mut resolver = Resolver::new(graph, store, kinds, frozen)?;
    let lists = lists(store, options);
    let find = |key| {
        if lists {
            store.find(key)
        } else {
            store.find_unasked(key)
        }
    };
    let plan = plan::make(graph, store, &mut resolver, &history, frozen, &find)?;
    if plan.run() > 0 {
        store.check_writable()?;
    }
    let mut journal = Journal::begin(
        store,
        Begin {
            study: options.study.clone(),
            host: host(),
            pid: std::process::id(),
            at: journal::now(),
            stages: graph.len(),
            cached: plan.cached(),
        },
    )?;
    events(Event::Planned {
        stages: graph.len(),
        cached: plan.cached(),
        run: plan.run(),
        new: plan.fresh(),
        maybe: plan.maybe(),
        seconds: plan.seconds(),
        largest: plan.largest(graph),
    });
    let known = Known {
        graph,
        store,
        options,
        history: &history,
    };
    let summary = Scheduler::new(&known, resolver, events, &mut journal, plan)?.run()?;
    remember(&known, &summary)?;
    let end = End {
        at: journal::now(),
        ran: summary.ran(),
        cached: summary.cached(),
        failed: summary.failed(),
        skipped: summary.skipped(),
        interrupted: summary.interrupted(),
    };
    journal.end(store, &options.study, end)?;
    let policy = options.site.checkpoints;
    if summary.ran() > 0 && policy.keep != Keep::None {
        store.trim_checkpoints(policy.space)?;
    }
    Ok(summary)
}

/// Whether a run asks the remote at its start which stages have a record. A copy of a frozen plan need not: the packs
/// say it of nearly all, and of the rest it learns as it claims them. One that leaves stages to others claims none of
/// them, and would miss what it was not told.
pub(crate) fn lists(store: &Store, options: &Options) -> bool {
    let leaves = |frozen: &Arc<Frozen>| {
        let mut stages = frozen.graph.stages().iter();
        stages.any(|stage| options.leaves(stage))
    };
    let is_told = options.frozen.as_ref().is_some_and(|it| !leaves(it));
    let claims = store.remote().is_some_and(|it| it.read_only().is_none());
    !(is_told && claims)
}

/// What a run is given and does not change.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) store: &'a Store,
    pub(crate) options: &'a Options,
    pub(crate) history: &'a History,
}

/// Stages without a result keep their last entry, so that the next plan can say what changed.
fn remember(known: &Known<'_>, summary: &Summary) -> Result<(), Error> {
    let (store, study, old) = (known.store, &known.options.study, known.history);
    let mut new = History::default();
    for (id, stage) in known.graph.iter() {
        match summary.outcome(id) {
            Outcome::Ran(record) | Outcome::Cached(record) => {
                new.insert(
                    &stage.name,
                    Entry {
                        key: record.key,
                        seconds: record.provenance.seconds,
                    },
                );
            }
            _ => {
                if let Some(&entry) = old.get(&stage.name) {
                    new.insert(&stage.name, entry);
                }
            }
        }
    }
    if new == *old {
        history::touch(store, study);
        return Ok(());
    }
    match new.save(store, study) {
        // A cache that cannot be written has served its results; only the reasons are lost.
        Err(Error::Io { .. }) if summary.ran() == 0 => Ok(()),
        saved => saved,
    }
}
