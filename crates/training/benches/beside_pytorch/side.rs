//! One of the two programs, as a process that makes steps when it is asked to.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::case::Case;
use crate::{FACTORS, INVERSES, WORKER};

/// Seconds of a step.
#[derive(Clone, Copy)]
pub(crate) struct Step {
    pub(crate) wall: f64,
    pub(crate) cpu: f64,
}

impl Step {
    fn map(self, other: Self, f: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            wall: f(self.wall, other.wall),
            cpu: f(self.cpu, other.cpu),
        }
    }
}

/// The least of what rounds of a case took.
pub(crate) struct Times {
    /// One entry a kind of steps: SGD has one; K-FAC three, which renew nothing, factors, factors and inverses.
    kinds: Vec<Step>,
    /// The most memory that the process had resident, in MB.
    pub(crate) memory: f64,
}

impl Times {
    /// A step at these intervals, of which `inverses` is a multiple of `factors`: the mean of the kinds in their
    /// shares.
    pub(crate) fn at(&self, factors: u32, inverses: u32) -> Step {
        let [plain, with_factors, with_both] = self.kinds[..] else {
            return self.kinds[0];
        };
        let (often, seldom) = (1.0 / f64::from(factors), 1.0 / f64::from(inverses));
        let factors = plain.map(with_factors, |plain, factors| {
            (1.0 - often) * plain + (often - seldom) * factors
        });
        factors.map(with_both, |rest, both| rest + seldom * both)
    }
}

/// The process.
pub(crate) struct Side {
    child: Child,
    answers: BufReader<ChildStdout>,
    kinds: usize,
    least: Option<Times>,
}

impl Side {
    /// This program, in another process: peak memory is of a process.
    pub(crate) fn ours(case: &Case) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
        // As `pipeline` sets up its workers.
        command.env("RAYON_NUM_THREADS", case.threads.to_string());
        command.env("MIMALLOC_PURGE_DELAY", "-1");
        command.arg(WORKER);
        Self::start(command, case)
    }

    pub(crate) fn pytorch(python: &Path, case: &Case) -> Self {
        let mut command = Command::new(python);
        command.arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/benches/beside_pytorch/step.py"
        ));
        command.args([FACTORS, INVERSES].map(|steps| steps.to_string()));
        Self::start(command, case)
    }

    fn start(mut command: Command, case: &Case) -> Self {
        let mut child = command
            .args(case.words())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        Self {
            child,
            answers,
            kinds: case.rule.kinds(),
            least: None,
        }
    }

    /// Makes so many steps that do not count.
    pub(crate) fn warm_up(&mut self, steps: u64) {
        self.ask(steps);
    }

    /// Makes so many steps, which are of all kinds.
    pub(crate) fn round(&mut self, steps: u64) {
        let numbers = self.ask(steps);
        let (memory, times) = numbers.split_last().expect("memory comes last");
        let mut kinds: Vec<Step> = times
            .chunks_exact(2)
            .map(|pair| Step {
                wall: pair[0],
                cpu: pair[1],
            })
            .collect();
        assert_eq!(kinds.len(), self.kinds, "times of each kind of steps");
        if let Some(least) = &self.least {
            for (new, old) in kinds.iter_mut().zip(&least.kinds) {
                *new = new.map(*old, f64::min);
            }
        }
        self.least = Some(Times {
            kinds,
            memory: *memory,
        });
    }

    fn ask(&mut self, steps: u64) -> Vec<f64> {
        let to = self.child.stdin.as_mut().expect("piped");
        writeln!(to, "{steps}").expect("it listens");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("it answers");
        answer
            .split_whitespace()
            .map(|number| number.parse().expect("a number"))
            .collect()
    }

    /// The least of its rounds.
    ///
    /// # Panics
    ///
    /// If there was no round, or the process fails.
    pub(crate) fn finish(mut self) -> Times {
        drop(self.child.stdin.take()); // it ends with its input
        let status = self.child.wait().expect("it was started");
        assert!(status.success(), "the process failed: {status}");
        self.least.expect("there was a round")
    }
}
