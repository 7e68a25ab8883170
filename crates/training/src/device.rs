//! Which device to train on.

#[cfg(feature = "gpu")]
mod gpu;
#[cfg(feature = "gpu")]
mod launches;
pub mod trial;

use std::env;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
#[cfg(feature = "gpu")]
use burn::tensor::DeviceType;

use crate::{Error, NoDevice};
#[cfg(feature = "gpu")]
pub(crate) use gpu::{gives_memory_back, on_its_thread};
#[cfg(feature = "gpu")]
pub use launches::{Launches, launches};

/// Opens the device that a site asks for: `cpu`, `cuda`, `wgpu`, `wgpu-software`, or `auto`, the first of CUDA, wgpu
/// and CPU that was built in and that the machine has. Returns the device with its name for the record: that of a CPU
/// has its vector instructions, `cpu (AVX-512)`, as results of different ones differ in their last bits.
///
/// `wgpu-software` is an adapter that computes on the CPU, such as Mesa's llvmpipe: slow, and good for trying what a
/// GPU would do. Neither `auto` nor `wgpu` ever takes one for a GPU.
///
/// The CPU device works in the calling thread's rayon pool: that is where its number of threads is set, and
/// [`train_on_this_thread`] makes the caller one of them.
///
/// # Errors
///
/// [`Error::Device`] for a name that is none of these, for a device that was not built in (the message
/// names the feature that builds it), and for one that the machine lacks.
pub fn open(request: &str) -> Result<(Device, String), Error> {
    let cpu = || {
        let name = format!("cpu ({})", burn_conv_kernels::level());
        (Device::flex(), name)
    };
    let named = |device: Option<Device>, name: &str| device.map(|device| (device, name.to_owned()));
    let absent = |problem| Error::Device {
        request: request.to_owned(),
        problem,
    };
    if let Some(feature) = missing_feature(request) {
        return Err(absent(NoDevice::NotBuiltIn { feature }));
    }
    #[cfg(feature = "gpu")]
    gpu::keeps_memory_by_size();
    let asks_for_cuda = matches!(request, "auto" | "cuda");
    if asks_for_cuda && cuda().is_some() && !has_libdevice(cuda_toolkit().as_deref()) {
        return Err(absent(NoDevice::NoLibdevice));
    }
    match request {
        "cpu" => Ok(cpu()),
        "auto" => Ok(named(cuda(), "cuda")
            .or_else(|| named(wgpu(Adapter::Card), "wgpu"))
            .unwrap_or_else(cpu)),
        "cuda" => named(cuda(), request).ok_or_else(|| absent(NoDevice::NoGpu)),
        "wgpu" => {
            named(wgpu(Adapter::Card), request).ok_or_else(|| match wgpu(Adapter::Software) {
                Some(_) => absent(NoDevice::OnlySoftware),
                None => absent(NoDevice::NoGpu),
            })
        }
        "wgpu-software" => {
            named(wgpu(Adapter::Software), request).ok_or_else(|| absent(NoDevice::NoSoftware))
        }
        _ => Err(absent(NoDevice::Unknown)),
    }
}

/// Makes the calling thread the first of the threads that the CPU device computes on, `RAYON_NUM_THREADS` in all.
/// Otherwise it would sleep while others compute, and with a single thread each divided operation is handed over to
/// that and back. For a program to call once, before anything else computes; results do not depend on it.
///
/// # Panics
///
/// If the process computes on other threads already.
pub fn train_on_this_thread() {
    rayon::ThreadPoolBuilder::new()
        .use_current_thread()
        .build_global()
        .expect("nothing has computed yet");
}

/// Does something on the thread that drives a device: for a CPU, which is all there is, on this one.
#[cfg(not(feature = "gpu"))]
pub(crate) fn on_its_thread<R>(
    _device: &Device,
    _takes: impl FnOnce() -> u64,
    work: impl FnOnce() -> Result<R, Error>,
) -> Result<R, Error> {
    work()
}

/// A CPU keeps none.
#[cfg(not(feature = "gpu"))]
pub(crate) fn gives_memory_back(_device: &Device) {}

/// The part behind a GPU device as it names itself, and what kernels are compiled for.
#[cfg(feature = "gpu")]
pub fn part(device: &Device) -> Option<String> {
    let identity = device.identity()?;
    Some(format!("{}, {}", identity.name, identity.fingerprint))
}

/// The part behind a GPU device: this program has none.
#[cfg(not(feature = "gpu"))]
pub fn part(_device: &Device) -> Option<String> {
    None
}

/// The feature that would build a device in, if it is not.
pub fn missing_feature(request: &str) -> Option<&'static str> {
    match request {
        "cuda" if cfg!(not(feature = "cuda")) => Some("cuda"),
        "wgpu" | "wgpu-software" if cfg!(not(feature = "wgpu")) => Some("wgpu"),
        _ => None,
    }
}

