//! Dampings beside the curvature that the runs recorded, and claim 5 below it.

use analysis::claims::{
    Agreement, Choice, ClaimVerdict, Dampings, Missing, Reason, Remark, Verdict, decide,
};
use analysis::heatmap::{DampingLevel, HeatmapTable, heatmap};
use analysis::{Curvature, Evidence, Named, Run};
use serde_json::json;

use crate::simulation::{Noise, Truth, claim};

/// Dampings 1e-4 to 10^-0.5 in half decades.
fn damping(i: i32) -> f64 {
    10f64.powf(-4.0 + 0.5 * f64::from(i))
}

/// A K-FAC study of three batch sizes whose good rates follow the damping with a slope of `below`
/// under a damping of 1e-2 and of 1 from there on. Its runs record a median curvature of `median`.
fn study(below: f64, median: Option<f64>, x: &str, y: &str) -> Evidence {
    let mut noise = Noise::new(9);
    let mut runs: Vec<Run> = Vec::new();
    for batch in [16, 32, 64] {
        for seed in 0..5 {
            for (i, j) in (0..64).map(|k| (k % 8, k / 8)) {
                let rate = -3.0 + 0.5 * f64::from(j);
                let log_damping = damping(i).log10();
                let centre =
                    -1.25 + below * (log_damping + 2.0).min(0.0) + (log_damping + 2.0).max(0.0);
                let mut truth = Truth::new("kfac", "kfac", batch, seed);
                truth.second = damping(i);
                truth.rate = 10f64.powf(rate);
                truth.budget = 100;
                truth.accuracy = 0.97 - 0.2 * (rate - centre).powi(2) + 0.01 * noise.normal();
                let mut run = truth.run();
                if let Some(median) = median {
                    // Curvature falls while training and leaps at the end, beyond the slice.
                    run.curve.curvature = [(0, 2.0), (50, 1.0), (80, 0.5), (101, 1e6)]
                        .map(|(step, times)| Curvature {
                            step,
                            median: median * times,
                            largest: 100.0 * median * times,
                        })
                        .into();
                }
                runs.push(run);
            }
        }
    }
    let settings = json!({"x": x, "y": y, "value": "test_accuracy", "at": ["end"],
        "good": {"at_least": 0.8}});
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

fn verdict(evidence: &Evidence) -> ClaimVerdict {
    decide(&claim(&json!("rates_and_dampings_correlate")), evidence)
}

#[test]
fn a_level_has_the_medians_of_its_runs_up_to_the_slice() {
    let evidence = study(0.0, Some(0.02), "damping", "learning_rate");
    let table: &HeatmapTable = &evidence.heatmaps[0].table;
    for panel in &table.panels {
        let expected: Vec<DampingLevel> = (0..8)
            .map(|i| DampingLevel {
                damping: damping(i),
                median: 0.02,
                largest: 2.0,
                runs: 8 * 5,
            })
            .collect();
        assert_eq!(panel.dampings, expected);
    }
    let none = study(0.0, None, "damping", "learning_rate");
    assert!(none.heatmaps[0].table.panels[0].dampings.is_empty());
}

/// So many of eight dampings at three batch sizes are not below the curvature.
fn left_out(above: usize) -> Remark {
    Remark::DampingsAboveCurvature {
        above,
        of: 24,
        left_out: true,
    }
}

#[test]
fn the_slope_that_is_built_in_above_the_curvature_decides_nothing() {
    for (x, y) in [("damping", "learning_rate"), ("learning_rate", "damping")] {
        // Flat below the curvature, slope 1 above: over all dampings it looks like a correlation.
        let built_in = verdict(&study(0.0, None, x, y));
        assert_eq!(
            built_in.verdict,
            Verdict::Supported,
            "{:?}",
            built_in.reason
        );
        assert_eq!(built_in.remarks, [Remark::NoCurvature]);
        let told = verdict(&study(0.0, Some(0.02), x, y));
        assert_eq!(told.verdict, Verdict::Undecided, "{:?}", told.reason);
        // 1e-4 to 1e-2 are five of eight dampings, at three batch sizes.
        assert_eq!(told.remarks, [left_out(9)]);
        assert_eq!(told.under.len(), 2);
        assert!(
            matches!(&told.under[1].choice, Choice::Region { dampings, .. } if *dampings == Some(Dampings::All))
        );
        assert_eq!(told.agreement(&told.under[1]), Agreement::WouldDecide);
        let real = verdict(&study(0.6, Some(0.02), x, y));
        assert_eq!(real.verdict, Verdict::Supported, "{:?}", real.reason);
        assert!(
            real.parts
                .iter()
                .all(|part| (part.estimate.value - 0.6).abs() < 0.15),
            "{:?}",
            real.parts
        );
        let other_way = verdict(&study(-0.6, Some(0.02), x, y));
        assert_eq!(
            other_way.verdict,
            Verdict::Contradicted,
            "{:?}",
            other_way.reason
        );
        assert_eq!(other_way.elsewhere().values().sum::<usize>(), 1);
    }
}

#[test]
fn a_curvature_below_every_damping_leaves_nothing_to_decide_on() {
    let found = verdict(&study(0.6, Some(1e-6), "damping", "learning_rate"));
    assert_eq!((found.verdict, found.n), (Verdict::Undecided, 0));
    let nothing = Missing::Band {
        below_curvature: true,
    };
    assert_eq!(found.reason, Reason::Missing(nothing));
    assert_eq!(found.remarks, [left_out(24)]);
}

#[test]
fn other_choices_agree_are_undecided_contradict_or_have_no_say() {
    let mut found = verdict(&study(0.6, Some(0.02), "damping", "learning_rate"));
    let choice = found.under[0].clone();
    let with = |verdict, has_say| {
        let mut other = choice.clone();
        (other.verdict, other.has_say) = (verdict, has_say);
        other
    };
    found.under.extend([
        with(Verdict::Undecided, true),
        with(Verdict::Contradicted, true),
        with(Verdict::Contradicted, false),
    ]);
    let counts: Vec<(Agreement, usize)> = found.elsewhere().into_iter().collect();
    assert_eq!(
        counts,
        [
            (Agreement::Agrees, 1),
            (Agreement::IsUndecided, 1),
            (Agreement::Contradicts, 1),
            (Agreement::HasNoSay, 1)
        ]
    );
}
