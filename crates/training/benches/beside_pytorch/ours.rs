//! Our side: steps of this crate's training, timed.

use std::fs;
use std::io::{self, BufRead, Write};
use std::sync::Arc;
use std::time::Instant;

use datasets::random::{Purpose, Stream};
use datasets::{Data, Normalisation, Part};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use training::{Course, Settings, Training};

use crate::case::{Case, Rule};
use crate::{FACTORS, INVERSES};

/// Steps that the budget allows: more than a case makes.
const BUDGET: u64 = 1_000_000;

/// Answers each line with a number of steps by a line of what they took: wall and CPU seconds of a step, of
/// each kind of steps, then the most memory so far in MB. `step.py` does the same.
pub(crate) fn answer(case: &Case) {
    let data = noise(case.network.shape, 2 * case.batch);
    let settings = settings(case);
    let course = Course::new(&settings, data.train.len()).expect("a course");
    // As a worker of the program does.
    training::device::train_on_this_thread();
    let (device, _) = training::device::open("cpu").expect("the CPU is always there");
    let mut training = Training::new(&settings, &course, &data, &device).expect("a run");
    for line in io::stdin().lock().lines() {
        let steps: u64 = line
            .expect("a line")
            .parse()
            .expect("the number of steps to make");
        let mut kinds = vec![Spent::default(); case.rule.kinds()];
        for _ in 0..steps {
            let kind = case.rule.kind_of(training.step());
            let (start, cpu) = (Instant::now(), cpu_seconds());
            training
                .advance()
                .expect("a step")
                .expect("the budget is not used up, and the run does not diverge");
            let spent = &mut kinds[kind];
            spent.steps += 1.0;
            spent.cpu += cpu_seconds() - cpu;
            spent.wall += start.elapsed().as_secs_f64();
        }
        for Spent { steps, wall, cpu } in kinds {
            print!("{} {} ", wall / steps, cpu / steps);
        }
        println!("{}", peak());
        io::stdout().flush().expect("someone reads this");
    }
}

#[derive(Clone, Default)]
struct Spent {
    steps: f64,
    wall: f64,
    cpu: f64,
}

impl Rule {
    /// How many kinds of steps it has.
    pub(crate) fn kinds(self) -> usize {
        if self == Self::Sgd { 1 } else { 3 }
    }

    /// Which kind a step is: 0 renews nothing, 1 factors, 2 factors and inverses.
    fn kind_of(self, step: u64) -> usize {
        match self {
            Self::Sgd => 0,
            _ if step.is_multiple_of(INVERSES) => 2,
            _ if step.is_multiple_of(FACTORS) => 1,
            _ => 0,
        }
    }
}

fn settings(case: &Case) -> Settings {
    let common = json!({"momentum": 0.9, "weight_decay": 5e-4});
    let optimizer = match case.rule {
        Rule::Sgd => json!({"sgd": common}),
        fisher => {
            let mut kfac = common;
            kfac["damping"] = json!(0.1);
            kfac["fisher"] = json!(fisher.name());
            kfac["factor_every"] = json!(FACTORS);
            kfac["inverse_every"] = json!(INVERSES);
            json!({"kfac": kfac})
        }
    };
    serde_json::from_value(json!({
        "model": case.network.model(), "batch_size": case.batch, "learning_rate": 1e-4,
        "budget": {"iterations": BUDGET}, "optimizer": optimizer,
        // Before the first and the second step only, which are not measured.
        "evaluation": {"spacing": 1e9, "train_subset": 16, "statistics_examples": 16},
    }))
    .expect("settings")
}

/// Of all threads of this process so far.
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The most memory that this process had resident, in MB. Source: proc(5), `VmHWM`.
fn peak() -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("proc is mounted");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.expect("kilobytes") / 1024.0
}

/// Images of noise, smoothed a little as real ones are, labels in turn.
fn noise([channels, height, width]: [usize; 3], examples: usize) -> Data {
    let mut stream = Stream::new(0, Purpose::InitialWeights, 0);
    let mut before = 0.0;
    let pixels = (0..examples * channels * height * width)
        .map(|_| {
            before = 0.7 * before + 0.7 * stream.normal();
            (128.0 + 50.0 * before).clamp(0.0, 255.0) as u8
        })
        .collect();
    let normalisation = Normalisation::new(&vec![0.5; channels], &vec![0.2; channels], 255.0);
    let train = Part {
        pixels,
        labels: (0..examples).map(|example| (example % 10) as u8).collect(),
        normalisation: Arc::new(normalisation),
    };
    let none = Part {
        pixels: Vec::new(),
        labels: Vec::new(),
        normalisation: Arc::clone(&train.normalisation),
    };
    Data {
        channels,
        height,
        width,
        classes: 10,
        train,
        validation: none.clone(),
        test: none,
    }
}
