//! Where and how a command runs: what the command line says, else the site file, else what fits this machine.

use std::env;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use clouds::Address;
use engine::{CheckpointPolicy, Keep, MemoryLimits, Remote, Sharing, Store, size};
use study::{Device, JobsPerGpu, Memory, Size};

use crate::cli::{self, Cli};
use crate::machine::{self, Machine};
use crate::{Failure, Usage};

/// The site file's name where no other is given.
const FILE: &str = "site.yaml";
/// The folder of the cache where no other is given.
const CACHE: &str = "cache";
/// Of the memory that is free at the start one part in so many is left to others, at most so many bytes.
const RESERVE: (u64, u64) = (10, 1 << 30);
/// Estimates are estimates: a stage is refused whose estimate is above all memory of the machine by one part in so many.
const BEYOND: u64 = 4;

/// What a cache is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Run,
    Read,
}

/// What holds on this machine.
pub(crate) struct Site {
    /// The site file, if there is one.
    pub(crate) file: Option<study::Site>,
    /// The folder of the cache.
    pub(crate) cache: PathBuf,
    /// What is behind it and other machines see, too: a folder, or the address of an object store.
    pub(crate) remote: Option<PathBuf>,
}

/// How many stages run at once, and on what.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Resources {
    pub(crate) jobs: usize,
    pub(crate) threads: usize,
    pub(crate) device: String,
    pub(crate) gpus: Vec<String>,
    /// Whether nobody named them.
    pub(crate) gpus_by_default: bool,
    /// How many jobs each of them gets is to be worked out from what the runs take: [`crate::gpus`].
    pub(crate) jobs_by_gpu: bool,
    /// What their memory is limited to.
    pub(crate) memory: Option<MemoryLimits>,
}

impl Site {
    /// For a command on this study, or on none.
    pub(crate) fn find(cli: &Cli, study: Option<&Path>) -> Result<Self, Failure> {
        let beside = study.and_then(Path::parent).map(|folder| folder.join(FILE));
        let by_name = || {
            let here = PathBuf::from(FILE);
            beside.into_iter().chain([here]).find(|path| path.exists())
        };
        let file = cli.site.clone().or_else(by_name);
        let file = file.map(|path| study::Site::load(&path));
        let file = file.transpose().map_err(Failure::Mistakes)?;
        let default = Self::without_file(cli);
        let of_file = file.as_ref().and_then(|file| file.cache.clone());
        let remote = file.as_ref().and_then(|file| file.remote.clone());
        Ok(Self {
            remote: default.remote.or(remote),
            cache: match (of_file, &cli.cache) {
                (Some(cache), None) => cache,
                _ => default.cache,
            },
            file,
        })
    }

    /// What holds if there were no site file.
    pub(crate) fn without_file(cli: &Cli) -> Self {
        let cache = cli.cache.clone();
        Self {
            file: None,
            cache: cache.unwrap_or_else(|| PathBuf::from(CACHE)),
            remote: cli.remote.clone(),
        }
    }

    /// What a run uses on a machine.
    pub(crate) fn resources(&self, said: &cli::Site, on: &Machine) -> Result<Resources, Failure> {
        let file = self.file.as_ref();
        let of_file = |value: fn(&study::Site) -> Option<usize>| file.and_then(value);
        let threads = said.threads.map(NonZero::get);
        let threads = threads.or(of_file(|file| file.threads)).unwrap_or(1);
        let device = said.device.clone().unwrap_or_else(|| {
            let device = file.and_then(|file| file.device);
            device.unwrap_or(Device::Auto).name().to_owned()
        });
        if let Some(feature) = training::device::missing_feature(&device) {
            return Err(Usage::NotBuiltIn { device, feature }.into());
        }
        let on_cpu = trains_on_cpu(&device);
        let mut gpus = match (said.gpus.as_slice(), file) {
            ([], Some(file)) => file.gpus.clone(),
            (said, _) => said.to_vec(),
        };
        let named = !gpus.is_empty();
        if !named && cfg!(feature = "cuda") && !on_cpu && !device.starts_with("wgpu") {
            gpus = visible_gpus(env::var("CUDA_VISIBLE_DEVICES").ok().as_deref());
        }
        let gpus_by_default = !named && !gpus.is_empty();
        let per_gpu = said.jobs_per_gpu.or_else(|| file?.jobs_per_gpu);
        let jobs = said.jobs.map(NonZero::get);
        let jobs = jobs.or(of_file(|file| file.jobs));
        let by_default = || match (gpus.len(), per_gpu) {
            (0, _) if on_cpu => (on.cores / threads).max(1),
            (gpus, each) => jobs_on(gpus, each),
        };
        let memory = said.memory.map(|memory| (memory, "`--memory`"));
        let memory = memory.or_else(|| Some((file?.memory?, "the site file (`memory`)")));
        Ok(Resources {
            jobs: jobs.unwrap_or_else(by_default),
            jobs_by_gpu: per_gpu == Some(JobsPerGpu::Auto) && jobs.is_none() && !gpus.is_empty(),
            memory: limits(memory, on.memory.filter(|_| on_cpu)),
            threads,
            device,
            gpus,
            gpus_by_default,
        })
    }
}

