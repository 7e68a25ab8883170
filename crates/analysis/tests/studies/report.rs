//! The report's table.

use analysis::claims::{Claim, ClaimVerdict};
use analysis::heatmap::{HeatmapTable, heatmap};
use analysis::report::{BUCKETS, Report, ReportTable, Role, assemble};
use analysis::select::select;
use analysis::targets::{StepsToTarget, targets};
use analysis::{Evidence, Metric, Named, Outcome, Run};
use serde_json::{Value, json};

use crate::simulation::{Noise, Truth, change};

fn settings() -> Report {
    serde_json::from_value(json!({"title": "A study", "claims": [
        {"comparable_performance": {}}, {"diminishing_returns": {}}, {"region_shrinks_at_fixed_epochs": {}},
        {"region_grows_at_fixed_iterations": {}}, {"rates_and_dampings_correlate": {}},
        {"sgd_faster_per_iteration": {}}]}))
    .expect("valid settings")
}

/// Two methods, three batch sizes, a 3x3 grid, some runs diverged, NaN losses, two fresh seeds.
pub(crate) fn runs() -> Vec<Run> {
    let mut noise = Noise::new(2);
    let mut runs = Vec::new();
    for method in ["kfac", "sgd"] {
        for batch in [16, 64, 256] {
            for (i, j) in (0..9).map(|k| (k / 3, k % 3)) {
                let mut truth = Truth::new(method, method, batch, 0);
                truth.rate = 10f64.powi(i - 3);
                truth.second = 10f64.powi(j - 4);
                truth.accuracy = 0.9 + 0.02 * noise.normal();
                truth.crosses = Some(4000.0 / batch as f64 + 50.0 * noise.uniform());
                if i == 2 && j == 0 {
                    truth.outcome = Outcome::Diverged { step: 12 };
                }
                runs.push(truth.run());
            }
        }
    }
    runs
}

pub(crate) fn evidence(mut runs: Vec<Run>) -> Evidence {
    let by_accuracy = serde_json::from_value(json!({"by": "validation_accuracy"})).expect("valid");
    let winners = select(&by_accuracy, &runs).expect("winners").winners;
    for winner in &winners.winners {
        for seed in [100, 101] {
            let of_winner = |run: &&Run| {
                run.stage == winner.stage
                    && winner
                        .parameters
                        .iter()
                        .all(|(name, value)| run.parameter(name) == Some(value))
                    && run.batch_size() == winner.batch_size
            };
            let mut run = runs
                .iter()
                .find(of_winner)
                .expect("the winning run")
                .clone();
            run.stage = "confirmed".into();
            run.label = format!("confirmed/{},seed={seed}", winner.entry);
            change(&mut run, |all| all["seed"] = json!(seed));
            change(&mut run, |all| all["schedule"] = json!({"constant": {}}));
            runs.push(run);
        }
    }
    let levels = StepsToTarget::of([(Metric::TrainLoss, vec![0.5])]);
    let axes = json!({"x": {"kfac": "damping", "sgd": "momentum"}, "y": "learning_rate",
        "value": "test_accuracy", "at": ["end", {"iterations": 80}], "good": {"at_least": 0.9, "within": 0.02}});
    let map = heatmap(&serde_json::from_value(axes).expect("valid"), &runs[..54]).expect("a table");
    Evidence {
        targets: vec![Named {
            stage: "targets".into(),
            table: targets(&levels, &runs).expect("a table"),
        }],
        winners: vec![Named {
            stage: "winners".into(),
            table: winners,
        }],
        heatmaps: vec![Named {
            stage: "sensitivity".into(),
            table: map,
        }],
        runs,
    }
}

#[test]
fn every_run_is_in_the_table_and_its_settings_are_all_there() {
    let evidence = evidence(runs());
    let table = assemble(&settings(), &evidence);
    assert_eq!(table.runs.len(), 54 + 12);
    assert_eq!(
        table.stages.iter().map(|stage| stage.runs).sum::<usize>(),
        66
    );
    for row in &table.runs {
        let stage = table
            .stages
            .iter()
            .find(|stage| (&stage.stage, &stage.method) == (&row.stage, &row.method))
            .expect("its stage and method");
        let mut all = stage.common.clone();
        all.extend(row.settings.clone());
        let run = evidence
            .runs
            .iter()
            .find(|run| run.label == row.label)
            .expect("its run");
        assert_eq!(all["learning_rate"], run.settings.all["learning_rate"]);
        assert_eq!(all["seed"], run.settings.all["seed"]);
        assert_eq!(all["model.mlp.hidden"], json!([32]));
        let second = if row.method == "kfac" {
            "damping"
        } else {
            "momentum"
        };
        assert_eq!(
            Some(&all[&format!("optimizer.{}.{second}", row.method)]),
            run.parameter(second)
        );
    }
    // A stage that confirms both methods' winners has each method's settings apart.
    let confirmed: Vec<_> = table
        .stages
        .iter()
        .filter(|stage| stage.stage == "confirmed")
        .collect();
    assert_eq!(confirmed.len(), 2);
    for stage in confirmed {
        let other = if stage.method == "kfac" {
            "sgd"
        } else {
            "kfac"
        };
        assert!(stage.swept.values().flatten().all(|value| !value.is_null()));
        assert!(!stage.swept.keys().any(|path| path.contains(other)));
        assert_eq!(stage.common["schedule"], json!("constant"));
    }
    let kfac = table
        .stages
        .iter()
        .find(|stage| stage.stage == "kfac")
        .expect("the stage");
    assert_eq!(
        kfac.swept["learning_rate"],
        [json!(0.001), json!(0.01), json!(0.1)]
    );
    assert_eq!(kfac.diverged, 3);
}

