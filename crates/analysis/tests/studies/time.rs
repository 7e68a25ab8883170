//! Examples and seconds beside steps.

use analysis::targets::{ExamplesInterval, Pace, StepsToTarget, targets, times_to_target};
use analysis::{Metric, Run};

use crate::simulation::Truth;

fn runs() -> Vec<Run> {
    let mut runs = Vec::new();
    for (batch, crosses) in [(16, Some(300.0)), (64, Some(100.0)), (256, None)] {
        let mut truth = Truth::new("sgd", "sgd", batch, 0);
        truth.crosses = crosses;
        let mut run = truth.run();
        // A last batch that is kept holds fewer examples.
        for evaluation in &mut run.curve.evaluations {
            evaluation.examples -= evaluation.step / 10;
        }
        runs.push(run);
    }
    runs
}

#[test]
fn examples_are_those_that_the_median_seed_had_seen_and_seconds_go_with_the_pace() {
    let levels = StepsToTarget::of([(Metric::TrainLoss, vec![0.5])]);
    let table = targets(&levels, &runs()).expect("a table");
    let examples: Vec<Option<ExamplesInterval>> =
        table.summaries.iter().map(|row| row.examples).collect();
    // Evaluated at 277 and 305, and at 98 and 107.
    let (after, by) = (277 * 16 - 27, 305 * 16 - 30);
    assert_eq!(examples[0], Some(ExamplesInterval { after, by }));
    let (after, by) = (98 * 64 - 9, 107 * 64 - 10);
    assert_eq!(examples[1], Some(ExamplesInterval { after, by }));
    assert_eq!(examples[2], None);

    let pace = |batch_size: u64, seconds: f64| Pace {
        method: "sgd".into(),
        batch_size,
        steps: 1000,
        seconds,
    };
    let times = times_to_target(&table, &[pace(16, 2.0), pace(64, 6.0), pace(256, 20.0)]);
    assert_eq!(times.len(), 2, "an unreached target takes no known time");
    assert!((times[0].after - 0.554).abs() < 1e-12 && (times[0].by - 0.610).abs() < 1e-12);
    let middles = [
        (277.0f64 * 305.0).sqrt() * 2e-3,
        (98.0f64 * 107.0).sqrt() * 6e-3,
    ];
    let speed_up = times[1].speed_up.expect("both are timed");
    // Fewer steps, but three times as long each.
    assert!((speed_up - middles[0] / middles[1]).abs() < 1e-12 && speed_up < 1.0);
    let unknown = times_to_target(&table, &[pace(64, 6.0)]);
    assert_eq!(unknown.len(), 1, "a pace that is not known is not guessed");
}
