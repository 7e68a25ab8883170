//! The settings of a training run, as its manifest has them and a study file gives them: the types here read both, and
//! what executes a run takes them as they are.
//!
//! The doc comments of fields are the texts of the study file's JSON Schema and reference page. What a number means in
//! steps is worked out beside it. Not here: what a setting does to a network (`training`).

#![expect(
    clippy::doc_markdown,
    reason = "the texts make a page that names BatchNorm as papers do"
)]

mod budget;
mod divergence;
mod evaluation;
mod layers;
mod memory;
mod model;
mod optimizer;
mod schedule;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use budget::{Budget, LastBatch};
pub use divergence::Divergence;
pub use evaluation::{BatchNorm, Evaluation, NoiseScale, NotBefore, Stop};
pub use layers::Layer;
pub use model::{Augment, Cnn, Mlp, Model};
pub use optimizer::{AdamW, BurnIn, DampingMethod, Fisher, Kfac, Lamb, Lion, Muon, Optimizer, Sgd};
pub use schedule::{Schedule, Shape, Step};

use crate::number::{Count, Positive};

/// Everything that decides the result of a training run but its data and initial weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The network.
    pub model: Model,
    /// Examples per step.
    pub batch_size: Count,
    /// The rate that the schedule starts from.
    pub learning_rate: Positive,
    /// Seed of all random streams of the run.
    #[serde(default)]
    pub seed: u64,
    /// How long to train.
    pub budget: Budget,
    /// How the learning rate changes.
    #[serde(default)]
    pub schedule: Schedule,
    /// The update rule.
    pub optimizer: Optimizer,
    /// Random changes of the training images.
    #[serde(default, skip_serializing_if = "Augment::is_none")]
    pub augment: Augment,
    /// When and on what to evaluate.
    #[serde(default)]
    pub evaluation: Evaluation,
    /// Which statistics BatchNorm evaluates with.
    #[serde(default)]
    pub batch_norm: BatchNorm,
    /// How many examples BatchNorm normalises together in training; none: the whole batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ghost_batch: Option<Count>,
    /// How the gradient noise scale is measured at each evaluation, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise_scale: Option<NoiseScale>,
    /// What becomes of the examples left over at the end of an epoch.
    #[serde(default)]
    pub last_batch: LastBatch,
    /// When it counts as diverged though its numbers are finite.
    #[serde(default)]
    pub divergence: Divergence,
    /// When to end before the budget does, if ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
}

impl Settings {
    /// What acts at every step alike: all but the length of the run, the course of its learning rate, when it is
    /// evaluated and when it stops.
    ///
    /// # Panics
    ///
    /// Never: settings are a JSON object.
    pub fn acting(&self) -> Map<String, Value> {
        let settings = serde_json::to_value(self).expect("settings are JSON");
        let Value::Object(mut settings) = settings else {
            unreachable!("settings are an object")
        };
        for of_the_course in ["budget", "schedule", "learning_rate", "stop"] {
            settings.remove(of_the_course);
        }
        if let Some(Value::Object(evaluation)) = settings.get_mut("evaluation") {
            for of_the_course in ["spacing", "epochs", "iterations"] {
                evaluation.remove(of_the_course);
            }
        }
        settings
    }
}
