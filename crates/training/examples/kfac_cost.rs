//! What a step of K-FAC costs beside a step of SGD, in CPU time, on the networks of the studies.
//!
//! `cargo run --release -p training --example kfac_cost [-- NETWORK [THREADS]]`; a network is `mlp`, `cnn`
//! or `resnet20`, default: all, on one thread.
//!
//! A run of K-FAC has three kinds of steps: those that renew neither factors nor inverses, those that
//! renew factors, and those that renew both. Each kind is timed apart, and the cost at any intervals is
//! the mean of the kinds in their shares. Runs of SGD and K-FAC alternate, and the fastest step of a kind
//! counts, so that what else the machine does hardly shows in the ratios. Linux only: CPU time is read
//! from `/proc`.

use std::fs;
use std::sync::Arc;

use burn::tensor::Device;
use datasets::random::{Purpose, Stream};
use datasets::{Data, Normalisation, Part};
use serde_json::{Value, json};
use training::Settings;

/// Steps from one renewal of the factors to the next, and of the inverses.
const FACTORS: u64 = 2;
const INVERSES: u64 = 4;

struct Case {
    network: &'static str,
    name: &'static str,
    model: Value,
    /// Channels, height, width.
    shape: [usize; 3],
    batches: &'static [usize],
    /// Steps of a run: one more than a multiple of the intervals.
    steps: u64,
    rounds: usize,
}

/// Milliseconds of CPU time a step.
#[derive(Clone, Copy)]
struct Kinds {
    plain: f64,
    factors: f64,
    both: f64,
}

impl Kinds {
    /// At intervals of which `inverses` is a multiple of `factors`.
    fn at(self, factors: u32, inverses: u32) -> f64 {
        let (with_factors, with_both) = (1.0 / f64::from(factors), 1.0 / f64::from(inverses));
        with_both * self.both
            + (with_factors - with_both) * self.factors
            + (1.0 - with_factors) * self.plain
    }

    fn least(self, other: Self) -> Self {
        Self {
            plain: self.plain.min(other.plain),
            factors: self.factors.min(other.factors),
            both: self.both.min(other.both),
        }
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let wanted = arguments.next();
    let threads = arguments.next().map_or(1, |threads| {
        threads
            .parse()
            .expect("a number of threads after the network")
    });
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .expect("no pool was built before");
    let (device, _) = training::device::open("cpu").expect("the CPU is always there");
    let cases = [
        Case {
            network: "mlp",
            name: "MLP 64-32-10",
            model: json!({"mlp": {"hidden": [32]}}),
            shape: [1, 8, 8],
            batches: &[16, 64, 256],
            steps: 801,
            rounds: 5,
        },
        Case {
            network: "cnn",
            name: "CNN 8-16, 8x8",
            model: json!({"cnn": {"channels": [8, 16]}}),
            shape: [1, 8, 8],
            batches: &[32, 128, 512],
            steps: 81,
            rounds: 5,
        },
        Case {
            network: "resnet20",
            name: "ResNet20, 32x32",
            model: json!("resnet20"),
            shape: [3, 32, 32],
            batches: &[128],
            steps: 9,
            rounds: 2,
        },
    ];
    println!("CPU milliseconds of a step, and as multiples of a step of SGD ({threads} thread(s))");
    println!(
        "{:16} {:>5} {:>9} {:>9} {:>9} {:>9} {:>9} {:>7} {:>7} {:>8}",
        "network",
        "batch",
        "Fisher",
        "SGD",
        "plain",
        "factors",
        "+inverse",
        "(1,1)",
        "(1,10)",
        "(10,100)"
    );
    for case in cases {
        if wanted.as_ref().is_some_and(|wanted| wanted != case.network) {
            continue;
        }
        for &batch in case.batches {
            measure(&case, batch, &device);
        }
    }
}

fn measure(case: &Case, batch: usize, device: &Device) {
    let data = random_images(case.shape, 2 * batch);
    let settings = |optimizer: Value| -> Settings {
        serde_json::from_value(json!({
            "model": case.model, "batch_size": batch, "learning_rate": 1e-4,
            "budget": {"iterations": case.steps}, "optimizer": optimizer,
            "evaluation": {"spacing": 1e9, "train_subset": 16, "statistics_examples": 16},
        }))
        .expect("settings")
    };
    let kfac = |fisher: &str| {
        settings(json!({"kfac": {"damping": 0.1, "fisher": fisher,
            "factor_every": FACTORS, "inverse_every": INVERSES}}))
    };
    let sgd = settings(json!({"sgd": {"momentum": 0.9}}));
    let fishers = ["empirical", "sampled"];
    let [mut plain, mut empirical, mut sampled] = [Kinds {
        plain: f64::INFINITY,
        factors: f64::INFINITY,
        both: f64::INFINITY,
    }; 3];
    for _ in 0..case.rounds {
        plain = plain.least(kinds(&sgd, &data, device));
        empirical = empirical.least(kinds(&kfac(fishers[0]), &data, device));
        sampled = sampled.least(kinds(&kfac(fishers[1]), &data, device));
    }
    // SGD knows no kinds: each is as good a measurement as the others.
    let step = plain.plain.min(plain.factors).min(plain.both);
    for (fisher, kinds) in fishers.into_iter().zip([empirical, sampled]) {
        let [all, ten, hundred] = [(1, 1), (1, 10), (10, 100)]
            .map(|(factors, inverses)| kinds.at(factors, inverses) / step);
        println!(
            "{:16} {batch:5} {fisher:>9} {step:9.3} {:9.3} {:9.3} {:9.3} {all:7.2} {ten:7.2} {hundred:8.2}",
            case.name, kinds.plain, kinds.factors, kinds.both
        );
    }
}

/// The fastest step of each kind in one run.
fn kinds(settings: &Settings, data: &Data, device: &Device) -> Kinds {
    let mut ends = Vec::new();
    let run =
        training::train(settings, data, device, &mut |_| ends.push(cpu_time())).expect("a run");
    assert_eq!(
        run.outcome,
        training::Outcome::Finished,
        "a run that trains"
    );
    let least = |kind: fn(u64) -> bool| {
        // The first step is left out: nothing is measured before it, and it allocates.
        (1..)
            .zip(ends.windows(2))
            .filter(|&(step, _)| kind(step))
            .map(|(_, pair)| pair[1] - pair[0])
            .fold(f64::INFINITY, f64::min)
    };
    Kinds {
        plain: least(|step| step % FACTORS != 0),
        factors: least(|step| step % FACTORS == 0 && step % INVERSES != 0),
        both: least(|step| step % INVERSES == 0),
    }
}

/// Milliseconds that the threads of this process have computed.
fn cpu_time() -> f64 {
    // The account of a running thread is brought up to date when it asks for the scheduler.
    std::thread::yield_now();
    let tasks = fs::read_dir("/proc/self/task").expect("a Linux /proc");
    let of_thread = |path: std::path::PathBuf| -> f64 {
        let text = fs::read_to_string(path.join("schedstat")).expect("scheduler statistics");
        let nanoseconds = text
            .split_whitespace()
            .next()
            .and_then(|ns| ns.parse().ok());
        nanoseconds.expect("nanoseconds on the CPU come first")
    };
    tasks
        .map(|task| of_thread(task.expect("a thread").path()))
        .sum::<f64>()
        / 1e6
}

/// Images of noise, smoothed a little as real ones are, labels in turn.
fn random_images([channels, height, width]: [usize; 3], examples: usize) -> Data {
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
