//! The kinds that read runs: `select`, `steps_to_target`, `heatmap`, `report`.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::number::{Count, Finite, Positive, Share};
use super::{Metric, Name, not_empty};
use crate::spanned::Spanned;

/// The best configurations among runs, seeds taken together.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Select {
    /// The `train` stages to choose from.
    #[schemars(length(min = 1))]
    #[serde(deserialize_with = "not_empty")]
    pub(crate) runs: Vec<Spanned<Name>>,
    /// What is best: a metric, or the fewest steps to a target, as `{steps_to: {train_loss: 0.03}}`.
    pub(crate) by: By,
    /// Where on the curves the metric is read.
    #[serde(default)]
    pub(crate) at: Moment,
    /// One winner for each combination of these: `method`, `batch_size`, `stage`, or a swept setting.
    #[serde(default = "method_and_batch_size")]
    pub(crate) per: Vec<String>,
}

fn method_and_batch_size() -> Vec<String> {
    vec!["method".to_owned(), "batch_size".to_owned()]
}

/// What configurations are ranked by.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum By {
    TrainLoss,
    TrainAccuracy,
    ValidationLoss,
    ValidationAccuracy,
    TestLoss,
    TestAccuracy,
    /// The median number of steps to a target.
    StepsTo(Target),
}

impl By {
    /// The metric read at one point; none for steps to a target.
    pub(crate) fn metric(self) -> Option<Metric> {
        Some(match self {
            Self::TrainLoss => Metric::TrainLoss,
            Self::TrainAccuracy => Metric::TrainAccuracy,
            Self::ValidationLoss => Metric::ValidationLoss,
            Self::ValidationAccuracy => Metric::ValidationAccuracy,
            Self::TestLoss => Metric::TestLoss,
            Self::TestAccuracy => Metric::TestAccuracy,
            Self::StepsTo(_) => return None,
        })
    }
}

/// A level of one metric.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    /// At most this loss on the training set, nats.
    TrainLoss(Positive),
    /// At least this accuracy on the training set.
    TrainAccuracy(Share),
    /// At most this loss on the validation part, nats.
    ValidationLoss(Positive),
    /// At least this accuracy on the validation part.
    ValidationAccuracy(Share),
    /// At most this loss on the test set, nats.
    TestLoss(Positive),
    /// At least this accuracy on the test set.
    TestAccuracy(Share),
}

impl Target {
    pub(crate) fn level(self) -> (Metric, f64) {
        match self {
            Self::TrainLoss(level) => (Metric::TrainLoss, level.get()),
            Self::TrainAccuracy(level) => (Metric::TrainAccuracy, level.get()),
            Self::ValidationLoss(level) => (Metric::ValidationLoss, level.get()),
            Self::ValidationAccuracy(level) => (Metric::ValidationAccuracy, level.get()),
            Self::TestLoss(level) => (Metric::TestLoss, level.get()),
            Self::TestAccuracy(level) => (Metric::TestAccuracy, level.get()),
        }
    }
}

/// Where on a curve to look: `end`, `{epochs: E}` or `{iterations: N}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Moment {
    /// After the whole budget.
    #[default]
    End,
    /// After this many passes over the training set.
    Epochs(Positive),
    /// After this many steps.
    Iterations(Count),
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::End => f.write_str("end"),
            Self::Epochs(epochs) => write!(f, "{{epochs: {}}}", epochs.get()),
            Self::Iterations(iterations) => write!(f, "{{iterations: {}}}", iterations.get()),
        }
    }
}

/// How many steps runs need to reach targets, and how that scales with the batch size.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepsToTarget {
    /// The `train` stages.
    #[schemars(length(min = 1))]
    #[serde(deserialize_with = "not_empty")]
    pub(crate) runs: Vec<Spanned<Name>>,
    /// Losses on the training set to reach, nats.
    #[serde(default)]
    pub(crate) train_loss: Vec<Positive>,
    /// Accuracies on the training set to reach.
    #[serde(default)]
    pub(crate) train_accuracy: Vec<Share>,
    /// Losses on the validation part to reach, nats.
    #[serde(default)]
    pub(crate) validation_loss: Vec<Positive>,
    /// Accuracies on the validation part to reach.
    #[serde(default)]
    pub(crate) validation_accuracy: Vec<Share>,
    /// Losses on the test set to reach, nats.
    #[serde(default)]
    pub(crate) test_loss: Vec<Positive>,
    /// Accuracies on the test set to reach.
    #[serde(default)]
    pub(crate) test_accuracy: Vec<Share>,
}

impl StepsToTarget {
    /// Every metric with its levels, as written.
    pub(crate) fn levels(&self) -> [(Metric, Vec<f64>); 6] {
        let losses = |list: &[Positive]| list.iter().map(|level| level.get()).collect();
        let accuracies = |list: &[Share]| list.iter().map(|level| level.get()).collect();
        [
            (Metric::TrainLoss, losses(&self.train_loss)),
            (Metric::TrainAccuracy, accuracies(&self.train_accuracy)),
            (Metric::ValidationLoss, losses(&self.validation_loss)),
            (
                Metric::ValidationAccuracy,
                accuracies(&self.validation_accuracy),
            ),
            (Metric::TestLoss, losses(&self.test_loss)),
            (Metric::TestAccuracy, accuracies(&self.test_accuracy)),
        ]
    }
}