#[test]
fn the_curves_are_those_of_confirmed_winners_and_their_performance_is_quoted() {
    let table = assemble(&settings(), &evidence(runs()));
    assert_eq!(table.curves.len(), 12);
    assert!(
        table
            .curves
            .iter()
            .all(|curve| curve.role == Role::Confirmed
                && curve.winners == ["winners"]
                && curve.loss.len() <= BUCKETS)
    );
    assert_eq!(table.performance.len(), 6);
    assert!(
        table
            .performance
            .iter()
            .all(|row| row.seeds == 2 && row.diverged == 0)
    );
    let only_tuning: Evidence = Evidence {
        runs: runs(),
        ..evidence(runs())
    };
    let table = assemble(&settings(), &only_tuning);
    assert_eq!(table.curves.len(), 6);
    assert!(table.curves.iter().all(|curve| curve.role == Role::Winner));
    assert!(table.performance.is_empty());
}

#[test]
fn a_winner_is_confirmed_by_the_stage_that_ran_all_winners_and_each_seed_counts_once() {
    let mut evidence = evidence(runs());
    let expected = assemble(&settings(), &evidence).performance;
    // Another stage happens to have one winner's settings on the same seeds and a fresh one, with
    // another accuracy.
    let strays: Vec<Run> = evidence
        .runs
        .iter()
        .filter(|run| run.label.starts_with("confirmed/kfac/64"))
        .flat_map(|run| [100, 101, 102].map(|seed| (run.clone(), seed)))
        .map(|(mut run, seed)| {
            run.stage = "another".into();
            run.label = format!("another/seed={seed}");
            change(&mut run, |all| all["seed"] = json!(seed));
            for evaluation in &mut run.curve.evaluations {
                evaluation.test_accuracy = Some(0.1);
            }
            run
        })
        .collect();
    assert!(!strays.is_empty());
    evidence.runs.extend(strays);
    assert_eq!(assemble(&settings(), &evidence).performance, expected);
    // A second stage that ran all winners on the same seeds adds none.
    let again: Vec<Run> = evidence
        .runs
        .iter()
        .filter(|run| run.stage == "confirmed")
        .cloned()
        .map(|mut run| {
            run.label = run.label.replace("confirmed", "confirmed-again");
            run.stage = "confirmed-again".into();
            run
        })
        .collect();
    evidence.runs.extend(again);
    assert_eq!(assemble(&settings(), &evidence).performance, expected);
}

#[test]
fn without_a_selection_some_curves_are_shown_and_the_rest_is_counted() {
    let table = assemble(
        &settings(),
        &Evidence {
            runs: runs(),
            ..Evidence::default()
        },
    );
    assert_eq!((table.curves.len(), table.curves_left_out), (40, 14));
    let nothing = assemble(&settings(), &Evidence::default());
    assert_eq!((nothing.runs.len(), nothing.claims.len()), (0, 6));
}

#[test]
fn the_table_reads_back_and_does_not_depend_on_the_order_of_the_runs() {
    let table = assemble(&settings(), &evidence(runs()));
    let text = serde_json::to_string(&table).expect("JSON");
    let back: ReportTable = serde_json::from_str(&text).expect("its own JSON");
    assert_eq!(back, table);
    let mut reversed = runs();
    reversed.reverse();
    let of_reversed = assemble(&settings(), &evidence(reversed));
    assert_eq!(
        serde_json::to_string(&of_reversed.runs).expect("JSON"),
        serde_json::to_string(&table.runs).expect("JSON")
    );
    let claims = |table: &ReportTable| {
        serde_json::to_string(&(&table.targets, &table.winners, &table.claims))
    };
    assert_eq!(
        claims(&of_reversed).expect("JSON"),
        claims(&table).expect("JSON")
    );
}

/// `serde_json` writes NaN and infinities as null: no number may turn into one. `null` may stand only
/// where a field is optional.
#[test]
fn no_number_of_a_study_full_of_nan_is_lost_in_the_json() {
    let mut runs = runs();
    for run in &mut runs {
        run.curve.updates.loss.fill(f32::NAN);
        for evaluation in &mut run.curve.evaluations {
            evaluation.train_loss = None;
        }
        run.curve.evaluations[0].train_loss = Some(2.0);
    }
    let evidence = evidence(runs);
    let table = assemble(&settings(), &evidence);
    let value: Value = serde_json::to_value(&table).expect("JSON");
    let back: ReportTable = serde_json::from_value(value).expect("nothing turned into null");
    assert_eq!(back, table);
    let _: Vec<ClaimVerdict> = back.claims;
    let _: HeatmapTable = back.heatmaps.into_iter().next().expect("a heatmap").table;
    let names: Vec<Claim> = settings().claims.iter().map(|claim| **claim).collect();
    assert_eq!(names.len(), table.claims.len());
}
