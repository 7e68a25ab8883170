//! A training step of this crate beside the same step in PyTorch: time, CPU time, memory.
//!
//! `PYTHON=... cargo bench -p training --bench beside_pytorch [-- WORD ...]`, with a Python that has what
//! `requirements.txt` names; without `PYTHON`, ours alone. Words choose cases: networks `mlp` (64-32-10), `cnn`
//! (8 and 16 channels, 8x8), `resnet20`, `alexnet`; batch sizes; `threads=1`, `threads=2`; rules `sgd`,
//! `empirical`, `sampled` (K-FAC with that Fisher matrix). Of each kind of word a case fits one of those given.
//! K-FAC on AlexNet takes minutes and must be asked for by its rule.
//!
//! Each case is two processes, this program and `step.py`, that make rounds of steps in turn; the least of the
//! rounds counts, so that what else the machine does hardly shows in the ratios. K-FAC makes three kinds of steps:
//! that renew nothing, factors, factors and inverses. The kinds are timed apart, and the cost at any intervals is
//! their mean in their shares. Linux only: memory is read from `/proc`.
//!
//! Both take batches from memory in random order, and fetch each loss. K-FAC in PyTorch is `kfac.py`: the same
//! algorithm, written as one would write it there.

mod case;
mod ours;
mod side;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use case::{Case, Rule};
use side::{Side, Step, Times};

/// The program's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Steps from one renewal of the factors to the next, and of the inverses, while K-FAC is timed.
const FACTORS: u64 = 2;
const INVERSES: u64 = 4;
/// The intervals that are shown.
const SHOWN: [(u32, u32); 3] = [(1, 1), (1, 10), (10, 100)];
/// A round takes at least so long, and the rounds of a case.
const ROUND: Duration = Duration::from_millis(250);
const CASE: Duration = Duration::from_secs(4);
/// What tells this program to be the process of a case.
const WORKER: &str = "worker";

fn main() {
    // cargo says that it is a benchmark.
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    if let Some((WORKER, words)) = words.split_first().map(|(first, rest)| (&**first, rest)) {
        ours::answer(&Case::from_words(words).expect("the words of a case"));
        return;
    }
    let cases = match case::chosen(&words) {
        Ok(cases) => cases,
        Err(word) => {
            println!("no network, batch size, number of threads or rule is called `{word}`");
            return;
        }
    };
    let python = std::env::var_os("PYTHON").map(PathBuf::from);
    if python.is_none() {
        println!("`PYTHON` names no Python with PyTorch: ours alone\n");
    }
    println!("Milliseconds of a step; memory in MB; K-FAC / SGD in CPU time");
    println!(
        "| network | batch | threads | rule | wall | CPU | PyTorch wall | CPU | wall ratio | CPU ratio \
         | K-FAC / SGD | PyTorch | memory | PyTorch |"
    );
    println!("|{}", " --- |".repeat(14));
    let mut sgd = None;
    for case in cases {
        let (ours, theirs) = measured(&case, python.as_ref());
        if case.rule == Rule::Sgd {
            row(
                &case,
                "SGD",
                |times| times.at(1, 1),
                &ours,
                theirs.as_ref(),
                None,
            );
            sgd = Some((case.words(), ours, theirs));
            continue;
        }
        // SGD on the same network, batch and threads, if it was measured.
        let sgd = sgd
            .as_ref()
            .filter(|(words, ..)| words[..3] == case.words()[..3])
            .map(|(_, ours, theirs)| (ours, theirs.as_ref()));
        for (factors, inverses) in SHOWN {
            let name = format!("{} ({factors}, {inverses})", case.rule.name());
            row(
                &case,
                &name,
                |times| times.at(factors, inverses),
                &ours,
                theirs.as_ref(),
                sgd,
            );
        }
    }
}

/// Rounds of both in turn.
fn measured(case: &Case, python: Option<&PathBuf>) -> (Times, Option<Times>) {
    let mut sides = vec![Side::ours(case)];
    sides.extend(python.map(|python| Side::pytorch(python, case)));
    // A process's first steps allocate; ours also measures the network before them.
    let one_of_each = if case.rule == Rule::Sgd { 1 } else { INVERSES };
    let mut steps = vec![one_of_each; sides.len()];
    for side in &mut sides {
        side.warm_up(2);
    }
    let (start, mut rounds) = (Instant::now(), 0);
    while rounds < 2 || start.elapsed() < CASE {
        for (side, steps) in sides.iter_mut().zip(&mut steps) {
            let start = Instant::now();
            side.round(*steps);
            let longer = ROUND.as_secs_f64() / start.elapsed().as_secs_f64();
            if longer > 1.5 {
                *steps *= longer.ceil() as u64;
            }
        }
        rounds += 1;
    }
    let mut times = sides.into_iter().map(Side::finish);
    (times.next().expect("our side"), times.next())
}

fn row(
    case: &Case,
    rule: &str,
    step: impl Fn(&Times) -> Step,
    ours: &Times,
    theirs: Option<&Times>,
    sgd: Option<(&Times, Option<&Times>)>,
) {
    let milliseconds = |seconds: f64| {
        let milliseconds = 1e3 * seconds;
        let digits = (2 - milliseconds.log10().floor() as i32).clamp(0, 3) as usize;
        format!("{milliseconds:.digits$}")
    };
    let text = |number: Option<String>| number.unwrap_or_default();
    let (our_step, their_step) = (step(ours), theirs.map(&step));
    let against = |of: Option<(Step, &Times)>| {
        text(of.map(|(step, sgd)| format!("{:.2}", step.cpu / sgd.at(1, 1).cpu)))
    };
    println!(
        "| {} | {} | {} | {rule} | {} | {} | {} | {} | {} | {} | {} | {} | {:.0} | {} |",
        case.network.name,
        case.batch,
        case.threads,
        milliseconds(our_step.wall),
        milliseconds(our_step.cpu),
        text(their_step.map(|step| milliseconds(step.wall))),
        text(their_step.map(|step| milliseconds(step.cpu))),
        text(their_step.map(|step| format!("{:.2}", our_step.wall / step.wall))),
        text(their_step.map(|step| format!("{:.2}", our_step.cpu / step.cpu))),
        against(sgd.map(|(sgd, _)| (our_step, sgd))),
        against(sgd.and_then(|(_, sgd)| Some((their_step?, sgd?)))),
        ours.memory,
        text(theirs.map(|times| format!("{:.0}", times.memory))),
    );
}
