//! Where a page's numbers come from: program, machine, times, cache, data. The
//! only part of a page that differs between two runs to the same tables.

use serde::{Deserialize, Serialize};

/// What is known of the run that made the tables.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of the program.
    pub version: String,
    /// Commit that it was built from, if known.
    pub commit: Option<String>,
    /// The command line.
    pub command: String,
    /// Machines that ran stages.
    pub machines: Vec<Share>,
    /// Devices that training ran on. More than one means that results of
    /// different devices are mixed, which the page says.
    pub devices: Vec<Share>,
    /// Threads a job.
    pub threads: Option<usize>,
    /// Jobs at a time.
    pub jobs: Option<usize>,
    /// When the run started, as text to show.
    pub started: String,
    /// When it finished, as text to show.
    pub finished: String,
    /// Wall-clock time of this run, seconds.
    pub elapsed_seconds: f64,
    /// What all stages behind the page took when they ran, cached ones too,
    /// seconds.
    pub compute_seconds: f64,
    /// What became of the stages in this run.
    pub stages: StageCounts,
    /// The stages that took longest, longest first.
    pub slowest: Vec<StageTime>,
    /// Recorded training time of each method and batch size.
    pub training: Vec<TrainingTime>,
    /// Cache keys by stage of the study file.
    pub keys: Vec<StageKeys>,
    /// Digests of the data sets.
    pub data: Vec<DataSet>,
    /// Name of the study file, without folders.
    pub study_file: String,
    /// The study file's text as it was run.
    pub study_text: String,
    /// The site file of this run, if there was one.
    pub site: Option<SiteFile>,
    /// The stages and what reads what.
    pub graph: StageGraph,
}

/// Where and how a run ran, as its user wrote it down; no part of any key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SiteFile {
    /// Its path, as it was given.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// How many stages ran on a machine or device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// The machine or device, in words.
    pub name: String,
    /// Stages that ran there.
    pub stages: usize,
}

/// What became of the stages in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageCounts {
    /// Ran now.
    pub ran: usize,
    /// Taken from the cache.
    pub cached: usize,
    /// Failed, or skipped because what they read failed.
    pub failed: usize,
}

/// How long a stage took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StageTime {
    /// Name of the stage.
    pub stage: String,
    /// Seconds.
    pub seconds: f64,
}

/// Recorded time of training one method at one batch size, so that wall-clock
/// stands beside steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainingTime {
    /// Optimiser.
    pub method: String,
    /// Examples in a batch.
    pub batch_size: u64,
    /// Runs.
    pub runs: usize,
    /// Updates of all of them.
    pub steps: u64,
    /// Wall-clock time of all of them, evaluations included, seconds.
    pub seconds: f64,
}

/// The cache keys of one stage of the study file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StageKeys {
    /// Name of the stage in the study file.
    pub stage: String,
    /// Its kind, such as `train`.
    pub kind: String,
    /// Keys in hexadecimal, one per point of its sweep.
    pub keys: Vec<String>,
}

/// A data set and the digest of its contents.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DataSet {
    /// Name.
    pub name: String,
    /// Digest in hexadecimal.
    pub digest: String,
}

/// The stages of the study file, runs of one stage drawn as one node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageGraph {
    /// Stages.
    pub nodes: Vec<StageNode>,
    /// Edges from what is read to what reads, as indices into `nodes`.
    pub edges: Vec<(usize, usize)>,
}

/// One stage of the study file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageNode {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Points of its sweep.
    pub count: usize,
}
