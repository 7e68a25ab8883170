//! The protocol over a store, a network and machines that misbehave: what must hold on every seed.

mod chance;
mod clock;
mod faults;
mod store;
mod world;

use faults::{Ended, Faults};
use world::World;

const COPIES: u32 = 20;
const STAGES: u32 = 200;

fn simulate(seed: u64, faults: Faults) -> Ended {
    // If it panics, the captured output names the seed.
    println!("seed {seed}");
    World::new(seed, COPIES, STAGES, (10, 100), faults).run()
}

#[test]
fn without_faults_each_stage_is_executed_once() {
    for seed in 0..150 {
        let ended = simulate(seed, Faults::NONE);
        assert_eq!(
            (ended.executed, ended.results),
            (STAGES.into(), 200),
            "seed {seed}"
        );
        assert_eq!(ended.doubled, 0, "seed {seed}");
    }
}

#[test]
fn copies_that_crash_cost_time_and_no_stage_is_executed_beside_itself() {
    for seed in 0..150 {
        let faults = Faults {
            crash: 0.05,
            fails: 0.02,
            ..Faults::NONE
        };
        assert_eq!(simulate(seed, faults).doubled, 0, "seed {seed}");
    }
}

#[test]
fn a_stage_that_kills_its_machines_fails_after_three() {
    for seed in 0..100 {
        let faults = Faults {
            killers: 1,
            ..Faults::NONE
        };
        let ended = simulate(seed, faults);
        assert_eq!((ended.failed, ended.results), (1, 199), "seed {seed}");
        assert_eq!(ended.executed, 199 + 3, "seed {seed}");
    }
}

#[test]
fn whatever_goes_wrong_every_stage_ends_and_no_result_is_replaced() {
    for seed in 0..800 {
        simulate(seed, all_at_once(seed, false));
    }
}

#[test]
fn the_same_holds_while_the_store_is_away_for_minutes() {
    for seed in 0..800 {
        simulate(seed, all_at_once(seed, true));
    }
}

fn all_at_once(seed: u64, outages: bool) -> Faults {
    Faults {
        lost: 0.01,
        late: 0.005,
        crash: 0.01,
        freeze: 0.02,
        fails: 0.01,
        outages,
        killers: u32::from(seed.is_multiple_of(8)),
    }
}
