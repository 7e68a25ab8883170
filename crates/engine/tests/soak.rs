//! SIGKILL to an engine, a worker or all of them, at random moments, again and again.
//!
//! `SOAK_KILLS=500 SOAK_SEED=7 cargo test -p engine --test soak -- --nocapture`

#[path = "toy/lab.rs"]
mod lab;
#[path = "toy/mod.rs"]
mod toy;

use std::fs;
use std::process::{Child, Command};
use std::time::Duration;

use lab::Lab;
use toy::Toy;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
}

/// Source: Marsaglia 2003, "Xorshift RNGs", section 4.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// A study that no other round has computed a part of.
fn study(round: u64) -> Vec<Toy> {
    let mut study = vec![Toy::sum("data", round, &[]).with("bytes", 100_000)];
    for number in 0..10 {
        let run = Toy::sum(&format!("run/{number}"), number, &["data"]);
        study.push(run.with("beats", number % 4).with("bytes", 1000 * number));
    }
    let runs: Vec<String> = study[1..].iter().map(|toy| toy.name.clone()).collect();
    study.push(Toy {
        reads: runs,
        ..Toy::sum("targets", 5, &[])
    });
    study
}

/// The processes that a process started.
fn children(of: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap_or_default();
    list.split_whitespace().flat_map(str::parse).collect()
}

fn kill(process: u32) {
    // It may have ended by itself.
    let _ = Command::new("kill")
        .args(["-9", &process.to_string()])
        .output();
}

/// Whether a process computes on. A dead one that nobody has waited for does not.
fn lives(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = stat
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.chars().next());
    state.is_some_and(|state| state != 'Z' && state != 'X')
}

#[test]
fn killed_at_random_moments_every_run_completes_to_the_same_results() {
    let kills = setting("SOAK_KILLS", 24);
    let seed = setting("SOAK_SEED", u64::from(std::process::id()) + 1);
    eprintln!("seed {seed}");
    let mut random = Random(seed);
    let lab = Lab::new();
    let (mut killed, mut round, mut most_begun) = ([0_u64; 3], 0, 0);
    while killed.iter().sum::<u64>() < kills {
        round += 1;
        let study = study(round);
        most_begun += study.len();
        for _ in 0..=random.below(3) {
            let mut engine = lab.engine(&study);
            std::thread::sleep(Duration::from_micros(random.below(70_000)));
            let workers = children(engine.id());
            let whom = random.below(3);
            match whom {
                0 => kill(engine.id()),
                1 => workers.iter().take(1).for_each(|worker| kill(*worker)),
                _ => {
                    kill(engine.id());
                    for worker in &workers {
                        kill(*worker);
                    }
                }
            }
            killed[whom as usize] += 1;
            // What ran may begin again; workers that were killed leave a stage each.
            most_begun += 2;
            end(&mut engine, whom != 1);
            Lab::wait_until(|| !workers.iter().any(|worker| lives(*worker)));
        }
        let run = lab.run(&study);
        assert!(run.summary.complete(), "seed {seed}: {:?}", run.summary);
        lab.check(&study, &run.summary);
        assert!(
            lab.begun() <= most_begun,
            "seed {seed}: more ran again than was running"
        );
        assert!(lab.ran(&study).is_empty(), "seed {seed}");
    }
    assert_eq!(lab.store().verify_all(2).unwrap().flaws, [], "seed {seed}");
    assert!(!lab.path("cache/v1/void").exists(), "seed {seed}");
    let [engines, workers, both] = killed;
    eprintln!(
        "{engines} engines, {workers} workers and {both} times all killed in {round} rounds; {} stages began for {} results",
        lab.begun(),
        round * 12
    );
}

fn end(engine: &mut Child, killed: bool) {
    let status = engine.wait().unwrap();
    // One whose worker was killed goes on with the rest.
    assert!(status.success() || killed, "{status:?}");
}
