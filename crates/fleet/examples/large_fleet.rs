//! A large fleet, simulated once: what it asks of its store, and what faults cost.
//!
//! `cargo run --release -p fleet --example large_fleet [COPIES STAGES]`

#[path = "../tests/simulation/chance.rs"]
mod chance;
#[path = "../tests/simulation/clock.rs"]
mod clock;
#[path = "../tests/simulation/faults.rs"]
mod faults;
#[path = "../tests/simulation/store.rs"]
mod store;
#[path = "../tests/simulation/world.rs"]
mod world;

use std::time::Instant;

use faults::Faults;
use world::World;

fn main() {
    let numbers: Vec<u32> = std::env::args()
        .skip(1)
        .filter_map(|word| word.parse().ok())
        .collect();
    let (copies, stages) = match numbers[..] {
        [copies, stages] => (copies, stages),
        _ => (1000, 100_000),
    };
    let faults = Faults {
        lost: 0.001,
        late: 0.0005,
        crash: 0.002,
        freeze: 0.002,
        fails: 0.001,
        outages: true,
        killers: 3,
    };
    println!("{copies} copies, {stages} stages of 10 s to 10 min");
    for (name, faults) in [("no faults", Faults::NONE), ("faults", faults)] {
        let start = Instant::now();
        let ended = World::new(1, copies, stages, (10, 600), faults).run();
        let each = |count: u64| count as f64 / f64::from(stages);
        println!(
            "{name}: {} results, {} failed; {:.4} executions a stage, {} beside another or after the result; attempts met \
             by surprise {:.2} a stage; requests a stage: {:.2} for it, {:.2} for beats, {:.2} for results of others \
             ({:.2} one by one); ended after {:.1} h, {:.0} requests/s; simulated in {:.1} s",
            ended.results,
            ended.failed,
            each(ended.executed),
            ended.doubled,
            each(ended.met),
            each(ended.asked.for_stages),
            each(ended.asked.for_beats),
            each(ended.asked.for_results),
            each(ended.asked.one_by_one),
            ended.seconds as f64 / 3600.0,
            (ended.asked.for_stages + ended.asked.for_beats + ended.asked.for_results) as f64
                / ended.seconds as f64,
            start.elapsed().as_secs_f64()
        );
    }
}
