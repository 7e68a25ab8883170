//! What is said of hours of work before they begin: how much it is, what it needs, and what would make it shorter.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use engine::{Graph, Stage, size};
use serde_json::Value;
use study::Study;

use super::at_once::AtOnce;
use super::{duration, grouped, in_words, training};
use crate::commands::counted;
use crate::machine::disk;

/// Seconds from which work is worth a word before it begins.
const LONG: f64 = 3600.0;
/// Steps of training from which it is where nothing is known of how long they take: more than in the quick study, whose
/// networks are the smallest.
const MANY: u64 = 1_000_000;

/// The part of a study that is to run.
pub(crate) struct Ahead<'a> {
    pub(crate) study: &'a Study,
    /// Stages that will or may run.
    pub(crate) stages: usize,
    /// How long they would take one after another, where earlier runs of the study say it.
    pub(crate) seconds: Option<f64>,
    pub(crate) at_once: AtOnce<'a>,
}

impl Ahead<'_> {
    /// What is worth saying though nobody asked: that it takes hours, or memory that is not there. A few lines, or none.
    pub(crate) fn in_words(&self, cache: &Path) -> String {
        self.at_length(cache) + &self.at_once.if_short()
    }

    /// For those who asked.
    pub(super) fn in_plan(&self, cache: &Path) -> String {
        let mut text = self.at_length(cache);
        if text.is_empty() {
            text = in_words(self.study, self.at_once.largest());
        }
        text + &self.at_once.in_words()
    }

    fn graph(&self) -> &Graph {
        self.at_once.graph
    }

    /// Empty if the work is not long.
    fn at_length(&self, cache: &Path) -> String {
        let (_, steps) = training(self.study);
        let resources = self.at_once.resources;
        let seconds = self.seconds.map(|seconds| seconds / resources.jobs as f64);
        if !self.is_long(seconds, steps) {
            return String::new();
        }
        let mut text = format!(
            "a long run: {} to run",
            counted_grouped(self.stages, "stage")
        );
        let at_once = counted(resources.jobs, "job");
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
        let _ = write!(text, "  {}", in_words(self.study, self.at_once.largest()));
        let mut there = Vec::new();
        if let Ok((free, _)) = disk(cache) {
            there.push(format!("{} of disk for the cache", size(free)));
        }
        if let Some(limits) = &resources.memory {
            there.push(format!("{} of memory for the jobs", size(limits.together)));
        }
        if !there.is_empty() {
            let _ = writeln!(text, "  free: {}", there.join(", "));
        }
        let _ = writeln!(text, "  shorter: {}", self.shorter().join("; "));
        text
    }

    fn is_long(&self, seconds: Option<f64>, steps: Option<u64>) -> bool {
        match (seconds, steps) {
            (Some(seconds), _) => seconds >= LONG,
            (None, Some(steps)) => {
                let share = self.stages as f64 / self.graph().len().max(1) as f64;
                steps as f64 * share >= MANY as f64
            }
            (None, None) => false,
        }
    }

    /// What would make it so.
    fn shorter(&self) -> Vec<String> {
        let trains = || {
            self.graph()
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
    use crate::site::Resources;

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
        let resources = Resources {
            jobs: 2,
            threads: 1,
            device: "cpu".to_owned(),
            gpus: Vec::new(),
            gpus_by_default: false,
            jobs_by_gpu: false,
            memory: None,
        };
        let at_once = AtOnce {
            graph: &graph,
            resources: &resources,
            largest: None,
            leaves: false,
        };
        let ahead = Ahead {
            study: &study,
            stages,
            seconds,
            at_once,
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
