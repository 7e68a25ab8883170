//! K-FAC at a large damping beside SGD at learning rate / damping.

use analysis::claims::{ClaimVerdict, Missing, Reason, Remark, Tally, Verdict, decide};
use analysis::control::DampingControl;
use analysis::report::{Report, assemble};
use analysis::{Curvature, Evidence, Metric, Outcome, Run};
use serde_json::json;

use crate::simulation::{Noise, Truth, change, claim};

/// K-FAC at dampings 0.01, 1 and 100 and a rate of 0.03 times that, SGD at the rate 0.03; the largest
/// eigenvalue is 2. `difference` is what K-FAC's accuracy lacks.
fn study(difference: f64, spread: f64, seeds: u64, noise: &mut Noise) -> Vec<Run> {
    let mut runs = Vec::new();
    for batch in [16, 64] {
        for seed in 0..seeds {
            let common = 0.01 * noise.normal();
            let mut sgd = Truth::new("sgd", "sgd", batch, seed);
            (sgd.rate, sgd.second) = (0.03, 0.9);
            sgd.accuracy = 0.9 + common;
            runs.push(sgd.run());
            for damping in [0.01, 1.0, 100.0] {
                let mut kfac = Truth::new("kfac", "kfac", batch, seed);
                (kfac.rate, kfac.second) = (0.03 * damping, damping);
                let small = if damping < 10.0 { 0.1 } else { 0.0 };
                kfac.accuracy = 0.9 + common - difference - small + spread * noise.normal();
                let mut run = kfac.run();
                change(&mut run, |all| {
                    all["optimizer"]["kfac"]["momentum"] = json!(0.9);
                });
                run.curve.curvature = vec![Curvature {
                    step: 0,
                    median: 0.1,
                    largest: 2.0,
                }];
                runs.push(run);
            }
        }
    }
    runs
}

fn controls(runs: &[Run]) -> Vec<DampingControl> {
    let settings: Report = serde_json::from_value(json!({"title": "A study"})).expect("valid");
    let evidence = Evidence {
        runs: runs.to_vec(),
        ..Evidence::default()
    };
    assemble(&settings, &evidence).controls
}

fn verdict(runs: Vec<Run>) -> ClaimVerdict {
    let claim = claim(&json!("large_damping_is_sgd"));
    decide(
        &claim,
        &Evidence {
            runs,
            ..Evidence::default()
        },
    )
}

#[test]
fn every_cell_stands_beside_the_sgd_run_with_its_quotient() {
    let rows = controls(&study(0.0, 0.001, 5, &mut Noise::new(3)));
    let places: Vec<(u64, f64, Option<bool>, usize)> = rows
        .iter()
        .map(|row| (row.batch_size, row.damping, row.is_large, row.seeds))
        .collect();
    assert_eq!(
        places,
        [
            (16, 0.01, Some(false), 5),
            (16, 1.0, Some(false), 5),
            (16, 100.0, Some(true), 5),
            (64, 0.01, Some(false), 5),
            (64, 1.0, Some(false), 5),
            (64, 100.0, Some(true), 5),
        ]
    );
    for row in &rows {
        assert!((row.sgd_rate - 0.03).abs() < 1e-12);
        let expected = if row.damping < 10.0 { -0.1 } else { 0.0 };
        let difference = row.differences[&Metric::TestAccuracy].value;
        assert!((difference - expected).abs() < 0.005, "{difference}");
    }
}

#[test]
fn another_momentum_seed_decay_or_budget_is_no_control() {
    let runs = study(0.0, 0.001, 5, &mut Noise::new(3));
    let changed = |change: fn(&mut Run)| {
        let mut runs = runs.clone();
        runs.iter_mut()
            .filter(|run| run.method() == "sgd")
            .for_each(change);
        controls(&runs).len()
    };
    assert_eq!(changed(|_| ()), 6);
    assert_eq!(
        changed(|run| change(run, |all| all["optimizer"]["sgd"]["momentum"] = json!(0.5))),
        0
    );
    assert_eq!(
        changed(|run| change(run, |all| all["seed"] =
            json!(all["seed"].as_u64().map(|seed| seed + 50)))),
        0
    );
    assert_eq!(
        changed(|run| change(run, |all| all["budget"] = json!({"iterations": 7}))),
        0
    );
    assert_eq!(
        changed(|run| change(run, |all| all["learning_rate"] = json!(0.0301))),
        0
    );
    let decay = json!(1e-3);
    let with_decay = |of_kfac: f64| {
        let mut runs = runs.clone();
        for run in &mut runs {
            if run.method() == "sgd" {
                change(run, |all| {
                    all["optimizer"]["sgd"]["weight_decay"] = decay.clone();
                });
            } else {
                change(run, |all| {
                    all["optimizer"]["kfac"]["weight_decay"] = json!(of_kfac);
                });
            }
        }
        controls(&runs)
            .iter()
            .map(|row| row.damping)
            .collect::<Vec<_>>()
    };
    // SGD's decay is K-FAC's times the damping.
    assert_eq!(with_decay(1e-5), [100.0, 100.0]);
    assert_eq!(with_decay(1e-3), [1.0, 1.0]);
}

