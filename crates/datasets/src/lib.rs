//! Labelled images for training: sources, splits, and the random streams that everything is drawn from.
//!
//! [`prepare`] makes the bytes of a data set from a source (the `dataset` stage kind),
//! [`Data::from_bytes`] reads them. Everything is on the host; what a device does with it is `training`'s.

mod data;
mod download;
mod error;
mod prepare;
pub mod random;
mod source;
mod split;

pub use data::{Data, Normalisation, Part};
pub use download::{Disconnected, Patience, Received, Unavailable, download};
pub use error::{Error, Malformed};
pub use prepare::{DatasetSettings, prepare};
pub use source::{Files, Source, Unfit, Unread};
