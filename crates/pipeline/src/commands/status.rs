//! `pipeline status`: what runs on the cache now, and how the last runs ended; or how a frozen plan is.

mod alive;
pub(super) mod plan;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use engine::{Run, utc};
use serde_json::{Value, json};

use super::failures::without_numbers;
use super::plan::duration;
use crate::cli::Cli;
use crate::cli::slurm::Status;
use crate::commands::{counted, open};
use crate::{DONE, Failure};

/// How many runs are named that have ended.
const LAST: usize = 10;

pub(crate) fn status(cli: &Cli, arguments: &Status) -> Result<u8, Failure> {
    if let Some(study) = &arguments.study {
        return plan::status(cli, arguments, study);
    }
    let store = open(cli, None)?;
    let runs = store.runs()?;
    let (alive, over): (Vec<&Run>, Vec<&Run>) = runs.iter().partition(|run| run.alive);
    if arguments.json {
        let over = over.iter().take(LAST);
        let all = alive.iter().chain(over).map(|run| as_json(run));
        outln!(
            "{}",
            serde_json::to_string_pretty(&all.collect::<Vec<_>>())?
        );
        return Ok(DONE);
    }
    if alive.is_empty() {
        outln!("no run uses {} now", store.cache().display());
    }
    for run in alive {
        print_running(run);
    }
    for run in over.into_iter().take(LAST) {
        outln!("{}", ended(run));
    }
    Ok(DONE)
}

fn print_running(run: &Run) {
    let begin = &run.begin;
    let failed = match run.failed.len() {
        0 => String::new(),
        failed => format!(", {failed} failed"),
    };
    outln!(
        "running: {} on {}, process {}, for {}: {}, {} cached at its start, {} ran since{failed}",
        begin.study,
        begin.host,
        begin.pid,
        duration(since(begin.at)),
        counted(begin.stages, "stage"),
        begin.cached,
        run.ran
    );
    for (stage, at) in &run.running {
        outln!("  {stage} for {}", duration(since(*at)));
    }
    for (stage, error, others) in alike(&run.failed) {
        let others = match others {
            0 => String::new(),
            others => format!(" (and {} alike)", counted(others, "more stage")),
        };
        outln!("  failed {stage}: {error}{others}");
    }
}

/// The first stage of each reason to fail, and how many more have it.
fn alike(failed: &[(String, String)]) -> Vec<(&str, &str, usize)> {
    let mut first: Vec<(&str, &str, usize)> = Vec::new();
    let mut known = BTreeMap::new();
    for (stage, error) in failed {
        let at = *known.entry(without_numbers(error)).or_insert(first.len());
        match first.get_mut(at) {
            Some((.., others)) => *others += 1,
            None => first.push((stage, error, 0)),
        }
    }
    first
}

/// One line on a run that is over.
fn ended(run: &Run) -> String {
    let begin = &run.begin;
    let start = date(begin.at);
    let what = match &run.end {
        None => format!("killed after {} ran", run.ran),
        Some(end) => {
            let word = if end.interrupted {
                "interrupted"
            } else {
                "ended"
            };
            let mut counts = vec![format!("{} ran", end.ran), format!("{} cached", end.cached)];
            for (count, what) in [(end.failed, "failed"), (end.skipped, "skipped")] {
                if count > 0 {
                    counts.push(format!("{count} {what}"));
                }
            }
            // Both are whole seconds.
            let time = match end.at.saturating_sub(begin.at) {
                0 => "less than a second".to_owned(),
                seconds => duration(seconds as f64),
            };
            format!("{word} after {time}: {}", counts.join(", "))
        }
    };
    format!("{start} {} on {}: {what}", begin.study, begin.host)
}

fn as_json(run: &Run) -> Value {
    let state = match &run.end {
        _ if run.alive => "running",
        None => "killed",
        Some(end) if end.interrupted => "interrupted",
        Some(_) => "ended",
    };
    let running = run
        .running
        .iter()
        .map(|(stage, at)| json!({"stage": stage, "since": date(*at)}));
    let failed = run
        .failed
        .iter()
        .map(|(stage, error)| json!({"stage": stage, "error": error}));
    json!({
        "state": state, "study": run.begin.study, "host": run.begin.host, "pid": run.begin.pid,
        "start": date(run.begin.at), "end": run.end.as_ref().map(|end| date(end.at)),
        "stages": run.begin.stages, "cached_at_start": run.begin.cached, "ran": run.ran,
        "cached": run.end.as_ref().map(|end| end.cached),
        "running": running.collect::<Vec<_>>(), "failed": failed.collect::<Vec<_>>(),
    })
}

fn date(seconds: u64) -> String {
    utc(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

/// Seconds from then to now; 0 if the clock was set back.
fn since(then: u64) -> f64 {
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(then);
    then.elapsed().unwrap_or_default().as_secs_f64()
}
