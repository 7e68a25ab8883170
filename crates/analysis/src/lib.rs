//! From curves to tables: steps to target, scaling fits, winners, good regions, claims.
//!
//! Pure functions. They read [`Run`]s and earlier tables and return tables, plain types that serde
//! writes as JSON. They open no file, start no training and print nothing; the page that shows the
//! tables is drawn elsewhere.
//!
//! Three rules hold for every table:
//!
//! - *Nothing is dropped.* Diverged, not reached, not evaluated and missing are states of their own.
//! - *Nothing is interpolated or smoothed.* A value is one that some evaluation measured at exactly
//!   that step; a crossing is the interval between two evaluations.
//! - *Equal input, equal bytes.* Rows are sorted, no float is infinite or NaN, nothing is random.

pub mod claims;
pub mod configuration;
pub mod control;
mod error;
mod evidence;
pub mod heatmap;
pub mod noise;
pub mod report;
pub mod select;
mod statistics;
pub mod targets;

pub use error::Error;
pub use evidence::{Evidence, Named};
pub use runs::{
    Curvature, Curve, Evaluation, GradientNoise, Metric, Moment, Outcome, Part, Record, Run,
    RunSettings, Target, Updates,
};
pub use statistics::{Estimate, Interval};
