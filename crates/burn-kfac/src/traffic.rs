//! What goes between the host and a device.

/// Reads and uploads of a [`Kfac`](crate::Kfac) whose tensors are on a device: each read is a wait of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Times that the host waited for numbers.
    pub reads: u64,
    /// Of these numbers.
    pub bytes_read: u64,
    /// Times that numbers were sent.
    pub uploads: u64,
    /// Of these.
    pub bytes_uploaded: u64,
}
