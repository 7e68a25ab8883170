//! Lines that read well in a log: the plan, each stage of the study as it is done, and a line now and then.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::{Duration, Instant};

use engine::{Event, Graph, Progress, StageId};

use super::Renderer;
use super::watch::{Running, Watch};
use crate::commands::{counted, failures::without_numbers, plan::duration};
use crate::live::News;
use crate::stages;

/// A line about a long run at most this often, and at most so often over all its time so far.
const EVERY: Duration = Duration::from_secs(10);
const LINES: u32 = 60;

pub(crate) struct Plain<'a> {
    graph: &'a Graph,
    quiet: bool,
    verbose: bool,
    tally: Tally<'a>,
    watch: Watch<'a>,
    start: Instant,
    last: Instant,
}

/// How far each stage of the study is.
pub(crate) struct Tally<'a> {
    graph: &'a Graph,
    families: BTreeMap<&'a str, Family>,
    settled: usize,
    /// Stages that other machines have done, and whose results are not here yet.
    elsewhere: HashSet<StageId>,
    diverged: usize,
    failed: usize,
    /// Reasons to fail that were said.
    told: BTreeSet<String>,
    /// Whether it was said that a checkpoint is not kept.
    not_kept: bool,
    /// Whether it was said that a result differs from the remote's.
    differs: bool,
}

#[derive(Default)]
struct Family {
    open: usize,
    ran: usize,
    cached: usize,
    diverged: usize,
    seconds: f64,
}

impl<'a> Tally<'a> {
    pub(crate) fn new(graph: &'a Graph) -> Self {
        let mut families: BTreeMap<&str, Family> = BTreeMap::new();
        for stage in graph.stages() {
            families.entry(&stage.family).or_default().open += 1;
        }
        Self {
            graph,
            families,
            settled: 0,
            elsewhere: HashSet::new(),
            diverged: 0,
            failed: 0,
            told: BTreeSet::new(),
            not_kept: false,
            differs: false,
        }
    }

    /// Stages that have their result or failed, here or on another machine as far as that is known.
    pub(crate) fn settled(&self) -> usize {
        self.settled + self.elsewhere.len()
    }

    /// Runs that diverged in this run of the study.
    pub(crate) fn diverged(&self) -> usize {
        self.diverged
    }

    /// Stages that failed in this run of the study.
    pub(crate) fn failed(&self) -> usize {
        self.failed
    }

    /// Whether an event tells what was not told before: stages that fail alike are one piece of news, and counted.
    pub(crate) fn is_news(&mut self, event: &Event) -> bool {
        match event {
            Event::Differs { .. } => !std::mem::replace(&mut self.differs, true),
            Event::Failed { error, .. } | Event::Retrying { error, .. } => {
                let kind = matches!(event, Event::Failed { .. });
                self.told
                    .insert(format!("{kind} {}", without_numbers(error)))
            }
            _ => true,
        }
    }

