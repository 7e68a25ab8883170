//! Which program this is, as a bug report must say it. Nothing of it is part of a key.

use std::sync::LazyLock;

use study::Device;

/// The version alone.
pub(crate) const SHORT: &str = env!("CARGO_PKG_VERSION");

/// The commit that it was built from; none where the sources were in no repository.
pub(crate) const COMMIT: Option<&str> = option_env!("PIPELINE_COMMIT");

/// The version, the commit, the devices and the kernels, a line each.
pub(crate) fn long() -> &'static str {
    static LONG: LazyLock<String> = LazyLock::new(|| {
        format!(
            "{SHORT}\ncommit: {}\ndevices: {}\nCPU kernels: {}",
            commit(),
            devices(),
            burn_conv_kernels::level()
        )
    });
    &LONG
}

pub(crate) fn commit() -> &'static str {
    COMMIT.unwrap_or("unknown (built outside its git repository)")
}

/// `cpu, cuda`: the devices that were built in.
pub(crate) fn devices() -> String {
    let built_in = [Device::Cpu, Device::Cuda, Device::Wgpu]
        .map(Device::name)
        .into_iter()
        .filter(|name| training::device::missing_feature(name).is_none());
    built_in.collect::<Vec<_>>().join(", ")
}
