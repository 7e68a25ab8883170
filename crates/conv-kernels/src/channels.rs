//! Work on images channel by channel, several channels on one thread.

use std::marker::PhantomData;
use std::ops::Range;

use rayon::prelude::*;

use crate::threads::divide_values;

/// Values that neighbouring channels of one image should have together: a page of memory.
const TOGETHER: usize = 1024;

/// Images that are worked on channel by channel: `[batch, channels, area]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Channels {
    /// Images.
    pub batch: usize,
    /// Channels.
    pub channels: usize,
    /// Pixels of an image.
    pub area: usize,
}

impl Channels {
    /// Values.
    pub fn len(&self) -> usize {
        self.batch * self.channels * self.area
    }

    /// Whether there are no values, and so no statistics.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The planes of some channels: the channel's place in the range, and where its values start.
    /// Image by image, as they lie in memory.
    #[inline(always)]
    pub(crate) fn planes(
        self,
        range: &Range<usize>,
    ) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (first, width) = (range.start, range.len());
        (0..self.batch).flat_map(move |image| {
            (0..width).map(move |i| (i, (image * self.channels + first + i) * self.area))
        })
    }
}

/// Calls `each` with ranges that make up all channels. How many there are changes no result.
pub(crate) fn for_each_range(channels: Channels, each: impl Fn(Range<usize>) + Send + Sync) {
    let count = channels.channels;
    let threads = if divide_values(channels.len()) {
        rayon::current_num_threads()
    } else {
        1
    };
    let together = (TOGETHER / channels.area.max(1)).clamp(1, count.div_ceil(threads).max(1));
    let range = |i: usize| i * together..count.min((i + 1) * together);
    let ranges = 0..count.div_ceil(together);
    if threads == 1 {
        ranges.map(range).for_each(each);
    } else {
        ranges.into_par_iter().map(range).for_each(each);
    }
}

/// Values that several threads write to, each in channels of its own.
#[derive(Clone, Copy)]
pub(crate) struct Columns<'a> {
    start: *mut f32,
    len: usize,
    borrowed: PhantomData<&'a mut [f32]>,
}

// SAFETY: it stands for an exclusive borrow, and `part` asks that no two parts overlap.
unsafe impl Send for Columns<'_> {}
// SAFETY: as above.
unsafe impl Sync for Columns<'_> {}

impl<'a> Columns<'a> {
    pub(crate) fn new(values: &'a mut [f32]) -> Self {
        Self {
            start: values.as_mut_ptr(),
            len: values.len(),
            borrowed: PhantomData,
        }
    }

    /// # Safety
    ///
    /// No two parts that live at the same time overlap.
    #[inline(always)]
    #[expect(clippy::mut_from_ref)] // the caller vouches for it
    pub(crate) unsafe fn part(&self, start: usize, len: usize) -> &mut [f32] {
        assert!(start + len <= self.len, "a part inside the values");
        // SAFETY: inside the borrowed values; the caller vouches for the rest.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), len) }
    }
}
