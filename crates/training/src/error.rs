//! What can go wrong in this crate.

use crate::checkpoint::Unusable;

/// An error of this crate. A run that diverges is no error but an [`Outcome`](crate::Outcome).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// K-FAC's damping has no default.
    #[error("optimizer.kfac.damping: is missing")]
    NoDamping,
    /// The noise scale is measured on batches that no example is in twice.
    #[error(
        "noise_scale: {batches} batches of {small} are more than the {examples} training examples"
    )]
    NoiseScale {
        /// Batches that are measured.
        batches: usize,
        /// Examples in each.
        small: usize,
        /// Examples in the training set.
        examples: usize,
    },
    /// A budget, adjusted to a small batch size, comes to nothing.
    #[error("budget: is less than one step at batch size {batch_size}")]
    NoStep {
        /// Examples a batch.
        batch_size: u64,
    },
    /// A full batch does not fit into the training set.
    #[error("batch_size: {batch_size} is more than the {examples} training examples")]
    BatchLargerThanData {
        /// Examples a batch.
        batch_size: usize,
        /// Examples in the training set.
        examples: usize,
    },
    /// A network cannot take images of this shape.
    #[error("{model} cannot take images of {channels}x{height}x{width}")]
    ImageShape {
        /// The network.
        model: &'static str,
        /// Channels of an image.
        channels: usize,
        /// Pixels.
        height: usize,
        /// Pixels.
        width: usize,
    },
    /// Weights to load lack a parameter of the network.
    #[error("weights: {name} is missing")]
    MissingWeight {
        /// The parameter, as PyTorch names it.
        name: String,
    },
    /// Weights to load are those of a network of another size.
    #[error("weights: {name} is {found:?}, not {wanted:?}")]
    WeightShape {
        /// The parameter.
        name: String,
        /// Its shape in what is loaded.
        found: Vec<usize>,
        /// Its shape in the network.
        wanted: Vec<usize>,
    },
    /// Weights to load have more than the network.
    #[error("weights: {given}{what} given, {used} used")]
    SurplusWeights {
        /// What there is more of: nothing for parameters, or a space and its name.
        what: &'static str,
        /// How many are in what is loaded.
        given: usize,
        /// How many the network has.
        used: usize,
    },
    /// Weights to load are no file that PyTorch would write.
    #[error("not a safetensors file of weights: {0}")]
    NotWeights(runs::weights::NotWeights),
    /// A run cannot go on from a checkpoint.
    #[error("not a checkpoint: {0}")]
    NotACheckpoint(Unusable),
    /// K-FAC does not fit the network.
    #[error("K-FAC: {0}")]
    Kfac(burn_kfac::Error),
    /// The memory of a GPU does not suffice.
    #[error(
        "the GPU has too little memory: the run takes about {:.2} GiB of it ({said}). A smaller batch size takes less, and \
         so do fewer runs at once on the GPU",
        *bytes as f64 / f64::from(1 << 30)
    )]
    DeviceMemory {
        /// What the run takes, by an estimate.
        bytes: u64,
        /// What the device said.
        said: String,
    },
    /// A device that is unknown, not built in, or not there.
    #[error("device: {request}: {problem}")]
    Device {
        /// The device asked for.
        request: String,
        /// Why there is none.
        problem: NoDevice,
    },
}

/// Why a device cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoDevice {
    /// The program was built without it.
    #[error("not built in; build with `--features {feature}`")]
    NotBuiltIn {
        /// The feature that has it.
        feature: &'static str,
    },
    /// The machine has no GPU that this kind of device works on.
    #[error("no GPU on this machine")]
    NoGpu,
    /// A program computes in the GPU's place, slower than `cpu` does.
    #[error("no GPU on this machine, only a software adapter; `wgpu-software` asks for that")]
    OnlySoftware,
    /// The GPU's kernels have exponentials and logarithms, which NVIDIA's compiler keeps in a file.
    #[error(
        "there is a GPU, but its kernels need NVIDIA's libdevice.10.bc: `pip install nvidia-cuda-nvcc-cu12`, and set \
         CUDA_PATH to the folder nvidia/cuda_nvcc that it installs, or to a CUDA toolkit"
    )]
    NoLibdevice,
    /// No program is installed that computes in a GPU's place.
    #[error("no software adapter on this machine (Mesa has one)")]
    NoSoftware,
    /// The name of the device is none of those that there are.
    #[error("no such device; there are auto, cpu, cuda, wgpu and wgpu-software")]
    Unknown,
}
