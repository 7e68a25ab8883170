//! What is left of a study to train, how many tasks do it, and what each of them is given.

use std::num::NonZero;

use engine::{Graph, Plan, Verdict};
use study::{JobsPerGpu, Memory};
use training::device::missing_feature;

use crate::cli::slurm::Submit;
use crate::commands::counted;
use crate::commands::plan::{duration, grouped};
use crate::site::Site;
use crate::{Failure, stages};

/// Predicted seconds of work for each task, where their number is for the program to choose.
const WORK: f64 = 3600.0;
/// The most tasks that it chooses, and how many where nothing is predicted.
const TASKS: (usize, usize) = (64, 16);

/// What each task is given.
pub(super) struct Tasks<'a> {
    pub(super) slurm: study::Slurm,
    /// How many, if anybody said so.
    pub(super) said: Option<usize>,
    pub(super) waves: usize,
    pub(super) device: &'a str,
    /// Whether they have GPUs that this program was built without.
    pub(super) leaves_gpus: bool,
    pub(super) threads: usize,
    /// Stages at the same time; none where GPUs decide.
    pub(super) jobs: Option<usize>,
    pub(super) jobs_per_gpu: Option<JobsPerGpu>,
    /// What the command line says; the tasks read the site file themselves.
    pub(super) memory: Option<Memory>,
    pub(super) cpus: Option<usize>,
}

impl<'a> Tasks<'a> {
    pub(super) fn new(arguments: &'a Submit, site: &'a Site) -> Result<Self, Failure> {
        let (said, file) = (&arguments.site, site.file.as_ref());
        if !said.gpus.is_empty() {
            return Err(Failure::Usage(
                "tasks take the GPUs that Slurm gives them, whatever `--gpus` says: ask for some with `slurm: { gres: gpu:1 }` \
                 in the site file"
                    .to_owned(),
            ));
        }
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
        let device = device.filter(|&name| name != "auto");
        let has_cuda = missing_feature("cuda").is_none();
        Ok(Self {
            said: arguments.tasks.map(NonZero::get).or(slurm.tasks),
            waves: arguments.waves.map_or(slurm.waves, NonZero::get),
            slurm,
            // The machine that submits need not have the GPU of those that train.
            device: device.unwrap_or(if has_gpus && has_cuda { "cuda" } else { "cpu" }),
            leaves_gpus: device.is_none() && has_gpus && !has_cuda,
            threads,
            jobs: jobs.or((!has_gpus).then_some(of_cores)),
            jobs_per_gpu: said.jobs_per_gpu.or_else(|| file?.jobs_per_gpu),
            memory: said.memory,
            cpus,
        })
    }

    /// How many there are, for what is left to do.
    pub(super) fn count(&self, left: &Left) -> usize {
        let of_gpu = match self.jobs_per_gpu {
            Some(JobsPerGpu::Count(each)) => Some(each),
            _ => None,
        };
        let at_once = self.jobs.or(of_gpu).unwrap_or(1);
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
pub(super) struct Left {
    pub(super) stages: usize,
    /// How long it takes, one after the other, where that is known.
    seconds: Option<f64>,
    /// Trainings that wait for a selection among others come after them: how many such layers.
    pub(super) layers: usize,
}

impl Left {
    pub(super) fn of(graph: &Graph, plan: &Plan) -> Self {
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

    pub(super) fn in_words(&self, tasks: usize, arrays: usize) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks(said: Option<usize>, jobs: usize) -> Tasks<'static> {
        Tasks {
            slurm: study::Slurm::default(),
            said,
            waves: 1,
            device: "cpu",
            leaves_gpus: false,
            threads: 1,
            jobs: Some(jobs),
            jobs_per_gpu: None,
            memory: None,
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
