//! `pipeline submit`: a study frozen in a remote, and jobs of Slurm that carry it out.

use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;

use engine::{Frozen, Graph, Plan, PlanId, Verdict};

use super::freeze::freeze;
use super::plan::{duration, grouped};
use crate::cli::Cli;
use crate::cli::slurm::Submit;
use crate::commands::{counted, expand, load};
use crate::output::out;
use crate::site::{Site, Use};
use crate::slurm::{self, Job, job_name, quoted};
use crate::so_far::Quoted;
use crate::{DONE, Failure, stages};

/// Seconds of notice before the time limit, unless the site file says how many.
const NOTICE: usize = 300;
/// Predicted seconds of work for each task, where their number is for the program to choose.
const WORK: f64 = 3600.0;
/// The most tasks that it chooses, and how many where nothing is predicted.
const TASKS: (usize, usize) = (64, 16);
/// Where a task has its cache.
const SCRATCH: &str = "${TMPDIR:-/tmp}";
/// What stands for the name of the plan where there is none yet.
const NO_ID: &str = "ID";

pub(crate) fn submit(cli: &Cli, arguments: &Submit) -> Result<u8, Failure> {
    let study = load(&arguments.file)?;
    let site = Site::find(cli, Some(&arguments.file.study))?;
    let Some(remote) = site.remote_for_others()? else {
        return Err(Failure::Usage(
            "tasks on a cluster share a remote: name one with --remote, or in the site file (`cache: { remote: … }`)"
                .to_owned(),
        ));
    };
    let store = site.store(if arguments.dry_run {
        Use::Read
    } else {
        Use::Run
    })?;
    let graph = expand(&study, &store)?;
    let tasks = Tasks::new(arguments, &site);
    let mut submission = Submission {
        arguments,
        tasks: &tasks,
        plan: PlanId {
            study: study.name().to_owned(),
            id: NO_ID.to_owned(),
        },
        logs: std::path::absolute(arguments.reports.join("slurm"))?,
        reports: std::path::absolute(&arguments.reports)?,
        remote,
        site: site.file.as_ref().map(|file| &*file.path),
    };
    let plan = if arguments.dry_run {
        engine::plan(&graph, &store, &stages::kinds(), study.name())?
    } else {
        submission.check()?;
        let of = Quoted::new(&study, &arguments.file.study);
        let frozen = freeze(&of, &graph, &store, tasks.device, true)?;
        submission.plan = frozen.plan_id();
        let plan = frozen.plan(&store, &stages::kinds())?;
        download(&site, &frozen, &plan)?;
        plan
    };
    let left = Left::of(&graph, &plan);
    let count = tasks.count(&left);
    let arrays = if left.stages == 0 {
        0
    } else {
        left.layers * tasks.waves
    };
    let each = submission.each(count)?;
    let last = submission.last()?;
    if arguments.dry_run {
        for number in 1..=arrays {
            out(format!("# array {number} of {arrays}\n{each}\n"));
        }
        out(format!("# the last job\n{last}"));
        errln!("{}", left.in_words(count, arrays));
        return Ok(DONE);
    }
    fs::create_dir_all(&submission.logs)?;
    let mut jobs: Vec<String> = Vec::new();
    for number in 0..=arrays {
        let script = if number < arrays { &each } else { &last };
        let after: Vec<String> = jobs.last().cloned().into_iter().collect();
        match slurm::submit(script, &after) {
            Ok(job) => jobs.push(job),
            Err(error) => {
                // Half of a submission would wait for ever, or do half of it.
                if !jobs.is_empty() {
                    slurm::cancel(&jobs)?;
                }
                return Err(error.into());
            }
        }
    }
    errln!("{}", left.in_words(count, arrays));
    errln!(
        "submitted as {}: {} {}, and {} for the tables and the report",
        submission.plan,
        if arrays == 1 { "array" } else { "arrays" },
        jobs[..arrays].join(", "),
        jobs[arrays]
    );
    errln!("what tasks write is in {}", submission.logs.display());
    errln!("see `pipeline status {}`", quoted(study.name()));
    outln!("{}", submission.plan);
    Ok(DONE)
}

