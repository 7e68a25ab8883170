//! Selection of winners.

use analysis::select::{Edge, Score, Select, Selection, Winner, select};
use analysis::{Error, Evaluation, Metric, Outcome, Run};
use serde_json::json;

use crate::simulation::{Noise, Truth};

fn settings(json: &serde_json::Value) -> Select {
    serde_json::from_value(json.clone()).expect("valid settings")
}

fn by_accuracy(runs: &[Run]) -> Selection {
    select(&settings(&json!({"by": "validation_accuracy"})), runs).expect("winners")
}

/// Learning rate, seed, accuracy, outcome.
fn sgd(rate: f64, seed: u64, accuracy: f64, outcome: Outcome) -> Run {
    Truth {
        rate,
        accuracy,
        outcome,
        ..Truth::new("sgd", "sgd", 16, seed)
    }
    .run()
}

#[test]
fn the_best_mean_over_seeds_wins_not_the_best_seed() {
    let end = Outcome::Finished;
    let runs = [
        sgd(0.1, 0, 0.99, end),
        sgd(0.1, 1, 0.5, end),
        sgd(0.2, 0, 0.8, end),
        sgd(0.2, 1, 0.8, end),
    ];
    let selection = by_accuracy(&runs);
    let winner = &selection.winners.winners[0];
    assert_eq!(winner.score, Score::Value(0.8));
    assert_eq!(winner.parameters["learning_rate"], json!(0.2));
    assert_eq!(
        (winner.candidates, winner.seeds.as_slice()),
        (2, &[0, 1][..])
    );
    assert_eq!(winner.on_grid_edge["learning_rate"], Edge::High);
    let configuration = &selection.configurations["sgd/16"];
    assert_eq!(configuration.get("seed"), None);
    assert_eq!(configuration["learning_rate"], json!(0.2));
    assert_eq!(
        configuration["optimizer"],
        json!({"sgd": {"momentum": 0.01}})
    );
}

#[test]
fn nothing_lies_below_a_momentum_of_zero_so_it_is_no_edge() {
    let winner = |momenta: [f64; 2], best: usize| {
        let runs = [0, 1].map(|i| {
            Truth {
                second: momenta[i],
                accuracy: if i == best { 0.9 } else { 0.8 },
                ..Truth::new("sgd", "sgd", 16, 0)
            }
            .run()
        });
        by_accuracy(&runs).winners.winners.remove(0)
    };
    assert!(winner([0.0, 0.9], 0).on_grid_edge.is_empty());
    let edge = |winner: &Winner| winner.on_grid_edge["momentum"];
    assert_eq!(edge(&winner([0.0, 0.9], 1)), Edge::High);
    assert_eq!(edge(&winner([0.5, 0.9], 0)), Edge::Low);
}

#[test]
fn a_configuration_with_a_diverged_seed_ranks_last_however_good_the_others() {
    let runs = [
        sgd(0.4, 0, 0.99, Outcome::Finished),
        sgd(0.4, 1, 0.99, Outcome::Diverged { step: 500 }),
        sgd(0.1, 0, 0.3, Outcome::Finished),
        sgd(0.1, 1, 0.3, Outcome::Finished),
    ];
    let winner = by_accuracy(&runs).winners.winners.remove(0);
    assert_eq!((winner.score, winner.diverged), (Score::Value(0.3), 1));
    assert_eq!(
        winner.runner_up.expect("two candidates").score,
        Score::Diverged { seeds: 1 }
    );
}

#[test]
fn there_is_a_winner_even_if_everything_diverged_and_ties_go_to_the_smaller_rate() {
    let diverged = Outcome::Diverged { step: 3 };
    let runs = [
        sgd(0.4, 0, 0.1, diverged),
        sgd(0.1, 0, 0.1, diverged),
        sgd(0.2, 0, 0.1, diverged),
    ];
    let winner = by_accuracy(&runs).winners.winners.remove(0);
    assert_eq!(winner.parameters["learning_rate"], json!(0.1));
    assert_eq!(winner.score, Score::Diverged { seeds: 1 });
    assert!(winner.expected_best.is_empty());

    let end = Outcome::Finished;
    let tied = [
        sgd(0.4, 0, 0.9, end),
        sgd(0.2, 0, 0.9, end),
        sgd(0.1, 0, 0.8, end),
    ];
    let winner = by_accuracy(&tied).winners.winners.remove(0);
    assert_eq!(winner.parameters["learning_rate"], json!(0.2));
    assert!(winner.on_grid_edge.is_empty());
}

