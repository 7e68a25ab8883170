//! Images turned to `[rows, columns, channels]`, with a border of zeros.

use crate::lanes::Lanes;

/// How an image `[channels, rows, columns]` is laid out with its channels last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChannelsLast {
    pub(crate) channels: usize,
    /// Rows and columns of the image.
    pub(crate) size: [usize; 2],
    /// Zeros before the first row and column.
    pub(crate) before: [usize; 2],
    /// Rows and columns with the border.
    pub(crate) bordered: [usize; 2],
    /// Values from one pixel to the next: the channels or more.
    pub(crate) pitch: usize,
}

impl ChannelsLast {
    /// Values of an image with its border.
    pub(crate) fn len(&self) -> usize {
        self.bordered[0] * self.bordered[1] * self.pitch
    }

    /// Copies an image into its place; the border is left as it is.
    #[inline(always)]
    pub(crate) fn fill<const N: usize, L: Lanes<N>>(
        &self,
        lanes: L,
        image: &[f32],
        to: &mut [f32],
    ) {
        let columns = self.size[1];
        let area = self.size[0] * columns;
        assert!(image.len() == self.channels * area && to.len() >= self.len());
        let place = |pixel: usize| {
            let (row, column) = (pixel / columns, pixel % columns);
            ((row + self.before[0]) * self.bordered[1] + column + self.before[1]) * self.pitch
        };
        // Squares of N channels times N pixels are turned around in registers.
        let (channels, pixels) = (self.channels / N * N, area / N * N);
        let mut places = [0; N];
        for first in (0..pixels).step_by(N) {
            for (i, at) in places.iter_mut().enumerate() {
                *at = place(first + i);
            }
            for channel in (0..channels).step_by(N) {
                // SAFETY: the N channels and pixels are in the image (asserted above), and so are
                // the N channels of each pixel in `to`, which has room for every pixel.
                unsafe {
                    let from = image.as_ptr().add(channel * area + first);
                    let mut tile: [L::V; N] =
                        std::array::from_fn(|i| lanes.load(from.add(i * area)));
                    lanes.transpose(&mut tile);
                    for (at, v) in places.iter().zip(tile) {
                        lanes.store(to.as_mut_ptr().add(at + channel), v);
                    }
                }
            }
        }
        for channel in 0..self.channels {
            let done = if channel < channels { pixels } else { 0 };
            let values = &image[channel * area..][..area];
            for (pixel, value) in values.iter().enumerate().skip(done) {
                to[place(pixel) + channel] = *value;
            }
        }
    }
}
