//! `pipeline cancel`: the jobs of a submitted study, out of the queue.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::cli::Cli;
use crate::cli::slurm::Cancel;
use crate::commands::{counted, freeze, name_of};
use crate::site::{Site, Use};
use crate::slurm::{self, job_name};
use crate::{DONE, FAILED, Failure};

/// How long tasks have to keep their checkpoints: a moment more than Slurm gives them before it kills them.
const PATIENCE: Duration = Duration::from_secs(45);

pub(crate) fn cancel(cli: &Cli, arguments: &Cancel) -> Result<u8, Failure> {
    let file = Some(Path::new(&arguments.study)).filter(|path| path.is_file());
    let site = Site::find(cli, file)?;
    let store = site.store(Use::Read)?;
    let given = name_of(&arguments.study)?;
    let of_study = match store.remote() {
        Some(remote) => remote.plans(Some(&given))?,
        None => Vec::new(),
    };
    // All submissions of a study, or one.
    let plans = if of_study.is_empty() {
        vec![freeze::find(&store, &given)?.plan_id()]
    } else {
        of_study
    };
    let names: Vec<String> = plans.iter().map(job_name).collect();
    let queue = slurm::queue(&names)?;
    if queue.is_empty() {
        errln!("no job of {given} is in the queue");
        return Ok(DONE);
    }
    let jobs: BTreeSet<&str> = queue.iter().map(|task| job_of(&task.id)).collect();
    let jobs: Vec<String> = jobs.into_iter().map(str::to_owned).collect();
    slurm::cancel(&jobs)?;
    let end = Instant::now() + PATIENCE;
    loop {
        let left = slurm::queue(&names)?;
        if left.is_empty() {
            errln!(
                "{} of {given} cancelled; what they had done is kept, and `pipeline submit` goes on from it",
                counted(queue.len(), "task")
            );
            return Ok(DONE);
        }
        if Instant::now() >= end {
            errln!(
                "{} of {given} still in the queue: see `squeue`",
                counted(left.len(), "task")
            );
            return Ok(FAILED);
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// `17` of `17_3`.
fn job_of(task: &str) -> &str {
    task.split('_').next().unwrap_or(task)
}