/// Makes here what needs the network, which nodes often do not have.
fn download(site: &Site, frozen: &Frozen, plan: &Plan) -> Result<(), Failure> {
    let missing = frozen
        .graph
        .iter()
        .any(|(id, stage)| stage.kind == "download" && plan.stage(id).verdict != Verdict::Cached);
    if !missing {
        return Ok(());
    }
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["run", "--no-train", "--linger", "0", "--plan"]);
    command.arg(frozen.plan_id().to_string());
    command.arg("--cache").arg(&site.cache);
    if let Some(remote) = &site.remote {
        command.arg("--remote").arg(remote);
    }
    // It draws no page that anybody wants.
    let reports = tempfile::tempdir()?;
    let done = command.arg("--reports").arg(reports.path()).status()?;
    if done.success() {
        return Ok(());
    }
    Err("what the study downloads could not be made; nothing was submitted".into())
}

/// What each task is given.
struct Tasks<'a> {
    slurm: study::Slurm,
    /// How many, if anybody said so.
    said: Option<usize>,
    waves: usize,
    device: &'a str,
    threads: usize,
    /// Stages at the same time; none where GPUs decide.
    jobs: Option<usize>,
    jobs_per_gpu: Option<usize>,
    cpus: Option<usize>,
}

impl<'a> Tasks<'a> {
    fn new(arguments: &'a Submit, site: &'a Site) -> Self {
        let (said, file) = (&arguments.site, site.file.as_ref());
        let slurm = file.map(|file| file.slurm.clone()).unwrap_or_default();
        let of_file = |value: fn(&study::Site) -> Option<usize>| file.and_then(value);
        let threads = said.threads.map(NonZero::get);
        let threads = threads.or(of_file(|file| file.threads)).unwrap_or(1);
        let jobs = said.jobs.map(NonZero::get);
        let jobs = jobs.or(of_file(|file| file.jobs));
        let has_gpus = slurm
            .options
            .iter()
            .any(|it| it.starts_with("--gres=gpu") || it.starts_with("--gpus"));
        let cpus = slurm.cpus.or(jobs.map(|jobs| jobs.saturating_mul(threads)));
        let of_cores = (cpus.unwrap_or(1) / threads).max(1);
        let device = said.device.as_deref();
        let device = device.or_else(|| Some(file?.device?.name()));
        Self {
            said: arguments.tasks.map(NonZero::get).or(slurm.tasks),
            waves: arguments.waves.map_or(slurm.waves, NonZero::get),
            slurm,
            // The machine that submits need not have the GPU of those that train.
            device: device.filter(|&name| name != "auto").unwrap_or(
                if has_gpus && training::device::missing_feature("cuda").is_none() {
                    "cuda"
                } else {
                    "cpu"
                },
            ),
            threads,
            jobs: jobs.or((!has_gpus).then_some(of_cores)),
            jobs_per_gpu: said
                .jobs_per_gpu
                .map(NonZero::get)
                .or(of_file(|file| file.jobs_per_gpu)),
            cpus,
        }
    }

    /// How many there are, for what is left to do.
    fn count(&self, left: &Left) -> usize {
        let at_once = self.jobs.or(self.jobs_per_gpu).unwrap_or(1);
        let useful = left.stages.div_ceil(at_once).max(1);
        self.said.unwrap_or_else(|| {
            let by_work = left
                .seconds
                .map(|seconds| (seconds / at_once as f64 / WORK).ceil() as usize);
            by_work
                .map_or(TASKS.1, |tasks| tasks.clamp(1, TASKS.0))
                .min(useful)
        })
    }
}

/// What is left to train.
struct Left {
    stages: usize,
    /// How long it takes, one after the other, where that is known.
    seconds: Option<f64>,
    /// Trainings that wait for a selection among others come after them: how many such layers.
    layers: usize,
}

