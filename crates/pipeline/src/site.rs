//! Where and how a command runs: what the command line says, else the site file, else what fits this machine.

use std::num::NonZero;
use std::path::{Path, PathBuf};

use clouds::Address;
use engine::{CheckpointPolicy, Keep, Remote, Sharing, Store};
use study::{Device, Size};

use crate::cli::{self, Cli};
use crate::{Failure, Usage};

/// The site file's name where no other is given.
const FILE: &str = "site.yaml";
/// The folder of the cache where no other is given.
const CACHE: &str = "cache";

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

    /// What a run uses on a machine with so many cores.
    pub(crate) fn resources(&self, said: &cli::Site, cores: usize) -> Result<Resources, Failure> {
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
        let gpus = match (said.gpus.as_slice(), file) {
            ([], Some(file)) => file.gpus.clone(),
            (said, _) => said.to_vec(),
        };
        let per_gpu = said.jobs_per_gpu.map(NonZero::get);
        let per_gpu = per_gpu.or(of_file(|file| file.jobs_per_gpu)).unwrap_or(1);
        let by_default = || match gpus.len() {
            0 => (cores / threads).max(1),
            gpus => gpus.saturating_mul(per_gpu),
        };
        let jobs = said.jobs.map(NonZero::get);
        Ok(Resources {
            jobs: jobs
                .or(of_file(|file| file.jobs))
                .unwrap_or_else(by_default),
            threads,
            device,
            gpus,
        })
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

    /// What a run gets from these words and this site file on a machine of 8 cores.
    fn resources(words: &[&str], file: &str) -> Resources {
        let (run, site) = said(words, file);
        site.resources(&run.site, 8)
            .unwrap_or_else(|_| panic!("the device was built in"))
    }

    fn expected(jobs: usize, threads: usize, device: &str, gpus: &[&str]) -> Resources {
        Resources {
            jobs,
            threads,
            device: device.to_owned(),
            gpus: gpus.iter().map(|&gpu| gpu.to_owned()).collect(),
        }
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
