//! How a stage is executed.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::Error;

use super::Scalar;
use super::shape::{Shape, by_shape};
use crate::size::Size;

/// What happens to a stage that fails or takes too long, and what it takes.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Execution {
    /// How often a failed run is tried again.
    pub(crate) retries: u32,
    /// How long one run may take before it fails: `90 s`, `15 min`, `2 h`. Default: no limit.
    pub(crate) timeout: Option<Time>,
    /// How much memory one run takes, such as `8G`: runs are started side by side as far as the memory of the machine
    /// allows. Default: for `train`, an estimate from its settings; else not known, and not counted.
    pub(crate) memory: Option<Size>,
}

/// A length of time, with its unit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time(Duration);

impl Time {
    pub(crate) fn get(self) -> Duration {
        self.0
    }
}

by_shape!(Time);

impl Shape<'_> for Time {
    const WANTED: &'static str = "a time with its unit, such as `90 s`, `15 min` or `2 h`";

    fn scalar<E: Error>(scalar: Scalar) -> Result<Self, E> {
        let Scalar::Word(text) = scalar else {
            return Err(scalar.unfit(Self::WANTED));
        };
        let unit_at = text
            .find(|c: char| c.is_ascii_alphabetic())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(unit_at);
        let seconds = match unit {
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            _ => 0.0,
        };
        let time = number
            .trim()
            .parse()
            .map_or(0.0, |number: f64| number * seconds);
        if time.is_finite() && time > 0.0 && time < 1e9 {
            Ok(Self(Duration::from_secs_f64(time)))
        } else {
            Err(E::custom(format!("must be {}, not `{text}`", Self::WANTED)))
        }
    }
}

inline_schema!(Time, { "type": "string", "format": "time with its unit", "pattern": "^ *[0-9.]+ *(s|m|min|h)$" });