impl Resources {
    /// A line on GPUs that nobody named.
    pub(crate) fn on_gpus_by_default(&self) -> Option<String> {
        self.gpus_by_default.then(|| {
            format!(
                "GPUs: {} (`--gpus` names others; `--jobs-per-gpu` gives each several runs)",
                self.gpus.join(", ")
            )
        })
    }
}

/// Whether nothing but the CPU can be meant. What else trains has memory of its own.
fn trains_on_cpu(device: &str) -> bool {
    let may_take_gpu = cfg!(any(feature = "cuda", feature = "wgpu")) && training::device::has_gpu();
    device == "cpu" || (device == "auto" && !may_take_gpu)
}

/// GPUs where nobody names any: those that this process may see, as a batch system says it, else the first. Who hides
/// them, by nothing or by -1, gets none: CUDA sees those before the first such name.
fn visible_gpus(visible: Option<&str>) -> Vec<String> {
    let named = visible.unwrap_or("0").split(',').map(str::trim);
    let named = named.take_while(|gpu| !gpu.is_empty() && !gpu.starts_with('-'));
    named.map(str::to_owned).collect()
}

/// Jobs on so many GPUs; 0 are one that has no name.
fn jobs_on(gpus: usize, each: Option<JobsPerGpu>) -> usize {
    let each = match each {
        Some(JobsPerGpu::Count(each)) => each,
        Some(JobsPerGpu::Auto) | None => 1,
    };
    gpus.max(1).saturating_mul(each)
}

/// What stages may take: as was said, and where, else by what the machine has.
fn limits(said: Option<(Memory, &str)>, machine: Option<machine::Memory>) -> Option<MemoryLimits> {
    match (said, machine) {
        (Some((Memory::Unlimited, _)), _) | (None, None) => None,
        (Some((Memory::Bytes(bytes), place)), _) => Some(MemoryLimits {
            together: bytes,
            each: bytes,
            there: format!(
                "{place} allows {}: allow more, or give it a smaller batch size",
                size(bytes)
            ),
        }),
        (None, Some(machine::Memory { total, free })) => {
            let (part, most) = RESERVE;
            Some(MemoryLimits {
                together: free - (free / part).min(most),
                each: total.saturating_add(total / BEYOND),
                there: format!(
                    "this machine has {}: a smaller batch size takes less, a larger machine has more, and \
                     `--memory unlimited` tries it here",
                    size(total)
                ),
            })
        }
    }
}

impl Site {
    /// The remote as other machines name it, if there is one: they have other working folders.
    pub(crate) fn remote_for_others(&self) -> Result<Option<String>, Failure> {
        let Some(remote) = &self.remote else {
            return Ok(None);
        };
        let Some(text) = remote.to_str() else {
            return Err(Failure::Usage(format!(
                "the name of the remote is not UTF-8: {}",
                remote.display()
            )));
        };
        if text.contains("://") {
            return Ok(Some(text.to_owned()));
        }
        let absolute = std::path::absolute(remote)?;
        Ok(Some(absolute.to_string_lossy().into_owned()))
    }

    /// The cache, with what is behind it; to be run on, or only to be read.
    pub(crate) fn store(&self, use_of: Use) -> Result<Store, Failure> {
        let mut store = Store::open(&self.cache)?;
        if let Some(remote) = &self.remote {
            let remote = open_remote(remote, &store, use_of)?;
            store.put_before(remote);
        }
        Ok(store)
    }

