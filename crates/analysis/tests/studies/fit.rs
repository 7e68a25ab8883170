//! The fit of `steps = s_min + e_min / batch` and the slope, against brute force and known truths.

use analysis::targets::{Bounded, ScalingFit, Steps, StepsToTarget, TargetsTable, targets};
use analysis::{Estimate, Metric, Updates};

use crate::simulation::{Noise, Truth};

struct Law {
    s_min: f64,
    b_crit: f64,
    sigma: f64,
    budget: u64,
}

fn study(law: &Law, batches: &[u64], seeds: u64, noise: &mut Noise) -> TargetsTable {
    let mut runs = Vec::new();
    for &batch in batches {
        for seed in 0..seeds {
            let mut truth = Truth::new("sgd", "sgd", batch, seed);
            let steps = law.s_min * (1.0 + law.b_crit / batch as f64);
            truth.crosses = Some(steps * (law.sigma * noise.normal()).exp());
            truth.budget = law.budget;
            runs.push(truth.run());
        }
    }
    let settings = StepsToTarget::of([(Metric::TrainLoss, vec![0.5])]);
    targets(&settings, &runs).expect("a table")
}

const BATCHES: [u64; 8] = [16, 32, 64, 128, 256, 512, 1024, 2048];

/// The distribution function of the standard normal by its Taylor series around 0 (Marsaglia 2004), a
/// twin of the one in the crate.
fn normal_below(x: f64) -> f64 {
    if x < -8.0 {
        return 0.0;
    }
    if x > 8.0 {
        return 1.0;
    }
    let (mut sum, mut term, mut k) = (x, x, 1.0);
    while term.abs() > 1e-17 * sum.abs() && k < 600.0 {
        k += 2.0;
        term *= x * x / k;
        sum += term;
    }
    0.5 + sum * (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

fn log_likelihood(table: &TargetsTable, s_min: f64, b_crit: f64, sigma: f64) -> f64 {
    let below = |steps: u64, mean: f64| normal_below(((steps as f64).ln() - mean) / sigma);
    table
        .runs
        .iter()
        .map(|run| {
            let mean = (s_min + s_min * b_crit / run.batch_size as f64).ln();
            let probability = match run.crossings[0].steps {
                Steps::Reached { after, by } => below(by, mean) - below(after, mean),
                Steps::NotReached { budget } => 1.0 - below(budget, mean),
                Steps::Diverged { .. } => return 0.0,
            };
            probability.max(1e-300).ln()
        })
        .sum()
}

/// The best of a grid that shrinks around its best point.
fn by_brute_force(table: &TargetsTable) -> ([f64; 3], f64) {
    let (mut centre, mut width) = ([4.0, 5.5, -1.5], [3.0, 4.0, 2.0]);
    let mut best = f64::NEG_INFINITY;
    for _ in 0..14 {
        let from = centre;
        for i in 0..11 {
            for j in 0..11 {
                for k in 0..11 {
                    let at = |axis: usize, step: i32| {
                        from[axis] + width[axis] * (f64::from(step) / 5.0 - 1.0)
                    };
                    let point = [at(0, i), at(1, j), at(2, k)];
                    let value =
                        log_likelihood(table, point[0].exp(), point[1].exp(), point[2].exp());
                    if value > best {
                        (best, centre) = (value, point);
                    }
                }
            }
        }
        width = width.map(|width| width * 0.5);
    }
    (centre, best)
}

fn estimated(fit: &ScalingFit) -> Option<Estimate> {
    match fit.law?.critical_batch {
        Bounded::Estimate(estimate) => Some(estimate),
        _ => None,
    }
}

fn covers(estimate: &Estimate, truth: f64) -> bool {
    let interval = estimate.interval.expect("enough runs for an interval");
    interval.low.is_none_or(|low| low <= truth) && interval.high.is_none_or(|high| truth <= high)
}

#[test]
fn the_fit_is_the_maximum_that_brute_force_finds() {
    // A budget that the smallest batches cannot reach within: a quarter of the runs is censored.
    let law = Law {
        s_min: 40.0,
        b_crit: 200.0,
        sigma: 0.2,
        budget: 300,
    };
    let table = study(&law, &BATCHES, 2, &mut Noise::new(5));
    let fit = &table.fits[0];
    assert!(
        fit.not_reached >= 2,
        "the study has censored runs: {}",
        fit.not_reached
    );
    let (point, best) = by_brute_force(&table);
    let found = fit.law.expect("a law");
    assert!(
        (found.log_likelihood - best).abs() < 1e-3,
        "{} {best}",
        found.log_likelihood
    );
    for (found, expected) in [
        (found.s_min, point[0]),
        (found.b_crit, point[1]),
        (found.sigma, point[2]),
    ] {
        assert!(
            (found.ln() - expected).abs() < 0.02,
            "{found} {}",
            expected.exp()
        );
    }
    assert!((found.e_min / found.s_min / found.b_crit - 1.0).abs() < 1e-9);
}

#[test]
fn at_the_ends_of_an_interval_the_profile_has_fallen_by_the_allowance() {
    let law = Law {
        s_min: 40.0,
        b_crit: 200.0,
        sigma: 0.2,
        budget: 100_000,
    };
    let table = study(&law, &BATCHES, 2, &mut Noise::new(5));
    let found = table.fits[0].law.expect("a law");
    let ends = estimated(&table.fits[0])
        .expect("spanned")
        .interval
        .expect("16 runs");
    let best = found.log_likelihood;
    // t at 95 % with 16 - 2 degrees of freedom is 2.145.
    let allowance = 8.0 * (1.0 + 2.145 * 2.145 / 14.0f64).ln();
    for end in [ends.low, ends.high] {
        let b_crit = end.expect("bounded");
        let mut profile = f64::NEG_INFINITY;
        for i in 0..=300 {
            for j in 0..=100 {
                let (s_min, sigma) = (20.0 * 1.005f64.powi(i), 0.08 * 1.02f64.powi(j));
                profile = profile.max(log_likelihood(&table, s_min, b_crit, sigma));
            }
        }
        assert!(
            (best - profile - allowance).abs() < 0.03,
            "{b_crit}: {}",
            best - profile
        );
    }
}

#[test]
fn intervals_cover_the_truth_at_the_stated_rate() {
    let law = Law {
        s_min: 40.0,
        b_crit: 180.0,
        sigma: 0.25,
        budget: 400,
    };
    let mut noise = Noise::new(11);
    let studies = 200;
    let mut covered = [0; 4];
    for _ in 0..studies {
        let table = study(&law, &BATCHES, 3, &mut noise);
        let fit = &table.fits[0];
        let found = fit.law.expect("a law");
        for (count, (found, truth)) in covered.iter_mut().zip([
            (found.least_steps, law.s_min),
            (found.least_examples, law.s_min * law.b_crit),
            (found.critical_batch, law.b_crit),
        ]) {
            *count += usize::from(match found {
                Bounded::Estimate(estimate) => covers(&estimate, truth),
                Bounded::AtLeast { low } => low <= truth,
                Bounded::AtMost { high } => truth <= high,
                Bounded::Undetermined => true,
            });
        }
        covered[3] += usize::from(estimated(fit).is_some());
    }
    println!(
        "of {studies}: s_min {}, e_min {}, b_crit {}, two-sided {}",
        covered[0], covered[1], covered[2], covered[3]
    );
    // 190 expected, standard deviation 3.1.
    for count in &covered[..3] {
        assert!((180..=199).contains(count), "{covered:?}");
    }
    assert!(
        covered[3] > 150,
        "most studies span the critical batch: {covered:?}"
    );
}

#[test]
fn batches_that_do_not_span_the_critical_one_bound_it_on_one_side() {
    let mut noise = Noise::new(3);
    let critical = |b_crit: f64, s_min: f64, noise: &mut Noise| {
        let law = Law {
            s_min,
            b_crit,
            sigma: 0.05,
            budget: 1_000_000,
        };
        study(&law, &[16, 32, 64, 128, 256, 512], 5, noise).fits[0]
            .law
            .expect("a law")
            .critical_batch
    };
    match critical(3000.0, 40.0, &mut noise) {
        Bounded::AtLeast { low } => assert!((128.0..3500.0).contains(&low), "{low}"),
        other => panic!("batches far below the critical one bound it from below: {other:?}"),
    }
    match critical(2.0, 200.0, &mut noise) {
        Bounded::AtMost { high } => assert!((1.5..64.0).contains(&high), "{high}"),
        other => panic!("batches far above the critical one bound it from above: {other:?}"),
    }
    match critical(90.0, 40.0, &mut noise) {
        Bounded::Estimate(estimate) => assert!(covers(&estimate, 90.0)),
        other => panic!("batches from 16 to 512 span 90 fourfold each way: {other:?}"),
    }
}

#[test]
fn steps_that_do_not_flatten_bound_the_least_steps_from_above_only() {
    let fit = |s_min: f64, b_crit: f64| {
        let law = Law {
            s_min,
            b_crit,
            sigma: 0.1,
            budget: 1_000_000,
        };
        study(&law, &[16, 32, 64, 128, 256], 5, &mut Noise::new(4)).fits[0]
            .law
            .expect("a law")
    };
    // In proportion to 1 / batch throughout: any small number of least steps fits.
    let falling = fit(0.01, 600_000.0);
    match falling.least_steps {
        Bounded::AtMost { high } => assert!((0.01..12.0).contains(&high), "{high}"),
        other => panic!("{other:?}"),
    }
    let Bounded::Estimate(examples) = falling.least_examples else {
        panic!("{:?}", falling.least_examples);
    };
    assert!(covers(&examples, 6000.0), "{examples:?}");
    // Constant throughout: any small number of least examples fits.
    let flat = fit(100.0, 0.01);
    match flat.least_examples {
        Bounded::AtMost { high } => assert!((1.0..600.0).contains(&high), "{high}"),
        other => panic!("{other:?}"),
    }
    let Bounded::Estimate(steps) = flat.least_steps else {
        panic!("{:?}", flat.least_steps);
    };
    assert!(covers(&steps, 100.0), "{steps:?}");
}

#[test]
fn the_slope_of_finely_timed_runs_is_least_squares_and_its_interval_covers() {
    let mut noise = Noise::new(7);
    let mut covered = 0;
    for _ in 0..100 {
        let mut points = Vec::new();
        let mut runs = Vec::new();
        for batch in [16u64, 32, 64, 128, 256] {
            for seed in 0..3 {
                let mut truth = Truth::new("sgd", "sgd", batch, seed);
                let steps = 200_000.0 * (batch as f64).powf(-0.7) * (0.3 * noise.normal()).exp();
                truth.budget = 1_000_000;
                truth.crosses = Some(steps);
                let mut run = truth.run();
                // Evaluated every step around the crossing, as good as exactly timed.
                let by = steps.ceil() as u64;
                let middle = ((by - 1) as f64 * by as f64).sqrt().ln();
                points.push(((batch as f64).ln(), middle));
                run.curve.updates = Updates::default();
                run.curve
                    .evaluations
                    .retain(|evaluation| evaluation.step < by - 1);
                for step in by - 1..=by + 1 {
                    let train_loss = Some(if step >= by { 0.01 } else { 1.0 });
                    run.curve.evaluations.push(analysis::Evaluation {
                        step,
                        train_loss,
                        ..Default::default()
                    });
                }
                runs.push(run);
            }
        }
        let settings = StepsToTarget::of([(Metric::TrainLoss, vec![0.5])]);
        let slope = targets(&settings, &runs).expect("a table").fits[0]
            .slope
            .expect("a slope");
        let n = points.len() as f64;
        let (x, y) = points.iter().fold((0.0, 0.0), |sum, point| {
            (sum.0 + point.0 / n, sum.1 + point.1 / n)
        });
        let sxy: f64 = points
            .iter()
            .map(|point| (point.0 - x) * (point.1 - y))
            .sum();
        let sxx: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
        assert!(
            (slope.value - sxy / sxx).abs() < 1e-3,
            "{} {}",
            slope.value,
            sxy / sxx
        );
        // The t interval of simple regression; t at 95 % with 15 - 2 degrees of freedom is 2.160.
        let residual: f64 = points
            .iter()
            .map(|p| (p.1 - y - sxy / sxx * (p.0 - x)).powi(2))
            .sum();
        let half = 2.160 * (residual / (n - 2.0) / sxx).sqrt();
        let ends = slope.interval.expect("15 runs");
        assert!((ends.high.expect("bounded") - slope.value - half).abs() < 0.01 * half);
        covered += usize::from(covers(&slope, -0.7));
    }
    assert!((89..=100).contains(&covered), "{covered} of 100");
}
