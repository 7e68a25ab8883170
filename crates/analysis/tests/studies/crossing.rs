//! Steps to target of single runs, and the summaries of groups.

use analysis::targets::{Steps, StepsInterval, StepsToTarget, TargetsTable, targets};
use analysis::{Error, Evaluation, Metric, Outcome, Run};
use proptest::prelude::*;

use crate::simulation::Truth;

fn loss_target() -> StepsToTarget {
    StepsToTarget::of([(Metric::TrainLoss, vec![0.5])])
}

/// A run whose training loss at step 10, 20, ... is as given.
fn run_with(losses: &[Option<f64>], outcome: Outcome) -> Run {
    let mut run = Truth::new("sgd", "sgd", 16, 0).run();
    run.outcome = outcome;
    run.budget_steps = 10 * losses.len() as u64;
    run.curve.evaluations = losses
        .iter()
        .zip(1..)
        .map(|(&train_loss, i)| Evaluation {
            step: 10 * i,
            examples: 160 * i,
            train_loss,
            ..Evaluation::default()
        })
        .collect();
    run
}

fn steps_of(losses: &[f64], outcome: Outcome) -> Steps {
    let losses: Vec<Option<f64>> = losses.iter().map(|&loss| Some(loss)).collect();
    let table = targets(&loss_target(), &[run_with(&losses, outcome)]).expect("a table");
    table.runs[0].crossings[0].steps
}

#[test]
fn the_first_of_two_consecutive_hits_counts_and_a_single_one_does_not() {
    let finished = Outcome::Finished;
    assert_eq!(
        steps_of(&[1.0, 0.4, 0.9, 0.5, 0.3], finished),
        Steps::Reached { after: 30, by: 40 }
    );
    assert_eq!(
        steps_of(&[0.4, 0.4, 0.9], finished),
        Steps::Reached { after: 0, by: 10 }
    );
    assert_eq!(
        steps_of(&[1.0, 0.4, 0.9], finished),
        Steps::NotReached { budget: 30 }
    );
    assert_eq!(
        steps_of(&[1.0, 0.9, 0.4], finished),
        Steps::NotReached { budget: 20 }
    );
    assert_eq!(steps_of(&[0.4], finished), Steps::NotReached { budget: 0 });
}

#[test]
fn divergence_before_the_target_is_a_failure_and_after_it_is_none() {
    let diverged = Outcome::Diverged { step: 37 };
    assert_eq!(
        steps_of(&[1.0, 0.9, 0.8], diverged),
        Steps::Diverged { step: 37 }
    );
    assert_eq!(
        steps_of(&[1.0, 0.4, 0.4], diverged),
        Steps::Reached { after: 10, by: 20 }
    );
}

#[test]
fn a_value_that_is_not_finite_misses() {
    let run = run_with(&[Some(0.4), None, Some(0.4), Some(0.4)], Outcome::Finished);
    let table = targets(&loss_target(), &[run]).expect("a table");
    assert_eq!(
        table.runs[0].crossings[0].steps,
        Steps::Reached { after: 20, by: 30 }
    );
}

proptest! {
    /// The definition read backwards: reached by the first step with a hit there and at the next one.
    #[test]
    fn crossings_equal_the_definition_by_brute_force(hits in proptest::collection::vec(any::<bool>(), 1..12)) {
        let losses: Vec<f64> = hits.iter().map(|&hit| if hit { 0.4 } else { 0.6 }).collect();
        let mut expected = None;
        for i in (0..hits.len().saturating_sub(1)).rev() {
            if hits[i] && hits[i + 1] {
                expected = Some(i as u64);
            }
        }
        match steps_of(&losses, Outcome::Finished) {
            Steps::Reached { after, by } => {
                prop_assert_eq!(Some(by / 10 - 1), expected);
                prop_assert_eq!(after + 10, by);
            }
            Steps::NotReached { budget } => {
                prop_assert_eq!(expected, None);
                prop_assert!(budget == 0 || !hits[budget as usize / 10 - 1]);
            }
            Steps::Diverged { .. } => prop_assert!(false, "a finished run did not diverge"),
        }
    }
}

#[test]
fn crossings_after_a_drop_of_the_rate_are_flagged_and_censored_in_the_fit() {
    let study = |crosses: f64| {
        let mut truth = Truth::new("sgd", "sgd", 16, 0);
        truth.crosses = Some(crosses);
        truth.rate_drops = vec![400, 800];
        targets(&loss_target(), &[truth.run()]).expect("a table")
    };
    let flags = |table: &TargetsTable| {
        let crossing = table.runs[0].crossings[0];
        (crossing.after_first_drop, crossing.just_after_drop)
    };
    assert_eq!(flags(&study(300.0)), (false, false));
    assert_eq!(flags(&study(410.0)), (true, true));
    assert_eq!(flags(&study(600.0)), (true, false));
    let fit = &study(410.0).fits[0];
    assert_eq!((fit.reached, fit.not_reached, fit.after_drop), (0, 1, 1));
}

