//! The vocabulary of training runs, shared by everything that speaks of one: the settings of a run and their
//! arithmetic, metrics and targets, outcomes, evaluations, curves and their bytes, those that other programs log,
//! weights as other programs have them, and what the readers of runs may be asked for.
//!
//! Not here: executing a run (`training`), reading a study file (`study`), statistics (`analysis`).

#[macro_use]
mod metric;

mod curve;
mod error;
mod keys;
mod logged;
mod moment;
pub mod number;
mod outcome;
pub mod reader;
mod record;
mod run;
pub mod settings;
pub mod spanned;
mod target;
pub mod weights;

pub use curve::{Columns, Correct, Curvature, Curve, GradientNoise, Updates};
pub use error::{Error, Malformed};
pub use keys::keys_of;
pub use logged::{Kept, LogError, LogProblem, Logged};
pub use metric::{Evaluation, Metric, Part};
pub use moment::{Moment, epochs_to_steps};
pub use outcome::Outcome;
pub use record::{Record, sorted};
pub use run::{Run, RunSettings};
pub use spanned::{Span, Spanned};
pub use target::Target;
pub use weights::Weight;
