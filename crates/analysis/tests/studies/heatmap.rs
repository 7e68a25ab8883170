//! Heatmaps and good regions.

use analysis::heatmap::{CellState, GoodRule, Heatmap, HeatmapTable, Side, heatmap};
use analysis::{Error, Evaluation, Outcome, Run};
use serde_json::json;

use crate::simulation::{Truth, change};

fn settings(at: &serde_json::Value) -> Heatmap {
    serde_json::from_value(json!({
        "x": {"kfac": "damping", "sgd": "momentum"}, "y": "learning_rate", "value": "test_accuracy",
        "at": at, "good": {"at_least": 0.9, "within": 0.02}
    }))
    .expect("valid settings")
}

const RATES: [f64; 3] = [0.01, 0.1, 1.0];
const DAMPINGS: [f64; 3] = [0.001, 0.01, 0.1];

/// A K-FAC run at a cell.
fn cell(i: usize, j: usize, seed: u64, accuracy: f64) -> Truth {
    Truth {
        second: DAMPINGS[i],
        rate: RATES[j],
        accuracy,
        ..Truth::new("kfac", "kfac", 16, seed)
    }
}

/// A 3x3 study with one seed from accuracies, rows from the smallest learning rate.
fn study(accuracies: [[f64; 3]; 3]) -> Vec<Run> {
    let mut runs = Vec::new();
    for (j, row) in accuracies.iter().enumerate() {
        for (i, &accuracy) in row.iter().enumerate() {
            runs.push(cell(i, j, 0, accuracy).run());
        }
    }
    runs
}

fn at_end(runs: &[Run]) -> HeatmapTable {
    heatmap(&settings(&json!(["end"])), runs).expect("a table")
}

#[test]
fn cells_come_row_by_row_and_shares_follow_the_declared_rules() {
    let table = at_end(&study([
        [0.95, 0.5, 0.5],
        [0.5, 0.91, 0.5],
        [0.5, 0.5, 0.935],
    ]));
    let panel = &table.panels[0];
    assert_eq!(
        (panel.x.as_str(), panel.y.as_str()),
        ("damping", "learning_rate")
    );
    assert_eq!(
        (panel.x_values.as_slice(), panel.y_values.as_slice()),
        (&DAMPINGS[..], &RATES[..])
    );
    let places: Vec<(f64, f64)> = panel.cells.iter().map(|cell| (cell.x, cell.y)).collect();
    assert_eq!(places[1..4], [(0.01, 0.01), (0.1, 0.01), (0.001, 0.1)]);
    assert_eq!((panel.best, panel.step), (Some(0), Some(1000)));
    let [level, within] = &panel.regions[..] else {
        panic!("two rules are declared")
    };
    assert_eq!(level.rule, GoodRule::AtLeast(0.9));
    assert_eq!(level.share, Some(3.0 / 9.0));
    assert_eq!(
        level.good,
        [true, false, false, false, true, false, false, false, true]
    );
    assert_eq!(
        level.touches,
        [Side::Left, Side::Right, Side::Bottom, Side::Top]
    );
    // A diagonal in steps of ten each way: log rate rises as log damping.
    assert!((level.slope.expect("three columns") - 1.0).abs() < 1e-12);
    assert_eq!(within.share, Some(2.0 / 9.0));
    assert!((within.level.expect("a best cell") - 0.93).abs() < 1e-12);
}

#[test]
fn a_region_at_a_momentum_of_zero_cannot_go_on_below() {
    let touches = |momenta: [f64; 2]| {
        let runs = momenta.map(|momentum| {
            Truth {
                second: momentum,
                accuracy: if momentum > 0.8 { 0.5 } else { 0.95 },
                ..Truth::new("sgd", "sgd", 16, 0)
            }
            .run()
        });
        at_end(&runs).panels.remove(0).regions.remove(0).touches
    };
    assert_eq!(touches([0.0, 0.9]), []);
    assert_eq!(touches([0.5, 0.9]), [Side::Left]);
}

#[test]
fn a_region_inside_the_grid_touches_nothing() {
    let table = at_end(&study([[0.5, 0.5, 0.5], [0.5, 0.95, 0.5], [0.5, 0.5, 0.5]]));
    let region = &table.panels[0].regions[0];
    assert!(region.touches.is_empty());
    assert_eq!(region.slope, None);
    assert_eq!(region.centre.len(), 1);
    assert!((region.centre[0].y - 0.1).abs() < 1e-12);
}

#[test]
fn diverged_stopped_unevaluated_and_missing_cells_stay_distinct() {
    let slice = settings(&json!([{"iterations": 300}]));
    let with_300 = |truth: &Truth| {
        let mut run = truth.run();
        let last = run.curve.evaluations.last().expect("evaluated").step;
        if last > 300 {
            let at = run
                .curve
                .evaluations
                .partition_point(|evaluation| evaluation.step < 300);
            let test_accuracy = Some(truth.accuracy);
            run.curve.evaluations.insert(
                at,
                Evaluation {
                    step: 300,
                    test_accuracy,
                    ..Evaluation::default()
                },
            );
        }
        run
    };
    let outcome = |truth: Truth, outcome| Truth { outcome, ..truth };
    let runs = [
        with_300(&cell(0, 0, 0, 0.9)),
        with_300(&cell(0, 0, 1, 0.8)),
        with_300(&cell(1, 0, 0, 0.9)),
        with_300(&outcome(
            cell(1, 0, 1, 0.9),
            Outcome::Diverged { step: 300 },
        )),
        with_300(&outcome(cell(2, 0, 0, 0.9), Outcome::Stopped { step: 120 })),
        cell(0, 1, 0, 0.9).run(),
        with_300(&outcome(
            cell(1, 1, 0, 0.7),
            Outcome::Diverged { step: 900 },
        )),
    ];
    let table = heatmap(&slice, &runs).expect("a table");
    let states: Vec<CellState> = table.panels[0]
        .cells
        .iter()
        .map(|cell| cell.state)
        .collect();
    let CellState::Value { mean, seeds: 2 } = states[0] else {
        panic!("{:?}", states[0])
    };
    assert!((mean - 0.85).abs() < 1e-12);
    assert_eq!(
        states[1..],
        [
            CellState::Diverged {
                diverged: 1,
                seeds: 2
            },
            CellState::StoppedEarly { step: 120 },
            CellState::NotEvaluated,
            CellState::Value {
                mean: 0.7,
                seeds: 1
            },
            CellState::Missing,
        ]
    );
    assert_eq!(table.panels[0].regions[0].known, 3);
    assert_eq!(table.panels[0].regions[0].share, Some(0.0));
}

