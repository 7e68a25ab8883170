//! Images with a border of zeros.

/// How an image `[channels, rows, columns]` is laid out with its border.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bordered {
    pub(crate) channels: usize,
    /// Rows and columns of the image.
    pub(crate) size: [usize; 2],
    /// Zeros before the first row and column.
    pub(crate) before: [usize; 2],
    /// Rows and columns with the border.
    pub(crate) outer: [usize; 2],
}

impl Bordered {
    /// A border that leaves at least `needed` rows and columns.
    pub(crate) fn new(
        channels: usize,
        size: [usize; 2],
        before: [usize; 2],
        needed: [usize; 2],
    ) -> Self {
        Self {
            channels,
            size,
            before,
            outer: std::array::from_fn(|axis| needed[axis].max(before[axis] + size[axis])),
        }
    }

    /// Values with the border.
    pub(crate) fn len(&self) -> usize {
        self.channels * self.outer[0] * self.outer[1]
    }

    /// Where a value, counted with the border, lies.
    pub(crate) fn index(&self, channel: usize, row: usize, column: usize) -> usize {
        (channel * self.outer[0] + row) * self.outer[1] + column
    }

    /// Copies an image into its place; the border is left as it is.
    #[inline(always)]
    pub(crate) fn fill(&self, image: &[f32], to: &mut [f32]) {
        let [rows, columns] = self.size;
        assert!(image.len() == self.channels * rows * columns && to.len() >= self.len());
        for channel in 0..self.channels {
            for row in 0..rows {
                let start = self.index(channel, row + self.before[0], self.before[1]);
                let from = &image[(channel * rows + row) * columns..][..columns];
                copy(from, &mut to[start..start + columns]);
            }
        }
    }
}

/// Copies a row. Rows are short: calls of the C library's function would take longer than the copy.
#[inline(always)]
fn copy(from: &[f32], to: &mut [f32]) {
    const STEP: usize = 4;
    let columns = from.len();
    if columns < STEP {
        for (to, from) in to.iter_mut().zip(from) {
            *to = *from;
        }
        return;
    }
    // The last step overlaps the one before where the row is no multiple of a step.
    for first in (0..columns).step_by(STEP) {
        let first = first.min(columns - STEP);
        to[first..first + STEP].copy_from_slice(&from[first..first + STEP]);
    }
}
