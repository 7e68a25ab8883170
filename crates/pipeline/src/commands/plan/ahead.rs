//! What is said of hours of work before they begin: how much it is, what it needs, and what would make it shorter.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use engine::{Graph, Stage};
use serde_json::Value;
use study::Study;

use super::{duration, grouped, in_words, training};
use crate::commands::cache::size;
use crate::commands::counted;
use crate::machine::{Memory, disk};

/// Seconds from which work is worth a word before it begins.
const LONG: f64 = 3600.0;
/// Steps of training from which it is where nothing is known of how long they take: more than in the quick study, whose
/// networks are the smallest.
const MANY: u64 = 1_000_000;

/// The part of a study that is to run.
pub(crate) struct Ahead<'a> {
    pub(crate) study: &'a Study,
    pub(crate) graph: &'a Graph,
    /// Stages that will or may run.
    pub(crate) stages: usize,
    /// How long they would take one after another, where earlier runs of the study say it.
    pub(crate) seconds: Option<f64>,
    /// How many run at once.
    pub(crate) jobs: usize,
}

impl Ahead<'_> {
    /// What is worth saying though nobody asked: that it takes hours, or memory that is not there. A few lines, or none.
    pub(crate) fn in_words(&self, cache: &Path) -> String {
        let free = self.free();
        self.at_length(cache, free) + &self.too_large(free)
    }

    /// For those who asked.
    pub(super) fn in_plan(&self, cache: &Path) -> String {
        let free = self.free();
        let mut text = self.at_length(cache, free);
        if text.is_empty() {
            text = in_words(self.study);
        }
        text + &self.too_large(free)
    }

    /// Memory for each job, in bytes.
    fn free(&self) -> Option<u64> {
        Memory::read().map(|memory| memory.free / self.jobs as u64)
    }

    /// Empty if the work is not long.
    fn at_length(&self, cache: &Path, free: Option<u64>) -> String {
        let (_, steps) = training(self.study);
        let seconds = self.seconds.map(|seconds| seconds / self.jobs as f64);
        if !self.is_long(seconds, steps) {
            return String::new();
        }
        let mut text = format!(
            "a long run: {} to run",
            counted_grouped(self.stages, "stage")
        );
        let at_once = counted(self.jobs, "job");
        let _ = match seconds {
            Some(seconds) => writeln!(
                text,
                ", about {} on {at_once}, by the times of earlier runs",
                duration(seconds)
            ),
            None => writeln!(
                text,
                "; `pipeline plan` shows how long it takes after one run of each stage has finished"
            ),
        };
        let _ = write!(text, "  {}", in_words(self.study));
        let mut there = Vec::new();
        if let Ok((free, _)) = disk(cache) {
            there.push(format!("{} of disk for the cache", size(free)));
        }
        if let Some(each) = free {
            there.push(format!("{} of memory for each job", size(each)));
        }
        if !there.is_empty() {
            let _ = writeln!(text, "  free: {}", there.join(", "));
        }
        let _ = writeln!(text, "  shorter: {}", self.shorter().join("; "));
        text
    }

    /// That the largest run takes more memory than there is for each job.
    fn too_large(&self, free: Option<u64>) -> String {
        let (Some((stage, takes)), Some(free)) = (largest(self.study), free) else {
            return String::new();
        };
        if takes <= free {
            return String::new();
        }
        let all = free.saturating_mul(self.jobs as u64);
        let at_once = (all / takes).max(1);
        let so = if takes > all {
            "it does not fit".to_owned()
        } else {
            format!("`--jobs {at_once}` leaves enough for it")
        };
        format!(
            "memory: a run of `{stage}` takes about {}, and {} are free for each of {}: {so}\n",
            size(takes),
            size(free),
            counted(self.jobs, "job")
        )
    }

    fn is_long(&self, seconds: Option<f64>, steps: Option<u64>) -> bool {
        match (seconds, steps) {
            (Some(seconds), _) => seconds >= LONG,
            (None, Some(steps)) => {
                let share = self.stages as f64 / self.graph.len().max(1) as f64;
                steps as f64 * share >= MANY as f64
            }
            (None, None) => false,
        }
    }

    /// What would make it so.
    fn shorter(&self) -> Vec<String> {
        let trains = || {
            self.graph
                .stages()
                .iter()
                .filter(|stage| stage.kind == "train")
        };
        let seeds: BTreeSet<u64> = trains().filter_map(|stage| number(stage, "seed")).collect();
        let mut ways = Vec::new();
        if seeds.len() > 1 {
            ways.push("start with fewer seeds: adding more later does not repeat these".to_owned());
        }
        let endless = trains().filter(|stage| !stage.settings.contains_key("stop"));
        match endless.count() {
            0 => {}
            runs => ways.push(format!(
                "give {} a `stop`, which ends a run once it has reached its targets",
                counted_grouped(runs, "run")
            )),
        }
        ways.push(
            "run the same study with the same `--cache` on other machines at the same time"
                .to_owned(),
        );
        ways
    }
}

