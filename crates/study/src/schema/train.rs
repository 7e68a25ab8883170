//! The `train` kind.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::number::{Count, Inside, NonNegative, Positive, Share, Spacing};
use super::{Metric, Name, Optimizer, not_empty};

/// Training runs: one, or with `sweep` one for each combination of its values.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Train {
    /// The `dataset` stage to train on. Required without `configuration`.
    pub(crate) dataset: Option<Name>,
    /// The `select` stage whose winners to run: one run for each winner and each combination of this
    /// stage's own sweep. Data set, model, optimizer, batch size and learning rate are the winner's; what
    /// is given here replaces the winner's setting as a whole.
    pub(crate) configuration: Option<Name>,
    /// The network. Required without `configuration`.
    pub(crate) model: Option<Model>,
    /// Examples a step. Required here or in the sweep, without `configuration`.
    pub(crate) batch_size: Option<Count>,
    /// The rate that the schedule starts from. Required here or in the sweep, without `configuration`.
    pub(crate) learning_rate: Option<Positive>,
    /// Seed of weights, order, augmentation and the Fisher matrix's labels. Default 0.
    pub(crate) seed: Option<u64>,
    /// Weights to start from instead of drawn ones: a safetensors file with PyTorch's names of the network's
    /// parameters, as `pipeline export` writes it; relative to the folder of the study file that says so. Its contents
    /// are part of a run's key. Default: none.
    pub(crate) initial_weights: Option<String>,
    /// How long to train. Required without `configuration`.
    pub(crate) budget: Option<Budget>,
    /// How the learning rate changes. Default `constant`.
    pub(crate) schedule: Option<Schedule>,
    /// If it takes W steps, the rate of step i < W (from 0) is multiplied by (i + 1) / W. Default: none.
    pub(crate) warmup: Option<Length>,
    /// The update rule. Required without `configuration`.
    pub(crate) optimizer: Option<Optimizer>,
    /// Random changes of the training images, drawn anew each epoch. Default: none.
    pub(crate) augment: Option<Augment>,
    /// When and on what to evaluate. Default: all of its defaults.
    pub(crate) evaluation: Option<Evaluation>,
    /// Which statistics BatchNorm evaluates with. Default `recompute`.
    pub(crate) batch_norm: Option<BatchNorm>,
    /// How many examples BatchNorm normalises by themselves in training (Hoffer et al. 2017). Default: the whole batch.
    pub(crate) ghost_batch: Option<Count>,
    /// Measure the gradient noise scale at each evaluation (McCandlish et al. 2018, appendix A.1). Default: do not.
    pub(crate) noise_scale: Option<NoiseScale>,
    /// When to end before the budget does. Default: never.
    pub(crate) stop: Option<Stop>,
    /// What becomes of the examples left over at the end of an epoch. Default `drop`.
    pub(crate) last_batch: Option<LastBatch>,
}

/// A network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Model {
    /// Fully connected layers with a ReLU between them.
    Mlp(Mlp),
    /// 3x3 convolutions, each with BatchNorm and ReLU, all but the first with stride 2; then one fully connected
    /// layer on all that the last one gives.
    Cnn(Cnn),
    /// He et al. 2016, section 4.2, n = 3.
    Resnet20,
    /// He et al. 2016, section 4.2, n = 5.
    Resnet32,
    /// Zhang et al. 2017, appendix A: two 5x5 convolutions of 64 channels, each with ReLU and 3x3 max-pooling, and
    /// fully connected layers of 384 and 192 units; without local response normalisation.
    Alexnet,
}

/// Layers of a fully connected network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mlp {
    /// Units of each hidden layer, from the input on.
    pub(crate) hidden: Vec<Count>,
}

/// Layers of a small convolutional network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cnn {
    /// Channels of each convolution, from the input on.
    #[schemars(length(min = 1))]
    #[serde(deserialize_with = "not_empty")]
    pub(crate) channels: Vec<Count>,
}

/// How long to train.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "BudgetFields", into = "BudgetFields")]
pub(crate) enum Budget {
    Epochs {
        epochs: Positive,
        adjusted_from_batch: Option<Count>,
    },
    Iterations(Count),
}

/// How long to train: `epochs`, with or without `adjusted_from_batch`, or `iterations`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Budget")]
struct BudgetFields {
    /// Passes over the training set.
    #[serde(skip_serializing_if = "Option::is_none")]
    epochs: Option<Positive>,
    /// A batch size B0: a run at batch size B lasts (log2(B / B0) + 1) times the `epochs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    adjusted_from_batch: Option<Count>,
    /// Steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    iterations: Option<Count>,
}

impl TryFrom<BudgetFields> for Budget {
    type Error = &'static str;

    fn try_from(fields: BudgetFields) -> Result<Self, Self::Error> {
        match (fields.epochs, fields.adjusted_from_batch, fields.iterations) {
            (Some(epochs), adjusted_from_batch, None) => Ok(Self::Epochs {
                epochs,
                adjusted_from_batch,
            }),
            (None, None, Some(iterations)) => Ok(Self::Iterations(iterations)),
            _ => {
                Err("needs either `epochs` (with or without `adjusted_from_batch`) or `iterations`")
            }
        }
    }
}

impl From<Budget> for BudgetFields {
    fn from(budget: Budget) -> Self {
        match budget {
            Budget::Epochs {
                epochs,
                adjusted_from_batch,
            } => Self {
                epochs: Some(epochs),
                adjusted_from_batch,
                iterations: None,
            },
            Budget::Iterations(iterations) => Self {
                epochs: None,
                adjusted_from_batch: None,
                iterations: Some(iterations),
            },
        }
    }
}