impl Left {
    fn of(graph: &Graph, plan: &Plan) -> Self {
        let mut left = Self {
            stages: 0,
            seconds: Some(0.0),
            layers: 0,
        };
        let mut layer = vec![0_usize; graph.len()];
        for (id, stage) in graph.iter() {
            let above = graph.upstream(id).iter();
            let above = above.map(|read| layer[read.index()]).max().unwrap_or(0);
            let planned = plan.stage(id);
            let trains = stages::TRAINS.contains(&&*stage.kind);
            let open = !matches!(planned.verdict, Verdict::Cached | Verdict::Shared { .. });
            layer[id.index()] = above;
            if trains && open {
                left.stages += 1;
                left.seconds = left
                    .seconds
                    .zip(planned.seconds)
                    .map(|(all, one)| all + one);
                layer[id.index()] = above.max(1);
                left.layers = left.layers.max(layer[id.index()]);
            } else if stage.kind == "select" && above > 0 {
                // What it opens is trained in the next layer.
                layer[id.index()] = above + 1;
            }
        }
        left
    }

    fn in_words(&self, tasks: usize, arrays: usize) -> String {
        if self.stages == 0 {
            return "no run is missing: one job makes the tables and draws the report".to_owned();
        }
        let takes = self.seconds.map_or_else(String::new, |seconds| {
            format!(", some {} of one worker", duration(seconds))
        });
        let arrays = match arrays {
            1 => String::new(),
            arrays => format!(", in {arrays} arrays one after the other"),
        };
        format!(
            "{} to do{takes}: {}{arrays}",
            match self.stages {
                1 => "1 run".to_owned(),
                runs => format!("{} runs", grouped(runs as u64)),
            },
            counted(tasks, "task")
        )
    }
}

/// All that the scripts of one submission are made from.
struct Submission<'a> {
    arguments: &'a Submit,
    tasks: &'a Tasks<'a>,
    plan: PlanId,
    logs: PathBuf,
    reports: PathBuf,
    remote: String,
    site: Option<&'a Path>,
}

impl Submission<'_> {
    /// Finds out what is wrong with it before anything is frozen.
    fn check(&self) -> Result<(), Failure> {
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
    fn each(&self, count: usize) -> Result<String, Failure> {
        let tasks = self.tasks;
        let mut words = self.words("\"$scratch\"/pipeline-reports")?;
        words.extend(["--no-live", "--device", tasks.device, "--threads"].map(str::to_owned));
        words.push(tasks.threads.to_string());
        if let Some(jobs) = tasks.jobs {
            words.extend(["--jobs".to_owned(), jobs.to_string()]);
        }
        if let Some(jobs) = tasks.jobs_per_gpu {
            words.extend(["--jobs-per-gpu".to_owned(), jobs.to_string()]);
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
    fn last(&self) -> Result<String, Failure> {
        let reports = quoted(&self.reports.to_string_lossy());
        let mut words = self.words(&reports)?;
        words.push("--no-train".to_owned());
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
    fn words(&self, reports: &str) -> Result<Vec<String>, Failure> {
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
            "--reports".to_owned(),
            reports.to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks(said: Option<usize>, jobs: usize) -> Tasks<'static> {
        Tasks {
            slurm: study::Slurm::default(),
            said,
            waves: 1,
            device: "cpu",
            threads: 1,
            jobs: Some(jobs),
            jobs_per_gpu: None,
            cpus: None,
        }
    }

    fn left(stages: usize, hours: Option<f64>) -> Left {
        Left {
            stages,
            seconds: hours.map(|hours| hours * 3600.0),
            layers: 1,
        }
    }

    #[test]
    fn there_is_a_task_for_each_hour_of_work_and_none_without_a_run() {
        let count = |said, jobs, left| tasks(said, jobs).count(&left);
        assert_eq!(count(None, 1, left(1000, Some(9.5))), 10);
        assert_eq!(count(None, 4, left(1000, Some(9.5))), 3, "four at once");
        assert_eq!(
            count(None, 1, left(1000, Some(900.0))),
            64,
            "no more than that"
        );
        assert_eq!(count(None, 1, left(5, Some(9.5))), 5, "one run each");
        assert_eq!(count(None, 1, left(1000, Some(0.01))), 1);
        assert_eq!(count(None, 1, left(1000, None)), 16, "nothing is known");
        assert_eq!(count(None, 4, left(9, None)), 3);
        assert_eq!(count(Some(7), 4, left(1, None)), 7, "as it is said");
    }
}
