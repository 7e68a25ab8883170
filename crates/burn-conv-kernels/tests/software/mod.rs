//! Vulkan's software device.

use burn::tensor::{Device, DeviceType};

/// An adapter that computes on the CPU: it has no physical device behind it.
pub(crate) fn software() -> Option<Device> {
    let found = Device::enumerate(DeviceType::Wgpu)
        .into_iter()
        .find(|device| {
            let identity = device.identity();
            identity.is_none_or(|identity| identity.physical.is_none())
        });
    if found.is_none() {
        let required = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!required, "no software adapter");
        eprintln!("left out: no software adapter (Debian: mesa-vulkan-drivers)");
    }
    found
}
