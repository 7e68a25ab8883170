//! How many stages run at once, and what the memory that they take has to do with it.

use engine::{Graph, StageId, size};

use crate::site::Resources;

/// What the part of a study takes that is to run.
#[derive(Clone, Copy)]
pub(crate) struct AtOnce<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) resources: &'a Resources,
    /// The stage of those that are to run that takes the most memory, where that is known.
    pub(crate) largest: Option<StageId>,
    /// Whether what is too large is left to others, and does not fail.
    pub(crate) leaves: bool,
}

impl<'a> AtOnce<'a> {
    /// The stage that takes the most memory, and about how many bytes.
    pub(crate) fn largest(&self) -> Option<(&'a str, u64)> {
        let stage = self.graph.stage(self.largest?);
        Some((&stage.name, stage.execution.memory))
    }

    /// A line, or none where nothing says how much it takes.
    pub(super) fn in_words(&self) -> String {
        let short = self.if_short();
        if self.largest.is_none() || !short.is_empty() {
            return short;
        }
        let jobs = self.resources.jobs;
        match &self.resources.memory {
            None => format!("jobs: {jobs} (whatever memory they take)\n"),
            Some(limits) => format!(
                "jobs: {jobs} (memory for all of them at once: {})\n",
                size(limits.together)
            ),
        }
    }

    /// The same, where memory keeps stages from running.
    pub(crate) fn if_short(&self) -> String {
        let (Some((stage, takes)), Some(limits)) = (self.largest(), &self.resources.memory) else {
            return String::new();
        };
        if takes > limits.each {
            let happens = if self.leaves {
                "is left to copies on other machines"
            } else {
                "will fail at once"
            };
            return format!(
                "memory: `{stage}` is too large and {happens}: it takes about {}, and {}\n",
                size(takes),
                limits.there
            );
        }
        let (jobs, together) = (self.resources.jobs, size(limits.together));
        let takes_words = format!("`{stage}` takes about {}", size(takes));
        match limits.together / takes {
            0 => format!(
                "jobs: {jobs} (memory for {together}, but {takes_words}: it runs alone, and may not fit)\n"
            ),
            fit if fit < jobs as u64 => format!(
                "jobs: {jobs} (memory for {fit} of the largest runs at once: {takes_words} of {together})\n"
            ),
            _ => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::MemoryLimits;
    use study::Study;

    use super::*;

    const STUDY: &str = "study: s
stages:
  cifar: { dataset: { source: cifar10, path: c.tar.gz } }
  a:
    train: { dataset: cifar, model: { cnn: { channels: [64] } }, optimizer: { sgd: {} }, learning_rate: 0.1,
             budget: { iterations: 200000 } }
    sweep: { batch_size: [100, 1000] }
";

    fn resources(jobs: usize, limits: Option<(u64, u64)>) -> Resources {
        Resources {
            jobs,
            threads: 1,
            device: "cpu".to_owned(),
            gpus: Vec::new(),
            gpus_by_default: false,
            jobs_by_gpu: false,
            memory: limits.map(|(together, each)| MemoryLimits {
                together,
                each,
                there: "this machine has little".to_owned(),
            }),
        }
    }

    #[test]
    fn a_line_says_how_many_of_the_largest_run_fit() {
        let graph = Study::parse("s.yaml", STUDY).unwrap().expand();
        let largest = graph.find("a/batch_size=1000");
        let said = |resources: &Resources, largest, leaves| {
            let at_once = AtOnce {
                graph: &graph,
                resources,
                largest,
                leaves,
            };
            (at_once.in_words(), at_once.if_short())
        };
        let at_once = AtOnce {
            graph: &graph,
            resources: &resources(1, None),
            largest,
            leaves: false,
        };
        let (name, takes) = at_once.largest().unwrap();
        assert_eq!(name, "a/batch_size=1000");
        // 65,536 outputs of each of 1,000 examples, in single precision, and more than once.
        assert!(takes > 2 * 65_536 * 1000 * 4, "{takes}");
        let with = |fit: u64, each: u64| resources(4, Some((takes * fit, takes * each)));
        let of = |resources: &Resources| said(resources, largest, false);
        let all = of(&with(4, 4));
        assert!(
            all.0
                .starts_with("jobs: 4 (memory for all of them at once: "),
            "{all:?}"
        );
        assert_eq!(all.1, "");
        let some = of(&with(2, 4));
        let begin =
            "jobs: 4 (memory for 2 of the largest runs at once: `a/batch_size=1000` takes about ";
        assert!(some.0.starts_with(begin), "{some:?}");
        assert_eq!(some.0, some.1);
        let alone = of(&with(0, 4)).1;
        assert!(
            alone.ends_with(": it runs alone, and may not fit)\n"),
            "{alone}"
        );
        let not = of(&with(0, 0)).1;
        assert!(
            not.starts_with("memory: `a/batch_size=1000` is too large and will fail at once"),
            "{not}"
        );
        assert!(not.ends_with(", and this machine has little\n"), "{not}");
        let left = said(&with(0, 0), largest, true).1;
        assert!(
            left.contains("is left to copies on other machines"),
            "{left}"
        );
        let free = of(&resources(4, None));
        assert_eq!(
            free,
            (
                "jobs: 4 (whatever memory they take)\n".to_owned(),
                String::new()
            )
        );
        assert_eq!(said(&with(0, 0), None, false), Default::default());
    }
}
