//! Labelled images for training: sources, splits, and the random streams that everything is drawn from.
//!
//! [`prepare`] makes the bytes of a data set from a source (the `dataset` stage kind),
//! [`Data::from_bytes`] reads them. Everything is on the host; what a device does with it is `training`'s.

mod data;
mod digits;
mod error;
mod prepare;
pub mod random;
mod split;

pub use data::{Data, Normalisation, Part};
pub use error::Error;
pub use prepare::{DatasetSettings, Source, prepare};
