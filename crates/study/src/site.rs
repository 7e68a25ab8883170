//! The site file: where and how a study runs on this machine. Nothing in it is part of a result's key.
//!
//! Read with the study file's means: every mistake at once, each with its place. Finding the file, and what the
//! command line says against it, is the program's.

mod resources;
mod slurm;

use std::path::{Path, PathBuf};
use std::time::Duration;

use runs::number::Count;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::Error;

use crate::decode;
use crate::diagnostic::{Diagnostics, Draft, Mistake, Span};
use crate::schema::Scalar;
use crate::schema::shape::{Shape, by_shape};
use crate::size::Size;
use crate::sources::{self, Sources};
use crate::yaml;
pub use resources::{JobsPerGpu, Memory};
pub use slurm::Slurm;

/// Where and how studies run on this machine. Every key may be left out; options on the command line replace it.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct File {
    /// How many stages run at the same time (`--jobs`). Default: one for each core, or where a GPU trains
    /// one for each of `gpus`.
    jobs: Option<Count>,
    /// Threads of each stage (`--threads`). Default: 1.
    threads: Option<Count>,
    /// The device that trains (`--device`). Default: `auto`.
    device: Option<Device>,
    /// GPUs to use, one for each stage at a time, named as in `CUDA_VISIBLE_DEVICES` (`--gpus`). Default: where CUDA
    /// trains, those of that variable, else the first; elsewhere none, and every stage sees all GPUs.
    gpus: Vec<Gpu>,
    /// How many stages share each of `gpus` (`--jobs-per-gpu`): small networks leave most of a GPU idle. `auto`: as many
    /// as its memory holds of the study's largest run, with a core for each, at most 8. Default: 1.
    jobs_per_gpu: Option<JobsPerGpu>,
    /// How much memory all stages that run at once may take together (`--memory`), such as `24G`, or `unlimited`. One that
    /// takes more fails at once. Default: on the CPU, what is free when the run starts, less a reserve; where a GPU trains,
    /// `unlimited`.
    memory: Option<Memory>,
    /// The artifact cache.
    cache: Cache,
    /// Checkpoints of training runs that are kept in it, to go on from.
    checkpoints: CheckpointKeys,
    /// What `pipeline submit` asks of Slurm.
    slurm: slurm::Keys,
}

/// Which checkpoints of training runs are kept, when, and in how much space.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Checkpoints")]
struct CheckpointKeys {
    /// Which are kept (`--keep-checkpoints`): `none`; `running`, the newest one of each run while it runs; `last`, also its
    /// last one; `segments`, also those before drops of the learning rate. Default: `segments`.
    keep: Option<Keep>,
    /// Seconds between checkpoints, which a crash costs at most (`--checkpoint-every`). Default: 60.
    every: Option<Seconds>,
    /// No checkpoint is kept that saves less than this many seconds of training (`--checkpoint-worth`). Default: 5.
    worth: Option<Seconds>,
    /// Space for checkpoints in the cache, such as `50G` or `500M` (`--checkpoint-space`). Beyond it, those of finished
    /// runs are deleted, the oldest first. Default: `20G`.
    space: Option<Size>,
}

/// A length of time, in seconds.
#[derive(Clone, Copy)]
struct Seconds(Duration);

by_shape!(Seconds);

impl Shape<'_> for Seconds {
    const WANTED: &'static str = "a number of seconds, 0 or more";

    fn scalar<E: Error>(scalar: Scalar) -> Result<Self, E> {
        match scalar.number() {
            Some(seconds) if seconds.is_finite() && seconds >= 0.0 => {
                // More seconds than a duration holds are for ever.
                let time = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
                Ok(Self(time))
            }
            _ => Err(scalar.unfit(Self::WANTED)),
        }
    }
}

inline_schema!(Seconds, { "type": "number", "minimum": 0 });

/// Which checkpoints are kept.
#[derive(Clone, Copy, Deserialize)]
struct Keep(engine::Keep);

inline_schema!(Keep, { "enum": engine::Keep::ALL.map(engine::Keep::name) });

/// Where results are kept.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Cache {
    /// The folder, relative to that of the site file (`--cache`). Default: `cache` in the working folder.
    path: Option<PathBuf>,
    /// A store behind the cache that other machines use too (`--remote`): a folder, relative to that of the site file, or
    /// an object store, `s3://BUCKET/PREFIX`, `gs://` or `az://`. Results that it has are not computed again, and new
    /// results are copied to it.
    /// Default: none.
    remote: Option<PathBuf>,
}

/// What a training run computes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Device {
    /// The first of CUDA, wgpu and CPU that was built in and that the machine has.
    Auto,
    /// The CPU.
    Cpu,
    /// An NVIDIA GPU.
    Cuda,
    /// A GPU by Vulkan, Metal or DirectX.
    Wgpu,
    /// An adapter that computes on the CPU, such as Mesa's llvmpipe: to try what a GPU would do.
    WgpuSoftware,
}