    /// Counts an event; gives a line when it was the last of its stage of the study, and when it is the first to tell
    /// that a checkpoint is not kept.
    pub(crate) fn count(&mut self, event: &Event) -> Option<String> {
        if let Event::CheckpointNotKept { stage, error } = event {
            let first = !std::mem::replace(&mut self.not_kept, true);
            let name = &self.graph.stage(*stage).name;
            return first.then(|| {
                format!(
                    "a checkpoint of {name} is not kept: {error}; it goes on, and after a crash it starts from \
                     further back (--checkpoint-space)"
                )
            });
        }
        if let Event::Others { done, .. } = event {
            self.elsewhere.extend(done);
        }
        if let Event::Started { stage } = event {
            self.elsewhere.remove(stage);
        }
        let (Event::Cached { stage }
        | Event::Finished { stage, .. }
        | Event::Failed { stage, .. }
        | Event::Skipped { stage, .. }) = event
        else {
            return None;
        };
        self.elsewhere.remove(stage);
        let name = self.graph.stage(*stage).family.as_str();
        let family = self.families.get_mut(name)?;
        family.open = family.open.saturating_sub(1);
        self.settled += 1;
        match event {
            Event::Cached { .. } => family.cached += 1,
            Event::Finished { seconds, notes, .. } => {
                family.ran += 1;
                family.seconds += seconds;
                if stages::notes_say_diverged(notes) {
                    family.diverged += 1;
                    self.diverged += 1;
                }
            }
            Event::Failed { .. } => self.failed += 1,
            _ => {}
        }
        // A stage that was settled and is made again is counted twice; the family is then done already.
        (family.open == 0 && family.ran > 0).then(|| {
            let mut parts = vec![format!("{} ran", family.ran)];
            for (count, what) in [(family.cached, "cached"), (family.diverged, "diverged")] {
                if count > 0 {
                    parts.push(format!("{count} {what}"));
                }
            }
            format!(
                "{name}: {} ({} of work)",
                parts.join(", "),
                duration(family.seconds)
            )
        })
    }
}

impl<'a> Plain<'a> {
    pub(crate) fn new(graph: &'a Graph, jobs: usize, quiet: bool, verbose: bool) -> Self {
        Self {
            graph,
            quiet,
            verbose,
            tally: Tally::new(graph),
            watch: Watch::new(graph, jobs),
            start: Instant::now(),
            last: Instant::now(),
        }
    }

    fn name(&self, stage: StageId) -> &str {
        &self.graph.stage(stage).name
    }

    fn stage_line(&self, event: &Event) -> Option<String> {
        match event {
            Event::Cached { stage } => Some(format!("cached {}", self.name(*stage))),
            Event::Started { stage } => Some(format!("started {}", self.name(*stage))),
            Event::Finished { stage, seconds, .. } => {
                Some(format!("finished {} in {seconds:.2} s", self.name(*stage)))
            }
            Event::Waiting { stage } => Some(format!(
                "waiting for another process: {}",
                self.name(*stage)
            )),
            _ => None,
        }
    }
}

/// How far a stage that runs is: `kfac/seed=0 120/234 loss 1.912`.
fn in_words(graph: &Graph, running: &Running) -> String {
    let name = &graph.stage(running.stage).name;
    let said = running.progress.as_ref();
    let said = said.map(|Progress { done, total, text }| match total {
        0 => format!(" {text}"),
        total => format!(" {done}/{total} {text}"),
    });
    format!("{name}{}", said.unwrap_or_default())
        .trim_end()
        .to_owned()
}

/// What is said of the page so far: once that it is there, and once that it is not.
pub(crate) fn news_line(news: &News) -> Option<String> {
    match news {
        News::Page {
            paths, first: true, ..
        } => {
            let paths: Vec<String> = paths
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            Some(format!(
                "the page so far: {} (drawn again as runs end)",
                paths.join(", ")
            ))
        }
        News::Page { .. } => None,
        News::Failed { error } => Some(format!(
            "the page so far cannot be drawn ({error}); the run goes on, and draws it at its end"
        )),
    }
}

