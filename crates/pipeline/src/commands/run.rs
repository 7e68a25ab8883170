//! `pipeline run`: what is not in the cache, then the report.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::{
    CheckpointPolicy, Event, Frozen, Graph, Options, Plan, Sharing, Store, Summary, WorkerCommand,
};
use study::Study;

use super::report::Pages;
use super::status::plan::tell_failures;
use crate::cli::{self, Cli};
use crate::commands::{build, counted, expand, failures, freeze, load, plan};
use crate::live::{self, Live, News};
use crate::machine::{Machine, device_class};
use crate::output::out;
use crate::progress::{self, Shown};
use crate::provenance::Ran;
use crate::site::{Resources, Site, Use};
use crate::so_far::Quoted;
use crate::{DONE, FAILED, Failure, INTERRUPTED, REQUEUED, signals, slurm, stages};

/// A page so far that took less than this, in seconds, is drawn once more at the end of a run that has no finished one.
const LAST_PAGE: f64 = 3.0;

pub(crate) fn run(cli: &Cli, arguments: &cli::Run) -> Result<u8, Failure> {
    let begun = Instant::now();
    let site = Site::find(cli, arguments.study.as_deref())?;
    let use_of = if arguments.plan_only {
        Use::Read
    } else {
        Use::Run
    };
    let (store, subject) = Subject::open(&site, use_of, arguments)?;
    let (graph, study) = (subject.graph(), subject.of.study.clone());
    let checkpoints = site.checkpoints(&arguments.checkpoints);
    if arguments.plan_only {
        let planned = subject.plan(&store)?;
        out(plan::as_text(graph, &planned, arguments.verbose));
        return Ok(DONE);
    }
    let frozen = subject.frozen();
    if let Some(frozen) = frozen {
        frozen.check_build(&build()?)?;
    }
    let pages = Pages::of(subject.of.clone(), &arguments.reports);
    if !arguments.no_report {
        pages.check_folder()?;
    }
    let machine = Machine::here();
    let mut resources = site.resources(&arguments.site, &machine)?;
    if let Some(line) = resources.on_gpus_by_default()
        && !arguments.quiet
    {
        errln!("{line}");
    }
    if resources.jobs_by_gpu {
        let planned = subject.plan(&store)?;
        let why = plan::share_gpus(&mut resources, graph, &planned, &machine);
        if let Some(why) = why
            && !arguments.quiet
        {
            errln!("{why}");
        }
    }
    let leave = leave(arguments, frozen.map(|it| &**it), &resources.device)?;
    let options = Options {
        keep_going: frozen.map_or(!arguments.fail_fast, |frozen| frozen.keep_going),
        sharing: Sharing {
            leave,
            job: slurm::own_task(),
            ..Site::sharing(&arguments.sharing)
        },
        frozen: frozen.cloned(),
        ..options(&study, graph, &resources, checkpoints)?
    };

    let trains = graph.stages().iter().any(|stage| stage.kind == "train");
    if let Some(note) = training::device::unused_gpu(&options.site.device)
        && trains
        && !arguments.quiet
    {
        errln!("note: {note}");
    }

    if let Some(remote) = store.remote()
        && let Some(why) = remote.read_only()
        && !arguments.quiet
    {
        errln!(
            "note: the remote {} cannot be written ({why}): results are taken from it, and none go there",
            remote.shown()
        );
    }

    let no_live = arguments.no_live || arguments.no_report || frozen.is_some();
    let after = match (arguments.live, no_live) {
        (true, _) => Some(Duration::ZERO),
        (_, true) => None,
        _ => Some(live::LONG),
    };
    let reports = graph.stages().iter().any(|stage| stage.kind == "report");
    let drawn_of = live::Subject {
        of: &pages.of,
        graph,
        cache: store.cache(),
        remote: site.remote.as_deref(),
        folder: &pages.folder,
    };
    let mut progress = progress::renderer(Shown::of(arguments), graph, options.jobs);
    // What the last page took of a processor.
    let mut drawn: Option<f64> = None;
    let summary = std::thread::scope(|scope| {
        let mut live = None;
        let mut tell = |live: &Live<'_>, progress: &mut dyn progress::Renderer| {
            for news in live.news() {
                if let News::Page { cpu_seconds, .. } = &news {
                    drawn = Some(*cpu_seconds);
                }
                progress.news(&news);
            }
        };
        let summary = engine::run(graph, &store, &stages::kinds(), &options, &mut |event| {
            if let Event::Planned {
                run,
                new,
                maybe,
                seconds,
                largest,
                ..
            } = &event
                && run + new + maybe > 0
            {
                if !arguments.quiet && !arguments.part.no_train {
                    let at_once = plan::AtOnce {
                        graph,
                        resources: &resources,
                        largest: *largest,
                        leaves: frozen.is_some(),
                    };
                    let said = match &subject.what {
                        What::Plan(_) => at_once.if_short(),
                        What::Study(study, _) => plan::Ahead {
                            study,
                            stages: run + new + maybe,
                            seconds: *seconds,
                            at_once,
                        }
                        .in_words(store.cache()),
                    };
                    crate::output::err(&said);
                }
                // It only says how long the rest takes.
                let expected = match frozen {
                    Some(frozen) => frozen.expected_seconds(),
                    None => engine::expected_seconds(graph, &store, &study).unwrap_or_default(),
                };
                progress.expect(expected);
                live = after
                    .filter(|_| reports)
                    .map(|after| Live::start(scope, drawn_of, after));
            }
            progress.event(&event);
            if let Some(live) = &live {
                tell(live, &mut *progress);
            }
        });
        if let Some(live) = &mut live {
            live.stop();
            tell(live, &mut *progress);
        }
        summary
    });
    drop(progress);
    let summary = summary?;

    failures::list(graph, &summary);
    if let Some(remote) = store.remote()
        && arguments.verbose
    {
        errln!(
            "the remote {} was asked {}",
            remote.shown(),
            counted(remote.asked(), "time")
        );
    }
    let ran = Ran {
        options: &options,
        begun,
        site: site.file.as_ref(),
    };
    let written = if arguments.no_report {
        Vec::new()
    } else {
        pages.write(graph, &store, &summary, Some(&ran))?
    };
    // Else a page so far would go on saying what runs. Where that takes its time, whoever ended the run does not wait.
    let so_far = if !summary.complete() && drawn.is_some_and(|seconds| seconds < LAST_PAGE) {
        pages.write_so_far(graph, &store, None)?
    } else {
        Vec::new()
    };
    println_paths(&written);
    // Who leaves the runs to others is done when they are; where they failed, nobody else says so.
    let failed_elsewhere = match frozen {
        Some(frozen) if arguments.part.no_train && summary.elsewhere() > 0 => {
            tell_failures(frozen, &store)?
        }
        _ => false,
    };
    let pages = [("report", written), ("the page so far", so_far)];
    errln!(
        "{}",
        last_line(graph, &summary, &pages, begun.elapsed().as_secs_f64())
    );
    Ok(match (summary.interrupted(), is_well(&summary)) {
        (true, _) if arguments.requeue && signals::time_is_up() => {
            if let Err(error) = slurm::requeue() {
                errln!(
                    "note: where nodes may not do this, `slurm: {{ waves: … }}` in the site file stands in for it"
                );
                return Err(error.into());
            }
            errln!(
                "the time limit is near: this task goes on once the cluster has a place for it again"
            );
            REQUEUED
        }
        (true, _) => INTERRUPTED,
        (false, true) if !failed_elsewhere => DONE,
        (false, _) => FAILED,
    })
}

