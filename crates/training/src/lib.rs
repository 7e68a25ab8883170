//! Data sets, networks, optimisers and the training loop, on burn.
//!
//! [`prepare`] makes the bytes of a data set, [`train`] makes a [`Run`] from [`Settings`] and [`Data`];
//! both are functions of their arguments alone. Not here: what a study is, what a run is compared with,
//! where results are kept; nothing in this crate reads or writes a file or prints.
//!
//! On the CPU a run is the same to the last bit with any number of threads.

mod batches;
pub mod data;
pub mod device;
mod error;
mod evaluate;
mod loss;
pub mod models;
pub mod random;
mod run;
pub mod settings;
mod train;

pub use data::{Data, DatasetSettings, prepare};
pub use error::Error;
pub use evaluate::Score;
pub use run::{Evaluated, Outcome, Run};
pub use settings::Settings;
pub use train::{Progress, train};