/// What must be said in every form: the plan, damage and failures.
pub(crate) fn important(graph: &Graph, event: &Event) -> Option<String> {
    match event {
        Event::Planned {
            stages,
            cached,
            run,
            new,
            maybe,
            seconds,
            ..
        } => {
            let run = run + new;
            let work = seconds
                .filter(|_| run + maybe > 0)
                .map_or(String::new(), |seconds| {
                    format!("; about {} of work", duration(seconds))
                });
            let maybe = match maybe {
                0 => String::new(),
                maybe => format!(", {maybe} may run"),
            };
            Some(format!(
                "{}: {cached} cached, {run} to run{maybe}{work}",
                counted(*stages, "stage")
            ))
        }
        Event::Corrupt { what, path } => Some(format!(
            "damaged {what} in the cache, set aside as {}; what is needed of it is computed again",
            path.display()
        )),
        Event::Retrying {
            stage,
            error,
            attempt,
            of,
        } => Some(format!(
            "failed {}: {error}; try {attempt} of {of} begins",
            graph.stage(*stage).name
        )),
        Event::RemoteLost { error } => Some(format!(
            "the remote fails: {error}; stages that run go on, their results are kept in the cache, \
             and it is tried again"
        )),
        Event::RemoteBack => Some("the remote answers again".to_owned()),
        Event::Differs { stage } => Some(format!(
            "{} came out otherwise here than in the remote, whose result holds (results of different devices differ; \
             further ones are not named)",
            graph.stage(*stage).name
        )),
        Event::NotPublished { results } => Some(format!(
            "{} in the cache and not in the remote: the same command brings them there",
            if *results == 1 {
                "1 result is".to_owned()
            } else {
                format!("{results} results are")
            }
        )),
        Event::Interrupted { running: 0, .. } => Some("interrupted".to_owned()),
        Event::Interrupted { running, seconds } => {
            let until = match seconds {
                Some(seconds) => format!("finish within {seconds:.0} s"),
                None => "finish the step they are in and keep a checkpoint".to_owned(),
            };
            let stages = counted(*running, "running stage");
            Some(format!(
                "interrupted: {stages} may {until}; Ctrl-C again ends at once"
            ))
        }
        Event::Failed { stage, error, .. } => {
            Some(format!("failed {}: {error}", graph.stage(*stage).name))
        }
        _ => None,
    }
}

impl Renderer for Plain<'_> {
    fn event(&mut self, event: &Event) {
        let now = Instant::now();
        let family = self.tally.count(event);
        self.watch.event(event, now);
        let news = self.tally.is_news(event) || self.verbose;
        let important = important(self.graph, event).filter(|_| news);
        if self.quiet {
            if let (Some(line), false) = (important, matches!(event, Event::Planned { .. })) {
                errln!("{line}");
            }
            return;
        }
        let stage = self.verbose.then(|| self.stage_line(event)).flatten();
        let mut said = false;
        for line in [important, stage, family].into_iter().flatten() {
            errln!("{line}");
            said = true;
        }
        if said {
            self.last = Instant::now();
        } else if self.last.elapsed() >= EVERY.max(self.start.elapsed() / LINES) {
            self.last = Instant::now();
            let longest = self.watch.longest();
            let running = longest.map_or(String::new(), |at| {
                format!("; {}", in_words(self.graph, at))
            });
            let counts = [
                (self.tally.failed(), "failed"),
                (self.tally.diverged(), "diverged"),
            ];
            let counts = counts.iter().filter(|(count, _)| *count > 0);
            let counts: Vec<String> = counts.map(|(n, what)| format!(", {n} {what}")).collect();
            let counts = counts.concat();
            let left = self.watch.left(now).filter(|left| *left >= 1.0);
            let left = left.map_or(String::new(), |left| {
                format!("; about {} left", duration(left))
            });
            errln!(
                "{} of {} stages done{counts}{left}{running}",
                self.tally.settled(),
                self.graph.len()
            );
        }
    }

    fn expect(&mut self, expected: Vec<Option<f64>>) {
        self.watch.expect(expected);
    }

    fn news(&mut self, news: &News) {
        let failed = matches!(news, News::Failed { .. });
        if let Some(line) = news_line(news).filter(|_| failed || !self.quiet) {
            errln!("{line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_remote_is_said_in_one_sentence_whatever_it_says() {
        let words = |error: &str| {
            let error = error.to_owned();
            important(&Graph::new(), &Event::RemoteLost { error }).expect("a line")
        };
        let after =
            "stages that run go on, their results are kept in the cache, and it is tried again";
        for error in [
            "it does not answer",
            "cannot create `/r/v1/remote`: No space left",
        ] {
            assert_eq!(words(error), format!("the remote fails: {error}; {after}"));
        }
    }
}
