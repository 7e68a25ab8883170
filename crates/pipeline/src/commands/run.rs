//! `pipeline run`: what is not in the cache, then the report.

use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use engine::{Graph, Options, Outcome, Summary, WorkerCommand};

use super::report::Pages;
use crate::cli::{self, Cli, Site};
use crate::commands::{build, counted, load, open, plan};
use crate::progress::{self, Shown};
use crate::{DONE, FAILED, Failure, INTERRUPTED, stages};

pub(crate) fn run(cli: &Cli, arguments: &cli::Run) -> Result<u8, Failure> {
    let begun = Instant::now();
    let study = load(&arguments.file.study)?;
    let graph = study.expand();
    let store = open(&cli.cache)?;
    if arguments.plan_only {
        let planned = engine::plan(&graph, &store, &stages::kinds(), study.name())?;
        print!("{}", plan::as_text(&graph, &planned, arguments.verbose));
        return Ok(DONE);
    }
    let pages = Pages::new(study.name(), &arguments.file.study, &arguments.reports)?;
    pages.check_folder()?;
    let options = options(study.name(), &graph, arguments)?;

    let mut progress = progress::renderer(Shown::of(arguments), &graph);
    let summary = engine::run(&graph, &store, &stages::kinds(), &options, &mut |event| {
        progress.event(&event);
    });
    drop(progress);
    let summary = summary?;

    list_failures(&graph, &summary);
    let written = pages.write(&graph, &store, &summary, Some((&options, begun)))?;
    println_paths(&written);
    eprintln!(
        "{}",
        last_line(&graph, &summary, &written, begun.elapsed().as_secs_f64())
    );
    Ok(match (summary.interrupted(), summary.complete()) {
        (true, _) => INTERRUPTED,
        (false, true) => DONE,
        (false, false) => FAILED,
    })
}

fn options(study: &str, graph: &Graph, arguments: &cli::Run) -> Result<Options, Failure> {
    let Site {
        jobs,
        threads,
        device,
    } = &arguments.site;
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let interrupt = Arc::new(AtomicBool::new(false));
    // The second Ctrl-C ends this process at once; workers end with it.
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(
            signal,
            i32::from(INTERRUPTED),
            Arc::clone(&interrupt),
        )?;
        signal_hook::flag::register(signal, Arc::clone(&interrupt))?;
    }
    Ok(Options {
        study: study.to_owned(),
        jobs: jobs.unwrap_or((cores / threads).max(1)).max(1),
        site: engine::Site {
            threads: *threads,
            device: device.clone(),
        },
        worker: WorkerCommand {
            program: std::env::current_exe()?,
            args: vec!["worker".to_owned()],
            // The CPU backend computes in rayon's global pool.
            env: vec![("RAYON_NUM_THREADS".to_owned(), threads.to_string())],
        },
        build: build()?,
        keep_going: !arguments.fail_fast,
        verify: graph
            .iter()
            .filter(|(_, stage)| stage.kind == "report")
            .map(|(id, _)| id)
            .collect(),
        interrupt,
    })
}

fn list_failures(graph: &Graph, summary: &Summary) {
    for (id, stage) in graph.iter() {
        if let Outcome::Failed { error, log } = summary.outcome(id) {
            eprintln!("failed: {}: {error}", stage.name);
            if let Some(log) = log {
                eprintln!("  log: {}", log.display());
            }
        }
    }
}

/// Results go to stdout, for scripts; on a terminal the last line names them.
fn println_paths(written: &[PathBuf]) {
    if !std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        for path in written {
            println!("{}", path.display());
        }
    }
}

/// What became of the run: counts, and where the report is.
fn last_line(graph: &Graph, summary: &Summary, written: &[PathBuf], seconds: f64) -> String {
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
    let not_run =
        graph.len() - summary.ran() - summary.cached() - summary.failed() - summary.skipped();
    for (count, what) in [
        (summary.failed(), "failed"),
        (summary.skipped(), "skipped"),
        (not_run, "not run"),
        (diverged, "diverged"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    let begin = if summary.interrupted() {
        "interrupted; the same command goes on from here"
    } else {
        "done"
    };
    let report = match written {
        [] => String::new(),
        paths => format!(
            "; report: {}",
            paths
                .iter()
                .map(|path| path.display().to_string())
                .collect::<Vec<_>>()
                .join(", ")
        ),
    };
    format!(
        "{begin} after {}: {}: {}{report}",
        plan::duration(seconds),
        counted(graph.len(), "stage"),
        parts.join(", ")
    )
}
