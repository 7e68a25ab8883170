//! `pipeline run`: what is not in the cache, then the report.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use engine::{CheckpointPolicy, Event, Graph, Options, Sharing, Summary, WorkerCommand};

use super::report::Pages;
use crate::cli::{self, Cli};
use crate::commands::{build, counted, expand, failures, load, plan};
use crate::live::{self, Live, News};
use crate::machine::cores;
use crate::output::out;
use crate::progress::{self, Shown};
use crate::provenance::Ran;
use crate::site::{Resources, Site, Use};
use crate::{DONE, FAILED, Failure, INTERRUPTED, signals, stages};

/// A page so far that took less than this, in seconds, is drawn once more at the end of a run that has no finished one.
const LAST_PAGE: f64 = 3.0;

pub(crate) fn run(cli: &Cli, arguments: &cli::Run) -> Result<u8, Failure> {
    let begun = Instant::now();
    let study = load(&arguments.file)?;
    let site = Site::find(cli, Some(&arguments.file.study))?;
    let store = site.store(if arguments.plan_only {
        Use::Read
    } else {
        Use::Run
    })?;
    let graph = expand(&study, &store)?;
    let checkpoints = site.checkpoints(&arguments.checkpoints);
    if arguments.plan_only {
        let planned = engine::plan(&graph, &store, &stages::kinds(), study.name())?;
        out(plan::as_text(&graph, &planned, arguments.verbose));
        return Ok(DONE);
    }
    let pages = Pages::new(&study, &arguments.file.study, &arguments.reports);
    pages.check_folder()?;
    let resources = site.resources(&arguments.site, cores())?;
    let options = Options {
        keep_going: !arguments.fail_fast,
        sharing: Site::sharing(&arguments.sharing),
        ..options(study.name(), &graph, resources, checkpoints)?
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

    let after = match (arguments.live, arguments.no_live) {
        (true, _) => Some(Duration::ZERO),
        (_, true) => None,
        _ => Some(live::LONG),
    };
    let reports = graph.stages().iter().any(|stage| stage.kind == "report");
    let subject = live::Subject {
        of: &pages.of,
        graph: &graph,
        cache: store.cache(),
        remote: site.remote.as_deref(),
        folder: &pages.folder,
    };
    let mut progress = progress::renderer(Shown::of(arguments), &graph, options.jobs);
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
        let summary = engine::run(&graph, &store, &stages::kinds(), &options, &mut |event| {
            if let Event::Planned {
                run,
                new,
                maybe,
                seconds,
                ..
            } = &event
                && run + new + maybe > 0
            {
                let ahead = plan::Ahead {
                    study: &study,
                    graph: &graph,
                    stages: run + new + maybe,
                    seconds: *seconds,
                    jobs: options.jobs,
                };
                if !arguments.quiet {
                    crate::output::err(&ahead.in_words(store.cache()));
                }
                // It only says how long the rest takes.
                let expected = engine::expected_seconds(&graph, &store, study.name());
                progress.expect(expected.unwrap_or_default());
                live = after
                    .filter(|_| reports)
                    .map(|after| Live::start(scope, subject, after));
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

    failures::list(&graph, &summary);
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
    let written = pages.write(&graph, &store, &summary, Some(&ran))?;
    // Else a page so far would go on saying what runs. Where that takes its time, whoever ended the run does not wait.
    let so_far = if !summary.complete() && drawn.is_some_and(|seconds| seconds < LAST_PAGE) {
        pages.write_so_far(&graph, &store, None)?
    } else {
        Vec::new()
    };
    println_paths(&written);
    let pages = [("report", written), ("the page so far", so_far)];
    errln!(
        "{}",
        last_line(&graph, &summary, &pages, begun.elapsed().as_secs_f64())
    );
    Ok(match (summary.interrupted(), is_well(&summary)) {
        (true, _) => INTERRUPTED,
        (false, true) => DONE,
        (false, false) => FAILED,
    })
}

/// Whether all that this copy of the program could do is done.
fn is_well(summary: &Summary) -> bool {
    let done = summary.ran() + summary.cached() + summary.elsewhere();
    done == summary.outcomes().len()
}

fn options(
    study: &str,
    graph: &Graph,
    resources: Resources,
    checkpoints: CheckpointPolicy,
) -> Result<Options, Failure> {
    let threads = resources.threads;
    Ok(Options {
        study: study.to_owned(),
        jobs: resources.jobs,
        gpus: resources.gpus,
        site: engine::Site {
            threads,
            device: resources.device,
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