    /// How a run shares work with other copies of the program.
    pub(crate) fn sharing(said: &cli::sharing::Sharing) -> Sharing {
        let default = Sharing::default();
        Sharing {
            beat: said.remote_beat.unwrap_or(default.beat),
            ttl: said.remote_ttl.unwrap_or(default.ttl),
            linger: said.linger.unwrap_or(default.linger),
            // What else there is takes less time than waiting for it.
            worth: crate::stages::TRAINS.map(str::to_owned).to_vec(),
            leave: Vec::new(),
            job: None,
        }
    }

    /// Which checkpoints of training runs are kept.
    pub(crate) fn checkpoints(&self, said: &cli::checkpoints::Checkpoints) -> CheckpointPolicy {
        let default = CheckpointPolicy::default();
        let file = self.file.as_ref().map(|file| file.checkpoints);
        let file = file.unwrap_or_default();
        let keep = said.keep_checkpoints.as_deref();
        let keep = keep.and_then(|word| Keep::ALL.into_iter().find(|one| one.name() == word));
        let space = said.checkpoint_space.map(Size::bytes);
        CheckpointPolicy {
            keep: keep.or(file.keep).unwrap_or(default.keep),
            every: said
                .checkpoint_every
                .or(file.every)
                .unwrap_or(default.every),
            worth: said
                .checkpoint_worth
                .or(file.worth)
                .unwrap_or(default.worth),
            space: space.or(file.space).unwrap_or(default.space),
        }
    }
}