/// What a run on `request` leaves unused because of how this program was built: one line, or nothing.
pub fn unused_gpu(request: &str) -> Option<String> {
    let blind = cfg!(not(feature = "gpu"));
    let feature = (blind && request == "auto").then(|| gpu_of(Path::new("/")))??;
    Some(format!(
        "this machine has a GPU and this program was built for the CPU: \
         `cargo build --release --features {feature}` builds one that uses it"
    ))
}

/// Whether this machine has a GPU, by its device files.
pub fn has_gpu() -> bool {
    gpu_of(Path::new("/")).is_some()
}

/// The feature for the GPU that a system has by its device files; on macOS there always is one.
fn gpu_of(root: &Path) -> Option<&'static str> {
    let has = |path: &str| root.join(path).exists();
    if has("proc/driver/nvidia/gpus") || has("dev/nvidia0") || has("dev/dxg") {
        Some("cuda")
    } else if has("dev/dri/renderD128") || cfg!(target_os = "macos") {
        Some("wgpu")
    } else {
        None
    }
}

/// Where `CubeCL`'s compiler looks for a CUDA toolkit.
fn cuda_toolkit() -> Option<PathBuf> {
    let usual = ["/usr/local/cuda", "/opt/cuda", "/usr/lib/cuda", "/usr"];
    match env::var_os("CUDA_PATH") {
        Some(path) => Some(path.into()),
        None => usual
            .map(PathBuf::from)
            .into_iter()
            .find(|root| has_libdevice(Some(root))),
    }
}

/// Whether a toolkit has what exponentials and logarithms of kernels are linked with.
fn has_libdevice(toolkit: Option<&Path>) -> bool {
    toolkit.is_some_and(|root| root.join("nvvm/libdevice/libdevice.10.bc").is_file())
}

/// What computes behind wgpu.
#[derive(Clone, Copy)]
enum Adapter {
    Card,
    Software,
}

#[cfg(feature = "cuda")]
fn cuda() -> Option<Device> {
    Device::enumerate(DeviceType::Cuda).into_iter().next()
}

#[cfg(not(feature = "cuda"))]
fn cuda() -> Option<Device> {
    None
}

/// The first adapter of this sort.
#[cfg(feature = "wgpu")]
fn wgpu(adapter: Adapter) -> Option<Device> {
    // A software adapter has no physical device behind it.
    let is_card = |device: &Device| {
        let identity = device.identity();
        identity.is_some_and(|identity| identity.physical.is_some())
    };
    Device::enumerate(DeviceType::Wgpu)
        .into_iter()
        .find(|device| is_card(device) == matches!(adapter, Adapter::Card))
}

#[cfg(not(feature = "wgpu"))]
fn wgpu(adapter: Adapter) -> Option<Device> {
    match adapter {
        Adapter::Card | Adapter::Software => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_toolkit_without_libdevice_is_none() {
        let root = env::temp_dir().join(format!("pipeline-toolkit-{}", std::process::id()));
        let folder = root.join("nvvm/libdevice");
        fs::create_dir_all(&folder).unwrap();
        assert!(!has_libdevice(None) && !has_libdevice(Some(&root)));
        fs::write(folder.join("libdevice.10.bc"), "BC").unwrap();
        assert!(has_libdevice(Some(&root)));
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn the_cpu_is_always_there() {
        let (_, name) = open("cpu").unwrap();
        assert_eq!(name, format!("cpu ({})", burn_conv_kernels::level()));
    }

    #[cfg(not(feature = "gpu"))]
    #[test]
    fn a_device_that_was_not_built_in_names_its_feature() {
        assert!(open("auto").unwrap().1.starts_with("cpu ("));
        for (device, feature) in [
            ("cuda", "cuda"),
            ("wgpu", "wgpu"),
            ("wgpu-software", "wgpu"),
        ] {
            let message = open(device).unwrap_err().to_string();
            assert!(
                message.contains(&format!("`--features {feature}`")),
                "{message}"
            );
        }
        assert!(
            open("tpu")
                .unwrap_err()
                .to_string()
                .contains("tpu: no such")
        );
    }

    #[test]
    fn a_gpu_is_seen_by_its_device_file() {
        let root = env::temp_dir().join(format!("pipeline-device-{}", std::process::id()));
        let dri = root.join("dev/dri");
        fs::create_dir_all(&dri).unwrap();
        if !cfg!(target_os = "macos") {
            assert_eq!(gpu_of(&root), None);
        }
        fs::write(dri.join("renderD128"), "").unwrap();
        assert_eq!(gpu_of(&root), Some("wgpu"));
        fs::write(root.join("dev/nvidia0"), "").unwrap();
        assert_eq!(gpu_of(&root), Some("cuda"));
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(unused_gpu("cpu"), None);
    }
}
