//! The settings of a training run, as they stand in its manifest.
//!
//! [`Settings`] reads and writes the JSON object of the `train` kind; unknown keys are errors. What the
//! numbers mean in steps is worked out in [`budget`], [`schedule`] and [`evaluation`].

pub mod budget;
pub mod evaluation;
pub mod noise_scale;
pub mod optimizer;
pub mod schedule;

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use budget::{Budget, LastBatch, Moment};
pub use evaluation::{Evaluation, Stop};
pub use noise_scale::NoiseScale;
pub use optimizer::{AdamW, Kfac, Lamb, Lion, Muon, Optimizer, Sgd};
pub use schedule::{Schedule, Shape};

use crate::Error;

/// Everything that decides the result of a training run but the data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The network.
    pub model: Model,
    /// Examples a step.
    pub batch_size: usize,
    /// The rate that the schedule starts from.
    pub learning_rate: f64,
    /// Seed of all random streams of the run; default 0.
    #[serde(default)]
    pub seed: u64,
    /// How long to train.
    pub budget: Budget,
    /// How the learning rate changes; default constant.
    #[serde(default)]
    pub schedule: Schedule,
    /// The update rule.
    pub optimizer: Optimizer,
    /// Random changes of the training images; default none.
    #[serde(default, skip_serializing_if = "Augment::is_none")]
    pub augment: Augment,
    /// When and on what to evaluate.
    #[serde(default)]
    pub evaluation: Evaluation,
    /// Which statistics batch normalisation evaluates with; default `recompute`.
    #[serde(default)]
    pub batch_norm: BatchNormStatistics,
    /// How many examples batch normalisation normalises by themselves in training; default the whole batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ghost_batch: Option<NonZeroUsize>,
    /// How the gradient noise scale is measured at each evaluation; default not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise_scale: Option<NoiseScale>,
    /// What becomes of the examples left over at the end of an epoch; default `drop`.
    #[serde(default)]
    pub last_batch: LastBatch,
    /// When to end before the budget does; default never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
}

/// A network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Model {
    /// Fully connected layers with a ReLU between them.
    Mlp {
        /// Units of each hidden layer, from the input on.
        hidden: Vec<usize>,
    },
    /// 3x3 convolutions, each followed by BatchNorm and ReLU, every one but the first with stride 2;
    /// then one fully connected layer.
    Cnn {
        /// Channels of each convolution, from the input on.
        channels: Vec<usize>,
    },
    /// He et al. 2016, section 4.2, n = 3.
    ResNet20,
    /// He et al. 2016, section 4.2, n = 5.
    ResNet32,
    /// Zhang et al. 2017, appendix A, without local response normalisation.
    AlexNet,
}

/// Random changes of the training images, drawn anew each epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augment {
    /// Pixels of zeros (in normalised values) around the image before a crop to its size; 0: none.
    pub pad_crop: usize,
    /// Mirror left to right, half of the images.
    pub flip: bool,
}

impl Augment {
    /// Whether the images stay as they are.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Which statistics BatchNorm evaluates with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BatchNormStatistics {
    /// Those of a fixed training subset, put through the network as one batch before each evaluation
    /// ([`Evaluation::statistics_examples`]).
    #[default]
    Recompute,
    /// Running averages, `0.9 old + 0.1 new` each step (of the population variance), from 0 and 1.
    Running,
}

impl Settings {
    /// What acts at every step alike: all but the length of the run, the course of its learning rate, when it is
    /// evaluated and when it stops. Those are in [`Course`](crate::Course).
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

    /// Checks what can be checked without the data.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for the first value that means nothing.
    pub fn check(&self) -> Result<(), Error> {
        let positive = |setting, value: f64| {
            if value.is_finite() && value > 0.0 {
                Ok(())
            } else {
                Err(Error::setting(
                    setting,
                    format!("must be a positive number, is {value}"),
                ))
            }
        };
        if self.batch_size == 0 {
            return Err(Error::setting("batch_size", "must be at least 1"));
        }
        positive("learning_rate", self.learning_rate)?;
        match &self.model {
            Model::Mlp { hidden } if hidden.contains(&0) => {
                return Err(Error::setting(
                    "model.mlp.hidden",
                    "a layer needs at least one unit",
                ));
            }
            Model::Cnn { channels } if channels.is_empty() || channels.contains(&0) => {
                return Err(Error::setting(
                    "model.cnn.channels",
                    "needs at least one convolution, of at least one channel",
                ));
            }
            _ => {}
        }
        self.optimizer.check()?;
        self.schedule.check()?;
        self.evaluation.check()?;
        self.noise_scale
            .as_ref()
            .map_or(Ok(()), NoiseScale::check)?;
        self.stop.as_ref().map_or(Ok(()), Stop::check)
    }
}