impl Device {
    /// Every device.
    pub const ALL: [Self; 5] = [
        Self::Auto,
        Self::Cpu,
        Self::Cuda,
        Self::Wgpu,
        Self::WgpuSoftware,
    ];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Wgpu => "wgpu",
            Self::WgpuSoftware => "wgpu-software",
        }
    }
}

/// A GPU by its number or its UUID.
struct Gpu(String);

by_shape!(Gpu);

impl Shape<'_> for Gpu {
    const WANTED: &'static str = "a GPU's number or UUID";

    fn scalar<E: Error>(scalar: Scalar) -> Result<Self, E> {
        match scalar {
            Scalar::Integer(number) if number >= 0 => Ok(Self(number.to_string())),
            // Several in one text would be one stage's.
            Scalar::Word(text) if text.is_empty() || text.contains([',', ' ']) => {
                Err(E::custom(format!("expected one GPU, found `{text}`")))
            }
            Scalar::Word(text) => Ok(Self(text)),
            other => Err(other.unfit(Self::WANTED)),
        }
    }
}

inline_schema!(Gpu, { "anyOf": [{ "type": "string" }, { "type": "integer", "minimum": 0 }] });

/// What a site file says. What it leaves out is for the program to choose.
#[derive(Clone, Debug)]
pub struct Site {
    /// Its path, as it was given.
    pub path: PathBuf,
    /// Its text, for provenance.
    pub text: String,
    /// Stages run at once: at least 1.
    pub jobs: Option<usize>,
    /// Threads of each stage: at least 1.
    pub threads: Option<usize>,
    /// The device that trains.
    pub device: Option<Device>,
    /// GPUs given out to stages, as `CUDA_VISIBLE_DEVICES` names them.
    pub gpus: Vec<String>,
    /// Stages that share each of them.
    pub jobs_per_gpu: Option<JobsPerGpu>,
    /// Memory of all stages that run at once.
    pub memory: Option<Memory>,
    /// The folder of the cache, as the site file's own folder makes it.
    pub cache: Option<PathBuf>,
    /// The folder behind it, in the same way; an address as it stands.
    pub remote: Option<PathBuf>,
    /// Checkpoints that are kept.
    pub checkpoints: Checkpoints,
    /// What is asked of Slurm.
    pub slurm: Slurm,
}

/// What a site file says of checkpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checkpoints {
    /// Which.
    pub keep: Option<engine::Keep>,
    /// Training that a crash may cost.
    pub every: Option<Duration>,
    /// Training below which a checkpoint is not worth keeping.
    pub worth: Option<Duration>,
    /// Bytes that they may take in the cache.
    pub space: Option<u64>,
}

impl Site {
    /// Reads and checks a site file. One without a word is one too.
    ///
    /// # Errors
    ///
    /// Every mistake found, if there is one; that the file cannot be read is one.
    pub fn load(path: &Path) -> Result<Self, Diagnostics> {
        let name = path.display().to_string();
        let mut sources = Sources::default();
        let mut drafts = Vec::new();
        let text = match sources::read(path) {
            Ok(text) => text,
            Err(error) => {
                sources.add(&name, "", Path::new(""));
                drafts.push(Draft::error(
                    Mistake::CannotRead,
                    format!("cannot read {name}: {error}"),
                ));
                return Err(Diagnostics::new(&name, &sources, drafts));
            }
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        let start = sources.add(&name, &text, folder);
        let file = match yaml::parse(&text, start, &mut drafts) {
            Ok(None) => Some(File::default()),
            Ok(Some(root)) => {
                let top = Span { start, end: start };
                decode::decode::<File>(&root, "site file", top, &mut drafts)
            }
            Err(draft) => {
                drafts.push(draft);
                None
            }
        };
        let Some(file) = file.filter(|_| !drafts.iter().any(Draft::is_error)) else {
            return Err(Diagnostics::new(&name, &sources, drafts));
        };
        let seconds = |Seconds(time)| time;
        let count = |count: Count| usize::try_from(count.get()).unwrap_or(usize::MAX);
        Ok(Self {
            path: path.to_owned(),
            jobs: file.jobs.map(count),
            threads: file.threads.map(count),
            device: file.device,
            gpus: file.gpus.into_iter().map(|Gpu(id)| id).collect(),
            jobs_per_gpu: file.jobs_per_gpu,
            memory: file.memory,
            cache: file.cache.path.map(|path| folder.join(path)),
            remote: file.cache.remote.map(|path| {
                let is_address = path.to_str().is_some_and(|text| text.contains("://"));
                if is_address { path } else { folder.join(path) }
            }),
            checkpoints: Checkpoints {
                keep: file.checkpoints.keep.map(|Keep(which)| which),
                every: file.checkpoints.every.map(seconds),
                worth: file.checkpoints.worth.map(seconds),
                space: file.checkpoints.space.map(Size::bytes),
            },
            slurm: file.slurm.into(),
            text,
        })
    }
}