/// The remote of this name, behind this cache.
pub(crate) fn open_remote(name: &Path, cache: &Store, use_of: Use) -> Result<Remote, Failure> {
    let usage = |error: clouds::Error| Failure::Usage(error.to_string());
    let Some(address) = name.to_str().and_then(Address::parse) else {
        return Ok(match use_of {
            Use::Run => Remote::open(name, cache),
            Use::Read => Remote::open_to_read(name, cache),
        }?);
    };
    let address = address.map_err(usage)?;
    let objects = address.open().map_err(usage)?;
    let to_write = use_of == Use::Run;
    Ok(Remote::on(objects, &address.to_string(), cache, to_write)?)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Command;

    /// These words and this site file.
    fn said(words: &[&str], file: &str) -> (cli::Run, Site) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("site.yaml");
        std::fs::write(&path, file).unwrap();
        let words = ["pipeline", "run", "study.yaml"].iter().chain(words);
        let Command::Run(run) = Cli::parse_from(words).command else {
            panic!("it is `run`")
        };
        let site = Site {
            file: Some(study::Site::load(&path).unwrap()),
            cache: PathBuf::new(),
            remote: None,
        };
        (run, site)
    }

    /// What a run gets from these words and this site file on a machine of 8 cores that does not say what memory it has.
    fn resources(words: &[&str], file: &str) -> Resources {
        resources_with(words, file, None)
    }

    fn resources_with(words: &[&str], file: &str, memory: Option<machine::Memory>) -> Resources {
        let (run, site) = said(words, file);
        let on = Machine { cores: 8, memory };
        site.resources(&run.site, &on)
            .unwrap_or_else(|_| panic!("the device was built in"))
    }

    fn expected(jobs: usize, threads: usize, device: &str, gpus: &[&str]) -> Resources {
        Resources {
            jobs,
            threads,
            device: device.to_owned(),
            gpus: gpus.iter().map(|&gpu| gpu.to_owned()).collect(),
            gpus_by_default: false,
            jobs_by_gpu: false,
            memory: None,
        }
    }

    #[test]
    fn memory_is_limited_by_what_is_free_or_by_what_is_said() {
        let gib = |count: u64| count << 30;
        let with = |words: &[&str], file: &str, total: u64, free: u64| {
            let words = [&["--device", "cpu"], words].concat();
            let memory = Some(machine::Memory { total, free });
            let limits = resources_with(&words, file, memory).memory;
            limits.map(|limits| (limits.together, limits.each))
        };
        let whole = (gib(15), gib(20));
        assert_eq!(with(&[], "", gib(16), gib(16)), Some(whole));
        let half = gib(5) - gib(5) / 10;
        assert_eq!(with(&[], "", gib(8), gib(5)), Some((half, gib(10))));
        let said = Some((gib(3), gib(3)));
        assert_eq!(with(&["--memory", "3G"], "", gib(16), gib(1)), said);
        assert_eq!(with(&[], "memory: 3 GiB", gib(16), gib(1)), said);
        let unlimited = with(&["--memory", "unlimited"], "memory: 3G", gib(16), gib(1));
        assert_eq!(unlimited, None);
        assert_eq!(resources(&["--device", "cpu"], "").memory, None);
        assert!(!trains_on_cpu("cuda") && !trains_on_cpu("wgpu"));
    }

    #[test]
    fn jobs_go_by_the_gpus_where_that_is_said_and_nothing_else() {
        let auto = |words: &[&str], file: &str| {
            let words = [&["--jobs-per-gpu", "auto"], words].concat();
            let resources = resources(&words, file);
            (resources.jobs, resources.jobs_by_gpu)
        };
        assert_eq!(auto(&[], "gpus: [0, 1]\njobs_per_gpu: 3"), (2, true));
        assert_eq!(auto(&["--jobs", "5"], "gpus: [0, 1]"), (5, false));
        assert_eq!(auto(&[], "jobs: 3\ngpus: [0, 1]"), (3, false));
        assert_eq!(auto(&[], ""), (8, false), "no GPU is given out");
        let of_file = resources(&[], "gpus: [0]\njobs_per_gpu: auto");
        assert_eq!((of_file.jobs, of_file.jobs_by_gpu), (1, true));
    }

    #[test]
    fn a_gpu_gets_one_job_and_those_that_a_batch_system_grants_are_taken() {
        assert_eq!(visible_gpus(None), ["0"]);
        assert!(visible_gpus(Some("")).is_empty());
        assert!(visible_gpus(Some("-1")).is_empty());
        assert_eq!(visible_gpus(Some("1,-1,2")), ["1"]);
        assert_eq!(visible_gpus(Some("2, GPU-5f")), ["2", "GPU-5f"]);
        assert_eq!(jobs_on(0, None), 1);
        assert_eq!(jobs_on(2, None), 2);
        assert_eq!(jobs_on(2, Some(JobsPerGpu::Count(3))), 6);
        assert_eq!(jobs_on(2, Some(JobsPerGpu::Auto)), 2);
    }

    #[test]
    fn without_a_word_every_core_gets_a_job() {
        assert_eq!(resources(&[], ""), expected(8, 1, "auto", &[]));
        assert_eq!(resources(&[], "threads: 3"), expected(2, 3, "auto", &[]));
        assert_eq!(resources(&[], "threads: 9"), expected(1, 9, "auto", &[]));
        assert_eq!(resources(&[], "gpus: [2]"), expected(1, 1, "auto", &["2"]));
        let both = expected(6, 1, "auto", &["0", "1"]);
        assert_eq!(resources(&[], "gpus: [0, 1]\njobs_per_gpu: 3"), both);
        assert_eq!(
            resources(&["--jobs-per-gpu", "3"], "gpus: [0, 1]\njobs_per_gpu: 9"),
            both
        );
    }

    #[test]
    fn checkpoints_are_kept_as_the_command_line_says_else_the_file_else_at_segment_ends() {
        let kept = |words: &[&str], file: &str| {
            let (run, site) = said(words, file);
            site.checkpoints(&run.checkpoints)
        };
        assert_eq!(kept(&[], ""), CheckpointPolicy::default());
        let file = "checkpoints: { keep: last, every: 1.5, space: 1M }";
        let of_file = kept(&[], file);
        assert_eq!(
            (of_file.keep, of_file.every.as_millis()),
            (Keep::Last, 1500)
        );
        assert_eq!(of_file.worth, CheckpointPolicy::default().worth);
        assert_eq!(of_file.space, 1 << 20);
        assert_eq!(kept(&["--checkpoint-space", "3K"], file).space, 3072);
        let of_both = kept(
            &["--keep-checkpoints", "none", "--checkpoint-worth", "0"],
            file,
        );
        assert_eq!((of_both.keep, of_both.every), (Keep::None, of_file.every));
        assert!(of_both.worth.is_zero());
    }

    #[test]
    fn the_command_line_wins_over_the_site_file_word_by_word() {
        let file = "jobs: 3\nthreads: 2\ndevice: cpu\ngpus: [0, 1]";
        assert_eq!(resources(&[], file), expected(3, 2, "cpu", &["0", "1"]));
        assert_eq!(
            resources(&["--jobs", "5", "--gpus", "7"], file),
            expected(5, 2, "cpu", &["7"])
        );
        assert_eq!(
            resources(&["--threads", "4", "--device", "auto"], file),
            expected(3, 4, "auto", &["0", "1"])
        );
    }
}
