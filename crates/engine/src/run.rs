//! Carrying out a plan.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::history::{self, Entry, History};
use crate::resolve::Resolver;
use crate::scheduler::Scheduler;
use crate::{Build, Error, Event, Graph, Kinds, Outcome, Site, StageId, Store, Summary, plan};

/// How to run a study.
#[derive(Debug, Clone)]
pub struct Options {
    /// The name of the study: where its history is kept.
    pub study: String,
    /// How many stages run at once.
    pub jobs: usize,
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
    /// Set from outside to end the run early: no stage starts any more, running ones are stopped.
    pub interrupt: Arc<AtomicBool>,
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
    let history = match History::load(store, &options.study) {
        Err(Error::Damaged { .. }) => {
            store.set_aside("index", &history::path(store, &options.study))?;
            History::default()
        }
        history => history?,
    };
    let mut resolver = Resolver::new(graph, store, kinds)?;
    let plan = plan::make(graph, store, &mut resolver, &history)?;
    events(Event::Planned {
        stages: graph.len(),
        cached: plan.cached(),
        run: plan.run(),
        maybe: plan.maybe(),
        seconds: plan.seconds(),
    });
    let summary = Scheduler::new(graph, store, resolver, options, events, &plan).run(&plan)?;
    remember(graph, store, options, &history, &summary)?;
    Ok(summary)
}

/// Stages without a result keep their last entry, so that the next plan can say what changed.
fn remember(
    graph: &Graph,
    store: &Store,
    options: &Options,
    old: &History,
    summary: &Summary,
) -> Result<(), Error> {
    let mut new = History::default();
    for (id, stage) in graph.iter() {
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
        return Ok(());
    }
    match new.save(store, &options.study) {
        // A cache that cannot be written has served its results; only the reasons are lost.
        Err(Error::Io { .. }) if summary.ran() == 0 => Ok(()),
        saved => saved,
    }
}
