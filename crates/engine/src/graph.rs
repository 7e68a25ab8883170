//! What a study consists of: stages that read the outputs of earlier stages.
//!
//! A graph says what is wanted, not what has been computed. It has no cycle by construction: a
//! stage refers only to stages that were added before it, so ascending [`StageId`]s are a
//! topological order.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Error;

/// A stage of a [`Graph`], by its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StageId(usize);

impl StageId {
    /// The position of the stage in [`Graph::stages`].
    pub fn index(self) -> usize {
        self.0
    }
}

/// One unit of work with a result worth keeping.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Its name, unique in the graph: `targets`, or `kfac/batch_size=16,damping=0.01`.
    pub name: String,
    /// Its name in the study: `kfac`.
    pub family: String,
    /// The point of the sweep that it is, for display.
    pub coordinates: Vec<(String, String)>,
    /// What executes it: `train`.
    pub kind: String,
    /// Everything but the inputs that can change its result.
    pub settings: Map<String, Value>,
    /// Settings that an earlier stage decides; added once they are known.
    pub bindings: Vec<Binding>,
    /// What it reads.
    pub inputs: Vec<Input>,
    /// How it is executed. No part of its key.
    pub execution: Execution,
}

/// What concerns the execution of a stage and cannot change its result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    /// How often it is tried again after a failure.
    pub retries: u32,
    /// How long it may run; then it fails.
    pub timeout: Option<Duration>,
    /// About how many bytes of memory it takes, its process included; 0 where that is not known.
    #[serde(default)]
    pub memory: u64,
}

/// Settings taken from an earlier stage's JSON output.
///
/// The members of the entry's value, an object, become settings of the stage, but for those that the
/// stage itself or an earlier binding gives; each is taken or left as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The stage that decides.
    pub from: StageId,
    /// Its output: a JSON object.
    pub output: String,
    /// The key in that object.
    pub entry: String,
}

/// Something that a stage reads, under the name it knows it by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The name, unique among the stage's inputs.
    pub name: String,
    /// Where it comes from.
    pub source: Source,
}

/// Where an input comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// An output of an earlier stage.
    Stage {
        /// The stage.
        stage: StageId,
        /// The name of the output.
        output: String,
    },
    /// A file that is no part of the cache.
    File(#[serde(with = "exact")] PathBuf),
}

/// Paths in JSON, which has no text for one that is not UTF-8.
pub(crate) mod exact {
    use std::ffi::OsString;
    use std::path::{Path, PathBuf};

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(crate) fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        path.as_os_str().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
        OsString::deserialize(from).map(PathBuf::from)
    }
}

/// Stages, each after those it reads. Written as the list of them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(into = "Vec<Stage>", try_from = "Vec<Stage>")]
pub struct Graph {
    stages: Vec<Stage>,
    upstream: Vec<Vec<StageId>>,
    readers: Vec<Vec<StageId>>,
    names: HashMap<String, StageId>,
}

impl From<Graph> for Vec<Stage> {
    fn from(graph: Graph) -> Self {
        graph.stages
    }
}

impl TryFrom<Vec<Stage>> for Graph {
    type Error = Error;

    fn try_from(stages: Vec<Stage>) -> Result<Self, Error> {
        let mut graph = Self::new();
        for stage in stages {
            graph.add(stage)?;
        }
        Ok(graph)
    }
}

impl Graph {
    /// A graph without stages.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a stage; its inputs are put in the order of their names.
    ///
    /// # Errors
    ///
    /// If the name is taken, two inputs have one name, or it reads a stage that is not here.
    pub fn add(&mut self, mut stage: Stage) -> Result<StageId, Error> {
        if self.names.contains_key(&stage.name) {
            return Err(Error::DuplicateStage { name: stage.name });
        }
        stage.inputs.sort_by(|a, b| a.name.cmp(&b.name));
        if let Some(pair) = stage
            .inputs
            .windows(2)
            .find(|pair| pair[0].name == pair[1].name)
        {
            return Err(Error::DuplicateInput {
                input: pair[0].name.clone(),
                stage: stage.name,
            });
        }
        let mut upstream: Vec<StageId> =
            stage.bindings.iter().map(|binding| binding.from).collect();
        upstream.extend(stage.inputs.iter().filter_map(|input| match input.source {
            Source::Stage { stage, .. } => Some(stage),
            Source::File(_) => None,
        }));
        upstream.sort_unstable();
        upstream.dedup();
        let id = StageId(self.stages.len());
        if upstream.last().is_some_and(|&last| last >= id) {
            return Err(Error::UnknownStage { stage: stage.name });
        }
        for &read in &upstream {
            self.readers[read.0].push(id);
        }
        self.names.insert(stage.name.clone(), id);
        self.upstream.push(upstream);
        self.readers.push(Vec::new());
        self.stages.push(stage);
        Ok(id)
    }

