//! Everything that the page shows but provenance.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Sketch;
use crate::claims::ClaimVerdict;
use crate::control::DampingControl;
use crate::heatmap::HeatmapTable;
use crate::noise::{NoiseComparison, NoiseCourse};
use crate::select::WinnersTable;
use crate::targets::TargetsTable;
use crate::{Estimate, Evaluation, Metric, Named, Outcome};

/// Why a run's curve is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It has a winner's settings and a fresh seed.
    Confirmed,
    /// It is one of the runs that won, on a tuning seed.
    Winner,
    /// There was no selection: every run is shown, up to a limit.
    Other,
}

/// The mini-batch losses of a bucket of consecutive steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LossBucket {
    /// First step of the bucket; 1 is the first update.
    pub from: u64,
    /// Last step of the bucket.
    pub to: u64,
    /// Smallest finite loss, nats; `None` if no loss in it is finite.
    pub low: Option<f32>,
    /// Largest finite loss, nats.
    pub high: Option<f32>,
}

/// A run's curve, thinned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LearningCurve {
    /// Name of the input.
    pub label: String,
    /// Stage.
    pub stage: String,
    /// Optimiser.
    pub method: String,
    /// Examples in a batch.
    pub batch_size: u64,
    /// Seed.
    pub seed: u64,
    /// Why it is shown.
    pub role: Role,
    /// Stages whose selection it confirms or won, in the order of [`ReportTable::winners`].
    pub winners: Vec<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// Mini-batch loss in at most [`super::BUCKETS`] buckets of equal length (the last may be shorter).
    pub loss: Vec<LossBucket>,
    /// Steps in a bucket; 1 means that nothing was thinned.
    pub steps_per_bucket: u64,
    /// Steps after which the learning rate falls.
    pub rate_drops: Vec<u64>,
    /// Updates in one pass over the training set.
    pub steps_per_epoch: u64,
    /// All evaluations.
    pub evaluations: Vec<Evaluation>,
}

/// A run's row in the table of runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRow {
    /// Name of the input.
    pub label: String,
    /// Stage.
    pub stage: String,
    /// Optimiser.
    pub method: String,
    /// Examples in a batch.
    pub batch_size: u64,
    /// Learning rate before the schedule acts on it.
    pub learning_rate: f64,
    /// Seed.
    pub seed: u64,
    /// Its values of the settings that differ among the runs of its stage and method, as dotted paths;
    /// with what those have in common they are all its settings.
    pub settings: BTreeMap<String, Value>,
    /// How it ended.
    pub outcome: Outcome,
    /// Updates that its budget allows.
    pub budget_steps: u64,
    /// The last evaluation.
    pub last: Option<Evaluation>,
    /// Its mini-batch losses, coarsely.
    #[serde(default)]
    pub sketch: Sketch,
}

/// What the runs of one stage and method have in common. A setting without settings of its own is a
/// value: `schedule` is `constant`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageSettings {
    /// Stage.
    pub stage: String,
    /// Optimiser.
    pub method: String,
    /// Settings equal in all its runs, as dotted paths.
    pub common: BTreeMap<String, Value>,
    /// Every value of the others; `null` where a run leaves one to its default.
    pub swept: BTreeMap<String, Vec<Value>>,
    /// Runs.
    pub runs: usize,
    /// Runs that diverged.
    pub diverged: usize,
    /// Runs that were stopped early.
    pub stopped: usize,
    /// Examples in the training set; several if the runs differ.
    pub train_examples: Vec<u64>,
    /// Trainable parameters; several if the runs differ.
    pub parameters: Vec<u64>,
}

/// Final performance of one method and batch size's confirmed winner over its fresh seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Performance {
    /// Stage that selected the winner.
    pub winners: String,
    /// The winner's entry, `kfac/16`.
    pub entry: String,
    /// Optimiser.
    pub method: String,
    /// Examples in a batch.
    pub batch_size: u64,
    /// Fresh seeds that ended with a value.
    pub seeds: usize,
    /// Fresh seeds that diverged.
    pub diverged: usize,
    /// Mean over seeds at the last evaluation, with the t interval (95 %).
    pub metrics: BTreeMap<Metric, Estimate>,
}

/// The table of kind `report`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReportTable {
    /// [`super::FORMAT`], so that a table of another version is told from a damaged one.
    pub format: u32,
    /// Title of the page.
    pub title: String,
    /// Claims in the settings' order.
    pub claims: Vec<ClaimVerdict>,
    /// Tables of steps to target.
    pub targets: Vec<Named<TargetsTable>>,
    /// Tables of winners.
    pub winners: Vec<Named<WinnersTable>>,
    /// What the confirmed winners reach.
    pub performance: Vec<Performance>,
    /// Tables of heatmaps.
    pub heatmaps: Vec<Named<HeatmapTable>>,
    /// SGD's gradient noise scale beside its fitted critical batch size, where the runs measured it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub noise: Vec<NoiseComparison>,
    /// SGD's gradient noise scale against step, where the runs measured it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub noise_courses: Vec<NoiseCourse>,
    /// K-FAC beside SGD at learning rate / damping, where the study has both.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub controls: Vec<DampingControl>,
    /// Thinned curves.
    pub curves: Vec<LearningCurve>,
    /// Runs whose curves were left out because there was no selection and too many runs.
    pub curves_left_out: usize,
    /// Settings of each stage that trains and method.
    pub stages: Vec<StageSettings>,
    /// Every run.
    pub runs: Vec<RunRow>,
}
