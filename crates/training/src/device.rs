//! Which device to train on.

use burn::tensor::Device;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
use burn::tensor::DeviceType;

use crate::Error;

/// Opens the device that a site asks for: `cpu`, `cuda`, `wgpu`, or `auto`, the first of CUDA, wgpu and
/// CPU that was built in and that the machine has. `auto` never takes a software adapter for a GPU.
/// Returns the device with its name for the record.
///
/// The CPU device works in the calling thread's rayon pool: that is where its number of threads is set.
///
/// # Errors
///
/// [`Error::Device`] for a name that is none of these, for a device that was not built in (the message
/// names the feature that builds it), and for one that the machine lacks.
pub fn open(request: &str) -> Result<(Device, String), Error> {
    let cpu = || (Device::flex(), "cpu".to_owned());
    let named = |name: &str, device: Option<Device>| device.map(|device| (device, name.to_owned()));
    match request {
        "cpu" => Ok(cpu()),
        "auto" => Ok(named("cuda", cuda())
            .or_else(|| named("wgpu", wgpu()))
            .unwrap_or_else(cpu)),
        "cuda" if cfg!(feature = "cuda") => named("cuda", cuda()).ok_or_else(|| absent(request)),
        "wgpu" if cfg!(feature = "wgpu") => named("wgpu", wgpu()).ok_or_else(|| absent(request)),
        "cuda" | "wgpu" => Err(Error::Device(format!(
            "{request} was not built in; build with `--features {request}`"
        ))),
        other => Err(Error::Device(format!(
            "`{other}` is none of auto, cpu, cuda and wgpu"
        ))),
    }
}

fn absent(name: &str) -> Error {
    Error::Device(format!("{name} finds no GPU on this machine"))
}

#[cfg(feature = "cuda")]
fn cuda() -> Option<Device> {
    Device::enumerate(DeviceType::Cuda).into_iter().next()
}

#[cfg(not(feature = "cuda"))]
fn cuda() -> Option<Device> {
    None
}

/// The first adapter that is a card; software adapters have no physical device behind them.
#[cfg(feature = "wgpu")]
fn wgpu() -> Option<Device> {
    let is_card = |device: &Device| {
        device
            .identity()
            .is_some_and(|identity| identity.physical.is_some())
    };
    Device::enumerate(DeviceType::Wgpu)
        .into_iter()
        .find(is_card)
}

#[cfg(not(feature = "wgpu"))]
fn wgpu() -> Option<Device> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_is_always_there() {
        assert_eq!(open("cpu").unwrap().1, "cpu");
    }

    #[cfg(not(any(feature = "cuda", feature = "wgpu")))]
    #[test]
    fn a_device_that_was_not_built_in_names_its_feature() {
        assert_eq!(open("auto").unwrap().1, "cpu");
        let message = open("cuda").unwrap_err().to_string();
        assert!(message.contains("--features cuda"), "{message}");
        assert!(open("tpu").unwrap_err().to_string().contains("`tpu`"));
    }
}