/// How the learning rate changes over the budget.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Schedule {
    /// Not at all.
    Constant {},
    /// It is multiplied by a factor at fractions of the budget.
    Step(Step),
    /// Half a cosine, down to 0 at the end of the budget (Loshchilov and Hutter 2017, eq. 5).
    Cosine {},
}

/// A learning rate that falls in steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    /// What the rate is multiplied by.
    pub(crate) factor: Positive,
    /// At which fractions of the budget, ascending.
    #[serde(deserialize_with = "ascending")]
    pub(crate) at: Vec<Inside>,
}

/// A length of training: `{epochs: E}` or `{iterations: N}`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Length {
    /// Passes over the training set.
    Epochs(Positive),
    /// Steps.
    Iterations(Count),
}

/// Random changes of the training images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Augment {
    /// Pixels of padding around the image before a crop to its size. Default 0.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) pad_crop: u64,
    /// Mirror left to right, half of the images. Default `false`.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) flip: bool,
}

/// When and on what to evaluate: at the start, at the end, at log-spaced steps, and where it says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Evaluation {
    /// Evaluations at steps ceil(spacing^k), k = 0, 1, ...
    pub(crate) spacing: Spacing,
    /// More evaluations, after these numbers of epochs. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) epochs: Vec<NonNegative>,
    /// More evaluations, after these numbers of steps. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) iterations: Vec<u64>,
    /// How many training examples the training metrics are taken over. Default: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) train_subset: Option<Count>,
    /// How many training examples give the statistics that BatchNorm evaluates with.
    /// Default 1024.
    #[serde(skip_serializing_if = "Evaluation::is_usual")]
    pub(crate) statistics_examples: Count,
}

impl Evaluation {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    fn is_usual(count: &Count) -> bool {
        count.get() == 1024
    }
}

impl Default for Evaluation {
    fn default() -> Self {
        Self {
            spacing: Spacing::preset(1.1),
            epochs: Vec::new(),
            iterations: Vec::new(),
            train_subset: None,
            statistics_examples: Count::preset(1024),
        }
    }
}

/// Which statistics BatchNorm evaluates with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BatchNorm {
    /// Those of a fixed training subset, computed before each evaluation.
    Recompute,
    /// Running averages.
    Running,
}

/// The two batch sizes of an estimate of the gradient noise scale: small batches, and the big one that they are
/// together. It is measured on training examples drawn for it, whatever the batch size of the run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NoiseScale {
    /// Examples of a small batch; BatchNorm normalises over each by itself.
    pub(crate) small: Count,
    /// How many small batches there are, at least 2.
    #[schemars(range(min = 2))]
    #[serde(deserialize_with = "at_least_two")]
    pub(crate) batches: Count,
}

impl Default for NoiseScale {
    fn default() -> Self {
        Self {
            small: Count::preset(32),
            batches: Count::preset(32),
        }
    }
}

/// When to end before the budget does: once all of these are reached at two evaluations in a row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stop {
    /// At most this loss on the training set, nats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) train_loss: Option<Positive>,
    /// At least this accuracy on the training set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) train_accuracy: Option<Share>,
    /// At most this loss on the validation part, nats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) validation_loss: Option<Positive>,
    /// At least this accuracy on the validation part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) validation_accuracy: Option<Share>,
    /// At most this loss on the test set, nats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) test_loss: Option<Positive>,
    /// At least this accuracy on the test set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) test_accuracy: Option<Share>,
    /// What must have been trained in any case; both, if both are given. Default: nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) not_before: NotBefore,
}

impl Stop {
    /// The levels that must be reached.
    pub(crate) fn levels(&self) -> Vec<(Metric, f64)> {
        let loss = |metric, level: Option<Positive>| level.map(|level| (metric, level.get()));
        let accuracy = |metric, level: Option<Share>| level.map(|level| (metric, level.get()));
        [
            loss(Metric::TrainLoss, self.train_loss),
            accuracy(Metric::TrainAccuracy, self.train_accuracy),
            loss(Metric::ValidationLoss, self.validation_loss),
            accuracy(Metric::ValidationAccuracy, self.validation_accuracy),
            loss(Metric::TestLoss, self.test_loss),
            accuracy(Metric::TestAccuracy, self.test_accuracy),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// What must have been trained before a run may stop.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NotBefore {
    /// Passes over the training set. Default 0.
    #[serde(skip_serializing_if = "NotBefore::is_zero")]
    pub(crate) epochs: NonNegative,
    /// Steps. Default 0.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) iterations: u64,
}

impl NotBefore {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    fn is_zero(epochs: &NonNegative) -> bool {
        epochs.get() == 0.0
    }
}

impl Default for NotBefore {
    fn default() -> Self {
        Self {
            epochs: NonNegative::preset(0.0),
            iterations: 0,
        }
    }
}

/// What becomes of the examples left over at the end of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LastBatch {
    /// They are left out; which ones differs from epoch to epoch.
    Drop,
    /// They make a smaller batch.
    Keep,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn ascending<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Inside>, D::Error> {
    let list: Vec<Inside> = not_empty(deserializer)?;
    if list.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(serde::de::Error::custom("must be in ascending order"));
    }
    Ok(list)
}

fn at_least_two<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Count, D::Error> {
    let count = Count::deserialize(deserializer)?;
    if count.get() < 2 {
        return Err(serde::de::Error::custom("must be at least 2"));
    }
    Ok(count)
}