#[test]
fn the_median_counts_unreached_and_diverged_seeds_as_last() {
    let mut runs = Vec::new();
    for (seed, crosses) in [(0, Some(100.0)), (1, Some(300.0)), (2, None), (3, None)] {
        let mut truth = Truth::new("sgd", "sgd", 16, seed);
        truth.crosses = crosses;
        runs.push(truth.run());
    }
    let summary =
        |runs: &[Run]| targets(&loss_target(), runs).expect("a table").summaries[0].clone();
    let four = summary(&runs);
    assert_eq!(
        (
            four.seeds,
            four.reached,
            four.not_reached,
            four.diverged,
            four.median
        ),
        (4, 2, 2, 0, None)
    );
    let three = summary(&runs[..3]);
    // 1.1^60 = 304.5 is the first evaluation from step 300, 1.1^59 = 276.8 the one before.
    assert_eq!(
        three.median,
        Some(StepsInterval {
            after: 277,
            by: 305
        })
    );
    runs[2].outcome = Outcome::Diverged { step: 5 };
    assert_eq!(summary(&runs).diverged, 1);
}

#[test]
fn a_stage_with_several_configurations_shows_the_fastest_one_of_each_target() {
    let mut runs = Vec::new();
    for (rate, crosses) in [(0.1, 500.0), (0.2, 200.0), (0.4, 800.0)] {
        let mut truth = Truth::new("sgd", "sgd", 16, 0);
        truth.rate = rate;
        truth.crosses = Some(crosses);
        runs.push(truth.run());
    }
    let table = targets(&loss_target(), &runs).expect("a table");
    let summary = &table.summaries[0];
    assert_eq!(summary.configurations, 3);
    assert_eq!(summary.parameters["learning_rate"].as_f64(), Some(0.2));
    assert_eq!(table.fits[0].reached, 1);
}

#[test]
fn ideal_lines_and_speed_ups_start_from_the_smallest_batch() {
    let mut runs = Vec::new();
    for (batch, crosses) in [(16, 800.0), (64, 200.0), (256, 150.0)] {
        let mut truth = Truth::new("sgd", "sgd", batch, 0);
        truth.crosses = Some(crosses);
        runs.push(truth.run());
    }
    let table = targets(&loss_target(), &runs).expect("a table");
    let ideal: Vec<f64> = table.summaries.iter().filter_map(|row| row.ideal).collect();
    assert!(
        (ideal[0] / ideal[1] - 4.0).abs() < 1e-12 && (ideal[0] / ideal[2] - 16.0).abs() < 1e-12
    );
    for row in &table.summaries {
        let median = row.median.expect("reached");
        let speed_up = ideal[0] / ((median.after * median.by) as f64).sqrt();
        assert!((row.speed_up.expect("reached") - speed_up).abs() < 1e-12);
    }
}

#[test]
fn a_target_that_takes_under_16_steps_at_the_largest_batch_is_inadmissible_and_says_so() {
    let admissible = |crosses: f64| {
        let mut small = Truth::new("sgd", "sgd", 16, 0);
        small.crosses = Some(500.0);
        let mut large = Truth::new("sgd", "sgd", 256, 0);
        large.crosses = Some(crosses);
        targets(&loss_target(), &[small.run(), large.run()])
            .expect("a table")
            .targets[0]
            .clone()
    };
    assert!(admissible(40.0).admissible);
    let easy = admissible(9.0);
    assert!(!easy.admissible);
    let fewest = easy.fewest.expect("it was reached");
    assert_eq!((fewest.method.as_str(), fewest.batch_size), ("sgd", 256));
    assert!(fewest.by < 16, "{fewest:?}");
}

#[test]
fn studies_at_the_edge_give_tables_and_not_panics() {
    let all_diverged: Vec<Run> = (0..6)
        .map(|i| {
            let mut truth = Truth::new("kfac", "kfac", 16 << (i % 3), i);
            truth.outcome = Outcome::Diverged { step: 3 };
            truth.run()
        })
        .collect();
    let table = targets(&loss_target(), &all_diverged).expect("a table");
    assert!(
        table
            .fits
            .iter()
            .all(|fit| fit.law.is_none() && fit.slope.is_none() && !fit.notes.is_empty())
    );
    assert_eq!(
        table
            .summaries
            .iter()
            .map(|row| row.diverged)
            .sum::<usize>(),
        6
    );

    let none_reached: Vec<Run> = (0..6)
        .map(|i| Truth::new("kfac", "kfac", 16 << (i % 3), i).run())
        .collect();
    let table = targets(&loss_target(), &none_reached).expect("a table");
    assert_eq!(
        (table.fits[0].not_reached, table.fits[0].law.is_none()),
        (6, true)
    );
    assert_eq!(table.targets[0].fewest, None);

    let mut one_batch = Truth::new("sgd", "sgd", 16, 0);
    one_batch.crosses = Some(100.0);
    let table = targets(&loss_target(), &[one_batch.run()]).expect("a table");
    assert!(table.fits[0].law.is_none() && table.fits[0].slope.is_none());
    assert_eq!(table.summaries[0].speed_up, Some(1.0));

    assert_eq!(targets(&loss_target(), &[]), Err(Error::NoRuns));
    let unmeasured = StepsToTarget::of([(Metric::TestLoss, vec![0.5])]);
    let runs = [Truth::new("sgd", "sgd", 16, 0).run()];
    assert_eq!(
        targets(&unmeasured, &runs),
        Err(Error::NotMeasured {
            metric: Metric::TestLoss
        })
    );
}

#[test]
fn targets_are_ordered_from_the_easiest_whatever_the_file_says() {
    let settings: StepsToTarget =
        serde_json::from_str(r#"{"train_loss": [0.01, 0.03], "test_accuracy": [0.95, 0.9]}"#)
            .expect("valid");
    let levels: Vec<f64> = settings
        .targets()
        .iter()
        .map(|target| target.level)
        .collect();
    assert_eq!(levels, [0.03, 0.01, 0.9, 0.95]);
}