#[test]
fn by_steps_unreached_configurations_come_after_reached_ones_by_their_last_loss() {
    let by = settings(&json!({"by": {"steps_to": {"train_loss": 0.03}}}));
    let run = |rate: f64, crosses: Option<f64>, last_loss: f64| {
        let mut run = Truth {
            rate,
            crosses,
            ..Truth::new("sgd", "sgd", 16, 0)
        }
        .run();
        run.curve
            .evaluations
            .last_mut()
            .expect("evaluated")
            .train_loss = Some(last_loss);
        run
    };
    let parameters = |runs: &[Run]| {
        let winner = select(&by, runs)
            .expect("winners")
            .winners
            .winners
            .remove(0);
        (
            winner.parameters["learning_rate"].clone(),
            winner.score,
            winner.runner_up.expect("three").score,
        )
    };
    let (slow, fast, never) = (
        run(0.1, Some(600.0), 0.01),
        run(0.2, Some(90.0), 0.01),
        run(0.05, None, 0.2),
    );
    let (rate, score, second) = parameters(&[slow.clone(), fast, never.clone()]);
    assert_eq!(rate, json!(0.2));
    assert!(
        matches!(score, Score::Steps { by, .. } if (90..100).contains(&by)),
        "{score:?}"
    );
    assert!(
        matches!(second, Score::Steps { by, .. } if by >= 600),
        "{second:?}"
    );
    let (rate, score, second) = parameters(&[run(0.3, None, 0.5), never, run(0.4, None, 0.7)]);
    assert_eq!(
        (rate, score),
        (json!(0.05), Score::NotReached { value: Some(0.2) })
    );
    assert_eq!(second, Score::NotReached { value: Some(0.5) });
}

#[test]
fn a_slice_reads_exactly_its_step_and_what_was_not_evaluated_there_loses() {
    let at = settings(&json!({"by": "test_accuracy", "at": {"iterations": 300}}));
    let with_300 = |mut run: Run, accuracy: f64| {
        run.curve
            .evaluations
            .retain(|evaluation| evaluation.step < 300);
        run.curve.evaluations.push(Evaluation {
            step: 300,
            test_accuracy: Some(accuracy),
            ..Evaluation::default()
        });
        run
    };
    let end = Outcome::Finished;
    let runs = [
        with_300(sgd(0.1, 0, 0.9, end), 0.4),
        with_300(sgd(0.2, 0, 0.1, end), 0.6),
        sgd(0.3, 0, 0.99, end),
    ];
    let winner = select(&at, &runs)
        .expect("winners")
        .winners
        .winners
        .remove(0);
    assert_eq!(winner.score, Score::Value(0.6));
    let late = [sgd(0.3, 0, 0.99, Outcome::Diverged { step: 900 })];
    let early = settings(&json!({"by": "test_accuracy", "at": {"iterations": 3}}));
    let winner = select(&early, &late)
        .expect("winners")
        .winners
        .winners
        .remove(0);
    assert_eq!(
        winner.score,
        Score::Value(0.99),
        "it diverged after the slice"
    );
}

#[test]
fn the_expected_best_of_k_trials_equals_the_mean_of_random_draws() {
    let accuracies = [0.1, 0.5, 0.7, 0.75, 0.9];
    let runs: Vec<Run> = accuracies
        .iter()
        .zip(1..)
        .map(|(&a, i)| sgd(0.1 * f64::from(i), 0, a, Outcome::Finished))
        .collect();
    let winner = by_accuracy(&runs).winners.winners.remove(0);
    let trials: Vec<usize> = winner
        .expected_best
        .iter()
        .map(|best| best.trials)
        .collect();
    assert_eq!(trials, [1, 2, 4, 5]);
    let mut noise = Noise::new(1);
    for best in &winner.expected_best {
        let draws = 40_000;
        let mut sum = 0.0;
        for _ in 0..draws {
            let draw = |noise: &mut Noise| accuracies[(noise.uniform() * 5.0) as usize];
            sum += (0..best.trials)
                .map(|_| draw(&mut noise))
                .fold(0.0, f64::max);
        }
        assert!(
            (best.value - sum / f64::from(draws)).abs() < 0.006,
            "{best:?} {}",
            sum / f64::from(draws)
        );
    }
}

#[test]
fn groups_are_what_per_says() {
    let mut runs = Vec::new();
    for (method, stage) in [("sgd", "sgd"), ("kfac", "kfac")] {
        for batch in [16, 256, 32] {
            runs.push(Truth::new(stage, method, batch, 0).run());
        }
    }
    let entries = |json: serde_json::Value| -> Vec<String> {
        let selection = select(&settings(&json), &runs).expect("winners");
        selection
            .winners
            .winners
            .into_iter()
            .map(|winner| winner.entry)
            .collect()
    };
    let by = "validation_accuracy";
    assert_eq!(
        entries(json!({"by": by})),
        [
            "kfac/16", "kfac/32", "kfac/256", "sgd/16", "sgd/32", "sgd/256"
        ]
    );
    assert_eq!(
        entries(json!({"by": by, "per": ["method"]})),
        ["kfac", "sgd"]
    );
    let unknown = settings(&json!({"by": by, "per": ["damping"]}));
    assert!(
        matches!(select(&unknown, &runs), Err(Error::NoGroup { name, .. }) if name == "damping")
    );
    assert_eq!(
        select(&settings(&json!({"by": by})), &[]),
        Err(Error::NoRuns)
    );
    let unmeasured = settings(&json!({"by": "test_loss"}));
    assert_eq!(
        select(&unmeasured, &runs),
        Err(Error::NotMeasured {
            metric: Metric::TestLoss
        })
    );
}
