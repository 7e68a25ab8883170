//! `pipeline submit`: a study frozen in a remote, and jobs of Slurm that carry it out.

mod scripts;
mod tasks;

use std::fs;
use std::process::{Command, Stdio};

use engine::{Graph, PlanId, Store, Verdict};
use scripts::Submission;
use tasks::{Left, Tasks};

use super::freeze::freeze;
use crate::cli::Cli;
use crate::cli::slurm::Submit;
use crate::commands::{expand, load};
use crate::machine::device_class;
use crate::output::out;
use crate::site::{Site, Use};
use crate::slurm::{self, quoted};
use crate::so_far::Quoted;
use crate::{DONE, Failure, stages};

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
    let tasks = Tasks::new(arguments, &site)?;
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
        download(arguments, study.name(), &site, &graph, &store)?;
        let of = Quoted::new(&study, &arguments.file.study);
        let frozen = freeze(&of, &graph, &store, device_class(tasks.device)?, true)?;
        submission.plan = frozen.plan_id();
        frozen.plan(&store, &stages::kinds())?
    };
    let left = Left::of(&graph, &plan);
    if tasks.leaves_gpus && graph.stages().iter().any(|stage| stage.kind == "train") {
        errln!(
            "tasks ask for GPUs, and this program was built without cuda: its `train` stages use the CPU; \
             `--features cuda` builds one that uses them"
        );
    }
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

/// Makes here what needs the network, which nodes often do not have. That is before anything is frozen: where it fails no
/// plan is left that nobody carries out.
fn download(
    arguments: &Submit,
    study: &str,
    site: &Site,
    graph: &Graph,
    store: &Store,
) -> Result<(), Failure> {
    if !graph.stages().iter().any(|stage| stage.kind == "download") {
        return Ok(());
    }
    let plan = engine::plan(graph, store, &stages::kinds(), study)?;
    let missing = graph
        .iter()
        .any(|(id, stage)| stage.kind == "download" && plan.stage(id).verdict != Verdict::Cached);
    if !missing {
        return Ok(());
    }
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["run", "--no-train", "--no-report", "--linger", "0"]);
    command.arg("--cache").arg(&site.cache);
    if let Some(remote) = &site.remote {
        command.arg("--remote").arg(remote);
    }
    if let Some(file) = &site.file {
        command.arg("--site").arg(&*file.path);
    }
    for set in &arguments.file.set {
        command.arg("--set").arg(set);
    }
    command.arg("--").arg(&arguments.file.study);
    let done = command.stdout(Stdio::null()).status()?;
    if done.success() {
        return Ok(());
    }
    Err("what the study downloads could not be made; nothing was submitted".into())
}
