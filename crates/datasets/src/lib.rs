//! Labelled images for training: sources, splits, and the random streams that everything is drawn from.
//!
//! [`prepare`] makes the bytes of a data set from a source (the `dataset` stage kind),
//! [`Data::from_bytes`] reads them. Everything is on the host; what a device does with it is `training`'s.

mod data;
mod digits;
mod error;
pub mod random;
mod split;

pub use data::{Data, DatasetSettings, Part, Source, prepare};
pub use error::Error;
