//! The gradient noise scale against simulated measurements of a known one.

use analysis::noise::{NoiseComparison, NoiseUnit};
use analysis::report::{Report, ReportTable, assemble};
use analysis::targets::{Bounded, StepsToTarget, targets};
use analysis::{Evidence, GradientNoise, Metric, Named, Run};
use serde_json::json;

use crate::simulation::{Noise, Truth, change};

/// A measurement as a run makes it: squared norms of the gradients of a small batch and of one of
/// `times` as many examples, in `dimension` directions, with the unbiased differences of McCandlish et
/// al. 2018, appendix A. Noise of one example: variance `trace / dimension` in each direction; squared
/// gradient: `gradient`.
fn measure(step: u64, trace: f64, gradient: f64, noise: &mut Noise) -> GradientNoise {
    let (small, times, dimension) = (16.0, 4, 20);
    let deviation = (trace / f64::from(dimension) / small).sqrt();
    let along = (gradient / f64::from(dimension)).sqrt();
    let (mut of_small, mut of_big) = (0.0, 0.0);
    for _ in 0..dimension {
        let parts: Vec<f64> = (0..times)
            .map(|_| along + deviation * noise.normal())
            .collect();
        of_big += (parts.iter().sum::<f64>() / f64::from(times)).powi(2);
        of_small += parts.iter().map(|part| part * part).sum::<f64>() / f64::from(times);
    }
    let big = small * f64::from(times);
    GradientNoise {
        step,
        trace: (of_small - of_big) / (1.0 / small - 1.0 / big),
        gradient: (big * of_big - small * of_small) / (big - small),
    }
}

/// SGD at three batch sizes, crossing its target around step 400. Its noise scale is 10 in the first
/// half of the way and `trace / gradient` in the second, and something else after the crossing.
fn study(trace: f64, gradient: f64, seeds: u64, noise: &mut Noise) -> Evidence {
    let mut runs: Vec<Run> = Vec::new();
    for batch in [16, 64, 256] {
        for seed in 0..seeds {
            let mut truth = Truth::new("sgd", "sgd", batch, seed);
            truth.crosses = Some(400.0);
            let mut run = truth.run();
            run.curve.noise = (0..100)
                .map(|i| match 10 * i {
                    step @ 0..=200 => measure(step, 1000.0, 100.0, noise),
                    step @ 201..=410 => measure(step, trace, gradient, noise),
                    step => measure(step, 9.0, 9.0, noise),
                })
                .collect();
            runs.push(run);
        }
    }
    let levels = StepsToTarget::of([(Metric::TrainLoss, vec![0.5])]);
    Evidence {
        targets: vec![Named {
            stage: "targets".into(),
            table: targets(&levels, &runs).expect("a table"),
        }],
        runs,
        ..Evidence::default()
    }
}

fn table(evidence: &Evidence) -> ReportTable {
    let settings: Report = serde_json::from_value(json!({"title": "A study"})).expect("valid");
    assemble(&settings, evidence)
}

fn comparison(evidence: &Evidence) -> NoiseComparison {
    table(evidence).noise.remove(0)
}

#[test]
fn the_interval_covers_the_noise_scale_at_the_stated_rate_with_seeds_and_with_blocks() {
    let mut noise = Noise::new(31);
    for (seeds, unit, units) in [(5, NoiseUnit::Seeds, 5), (1, NoiseUnit::Blocks, 7)] {
        let (mut covered, mut all) = (0, 0);
        for _ in 0..70 {
            for at in comparison(&study(40.0, 0.5, seeds, &mut noise)).at_target {
                assert_eq!((at.scale.unit, at.scale.units), (unit, units));
                // By step 411 at the latest: measurements at 210 to 410.
                assert_eq!(at.scale.measurements, 20 * seeds as usize);
                assert_eq!(at.runs, seeds as usize);
                all += 1;
                covered += usize::from(match at.scale.bounded {
                    Bounded::Estimate(estimate) => {
                        let interval = estimate.interval.expect("bounded");
                        interval.low.expect("below") <= 80.0
                            && 80.0 <= interval.high.expect("above")
                    }
                    Bounded::AtLeast { low } => low <= 80.0,
                    Bounded::AtMost { high } => 80.0 <= high,
                    Bounded::Undetermined => true,
                });
            }
        }
        println!("{unit:?}: {covered} of {all}");
        // 199.5 of 210 expected, standard deviation 3.2.
        assert!(
            (190..=209).contains(&covered),
            "{unit:?}: {covered} of {all}"
        );
    }
}

#[test]
fn a_gradient_that_cannot_be_told_from_zero_bounds_the_scale_from_below_and_says_so() {
    let mut noise = Noise::new(5);
    let at = comparison(&study(40.0, 0.001, 5, &mut noise))
        .at_target
        .remove(0);
    match at.scale.bounded {
        Bounded::AtLeast { low } => assert!((100.0..40_000.0).contains(&low), "{low}"),
        other => panic!("{other:?}"),
    }
    let few = comparison(&study(40.0, 0.5, 2, &mut noise))
        .at_target
        .remove(0);
    assert_eq!(few.scale.unit, NoiseUnit::Blocks);
}

#[test]
fn one_measurement_tells_nothing_and_none_makes_no_row() {
    let mut evidence = study(40.0, 0.5, 1, &mut Noise::new(5));
    for run in &mut evidence.runs {
        run.curve
            .noise
            .retain(|measurement| measurement.step == 400);
    }
    let at = comparison(&evidence).at_target.remove(0);
    assert_eq!(
        (at.scale.measurements, at.scale.bounded),
        (1, Bounded::Undetermined)
    );
    for run in &mut evidence.runs {
        run.curve.noise.clear();
    }
    let table = table(&evidence);
    assert!(table.noise.is_empty() && table.noise_courses.is_empty());
}

#[test]
fn the_plain_metric_speaks_for_sgd_only() {
    let mut evidence = study(40.0, 0.5, 5, &mut Noise::new(5));
    for run in &mut evidence.runs {
        change(run, |all| {
            all["optimizer"] = json!({"kfac": {"damping": 0.1}});
        });
    }
    let levels = StepsToTarget::of([(Metric::TrainLoss, vec![0.5])]);
    evidence.targets[0].table = targets(&levels, &evidence.runs).expect("a table");
    let table = table(&evidence);
    assert!(table.noise.is_empty() && table.noise_courses.is_empty());
}

#[test]
fn the_course_follows_the_noise_scale_in_windows_that_double() {
    let evidence = study(40.0, 0.5, 5, &mut Noise::new(5));
    let courses = table(&evidence).noise_courses;
    assert_eq!(courses.len(), 3);
    for course in &courses {
        assert_eq!(course.runs, 5);
        let windows: Vec<(u64, u64)> = course
            .points
            .iter()
            .map(|point| (point.from, point.to))
            .collect();
        assert_eq!(windows[0], (8, 15));
        assert!(windows.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0));
        let measured: usize = course
            .points
            .iter()
            .map(|point| point.scale.measurements)
            .sum();
        // All but those at step 0.
        assert_eq!(measured, 5 * 99);
        let at = |from: u64| {
            let point = course.points.iter().find(|point| point.from == from);
            point.and_then(|point| point.scale.value).expect("a value")
        };
        assert!((at(64) / 10.0).ln().abs() < 0.5, "{}", at(64));
        assert!((at(512) / 1.0).ln().abs() < 0.3, "{}", at(512));
    }
}
