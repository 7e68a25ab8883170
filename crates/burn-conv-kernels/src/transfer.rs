//! What goes between the host and a device: one place for it, so that it can be counted.
//!
//! On a GPU a read is what the host waits for: all that was launched before has to be computed first. On the CPU nothing
//! moves, and what is counted means nothing.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::tensor::kind::Basic;
use burn::tensor::{Tensor, TensorCreationOptions, TensorData, Transaction};

static WAITS: AtomicU64 = AtomicU64::new(0);
static UP: AtomicU64 = AtomicU64::new(0);
static DOWN: AtomicU64 = AtomicU64::new(0);

/// What went through [`up`], [`down`] and [`Reading`], or was told by [`sent`] and [`read`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Transfers {
    /// Reads, of one tensor or of several at once.
    pub waits: u64,
    /// Bytes of tensors to the device; what a launch says of its arguments is not among them.
    pub up: u64,
    /// Bytes of tensors to the host.
    pub down: u64,
}

/// Counts what the whole process transfers while `work` runs.
pub fn transfers<T>(work: impl FnOnce() -> T) -> (T, Transfers) {
    let now = || [&WAITS, &UP, &DOWN].map(|count| count.load(Ordering::Relaxed));
    let before = now();
    let result = work();
    let [waits, up, down] = std::array::from_fn(|at| now()[at] - before[at]);
    (result, Transfers { waits, up, down })
}

/// A tensor of host values, on a device and of a type; the type by default is the device's.
pub fn up<const D: usize, K: Basic>(
    data: impl Into<TensorData>,
    to: impl Into<TensorCreationOptions>,
) -> Tensor<D, K> {
    let data = data.into();
    UP.fetch_add(bytes(&data), Ordering::Relaxed);
    Tensor::from_data(data, to)
}

/// The values of a tensor, row by row.
pub fn down<const D: usize, K: Basic>(tensor: Tensor<D, K>) -> TensorData {
    let data = tensor.into_data();
    WAITS.fetch_add(1, Ordering::Relaxed);
    DOWN.fetch_add(bytes(&data), Ordering::Relaxed);
    data
}

/// Several tensors that are read with one wait.
#[derive(Default)]
pub struct Reading {
    transaction: Transaction,
    tensors: usize,
}

impl Reading {
    /// One more.
    pub fn add<const D: usize>(&mut self, tensor: Tensor<D>) {
        self.transaction = mem::take(&mut self.transaction).register(tensor);
        self.tensors += 1;
    }

    /// Their values, row by row, in the order in which they were added. Without any nothing waits.
    ///
    /// # Panics
    ///
    /// If the device fails.
    pub fn read(self) -> Vec<TensorData> {
        if self.tensors == 0 {
            return Vec::new();
        }
        let all = self.transaction.execute();
        WAITS.fetch_add(1, Ordering::Relaxed);
        DOWN.fetch_add(all.iter().map(bytes).sum(), Ordering::Relaxed);
        all
    }
}

/// Counts bytes that a crate has sent to a device by its own means.
pub fn sent(bytes: u64) {
    UP.fetch_add(bytes, Ordering::Relaxed);
}

/// Counts a reading of so many bytes by a crate's own means.
pub fn read(bytes: u64) {
    WAITS.fetch_add(1, Ordering::Relaxed);
    DOWN.fetch_add(bytes, Ordering::Relaxed);
}

fn bytes(data: &TensorData) -> u64 {
    (data.num_elements() * data.dtype().size()) as u64
}
