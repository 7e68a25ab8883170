//! The best configurations among runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::AsInputs;
use crate::{Metric, Moment, Spanned, Target};

/// The best configurations among runs, seeds taken together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Select")]
pub struct Select<R = AsInputs> {
    /// The stages whose runs are chosen from: `train`, and `command` with `curves`.
    pub runs: R,
    /// What is best: a metric, or the fewest steps to a target, as `{steps_to: {train_loss: 0.03}}`.
    pub by: Spanned<By>,
    /// Where on the curves the metric is read.
    #[serde(default)]
    pub at: Spanned<Moment>,
    /// One winner for each combination of these: `method`, `batch_size`, `stage`, or a swept setting.
    #[serde(default = "method_and_batch_size")]
    pub per: Vec<Spanned<String>>,
}

fn method_and_batch_size() -> Vec<Spanned<String>> {
    ["method", "batch_size"]
        .map(|name| name.to_owned().into())
        .into()
}

/// What configurations are ranked by. In JSON `"validation_accuracy"` or `{"steps_to": {"train_loss": 0.03}}`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "ByFields", untagged)]
pub enum By {
    /// The mean of a metric over seeds.
    Metric(Metric),
    /// The median steps to a target over seeds.
    StepsTo {
        /// The target.
        steps_to: Target,
    },
}

macro_rules! by {
    ($($metric:ident $name:ident $quantity:ident $part:ident $words:literal;)*) => {
        /// What configurations are ranked by.
        #[derive(Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        #[schemars(rename = "By")]
        enum ByFields {
            $($metric,)*
            /// The median number of steps to a target.
            StepsTo(Target),
        }

        impl From<ByFields> for By {
            fn from(fields: ByFields) -> Self {
                match fields {
                    $(ByFields::$metric => Self::Metric(Metric::$metric),)*
                    ByFields::StepsTo(steps_to) => Self::StepsTo { steps_to },
                }
            }
        }
    };
}
with_metrics!(by);

impl By {
    /// The metric that is read, or that the target is of.
    pub fn metric(self) -> Metric {
        match self {
            Self::Metric(metric) => metric,
            Self::StepsTo { steps_to } => steps_to.metric,
        }
    }
}
