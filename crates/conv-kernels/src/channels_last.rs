//! Images turned to channels last, in blocks of a vector, with a border of zeros.

use crate::lanes::Lanes;

/// How an image `[channels, rows, columns]` is laid out as `[blocks, rows, columns, pitch]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChannelsLast {
    pub(crate) channels: usize,
    /// Rows and columns of the image.
    pub(crate) size: [usize; 2],
    /// Rows and columns with the border.
    pub(crate) bordered: [usize; 2],
    /// Channels of a block.
    pub(crate) pitch: usize,
    /// Blocks of channels.
    pub(crate) blocks: usize,
    /// For each pixel of the image: where its first channel lies in a block.
    places: Vec<usize>,
}

impl ChannelsLast {
    /// Blocks of `pitch` channels, the last filled up with zeros.
    pub(crate) fn new(
        channels: usize,
        size: [usize; 2],
        before: [usize; 2],
        bordered: [usize; 2],
        pitch: usize,
    ) -> Self {
        let pixels = (0..size[0]).flat_map(|row| (0..size[1]).map(move |column| (row, column)));
        let places = pixels
            .map(|(row, column)| ((row + before[0]) * bordered[1] + column + before[1]) * pitch);
        Self {
            channels,
            size,
            bordered,
            pitch,
            blocks: channels.div_ceil(pitch),
            places: places.collect(),
        }
    }

    /// Values of a block with its border.
    pub(crate) fn block_len(&self) -> usize {
        self.bordered[0] * self.bordered[1] * self.pitch
    }

    /// Values of an image with its border.
    pub(crate) fn len(&self) -> usize {
        self.blocks * self.block_len()
    }

    /// Copies an image into its place; the border is left as it is.
    #[inline(always)]
    pub(crate) fn fill<const N: usize, L: Lanes<N>>(
        &self,
        lanes: L,
        image: &[f32],
        to: &mut [f32],
    ) {
        let area = self.places.len();
        assert!(image.len() == self.channels * area && to.len() >= self.len());
        for block in 0..self.blocks {
            let first = block * self.pitch;
            let channels = self.pitch.min(self.channels - first);
            let image = &image[first * area..][..channels * area];
            let to = &mut to[block * self.block_len()..][..self.block_len()];
            if self.pitch == N && area >= N {
                self.turn(lanes, image, to);
            } else {
                for (channel, values) in image.chunks_exact(area).enumerate() {
                    for (place, value) in self.places.iter().zip(values) {
                        to[place + channel] = *value;
                    }
                }
            }
        }
    }

    /// Copies a block of up to N channels, squares of N channels times N pixels in registers.
    #[inline(always)]
    fn turn<const N: usize, L: Lanes<N>>(&self, lanes: L, image: &[f32], to: &mut [f32]) {
        let area = self.places.len();
        let channels = image.len() / area;
        for pixel in (0..area).step_by(N) {
            // The last square overlaps the one before where the area is no multiple of N.
            let pixel = pixel.min(area - N);
            let mut tile = [lanes.splat(0.0); N];
            for (channel, v) in tile.iter_mut().enumerate() {
                if channel < channels {
                    // SAFETY: the image has the channel, and it N pixels from this one on.
                    *v = unsafe { lanes.load(image.as_ptr().add(channel * area + pixel)) };
                }
            }
            lanes.transpose(&mut tile);
            for (place, v) in self.places[pixel..pixel + N].iter().zip(tile) {
                let to = &mut to[*place..place + N];
                // SAFETY: there are N values.
                unsafe { lanes.store(to.as_mut_ptr(), v) };
            }
        }
    }
}
