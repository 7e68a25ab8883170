//! How a frozen plan is, from its remote alone: whoever reaches that may ask, on any machine.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::Path;
use std::time::{Duration, Instant};

use console::Term;
use engine::{CopySeen, Digest, FailureSeen, Frozen, Plan, Sharing, Store, Verdict, size};
use serde_json::{Value, json};

use super::alive;
use crate::cli::Cli;
use crate::cli::slurm::Status;
use crate::commands::plan::{duration, grouped};
use crate::commands::{counted, freeze, name_of};
use crate::output::out;
use crate::pace::Paces;
use crate::site::{Site, Use};
use crate::slurm::{self, Task, job_name};
use crate::{DONE, Failure, stages};

/// How often `--watch` looks.
const EVERY: Duration = Duration::from_secs(5);
/// Between two signs of life of a copy lies a minute at most.
const LONG: Duration = Duration::from_secs(90);
/// Lines of a failed stage's log that are shown.
const TAIL: usize = 5;
/// Failures that are shown, and stages of a copy.
const SHOWN: usize = 10;

pub(super) fn status(cli: &Cli, arguments: &Status, study: &str) -> Result<u8, Failure> {
    let site = Site::find(cli, Some(Path::new(study)).filter(|path| path.is_file()))?;
    let name = name_of(study)?;
    let frozen = freeze::find(&site.store(Use::Read)?, &name)?;
    if arguments.json {
        let seen = Seen::of(&frozen, &site.store(Use::Read)?)?;
        outln!(
            "{}",
            serde_json::to_string_pretty(&seen.as_json(&queue(&frozen)))?
        );
        return Ok(DONE);
    }
    let screen = Term::stdout();
    let clears = arguments.watch && std::io::stdout().is_terminal();
    let mut silence = Silence::default();
    let mut is_away = false;
    // Opened anew: what it knows of the remote is of the moment when it was opened.
    let look = || Seen::of(&frozen, &site.store(Use::Read)?);
    loop {
        match look() {
            Ok(mut seen) => {
                is_away = false;
                silence.take_note(&seen.copies);
                // As the other copies see it: what such a one had is no longer its own.
                seen.copies.retain(|copy| !silence.is_for_good(copy));
                let text = seen.in_words(&silence, &queue(&frozen));
                if clears {
                    screen.clear_screen()?;
                }
                out(&text);
                if arguments.alive && !seen.is_done() {
                    let look = || copies(&frozen, &site.store(Use::Read)?);
                    out(&alive::wait(&seen.copies, &alive::PAUSES, look)?);
                } else if !arguments.watch
                    && std::io::stdout().is_terminal()
                    && !seen.is_done()
                    && seen.copies.iter().any(|copy| !copy.ended)
                {
                    errln!("`--alive` waits a minute and says which of these copies live");
                }
                if !arguments.watch || seen.is_done() {
                    return Ok(DONE);
                }
            }
            // It was there a moment ago. Copies that cannot be heard are not silent.
            Err(failure) if arguments.watch => {
                if !std::mem::replace(&mut is_away, true) {
                    crate::tell(&failure);
                }
                silence = Silence::default();
            }
            Err(failure) => return Err(failure),
        }
        std::thread::sleep(EVERY);
    }
}

fn copies(frozen: &Frozen, store: &Store) -> Result<Vec<CopySeen>, Failure> {
    let remote = store.remote().ok_or("the remote has gone")?;
    Ok(remote.copies(&frozen.plan_id())?)
}

/// The tasks of a plan in Slurm's queue, or why they are not known.
type Queue = Result<Vec<Task>, slurm::Error>;

/// Where there is no Slurm, nobody waits in its queue.
fn queue(frozen: &Frozen) -> Queue {
    match slurm::queue(&[job_name(&frozen.plan_id())]) {
        Err(slurm::Error::Missing { .. }) => Ok(Vec::new()),
        queue => queue,
    }
}

