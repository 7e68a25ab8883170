//! Networks, optimisers and the training loop, on burn.
//!
//! [`train`] makes a [`Run`] from [`Settings`] and [`Data`] and is a function of them alone. Not here: what a study is, what a run is compared with,
//! where results are kept; nothing in this crate reads or writes a file or prints.
//!
//! On the CPU a run is the same to the last bit with any number of threads.

mod batches;
pub mod device;
mod error;
mod evaluate;
mod loss;
pub mod models;
mod run;
pub mod settings;
mod train;

pub use datasets::Data;
pub use error::Error;
pub use evaluate::Score;
pub use run::{Evaluated, Outcome, Run};
pub use settings::Settings;
pub use train::{Progress, train};