/// A metric over two swept settings: one panel for each method, batch size and point of time.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Heatmap {
    /// The `train` stages.
    #[schemars(length(min = 1))]
    #[serde(deserialize_with = "not_empty")]
    pub(crate) runs: Vec<Spanned<Name>>,
    /// The horizontal setting.
    pub(crate) x: Axis,
    /// The vertical setting.
    pub(crate) y: Axis,
    /// What the cells show.
    pub(crate) value: Metric,
    /// Where on the curves. Runs must reach it at a constant rate, or end there, and be evaluated there.
    #[schemars(length(min = 1))]
    #[serde(deserialize_with = "not_empty")]
    pub(crate) at: Vec<Moment>,
    /// Which cells are good.
    pub(crate) good: Good,
}

/// A swept setting: one name for all methods, or one for each, as `{kfac: damping, sgd: momentum}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Axis {
    /// The same setting for every method.
    Same(String),
    /// A setting for each method.
    PerMethod(BTreeMap<String, String>),
}

impl<'de> Deserialize<'de> for Axis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrNames;

        impl<'de> Visitor<'de> for NameOrNames {
            type Value = Axis;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a setting, or one for each method as `{kfac: damping, sgd: momentum}`")
            }

            fn visit_str<E>(self, name: &str) -> Result<Axis, E> {
                Ok(Axis::Same(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, names: A) -> Result<Axis, A::Error> {
                BTreeMap::deserialize(MapAccessDeserializer::new(names)).map(Axis::PerMethod)
            }
        }

        deserializer.deserialize_str(NameOrNames)
    }
}

/// Which cells are good: those past a level declared beforehand, and those near the panel's best. One of the
/// two, or both.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "GoodFields")]
pub(crate) struct Good {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) at_least: Option<Finite>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) within: Option<Positive>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Good")]
struct GoodFields {
    /// At least this; at most this, for a loss.
    at_least: Option<Finite>,
    /// At most this far from the panel's best, in the metric's unit.
    within: Option<Positive>,
}

impl TryFrom<GoodFields> for Good {
    type Error = &'static str;

    fn try_from(fields: GoodFields) -> Result<Self, Self::Error> {
        if fields.at_least.is_none() && fields.within.is_none() {
            return Err("needs `at_least` or `within`, or both");
        }
        Ok(Self {
            at_least: fields.at_least,
            within: fields.within,
        })
    }
}

/// The page: tables, the curves behind them, and what they say about claims.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Report {
    /// The page's title. Default: the study's name.
    pub(crate) title: Option<String>,
    /// The `select`, `steps_to_target` and `heatmap` stages to show.
    #[schemars(length(min = 1))]
    #[serde(deserialize_with = "not_empty")]
    pub(crate) include: Vec<Spanned<Name>>,
    /// More `train` stages to show, beside those that the included stages read.
    #[serde(default)]
    pub(crate) runs: Vec<Spanned<Name>>,
    /// Claims to decide, each by its name or as `{name: {settings}}`.
    #[serde(default)]
    pub(crate) claims: Vec<Claim>,
}

/// A claim to decide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Claim {
    /// K-FAC's confirmed performance equals SGD's, within a margin.
    ComparablePerformance(Comparison),
    /// Both methods have diminishing returns, and K-FAC departs from ideal scaling further.
    DiminishingReturns {},
    /// At fixed epochs the good region shrinks as the batch size grows.
    RegionShrinksAtFixedEpochs {},
    /// At fixed iterations the good region grows with the batch size.
    RegionGrowsAtFixedIterations {},
    /// Good learning rates and good dampings are positively correlated.
    RatesAndDampingsCorrelate {},
    /// SGD makes more progress per step in reducing the loss.
    SgdFasterPerIteration {},
    /// The control: at a large damping K-FAC is SGD with learning rate / damping, within a margin. It takes SGD runs
    /// with those rates and the same momentum, seeds and budget.
    LargeDampingIsSgd(Comparison),
}

impl Claim {
    /// The settings that the stage gets.
    pub(crate) fn settings(&self) -> serde_json::Value {
        serde_json::to_value(self)
            .unwrap_or_else(|error| unreachable!("a claim is plain data: {error}"))
    }
}

/// What counts as comparable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Comparison {
    /// The largest difference that counts as equal, in the metric's unit.
    pub(crate) margin: Positive,
    /// What is compared.
    pub(crate) metric: Metric,
}

impl Default for Comparison {
    fn default() -> Self {
        Self {
            margin: Positive::preset(0.01),
            metric: Metric::TestAccuracy,
        }
    }
}