/// `3 running, 12 pending (Resources)`.
fn in_words(queue: &[Task]) -> String {
    let mut by_state: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for task in queue {
        let reason = if task.state == "PENDING" {
            &*task.reason
        } else {
            ""
        };
        *by_state.entry((&task.state, reason)).or_default() += 1;
    }
    let mut text = String::new();
    for ((state, reason), count) in by_state {
        let comma = if text.is_empty() { "" } else { ", " };
        let state = state.to_lowercase();
        let reason = match reason {
            "" | "None" => String::new(),
            reason => format!(" ({reason})"),
        };
        write!(text, "{comma}{} {state}{reason}", counted(count, "task"))
            .expect("a String takes everything");
    }
    text
}

/// Says which stages of a plan failed on other machines: whether there are such.
pub(crate) fn tell_failures(frozen: &Frozen, store: &Store) -> Result<bool, Failure> {
    let words = Seen::of(frozen, store)?.failures_in_words();
    crate::output::err(&words);
    Ok(!words.is_empty())
}

/// How long nothing was heard of copies, as it was watched here: clocks of others are not compared.
#[derive(Default)]
struct Silence {
    heard: HashMap<String, (u64, Instant)>,
}

impl Silence {
    fn take_note(&mut self, copies: &[CopySeen]) {
        for copy in copies {
            let news = (copy.counter, Instant::now());
            let heard = self.heard.entry(copy.name.clone()).or_insert(news);
            if heard.0 != copy.counter {
                *heard = news;
            }
        }
    }

    /// What to say of it: nothing, unless it is longer than between two signs of life.
    fn of(&self, copy: &CopySeen) -> String {
        let long = self.lasts(copy);
        if long <= LONG {
            return String::new();
        }
        format!(", no sign of life for {}", duration(long.as_secs_f64()))
    }

    /// Whether it has lasted so long that the copy counts as gone.
    fn is_for_good(&self, copy: &CopySeen) -> bool {
        self.lasts(copy) > Sharing::default().ttl
    }

    fn lasts(&self, copy: &CopySeen) -> Duration {
        let heard = self.heard.get(&copy.name);
        heard.map_or(Duration::ZERO, |(_, at)| at.elapsed())
    }
}

/// A plan at one moment.
struct Seen<'a> {
    frozen: &'a Frozen,
    plan: Plan,
    copies: Vec<CopySeen>,
    failures: Vec<FailureSeen>,
}

/// Runs by how they are.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    all: usize,
    done: usize,
    diverged: usize,
    running: usize,
    failed: usize,
}

impl<'a> Seen<'a> {
    fn of(frozen: &'a Frozen, store: &Store) -> Result<Self, Failure> {
        let plan = frozen.plan(store, &stages::kinds())?;
        let id = frozen.plan_id();
        let remote = store.remote().ok_or("the remote has gone")?;
        Ok(Self {
            copies: copies(frozen, store)?,
            failures: remote.failures(&id)?,
            frozen,
            plan,
        })
    }

    fn trains(&self) -> impl Iterator<Item = (engine::StageId, &engine::Stage)> {
        let stages = self.frozen.graph.iter();
        stages.filter(|(_, stage)| stages::TRAINS.contains(&&*stage.kind))
    }

    fn is_open(&self, id: engine::StageId) -> bool {
        let verdict = &self.plan.stage(id).verdict;
        !matches!(verdict, Verdict::Cached | Verdict::Shared { .. })
    }

    fn is_done(&self) -> bool {
        self.frozen.graph.ids().all(|id| !self.is_open(id))
    }

    /// The stages that copies have, which have not said that they ended.
    fn running(&self) -> HashSet<Digest> {
        let alive = self.copies.iter().filter(|copy| !copy.ended);
        alive
            .flat_map(|copy| copy.holds.iter().map(|held| held.key))
            .collect()
    }