    /// All stages, each after those it reads.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// All stages with their ids, each after those it reads.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (StageId, &Stage)> + ExactSizeIterator {
        self.stages
            .iter()
            .enumerate()
            .map(|(index, stage)| (StageId(index), stage))
    }

    /// The ids of all stages, each after those it reads.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = StageId> + ExactSizeIterator + use<> {
        (0..self.stages.len()).map(StageId)
    }

    /// Adds a setting to a stage, or replaces it.
    ///
    /// # Panics
    ///
    /// If the stage is of another graph.
    pub fn set(&mut self, id: StageId, name: &str, value: Value) {
        self.stages[id.0].settings.insert(name.to_owned(), value);
    }

    /// One stage.
    ///
    /// # Panics
    ///
    /// If the id is of another graph.
    pub fn stage(&self, id: StageId) -> &Stage {
        &self.stages[id.0]
    }

    /// The stage of this name.
    pub fn find(&self, name: &str) -> Option<StageId> {
        self.names.get(name).copied()
    }

    /// The stages that a stage reads or takes settings from, ascending, each once.
    ///
    /// # Panics
    ///
    /// If the id is of another graph.
    pub fn upstream(&self, id: StageId) -> &[StageId] {
        &self.upstream[id.0]
    }

    /// The stages that read a stage or take settings from it, ascending, each once.
    ///
    /// # Panics
    ///
    /// If the id is of another graph.
    pub fn readers(&self, id: StageId) -> &[StageId] {
        &self.readers[id.0]
    }

    /// The number of stages.
    pub fn len(&self) -> usize {
        self.stages.len()
    }

    /// Whether there is no stage.
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(name: &str, reads: &[(&str, StageId)]) -> Stage {
        let inputs = reads.iter().map(|&(name, stage)| Input {
            name: name.to_owned(),
            source: Source::Stage {
                stage,
                output: "out".to_owned(),
            },
        });
        Stage {
            name: name.to_owned(),
            family: name.to_owned(),
            coordinates: Vec::new(),
            kind: "toy".to_owned(),
            settings: Map::new(),
            bindings: Vec::new(),
            inputs: inputs.collect(),
            execution: Execution::default(),
        }
    }

    #[test]
    fn inputs_are_sorted_and_edges_counted_once() {
        let mut graph = Graph::new();
        let data = graph.add(stage("data", &[])).unwrap();
        let run = graph
            .add(stage("run", &[("b", data), ("a", data)]))
            .unwrap();
        let names: Vec<&str> = graph
            .stage(run)
            .inputs
            .iter()
            .map(|input| input.name.as_str())
            .collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(graph.upstream(run), [data]);
        assert_eq!(graph.readers(data), [run]);
        assert_eq!(graph.find("run"), Some(run));
    }

    #[test]
    fn a_graph_is_read_back_as_it_was_written_whatever_its_files_are_called() {
        use std::os::unix::ffi::OsStringExt as _;
        let mut graph = Graph::new();
        let data = graph.add(stage("data", &[])).unwrap();
        let path = PathBuf::from(std::ffi::OsString::from_vec(b"no\xffutf8".to_vec()));
        let mut run = stage("run", &[("a", data)]);
        run.inputs.push(Input {
            name: "b".to_owned(),
            source: Source::File(path),
        });
        graph.add(run).unwrap();
        let json = serde_json::to_string(&graph).unwrap();
        let read: Graph = serde_json::from_str(&json).unwrap();
        assert_eq!(read.stages(), graph.stages());
        assert_eq!(read.readers(data), graph.readers(data));
        let cyclic = json.replace("\"stage\":0", "\"stage\":7");
        assert_ne!(cyclic, json);
        assert!(serde_json::from_str::<Graph>(&cyclic).is_err());
    }

    #[test]
    fn what_would_be_ambiguous_or_cyclic_is_refused() {
        let mut graph = Graph::new();
        let data = graph.add(stage("data", &[])).unwrap();
        assert!(matches!(
            graph.add(stage("data", &[])),
            Err(Error::DuplicateStage { .. })
        ));
        let twice = stage("run", &[("a", data), ("a", data)]);
        assert!(matches!(
            graph.add(twice),
            Err(Error::DuplicateInput { .. })
        ));
        let itself = stage("run", &[("a", StageId(1))]);
        assert!(matches!(graph.add(itself), Err(Error::UnknownStage { .. })));
        assert_eq!(graph.len(), 1, "a refused stage leaves nothing behind");
        assert!(graph.readers(data).is_empty());
    }
}