#[test]
fn the_control_comes_out_each_way_and_rests_on_large_dampings_only() {
    let mut noise = Noise::new(3);
    let yes = verdict(study(0.0, 0.003, 5, &mut noise));
    assert_eq!(
        (yes.verdict, yes.n, yes.parts.len()),
        (Verdict::Supported, 5, 2),
        "{:?}",
        yes.reason
    );
    let no = verdict(study(0.03, 0.003, 5, &mut noise));
    assert_eq!(no.verdict, Verdict::Contradicted, "{:?}", no.reason);
    let both = Tally {
        supported: 0,
        contradicted: 2,
        of: 2,
    };
    assert_eq!(no.reason, Reason::Parts(both));
    let open = verdict(study(0.0, 0.03, 5, &mut noise));
    assert_eq!(open.verdict, Verdict::Undecided, "{:?}", open.reason);
    let few = verdict(study(0.0, 0.003, 4, &mut noise));
    assert_eq!(
        (few.verdict, few.n),
        (Verdict::Undecided, 4),
        "{:?}",
        few.reason
    );
    // Without curvature the largest damping counts, and that is said.
    let mut untold = study(0.0, 0.003, 5, &mut noise);
    for run in &mut untold {
        run.curve.curvature.clear();
    }
    let untold = verdict(untold);
    assert_eq!(untold.verdict, Verdict::Supported, "{:?}", untold.reason);
    assert_eq!(untold.remarks, [Remark::LargestDampingTaken]);
    let mut small = study(0.0, 0.003, 5, &mut noise);
    for run in &mut small {
        run.curve
            .curvature
            .iter_mut()
            .for_each(|at| at.largest = 1e3);
    }
    let small = verdict(small);
    assert_eq!((small.verdict, small.n), (Verdict::Undecided, 0));
    assert!(
        matches!(small.reason, Reason::Missing(Missing::LargeDamping { .. })),
        "{:?}",
        small.reason
    );
}

#[test]
fn a_seed_of_which_one_diverged_forbids_agreement_and_one_of_which_both_did_does_not() {
    let mut runs = study(0.0, 0.003, 6, &mut Noise::new(3));
    let lose = |runs: &mut Vec<Run>, method: &str| {
        for run in runs
            .iter_mut()
            .filter(|run| run.method() == method && run.seed() == 0)
        {
            run.outcome = Outcome::Diverged { step: 900 };
        }
    };
    lose(&mut runs, "sgd");
    let one = verdict(runs.clone());
    assert_eq!(one.verdict, Verdict::Undecided, "{:?}", one.reason);
    assert_eq!(one.remarks, [Remark::OneDiverged { seeds: 2 }]);
    lose(&mut runs, "kfac");
    let both = verdict(runs);
    assert_eq!(
        (both.verdict, both.n),
        (Verdict::Supported, 5),
        "{:?}",
        both.reason
    );
}

#[test]
fn where_the_two_are_a_margin_apart_agreement_is_rarely_found() {
    let mut noise = Noise::new(17);
    let studies = 100;
    let (mut wrong, mut right) = (0, 0);
    for _ in 0..studies {
        let is_supported = |difference: f64, noise: &mut Noise| {
            usize::from(verdict(study(difference, 0.002, 5, noise)).verdict == Verdict::Supported)
        };
        wrong += is_supported(0.01, &mut noise);
        right += is_supported(0.0, &mut noise);
    }
    println!("of {studies}: wrongly {wrong}, rightly {right}");
    // At most 5 % each at two batch sizes that must both agree.
    assert!(wrong <= 3, "{wrong}");
    assert!(right >= 95, "{right}");
}