    /// The last failure of each stage that failed as often as it may.
    fn failed(&self) -> Vec<(&engine::Stage, &FailureSeen)> {
        let mut of: BTreeMap<Digest, Vec<&FailureSeen>> = BTreeMap::new();
        for failure in &self.failures {
            of.entry(failure.key).or_default().push(failure);
        }
        let running = self.running();
        let stages = self.frozen.graph.iter().filter(|(id, _)| self.is_open(*id));
        let failed = stages.filter_map(|(id, stage)| {
            let key = self.plan.stage(id).key?;
            let failures = of.get(&key)?;
            let is_over = failures.len() > stage.execution.retries as usize;
            let last = failures
                .last()
                .filter(|_| is_over && !running.contains(&key))?;
            Some((stage, *last))
        });
        failed.collect()
    }

    /// What no machine that has worked on the plan so far is large enough for: how many stages, the largest one, and how
    /// much memory the largest machine gives one.
    fn too_large(&self) -> Option<(usize, &engine::Stage, u64)> {
        let machines = self.copies.iter().map(|copy| copy.memory);
        let largest: Option<u64> = machines.collect::<Option<Vec<u64>>>()?.into_iter().max();
        let largest = largest?;
        let open = self.frozen.graph.iter().filter(|(id, _)| self.is_open(*id));
        let stages = open.map(|(_, stage)| stage);
        let stages: Vec<_> = stages
            .filter(|stage| stage.execution.memory > largest)
            .collect();
        let most = *stages
            .iter()
            .rev()
            .max_by_key(|stage| stage.execution.memory)?;
        Some((stages.len(), most, largest))
    }

    fn counts(&self) -> Counts {
        let running = self.running();
        let failed: HashSet<&str> = self
            .failed()
            .iter()
            .map(|(stage, _)| &*stage.name)
            .collect();
        let mut counts = Counts::default();
        for (id, stage) in self.trains() {
            counts.all += 1;
            let planned = self.plan.stage(id);
            if !self.is_open(id) {
                counts.done += 1;
                let diverged = planned.record.as_deref().is_some_and(stages::diverged);
                counts.diverged += usize::from(diverged);
            } else if planned.key.is_some_and(|key| running.contains(&key)) {
                counts.running += 1;
            } else if failed.contains(&*stage.name) {
                counts.failed += 1;
            }
        }
        counts
    }

    /// Seconds until all runs are done, if as many go on at once as now.
    fn seconds_left(&self, counts: &Counts) -> Option<f64> {
        if counts.running == 0 {
            return None;
        }
        let mut paces = Paces::default();
        for (id, stage) in self.trains() {
            if let Some(record) = &self.plan.stage(id).record {
                paces.add(stage, record.provenance.seconds);
            }
        }
        let of_plan = |id: engine::StageId| {
            let seconds = self.frozen.seconds.get(id.index()).copied();
            seconds.filter(|&seconds| seconds > 0.0)
        };
        let open = self.trains().filter(|(id, _)| self.is_open(*id));
        let left = open.map(|(id, stage)| paces.expected(stage).or_else(|| of_plan(id)));
        let left: Option<f64> = left.sum();
        left.map(|left| left / counts.running as f64)
    }

