//! CPU kernels of convolutional training: plain slices in, plain slices out, `f32`.
//!
//! For training on a machine without a GPU: 2-D convolution forward, with its gradients with respect
//! to data, weight and bias; batch normalisation with the rectifier and the shortcut of a residual
//! block, forward and backward. Images are NCHW as everywhere. Made for what such networks have:
//! small kernels, up to some hundred channels, small images.
//!
//! ```
//! use conv_kernels::{Conv2d, Kernels};
//!
//! // 2 images of 3 channels and 4x4 pixels; 5 kernels of 3x3, stride 1, padding 1.
//! let shape = Conv2d::with(2, [3, 5], [4, 4], [3, 3], [1, 1], [1, 1])?;
//! let input = vec![1.0; shape.input_len()];
//! let weight = vec![0.5; shape.weight_len()];
//! let mut output = vec![0.0; shape.output_len()];
//! Kernels::best().conv2d(&shape, &input, &weight, None, &mut output);
//! assert_eq!(output[0], 0.5 * 3.0 * 4.0); // a corner sees 4 of the 9 places
//! # Ok::<(), conv_kernels::ShapeError>(())
//! ```
//!
//! What it is not: a tensor library; groups and dilation; other types than `f32`.
//!
//! # Reproducibility
//!
//! Work is spread over the threads of the current rayon pool. Results do not depend on how many
//! there are: every sum has one order, given by the shapes alone. They do depend, in the last bits,
//! on the processor's instructions: [`Level`] says which are used, and belongs into the provenance
//! of results. At one level, every machine computes the same bits.
//!
//! # Precision
//!
//! Convolutions are direct sums in single precision, without Winograd's transforms: an error of at
//! most some roundings of the sum of magnitudes (the tests hold them to 8 times 2^-23). Statistics
//! are sums in single precision over a plane and in double precision over planes.
//!
//! # Unsafe code
//!
//! Vector instructions, unchecked reads in the innermost loops, and threads that write to disjoint
//! channels of one slice. Each use says why it is sound.

pub use crate::batch_norm::{Affine, Statistics, Then, Through};
pub use crate::channels::Channels;
pub use crate::lanes::Level;
pub use crate::shape::{Conv2d, ShapeError};

mod batch_norm;
mod bias_gradient;
mod bordered;
mod buffer;
mod channels;
mod channels_last;
mod conv;
mod correlate;
mod lanes;
mod shape;
mod sweep;
mod threads;
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
