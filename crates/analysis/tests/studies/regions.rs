//! Claims on good regions and their bands, on simulated heatmaps.

use analysis::claims::{ClaimVerdict, Reason, Remark, Rules, Verdict, decide};
use analysis::heatmap::{CellState, heatmap};
use analysis::{Evidence, Named};
use serde_json::json;

use crate::simulation::{BATCHES, Noise, Truth, claim};

/// A K-FAC heatmap whose accuracy falls off with the distance of log10 rate from a line over log10
/// damping: `width` for the smallest batch, times `growth` for each doubling.
fn heatmap_study(
    slope: f64,
    width: f64,
    growth: f64,
    seeds: u64,
    at: &serde_json::Value,
) -> Evidence {
    let mut noise = Noise::new(9);
    let mut runs = Vec::new();
    for (doublings, batch) in (0..).zip(BATCHES) {
        let width = width * growth.powi(doublings);
        for seed in 0..seeds {
            for i in 0..8 {
                for j in 0..8 {
                    let (damping, rate) = (-4.0 + 0.5 * f64::from(i), -3.0 + 0.5 * f64::from(j));
                    let distance = rate + 1.25 - slope * (damping + 2.25);
                    let mut truth = Truth::new("kfac", "kfac", batch, seed);
                    truth.second = 10f64.powf(damping);
                    truth.rate = 10f64.powf(rate);
                    truth.budget = 12_800 / batch;
                    truth.accuracy =
                        0.97 - 0.3 * (distance / width).powi(2) + 0.01 * noise.normal();
                    runs.push(truth.run());
                }
            }
        }
    }
    // Every budget is one epoch of 12,800 examples, so that each slice is its last step.
    if at.get("iterations").is_some() {
        for run in &mut runs {
            run.curve.evaluations.last_mut().expect("evaluated").step = 800;
        }
    }
    let settings = json!({"x": "damping", "y": "learning_rate", "value": "test_accuracy",
        "at": [at], "good": {"at_least": 0.8}});
    let table = heatmap(&serde_json::from_value(settings).expect("valid"), &runs).expect("a table");
    Evidence {
        runs,
        heatmaps: vec![Named {
            stage: "sensitivity".into(),
            table,
        }],
        ..Evidence::default()
    }
}

fn of_heatmap(claimed: &str, evidence: &Evidence) -> ClaimVerdict {
    decide(&claim(&json!(claimed)), &Rules::default(), evidence)
}

#[test]
fn regions_that_shrink_or_grow_are_told_apart_at_each_slice() {
    for (claim, at, supports) in [
        ("region_shrinks_at_fixed_epochs", json!({"epochs": 1}), 0.8),
        (
            "region_grows_at_fixed_iterations",
            json!({"iterations": 800}),
            1.25,
        ),
    ] {
        let yes = of_heatmap(claim, &heatmap_study(0.5, 1.0, supports, 5, &at));
        assert_eq!(
            (yes.verdict, yes.n),
            (Verdict::Supported, 5),
            "{claim}: {:?}",
            yes.reason
        );
        // The declared level decides alone; five fixed ones stand beside it.
        assert_eq!((yes.deciding, yes.parts.len()), (1, 6));
        let no = of_heatmap(claim, &heatmap_study(0.5, 1.0, supports.recip(), 5, &at));
        assert_eq!(
            no.verdict,
            Verdict::Contradicted,
            "{claim}: {:?}",
            no.reason
        );
        let same = of_heatmap(claim, &heatmap_study(0.5, 1.0, 1.0, 5, &at));
        assert_eq!(
            same.verdict,
            Verdict::Undecided,
            "{claim}: {:?}",
            same.reason
        );
        let one_seed = of_heatmap(claim, &heatmap_study(0.5, 1.0, supports, 1, &at));
        assert_eq!((one_seed.verdict, one_seed.n), (Verdict::Undecided, 1));
        let Reason::TooFewSeeds {
            seeds, estimates, ..
        } = one_seed.reason
        else {
            panic!("{:?}", one_seed.reason);
        };
        // Where the estimate points is told all the same.
        assert_eq!((seeds, estimates.supported, estimates.of), (1, 1, 1));
    }
    let other_slice = heatmap_study(0.5, 1.0, 0.8, 5, &json!({"epochs": 1}));
    let found = of_heatmap("region_grows_at_fixed_iterations", &other_slice);
    assert_eq!((found.verdict, found.effect), (Verdict::Undecided, None));
}

#[test]
fn the_correlation_of_rates_and_dampings_comes_out_each_way() {
    let claim = "rates_and_dampings_correlate";
    let of = |slope: f64, seeds: u64| {
        of_heatmap(
            claim,
            &heatmap_study(slope, 1.0, 1.0, seeds, &json!({"epochs": 1})),
        )
    };
    let yes = of(0.5, 5);
    assert_eq!(
        (yes.verdict, yes.parts.len()),
        (Verdict::Supported, 5),
        "{:?}",
        yes.reason
    );
    assert!(
        yes.parts
            .iter()
            .all(|part| (part.estimate.value - 0.5).abs() < 0.15)
    );
    assert_eq!(of(-0.5, 5).verdict, Verdict::Contradicted);
    assert_eq!(of(0.0, 5).verdict, Verdict::Undecided);
    assert_eq!(of(0.5, 4).verdict, Verdict::Undecided);
}

#[test]
fn seeds_whose_good_cells_lie_at_one_damping_are_left_out_and_counted() {
    let mut evidence = heatmap_study(0.5, 1.0, 1.0, 6, &json!({"epochs": 1}));
    let claim = "rates_and_dampings_correlate";
    let is_left_out = |remark: &Remark| matches!(remark, Remark::SeedsWithoutBand { .. });
    let whole = of_heatmap(claim, &evidence);
    assert!(!whole.remarks.iter().any(is_left_out));
    // At the smallest batch size only the smallest damping is good with seed 0.
    for cell in &mut evidence.heatmaps[0].table.panels[0].cells {
        if cell.x > 1e-4 {
            cell.seeds[0].state = CellState::Value {
                mean: 0.1,
                seeds: 1,
            };
        }
    }
    let found = of_heatmap(claim, &evidence);
    let of_a_seed = Remark::SeedsWithoutBand {
        seeds: 1,
        of: 30,
        below_curvature: false,
    };
    assert!(found.remarks.contains(&of_a_seed), "{:?}", found.remarks);
    assert_eq!((found.parts[0].n, found.parts[1].n), (5, 6));
}
