//! What goes from the host to the device and back, each in one piece, and counted.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use burn::tensor::{DType, Element, TensorData};
use burn_cubecl::CubeDevice;
use burn_cubecl::cubecl::client::Client;
use burn_cubecl::cubecl::future::{DynFut, block_on};
use burn_cubecl::cubecl::server::ServerError;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;

use crate::Traffic;

/// A device, and what has gone to it and come from it.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) client: Client,
    pub(super) device: CubeDevice,
    counted: Arc<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    reads: AtomicU64,
    bytes_read: AtomicU64,
    uploads: AtomicU64,
    bytes_uploaded: AtomicU64,
}

/// Tensors on their way to the host, as they were when the reading was begun.
pub(super) enum Reading<const N: usize> {
    UnderWay(DynFut<Result<[TensorData; N], ServerError>>),
    There(Result<[TensorData; N], ServerError>),
}

impl Link {
    /// To where a tensor lies.
    pub(super) fn to(tensor: &CubeTensor) -> Self {
        Self {
            client: tensor.client.clone(),
            device: tensor.device.clone(),
            counted: Arc::default(),
        }
    }

    pub(super) fn traffic(&self) -> Traffic {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Traffic {
            reads: of(&self.counted.reads),
            bytes_read: of(&self.counted.bytes_read),
            uploads: of(&self.counted.uploads),
            bytes_uploaded: of(&self.counted.bytes_uploaded),
        }
    }

    /// `count` numbers of which nothing is known yet.
    pub(super) fn empty(&self, count: usize) -> CubeTensor {
        let (client, device) = (self.client.clone(), self.device.clone());
        empty_device_contiguous_dtype(client, device, [count].into(), DType::F32)
    }

    pub(super) fn upload<E: Element>(&self, values: Vec<E>) -> CubeTensor {
        let count = values.len();
        let (bytes, shape, dtype) = TensorData::new(values, [count]).into_parts();
        self.counted.uploads.fetch_add(1, Ordering::Relaxed);
        (self.counted.bytes_uploaded).fetch_add(bytes.len() as u64, Ordering::Relaxed);
        #[cfg(feature = "kernels")]
        burn_conv_kernels::transfer::sent(bytes.len() as u64);
        let handle = self.client.create(bytes);
        let (client, device) = (self.client.clone(), self.device.clone());
        CubeTensor::new_contiguous(client, device, shape, handle, dtype)
    }

    /// Begins to read tensors of one dimension, together.
    pub(super) fn read<const N: usize>(&self, tensors: &[&CubeTensor; N]) -> Reading<N> {
        let counts = tensors.map(|tensor| tensor.meta.num_elements());
        let dtypes = tensors.map(|tensor| tensor.dtype);
        let handles = tensors.map(|tensor| tensor.handle.clone()).to_vec();
        self.counted.reads.fetch_add(1, Ordering::Relaxed);
        let bytes: usize = counts
            .iter()
            .zip(dtypes)
            .map(|(count, dtype)| count * dtype.size())
            .sum();
        self.counted
            .bytes_read
            .fetch_add(bytes as u64, Ordering::Relaxed);
        #[cfg(feature = "kernels")]
        burn_conv_kernels::transfer::read(bytes as u64);
        let client = self.client.clone();
        let mut reading: DynFut<_> = Box::pin(async move {
            let mut bytes = client.read_async(handles).await?.into_iter();
            Ok(std::array::from_fn(|at| {
                let bytes = bytes.next().expect("as many as were asked for");
                TensorData::from_bytes(bytes, [counts[at]], dtypes[at])
            }))
        });
        // What a future does not do before it is asked: putting the copies in line behind what was launched so far.
        match (reading.as_mut()).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(data) => Reading::There(data),
            Poll::Pending => Reading::UnderWay(reading),
        }
    }
}

impl<const N: usize> Reading<N> {
    /// Waits for them.
    ///
    /// # Panics
    ///
    /// If the device is lost.
    pub(super) fn wait(self) -> [TensorData; N] {
        let data = match self {
            Self::UnderWay(reading) => block_on(reading),
            Self::There(data) => data,
        };
        data.expect("the device answers")
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (f.debug_struct("Link").field("device", &self.device)).finish_non_exhaustive()
    }
}