/// What runs: a study file, or the plan that one was frozen to.
struct Subject {
    what: What,
    /// What pages quote of it.
    of: Quoted,
}

enum What {
    Study(Box<Study>, Graph),
    Plan(Arc<Frozen>),
}

impl Subject {
    fn open(site: &Site, use_of: Use, arguments: &cli::Run) -> Result<(Store, Self), Failure> {
        let Some(file) = arguments.file() else {
            let store = site.store(use_of)?;
            let name = arguments.part.plan.as_deref().unwrap_or_default();
            let frozen = freeze::find(&store, name)?;
            let of = freeze::quoted(&frozen)?;
            let what = What::Plan(Arc::new(frozen));
            return Ok((store, Self { what, of }));
        };
        let study = load(&file)?;
        let store = site.store(use_of)?;
        let graph = expand(&study, &store)?;
        let of = Quoted::new(&study, &file.study);
        let what = What::Study(Box::new(study), graph);
        Ok((store, Self { what, of }))
    }

    fn graph(&self) -> &Graph {
        match &self.what {
            What::Study(_, graph) => graph,
            What::Plan(frozen) => &frozen.graph,
        }
    }

    /// What a run would do.
    fn plan(&self, store: &Store) -> Result<Plan, engine::Error> {
        match &self.what {
            What::Study(_, graph) => engine::plan(graph, store, &stages::kinds(), &self.of.study),
            What::Plan(frozen) => frozen.plan(store, &stages::kinds()),
        }
    }

