//! The share of good cells against the step.

use analysis::heatmap::{CellState, Heatmap, HeatmapTable, heatmap};
use analysis::{Moment, Outcome, Run};
use serde_json::json;

use crate::simulation::{Noise, Truth};

fn settings(at: &[Moment]) -> Heatmap {
    serde_json::from_value(json!({
        "x": "damping", "y": "learning_rate", "value": "test_accuracy", "at": at,
        "good": {"at_least": 0.8, "within": 0.1}
    }))
    .expect("valid settings")
}

/// Two batch sizes, a 3x3 grid, two seeds; accuracies that rise with the step, at random rates; one run
/// diverges.
fn study() -> Vec<Run> {
    let mut noise = Noise::new(8);
    let mut runs = Vec::new();
    for batch in [16, 64] {
        for cell in 0..9 {
            for seed in 0..2 {
                let mut truth = Truth::new("kfac", "kfac", batch, seed);
                truth.rate = 10f64.powi(cell / 3 - 3);
                truth.second = 10f64.powi(cell % 3 - 4);
                if (batch, cell, seed) == (64, 4, 1) {
                    truth.outcome = Outcome::Diverged { step: 90 };
                }
                let mut run = truth.run();
                let pace = 30.0 * (1.5 * noise.normal()).exp();
                for evaluation in &mut run.curve.evaluations {
                    let grown = 1.0 - (-(evaluation.step as f64) / pace).exp();
                    evaluation.test_accuracy = Some(0.95 * grown);
                }
                runs.push(run);
            }
        }
    }
    runs
}

fn at_end(runs: &[Run]) -> HeatmapTable {
    heatmap(&settings(&[Moment::End]), runs).expect("a table")
}

#[test]
fn every_point_of_a_course_is_the_share_of_the_heatmap_cut_there() {
    let runs = study();
    let table = at_end(&runs);
    // Two batch sizes by two rules.
    assert_eq!(table.courses.len(), 4);
    let mut diverged = 0;
    for course in &table.courses {
        assert!(course.points.len() > 40, "{}", course.points.len());
        assert_eq!(course.left_out, 0);
        assert_eq!(course.steps_per_epoch, 12_800 / course.batch_size);
        for point in &course.points {
            let cut =
                heatmap(&settings(&[Moment::Iterations(point.step)]), &runs).expect("a table");
            let panel = cut
                .panels
                .iter()
                .find(|panel| panel.batch_size == course.batch_size)
                .expect("its panel");
            let region = panel
                .regions
                .iter()
                .find(|region| region.rule == course.rule)
                .expect("its rule");
            assert_eq!(Some(point.share), region.share);
            assert_eq!(
                (point.known, &point.touches),
                (region.known, &region.touches)
            );
            let lost = panel
                .cells
                .iter()
                .filter(|cell| matches!(cell.state, CellState::Diverged { .. }));
            assert_eq!(point.diverged, lost.count());
            diverged += point.diverged;
            for (seed, share) in (0..).zip(&point.seeds) {
                let alone: Vec<Run> = runs
                    .iter()
                    .filter(|run| run.seed() == seed)
                    .cloned()
                    .collect();
                let cut =
                    heatmap(&settings(&[Moment::Iterations(point.step)]), &alone).expect("a table");
                let panel = cut
                    .panels
                    .iter()
                    .find(|panel| panel.batch_size == course.batch_size);
                let regions = &panel.expect("its panel").regions;
                let own = regions.iter().find(|region| region.rule == course.rule);
                assert_eq!(own.expect("its rule").share, Some(*share));
            }
        }
        let last = course.points.last().expect("points");
        assert!(last.share > course.points[0].share, "accuracies rise");
    }
    assert!(diverged > 0);
}

#[test]
fn a_course_ends_where_a_run_stops_and_says_how_much_is_left_out() {
    let mut runs = study();
    let whole = at_end(&runs);
    let stopped = runs
        .iter_mut()
        .find(|run| run.batch_size() == 16)
        .expect("runs");
    stopped.outcome = Outcome::Stopped { step: 200 };
    stopped
        .curve
        .evaluations
        .retain(|evaluation| evaluation.step <= 200);
    let cut = at_end(&runs);
    for (before, after) in whole.courses.iter().zip(&cut.courses) {
        if after.batch_size == 16 {
            assert!(after.points.iter().all(|point| point.step <= 200));
            assert_eq!(after.points.len() + after.left_out, before.points.len());
            assert_eq!(after.points[..], before.points[..after.points.len()]);
            assert!(after.left_out > 0);
        } else {
            assert_eq!(before, after);
        }
    }
}

#[test]
fn a_course_names_the_first_drop_of_the_rate() {
    let mut runs = study();
    runs[3].rate_drops = vec![400, 800];
    let table = at_end(&runs);
    let drops: Vec<Option<u64>> = table
        .courses
        .iter()
        .map(|course| course.first_drop)
        .collect();
    assert_eq!(drops, [Some(400), Some(400), None, None]);
}