/// The stage whose largest run takes the most memory, and about how many bytes.
pub(super) fn largest(study: &Study) -> Option<(String, u64)> {
    let stages = study.summary().into_iter();
    let known = stages.filter_map(|stage| Some((stage.name, stage.memory?)));
    known.max_by_key(|(_, memory)| *memory)
}

fn number(stage: &Stage, setting: &str) -> Option<u64> {
    stage.settings.get(setting).and_then(Value::as_u64)
}

/// `1,234 stages`.
fn counted_grouped(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(count as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STUDY: &str = "study: s
stages:
  digits: { dataset: { source: digits } }
  a:
    train: { dataset: digits, model: { mlp: { hidden: [8] } }, optimizer: { sgd: {} }, learning_rate: 0.1,
             batch_size: 16, budget: { iterations: 200000 } }
    sweep: { seed: [0, 1, 2, 3, 4] }
";

    fn said(text: &str, stages: usize, seconds: Option<f64>) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("s.yaml");
        std::fs::write(&file, text).unwrap();
        let study = Study::load(&file).unwrap();
        let graph = study.expand();
        let ahead = Ahead {
            study: &study,
            graph: &graph,
            stages,
            seconds,
            jobs: 2,
        };
        ahead.in_words(folder.path())
    }

    #[test]
    fn an_hour_is_long_and_so_are_a_million_steps_of_which_nothing_is_known() {
        assert_eq!(said(STUDY, 6, Some(7199.0)), "");
        let known = said(STUDY, 6, Some(40_000.0));
        assert!(
            known.starts_with("a long run: 6 stages to run, about 5.6 h on 2 jobs, by"),
            "{known}"
        );
        let unknown = said(STUDY, 6, None);
        assert!(
            unknown.contains("training: 5 runs, at most 1,000,000 steps"),
            "{unknown}"
        );
        assert!(
            unknown.contains("`pipeline plan` shows how long"),
            "{unknown}"
        );
        assert_eq!(said(STUDY, 3, None), "", "half of it is there");
    }

    #[test]
    fn a_run_that_takes_more_memory_than_there_is_says_how_many_fit() {
        let large = STUDY.replace("source: digits", "source: cifar10, path: c.tar.gz");
        let large = large.replace("mlp: { hidden: [8] }", "cnn: { channels: [64] }");
        let large = large.replace("batch_size: 16", "batch_size: 1000");
        let study = Study::parse("s.yaml", &large).unwrap();
        let (stage, takes) = largest(&study).unwrap();
        // 65,536 outputs of each of 1,000 examples, in single precision, and more than once.
        assert!(stage == "a" && takes > 2 * 65_536 * 1000 * 4, "{takes}");
        let graph = study.expand();
        let ahead = Ahead {
            study: &study,
            graph: &graph,
            stages: 6,
            seconds: None,
            jobs: 4,
        };
        assert_eq!(ahead.too_large(Some(takes)), "");
        assert_eq!(ahead.too_large(None), "");
        let half = ahead.too_large(Some(takes / 2));
        assert!(
            half.starts_with("memory: a run of `a` takes about "),
            "{half}"
        );
        assert!(
            half.ends_with("for each of 4 jobs: `--jobs 2` leaves enough for it\n"),
            "{half}"
        );
        assert!(
            ahead
                .too_large(Some(takes / 5))
                .ends_with("it does not fit\n")
        );
    }

    #[test]
    fn what_would_make_it_shorter_is_what_the_study_does_not_do_yet() {
        let all = said(STUDY, 6, None);
        assert!(
            all.contains("start with fewer seeds") && all.contains("give 5 runs a `stop`"),
            "{all}"
        );
        let stops = STUDY
            .replace("200000 } }", "2000000 }, stop: { train_loss: 0.1 } }")
            .replace("[0, 1, 2, 3, 4]", "[0]");
        let few = said(&stops, 2, None);
        assert!(few.contains("shorter: run the same study"), "{few}");
    }
}
