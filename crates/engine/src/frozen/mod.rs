//! A study as it was when it was handed to other machines: its graph, and all that it reads.
//!
//! A frozen plan lies in a [remote](crate::Remote), and whoever reaches that takes part: no study file, no input file,
//! no history of earlier runs is needed. It is written once and never changes.
//!
//! ```text
//! v1/run/<study>/<id>/plan        the plan
//! v1/run/<study>/<id>/known/<n>   where the records lie that were packed together later
//! v1/run/<study>/<id>/beat/<copy> the copies that carry it out
//! v1/run/<study>/<id>/results/... what it came to
//! v1/cas/...                      what input files held; records and small outputs, packed
//! ```

mod inputs;
pub(crate) mod pack;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::history::{Durations, History};
use crate::remote::token;
use crate::resolve::Resolver;
use crate::{Build, Error, Graph, Kinds, Plan, Remote, Store, Unfrozen, clock, plan};

pub use inputs::FrozenInput;
pub(crate) use inputs::unpack;
pub use pack::Pack;

/// Which plan it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PlanId {
    /// The name of the study.
    pub study: String,
    /// The name of the plan, unique in the study and in the order of time: `20261129-091042-3f2a`.
    pub id: String,
}

impl fmt::Display for PlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.study, self.id)
    }
}

/// A frozen plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Frozen {
    /// The name of the study.
    pub study: String,
    /// The name of the plan: see [`PlanId`].
    pub id: String,
    /// The stages.
    pub graph: Graph,
    /// The input files, folders and patterns of the graph, by the paths that it has for them.
    #[serde(with = "inputs::list")]
    pub inputs: BTreeMap<PathBuf, FrozenInput>,
    /// Whether to go on after a stage failed, with what does not read it.
    pub keep_going: bool,
    /// What trains, because other devices give other bytes: `cpu`, `cuda` or `wgpu`.
    pub device: String,
    /// The program that froze it. Another one may give its stages other keys.
    pub build: Build,
    /// How long each stage is expected to take, in seconds; 0 where nothing is known.
    pub seconds: Vec<f64>,
    /// The records that there were, in one place.
    pub known: Option<Pack>,
    /// What the program wants to find again.
    pub program: Value,
}

/// How to freeze.
#[derive(Debug, Clone)]
pub struct FreezeOptions {
    /// The name of the study: its history in the cache says how long stages take.
    pub study: String,
    /// See [`Frozen::keep_going`].
    pub keep_going: bool,
    /// See [`Frozen::device`].
    pub device: String,
    /// This program.
    pub build: Build,
    /// See [`Frozen::program`].
    pub program: Value,
}

impl Frozen {
    /// Which plan it is.
    pub fn plan_id(&self) -> PlanId {
        PlanId {
            study: self.study.clone(),
            id: self.id.clone(),
        }
    }

    /// Says what a copy would do now, and gives the keys of stages whose inputs are known. The store's remote is to be
    /// that of the plan.
    ///
    /// # Errors
    ///
    /// If the cache or the remote cannot be read, or nobody executes a stage's kind.
    pub fn plan(&self, store: &Store, kinds: &Kinds) -> Result<Plan, Error> {
        let mut resolver = Resolver::new(&self.graph, store, kinds, Some(self))?;
        self.prepare(store)?;
        plan::make(
            &self.graph,
            store,
            &mut resolver,
            &History::default(),
            Some(self),
            &|key| store.find(key),
        )
    }

    /// How long each stage is expected to take, in seconds, where anything is known.
    pub fn expected_seconds(&self) -> Vec<Option<f64>> {
        let seconds = self.seconds.iter();
        seconds
            .map(|&seconds| Some(seconds).filter(|&seconds| seconds > 0.0))
            .collect()
    }

    /// Refuses another program than the one that froze it.
    ///
    /// # Errors
    ///
    /// [`Error::ForeignPlan`].
    pub fn check_build(&self, build: &Build) -> Result<(), Error> {
        if self.build == *build {
            return Ok(());
        }
        Err(Error::ForeignPlan {
            plan: self.plan_id().to_string(),
            frozen: self.build.id.clone(),
            found: build.id.clone(),
        })
    }

    /// Gets the records that are packed.
    pub(crate) fn prepare(&self, store: &Store) -> Result<(), Error> {
        match store.remote() {
            Some(remote) => remote.unpack(store, self),
            None => Ok(()),
        }
    }
}

/// Freezes a study: its input files go to the remote behind the store, and so do results that are in the cache alone;
/// then the plan does, which others carry out by its name.
///
/// # Errors
///
/// If there is no remote that can be written, an input cannot be read, or nobody executes a stage's kind.
pub fn freeze(
    graph: &Graph,
    store: &Store,
    kinds: &Kinds,
    options: FreezeOptions,
) -> Result<Frozen, Error> {
    let remote = store.remote().ok_or(Error::CannotFreeze {
        why: Unfrozen::NoRemote,
    })?;
    if let Some(why) = remote.read_only() {
        let why = Unfrozen::ReadOnly {
            remote: remote.shown().to_owned(),
            why: why.to_owned(),
        };
        return Err(Error::CannotFreeze { why });
    }
    let inputs = inputs::store(graph, store, remote)?;
    let history = match History::load(store, &options.study) {
        Err(Error::Damaged { .. }) => History::default(),
        history => history?,
    };
    let durations = Durations::new(graph, &history);
    let seconds = graph.ids();
    let seconds = seconds.map(|id| durations.expected(graph, id).unwrap_or(0.0));
    let mut frozen = Frozen {
        seconds: seconds.collect(),
        study: options.study,
        id: new_id(),
        graph: graph.clone(),
        inputs,
        keep_going: options.keep_going,
        device: options.device,
        build: options.build,
        known: None,
        program: options.program,
    };
    frozen.known = pack_known(&frozen, store, kinds, remote)?;
    remote.put_plan(&frozen)?;
    if remote.is_whole(store, &frozen)? {
        return Ok(frozen);
    }
    let why = Unfrozen::Collected;
    Err(Error::CannotFreeze { why })
}

/// Sees to it that the remote has the results of the cache, and packs those that it has.
fn pack_known(
    frozen: &Frozen,
    store: &Store,
    kinds: &Kinds,
    remote: &Remote,
) -> Result<Option<Pack>, Error> {
    loop {
        let planned = frozen.plan(store, kinds)?;
        let mut records = Vec::new();
        let mut is_changed = false;
        for record in planned.stages().iter().filter_map(|it| it.record.as_ref()) {
            if !remote.is_synced(record.key) {
                match remote.publish(store, record.key) {
                    // Another result is there, and holds.
                    Ok(false) => {
                        is_changed |= remote
                            .take(store, record.key)?
                            .is_some_and(|it| it.mismatch);
                    }
                    Ok(true) => {}
                    // Its outputs are not here any more: then it is no result.
                    Err(Error::Damaged { .. } | Error::NoBlob { .. }) => continue,
                    Err(Error::Io { source, .. })
                        if source.kind() == std::io::ErrorKind::NotFound =>
                    {
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            }
            if remote.is_synced(record.key) {
                records.push(record.clone());
            }
        }
        if !is_changed {
            return remote.pack(store, records.iter().map(|record| &**record));
        }
    }
}

fn new_id() -> String {
    let now = clock::utc(SystemTime::now());
    let digits: String = now.chars().filter(char::is_ascii_digit).collect();
    let (day, time) = digits.split_at(8);
    format!("{day}-{time}-{}", &token()[..4])
}
