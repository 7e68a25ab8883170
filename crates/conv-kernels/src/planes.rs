//! An image with a border of zeros, split by the stride so that neighbours lie side by side.
//!
//! A convolution of stride `s` reads every `s`-th column of a row. Here the rows and columns of one
//! remainder modulo `s` form a plane of their own, in which the convolution reads neighbours. With
//! stride 1 that is the image with its border.

/// How the values of an image `[channels, rows, columns]` are laid out with their border.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planes {
    pub(crate) channels: usize,
    /// Rows and columns of the image.
    pub(crate) size: [usize; 2],
    /// Zeros before the first row and column.
    pub(crate) before: [usize; 2],
    /// Strides that the image is split by.
    pub(crate) split: [usize; 2],
    /// Rows and columns of a plane.
    pub(crate) plane: [usize; 2],
}

impl Planes {
    /// Planes for at least `needed` rows and columns each.
    pub(crate) fn new(
        channels: usize,
        size: [usize; 2],
        before: [usize; 2],
        split: [usize; 2],
        needed: [usize; 2],
    ) -> Self {
        let plane = std::array::from_fn(|axis| {
            needed[axis].max((before[axis] + size[axis]).div_ceil(split[axis]))
        });
        Self {
            channels,
            size,
            before,
            split,
            plane,
        }
    }

    /// Values of all planes.
    pub(crate) fn len(&self) -> usize {
        self.channels * self.split[0] * self.split[1] * self.plane[0] * self.plane[1]
    }

    /// Where a value of the image with its border lies.
    pub(crate) fn index(&self, channel: usize, row: usize, column: usize) -> usize {
        let phase = (row % self.split[0]) * self.split[1] + column % self.split[1];
        let plane = channel * self.split[0] * self.split[1] + phase;
        (plane * self.plane[0] + row / self.split[0]) * self.plane[1] + column / self.split[1]
    }

    /// Copies an image into its place; the border is left as it is.
    #[inline(always)]
    pub(crate) fn fill(&self, image: &[f32], to: &mut [f32]) {
        let [rows, columns] = self.size;
        let step = self.split[1];
        for (line, values) in image.chunks_exact(columns).enumerate() {
            let (channel, row) = (line / rows, line % rows + self.before[0]);
            if step == 1 {
                let start = self.index(channel, row, self.before[1]);
                to[start..start + columns].copy_from_slice(values);
                continue;
            }
            for first in 0..step.min(columns) {
                let start = self.index(channel, row, first + self.before[1]);
                let count = (columns - first).div_ceil(step);
                let run = &mut to[start..start + count];
                for (to, from) in run.iter_mut().zip(values[first..].iter().step_by(step)) {
                    *to = *from;
                }
            }
        }
    }
}
