//! Memory that starts on a cache line, and memory that a thread keeps.
//!
//! The kernels copy an image or two into a form that suits them. Each thread reuses one buffer for
//! that: a fresh large allocation costs a page fault for every 4 KiB.

use std::cell::RefCell;

/// Values in a cache line.
const LINE: usize = 16;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

/// Values of type `f32` whose first one starts a cache line.
#[derive(Default)]
pub(crate) struct Aligned {
    lines: Vec<Line>,
}

impl Aligned {
    /// `len` zeros, rounded up to whole lines.
    pub(crate) fn zeros(len: usize) -> Self {
        Self {
            lines: vec![Line([0.0; LINE]); len.div_ceil(LINE)],
        }
    }

    /// The values.
    pub(crate) fn values(&self) -> &[f32] {
        // SAFETY: a line is 16 values, all initialised, without padding between lines.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.lines.len() * LINE) }
    }

    /// The values, to change.
    pub(crate) fn values_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above, and `self` is borrowed for as long.
        unsafe {
            std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.lines.len() * LINE)
        }
    }
}

thread_local! {
    static SCRATCH: RefCell<Aligned> = RefCell::default();
}

/// Calls `work` with `len` zeros that this thread keeps for the next call.
///
/// # Panics
///
/// If `work` calls this function again, as it could by waiting for other tasks of the pool.
pub(crate) fn with_scratch<T>(len: usize, work: impl FnOnce(&mut [f32]) -> T) -> T {
    SCRATCH.with_borrow_mut(|buffer| {
        let lines = len.div_ceil(LINE);
        if buffer.lines.len() < lines {
            buffer.lines.resize(lines, Line([0.0; LINE]));
        }
        let values = &mut buffer.values_mut()[..len];
        values.fill(0.0);
        work(values)
    })
}
