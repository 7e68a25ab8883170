//! A metric over two settings.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::AsInputs;
use crate::number::{Finite, Positive, not_empty};
use crate::{Metric, Moment, Spanned};

/// A metric over two swept settings: one panel for each method, batch size and point in time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Heatmap")]
pub struct Heatmap<R = AsInputs> {
    /// The stages whose runs are shown: `train`, and `command` with `curves`.
    pub runs: R,
    /// The horizontal setting.
    pub x: Spanned<Axis>,
    /// The vertical setting.
    pub y: Spanned<Axis>,
    /// What the cells show.
    pub value: Spanned<Metric>,
    /// Where on the curves. Runs must reach it at a constant rate, or end there, and be evaluated there.
    #[schemars(length(min = 1))]
    #[serde(deserialize_with = "not_empty")]
    pub at: Vec<Spanned<Moment>>,
    /// Which cells are good.
    pub good: Good,
}

/// A swept setting: one name for all methods, or one for each, as `{kfac: damping, sgd: momentum}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Axis {
    /// The same setting for every method.
    Same(String),
    /// A setting for each method.
    PerMethod(BTreeMap<String, Spanned<String>>),
}

impl Axis {
    /// The setting along the axis for a method; `None` if the map has no entry for it.
    pub fn of(&self, method: &str) -> Option<&str> {
        match self {
            Self::Same(name) => Some(name),
            Self::PerMethod(names) => names.get(method).map(|name| name.as_str()),
        }
    }
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

        deserializer.deserialize_any(NameOrNames)
    }
}

/// Which cells are good: those past a level declared beforehand, and those near the panel's best. One of the
/// two, or both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "GoodFields")]
pub struct Good {
    /// At least this; at most this, for a loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// At most this far from the panel's best, in the metric's unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<f64>,
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
            at_least: fields.at_least.map(Finite::get),
            within: fields.within.map(Positive::get),
        })
    }
}
