//! The learning rate of each step.
//!
//! Rates are doubles made by multiplication (constant, step) or with the cosine of the `libm` crate, so that they are
//! the same on every platform.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Moment;
use crate::number::{Inside, Positive, not_empty};

/// How the learning rate changes over the budget.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
#[schemars(rename = "Schedule")]
pub enum Shape {
    /// It does not change.
    Constant {},
    /// It is multiplied by a factor at fractions of the budget.
    Step(Step),
    /// Half a cosine, down to 0 at the end of the budget (Loshchilov and Hutter 2017, eq. 5).
    Cosine {},
}

/// A learning rate that falls in steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What the rate is multiplied by.
    pub factor: Positive,
    /// At which fractions of the budget, ascending.
    #[serde(deserialize_with = "ascending")]
    pub at: Vec<Inside>,
}

fn ascending<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Inside>, D::Error> {
    let list: Vec<Inside> = not_empty(deserializer)?;
    if list.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(serde::de::Error::custom("must be in ascending order"));
    }
    Ok(list)
}

/// How the learning rate changes over a run. In a manifest `{"cosine": {}, "warmup": {"epochs": 5}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>", into = "Map<String, Value>")]
pub struct Schedule {
    /// The course over the whole budget.
    pub shape: Shape,
    /// If this takes `W` steps, the rate of update `i < W` (from 0) is multiplied by `(i + 1) / W`.
    pub warmup: Option<Moment>,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            shape: Shape::Constant {},
            warmup: None,
        }
    }
}

impl TryFrom<Map<String, Value>> for Schedule {
    type Error = serde_json::Error;

    fn try_from(mut map: Map<String, Value>) -> Result<Self, Self::Error> {
        let warmup = map.remove("warmup").map(serde_json::from_value);
        let shape = (!map.is_empty()).then(|| serde_json::from_value(Value::Object(map)));
        Ok(Self {
            shape: shape.transpose()?.unwrap_or(Shape::Constant {}),
            warmup: warmup.transpose()?,
        })
    }
}

impl From<Schedule> for Map<String, Value> {
    fn from(schedule: Schedule) -> Self {
        let json = |value: serde_json::Result<Value>| value.expect("a schedule is JSON");
        let Value::Object(mut map) = json(serde_json::to_value(schedule.shape)) else {
            unreachable!("a shape is an object")
        };
        if let Some(warmup) = schedule.warmup {
            map.insert("warmup".to_owned(), json(serde_json::to_value(warmup)));
        }
        map
    }
}

impl Schedule {
    /// The updates after which the rate falls at once, in a run of `steps` steps.
    pub fn rate_drops(&self, steps: u64) -> Vec<u64> {
        match &self.shape {
            Shape::Step(step) => step
                .at
                .iter()
                .map(|fraction| (fraction.get() * steps as f64 - 1e-9).ceil() as u64)
                .collect(),
            Shape::Constant {} | Shape::Cosine {} => Vec::new(),
        }
    }

    /// The learning rate of each of `steps` updates.
    pub fn rates(&self, learning_rate: f64, steps: u64, steps_per_epoch: u64) -> Vec<f64> {
        let drops = self.rate_drops(steps);
        let warmup = self.warmup.map_or(0, |to| to.step(steps_per_epoch, steps));
        (0..steps)
            .map(|step| {
                let mut rate = learning_rate;
                match &self.shape {
                    Shape::Constant {} => {}
                    Shape::Step(fall) => {
                        drops
                            .iter()
                            .filter(|drop| **drop <= step)
                            .for_each(|_| rate *= fall.factor.get());
                    }
                    Shape::Cosine {} => {
                        let angle = std::f64::consts::PI * step as f64 / steps as f64;
                        rate *= 0.5 * (1.0 + libm::cos(angle));
                    }
                }
                if step < warmup {
                    rate *= (step + 1) as f64 / warmup as f64;
                }
                rate
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(text: &str) -> Schedule {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_constant_schedule_is_the_default() {
        assert_eq!(schedule("{}"), schedule(r#"{"constant": {}}"#));
        assert_eq!(Schedule::default().rates(0.25, 3, 1), [0.25; 3]);
    }

    #[test]
    fn steps_fall_after_the_stated_fractions() {
        let step = schedule(r#"{"step": {"factor": 0.1, "at": [0.4, 0.8]}}"#);
        assert_eq!(step.rate_drops(10), [4, 8]);
        let (first, second, third) = (0.5, 0.5 * 0.1, 0.5 * 0.1 * 0.1);
        let expected = [
            first, first, first, first, second, second, second, second, third, third,
        ];
        assert_eq!(step.rates(0.5, 10, 1), expected);
        assert_eq!(step.rate_drops(7), [3, 6]);
    }

    #[test]
    fn a_cosine_starts_at_the_rate_and_passes_half_of_it_in_the_middle() {
        let rates = schedule(r#"{"cosine": {}}"#).rates(2.0, 300, 1);
        assert_eq!(rates[0].to_bits(), 2.0_f64.to_bits());
        assert!((rates[150] - 1.0).abs() < 1e-15);
        assert!((rates[100] - 1.5).abs() < 1e-15);
        assert!(rates.is_sorted_by(|a, b| a > b) && rates[299] > 0.0);
    }

    #[test]
    fn warm_up_multiplies_any_shape_by_a_ramp() {
        let rates = schedule(r#"{"constant": {}, "warmup": {"epochs": 2}}"#).rates(1.0, 6, 2);
        assert_eq!(rates, [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]);
        let rates =
            schedule(r#"{"step": {"factor": 0.5, "at": [0.5]}, "warmup": {"iterations": 4}}"#)
                .rates(1.0, 4, 2);
        assert_eq!(rates, [0.25, 0.5, 0.375, 0.5]);
    }

    #[test]
    fn two_shapes_at_once_or_fractions_out_of_order_are_errors() {
        assert!(serde_json::from_str::<Schedule>(r#"{"constant": {}, "cosine": {}}"#).is_err());
        assert!(serde_json::from_str::<Schedule>(r#"{"linear": {}}"#).is_err());
        for at in ["[0.8, 0.4]", "[0.4, 1.0]", "[]"] {
            let text = format!(r#"{{"step": {{"factor": 0.1, "at": {at}}}}}"#);
            assert!(serde_json::from_str::<Schedule>(&text).is_err(), "{at}");
        }
    }

    #[test]
    fn a_schedule_is_written_as_it_was_read() {
        for text in [
            r#"{"constant":{}}"#,
            r#"{"step":{"factor":0.1,"at":[0.4,0.8]},"warmup":{"iterations":5}}"#,
            r#"{"cosine":{},"warmup":{"epochs":1.5}}"#,
        ] {
            let json: Value = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_value(schedule(text)).unwrap(), json);
        }
    }
}