    fn frozen(&self) -> Option<&Arc<Frozen>> {
        match &self.what {
            What::Study(..) => None,
            What::Plan(frozen) => Some(frozen),
        }
    }
}

/// The kinds of stage that this copy leaves to others: those that train, where it is told so or computes on something
/// else than the plan was frozen for.
fn leave(
    arguments: &cli::Run,
    frozen: Option<&Frozen>,
    device: &str,
) -> Result<Vec<String>, Failure> {
    let mut leaves = arguments.part.no_train;
    if let Some(frozen) = frozen
        && !leaves
        && !arguments.part.any_device
    {
        let class = device_class(device)?;
        leaves = class != frozen.device;
        if leaves && !arguments.quiet {
            errln!(
                "note: this machine trains on {class}, and the plan {} was frozen for {}: this copy trains nothing and \
                 does the rest; with `--any-device` it trains, and devices are mixed",
                frozen.plan_id(),
                frozen.device
            );
        }
    }
    let kinds = stages::TRAINS.iter().filter(|_| leaves);
    Ok(kinds.map(|&kind| kind.to_owned()).collect())
}

/// Whether all that this copy of the program could do is done.
fn is_well(summary: &Summary) -> bool {
    let done = summary.ran() + summary.cached() + summary.elsewhere();
    done == summary.outcomes().len()
}

fn options(
    study: &str,
    graph: &Graph,
    resources: &Resources,
    checkpoints: CheckpointPolicy,
) -> Result<Options, Failure> {
    let threads = resources.threads;
    Ok(Options {
        study: study.to_owned(),
        jobs: resources.jobs,
        gpus: resources.gpus.clone(),
        memory: resources.memory.clone(),
        site: engine::Site {
            threads,
            device: resources.device.clone(),
            gpu: None,
            checkpoints,
        },
        worker: WorkerCommand {
            program: std::env::current_exe()?,
            args: vec!["worker".to_owned()],
            env: vec![
                // The CPU backend computes in rayon's global pool.
                ("RAYON_NUM_THREADS".to_owned(), threads.to_string()),
                // Else the allocator gives memory that one step has freed back before the next asks for it, and the
                // system clears each page anew.
                ("MIMALLOC_PURGE_DELAY".to_owned(), "-1".to_owned()),
            ],
        },
        build: build()?,
        keep_going: true,
        sharing: Sharing::default(),
        frozen: None,
        verify: graph
            .iter()
            .filter(|(_, stage)| stage.kind == "report")
            .map(|(id, _)| id)
            .collect(),
        interrupt: signals::interrupt()?,
    })
}

/// Results go to stdout, for scripts; on a terminal the last line names them.
fn println_paths(written: &[PathBuf]) {
    if !std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        for path in written {
            outln!("{}", path.display());
        }
    }
}

/// What became of the run: counts, and where the report is.
fn last_line(
    graph: &Graph,
    summary: &Summary,
    written: &[(&str, Vec<PathBuf>)],
    seconds: f64,
) -> String {
    let diverged = graph
        .ids()
        .filter(|&id| {
            summary
                .record(id)
                .is_some_and(|record| stages::diverged(record))
        })
        .count();
    let mut parts = vec![
        format!("{} ran", summary.ran()),
        format!("{} cached", summary.cached()),
    ];
    let elsewhere = summary.elsewhere();
    let not_run = graph.len()
        - summary.ran()
        - summary.cached()
        - summary.failed()
        - summary.skipped()
        - elsewhere;
    for (count, what) in [
        (summary.failed(), "failed"),
        (summary.skipped(), "skipped"),
        (elsewhere, "elsewhere"),
        (not_run, "not run"),
        (diverged, "diverged"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    let begin = match (summary.interrupted(), is_well(summary)) {
        (true, _) => "interrupted",
        (false, true) => "done",
        (false, false) => "failed",
    };
    let there = written.iter().filter(|(_, paths)| !paths.is_empty());
    let report = there.map(|(what, paths)| {
        let paths: Vec<String> = paths.iter().map(|it| it.display().to_string()).collect();
        format!("; {what}: {}", paths.join(", "))
    });
    let report = report.collect::<Vec<_>>().concat();
    let next = if summary.interrupted() {
        "; the same command goes on from here"
    } else if elsewhere > 0 {
        "; other machines have the rest, and the same command takes part again or, when they are done, draws the report"
    } else {
        ""
    };
    format!(
        "{begin} after {}: {}: {}{next}{report}",
        plan::duration(seconds),
        counted(graph.len(), "stage"),
        parts.join(", ")
    )
}
