//! Networks, optimisers and the training loop, on burn.
//!
//! [`train`] makes a [`Run`] from [`Settings`] and [`Data`] and is a function of them alone. [`Training`] is the same
//! run step by step: its [`Checkpoint`] after any update is a value, and the run that goes on from it gives the same bits.
//! Not here: what a study is, what a run is compared with, where results are kept; nothing in this crate reads or
//! writes a file or prints.
//!
//! On the CPU a run is the same to the last bit with any number of threads.

mod batches;
mod checkpoint;
mod course;
mod curvature;
pub mod device;
mod error;
mod evaluate;
mod examples;
mod learner;
mod loss;
mod memory;
pub mod models;
mod noise;
mod optimizer;
mod stopping;
mod train;

pub use checkpoint::{Checkpoint, Unusable};
pub use course::Course;
pub use datasets::Data;
pub use error::{Error, NoDevice};
pub use loss::KEPT as LOSSES_KEPT;
pub use runs::settings::Settings;
pub use runs::{Curve, Evaluation, Outcome};
pub use train::{Progress, Training, train};

/// What a training run gives.
pub type Run = runs::Record<Settings>;
