//! CPU kernels for what training a convolutional network spends its time on.
pub use crate::batch_norm::{Affine, Channels, Statistics, Then, Through};
pub use crate::lanes::Level;
pub use crate::shape::{Conv2d, ShapeError};

mod batch_norm;
mod bordered;
mod buffer;
mod channels_last;
mod conv;
mod correlate;
mod lanes;
mod shape;
mod weight_gradient;

/// The kernels, at one level of instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kernels {
    level: Level,
}

impl Kernels {
    /// At the fastest level that this processor has.
    pub fn best() -> Self {
        Self {
            level: Level::best(),
        }
    }

    /// At the level, if this processor has it.
    pub fn at(level: Level) -> Option<Self> {
        level.is_available().then_some(Self { level })
    }

    /// The level.
    pub fn level(&self) -> Level {
        self.level
    }
}
