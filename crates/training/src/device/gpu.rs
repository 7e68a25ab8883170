//! How `CubeCL` is used: the thread that launches, and memory.
//!
//! Each device has a thread of its own that launches on it. What other threads want launched they hand over to it, in
//! batches, and spin while it is behind: two processors are busy for one, and where they have to share one, each waits for
//! the other. What runs on that thread itself launches at once.
//!
//! A training step asks for the same sizes each time, so memory that is free is kept by its size: the search for a place
//! among all that is in use was a third of a step's work.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use burn::backend::DispatchDevice;
use burn::tensor::Device;
use burn_cubecl::CubeDevice;
use burn_cubecl::cubecl::config::memory::PersistentMemory;
use burn_cubecl::cubecl::config::{CubeClRuntimeConfig, RuntimeConfig as _};

use crate::Error;

/// Does something on the thread that launches on a GPU; for a CPU on this one. A panic goes on here.
///
/// # Errors
///
/// Those of the work, and [`Error::DeviceMemory`] with what it takes if that was more than the GPU has; what was computed
/// there is of no use then.
pub(crate) fn on_its_thread<R: Send + 'static>(
    device: &Device,
    takes: impl FnOnce() -> u64,
    work: impl FnOnce() -> Result<R, Error> + Send,
) -> Result<R, Error> {
    let Some(gpu) = gpu(device) else {
        return work();
    };
    let there = || {
        computes_beside_others();
        catch_unwind(AssertUnwindSafe(work))
    };
    match gpu.client().exclusive(there) {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => Err(Error::DeviceMemory {
            said: no_memory(&*panic).unwrap_or_else(|| resume_unwind(panic)),
            bytes: takes(),
        }),
        Err(error) => panic!("the device's thread is gone: {error}"),
    }
}

/// What a GPU said whose memory did not suffice, if it is that which a panic is about. `CubeCL` goes on without the memory,
/// and whoever reads something that was computed from it is told, by burn with a panic.
fn no_memory(panic: &(dyn Any + Send)) -> Option<String> {
    const SAID: [&str; 2] = [
        "out of device memory allocating",
        "can't allocate buffer of size",
    ];
    let text = panic.downcast_ref::<String>()?;
    let line = text
        .lines()
        .find(|line| SAID.iter().any(|said| line.contains(said)));
    line.map(|line| line.trim().to_owned())
}

/// Makes this thread the first of a pool, once: K-FAC's inverses are computed there. The process's own pool may have no
/// other thread than the one that waits for this.
fn computes_beside_others() {
    if rayon::current_thread_index().is_none() {
        let pool = rayon::ThreadPoolBuilder::new().use_current_thread().build();
        // Once it is dropped its threads end.
        mem::forget(pool.expect("a system with threads"));
    }
}

/// Has memory of GPUs kept by size, unless a `cubecl.toml` says how it is to be kept. Before any is opened.
pub(super) fn keeps_memory_by_size() {
    let mut config = CubeClRuntimeConfig::from_current_dir().override_from_env();
    let memory = &mut config.memory.persistent_memory;
    if matches!(memory, PersistentMemory::Enabled) {
        *memory = PersistentMemory::Enforced;
    }
    // Once in a process.
    let _ = CubeClRuntimeConfig::try_set(config);
}

/// Gives memory back that an earlier run has left: another one asks for other sizes.
pub(crate) fn gives_memory_back(device: &Device) {
    if let Some(gpu) = gpu(device) {
        let given = gpu.client().memory_cleanup();
        given.expect("nothing is recorded");
    }
}

fn gpu(device: &Device) -> Option<CubeDevice> {
    match device.clone().without_autodiff().as_dispatch() {
        DispatchDevice::Cube(gpu) => Some(gpu.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use burn_cubecl::cubecl::server::IoError;

    use super::*;

    #[test]
    fn a_panic_that_is_about_memory_is_told_from_others() {
        let size = 8 << 20;
        let about_memory = [
            IoError::OutOfMemory {
                size,
                backtrace: Default::default(),
            },
            IoError::BufferTooBig {
                size,
                backtrace: Default::default(),
            },
        ];
        for error in about_memory {
            let text = format!("reading data: several failures\nCaused by:\n  {error}");
            let said = no_memory(&text).expect("it is about memory");
            assert!(said.contains("8388608"), "{said}");
            assert_eq!(said.lines().count(), 1);
        }
        let other = IoError::UnsupportedStrides {
            backtrace: Default::default(),
        };
        assert!(no_memory(&other.to_string()).is_none());
        assert!(no_memory(&"a panic of another kind").is_none());
    }
}
