//! The scripts of a submission.

use std::path::{Path, PathBuf};

use engine::PlanId;
use training::device::missing_feature;

use super::tasks::Tasks;
use crate::cli::slurm::Submit;
use crate::slurm::{self, Job, job_name, quoted};
use crate::{Failure, Usage};

/// Seconds of notice before the time limit, unless the site file says how many.
const NOTICE: usize = 300;
/// Where a task has its cache.
const SCRATCH: &str = "${TMPDIR:-/tmp}";

/// All that the scripts of one submission are made from.
pub(super) struct Submission<'a> {
    pub(super) arguments: &'a Submit,
    pub(super) tasks: &'a Tasks<'a>,
    pub(super) plan: PlanId,
    pub(super) logs: PathBuf,
    pub(super) reports: PathBuf,
    pub(super) remote: String,
    pub(super) site: Option<&'a Path>,
}

impl Submission<'_> {
    /// Finds out what is wrong with it before anything is frozen.
    pub(super) fn check(&self) -> Result<(), Failure> {
        // Tasks run this very program.
        if let Some(feature) = missing_feature(self.tasks.device) {
            let device = self.tasks.device.to_owned();
            return Err(Usage::NotBuiltIn { device, feature }.into());
        }
        let tasks = self.tasks.said.unwrap_or(1);
        if let Some(largest) = slurm::largest_array()?.filter(|&largest| tasks > largest) {
            return Err(Failure::Usage(format!(
                "{tasks} tasks are more than this cluster takes in one array: at most {largest} (MaxArraySize)"
            )));
        }
        slurm::would_take(&self.each(tasks)?)?;
        Ok(slurm::would_take(&self.last()?)?)
    }

    /// The script of an array.
    pub(super) fn each(&self, count: usize) -> Result<String, Failure> {
        let tasks = self.tasks;
        let mut words = self.words()?;
        // A page in the scratch of a node would be read by nobody.
        words.extend(["--no-report", "--device", tasks.device, "--threads"].map(str::to_owned));
        words.push(tasks.threads.to_string());
        if let Some(jobs) = tasks.jobs {
            words.extend(["--jobs".to_owned(), jobs.to_string()]);
        }
        if let Some(jobs) = tasks.jobs_per_gpu {
            words.extend(["--jobs-per-gpu".to_owned(), jobs.to_string()]);
        }
        if let Some(memory) = tasks.memory {
            words.extend(["--memory".to_owned(), memory.to_string()]);
        }
        if tasks.device != "cpu" {
            // What Slurm gave the task, whatever the site file says of this machine.
            words.push("${CUDA_VISIBLE_DEVICES:+--gpus \"$CUDA_VISIBLE_DEVICES\"}".to_owned());
        }
        let linger = self.arguments.sharing.linger;
        if let Some(linger) = linger {
            words.extend(["--linger".to_owned(), linger.as_secs_f64().to_string()]);
        }
        if tasks.waves == 1 {
            words.push("--requeue".to_owned());
        }
        Ok(Job {
            name: &job_name(&self.plan),
            output: &self.output("%A_%a.log"),
            array: Some((count, tasks.slurm.at_once)),
            cpus: tasks.cpus,
            options: &tasks.slurm.options,
            notice: Some(tasks.slurm.notice.unwrap_or(NOTICE)),
            prologue: &tasks.slurm.prologue,
            scratch: tasks.slurm.scratch.as_deref().unwrap_or(SCRATCH),
            words,
        }
        .text())
    }

    /// The script of the last job.
    pub(super) fn last(&self) -> Result<String, Failure> {
        let reports = quoted(&self.reports.to_string_lossy());
        let mut words = self.words()?;
        words.extend(["--reports".to_owned(), reports, "--no-train".to_owned()]);
        Ok(Job {
            name: &job_name(&self.plan),
            output: &self.output("%j.log"),
            array: None,
            cpus: None,
            options: &self.tasks.slurm.last,
            notice: None,
            prologue: &self.tasks.slurm.prologue,
            scratch: self.tasks.slurm.scratch.as_deref().unwrap_or(SCRATCH),
            words,
        }
        .text())
    }

    /// Slurm reads `%` in the name of the file.
    fn output(&self, file: &str) -> String {
        let folder = self.logs.display().to_string().replace('%', "%%");
        format!("{folder}/{file}")
    }

    /// The command of any copy.
    fn words(&self) -> Result<Vec<String>, Failure> {
        let program = std::env::current_exe()?;
        let mut words = vec![
            quoted(&program.to_string_lossy()),
            "run".to_owned(),
            "--plan".to_owned(),
            quoted(&self.plan.to_string()),
            "--remote".to_owned(),
            quoted(&self.remote),
            "--cache".to_owned(),
            "\"$scratch\"/pipeline-cache".to_owned(),
        ];
        if let Some(site) = self.site {
            let site = std::path::absolute(site)?;
            words.extend(["--site".to_owned(), quoted(&site.to_string_lossy())]);
        }
        for (name, value) in [
            ("--remote-beat", self.arguments.sharing.remote_beat),
            ("--remote-ttl", self.arguments.sharing.remote_ttl),
        ] {
            if let Some(value) = value {
                words.extend([name.to_owned(), value.as_secs_f64().to_string()]);
            }
        }
        words.extend(["--color", "never"].map(str::to_owned));
        Ok(words)
    }
}