    fn in_words(&self, silence: &Silence, queue: &Queue) -> String {
        let counts = self.counts();
        let mut text = format!("{}, on {}\n", self.frozen.plan_id(), self.frozen.device);
        let mut line = |words: String| {
            text += &words;
            text.push('\n');
        };
        let diverged = match counts.diverged {
            0 => String::new(),
            diverged => format!(" ({diverged} diverged)"),
        };
        let mut parts = vec![format!(
            "{} of {} done{diverged}",
            grouped(counts.done as u64),
            match counts.all {
                1 => "1 run".to_owned(),
                runs => format!("{} runs", grouped(runs as u64)),
            }
        )];
        for (count, what) in [(counts.running, "running"), (counts.failed, "failed")] {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        }
        let waiting = counts.all - counts.done - counts.running - counts.failed;
        if waiting > 0 {
            parts.push(format!("{waiting} waiting"));
        }
        if let Some(seconds) = self.seconds_left(&counts) {
            parts.push(format!("about {} left", duration(seconds)));
        }
        line(parts.join(", "));
        if self.is_done() {
            line("all done".to_owned());
        }
        if let Some((stages, most, memory)) = self.too_large() {
            line(format!(
                "{} too large for each machine so far: `{}` takes about {}, and none gives one more than {}",
                counted(stages, "stage"),
                most.name,
                size(most.execution.memory),
                size(memory)
            ));
        }
        match queue {
            Ok(queue) if queue.is_empty() => {}
            Ok(queue) => line(format!("in the queue: {}", in_words(queue))),
            Err(error) => line(format!("what is in the queue is not known: {error}")),
        }
        // What was not heard of any more has nothing that is still wanted.
        let alive = self
            .copies
            .iter()
            .filter(|copy| !copy.ended && !self.is_done());
        for copy in alive {
            let job = copy
                .job
                .as_ref()
                .map_or_else(String::new, |job| format!(", job {job}"));
            line(format!(
                "{}{job}, since {}: {} running, {} published{}",
                copy.host,
                copy.started,
                copy.holds.len(),
                copy.settled,
                silence.of(copy)
            ));
            for held in copy.holds.iter().take(SHOWN) {
                let name = held.name.as_deref().unwrap_or("a stage about to begin");
                let far = held.progress.as_ref().map_or_else(String::new, |progress| {
                    format!(
                        "  {} of {}  {}",
                        progress.done, progress.total, progress.text
                    )
                });
                line(format!("  {name}{}", far.trim_end()));
            }
            if copy.holds.len() > SHOWN {
                line(format!("  and {} more", copy.holds.len() - SHOWN));
            }
        }
        text + &self.failures_in_words()
    }

    fn failures_in_words(&self) -> String {
        let mut text = String::new();
        let mut line = |words: String| {
            text += &words;
            text.push('\n');
        };
        let failed = self.failed();
        for (stage, failure) in failed.iter().take(SHOWN) {
            line(format!("failed: {}: {}", stage.name, failure.why));
            let lines: Vec<&str> = failure.tail.lines().collect();
            for last in &lines[lines.len().saturating_sub(TAIL)..] {
                line(format!("  | {last}"));
            }
        }
        if failed.len() > SHOWN {
            line(format!(
                "and {} that failed",
                counted(failed.len() - SHOWN, "more stage")
            ));
        }
        text
    }

    fn as_json(&self, queue: &Queue) -> Value {
        let counts = self.counts();
        let copies = self.copies.iter().map(|copy| {
            let holds = copy.holds.iter().map(|held| {
                json!({"stage": held.name, "attempt": held.attempt, "checkpoint": held.depth, "progress": held.progress})
            });
            json!({
                "name": copy.name, "host": copy.host, "job": copy.job, "started": copy.started, "ended": copy.ended,
                "memory": copy.memory, "holds": holds.collect::<Vec<_>>(), "published": copy.settled, "ran": copy.ran, "failed": copy.failed,
            })
        });
        let failed = self.failed();
        let failed = failed.iter().map(|(stage, failure)| {
            json!({"stage": stage.name, "copy": failure.copy, "why": failure.why, "log": failure.tail})
        });
        let task = |it: &Task| json!({"task": it.id, "state": it.state, "reason": it.reason});
        let tasks = queue.as_ref().ok();
        let tasks = tasks.map(|tasks| tasks.iter().map(task).collect::<Vec<_>>());
        json!({
            "plan": self.frozen.plan_id().to_string(), "study": self.frozen.study, "device": self.frozen.device,
            "runs": counts.all, "done": counts.done, "diverged": counts.diverged, "running": counts.running,
            "failed": counts.failed, "too_large": self.too_large().map_or(0, |(stages, ..)| stages),
            "seconds_left": self.seconds_left(&counts), "complete": self.is_done(),
            "copies": copies.collect::<Vec<_>>(), "failures": failed.collect::<Vec<_>>(),
            "queue": tasks, "queue_error": queue.as_ref().err().map(ToString::to_string),
        })
    }
}