#[test]
fn epochs_are_rounded_up_to_steps_as_training_does() {
    let mut run = Truth::new("kfac", "kfac", 16, 0).run();
    run.steps_per_epoch = 7;
    // 1.5 epochs of 7 steps are 10.5, which training rounds up to 11.
    run.curve.evaluations = vec![
        Evaluation {
            step: 10,
            test_accuracy: Some(0.1),
            ..Evaluation::default()
        },
        Evaluation {
            step: 11,
            test_accuracy: Some(0.2),
            ..Evaluation::default()
        },
    ];
    let table = heatmap(&settings(&json!([{"epochs": 1.5}])), &[run]).expect("a table");
    assert_eq!(table.panels[0].step, Some(11));
    assert_eq!(
        table.panels[0].cells[0].state,
        CellState::Value {
            mean: 0.2,
            seeds: 1
        }
    );
}

#[test]
fn methods_have_their_own_axes_and_other_settings_their_own_panels() {
    let mut runs = study([[0.5; 3]; 3]);
    runs.push(Truth::new("sgd", "sgd", 16, 0).run());
    let mut other = Truth::new("sgd", "sgd", 16, 0).run();
    change(&mut other, |all| all["schedule"] = json!({"cosine": {}}));
    runs.push(other);
    let table = at_end(&runs);
    let panels: Vec<(&str, &str, usize)> = table
        .panels
        .iter()
        .map(|panel| (panel.method.as_str(), panel.x.as_str(), panel.others.len()))
        .collect();
    assert_eq!(
        panels,
        [
            ("kfac", "damping", 0),
            ("sgd", "momentum", 1),
            ("sgd", "momentum", 1)
        ]
    );
    assert!(
        table
            .panels
            .iter()
            .all(|panel| panel.cells.iter().all(|cell| cell.seeds.len() <= 1))
    );
}

#[test]
fn a_stage_that_a_slice_does_not_reach_leaves_the_picture_to_the_one_that_does() {
    let mut runs = study([[0.5; 3]; 3]);
    for run in study([[0.6; 3]; 3]) {
        let mut run = run;
        run.stage = "kfac-short".into();
        run.budget_steps = 90;
        run.curve
            .evaluations
            .retain(|evaluation| evaluation.step <= 90);
        runs.push(run);
    }
    let table = heatmap(&settings(&json!([{"iterations": 1000}])), &runs).expect("a table");
    let stages: Vec<&str> = table
        .panels
        .iter()
        .map(|panel| panel.stage.as_str())
        .collect();
    assert_eq!(stages, ["kfac"]);
    let alone = heatmap(&settings(&json!([{"iterations": 1000}])), &runs[9..]).expect("a table");
    assert_eq!(
        alone.panels[0].cells[0].state,
        CellState::StoppedEarly { step: 90 }
    );
    assert_eq!(
        (alone.panels[0].best, alone.panels[0].regions[0].share),
        (None, None)
    );
}

#[test]
fn for_a_loss_good_means_at_most() {
    let mut runs = study([[0.5; 3]; 3]);
    for (run, loss) in runs
        .iter_mut()
        .zip([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
    {
        run.curve
            .evaluations
            .last_mut()
            .expect("evaluated")
            .train_loss = Some(loss);
    }
    let mut settings = settings(&json!(["end"]));
    settings.value = analysis::Metric::TrainLoss.into();
    settings.good =
        serde_json::from_value(json!({"at_least": 0.35, "within": 0.1})).expect("valid");
    let panel = heatmap(&settings, &runs).expect("a table").panels.remove(0);
    assert_eq!(panel.best, Some(0));
    assert_eq!(panel.regions[0].share, Some(3.0 / 9.0));
    assert_eq!(panel.regions[1].share, Some(2.0 / 9.0));
}

#[test]
fn an_axis_that_the_runs_lack_is_an_error_that_names_it() {
    let mut wrong = settings(&json!(["end"]));
    wrong.y = serde_json::from_value(json!("warmth")).expect("a name");
    let error = heatmap(&wrong, &study([[0.5; 3]; 3])).expect_err("no such setting");
    assert!(
        matches!(&error, Error::AxisNotANumber { setting, .. } if setting == "warmth"),
        "{error}"
    );
    let mut nowhere = settings(&json!(["end"]));
    nowhere.at.clear();
    assert!(heatmap(&nowhere, &study([[0.5; 3]; 3])).is_err());
    assert_eq!(heatmap(&settings(&json!(["end"])), &[]), Err(Error::NoRuns));
}
