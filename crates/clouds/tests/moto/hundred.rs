//! Copies of a frozen plan with empty caches, all started at once, on a store that has many results: how long each takes
//! until its first stage begins, and how often it has asked for something until then. Needs `ulimit -n 20000`, for the
//! store's connections.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::Lab;
use crate::toy::Toy;

/// Results that are there.
const THERE: u64 = 9_216;
const COPIES: usize = 100;
/// How long the last copy may take.
const PATIENCE: Duration = Duration::from_mins(5);

pub(crate) fn measure(lab: &Lab) {
    // As long as the settings of a training run.
    let padding = "x".repeat(500);
    let there: Vec<Toy> = (0..THERE)
        .map(|number| {
            Toy::sum(&format!("run/{number}"), number, &[]).with("padding", padding.as_str())
        })
        .collect();
    let mut plan = there.clone();
    // They last until they are ended.
    let late = |number: usize| {
        Toy::sum(&format!("late/{number}"), number as u64, &[])
            .with("steps", 1)
            .with("pause", 600_000)
    };
    plan.extend((0..=COPIES).map(late));
    for (file, toys) in [("there.json", &there), ("plan.json", &plan)] {
        fs::write(lab.path(file), serde_json::to_vec(toys).unwrap()).unwrap();
    }
    fs::create_dir_all(lab.path("folder")).unwrap();
    for address in ["folder", "s3://lab/hundred"] {
        let start = Instant::now();
        let args = ["fill", "there.json", "plan.json", "filler", "log", address];
        let filled = command(lab, &args).output().unwrap();
        let plan = String::from_utf8(filled.stdout).unwrap();
        let plan = plan.trim();
        println!(
            "{address}: {THERE} results and a plan are there after {:.1} s: {plan}",
            start.elapsed().as_secs_f64()
        );
        for copies in [1, COPIES] {
            begin(lab, plan, address, copies);
        }
    }
}

/// Not by the proxy, which has a thread and two files for each connection.
fn command(lab: &Lab, args: &[&str]) -> Command {
    let mut command = lab.command(args);
    command.env(
        "AWS_ENDPOINT_URL",
        format!("http://127.0.0.1:{}/", lab.port),
    );
    command.stderr(Stdio::inherit());
    command
}

fn begin(lab: &Lab, plan: &str, address: &str, copies: usize) {
    let (tell, told) = channel();
    let store_before = seconds_of(lab.moto.id());
    let start = Instant::now();
    let started: Vec<Child> = (0..copies)
        .map(|number| {
            let cache = format!("copy-{copies}-{number}-{}", address.len());
            let args = ["take part", plan, &cache, "log", address];
            let mut copy = command(lab, &args).spawn().unwrap();
            let (said, tell) = (copy.stdout.take().unwrap(), tell.clone());
            std::thread::spawn(move || {
                let mut line = String::new();
                if BufReader::new(said).read_line(&mut line).is_ok() && !line.is_empty() {
                    let asked: usize = line.trim().parse().unwrap();
                    let _ = tell.send((start.elapsed().as_secs_f64(), asked));
                }
            });
            copy
        })
        .collect();
    let mut begun = Vec::new();
    while begun.len() < copies && start.elapsed() < PATIENCE {
        begun.extend(told.recv_timeout(Duration::from_secs(1)));
    }
    let of_copies: f64 = started.iter().map(|copy| seconds_of(copy.id())).sum();
    let of_store = seconds_of(lab.moto.id()) - store_before;
    for mut copy in started {
        let _ = copy.kill();
        let _ = copy.wait();
    }
    let mut asked: Vec<usize> = begun.iter().map(|it| it.1).collect();
    asked.sort_unstable();
    let Some((first, _)) = begun.first() else {
        println!("{address}, {copies} at once: none has begun");
        return;
    };
    println!(
        "{address}, {copies} at once: {} have begun; first, middle, last after {first:.1}, {:.1}, {:.1} s; {} to {} \
         requests each; {of_copies:.1} s of CPU, and of the store {of_store:.1} s",
        begun.len(),
        begun[begun.len() / 2].0,
        begun[begun.len() - 1].0,
        asked[0],
        asked[asked.len() - 1],
    );
}

/// Seconds of CPU that a process has used.
fn seconds_of(process: u32) -> f64 {
    let path = format!("/proc/{process}/stat");
    let stat = fs::read_to_string(Path::new(&path)).unwrap_or_default();
    let after = stat.rsplit(") ").next().unwrap_or_default();
    let words: Vec<f64> = after
        .split(' ')
        .filter_map(|word| word.parse().ok())
        .collect();
    // The first word is a letter; user and system time are the twelfth and thirteenth after it, in hundredths.
    words
        .get(10..12)
        .map_or(0.0, |both| both.iter().sum::<f64>() / 100.0)
}
