//! The learning rate of each step.
//!
//! Rates are doubles made by multiplication (constant, step) or with the cosine of the `libm` crate, so
//! that they are the same on every platform.

use serde::{Deserialize, Serialize};

use super::budget::Moment;
use crate::Error;

/// How the learning rate changes over a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ScheduleFields", into = "ScheduleFields")]
pub struct Schedule {
    /// The course over the whole budget.
    pub shape: Shape,
    /// If this takes `W` steps, the rate of update `i < W` (from 0) is multiplied by `(i + 1) / W`.
    pub warmup: Option<Moment>,
}

/// The course of the learning rate over the budget.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Shape {
    /// The same throughout.
    #[default]
    Constant,
    /// Multiplied by `factor` after each of the fractions `at` of the budget.
    Step {
        /// Such as 0.1.
        factor: f64,
        /// Fractions of the budget, in `(0, 1)`, ascending; the rate falls after
        /// `ceil(fraction * steps)` updates.
        at: Vec<f64>,
    },
    /// `(1 + cos(pi i / steps)) / 2` at update `i`.
    ///
    /// Source: Loshchilov and Hutter 2017, eq. (5), one cycle down to 0.
    Cosine,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ScheduleFields {
    #[serde(skip_serializing_if = "Option::is_none")]
    constant: Option<Nothing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<StepFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cosine: Option<Nothing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warmup: Option<Moment>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StepFields {
    factor: f64,
    at: Vec<f64>,
}

impl TryFrom<ScheduleFields> for Schedule {
    type Error = &'static str;

    fn try_from(fields: ScheduleFields) -> Result<Self, Self::Error> {
        let shape = match (fields.constant, fields.step, fields.cosine) {
            (_, None, None) => Shape::Constant,
            (None, Some(StepFields { factor, at }), None) => Shape::Step { factor, at },
            (None, None, Some(_)) => Shape::Cosine,
            _ => return Err("a schedule is one of `constant`, `step` and `cosine`"),
        };
        Ok(Self {
            shape,
            warmup: fields.warmup,
        })
    }
}

impl From<Schedule> for ScheduleFields {
    fn from(schedule: Schedule) -> Self {
        let mut fields = Self {
            warmup: schedule.warmup,
            ..Self::default()
        };
        match schedule.shape {
            Shape::Constant => fields.constant = Some(Nothing {}),
            Shape::Step { factor, at } => fields.step = Some(StepFields { factor, at }),
            Shape::Cosine => fields.cosine = Some(Nothing {}),
        }
        fields
    }
}

impl Schedule {
    pub(crate) fn check(&self) -> Result<(), Error> {
        if let Shape::Step { factor, at } = &self.shape {
            if !(factor.is_finite() && *factor > 0.0) {
                return Err(Error::setting(
                    "schedule.step.factor",
                    format!("must be a positive number, is {factor}"),
                ));
            }
            if !at.iter().all(|at| *at > 0.0 && *at < 1.0) || !at.is_sorted() {
                return Err(Error::setting(
                    "schedule.step.at",
                    "must be fractions of the budget between 0 and 1, in ascending order",
                ));
            }
        }
        if let Some(Moment::Epochs(epochs)) = self.warmup
            && !(epochs.is_finite() && epochs >= 0.0)
        {
            return Err(Error::setting(
                "schedule.warmup.epochs",
                "must not be negative",
            ));
        }
        Ok(())
    }

    /// The updates after which the rate falls at once, in a run of `steps` steps.
    pub fn rate_drops(&self, steps: u64) -> Vec<u64> {
        match &self.shape {
            Shape::Step { at, .. } => at
                .iter()
                .map(|fraction| (fraction * steps as f64 - 1e-9).ceil() as u64)
                .collect(),
            Shape::Constant | Shape::Cosine => Vec::new(),
        }
    }

    /// The learning rate of each of `steps` updates.
    pub fn rates(&self, learning_rate: f64, steps: u64, steps_per_epoch: u64) -> Vec<f64> {
        let drops = self.rate_drops(steps);
        let warmup = self.warmup.map_or(0, |moment| moment.step(steps_per_epoch));
        (0..steps)
            .map(|step| {
                let mut rate = learning_rate;
                match self.shape {
                    Shape::Constant => {}
                    Shape::Step { factor, .. } => {
                        drops
                            .iter()
                            .filter(|drop| **drop <= step)
                            .for_each(|_| rate *= factor);
                    }
                    Shape::Cosine => {
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
        assert!(
            schedule(r#"{"step": {"factor": 0.1, "at": [0.8, 0.4]}}"#)
                .check()
                .is_err()
        );
        assert!(
            schedule(r#"{"step": {"factor": 0.1, "at": [0.4, 1.0]}}"#)
                .check()
                .is_err()
        );
    }

    #[test]
    fn a_schedule_is_written_as_it_was_read() {
        for text in [
            r#"{"constant":{}}"#,
            r#"{"step":{"factor":0.1,"at":[0.4,0.8]},"warmup":{"iterations":5}}"#,
            r#"{"cosine":{},"warmup":{"epochs":1.5}}"#,
        ] {
            assert_eq!(serde_json::to_string(&schedule(text)).unwrap(), text);
        }
    }
}
